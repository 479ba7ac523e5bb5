"""Working time as a city keeps it: the yearly notice, single days, office hours, and what a change does to deadlines."""

from flask import Flask


def init_app(_app: Flask) -> None:
    """Have the scheduler reckon deadlines anew after each change of the calendar."""
    from gridgov import schedule
    from gridgov.worktime import recompute

    if recompute.step not in schedule.STEPS:
        schedule.STEPS.append(recompute.step)
