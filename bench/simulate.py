"""The `simulate` figure: issues a second of `gridgov simulate`, one policy, one process beside its database.

A smaller part of the quarter that the command is made for: DAYS days of a city of 4,000 micro grids, some 1,600 issues, after
the city is built. The whole quarter: `python -m gridgov simulate --days 90`.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator

DAYS = 5
Figures = Iterator[tuple[str, float, str]]


def figures() -> Figures:
    """Measure and yield (name, value, unit)."""
    with tempfile.TemporaryDirectory(prefix="gg-bench-") as folder:
        argv = [sys.executable, "-m", "gridgov", "simulate", "--days", str(DAYS), "--out", folder, "--json"]
        (played,) = json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout)
    yield "simulate_issues_per_s", played["totals"]["reported"] / played["played_s"], "1/s"
    yield "simulate_moves_per_s", sum(played["moves"].values()) / played["played_s"], "1/s"
