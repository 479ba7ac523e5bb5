"""Timers: the deadlines of gridgov/deadlines.py, and what becomes of them when their moment comes.

Any number of sweeps may run; they need PostgreSQL alone.
A sweep locks what is due with its subjects in one statement, the subject first as the actions do, and waits for nobody: what
somebody else has is left for the next round. It fires a batch in one transaction. A batch that fails is undone and halved
until the row that fails stands alone; that one is put off, ever longer, and is dead after MAX_ATTEMPTS.
"""

import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from gridgov import batches, db
from gridgov.db import TZ, session
from gridgov.deadlines import (
    MAX_ATTEMPTS,
    OPEN,
    Due,
    Subject,
    Timer,
    cancel,
    extend,
    pause,
    reckon,
    register,
    resume,
    start,
    subjects,
)  # fmt: skip
from gridgov.failures import describe

__all__ = ["MAX_ATTEMPTS", "Due", "Subject", "Timer", "cancel", "claiming", "extend", "fire", "pause", "reckon", "register", "resume",
           "start", "subjects", "sweep"]  # fmt: skip
log = logging.getLogger("gridgov.timers")
BATCH = 100
Pair = tuple[Any, Due]
IDS = sa.bindparam("ids", type_=sa.ARRAY(sa.BigInteger))
AT = sa.bindparam("at", type_=TZ)
THESE = Timer.id == sa.any_(IDS)
END = {
    state: sa.update(Timer).where(THESE).values(state=sa.literal_column(f"'{state}'"), ended_at=AT)
    for state in ("fired", "void")
}
WARNED = sa.update(Timer).where(THESE).values(warned_at=AT, run_at=Timer.due_at)
PUT_OFF = sa.text(
    """
    UPDATE timers SET attempts = attempts + 1, error = :error,
        run_at = app_now() + make_interval(secs => 2 ^ (attempts + 1)),
        state = CASE WHEN attempts + 1 >= :most THEN 'dead' ELSE state END,
        ended_at = CASE WHEN attempts + 1 >= :most THEN app_now() END
    WHERE id = :id AND state = 'open'
    """
)


def sweep(batch: int = BATCH) -> int:
    """Fire what is due, one batch of each kind of subject. Returns how many fired, warned or were found void.

    A timer that fails is put off with its error and never keeps another from firing. Raises DBAPIError when the
    database is lost: then nothing of the batch has happened, or all of it, and the next sweep sees which.
    """
    done = 0
    for kind in subjects():
        with db.transaction():
            pairs = _claim(kind, batch)
            # What has failed before stands alone from the start, so that it does not undo the others again.
            done += _fire_batch(kind, [pair for pair in pairs if not pair[1].attempts])
            for pair in pairs:
                if pair[1].attempts:
                    done += _fire_batch(kind, _read(kind, [pair[1].id]))
    return done


def fire(timer_id: int, kind: str, _subject_id: UUID | None = None) -> int:
    """Fire one timer in the present transaction, if it is due and neither it nor its subject is locked by others.

    Returns 1 if it fired, warned or was void, else 0. Its failure is the caller's.
    """
    pairs = _pairs(_locking(_query(kind).where(Timer.id == timer_id), kind))
    if pairs:
        _fire(kind, pairs)
    return len(pairs)


def _claim(kind: str, most: int) -> list[Pair]:
    """Lock what is due and free, the oldest first; no subject twice, for its second deadline is to see what the first did."""
    first: dict[UUID, Pair] = {}
    for pair in _pairs(claiming(kind, most)):
        first.setdefault(pair[1].subject_id, pair)
    return list(first.values())


def claiming(kind: str, most: int) -> Any:
    """The statement that finds and locks what is due."""
    query = _query(kind).order_by(Timer.run_at).limit(sa.literal_column(str(int(most))))
    return _locking(query, kind)


def _query(kind: str) -> Any:
    due = (Timer.state == OPEN, Timer.run_at <= sa.func.app_now(), Timer.subject_kind == sa.literal_column(f"'{kind}'"))
    return _columns(kind).where(*due)


def _columns(kind: str) -> Any:
    model = subjects()[kind].model
    columns = (Timer.id, Timer.subject_id, Timer.kind, Timer.generation, Timer.due_at, Timer.attempts)
    query = sa.select(model, *columns).join(model, model.id == Timer.subject_id)
    return query.execution_options(populate_existing=True)


def _locking(query: Any, kind: str) -> Any:
    """PostgreSQL locks in the order of this list: the subject, then its timer. What is taken is passed over."""
    return query.with_for_update(of=[subjects()[kind].model, Timer], skip_locked=True)


def _pairs(query: Any) -> list[Pair]:
    return [(subject, Due(*due)) for subject, *due in session.execute(query)]


def _read(kind: str, ids: Sequence[int]) -> list[Pair]:
    """The pairs of timers that this transaction has locked, as they stand in the database."""
    return _pairs(_columns(kind).where(Timer.id.in_(ids)).order_by(Timer.run_at))


def _fire_batch(kind: str, pairs: list[Pair]) -> int:
    """Fire these in one savepoint; if that fails halve them, and put off the one that fails alone."""
    if not pairs:
        return 0
    ids, waiting = [due.id for _subject, due in pairs], db.count_waiting()
    try:
        with session.begin_nested():
            _fire(kind, pairs)
        return len(pairs)
    except Exception as error:
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise
        db.drop_waiting(waiting)
        session.expunge_all()  # Nothing of what was made in memory is true any more.
        if len(ids) == 1:
            log.exception("timer failed", extra={"timer_id": ids[0]})
            put_off = {"id": ids[0], "error": describe(error), "most": MAX_ATTEMPTS}
            session.connection().execute(PUT_OFF, put_off)
            return 0
    half = len(ids) // 2
    return sum(_fire_batch(kind, _read(kind, part)) for part in (ids[:half], ids[half:]))


def _fire(kind: str, pairs: list[Pair]) -> None:
    subject_kind, now = subjects()[kind], db.utcnow()
    stale = [due.id for subject, due in pairs if _stale(subject, due)]
    passed = [pair for pair in pairs if pair[1].due_at <= now and pair[1].id not in stale]
    early = [pair for pair in pairs if pair[1].due_at > now and pair[1].id not in stale]
    # Before anything starts a new timer: there is one live of a kind at most.
    for statement, ids in (
        (END["void"], stale), (END["fired"], [due.id for _s, due in passed]), (WARNED, [due.id for _s, due in early])
    ):  # fmt: skip
        if ids:
            session.connection().execute(statement, {"ids": ids, "at": now})
    with batches.batch():
        if passed and subject_kind.prepare is not None:
            subject_kind.prepare([subject for subject, _due in passed])
        for subject, due in passed:
            subject_kind.fire(subject, due)
        if subject_kind.warn is not None:
            for subject, due in early:
                subject_kind.warn(subject, due)


def _stale(subject: Any, due: Due) -> bool:
    """Whether the subject has moved on since the timer was set: then it is void."""
    return subject.generation != due.generation
