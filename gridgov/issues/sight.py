"""Parts of the rule of sight (queries.within) that need only the tables."""

from typing import Any

import sqlalchemy as sa

from gridgov.issues.models import Follower, Issue
from gridgov.people import queries as people
from gridgov.people.models import Person


def followed_by(person_id: Any) -> sa.ColumnElement[bool]:
    """The SQL condition that a person follows an issue now."""
    # An array, read first: so somebody without a post finds what is theirs by indexes alone.
    here = sa.select(Follower.issue_id).where(Follower.person_id == person_id, Follower.left_at.is_(None))
    return Issue.id == sa.any_(sa.func.array(here.scalar_subquery(), type_=sa.ARRAY(sa.Uuid)))


def only_follows(person: Person, issue: Issue) -> bool:
    """Whether somebody who sees this issue does so as a follower alone. Asks the database nothing."""
    reach = people.reach(person)
    if person.id == issue.reporter_id or reach.departments:
        return False
    if any(issue.line == line and issue.grid_code.startswith(code) for code, line in reach.lines):
        return False
    codes = (issue.grid_code, issue.unit_code, issue.decides_code)
    return not any(code is not None and reach.covers(code) for code in codes)
