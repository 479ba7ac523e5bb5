"""Audiences beyond those of nearly every event: who decides, who oversees, who hears of what is grave. Source: DOMAIN."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import session
from gridgov.grids import queries as grids
from gridgov.issues import chances, flow
from gridgov.issues.models import Follower, Issue, IssueEvent
from gridgov.issues.part_models import Part
from gridgov.people import queries as people
from gridgov.people.models import Department, Role

Payload = dict[str, Any]
FOLLOWERS = "followers"
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


def _checkers(issue: Issue, _event: IssueEvent, _payload: Payload) -> list[UUID]:
    """The city's leaders, where the whole of the city's office has handled it: nobody is above to verify it."""
    last = issue.unit_code is not None and flow.parent_unit(issue) is None
    return _at(issue.unit_code or "", LEADERS) if last and flow.nobody_can_verify(issue) else []


def parts_of(issue: Issue, event: IssueEvent) -> list[Part]:
    """The parts of an issue that an event is about. A part that is new is written before it is looked for."""
    session.flush()
    about = sa.select(Part).where(Part.issue_id == issue.id, Part.n.in_(event.data.get("parts", ()))).order_by(Part.n)
    return list(session.scalars(about))


def _givers(issue: Issue, event: IssueEvent, _payload: Payload) -> list[UUID]:
    """Whoever gave the parts that an event is about, and the office they did it for."""
    parts = parts_of(issue, event)
    offices = dict.fromkeys(part.giver_code for part in parts)
    return [part.opened_by for part in parts] + [person for code in offices for person in _at(code)]


def _judges(issue: Issue, _event: IssueEvent, _payload: Payload) -> list[UUID]:
    """Whoever decides on the appeal: the office that has it, or the leaders of one that refused it itself."""
    code = issue.unit_code or ""
    return _at(code, LEADERS if chances.led(issue, chances.refusal(issue)) else None)


def with_followers(issue: Issue, event: IssueEvent, audiences: Sequence[str]) -> list[str]:
    """Whoever follows an issue is told what its reporter is told, and what is for them besides; nobody is asked for in vain.

    What the reporter only adds is not for them to read, so they do not hear of it.
    """
    told = [name for name in audiences if name != FOLLOWERS]
    added = event.actor_role == flow.REPORTER and event.from_state == event.to_state
    for_them = {FOLLOWERS} if added else {"reporter", FOLLOWERS}
    return [*told, FOLLOWERS] if issue.followers and for_them & set(audiences) else told


def _followers(issue: Issue, _event: IssueEvent, _payload: Payload) -> list[UUID]:
    here = sa.select(Follower.person_id).where(Follower.issue_id == issue.id, Follower.left_at.is_(None))
    return list(session.scalars(here))


def _people(_issue: Issue, _event: IssueEvent, payload: Payload) -> list[UUID]:
    """Everybody whom the payload names."""
    return [UUID(each) for each in payload.get("people", ())]


SPECIAL: dict[str, Callable[[Issue, IssueEvent, Payload], list[UUID]]] = {
    "decider": _deciders,
    "above": _above,
    "checkers": _checkers,
    "givers": _givers,
    "judges": _judges,
    FOLLOWERS: _followers,
    "alarmed": _alarmed,
    "supervisor": _named("supervisor"),
    "instructor": _named("instructor"),
    "mediator": _people,
}
"""By the name in the workflow's `tells`. Each takes a statement of its own; all of them are rare."""
