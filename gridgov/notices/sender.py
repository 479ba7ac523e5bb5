"""Sending, in three steps: what goes out is decided and committed, then called out of any transaction, then recorded.

A sender that dies in between leaves rows `sending`; when their lease has run out somebody else finds them, and nobody knows
whether the message arrived. What happens then is each channel's own rule (docs/decisions/0012-channels.md): where the
receiver knows doubles by the key, and for what is high, it is sent again; otherwise it is given up and shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import session, utcnow, uuid7
from gridgov.issues.models import Category, Issue, IssueEvent
from gridgov.notices import sealing, settings, texts, timing
from gridgov.notices.messages import Message, Outcome
from gridgov.notices.models import Address, Channel, Delivery, DeliveryAttempt, Preference, State, Urgency
from gridgov.people.models import Person

LEASE = timedelta(seconds=90)  # Longer than the job may run, so a lease never runs out under a living sender.
MAX_DEAD = 5
MAX_LINES = 20
READ = 200
# Their receivers know a message that comes twice: by its idempotency key, by its Message-ID.
KNOWS_DOUBLES = {Channel.WEBHOOK, Channel.MAIL}
PACE = {Channel.WECOM: timedelta(seconds=3), Channel.DINGTALK: timedelta(seconds=3), Channel.FEISHU: timedelta(seconds=1)}
"""The providers take some twenty messages a minute from a robot; what comes meanwhile goes together with the next."""
UNKNOWN = "the sender was stopped; whether it arrived is not known"


@dataclass(frozen=True)
class Call:
    """One call that is to be made now, for some deliveries to one address."""

    address_id: UUID
    message_id: UUID
    n: int
    channel: Channel
    target: str
    message: Message


def take(address_id: UUID) -> Call | None:
    """Decide what goes to an address now, and mark it as being sent. None: nothing, or somebody else is at it.

    Everything that is due goes in one message; what was tried before goes again as it was, under the same key.
    """
    address = session.scalar(
        sa.select(Address).where(Address.id == address_id).with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    )  # fmt: skip
    if address is None:
        return None
    person = session.get(Person, address.person_id) if address.person_id else None
    now, rows = utcnow(), _due(address_id)
    address.queued_until = None
    _recover(address, [row for row in rows if row.state == State.SENDING], now)
    if address.removed_at is not None or (person is not None and not person.is_active):
        _end(rows, State.VOID, now)
    elif address.bad_since is not None:
        _park(rows)
    else:
        _rest(rows, person, now)
    ready = [row for row in rows if row.due_at is not None and row.due_at <= now]
    if not ready:
        session.flush()
        return None
    if address.target is None and address.channel != Channel.SMS:
        raise AssertionError("an address that is not removed has a target: the database says so")
    try:
        target = sealing.unseal(address.target) if address.target else person.phone if person else ""
    except sealing.Unreadable:
        _mark_bad(address, "sealed under another key: enter it again", now)
        return None
    return _claim(address, person, _bundle(ready), target, now)


def finish(call: Call, outcome: Outcome) -> None:
    """Record how a call ended. One that comes too late, when another was begun meanwhile, changes nothing but the record."""
    address = session.scalars(
        sa.select(Address).where(Address.id == call.address_id).with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()  # fmt: skip
    rows = session.scalars(
        sa.select(Delivery).where(Delivery.message_id == call.message_id, Delivery.address_id == call.address_id)
        .order_by(Delivery.id).with_for_update().execution_options(populate_existing=True)
    ).all()  # fmt: skip
    now = utcnow()
    mine = [row for row in rows if row.attempts == call.n and (outcome.ok or row.state == State.SENDING)]
    mine = [row for row in mine if row.state not in (State.SENT, State.VOID)]
    _write(mine, "sent" if outcome.ok else "failed", now, outcome)
    if outcome.ok:
        _end(mine, State.SENT, now)
        address.failures, address.error = 0, None
    else:
        for row in mine:
            _fail(row, outcome.error, now, final=outcome.final)
        address.error = outcome.error[:200]
        if any(row.state == State.DEAD for row in mine):
            _count(address, now)
    for row in mine:
        row.answer = outcome.answer[:100] or None
    pace = PACE.get(call.channel)
    address.queued_until = now + pace if pace else None
    session.flush()


def enable(address: Address) -> None:
    """Take an address for working again. What was held back for less than a day goes out; what is older is past."""
    now = utcnow()
    address.bad_since, address.error, address.failures = None, None, 0
    waiting = Delivery.address_id == address.id, Delivery.state == State.HELD, Delivery.due_at.is_(None)
    old = Delivery.created_at < now - timedelta(days=1)
    session.execute(sa.update(Delivery).where(*waiting, old).values(state=State.VOID, ended_at=now))
    session.execute(sa.update(Delivery).where(*waiting).values(state=State.WAITING, due_at=now))
    session.flush()


def _due(address_id: UUID) -> list[Delivery]:
    query = sa.select(Delivery).where(Delivery.address_id == address_id, Delivery.due_at <= utcnow())
    query = query.order_by(Delivery.due_at, Delivery.id).limit(READ).with_for_update()
    return list(session.scalars(query.execution_options(populate_existing=True)))


def _recover(address: Address, lost: Sequence[Delivery], now: datetime) -> None:
    """Their sender died, or is long past its time: whether they arrived, nobody knows."""
    _write(lost, "lost", now, Outcome(False, UNKNOWN))
    for row in lost:
        again = address.channel in KNOWS_DOUBLES or row.urgency == Urgency.HIGH
        if again and row.attempts < row.most:
            row.state, row.error = State.FAILED, UNKNOWN
        else:
            row.state, row.error, row.due_at, row.ended_at = State.DEAD, UNKNOWN, None, now


def _rest(rows: Sequence[Delivery], person: Person | None, now: datetime) -> None:
    """Hold back what has come into the quiet hours while it waited."""
    wanted = (session.get(Preference, person.id) if person else None) or timing.DEFAULT
    for row in rows:
        until = timing.rest_until(now, Urgency(row.urgency), wanted)
        if until is not None and row.due_at is not None:
            row.state, row.due_at = State.HELD, until


def _park(rows: Sequence[Delivery]) -> None:
    """Hold back until the address works again."""
    for row in rows:
        if row.due_at is not None:
            row.state, row.due_at = State.HELD, None


def _end(rows: Sequence[Delivery], state: State, now: datetime) -> None:
    for row in rows:
        if row.state != State.DEAD or state == State.SENT:
            row.state, row.due_at, row.ended_at = state, None, now
            row.error = None if state == State.SENT else row.error


def _bundle(ready: Sequence[Delivery]) -> list[Delivery]:
    """What goes in one message: what went together before, or all that is new; a test or a code goes alone."""
    first = ready[0]
    if first.message_id is not None:
        return [row for row in ready if row.message_id == first.message_id]
    if first.kind != "event":
        return [first]
    return [row for row in ready if row.message_id is None and row.kind == "event"][:MAX_LINES]


def _claim(address: Address, person: Person | None, rows: Sequence[Delivery], target: str, now: datetime) -> Call:
    message_id = rows[0].message_id or uuid7()
    n = max(row.attempts for row in rows) + 1
    for row in rows:
        row.state, row.due_at, row.attempts, row.message_id = State.SENDING, now + LEASE, n, message_id
    address.queued_until = now + LEASE
    _write(rows, "begun", now, Outcome(True))
    session.flush()
    subject, text = _words(address, person, rows)
    channel = Channel(address.channel)
    return Call(address.id, message_id, n, channel, target, Message(str(message_id), subject, text))


def _words(address: Address, person: Person | None, rows: Sequence[Delivery]) -> tuple[str, str]:
    language = person.language if person else settings.current().language
    if rows[0].kind == "test":
        return texts.test(language)
    if rows[0].kind == "code":
        return texts.code(language, sealing.unseal(address.code) if address.code else "")
    found = session.execute(
        sa.select(Delivery.audience, Issue.id, Issue.number, Issue.confidential, Category, IssueEvent.name)
        .join(Issue, Issue.id == Delivery.issue_id)
        .join(Category, Category.code == Issue.category_code)
        .join(
            IssueEvent, sa.and_(IssueEvent.issue_id == Delivery.issue_id, IssueEvent.seq == Delivery.seq)
        )
        .where(Delivery.id.in_([row.id for row in rows]))
        .order_by(Delivery.id)
    )
    items = [
        texts.Item(issue_id=i, number=number, confidential=secret, category=category, event=event, audience=audience)
        for audience, i, number, secret, category, event in found
    ]
    return texts.compose(Channel(address.channel), language, items)


def _write(rows: Sequence[Delivery], what: str, now: datetime, outcome: Outcome) -> None:
    session.add_all(
        DeliveryAttempt(
            delivery_id=row.id, n=row.attempts, what=what, message_id=row.message_id or row.id, at=now,
            answer=outcome.answer[:100] or None, error=outcome.error[:200] or None,
        )
        for row in rows
    )  # fmt: skip


def _fail(row: Delivery, error: str, now: datetime, *, final: bool) -> None:
    row.error = error[:200]
    if final or row.attempts >= row.most:
        row.state, row.due_at, row.ended_at = State.DEAD, None, now
    else:
        row.state, row.due_at = State.FAILED, now + timing.backoff(row.attempts)


def _count(address: Address, now: datetime) -> None:
    """One more message in a row that could not be brought."""
    address.failures += 1
    if address.failures >= MAX_DEAD and address.bad_since is None:
        _mark_bad(address, address.error or "", now)


def _mark_bad(address: Address, error: str, now: datetime) -> None:
    address.bad_since, address.error, address.queued_until = now, error[:200], None
    session.flush()
    session.execute(
        sa.update(Delivery)
        .where(Delivery.address_id == address.id, Delivery.state.in_((State.WAITING, State.FAILED, State.HELD)))
        .values(state=State.HELD, due_at=None)
    )
