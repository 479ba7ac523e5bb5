"""Mediation of disputes: a file beside the issue, signed on the screen, printed, followed up. docs/mediation.md"""

from flask import Flask

from gridgov import timers
from gridgov.issues import panels


def init_app(_app: Flask) -> None:
    """Show the file on its issue's page, and let the sweep remind of its follow-up dates."""
    from gridgov.issues import merging
    from gridgov.mediation import actions, words
    from gridgov.mediation.models import Mediation

    if actions.against_merging not in merging.OBJECTIONS:
        merging.OBJECTIONS.append(actions.against_merging)
    panels.add("mediation/panel.html", words.panel)
    timers.register("mediation", timers.Subject(Mediation, actions.follow_up_due))
