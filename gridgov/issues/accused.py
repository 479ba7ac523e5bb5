"""Reports about a unit or its people: out of their sight, never with them, begun one level above.

Somebody with a post that sees anything in the accused grid, under it, or in the accused department does not see the issue,
whatever other posts they hold; if they reported it, they see it as its reporter.
Source: DOMAIN "Confidential reports": the identity is visible to nobody below the level that handles it.
"""

import functools
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import session
from gridgov.errors import Invalid
from gridgov.grids import queries as grids
from gridgov.i18n import _
from gridgov.issues.models import Issue
from gridgov.people.models import Department
from gridgov.people.queries import Reach

CITY = 6


class Accused(NamedTuple):
    """Whom a report is about, and the grid whose office gets it instead."""

    code: str | None
    department_id: UUID | None
    above: str


def named(text: str) -> Accused:
    """Whom a grid's or a department's code names. Raises Invalid, naming the field `accused`."""
    department = session.scalar(
        sa.select(Department).where(Department.code == text, Department.closed_at.is_(None))
    )
    if department is not None:
        return Accused(None, department.id, department.grid_code)
    place = grids.place(text) if text.isascii() and text.isdigit() else None
    if place is None:
        raise Invalid(_("There is no such unit."), code="accused_unknown", field="accused")
    if len(place.code) == CITY:
        words = _(
            "What is about the city itself cannot be handled here. Please turn to the discipline inspection hotline, 12388."
        )
        raise Invalid(words, code="accused_has_no_above", field="accused")
    return Accused(place.code, None, grids.ancestor_codes(place.code)[-2])


def refuse(issue: Issue, unit_code: str | None, department_id: UUID | None) -> None:
    """Raise Invalid when the issue would go to the unit it is about, or under it. Asks nothing of all other issues."""
    if issue.accused_code is None and issue.accused_department_id is None:
        return
    code = unit_code
    if department_id is not None and department_id != issue.accused_department_id:
        code = session.get_one(Department, department_id).grid_code
    about = department_id is not None and department_id == issue.accused_department_id
    if about or (issue.accused_code and code and code.startswith(issue.accused_code)):
        raise Invalid(_("The report is about this unit or its people: it cannot go there."), code="accused")


def barred(issue: Any, reach: Reach) -> bool:
    """Whether somebody who sees as far as this is one of the accused. `issue`: anything with its accused_* fields."""
    if issue.accused_department_id is not None and issue.accused_department_id in reach.departments:
        return True
    code = issue.accused_code
    if code is None:
        return False
    if any(own.startswith(code) for own in reach.places):
        return True
    return any(session.get_one(Department, each).grid_code.startswith(code) for each in reach.departments)


def barred_from(reach: Reach) -> tuple[tuple[str, ...], tuple[UUID, ...]]:
    """Codes of grids and ids of departments: what is about one of these is about somebody who sees as far as this."""
    own = [*reach.places, *(session.get_one(Department, each).grid_code for each in sorted(reach.departments))]
    codes = {code for place in own for code in grids.ancestor_codes(place) if len(code) > CITY}
    return tuple(sorted(codes)), tuple(sorted(reach.departments))


@functools.lru_cache(maxsize=2_000)
def unseen(reach: Reach) -> str:
    """The condition in SQL that an issue is not about somebody who sees as far as this; nothing where it cannot be.

    Codes and ids stand in it as they are. (The city is nobody's to accuse here: it has no level above.)
    """
    codes = sorted({code for own in reach.places for code in grids.ancestor_codes(own) if len(code) > CITY})
    ids = ", ".join(f"'{UUID(bytes=each.bytes)}'" for each in sorted(reach.departments))
    parts = []
    if codes:
        if not all(code.isascii() and code.isdigit() for code in codes):
            raise AssertionError("a grid code is digits")
        among = ", ".join(f"'{code}'" for code in codes)
        parts.append(f"(issues.accused_code IS NULL OR issues.accused_code NOT IN ({among}))")
    if ids:
        parts.append(f"(issues.accused_department_id IS NULL OR issues.accused_department_id NOT IN ({ids}))")
        # Read once, and only when there is an issue about a grid: the department may be one of that grid's stations.
        under = (
            f"SELECT 1 FROM departments WHERE id IN ({ids}) AND starts_with(grid_code, issues.accused_code)"  # noqa: S608
        )
        parts.append(f"(issues.accused_code IS NULL OR NOT EXISTS ({under}))")
    return " AND ".join(parts)


def unseen_by(reach: Reach) -> sa.ColumnElement[bool]:
    """The same as a condition of SQLAlchemy."""
    text = unseen(reach)
    return sa.literal_column(f"({text})", sa.Boolean) if text else sa.true()
