"""What must leave after a commit: rows written with the change, handed to RQ by a relay, done once.

Delivery is at least once and each consumer runs in the transaction that marks its row done, so an effect in this
database happens exactly once. Redis holds nothing that is not here: a lost queue is refilled when leases run out.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import redis
import sqlalchemy as sa

from gridgov import batches, db, jobs
from gridgov.db import JSONB, TZ, Field, Model, session, utcnow, uuid7
from gridgov.failures import describe

log = logging.getLogger("gridgov.outbox")
LEASE = timedelta(seconds=60)
MAX_ATTEMPTS = 8
QUEUE_LIMIT = 50  # Jobs. What is handed over must be done well within its lease, or it is handed over again for nothing.
JOB_ROWS = 20  # A worker that is killed loses what it did in this job; many rows at once would never get done.
_consumers: dict[str, Callable[[UUID, dict[str, Any]], None]] = {}


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


def consumer(
    topic: str,
) -> Callable[[Callable[[UUID, dict[str, Any]], None]], Callable[[UUID, dict[str, Any]], None]]:
    """The decorated function takes (outbox id, payload) for `topic`, inside the transaction that marks it done."""

    def add(function: Callable[[UUID, dict[str, Any]], None]) -> Callable[[UUID, dict[str, Any]], None]:
        _consumers[topic] = function
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
    """Deliver each row in a savepoint, so that one that fails leaves the others done."""
    for each in ids:
        deliver(UUID(each))


def deliver(outbox_id: UUID) -> bool:
    """Run the consumer of one row and mark it done; a failure is kept with its error and retried with backoff.

    Returns False when somebody else has it or had it already.
    """
    row = session.scalar(
        sa.select(Outgoing)
        .where(Outgoing.id == outbox_id, Outgoing.done_at.is_(None), Outgoing.dead_at.is_(None))
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    if row is None:
        return False
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
