"""Reckoning timers anew from their facts, and what is noted of it. recompute.py says when, and which.

What has fired stays fired and is only noted. A timer that somebody else has locked, or whose subject, is left to him.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa

from gridgov import calendars, timers
from gridgov.calendars import YEARS, Calendar
from gridgov.db import TZ, session, utcnow
from gridgov.deadlines import reckon, settle
from gridgov.limits import Clock, Limit
from gridgov.timers import Timer
from gridgov.worktime import inforce
from gridgov.worktime.models import CalendarChange, ChangeKind

log = logging.getLogger("gridgov.worktime")
WINDOW = 50_000
LONGEST = timedelta(days=400)  # No timer that is worth noting ran for longer.
WORKING = sa.text("timers.clock IN ('work_hour', 'work_day')")
LIVE = sa.text("timers.state IN ('open', 'paused')")
FACTS = ("id", "subject_id", "kind", "generation", "started_at", "budget_s", "clock", "due_at", "run_at", "provisional",
         "warn_s", "warned_at", "left_s", "total_s", "runs", "state")  # fmt: skip
PUT = sa.text(
    """
    UPDATE timers SET due_at = m.due_at, run_at = m.run_at, provisional = m.provisional, budget_s = m.budget_s, left_s = m.left_s
    FROM unnest(:id, :due_at, :run_at, :provisional, :budget_s, :left_s)
        AS m (id, due_at, run_at, provisional, budget_s, left_s)
    WHERE timers.id = m.id
    """
).bindparams(
    sa.bindparam("id", type_=sa.ARRAY(sa.BigInteger)), sa.bindparam("due_at", type_=sa.ARRAY(TZ)),
    sa.bindparam("run_at", type_=sa.ARRAY(TZ)), sa.bindparam("provisional", type_=sa.ARRAY(sa.Boolean)),
    sa.bindparam("budget_s", type_=sa.ARRAY(sa.Integer)), sa.bindparam("left_s", type_=sa.ARRAY(sa.Integer)),
)  # fmt: skip

NOTE = sa.text(
    """
    INSERT INTO deadline_moves (change_id, subject_kind, fired, at, timer_id, subject_id, kind, was, now, was_left_s, now_left_s)
    SELECT :change, :subject_kind, :fired, :at, m.*
    FROM unnest(:timer_id, :subject_id, :kind, :was, :now, :was_left_s, :now_left_s) AS m
    """
).bindparams(
    sa.bindparam("timer_id", type_=sa.ARRAY(sa.BigInteger)), sa.bindparam("subject_id", type_=sa.ARRAY(sa.Uuid)),
    sa.bindparam("kind", type_=sa.ARRAY(sa.Text)), sa.bindparam("subject_kind", type_=sa.Text), sa.bindparam("at", type_=TZ),
    *(sa.bindparam(name, type_=sa.ARRAY(TZ)) for name in ("was", "now")),
    *(sa.bindparam(name, type_=sa.ARRAY(sa.Integer)) for name in ("was_left_s", "now_left_s")),
)  # fmt: skip


@dataclass(slots=True)
class Facts:
    """A timer as reckoning needs it: a row without the unit of work. `place` is the grid whose hours count."""

    id: int
    subject_id: UUID
    kind: str
    generation: int
    started_at: datetime
    budget_s: int
    clock: str
    due_at: datetime
    run_at: datetime
    provisional: bool
    warn_s: int | None
    warned_at: datetime | None
    left_s: int | None
    total_s: int | None
    runs: list[datetime] | None
    state: str
    place: str | None

    @property
    def limit(self) -> Limit:
        """The budget on its clock."""
        return Limit(self.budget_s, cast(Clock, self.clock))

    @property
    def total(self) -> Limit:
        """All the time it was ever given."""
        return Limit(self.budget_s if self.total_s is None else self.total_s, cast(Clock, self.clock))


@dataclass(frozen=True)
class Moved:
    """A timer whose deadline, or whose being provisional, changed; `was` is the deadline before."""

    timer: Facts
    was: datetime
    calendar: Calendar


@dataclass(frozen=True)
class Follower:
    """How a kind of subject goes with its deadlines. `place`: SQL for the grid whose hours count, over the subject's table."""

    place: Any
    moved: Callable[[Sequence[Moved]], None]


_followers: dict[str, Follower] = {}


def register(subject_kind: str, follower: Follower) -> None:
    """Have deadlines of this kind of subject follow the calendar. The kind is known to `timers` as well."""
    _followers[subject_kind] = follower


def kinds() -> list[str]:
    """The kinds of subjects whose deadlines follow the calendar."""
    return sorted(_followers)


def reckon_rows(rows: Sequence[Any], change: CalendarChange) -> int:
    """Reckon these timers anew (rows with `id` and `subject_kind`). Returns how many somebody else had locked."""
    skipped = 0
    for kind in kinds():
        ids = [row.id for row in rows if row.subject_kind == kind]
        skipped += len(ids) - _reckon(kind, ids, change)
    return skipped


def touching(first: date, last: date) -> Any:
    """The condition that a timer's span holds one of these days: from its first start to where it is due or was paused."""
    tz = calendars.default().tz
    low = datetime.combine(max(first, date(YEARS[0], 1, 2)), datetime.min.time(), tz)
    high = datetime.combine(min(last, date(YEARS[-1], 12, 30)) + timedelta(days=1), datetime.min.time(), tz)
    begins = sa.func.least(sa.func.coalesce(Timer.runs[1], Timer.started_at), Timer.due_at)
    ends = sa.func.greatest(Timer.started_at, Timer.due_at, Timer.runs[sa.func.cardinality(Timer.runs)])
    return sa.and_(begins < high, ends >= low)


def note_fired(change: CalendarChange) -> None:
    """Note those that fired at a moment which by the calendar of now is another. Nothing of it is undone.

    Looks back from the newest timer in windows of ids, until all of one began too early to have met the changed days.
    """
    if change.kind not in (ChangeKind.NOTICE, ChangeKind.DAYS) or change.first_day > utcnow().date() + timedelta(days=1):
        return
    far = datetime.combine(change.first_day, datetime.min.time(), UTC) - LONGEST
    top = session.scalar(sa.select(sa.func.max(Timer.id))) or 0
    while top > 0:
        window = Timer.id.between(top - WINDOW + 1, top)
        for kind in _followers:
            _note_fired_of(kind, window, change)
        latest = session.scalar(sa.select(sa.func.max(Timer.started_at)).where(window))
        if latest is not None and latest < far:
            return
        top -= WINDOW


def _note_fired_of(kind: str, window: Any, change: CalendarChange) -> None:
    changed = []
    touched = touching(change.first_day, change.last_day)
    for row in session.execute(_facts(kind).where(window, Timer.state == "fired", touched)):
        before, facts = Facts(*row), Facts(*row)
        settle(facts, inforce.calendar(facts.place))
        reckon(facts, inforce.calendar(facts.place))
        changed.append((before, facts))
    _note(kind, changed, change, fired=True)


def _reckon(kind: str, ids: Sequence[int], change: CalendarChange) -> int:
    """Reckon these timers anew as far as nobody else has them or their subjects locked. Returns how many that were."""
    if not ids:
        return 0
    model = timers.subjects()[kind].model
    # In the order in which the actions lock; and what is taken is left, so nobody waits for this and this for nobody.
    query = _facts(kind).where(Timer.id == sa.any_(sa.bindparam("ids", type_=sa.ARRAY(sa.BigInteger))), LIVE)
    locking = query.with_for_update(of=[model, Timer], skip_locked=True)
    moved, changed = [], []
    found = session.execute(locking, {"ids": list(ids)}).all()
    for row in found:
        before, facts = Facts(*row), Facts(*row)
        calendar = inforce.calendar(facts.place)
        try:
            settle(facts, calendar)
            if facts.state == "open":
                reckon(facts, calendar)
        except ValueError:
            log.exception("a deadline cannot be reckoned", extra={"timer_id": facts.id})
            continue
        if facts.due_at == before.due_at and before.run_at > facts.due_at:
            facts.run_at = before.run_at  # It has failed, and was put off.
        moved.append(Moved(facts, before.due_at, calendar))
        if facts != before:
            changed.append((before, facts))
    _write(kind, changed, change)
    _followers[kind].moved(moved)
    return len(found)


def _facts(kind: str) -> Any:
    model = timers.subjects()[kind].model
    query = sa.select(*(getattr(Timer, name) for name in FACTS), _followers[kind].place.label("place"))
    return query.join(model, model.id == Timer.subject_id).where(Timer.subject_kind == kind, WORKING)


def _write(kind: str, changed: list[tuple[Facts, Facts]], change: CalendarChange) -> None:
    """The timers as they are now, and a line for each deadline that moved."""
    for before, now in changed:
        change.moved += (before.due_at, before.left_s) != (now.due_at, now.left_s)
        change.confirmed += before.provisional and not now.provisional
    if changed:
        names = ("id", "due_at", "run_at", "provisional", "budget_s", "left_s")
        session.connection().execute(PUT, {name: [getattr(now, name) for _was, now in changed] for name in names})
        _note(kind, changed, change, fired=False)


def _note(kind: str, changed: list[tuple[Facts, Facts]], change: CalendarChange, *, fired: bool) -> None:
    moved = [(was, now) for was, now in changed if (was.due_at, was.left_s) != (now.due_at, now.left_s)]
    if not moved:
        return
    values = {
        "timer_id": [now.id for _was, now in moved],
        "subject_id": [now.subject_id for _was, now in moved],
        "kind": [now.kind for _was, now in moved],
        "was": [was.due_at if now.left_s is None else None for was, now in moved],
        "now": [now.due_at if now.left_s is None else None for _was, now in moved],
        "was_left_s": [was.left_s for was, _now in moved],
        "now_left_s": [now.left_s for _was, now in moved],
    }
    more = {"change": change.id, "subject_kind": kind, "fired": fired, "at": utcnow()}
    session.connection().execute(NOTE, values | more)
