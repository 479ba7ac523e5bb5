"""What must leave after a commit: rows written with the change, handed to RQ by a relay, done once.

Delivery is at least once and each consumer runs in the transaction that marks its row done, so an effect in this
database happens exactly once. Redis holds nothing that is not here: a lost queue is refilled when leases run out.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import redis
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from gridgov import batches, db, jobs
from gridgov.db import JSONB, TZ, Field, Model, session, utcnow, uuid7
from gridgov.failures import describe

log = logging.getLogger("gridgov.outbox")
LEASE = timedelta(seconds=60)
MAX_ATTEMPTS = 8
QUEUE_LIMIT = 50  # Jobs. What is handed over must be done well within its lease, or it is handed over again for nothing.
JOB_ROWS = 20  # A worker that is killed loses what it did in this job; many rows at once would never get done.
One = Callable[[UUID, dict[str, Any]], None]
Many = Callable[[Sequence[tuple[UUID, dict[str, Any]]]], None]
_consumers: dict[str, One] = {}
_together: dict[One, Many] = {}


class Outgoing(Model, table=True):
    """One thing to be told. Open until `done_at` or `dead_at`; `run_at` is the next look, and the lease."""

    __tablename__ = "outbox"
    __table_args__ = (
        sa.Index("ix_outbox_open", "run_at", postgresql_where=sa.text("done_at IS NULL AND dead_at IS NULL")),
        sa.Index("ix_outbox_dead", "id", postgresql_where=sa.text("dead_at IS NOT NULL")),
        sa.CheckConstraint("attempts >= 0", name="attempts_not_negative"),
    )
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    topic: str = Field(max_length=60)
    payload: dict[str, Any] = Field(sa_type=JSONB)
    created_at: datetime = Field(sa_type=TZ)
    run_at: datetime = Field(sa_type=TZ)
    attempts: int = 0
    done_at: datetime | None = Field(default=None, sa_type=TZ)
    dead_at: datetime | None = Field(default=None, sa_type=TZ)
    error: str | None = None


REAL_NOW = sa.text("SELECT now()")
PUT = sa.text(
    "INSERT INTO outbox (id, topic, payload, attempts, created_at, run_at)"
    " VALUES (:id, :topic, :payload, 0, app_now(), now())"
).bindparams(sa.bindparam("id", type_=sa.Uuid), sa.bindparam("payload", type_=JSONB))


def consumer(topic: str, together: Many | None = None) -> Callable[[One], One]:
    """The decorated function takes (outbox id, payload) for `topic`, inside the transaction that marks it done.

    `together` does the same for many pairs with fewer statements: all of them, or it raises and none counts.
    """

    def add(function: One) -> One:
        _consumers[topic] = function
        if together is not None:
            _together[function] = together
        return function

    return add


def put(topic: str, payload: dict[str, Any]) -> None:
    """Write one row with the change it tells of. Raises KeyError for a topic that nobody consumes."""
    _consumers[topic]
    batches.write(PUT, {"id": uuid7(), "topic": topic, "payload": payload})


def relay(batch: int = 100) -> int:
    """Lease due rows and hand them to RQ, JOB_ROWS in a job. Returns how many were handed over.

    Raises redis.RedisError when Redis is away: the rows stay due. The queue is kept short, else leases would run
    out by mere waiting. Transport times use the real clock, since they are no business time.
    """
    room = min(batch, (QUEUE_LIMIT - jobs.queue("notices").count) * JOB_ROWS)
    if room <= 0:
        return 0
    with db.transaction():
        due = (
            sa.select(Outgoing.id)
            .where(Outgoing.done_at.is_(None), Outgoing.dead_at.is_(None), Outgoing.run_at <= sa.func.now())
            .order_by(Outgoing.run_at)
            .limit(room)
            .with_for_update(skip_locked=True)
        )
        ids = list(session.scalars(due))
        if not ids:
            return 0
        session.execute(
            sa.update(Outgoing).where(Outgoing.id.in_(ids)).values(run_at=sa.func.now() + LEASE),
        )
    # After the commit: a worker that is quick would find the rows still locked, pass them by, and they would wait for the lease.
    try:
        for start in range(0, len(ids), JOB_ROWS):
            deliver_batch.enqueue([str(i) for i in ids[start : start + JOB_ROWS]])
    except redis.RedisError:
        with db.transaction():
            session.execute(sa.update(Outgoing).where(Outgoing.id.in_(ids)).values(run_at=sa.func.now()))
        raise
    return len(ids)


@jobs.job("notices", timeout_s=50)
def deliver_batch(ids: list[str]) -> None:
    """Deliver rows together; when that fails each in a savepoint, so that one that fails leaves the others done."""
    rows = _claim([UUID(each) for each in ids])
    fresh = [row for row in rows if not row.attempts]  # What has failed before stands alone, so that it undoes no others.
    for topic in dict.fromkeys(row.topic for row in fresh):
        _deliver_together(topic, [row for row in fresh if row.topic == topic])
    for row in rows:
        if row.done_at is None:
            deliver(row.id)


def deliver(outbox_id: UUID) -> bool:
    """Run the consumer of one row and mark it done; a failure is kept with its error and retried with backoff.

    Returns False when somebody else has it or had it already.
    """
    rows = _claim([outbox_id])
    if not rows:
        return False
    (row,) = rows
    try:
        with session.begin_nested():
            _consumers[row.topic](row.id, row.payload)
    except Exception as error:
        log.exception("outbox row failed", extra={"outbox_id": str(outbox_id), "topic": row.topic})
        row.attempts += 1
        row.error = describe(error)
        row.run_at = session.execute(REAL_NOW).scalar_one() + timedelta(seconds=2**row.attempts)
        if row.attempts >= MAX_ATTEMPTS:
            row.dead_at = utcnow()
        session.flush()
        return False
    row.done_at = utcnow()
    row.error = None
    session.flush()
    return True


def _claim(ids: Sequence[UUID]) -> Sequence[Outgoing]:
    """Lock those of these rows that are still to be done and that nobody else has."""
    return session.scalars(
        sa.select(Outgoing)
        .where(Outgoing.id.in_(ids), Outgoing.done_at.is_(None), Outgoing.dead_at.is_(None))
        .order_by(Outgoing.id)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()


def _deliver_together(topic: str, rows: list[Outgoing]) -> None:
    """Deliver rows of one topic in one savepoint and mark them done. When that fails they are as they were."""
    together = _together.get(_consumers[topic])
    if together is None or len(rows) < 2:
        return
    waiting = db.count_waiting()
    try:
        with session.begin_nested():
            together([(row.id, row.payload) for row in rows])
    except Exception as error:
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise
        log.info("%s rows of the outbox are delivered one by one: %s", len(rows), describe(error))
        db.drop_waiting(waiting)
        return
    for row in rows:
        row.done_at = utcnow()
    session.flush()
