"""Benchmarks: `make bench` prints their figures, one a line."""
