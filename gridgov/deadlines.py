"""Deadlines as rows: set, paused, resumed, extended and cancelled in the transaction of what changed.

What becomes of them when they are due stands in gridgov/timers.py, the name under which others know all of this. A timer
acts only if its generation is still its subject's, so a late or repeated firing does nothing. Nothing here knows of
issues; packages register their subjects.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gridgov import batches, calendars
from gridgov.db import TZ, Field, Model, session
from gridgov.limits import Limit

MAX_ATTEMPTS = 8
# Written out: a partial index is of no use to a statement prepared with a parameter.
OPEN: sa.ColumnElement[str] = sa.literal_column("'open'")
LIVE = sa.text("timers.state IN ('open', 'paused')")


class Timer(Model, table=True):
    """One deadline of one subject: `budget_s` seconds on `clock` from `started_at`. `due_at` follows from these.

    `run_at` is the next look, the only time that a retry moves. While more than `warn_s` seconds are left there is a
    warning to come (None: there is none), given at `warned_at`. A paused one has `left_s` seconds; below zero is overspent.
    Once it was paused, `runs` holds start and end of each time it ran before and `total_s` all it was ever given, so that
    a change to the calendar finds the rest anew: `settle`.
    """

    __tablename__ = "timers"
    __table_args__ = (
        sa.Index("ix_timers_due", "run_at", postgresql_where=sa.text("state = 'open'")),
        sa.Index("uq_timers_live", "subject_id", "kind", unique=True, postgresql_where=sa.text("state IN ('open', 'paused')")),
        sa.Index("ix_timers_dead", "id", postgresql_where=sa.text("state = 'dead'")),
        sa.CheckConstraint("state IN ('open', 'paused', 'fired', 'void', 'dead')", name="state_is_one"),
        sa.CheckConstraint("attempts >= 0", name="attempts_not_negative"),
        sa.CheckConstraint("state <> 'paused' OR left_s IS NOT NULL", name="paused_has_rest"),
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
    warn_s: int | None = None
    warned_at: datetime | None = Field(default=None, sa_type=TZ)
    left_s: int | None = None
    total_s: int | None = None
    runs: list[datetime] | None = Field(default=None, sa_type=sa.ARRAY(TZ))
    state: str = Field(default="open", max_length=6)
    attempts: int = 0
    error: str | None = None
    ended_at: datetime | None = Field(default=None, sa_type=TZ)

    @property
    def limit(self) -> Limit:
        """The budget on its clock."""
        return Limit(self.budget_s, self.clock)  # type: ignore[arg-type]

    @property
    def total(self) -> Limit:
        """All it was ever given, on its clock."""
        return Limit(self.budget_s if self.total_s is None else self.total_s, self.clock)  # type: ignore[arg-type]


# Statements of every move, built once; they go past the unit of work, which knows nothing of timers.
START = sa.insert(Timer).inline()
CANCEL = (
    sa.update(Timer)
    .where(
        Timer.subject_id == sa.bindparam("subject"),
        LIVE,
        Timer.kind == sa.func.coalesce(sa.bindparam("one_kind", type_=sa.Text), Timer.kind),
    )
    .values(state=sa.literal_column("'void'"), ended_at=sa.bindparam("at", type_=TZ))
)


@dataclass(frozen=True)
class Due:
    """A timer whose moment has come, as the sweep hands it to its subject's package."""

    id: int
    subject_id: UUID
    kind: str
    generation: int
    due_at: datetime
    attempts: int


@dataclass(frozen=True)
class Subject:
    """What the sweep must know of a kind of subject, whose table has `id` and `generation`.

    fire(subject, timer) does what the workflow prescribes, warn(subject, timer) tells that time runs short;
    prepare(subjects) reads beforehand, for a whole batch, what these will ask; calendar(id) reckons its working time.
    """

    model: type[Any]
    fire: Callable[[Any, Due], Any]
    warn: Callable[[Any, Due], Any] | None = None
    prepare: Callable[[Sequence[Any]], None] | None = None
    calendar: Callable[[UUID], calendars.Calendar] = lambda _id: calendars.default()


_subjects: dict[str, Subject] = {}


def register(kind: str, subject: Subject) -> None:
    """Make a kind of subject known to the sweep."""
    _subjects[kind] = subject


def subjects() -> dict[str, Subject]:
    """Every kind of subject that is known."""
    return _subjects


def start(
    subject_kind: str, subject_id: UUID, kind: str, *, generation: int, at: datetime, due_at: datetime, limit: Limit,
    provisional: bool = False, warn_at: datetime | None = None, warn_s: int | None = None,
) -> None:  # fmt: skip
    """Write one open timer. There is at most one live of a kind for a subject; cancel first.

    To be warned before it is due give both: `warn_at`, the moment, and `warn_s`, what is left of the limit then.
    """
    batches.before(CANCEL)  # However a batch begins: what is voided in it must not be what it started.
    batches.write(
        START,
        {
            "subject_kind": subject_kind, "subject_id": subject_id, "kind": kind, "generation": generation,
            "started_at": at, "budget_s": limit.amount_s, "clock": str(limit.clock), "due_at": due_at,
            "run_at": due_at if warn_at is None else warn_at, "provisional": provisional, "warn_s": warn_s,
            "state": "open", "attempts": 0,
        },
    )  # fmt: skip


def cancel(subject_id: UUID, *, at: datetime, kind: str | None = None) -> None:
    """Void every live timer of a subject, whose row the caller holds locked; or only that of one kind."""
    # One statement for both, for the same reason: a batch sends all of one statement together.
    batches.write(CANCEL, {"subject": subject_id, "at": at, "one_kind": kind})


def pause(subject_id: UUID, *, at: datetime, kind: str | None = None) -> list[Timer]:
    """Stop the open timers of a subject, or that of one kind, whose row the caller holds locked; each keeps what it has left.

    The rest is exact, in seconds of the timer's own clock; a deadline that has passed unnoticed stays overspent.
    """
    paused = [timer for timer in _locked(subject_id, "open") if kind in (None, timer.kind)]
    for timer in paused:
        timer.left_s = timer.budget_s - _calendar(timer).spent(timer.started_at, at, timer.limit.clock)
        timer.total_s = timer.budget_s if timer.total_s is None else timer.total_s
        timer.runs = [*(timer.runs or ()), timer.started_at, at]
        timer.state = "paused"
    session.flush()
    return paused


def resume(subject_id: UUID, *, at: datetime, generation: int) -> list[Timer]:
    """Let the paused timers of a subject go on from `at` with what each had left, under this generation."""
    resumed = _locked(subject_id, "paused")
    for timer in resumed:
        if timer.left_s is None:
            raise AssertionError("a paused timer has a rest: the database says so")
        timer.started_at, timer.budget_s, timer.left_s = at, timer.left_s, None
        timer.state, timer.generation, timer.attempts, timer.error = "open", generation, 0, None
        reckon(timer)
    session.flush()
    return resumed


def extend(subject_id: UUID, kind: str, extra: Limit, *, at: datetime) -> Timer:
    """Give the live timer of this kind more time on the same clock, as of `at`; it warns again if that lies ahead.

    Raises LookupError when there is no such timer, ValueError for another clock than its own.
    """
    found = [timer for timer in _locked(subject_id, "open", "paused") if timer.kind == kind]
    if not found:
        raise LookupError(f"{subject_id} has no live timer {kind!r}")
    timer = found[0]
    if extra.clock != timer.limit.clock:
        raise ValueError(f"the timer runs on {timer.clock}; an extension on {extra.clock} cannot be added to it")
    if timer.total_s is not None:
        timer.total_s += extra.amount_s
    if timer.left_s is not None:
        timer.left_s += extra.amount_s
        warns_ahead = timer.warn_s is not None and timer.left_s > timer.warn_s
    else:
        timer.budget_s += extra.amount_s
        warns_ahead = timer.warn_s is not None and _warning(timer, _calendar(timer)) > at
    if warns_ahead:
        timer.warned_at = None
    timer.attempts, timer.error = 0, None
    if timer.state == "open":
        reckon(timer)
    session.flush()
    return timer


def settle(timer: Any, calendar: calendars.Calendar) -> None:
    """Work out anew what a live timer has left: what it was given, less what it ran by the calendar as it is now."""
    if timer.total_s is None:
        return
    ran = zip(timer.runs[::2], timer.runs[1::2], strict=True)
    left_s = timer.total_s - sum(calendar.spent(start, end, timer.limit.clock) for start, end in ran)
    if timer.left_s is None:
        timer.budget_s = left_s
    else:
        timer.left_s = left_s


def reckon(timer: Any, calendar: calendars.Calendar | None = None) -> None:
    """Work out an open timer's times anew from its facts: after a change to them, or to the calendar."""
    calendar = calendar or _calendar(timer)
    due = calendar.due(timer.started_at, timer.limit)
    timer.due_at, timer.provisional = due.due_at, due.provisional
    waits_to_warn = timer.warn_s is not None and timer.warned_at is None
    timer.run_at = _warning(timer, calendar) if waits_to_warn else timer.due_at


def _warning(timer: Any, calendar: calendars.Calendar) -> datetime:
    """The moment at which no more than `warn_s` is left, but not before the timer was started."""
    ends = calendar.due(timer.started_at, timer.limit - (timer.warn_s or 0)).due_at
    return max(ends, min(timer.started_at, timer.due_at))


def _calendar(timer: Timer) -> calendars.Calendar:
    return _subjects[timer.subject_kind].calendar(timer.subject_id)


def _locked(subject_id: UUID, *states: str) -> list[Timer]:
    wanted: list[sa.ColumnElement[str]] = [sa.literal_column(f"'{state}'") for state in states]
    query = sa.select(Timer).where(Timer.subject_id == subject_id, Timer.state.in_(wanted)).order_by(Timer.id)
    return list(session.scalars(query.with_for_update().execution_options(populate_existing=True)))
