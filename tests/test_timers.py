"""The sweep on real commits: batches, poison, lost acknowledgements, warnings; and pausing, which loses no second."""

import dataclasses
import shutil
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from bench.timers import explained, fill
from gridgov import batches, db, outbox, timers
from gridgov.config import ROOT
from gridgov.errors import PolicyError
from gridgov.issues import actions, audit, flow
from gridgov.issues.models import Issue, IssueEvent
from gridgov.limits import Limit
from gridgov.notices.models import Notice
from gridgov.people import actions as people
from gridgov.people.models import Post
from gridgov.timers import Timer
from tests import seed
from tests.together import together

MONDAY = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)  # 09:00 in Wugang, a working day.
HOUR = Limit.parse("1h", "work_hour")
CITY = seed.City()


@pytest.fixture
def monday(live: Flask) -> Flask:
    """The live database with its clock stopped on a Monday morning."""
    set_clock(MONDAY)
    return live


def set_clock(at: datetime) -> None:
    with db.transaction():
        db.set_clock(at)


def reported(**given: Any) -> UUID:
    with db.transaction():
        return CITY.report(**given).id


def read(query: Any) -> list[Any]:
    with db.transaction():
        return list(db.session.scalars(query))


def names_of(issue_id: UUID) -> list[str]:
    return read(sa.select(IssueEvent.name).where(IssueEvent.issue_id == issue_id).order_by(IssueEvent.seq))


def run(sql: str, **values: Any) -> Any:
    with db.transaction():
        return db.session.execute(sa.text(sql), values)


def count(what: str) -> int:
    return int(run(f"SELECT count(*) FROM {what}").scalar())


def sweep_all() -> int:
    done = 0
    while fired := timers.sweep():
        done += fired
    return done


# The sweep ------------------------------------------------------------------------------------------------------------


def test_the_sweep_finds_what_is_due_by_the_index(live):
    fill("open", 5_000, due="now() + interval '9 days'", apart="1 second")
    fill("due", 100, due="now() - interval '1 hour'", apart="0")
    run("ANALYZE timers")
    run("ANALYZE issues")
    plan = explained()
    assert "Index Scan using ix_timers_due on timers" in plan
    assert "Seq Scan" not in plan
    assert "rows=100" in plan


def test_ten_poisoned_rows_in_a_thousand_keep_nobody_from_firing_and_are_dead_in_the_end(live):
    fill("due", 1_000, due="now() - interval '1 hour'", apart="0")
    # Their next hop is there already: the database refuses the move, at the end of the batch.
    run(
        "INSERT INTO hops (issue_id, n, unit_code, entered_at, entered_by, left_at) SELECT id, 2, unit_code, reported_at, 'x',"
        " reported_at FROM (SELECT * FROM issues ORDER BY number LIMIT 10) AS few"
    )
    set_clock(datetime.now(UTC))  # It stands: what is put off does not come due again by itself.
    assert sweep_all() == 990
    assert count("issue_events WHERE name = 'overdue_up'") == 990
    assert count("timers WHERE state = 'open' AND attempts = 1") == 10
    for attempt in range(2, timers.MAX_ATTEMPTS + 1):
        run("UPDATE timers SET run_at = app_now() WHERE attempts > 0 AND state = 'open'")
        assert timers.sweep() == 0
        assert count(f"timers WHERE attempts = {attempt}") == 10
    dead = read(sa.select(Timer).where(Timer.state == "dead"))
    assert len(dead) == 10
    assert all("pk_hops" in timer.error and timer.ended_at for timer in dead)
    assert count("issues WHERE hop_n = 1") == 10  # Nothing half done.
    assert count("outbox") == 990


def test_what_failed_waits_longer_each_time(monday, monkeypatch):
    reported()
    fails(monkeypatch)
    at, waits = MONDAY + timedelta(hours=4), []
    for _ in range(4):
        set_clock(at)
        assert timers.sweep() == 0
        run_at = read(sa.select(Timer.run_at).where(Timer.state == "open"))[0]
        waits.append((run_at - at).total_seconds())
        at = run_at
    assert waits == [2, 4, 8, 16]


def fails(monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> None:
    def broken(_issue: Any, _due: Any) -> None:
        raise error or RuntimeError("no way, call 13912345678")

    monkeypatch.setitem(timers.subjects(), "issue", dataclasses.replace(timers.subjects()["issue"], fire=broken))


def test_an_error_is_kept_without_telephone_numbers_or_rows(monday, monkeypatch):
    reported()
    fails(monkeypatch)
    set_clock(MONDAY + timedelta(hours=4))
    timers.sweep()
    assert read(sa.select(Timer.error)) == ["RuntimeError: no way, call …"]


def test_a_lost_database_is_no_fault_of_the_row(monday, monkeypatch):
    reported()
    gone = OperationalError("SELECT 1", {}, Exception("gone"), connection_invalidated=True)
    fails(monkeypatch, gone)
    set_clock(MONDAY + timedelta(hours=4))
    with pytest.raises(OperationalError):
        timers.sweep()
    assert read(sa.select(Timer.attempts)) == [0]


def test_a_commit_whose_acknowledgement_is_lost_doubles_nothing(monday, monkeypatch):
    ids = [reported() for _ in range(20)]
    set_clock(MONDAY + timedelta(hours=4))
    commit = Session.commit

    def commit_and_lose_the_answer(self: Session) -> None:
        commit(self)
        raise OperationalError("COMMIT", {}, Exception("connection lost"))

    with monkeypatch.context() as patched:
        patched.setattr(Session, "commit", commit_and_lose_the_answer)
        with pytest.raises(OperationalError):
            timers.sweep()
    assert sweep_all() == 0
    assert {tuple(names_of(issue_id)) for issue_id in ids} == {("report", "overdue_up")}


def test_a_subject_with_two_deadlines_due_at_once_moves_once(monday):
    issue_id = reported()
    run(
        "INSERT INTO timers (subject_kind, subject_id, kind, generation, started_at, budget_s, clock, due_at, run_at,"
        " provisional, state, attempts) SELECT subject_kind, subject_id, 'urge', generation, started_at, budget_s, clock,"
        " due_at, run_at, provisional, state, attempts FROM timers"
    )
    set_clock(MONDAY + timedelta(hours=4))
    assert (timers.sweep(), timers.sweep()) == (1, 0)
    assert names_of(issue_id) == ["report", "overdue_up"]
    assert sorted(read(sa.select(Timer.state))) == ["fired", "open", "void"]


def test_an_issue_that_is_passed_up_twice_in_one_batch_keeps_its_chain_and_its_hops(monday):
    ids = [reported() for _ in range(3)]
    with db.transaction():
        chief = CITY.village_chief
        post = db.session.scalars(sa.select(Post).where(Post.person_id == chief.id)).one()
        people.end_post(post, actor=None)
    set_clock(MONDAY + timedelta(hours=4))
    assert timers.sweep() == 3
    for issue_id in ids:
        assert names_of(issue_id) == ["report", "overdue_up", "pass_up"]
    assert run("SELECT DISTINCT unit_code FROM hops WHERE left_at IS NULL").scalars().all() == [seed.TOWNSHIP]
    assert run("SELECT DISTINCT last_seq, hop_n FROM issues").all() == [(3, 3)]
    with db.transaction():
        assert list(audit.verify().findings) == []


def test_four_sweeps_and_a_relay_of_what_they_wrote_agree(live):
    fill("due", 400, due="now() - interval '1 hour'", apart="0")
    swept = [0, 0, 0, 0]
    while any(found := together(*[lambda: timers.sweep(20)] * 4)):
        swept = [a + b for a, b in zip(swept, found, strict=True)]
    assert sum(swept) == 400
    assert count("issue_events WHERE name = 'overdue_up'") == 400
    assert count("outbox") == 400
    assert count("timers WHERE attempts > 0") == 0


def test_a_batch_that_fails_writes_nothing(monday):
    issue_id = reported()
    with pytest.raises(ZeroDivisionError), db.transaction(), batches.batch():
        issue = db.session.get_one(Issue, issue_id)
        actions.act(issue, "note", actor=CITY.worker, data={"note": "x"})
        raise ZeroDivisionError
    assert names_of(issue_id) == ["report"]


# Warnings -------------------------------------------------------------------------------------------------------------


def told(audience: str) -> list[UUID]:
    with db.transaction():
        for row_id in db.session.scalars(sa.select(outbox.Outgoing.id)).all():
            outbox.deliver(row_id)
        return list(db.session.scalars(sa.select(Notice.person_id).where(Notice.audience == audience)))


def test_the_unit_is_warned_once_when_the_last_fifth_begins_and_nothing_else_changes(monday):
    issue_id = reported()  # Four hours to accept: 48 minutes before their end.
    before = MONDAY + timedelta(hours=4) - timedelta(minutes=48)
    set_clock(before - timedelta(seconds=1))
    assert timers.sweep() == 0
    set_clock(before)
    assert (timers.sweep(), timers.sweep()) == (1, 0)
    assert told("warn:unit") == [read(sa.select(Post.person_id).where(Post.role == "micro_chief", Post.grid_code == seed.MICRO))[0]]
    assert names_of(issue_id) == ["report"]
    timer = read(sa.select(Timer))[0]
    assert (timer.state, timer.warned_at, timer.run_at, timer.due_at) == ("open", before, timer.due_at, MONDAY + timedelta(hours=4))
    set_clock(timer.due_at)
    assert timers.sweep() == 1
    assert names_of(issue_id) == ["report", "overdue_up"]


def test_a_warning_that_comes_too_late_is_left_out(monday):
    issue_id = reported()
    set_clock(MONDAY + timedelta(hours=5))
    assert timers.sweep() == 1
    assert (names_of(issue_id), told("warn:unit")) == (["report", "overdue_up"], [])


def test_whoever_acts_in_time_is_not_warned(monday):
    issue_id = reported()
    with db.transaction():
        actions.act(db.session.get_one(Issue, issue_id), "accept", actor=CITY.micro_chief)
    set_clock(MONDAY + timedelta(hours=4))
    assert timers.sweep() == 0
    assert told("warn:unit") == []


def test_a_reminder_at_the_top_comes_again_without_a_warning(monday):
    issue_id = reported(grid_code=seed.CITY)
    for _ in range(3):
        set_clock(read(sa.select(Timer.due_at).where(Timer.state == "open"))[0])
        assert timers.sweep() == 1
    assert names_of(issue_id) == ["report", "remind", "remind", "remind"]
    assert read(sa.select(Timer.warn_s).where(Timer.state == "open")) == [None]


def test_the_file_says_who_is_warned_and_a_slip_in_it_stops_the_boot(tmp_path):
    folder = tmp_path / "workflows"
    shutil.copytree(ROOT / "workflows", folder)
    assert flow.load(folder).states["reported"].warns == ("unit",)
    (other := tmp_path / "other").mkdir()
    shutil.copytree(folder, other, dirs_exist_ok=True)
    file = other / "issue.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("warns: [unit]", "warns: [unti]", 1), encoding="utf-8")
    with pytest.raises(PolicyError, match=r"unknown audience 'unti' in reported.warns"):
        flow.load(other)


# Pausing --------------------------------------------------------------------------------------------------------------


def one(issue_id: UUID) -> Timer:
    return read(sa.select(Timer).where(Timer.subject_id == issue_id, Timer.state.in_(("open", "paused"))))[0]


def pause(issue_id: UUID, at: datetime) -> None:
    with db.transaction():
        timers.pause(issue_id, at=at)


def resume(issue_id: UUID, at: datetime, generation: int = 0) -> None:
    with db.transaction():
        timers.resume(issue_id, at=at, generation=generation)


def test_a_pause_keeps_the_rest_of_the_working_time_exactly(monday):
    issue_id = reported(grid_code=seed.VILLAGE)  # One working day: seven hours of office time, to Tuesday 09:00.
    assert one(issue_id).due_at == MONDAY + timedelta(days=1)
    pause(issue_id, MONDAY + timedelta(hours=2, seconds=7))
    assert (one(issue_id).state, one(issue_id).left_s) == ("paused", 7 * 3600 - 2 * 3600 - 7)
    set_clock(MONDAY + timedelta(days=30))
    assert timers.sweep() == 0  # What is paused is never due.
    again = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)  # A Saturday.
    resume(issue_id, again)
    # Five hours less seven seconds from Monday 08:00: four before lunch, the rest from 14:30.
    assert one(issue_id).due_at == datetime(2026, 11, 23, 7, 29, 53, tzinfo=UTC)
    pause(issue_id, again)
    assert one(issue_id).left_s == 5 * 3600 - 7


def test_what_was_overspent_stays_so_and_fires_when_it_goes_on(monday):
    issue_id = reported()
    pause(issue_id, MONDAY + timedelta(hours=5))
    assert one(issue_id).left_s == -3600
    resume(issue_id, MONDAY + timedelta(days=3))
    assert one(issue_id).due_at == MONDAY + timedelta(days=3, hours=-1)
    set_clock(MONDAY + timedelta(days=3))
    assert timers.sweep() == 1
    assert names_of(issue_id) == ["report", "overdue_up"]


def test_a_timer_that_went_on_under_another_generation_is_void_for_this_one(monday):
    issue_id = reported()
    pause(issue_id, MONDAY)
    resume(issue_id, MONDAY, generation=7)
    set_clock(MONDAY + timedelta(hours=4))
    assert timers.sweep() == 1
    assert (names_of(issue_id), read(sa.select(Timer.state))) == (["report"], ["void"])


def test_moving_a_paused_issue_cancels_its_timer(monday):
    issue_id = reported()
    pause(issue_id, MONDAY)
    with db.transaction():
        actions.act(db.session.get_one(Issue, issue_id), "accept", actor=CITY.micro_chief)
    assert sorted(read(sa.select(Timer.state))) == ["open", "void"]


def test_an_extension_adds_to_what_is_left_and_warns_again(monday):
    issue_id = reported()
    warned = MONDAY + timedelta(hours=3, minutes=30)
    set_clock(warned)
    assert timers.sweep() == 1
    with db.transaction():
        timers.extend(issue_id, "accept", Limit.parse("2h", "urgent_hour"), at=warned)
    timer = one(issue_id)
    assert (timer.due_at, timer.run_at, timer.warned_at) == (
        MONDAY + timedelta(hours=6), MONDAY + timedelta(hours=6, minutes=-48), None,
    )  # fmt: skip


def test_an_extension_of_a_paused_one_lengthens_its_rest(monday):
    issue_id = reported()
    pause(issue_id, MONDAY + timedelta(hours=1))
    with db.transaction():
        timers.extend(issue_id, "accept", Limit.parse("2h", "urgent_hour"), at=MONDAY + timedelta(hours=1))
    assert one(issue_id).left_s == 5 * 3600


def test_an_extension_needs_a_live_timer_and_its_clock(monday):
    issue_id = reported()
    with pytest.raises(LookupError), db.transaction():
        timers.extend(issue_id, "resolve", HOUR, at=MONDAY)
    with pytest.raises(ValueError, match="urgent_hour"), db.transaction():
        timers.extend(issue_id, "accept", HOUR, at=MONDAY)
