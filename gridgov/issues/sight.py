"""Parts of the rule of sight (queries.within): following, and the rule for one issue that is at hand."""

from typing import Any

import sqlalchemy as sa

from gridgov.db import session
from gridgov.issues import accused, part_models
from gridgov.issues.models import Follower, Hop, Issue
from gridgov.people import queries as people
from gridgov.people.models import Department, Person


def followed_by(person_id: Any) -> sa.ColumnElement[bool]:
    """The SQL condition that a person follows an issue now."""
    # An array, read first: so somebody without a post finds what is theirs by indexes alone.
    here = sa.select(Follower.issue_id).where(Follower.person_id == person_id, Follower.left_at.is_(None))
    return Issue.id == sa.any_(sa.func.array(here.scalar_subquery(), type_=sa.ARRAY(sa.Uuid)))


def by_post(reach: people.Reach, issue: Issue) -> bool:
    """Whether a post of this reach leads to an issue at hand: queries.within for one. Asks only about departments and parts."""
    if accused.barred(issue, reach):
        return False
    if any(issue.line == line and issue.grid_code.startswith(code) for code, line in reach.lines):
        return True
    codes = [issue.grid_code, issue.unit_code, issue.decides_code]
    if issue.department_id is not None and reach.grids:
        codes.append(session.get_one(Department, issue.department_id).grid_code)
    parts = part_models.of(issue)
    codes += [part.unit_code for part in parts]
    if any(code is not None and reach.covers(code) for code in codes):
        return True
    if not reach.departments:
        return False
    if reach.departments & {issue.department_id, *(part.department_id for part in parts)}:
        return True
    return bool(session.scalar(sa.select(sa.exists().where(Hop.issue_id == issue.id, Hop.department_id.in_(reach.departments)))))


def only_follows(person: Person, issue: Issue) -> bool:
    """Whether somebody who sees this issue does so as a follower alone."""
    if person.id == issue.reporter_id or not issue.followers:
        return False
    return not by_post(people.reach(person), issue)
