"""Deadlines follow the calendar: after a change every live working timer that it touches is reckoned anew from its facts.

In batches, each a transaction of its own with the place it has come to, so that being killed anywhere loses nothing: the
scheduler goes on. What somebody else has locked is passed over and seen in the next pass. A last pass begins when no process
can reckon by the older calendar any more. What has fired stays fired and is only noted.
"""

import time
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from gridgov import db
from gridgov.db import TZ, session, utcnow
from gridgov.timers import Timer
from gridgov.worktime import inforce, reckoning
from gridgov.worktime.models import CalendarChange
from gridgov.worktime.reckoning import LIVE, WORKING

BATCH = 2_000  # Half a second of locks, for those who want to act on these meanwhile.
FEW = 1_000  # As many as a request reckons itself, before it answers.
MARGIN_S = 1.0
WAIT_S = 0.1
SETTLED = sa.text(
    """
    SELECT clock_timestamp() > :known_at AND NOT EXISTS (
        SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start <= :known_at)
    """
).bindparams(sa.bindparam("known_at", type_=TZ))


def step() -> int:
    """One batch of the oldest change that deadlines have still to follow. Returns 1 when there is more to do at once."""
    with db.transaction():
        change = _take()
        return 0 if change is None else int(_advance(change, BATCH))


def finish(*, patience_s: float = 60.0) -> None:
    """Reckon until every change is followed, for the command line. Raises TimeoutError when somebody holds things up."""
    end = time.monotonic() + patience_s
    while True:
        more = step()
        with db.transaction():
            if session.scalars(_open()).first() is None:
                return
        if not more:
            if time.monotonic() > end:
                raise TimeoutError("a transaction that began before the change of the calendar goes on")
            time.sleep(WAIT_S)


def at_once(change: CalendarChange) -> None:
    """In the transaction of the change itself: reckon now if there are few. The scheduler looks again in any case."""
    if affected(change.first_day, change.last_day, most=FEW) < FEW:
        reckoning.reckon_rows(session.execute(_page(change).limit(FEW)).all(), change)


def affected(first: date, last: date, *, most: int | None = None) -> int:
    """How many live working deadlines a change of these days may move; counts to `most` at most."""
    query = sa.select(Timer.id).where(LIVE, WORKING, reckoning.touching(first, last))
    if most is not None:
        query = query.limit(most)
    return session.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0


def _open() -> Any:
    query = sa.select(CalendarChange).where(CalendarChange.finished_at.is_(None))
    return query.order_by(CalendarChange.id).limit(1)


def _take() -> CalendarChange | None:
    """The oldest open change, locked; None when there is none, or another scheduler is at it."""
    return session.scalars(_open().with_for_update(skip_locked=True).execution_options(populate_existing=True)).first()


def _advance(change: CalendarChange, most: int) -> bool:
    """The next batch of the change's pass; at the pass's end the next pass, or the end of all. True: go on at once."""
    if change.began_at is None:
        change.began_at = session.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
        inforce.use_own()
        reckoning.note_fired(change)
    elif change.pass_n > 1 and not _settled(change.began_at):
        return False
    inforce.use_own()  # Not what this process believed some seconds ago.
    rows = session.execute(_page(change).limit(most)).all()
    change.skipped += reckoning.reckon_rows(rows, change)
    if len(rows) == most:
        change.cursor_subject, change.cursor_kind = rows[-1].subject_id, rows[-1].kind
        return True
    if change.pass_n > 1 and not change.skipped:
        change.finished_at = utcnow()
        return True
    change.pass_n, change.skipped, change.cursor_subject, change.cursor_kind = change.pass_n + 1, 0, None, None
    return False


def _settled(began_at: datetime) -> bool:
    """Whether every process knows of the change, and every transaction that may not have known of it has ended.

    Real time, as PostgreSQL has it: a virtual clock is no measure of what other processes know.
    """
    known_at = began_at + timedelta(seconds=inforce.CHECK_S + MARGIN_S)
    return bool(session.execute(SETTLED, {"known_at": known_at}).scalar_one())


def _page(change: CalendarChange) -> Any:
    """The live working timers that the change touches, after the cursor, in the order of the index of live ones."""
    columns = (Timer.id, Timer.subject_kind, Timer.subject_id, Timer.kind)
    query = sa.select(*columns).where(LIVE, WORKING, reckoning.touching(change.first_day, change.last_day))
    query = query.where(Timer.subject_kind.in_(reckoning.kinds()))
    if change.cursor_subject is not None:
        query = query.where(sa.tuple_(Timer.subject_id, Timer.kind) > (change.cursor_subject, change.cursor_kind))
    return query.order_by(Timer.subject_id, Timer.kind)
