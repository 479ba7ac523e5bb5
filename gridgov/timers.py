"""Deadlines as rows: written, stopped and cancelled in the transition's own transaction, fired by a sweep.

A timer acts only if its generation is still its subject's, so a late or repeated firing does nothing. The sweep needs
PostgreSQL alone. It locks the subject first and the timer second, as the actions do, and never waits for either.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from gridgov import db
from gridgov.db import TZ, Field, Model, session
from gridgov.limits import Limit

log = logging.getLogger("gridgov.timers")
MAX_ATTEMPTS = 8
OPEN = sa.text("state = 'open'")


class Timer(Model, table=True):
    """One deadline of one subject. `due_at` is the fact; `run_at` is the next look, the only one a retry moves."""

    __tablename__ = "timers"
    __table_args__ = (
        sa.Index("ix_timers_due", "run_at", postgresql_where=OPEN),
        sa.Index("uq_timers_open", "subject_id", "kind", unique=True, postgresql_where=OPEN),
        sa.CheckConstraint("state IN ('open', 'fired', 'void', 'dead')", name="state_known"),
        sa.CheckConstraint("budget_s >= 0 AND attempts >= 0", name="not_negative"),
    )
    id: int = Field(default=None, primary_key=True, sa_type=sa.BigInteger)
    subject_kind: str = Field(max_length=20)
    subject_id: UUID
    kind: str = Field(max_length=20)
    generation: int
    started_at: datetime = Field(sa_type=TZ)
    budget_s: int
    clock: str = Field(max_length=12)
    due_at: datetime = Field(sa_type=TZ)
    run_at: datetime = Field(sa_type=TZ)
    provisional: bool = False
    state: str = Field(default="open", max_length=5)
    attempts: int = 0
    error: str | None = None
    ended_at: datetime | None = Field(default=None, sa_type=TZ)


# Statements of every move, built once; they go past the unit of work, which knows nothing of timers.
START = sa.insert(Timer).inline()
CANCEL = (
    sa.update(Timer)
    .where(Timer.subject_id == sa.bindparam("subject"), Timer.state == "open")
    .values(state="void", ended_at=sa.bindparam("at", type_=TZ))
)


@dataclass(frozen=True)
class Subject:
    """What the sweep must know of a kind of subject.

    lock(id) locks the row without waiting and returns its generation, or None if it is locked or gone;
    fire(id, timer) does what the workflow prescribes.
    """

    lock: Callable[[UUID], int | None]
    fire: Callable[[UUID, Timer], None]


_subjects: dict[str, Subject] = {}


def register(kind: str, subject: Subject) -> None:
    """Make a kind of subject known to the sweep."""
    _subjects[kind] = subject


def start(
    subject_kind: str, subject_id: UUID, kind: str, *, generation: int, at: datetime, due_at: datetime, limit: Limit,
    provisional: bool = False,
) -> None:  # fmt: skip
    """Write one open timer. There is at most one open of a kind for a subject; cancel first."""
    session.connection().execute(
        START,
        {
            "subject_kind": subject_kind, "subject_id": subject_id, "kind": kind, "generation": generation,
            "started_at": at, "budget_s": limit.amount_s, "clock": str(limit.clock), "due_at": due_at, "run_at": due_at,
            "provisional": provisional, "state": "open", "attempts": 0,
        },
    )  # fmt: skip


def cancel(subject_id: UUID, *, at: datetime) -> None:
    """Void every open timer of a subject, whose row the caller holds locked."""
    session.connection().execute(CANCEL, {"subject": subject_id, "at": at})


def sweep(batch: int = 100) -> int:
    """Fire what is due, each timer in a transaction of its own. Returns how many fired or were found void.

    A timer that fails is retried with backoff and is dead after MAX_ATTEMPTS; it never blocks another.
    """
    with db.transaction():
        due = session.execute(
            sa.select(Timer.id, Timer.subject_kind, Timer.subject_id)
            .where(Timer.state == "open", Timer.run_at <= sa.func.app_now())
            .order_by(Timer.run_at)
            .limit(batch)
        ).all()
    done = 0
    for timer_id, kind, subject_id in due:
        try:
            with db.transaction():
                done += fire(timer_id, kind, subject_id)
        except Exception as error:
            log.exception("timer failed", extra={"timer_id": timer_id})
            with db.transaction():
                _put_off(timer_id, error)
    return done


def fire(timer_id: int, kind: str, subject_id: UUID) -> int:
    """Fire one timer if it is due, open and its subject not locked. Returns 1 if it fired or was void, else 0."""
    subject = _subjects[kind]
    generation = subject.lock(subject_id)
    if generation is None:
        return 0
    timer = session.scalar(
        sa.select(Timer)
        .where(Timer.id == timer_id, Timer.state == "open", Timer.run_at <= sa.func.app_now())
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    if timer is None:
        return 0
    timer.state, timer.ended_at = "fired", db.utcnow()
    if timer.generation != generation:
        timer.state = "void"
    session.flush()
    if timer.state == "fired":
        subject.fire(subject_id, timer)
    return 1


def _put_off(timer_id: int, error: Exception) -> None:
    timer = session.get(Timer, timer_id, with_for_update=True, populate_existing=True)
    if timer is None or timer.state != "open":
        return
    timer.attempts += 1
    timer.error = f"{type(error).__name__}: {error}"[:500]
    timer.run_at = db.utcnow() + timedelta(seconds=2**timer.attempts)
    if timer.attempts >= MAX_ATTEMPTS:
        timer.state, timer.ended_at = "dead", db.utcnow()
    session.flush()
