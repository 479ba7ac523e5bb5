"""Audiences beyond those of nearly every event: who decides, who oversees, who hears of what is grave. Source: DOMAIN."""

from collections.abc import Callable
from uuid import UUID

from gridgov.db import session
from gridgov.grids import queries as grids
from gridgov.issues import flow
from gridgov.issues.models import Issue, IssueEvent
from gridgov.people import queries as people
from gridgov.people.models import Department, Role

LEADERS = (Role.CITY_CHIEF, Role.CITY_LEADER)


def _one(person_id: UUID | None) -> list[UUID]:
    return [person_id] if person_id else []


def _at(code: str, roles: tuple[Role, ...] | None = None) -> list[UUID]:
    found = people.holders(grid_code=code, roles=roles or flow.handler_roles(code))
    return [person.id for person in found]


def _alarmed(issue: Issue, _event: IssueEvent) -> list[UUID]:
    """Chiefs and offices of every level over the place, and the city's leaders."""
    codes = grids.ancestor_codes(issue.grid_code)
    return [person for code in codes for person in _at(code)] + _at(codes[0], LEADERS)


def _above(_issue: Issue, event: IssueEvent) -> list[UUID]:
    """One level above the unit of an event; of a department, the grid it belongs to. The city has none above."""
    if event.unit_code is None:
        return _at(session.get_one(Department, event.department_id).grid_code)
    codes = grids.ancestor_codes(event.unit_code)
    return _at(codes[max(0, len(codes) - 2)])


def _deciders(_issue: Issue, event: IssueEvent) -> list[UUID]:
    """The office one level up; what the city's own office asks, its leaders decide."""
    code = event.data["decider"]
    return _at(code, LEADERS if code == event.unit_code else None)


SPECIAL: dict[str, Callable[[Issue, IssueEvent], list[UUID]]] = {
    "decider": _deciders,
    "above": _above,
    "alarmed": _alarmed,
    "supervisor": lambda issue, _event: _one(issue.supervisor_id),
    "instructor": lambda issue, _event: _one(issue.instructor_id),
}
"""By the name in the workflow's `tells`. Each takes a statement of its own; all of them are rare."""
