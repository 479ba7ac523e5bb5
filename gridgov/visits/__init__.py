"""Visits and services to households in need, with purpose and consent. docs/visits.md"""

from flask import Flask


def init_app(app: Flask) -> None:
    """Take the kinds and purposes from the configured folder."""
    from gridgov.visits import policy

    policy.use(app.config["GRIDGOV"].workflows)
