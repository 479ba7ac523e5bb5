"""Audiences beyond those of nearly every event: who decides, who oversees, who hears of what is grave. Source: DOMAIN."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from gridgov.db import session
from gridgov.grids import queries as grids
from gridgov.issues import flow
from gridgov.issues.models import Issue, IssueEvent
from gridgov.people import queries as people
from gridgov.people.models import Department, Role

Payload = dict[str, Any]
LEADERS = (Role.CITY_CHIEF, Role.CITY_LEADER)


def _named(name: str) -> Callable[[Issue, IssueEvent, Payload], list[UUID]]:
    """Somebody whom the payload names."""
    return lambda _issue, _event, payload: [UUID(payload[name])] if payload.get(name) else []


def _at(code: str, roles: tuple[Role, ...] | None = None) -> list[UUID]:
    found = people.holders(grid_code=code, roles=roles or flow.handler_roles(code))
    return [person.id for person in found]


def _alarmed(issue: Issue, _event: IssueEvent, _payload: Payload) -> list[UUID]:
    """Chiefs and offices of every level over the place, and the city's leaders."""
    codes = grids.ancestor_codes(issue.grid_code)
    return [person for code in codes for person in _at(code)] + _at(codes[0], LEADERS)


def _above(_issue: Issue, event: IssueEvent, _payload: Payload) -> list[UUID]:
    """One level above the unit of an event; of a department, the grid it belongs to. The city has none above."""
    if event.unit_code is None:
        return _at(session.get_one(Department, event.department_id).grid_code)
    codes = grids.ancestor_codes(event.unit_code)
    return _at(codes[max(0, len(codes) - 2)])


def _deciders(_issue: Issue, event: IssueEvent, _payload: Payload) -> list[UUID]:
    """The office one level up; what the city's own office asks, its leaders decide."""
    code = event.data["decider"]
    return _at(code, LEADERS if code == event.unit_code else None)


def _people(_issue: Issue, _event: IssueEvent, payload: Payload) -> list[UUID]:
    """Everybody whom the payload names."""
    return [UUID(each) for each in payload.get("people", ())]


SPECIAL: dict[str, Callable[[Issue, IssueEvent, Payload], list[UUID]]] = {
    "decider": _deciders,
    "above": _above,
    "alarmed": _alarmed,
    "supervisor": _named("supervisor"),
    "instructor": _named("instructor"),
    "mediator": _people,
}
"""By the name in the workflow's `tells`. Each takes a statement of its own; all of them are rare."""
