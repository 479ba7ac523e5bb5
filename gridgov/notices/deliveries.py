"""From a notice to deliveries: for each address that is to hear of it one row, in the transaction that writes the notice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gridgov.db import session, utcnow, uuid7
from gridgov.errors import Conflict, NotFound
from gridgov.i18n import _
from gridgov.issues import flow
from gridgov.issues.models import Issue, IssueEvent
from gridgov.notices import timing
from gridgov.notices.models import Address, Delivery, Notice, Preference, State, Urgency
from gridgov.notices.texts import WARNED
from gridgov.people import queries as people
from gridgov.people.models import Person, Role

Unit = tuple[str | None, UUID | None]
MORE_ATTEMPTS = 6
ADD = insert(Delivery).inline().on_conflict_do_nothing()
RANK = {urgency: rank for rank, urgency in enumerate(Urgency)}


@dataclass(frozen=True)
class News:
    """An outbox row with what it tells of. `units`: those concerned, each with the audience as which it is told."""

    outbox_id: UUID
    payload: dict[str, Any]
    issue: Issue
    event: IssueEvent
    units: Mapping[Unit, str]


def spread(news: Sequence[News]) -> None:
    """Write what is to be brought where: to the people who have a notice of these outbox rows, and to units' groups.

    Running twice adds nothing.
    """
    now = utcnow()
    rows = [
        {"id": uuid7(), "kind": "event", "outbox_id": one.outbox_id, "issue_id": one.issue.id, "seq": one.event.seq, "created_at": now,
         "attempts": 0, "most": MORE_ATTEMPTS, **row}
        for one, row in [*_to_people(news), *_to_groups(news)]
    ]  # fmt: skip
    if rows:
        session.connection().execute(ADD, rows)


def retry(delivery_id: UUID, *, actor: Person | None) -> Delivery:
    """Try once more what could not be brought, or is held back. Raises NotFound, or Conflict when its address is bad."""
    delivery = visible(delivery_id, actor=actor)
    session.refresh(delivery, with_for_update=True)
    address = session.get_one(Address, delivery.address_id)
    if delivery.state not in (State.DEAD, State.FAILED, State.HELD) or address.removed_at is not None:
        raise Conflict(_("This can no longer be sent."), code="not_open")
    if address.bad_since is not None:
        raise Conflict(_("Its address is marked as not working. Enable the address first."), code="address_bad")
    delivery.state, delivery.due_at, delivery.ended_at = State.WAITING, utcnow(), None
    delivery.most, delivery.message_id = delivery.attempts + MORE_ATTEMPTS, None
    session.flush()
    return delivery


def visible(delivery_id: UUID, *, actor: Person | None) -> Delivery:
    """A delivery, for administrators. For everybody else there are none: NotFound."""
    if actor is not None and Role.ADMINISTRATOR not in people.roles(actor):
        raise NotFound(_("There is nothing here, or it is not yours to see."))
    delivery = session.get(Delivery, delivery_id)
    if delivery is None:
        raise NotFound(_("There is nothing here, or it is not yours to see."))
    return delivery


def queue(address: Address, kind: str) -> Delivery:
    """Have a test, or the code that proves an address, brought to it at once."""
    delivery = Delivery(
        address_id=address.id, kind=kind, urgency=Urgency.HIGH, state=State.WAITING, due_at=utcnow(), created_at=utcnow(),
        most=MORE_ATTEMPTS if kind == "code" else 1,
    )  # fmt: skip
    session.add(delivery)
    session.flush()
    return delivery


def urgency_of(issue: Issue, event: IssueEvent, audience: str) -> Urgency:
    """How soon an audience is told: at once of grade A, else as the workflow says of the step; a warning is normal."""
    if issue.grade == "A":
        return Urgency.HIGH
    step = flow.current().transitions.get(event.name)
    return Urgency.NORMAL if step is None or audience.startswith(WARNED) else Urgency(step.urgency)


def _to_people(news: Sequence[News]) -> list[tuple[News, dict[str, object]]]:
    by_id = {one.outbox_id: one for one in news}
    found = session.execute(
        sa.select(Notice, Address, Preference)
        .join(Address, Address.person_id == Notice.person_id)
        .join(Person, Person.id == Notice.person_id)
        .outerjoin(Preference, Preference.person_id == Notice.person_id)
        .where(
            Notice.outbox_id.in_(list(by_id)), Address.removed_at.is_(None), Address.verified_at.is_not(None),
            Person.disabled_at.is_(None),
        )
    )  # fmt: skip
    rows = []
    for notice, address, preference in found:
        one = by_id[notice.outbox_id]
        wanted, urgency = preference or timing.DEFAULT, urgency_of(one.issue, one.event, notice.audience)
        if address.channel in getattr(wanted, urgency):
            rows.append((one, _row(address, urgency, wanted, audience=notice.audience) | {"notice_id": notice.id}))
    return rows


def _to_groups(news: Sequence[News]) -> list[tuple[News, dict[str, object]]]:
    units = {unit for one in news for unit in one.units}
    if not units:
        return []
    codes = [code for code, _department in units if code]
    departments = [department for _code, department in units if department]
    groups = session.scalars(
        sa.select(Address).where(
            sa.or_(Address.unit_code.in_(codes), Address.department_id.in_(departments)),
            Address.removed_at.is_(None),
        )
    ).all()
    rows: list[tuple[News, dict[str, object]]] = []
    for one in news if groups else ():
        for group in groups:
            audience = one.units.get((group.unit_code, group.department_id))
            if audience is None:
                continue
            urgency = urgency_of(one.issue, one.event, audience)
            if RANK[Urgency(group.least)] <= RANK[urgency]:
                rows.append((one, _row(group, urgency, timing.FOR_GROUPS, audience=audience) | {"notice_id": None}))
    return rows


def _row(address: Address, urgency: Urgency, wanted: Preference, *, audience: str) -> dict[str, object]:
    """State and time of a new delivery. For an address that does not work it is held without a time."""
    row: dict[str, object] = {"address_id": address.id, "urgency": urgency, "audience": audience}
    if address.bad_since is not None:
        return row | {"state": State.HELD, "due_at": None}
    until = timing.held_until(utcnow(), urgency, wanted)
    return row | {"state": State.HELD if until else State.WAITING, "due_at": until or utcnow()}
