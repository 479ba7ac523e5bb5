"""Findings of a patrol (巡查): issues that somebody found whose post it is to look, and not a resident.

Source: DOMAIN "Appraisal formulas": what others find first was missed.
"""

from gridgov.i18n import _
from gridgov.people import queries as people
from gridgov.people.models import Person, Role

RESIDENT, PATROL = "resident", "patrol"
FOUND_BY = (RESIDENT, PATROL)
PATROLLING = (Role.WORKER, Role.LINE_CHIEF)


def may(person: Person | None) -> bool:
    """Whether a post of this person is to patrol: a worker's, or one that carries a line of work."""
    return person is not None and any(post.role in PATROLLING or post.lines for post in people.live_posts(person))


def label(found_by: str) -> str:
    """How it was found, in words."""
    return _("Found on patrol") if found_by == PATROL else _("Reported by a resident")


def options() -> list[tuple[str, str]]:
    """For a filter: how it was found, with its words."""
    return [(each, label(each)) for each in FOUND_BY]
