"""Who could act for a unit today. Of a report about somebody, nobody of those it is about (gridgov/issues/accused.py)."""

from collections.abc import Collection
from uuid import UUID

from gridgov import batches
from gridgov.issues import accused
from gridgov.issues.models import Issue
from gridgov.people import queries as people


def able(issue: Issue, unit_code: str | None, department_id: UUID | None, roles: Collection[str]) -> set[UUID]:
    """Everybody who could act there for this issue, in one of these roles."""
    there = {person.id for person in people.holders(grid_code=unit_code, department_id=department_id, roles=roles)}
    if not about_somebody(issue):
        return there
    return {person for person, reach in people.reaches(there).items() if not accused.barred(issue, reach)}


def somebody(issue: Issue, unit_code: str | None, department_id: UUID | None, roles: Collection[str]) -> bool:
    """Whether anybody could. A batch has read it beforehand for all its units."""
    if about_somebody(issue):
        return bool(able(issue, unit_code, department_id, roles))
    known = batches.known(("on_duty", unit_code))
    if known is not None:
        return known
    return people.on_duty(grid_code=unit_code, department_id=department_id, roles=roles)


def about_somebody(issue: Issue) -> bool:
    """Whether the report says whom it is about."""
    return issue.accused_code is not None or issue.accused_department_id is not None
