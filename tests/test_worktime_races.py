"""Changes of the calendar beside other work: locked rows, processes that have not heard of it, two imports at once."""

import threading
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from gridgov import db, timers
from gridgov.issues.models import Issue
from gridgov.people.models import Person
from gridgov.timers import Timer
from gridgov.worktime import actions, inforce, recompute
from gridgov.worktime.models import CalendarChange
from tests import seed
from tests.office import at
from tests.test_worktime import NEW_YEAR, local, read
from tests.together import together


def person(key: str) -> Person:
    return db.session.scalars(sa.select(Person).where(Person.phone == seed.PHONES[key])).one()


def reported() -> UUID:
    with db.transaction():
        db.set_clock(at(NEW_YEAR))
        issue, _new = seed.issues.report(actor=person("resident"), category="0203", text="三轮车", grid_code=seed.TOWNSHIP)
    return issue.id


def due(issue_id: UUID) -> str:
    with db.transaction():
        moment = db.session.scalars(sa.select(Issue.due_at).where(Issue.id == issue_id)).one()
        assert moment == db.session.scalars(sa.select(Timer.due_at).where(Timer.subject_id == issue_id, Timer.state == "open")).one()
    return local(moment)


def take() -> None:
    with db.transaction():
        actions.import_notice(read(), actor=None)


def unfinished() -> int:
    with db.transaction():
        return len(db.session.scalars(sa.select(CalendarChange.id).where(CalendarChange.finished_at.is_(None))).all())


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inforce, "CHECK_S", 0.0)
    monkeypatch.setattr(recompute, "MARGIN_S", 0.0)


def test_what_somebody_has_locked_is_passed_over_and_comes_later(live, quick):
    busy, free = reported(), reported()
    take()
    with live.extensions["engine"].connect() as other:
        other.begin()
        other.execute(sa.text("SELECT FROM issues WHERE id = :id FOR UPDATE"), {"id": busy})
        assert recompute.step() == 0  # It waited for nobody.
        assert (due(free), due(busy)) == ("2027-01-04 10:00", "2027-01-01 10:00")
        recompute.step()
        assert unfinished() == 1  # The lock's transaction began before the change was known to all.
        other.rollback()
    recompute.finish(patience_s=20)
    assert (due(busy), unfinished()) == ("2027-01-04 10:00", 0)


def test_a_process_that_has_not_heard_of_the_change_is_caught_up_with(live, monkeypatch):
    """Its deadline is written after the first pass has gone by; the last pass begins only when that cannot be any more."""
    monkeypatch.setattr(inforce, "CHECK_S", 1.0)
    monkeypatch.setattr(recompute, "MARGIN_S", 0.0)
    reported()
    take()
    recompute.step()
    stale = inforce._Known(0, {}, set(), {}, checked_s=inforce.clock.monotonic())
    inforce._known[db.session.get_bind()] = stale
    late = reported()
    assert due(late) == "2027-01-01 10:00"
    assert recompute.step() == 0 and unfinished() == 1
    recompute.finish(patience_s=30)
    assert (due(late), unfinished()) == ("2027-01-04 10:00", 0)


def test_another_process_hears_of_a_change_within_seconds_and_not_before_it_commits(live, monkeypatch):
    monkeypatch.setattr(inforce, "CHECK_S", 0.0)
    seen: list[bool] = []

    def look() -> None:
        with live.app_context(), db.transaction():
            seen.append(inforce.published(2027))
        db.session.remove()

    def elsewhere() -> None:
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()

    with db.transaction():
        actions.import_notice(read(), actor=None)
        assert inforce.published(2027)
        elsewhere()
    elsewhere()
    assert seen == [False, True]


def test_an_import_that_fails_is_forgotten(live, monkeypatch):
    monkeypatch.setattr(inforce, "CHECK_S", 60.0)
    with pytest.raises(RuntimeError), db.transaction():
        actions.import_notice(read(), actor=None)
        assert inforce.published(2027)
        raise RuntimeError("after the import")
    with db.transaction():
        assert not inforce.published(2027)


def test_two_imports_of_the_same_at_once_are_one(live, quick):
    reported()
    results: list[Any] = together(take, take)
    assert results == [None, None]
    with db.transaction():
        assert db.session.scalar(sa.select(sa.func.count()).select_from(CalendarChange)) == 1


def test_two_schedulers_at_once_move_each_deadline_once(live, quick, monkeypatch):
    ids = [reported() for _ in range(12)]
    monkeypatch.setattr(recompute, "BATCH", 2)
    take()
    together(lambda: recompute.finish(patience_s=60), lambda: recompute.finish(patience_s=60))
    assert {due(id) for id in ids} == {"2027-01-04 10:00"}
    with db.transaction():
        change = db.session.scalars(sa.select(CalendarChange)).one()
        moves = db.session.scalar(sa.text("SELECT count(*) FROM deadline_moves"))
    assert (change.moved, moves) == (12, 12)


def test_the_look_at_the_version_is_rare(live, monkeypatch):
    from tests.counting import count_queries

    with db.transaction():
        inforce.calendar(seed.TOWNSHIP)
    with db.transaction(), count_queries() as seen:
        for _ in range(50):
            inforce.calendar(seed.TOWNSHIP)
    assert len(seen) <= 1
    assert timers.subjects()["issue"].calendar is not None
