"""Telling people: what an event announces goes to the outbox with it, and becomes notices when delivered."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gridgov import outbox, policy
from gridgov.db import session, utcnow, uuid7
from gridgov.issues import accused, flow
from gridgov.issues.models import Issue, IssueEvent
from gridgov.notices import audiences as audiences_of, deliveries
from gridgov.notices.audiences import SPECIAL, parts_of
from gridgov.notices.deliveries import News, Unit
from gridgov.notices.models import Notice
from gridgov.people import lines as people_lines, queries as people
from gridgov.people.models import Person

TOPIC = "issue.told"
LOOKED = "looked"  # The reporter, of a look at their identity: not of what happened.
WARNED = "warn:"  # Before an audience: it is told that time runs short, not what happened.
READ_ALL_OF_ISSUE = (  # Built once: every page of an issue runs it.
    sa.update(Notice)
    .where(
        Notice.person_id == sa.bindparam("person"), Notice.issue_id == sa.bindparam("issue"), Notice.read_at.is_(None)
    )
    .values(read_at=sa.bindparam("now"))
)  # fmt: skip
ADD = insert(Notice).inline().on_conflict_do_nothing()


def announce(
    *,
    issue: Issue,
    event: IssueEvent,
    audiences: Sequence[str],
    left: tuple[str | None, UUID | None] | None = None,
) -> None:
    """Write to the outbox whom an event is to be told to, in the transaction of the event. `left`: the unit it left."""
    audiences = audiences_of.with_followers(issue, event, audiences)
    if not audiences:
        return
    payload: dict[str, Any] = {"issue": str(issue.id), "seq": event.seq, "audiences": list(audiences)}
    if left and "left" in audiences:
        payload["left"] = [left[0], left[1] and str(left[1])]
    for name, person_id in (("supervisor", issue.supervisor_id), ("instructor", issue.instructor_id)):
        if name in audiences:  # Who it is now: by the time it is delivered that may be over.
            payload[name] = event.data.get(name) or (person_id and str(person_id))
    if "parts" in audiences and event.data.get("parts"):
        payload["parts"] = [[part.unit_code, part.department_id and str(part.department_id)] for part in parts_of(issue, event)]
    outbox.put(TOPIC, payload)


def warn(*, issue: Issue, due_at: datetime, audiences: Sequence[str]) -> None:
    """Write to the outbox who is to be warned that the issue is soon due, with the latest that happened to it."""
    told = [f"{WARNED}{name}" for name in audiences]
    outbox.put(TOPIC, {"issue": str(issue.id), "seq": issue.last_seq, "audiences": told, "due_at": due_at.isoformat()})


def tell_of_look(*, issue: Issue) -> None:
    """Write to the outbox that somebody looked at the sealed identity of the reporter, who is told so."""
    # Told with the report itself: what happened last may be nothing for the reporter.
    outbox.put(TOPIC, {"issue": str(issue.id), "seq": 1, "audiences": [LOOKED]})


def remind(*, issue: Issue, audience: str, people: Sequence[UUID]) -> None:
    """Write to the outbox that these people are to be reminded of something about the issue, with the latest that happened to it."""
    named = [str(person) for person in people]
    outbox.put(TOPIC, {"issue": str(issue.id), "seq": issue.last_seq, "audiences": [f"{WARNED}{audience}"], "people": named})


def write(outbox_id: UUID, payload: dict[str, Any]) -> None:
    """Make a notice for everybody an event is told to, but for the one who did it. Running twice adds nothing."""
    write_all([(outbox_id, payload)])


def write_all(waiting: Sequence[tuple[UUID, dict[str, Any]]]) -> None:
    """The same for many outbox rows, with as many statements as for one. Raises LookupError for an unknown issue or event."""
    news = _read(waiting)
    holders, chiefs, rows, now = _holders(news), _chiefs(news), [], utcnow()
    for one in news:
        told: dict[UUID, str] = {}
        for audience in one.payload["audiences"]:
            for person_id in _audience(audience, one, holders, chiefs):
                if person_id != one.event.actor_id or audience == LOOKED or audience.startswith(WARNED):
                    told.setdefault(person_id, audience)
        rows += [
            {"id": uuid7(), "outbox_id": one.outbox_id, "person_id": p, "issue_id": one.issue.id, "seq": one.event.seq, "audience": a,
             "created_at": now}
            for p, a in _unless_accused(one.issue, told).items()
        ]  # fmt: skip
    if rows:
        session.connection().execute(ADD, rows)
    deliveries.spread(news)


def _unless_accused(issue: Issue, told: dict[UUID, str]) -> dict[UUID, str]:
    """Without those whom the issue is about: it is out of their sight. Asks nothing of all other issues."""
    if not told or (issue.accused_code is None and issue.accused_department_id is None):
        return told
    reaches = people.reaches(told)
    kept = {person for person, reach in reaches.items() if person == issue.reporter_id or not accused.barred(issue, reach)}
    return {person: audience for person, audience in told.items() if person in kept}


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


def _read(waiting: Sequence[tuple[UUID, dict[str, Any]]]) -> list[News]:
    """The issues and events that outbox rows tell of, read together."""
    keys = [(UUID(payload["issue"]), payload["seq"]) for _id, payload in waiting]
    issues = {issue.id: issue for issue in session.scalars(sa.select(Issue).where(Issue.id.in_({issue for issue, _seq in keys})))}
    found = session.scalars(sa.select(IssueEvent).where(sa.tuple_(IssueEvent.issue_id, IssueEvent.seq).in_(set(keys))))
    events = {(event.issue_id, event.seq): event for event in found}
    return [
        News(outbox_id, payload, issues[key[0]], events[key], _units(events[key], payload))
        for (outbox_id, payload), key in zip(waiting, keys, strict=True)
    ]


def _holders(news: Sequence[News]) -> Mapping[Unit, list[UUID]]:
    """Who acts for each unit that is told."""
    units = {unit for one in news for unit in one.units}
    codes, departments = [code for code, _d in units if code], [department for _c, department in units if department]
    found: dict[Unit, list[UUID]] = {unit: [] for unit in units}
    if units:
        for code, department, role, person_id in people.holders_among(codes, departments):
            if role in flow.handler_roles(code) and person_id not in found[code, department]:
                found[code, department].append(person_id)
    return found


def _chiefs(news: Sequence[News]) -> Mapping[tuple[str, str], list[UUID]]:
    """Who leads the lines of the issues that are told to such chiefs; asks nothing when there is none among them."""
    places = {
        (one.issue.grid_code, one.issue.line)
        for one in news
        if "line" in one.payload["audiences"] and one.issue.line in policy.LED_LINES
    }
    return people_lines.led(places) if places else {}


def _audience(
    name: str, one: News, holders: Mapping[Unit, list[UUID]], chiefs: Mapping[tuple[str, str], list[UUID]]
) -> list[UUID]:
    name = name.removeprefix(WARNED)
    if name == "line":
        return chiefs.get((one.issue.grid_code, one.issue.line), [])
    if name in ("reporter", LOOKED):  # Nobody can be told of a report without a name.
        return [one.issue.reporter_id] if one.issue.reporter_id else []
    if name == "handler":
        return [one.issue.handler_id] if one.issue.handler_id else []
    if name == "unit":
        return holders[one.event.unit_code, one.event.department_id]
    if name == "left" and (left := one.payload.get("left")):
        return holders[left[0], UUID(left[1]) if left[1] else None]
    if name == "parts":
        return [person for unit in _parts(one.payload) for person in holders[unit]]
    return SPECIAL[name](one.issue, one.event, one.payload) if name in SPECIAL else []


def _units(event: IssueEvent, payload: dict[str, Any]) -> dict[Unit, str]:
    """The units whose people and groups are told, each with the audience as which it is."""
    units: dict[Unit, str] = {}
    for audience in payload["audiences"]:
        if audience.removeprefix(WARNED) == "unit":
            units.setdefault((event.unit_code, event.department_id), audience)
        elif audience == "left" and (left := payload.get("left")):
            units.setdefault((left[0], UUID(left[1]) if left[1] else None), audience)
        elif audience == "parts":
            units |= {unit: audience for unit in _parts(payload) if unit not in units}
    return units


def _parts(payload: dict[str, Any]) -> list[Unit]:
    """The units whose parts of an issue the event is about."""
    return [(code, UUID(department) if department else None) for code, department in payload.get("parts", ())]
