"""Telling people: what an event announces goes to the outbox with it, and becomes notices when delivered."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gridgov import outbox
from gridgov.db import session, utcnow, uuid7
from gridgov.grids import queries as grids
from gridgov.issues import flow
from gridgov.issues.models import Issue, IssueEvent
from gridgov.notices import deliveries
from gridgov.notices.models import Notice
from gridgov.people import queries as people
from gridgov.people.models import Department, Person, Role

TOPIC = "issue.told"
WARNED = "warn:"  # Before an audience: it is told that time runs short, not what happened.
READ_ALL_OF_ISSUE = (  # Built once: every page of an issue runs it.
    sa.update(Notice)
    .where(
        Notice.person_id == sa.bindparam("person"), Notice.issue_id == sa.bindparam("issue"), Notice.read_at.is_(None)
    )
    .values(read_at=sa.bindparam("now"))
)  # fmt: skip


def announce(
    *,
    issue: Issue,
    event: IssueEvent,
    audiences: Sequence[str],
    left: tuple[str | None, UUID | None] | None = None,
) -> None:
    """Write to the outbox whom an event is to be told to, in the transaction of the event. `left`: the unit it left."""
    if not audiences:
        return
    payload: dict[str, Any] = {"issue": str(issue.id), "seq": event.seq, "audiences": list(audiences)}
    if left and "left" in audiences:
        payload["left"] = [left[0], left[1] and str(left[1])]
    outbox.put(TOPIC, payload)


def warn(*, issue: Issue, due_at: datetime, audiences: Sequence[str]) -> None:
    """Write to the outbox who is to be warned that the issue is soon due, with the latest that happened to it."""
    told = [f"{WARNED}{name}" for name in audiences]
    outbox.put(TOPIC, {"issue": str(issue.id), "seq": issue.last_seq, "audiences": told, "due_at": due_at.isoformat()})


def write(outbox_id: UUID, payload: dict[str, Any]) -> None:
    """Make a notice for everybody an event is told to, but for the one who did it. Running twice adds nothing."""
    issue = session.get_one(Issue, UUID(payload["issue"]))
    event = session.get_one(IssueEvent, (issue.id, payload["seq"]))
    told: dict[UUID, str] = {}
    for audience in payload["audiences"]:
        for person_id in _audience(audience, issue, event, payload.get("left")):
            if person_id != event.actor_id or audience.startswith(WARNED):
                told.setdefault(person_id, audience)
    if told:
        rows = [
            {"id": uuid7(), "outbox_id": outbox_id, "person_id": p, "issue_id": issue.id, "seq": event.seq, "audience": a,
             "created_at": utcnow()}
            for p, a in told.items()
        ]  # fmt: skip
        session.execute(insert(Notice).values(rows).on_conflict_do_nothing())
    deliveries.spread(outbox_id, issue, event, _units(event, payload))


def mark_read(person: Person, ids: Iterable[UUID] | None = None) -> int:
    """Mark this person's notices as read: the given ones, or all. Returns how many were unread."""
    query = (
        sa.update(Notice)
        .where(Notice.person_id == person.id, Notice.read_at.is_(None))
        .values(read_at=utcnow())
    )
    if ids is not None:
        query = query.where(Notice.id.in_(list(ids)))
    return len(session.scalars(query.returning(Notice.id)).all())


def mark_issue_read(person: Person, issue_id: UUID) -> None:
    """Whoever opens an issue has read what was told of it."""
    given = {"person": person.id, "issue": issue_id, "now": utcnow()}
    session.connection().execute(READ_ALL_OF_ISSUE, given)


def _audience(name: str, issue: Issue, event: IssueEvent, left: list[str | None] | None) -> list[UUID]:
    name = name.removeprefix(WARNED)
    if name == "reporter":
        return [issue.reporter_id]
    if name == "handler":
        return [issue.handler_id] if issue.handler_id else []
    if name == "unit":
        return _holders(event.unit_code, event.department_id)
    if name == "decider":
        return _deciders(event)
    if name in ("supervisor", "instructor"):
        found = issue.supervisor_id if name == "supervisor" else issue.instructor_id
        return [found] if found else []
    if name == "alarmed":
        return _alarmed(issue)
    if name == "above":
        return _holders(_above(event), None)
    if name == "left" and left:
        return _holders(left[0], UUID(left[1]) if left[1] else None)
    return []


def _units(event: IssueEvent, payload: dict[str, Any]) -> dict[tuple[str | None, UUID | None], str]:
    """The units whose groups are told outside the house, each with the audience as which it is."""
    units: dict[tuple[str | None, UUID | None], str] = {}
    for audience in payload["audiences"]:
        if audience.removeprefix(WARNED) == "unit":
            units.setdefault((event.unit_code, event.department_id), audience)
        elif audience == "left" and (left := payload.get("left")):
            units.setdefault((left[0], UUID(left[1]) if left[1] else None), audience)
    return units


def _alarmed(issue: Issue) -> list[UUID]:
    """Who hears of what is grave at once: chiefs and offices of every level over the place, and the city's leaders."""
    found: list[UUID] = []
    for code in grids.ancestor_codes(issue.grid_code):
        found += _holders(code, None)
    city = grids.ancestor_codes(issue.grid_code)[0]
    leaders = people.holders(grid_code=city, roles=(Role.CITY_CHIEF, Role.CITY_LEADER))
    return [*found, *(person.id for person in leaders)]


def _above(event: IssueEvent) -> str:
    """The grid one level above the unit of an event; of a department, the grid it belongs to. The city has none above."""
    if event.unit_code is None:
        return session.get_one(Department, event.department_id).grid_code
    codes = grids.ancestor_codes(event.unit_code)
    return codes[max(0, len(codes) - 2)]


def _deciders(event: IssueEvent) -> list[UUID]:
    """The office one level up; what the city's own office asks, its leaders decide."""
    code = event.data.get("decider")
    if code is None or code != event.unit_code:
        return _holders(code, None)
    return [p.id for p in people.holders(grid_code=code, roles=(Role.CITY_CHIEF, Role.CITY_LEADER))]


def _holders(unit_code: str | None, department_id: UUID | None) -> list[UUID]:
    found = people.holders(
        grid_code=unit_code, department_id=department_id, roles=flow.handler_roles(unit_code)
    )
    return [person.id for person in found]
