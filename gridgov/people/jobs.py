"""Daily work: sessions that have ended and logs past their time are deleted."""

from flask import Flask

from gridgov import schedule
from gridgov.config import Config
from gridgov.jobs import job
from gridgov.people import sign_in

_kept_days = 365


def init_app(app: Flask) -> None:
    """Take how long the log is kept from the configuration."""
    global _kept_days
    config: Config = app.config["GRIDGOV"]
    _kept_days = config.sign_in_log_days


@job()
def purge() -> None:
    """Delete ended sessions, and what the log of sign-ins need not keep any longer."""
    sign_in.purge(_kept_days)


schedule.DAILY.append(purge)
