"""The loop that watches deadlines and hands out deliveries: it stops when told, and Redis cannot hold it up."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from gridgov import db, jobs, outbox, schedule, timers
from gridgov.issues.models import IssueEvent
from gridgov.notices.models import Notice
from tests import seed
from tests.together import wait_until, work_off

MONDAY = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)
CITY = seed.City()


@contextmanager
def running() -> Iterator[threading.Thread]:
    """The loop in a thread of its own; stopped, and seen to stop, at the end."""
    stop = threading.Event()
    loop = threading.Thread(target=schedule.run_forever, args=(stop,), daemon=True)
    loop.start()
    try:
        yield loop
    finally:
        stop.set()
        loop.join(20)
    assert not loop.is_alive()


def count(query: Any) -> int:
    with db.transaction():
        return db.session.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0


def overdue(n: int = 1) -> None:
    """n reports whose deadline has passed."""
    with db.transaction():
        db.set_clock(MONDAY)
        for _ in range(n):
            CITY.report()
    with db.transaction():
        db.set_clock(MONDAY + timedelta(hours=4))


ESCALATED = sa.select(IssueEvent.seq).where(IssueEvent.name == "overdue_up")


def test_the_loop_stops_soon_after_it_is_told(live):
    with running() as loop:
        time.sleep(0.2)
        assert loop.is_alive()
        told = time.monotonic()
    assert time.monotonic() - told < 5


def test_the_loop_escalates_and_delivers_by_itself(live):
    overdue()
    with running():
        wait_until(lambda: count(ESCALATED) == 1)
        wait_until(lambda: work_off() or count(sa.select(Notice.id)) > 0)
    assert count(sa.select(outbox.Outgoing.id).where(outbox.Outgoing.done_at.is_(None))) == 0


def test_without_redis_deadlines_are_kept_all_the_same(live, monkeypatch):
    overdue(3)
    asked = []
    relay = outbox.relay

    def counted() -> int:
        asked.append(time.monotonic())
        return relay()

    monkeypatch.setattr(outbox, "relay", counted)
    jobs.connect("redis://127.0.0.1:1/0")
    with running():
        wait_until(lambda: count(ESCALATED) == 3)
        time.sleep(1.5)
    assert 1 <= len(asked) <= 4  # Its own backoff: asked at 0, 1 and 3 seconds, not twice a second.
    assert count(sa.select(outbox.Outgoing.id).where(outbox.Outgoing.done_at.is_(None))) == 6


def test_one_timer_that_fails_holds_up_no_other_and_is_dead_after_eight_tries(live, monkeypatch):
    overdue(3)
    with db.transaction():
        poisoned = db.session.scalars(sa.select(timers.Timer).order_by(timers.Timer.id)).first().subject_id
    known = timers.subjects()["issue"]

    def fire(subject: Any, timer: Any) -> None:
        if subject.id == poisoned:
            raise RuntimeError("poison")
        known.fire(subject, timer)

    monkeypatch.setitem(timers.subjects(), "issue", replace(known, fire=fire))
    assert timers.sweep() == 2
    for n in range(1, timers.MAX_ATTEMPTS):
        with db.transaction():
            timer = db.session.scalars(sa.select(timers.Timer).where(timers.Timer.error.is_not(None))).one()
            assert (timer.attempts, timer.state, timer.error) == (n, "open", "RuntimeError: poison")
            assert timer.run_at - db.utcnow() == timedelta(seconds=2**n)
            db.set_clock(timer.run_at)
        assert timers.sweep() == 0
    with db.transaction():
        timer = db.session.scalars(sa.select(timers.Timer).where(timers.Timer.error.is_not(None))).one()
        assert (timer.state, timer.attempts) == ("dead", timers.MAX_ATTEMPTS)
    assert count(ESCALATED) == 2


# The rhythm of one task ------------------------------------------------------------------------------------------------


class Script:
    """Work that returns or raises what is written down, in order."""

    def __init__(self, *results: Any) -> None:
        self.results = list(results)
        self.__name__ = "script"

    def __call__(self) -> Any:
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result


def test_while_there_is_more_it_goes_on_at_once_else_it_rests(app):
    task = schedule._Task(Script(100, 3, 0), idle_s=0.5)
    task.step(0.0)
    assert task.next_at == 0.0
    task.step(0.0)
    task.step(0.0)
    assert task.next_at == 0.5
    task.step(0.4)  # Too early: nothing is left in the script, and nothing is asked of it.
    assert task.next_at == 0.5


def test_a_server_that_is_away_is_asked_ever_more_seldom_up_to_a_bound(app):
    away = [redis.ConnectionError("away"), OperationalError("select", {}, Exception("away"))] * 4
    task = schedule._Task(Script(*away, 0, redis.ConnectionError("away")), idle_s=0.5)
    waits, now = [], 0.0
    for _ in away:
        task.step(now)
        waits.append(task.next_at - now)
        now = task.next_at
    assert waits == [1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0, 15.0]
    task.step(now)
    assert task.next_at - now == 0.5
    now = task.next_at
    task.step(now)
    assert task.next_at - now == 1.0  # Being back once makes it forget how long it was away.


def test_a_mistake_of_ours_is_not_swallowed_by_the_loop(app):
    with pytest.raises(KeyError):
        schedule._Task(Script(KeyError("mistake")), idle_s=0.5).step(0.0)


def test_daily_work_runs_once_a_day_even_when_it_says_it_did_much(app):
    task = schedule._Task(Script(500), idle_s=schedule.DAY_S)
    task.step(0.0)
    assert task.next_at == schedule.DAY_S
    task.step(10.0)
    assert task.next_at == schedule.DAY_S
