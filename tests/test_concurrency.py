"""Several at once, on real commits: officers, reporters, sweeps, deliveries; and what happens when Redis or a worker goes away."""

import dataclasses
import functools
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis
import sqlalchemy as sa
from flask import Flask

from gridgov import db, jobs, outbox, timers
from gridgov.app import create_app
from gridgov.errors import Conflict, NotPermitted
from gridgov.issues import actions, queries
from gridgov.issues.models import Hop, Issue, IssueEvent
from gridgov.notices.models import Notice
from tests import seed
from tests.client import Client
from tests.conftest import make_config
from tests.together import holding, together, until_blocked, work_off

MONDAY = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)  # 09:00 in Wugang, a working day.
CITY = seed.City()
REPORT = {"category": "0203", "text": "村口三轮车载人", "grid_code": seed.MICRO}
LOCKED = "SELECT 1 FROM issues WHERE id = :id FOR UPDATE"


@pytest.fixture
def engine(live: Flask) -> sa.Engine:
    """The live database with its clock stopped on a Monday morning."""
    set_clock(MONDAY)
    return live.extensions["engine"]


def set_clock(at: datetime) -> None:
    with db.transaction():
        db.set_clock(at)


def reported(**given: Any) -> UUID:
    """A committed report by the worker."""
    with db.transaction():
        return CITY.report(**given).id


def press(key: str, issue_id: UUID, name: str, *, expected: int | None = None, **data: Any) -> str:
    """One person makes one move, in a transaction of their own."""
    with db.transaction():
        person = CITY.person(key)
        issue = queries.visible(person, issue_id)
        return actions.act(issue, name, actor=person, data=data, expected=expected).to_state


def names_of(issue_id: UUID) -> list[str]:
    return read(sa.select(IssueEvent.name).where(IssueEvent.issue_id == issue_id).order_by(IssueEvent.seq))


def read(query: Any) -> list[Any]:
    with db.transaction():
        return list(db.session.scalars(query))


def is_sound(issue_id: UUID) -> None:
    """What must hold whoever was first: one open hop, numbers without a gap, one open timer, an unbroken chain."""
    broken = sa.text(
        "SELECT count(*) FROM issue_events e LEFT JOIN issue_events b ON b.issue_id = e.issue_id AND b.seq = e.seq - 1 "
        "WHERE e.issue_id = :id AND e.hash <> issue_event_hash(e, coalesce(b.hash, ''))"
    )
    with db.transaction():
        assert db.session.scalar(broken, {"id": issue_id}) == 0
    issue = read(sa.select(Issue).where(Issue.id == issue_id))[0]
    seqs = read(sa.select(IssueEvent.seq).where(IssueEvent.issue_id == issue_id).order_by(IssueEvent.seq))
    hops = read(sa.select(Hop).where(Hop.issue_id == issue_id).order_by(Hop.n))
    assert seqs == list(range(1, len(seqs) + 1))
    assert [h.n for h in hops] == list(range(1, issue.hop_n + 1))
    still_open = [h.unit_code for h in hops if h.left_at is None]
    assert still_open == ([issue.unit_code] if issue.ended_at is None else [])
    waiting = read(sa.select(timers.Timer).where(timers.Timer.subject_id == issue_id, timers.Timer.state == "open"))
    assert [t.generation for t in waiting] == ([issue.generation] if issue.ended_at is None else [])


# Officers -------------------------------------------------------------------------------------------------------------


def race(engine: sa.Engine, issue_id: UUID, *moves: Any) -> list[Any]:
    """Let all have read the issue before any can change it: its row is held until everybody waits for it."""
    results: list[Any] = []
    waiter = threading.Thread(target=lambda: results.extend(together(*moves)))
    with holding(engine, LOCKED, id=issue_id):
        waiter.start()
        until_blocked(engine, len(moves))
    waiter.join()
    return results


def test_two_officers_press_accept_at_once_and_one_wins(engine):
    issue_id = reported(grid_code=seed.TOWNSHIP)
    officers = ("township_office", "township_office_2")
    results = race(engine, issue_id, *(functools.partial(press, key, issue_id, "accept") for key in officers))
    assert sorted(type(r).__name__ for r in results) == ["IllegalTransition", "str"]
    assert names_of(issue_id) == ["report", "accept"]
    is_sound(issue_id)


def test_through_the_api_the_slower_officer_is_told_with_409(engine, live):
    issue_id = reported(grid_code=seed.TOWNSHIP)
    client = Client(live)
    bearers = [client.bearer(CITY.person(key)) for key in ("township_office", "township_office_2")]
    db.session.remove()

    def send(bearer: dict[str, str]) -> tuple[int, str | None]:
        answer = live.test_client().post(f"/api/v1/issues/{issue_id}/events", json={"name": "accept"}, headers=bearer)
        return answer.status_code, answer.get_json().get("code")

    results = race(engine, issue_id, *(functools.partial(send, bearer) for bearer in bearers))
    assert sorted(results, key=str) == [(201, None), (409, "illegal_transition")]
    assert names_of(issue_id) == ["report", "accept"]


def test_of_two_different_moves_made_on_the_same_view_one_is_refused(engine):
    issue_id = reported(grid_code=seed.TOWNSHIP)
    results = race(
        engine, issue_id,
        lambda: press("township_office", issue_id, "accept", expected=0),
        lambda: press("township_office_2", issue_id, "escalate", expected=0, reason="归市里管"),
    )  # fmt: skip
    refused = [r for r in results if isinstance(r, Exception)]
    assert [(type(r), r.code) for r in refused] == [(Conflict, "changed")]
    assert names_of(issue_id) in (["report", "accept"], ["report", "escalate"])
    is_sound(issue_id)


def test_moves_that_exclude_each_other_never_both_happen(engine):
    issue_id = reported(grid_code=seed.TOWNSHIP)
    results = race(
        engine, issue_id,
        lambda: press("worker", issue_id, "withdraw"),
        lambda: press("township_office", issue_id, "not_accept", reason="已在诉讼中", route="法院"),
    )  # fmt: skip
    assert sorted(type(r).__name__ for r in results) == ["IllegalTransition", "str"]
    assert len(names_of(issue_id)) == 2
    is_sound(issue_id)


# Reporters ------------------------------------------------------------------------------------------------------------


def report(key: str, id: UUID | None = None) -> tuple[UUID, str, bool]:
    with db.transaction():
        issue, new = actions.report(actor=CITY.person(key), id=id, **REPORT)  # type: ignore[arg-type]
        return issue.id, issue.number, new


def test_the_same_report_from_eight_threads_is_one_issue_with_one_number(engine):
    one = uuid4()
    results = together(*(functools.partial(report, "worker", one) for _ in range(8)))
    assert {r[:2] for r in results} == {(one, results[0][1])}
    assert [r[2] for r in results].count(True) == 1
    assert names_of(one) == ["report"]
    is_sound(one)


def test_the_same_number_by_different_people_at_once_is_theirs_who_was_first(engine):
    one = uuid4()
    people = ("worker", "resident", "neighbour", "micro_chief")
    results = together(*(functools.partial(report, key, one) for key in people))
    assert sorted(type(r).__name__ for r in results) == ["Conflict", "Conflict", "Conflict", "tuple"]
    reporter = read(sa.select(Issue.reporter_id).where(Issue.id == one))
    first = next(key for key, r in zip(people, results, strict=True) if isinstance(r, tuple))
    assert reporter == [CITY.person(first).id]


def test_eight_reports_at_once_have_eight_numbers_and_unbroken_chains(engine):
    for _round in range(3):  # The first of the day has a race of its own.
        results = together(*(functools.partial(report, key) for key in ("worker", "resident") * 4))
        for issue_id, _number, _new in results:
            is_sound(issue_id)
    numbers = read(sa.select(Issue.number))
    assert len(set(numbers)) == 24
    assert all(int(n.rsplit("-", 1)[1]) > 0 and n.startswith("WG-20261116-") for n in numbers)


# The sweep ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_sweeps_fire_two_hundred_timers_once_each(engine):
    ids = [reported() for _ in range(200)]
    set_clock(MONDAY + timedelta(hours=4))
    rounds = [together(*[functools.partial(timers.sweep, 50)] * 2)]
    while sum(rounds[-1]):
        rounds.append(together(*[functools.partial(timers.sweep, 50)] * 2))
    assert sum(map(sum, rounds)) == 200
    assert min(rounds[0]) > 0  # Both had their share: nobody waited for the other.
    told = read(sa.select(sa.func.count()).where(IssueEvent.name == "overdue_up").group_by(IssueEvent.issue_id))
    assert told == [1] * 200
    states = read(sa.select(timers.Timer.state))
    assert (states.count("fired"), states.count("open"), len(states)) == (200, 200, 400)
    is_sound(ids[0])


def test_a_sweep_does_not_wait_for_somebody_who_is_acting(engine):
    issue_id = reported()
    set_clock(MONDAY + timedelta(hours=4))
    with holding(engine, LOCKED, id=issue_id):
        assert together(timers.sweep) == [0]
    assert names_of(issue_id) == ["report"]
    press("micro_chief", issue_id, "accept")  # A little late, but before the sweep: nothing is left to fire.
    assert together(timers.sweep) == [0]
    assert names_of(issue_id) == ["report", "accept"]
    is_sound(issue_id)


def test_somebody_who_acts_while_the_sweep_fires_sees_what_it_did(engine, monkeypatch):
    issue_id = reported()
    set_clock(MONDAY + timedelta(hours=4))
    firing, waiting = threading.Event(), threading.Event()
    fire = timers.subjects()["issue"].fire

    def slow(issue: Issue, timer: timers.Due) -> None:
        firing.set()
        assert waiting.wait(10)
        fire(issue, timer)

    monkeypatch.setitem(timers.subjects(), "issue", dataclasses.replace(timers.subjects()["issue"], fire=slow))

    def chief() -> str:
        assert firing.wait(10)
        return press("micro_chief", issue_id, "accept")

    def watch() -> None:
        until_blocked(engine)
        waiting.set()

    swept, pressed, _watched = together(timers.sweep, chief, watch)
    assert swept == 1
    assert type(pressed).__name__ == "NotPermitted"  # By then it lies with the village.
    assert names_of(issue_id) == ["report", "overdue_up"]
    is_sound(issue_id)


def test_sweeps_and_people_on_the_same_issues_neither_deadlock_nor_do_it_twice(engine):
    ids = [reported() for _ in range(30)]
    set_clock(MONDAY + timedelta(hours=4))

    def accept_all() -> list[str]:
        found = []
        for issue_id in ids:
            try:
                found.append(press("micro_chief", issue_id, "accept"))
            except NotPermitted:  # The sweep was faster: it lies with the village by now.
                found.append("too late")
        return found

    chief, *_swept = together(accept_all, timers.sweep, timers.sweep, timers.sweep)
    expected = {"accepted": ["report", "accept"], "too late": ["report", "overdue_up"]}
    assert [names_of(issue_id) for issue_id in ids] == [expected[outcome] for outcome in chief]
    for issue_id in ids:
        is_sound(issue_id)
    assert read(sa.select(timers.Timer.id).where(timers.Timer.attempts > 0)) == []


# Delivery -------------------------------------------------------------------------------------------------------------


def told() -> list[tuple[str, int]]:
    """Who has a notice of what, as (key of the person, seq of the event)."""
    phones = {phone: key for key, phone in seed.PHONES.items()}
    with db.transaction():
        people = {p.id: phones[p.phone] for p in map(CITY.person, seed.PEOPLE)}
        return sorted((people[n.person_id], n.seq) for n in db.session.scalars(sa.select(Notice)))


def open_rows() -> list[str]:
    return [str(i) for i in read(sa.select(outbox.Outgoing.id).where(outbox.Outgoing.done_at.is_(None)))]


def test_the_same_row_from_two_threads_is_told_once(engine, monkeypatch):
    reported()
    ids = open_rows()
    inside, tried = threading.Event(), threading.Event()
    write = outbox._consumers["issue.told"]

    def slow(outbox_id: UUID, payload: dict[str, Any]) -> None:
        inside.set()
        assert tried.wait(10)
        write(outbox_id, payload)

    monkeypatch.setitem(outbox._consumers, "issue.told", slow)

    def second() -> bool:
        assert inside.wait(10)
        with db.transaction():
            had = outbox.deliver(UUID(ids[0]))
        tried.set()
        return had

    assert together(functools.partial(outbox.deliver_batch, ids), second) == [None, False]
    assert told() == [("micro_chief", 1)]
    together(functools.partial(outbox.deliver_batch, ids))
    assert told() == [("micro_chief", 1)]


def test_a_row_whose_mark_was_lost_is_told_again_to_nobody(engine):
    reported()
    ids = open_rows()
    outbox.deliver_batch(ids)
    with db.transaction():
        db.session.execute(sa.update(outbox.Outgoing).values(done_at=None))
    outbox.deliver_batch(ids)
    assert (told(), open_rows()) == ([("micro_chief", 1)], [])


def test_what_redis_forgot_is_delivered_when_the_lease_has_run_out(engine):
    reported()
    assert together(outbox.relay) == [1]
    jobs.connection().flushdb()
    work_off()
    assert (told(), together(outbox.relay)) == ([], [0])  # Lost, and for as long as the lease runs nobody else may.
    with db.transaction():
        db.session.execute(sa.update(outbox.Outgoing).values(run_at=outbox.Outgoing.run_at - outbox.LEASE))
    assert together(outbox.relay) == [1]
    work_off()
    assert (told(), open_rows()) == ([("micro_chief", 1)], [])


def test_two_relays_hand_each_row_over_once(engine):
    for _ in range(20):
        reported()
    assert sum(together(*[functools.partial(outbox.relay, 20)] * 3)) == 20
    queued = [i for job in jobs.queue("notices").jobs for i in job.args[1]]
    assert sorted(queued) == sorted(open_rows())


def test_a_worker_quicker_than_the_relay_still_delivers(engine, monkeypatch):
    reported()

    def at_once(ids: list[str]) -> None:
        assert together(functools.partial(outbox.deliver_batch, ids)) == [None]

    monkeypatch.setattr(outbox.deliver_batch, "enqueue", at_once)
    assert outbox.relay() == 1
    assert (told(), open_rows()) == ([("micro_chief", 1)], [])


def test_when_redis_goes_away_between_asking_and_queueing_the_rows_stay_due(engine, monkeypatch):
    reported()

    def away(_ids: list[str]) -> None:
        raise redis.ConnectionError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(outbox.deliver_batch, "enqueue", away)
        with pytest.raises(redis.RedisError):
            outbox.relay()
    assert outbox.relay() == 1  # Not after the lease: now.


def test_a_consumer_that_fails_half_way_leaves_nothing_of_its_work(engine, monkeypatch):
    reported()
    write = outbox._consumers["issue.told"]

    def dies(outbox_id: UUID, payload: dict[str, Any]) -> None:
        write(outbox_id, payload)
        raise RuntimeError("power cut")

    monkeypatch.setitem(outbox._consumers, "issue.told", dies)
    together(functools.partial(outbox.deliver_batch, open_rows()))
    row = read(sa.select(outbox.Outgoing))[0]
    assert (told(), row.done_at, row.attempts, row.error) == ([], None, 1, "RuntimeError: power cut")
    monkeypatch.setitem(outbox._consumers, "issue.told", write)
    together(functools.partial(outbox.deliver_batch, open_rows()))
    assert (told(), open_rows()) == ([("micro_chief", 1)], [])


def test_a_worker_killed_in_the_middle_of_a_batch_has_done_nothing_of_it(engine, monkeypatch):
    reported()
    reported()
    write, seen = outbox._consumers["issue.told"], []

    def killed(outbox_id: UUID, payload: dict[str, Any]) -> None:
        write(outbox_id, payload)
        seen.append(outbox_id)
        if len(seen) == 2:
            raise SystemExit("killed")  # Like a kill, it passes every `except Exception`.

    monkeypatch.setitem(outbox._consumers, "issue.told", killed)
    with pytest.raises(SystemExit):
        outbox.deliver_batch(open_rows())
    assert (told(), len(open_rows())) == ([], 2)
    assert set(read(sa.select(outbox.Outgoing.attempts))) == {0}
    outbox.deliver_batch(open_rows())
    assert (told(), open_rows()) == ([("micro_chief", 1)] * 2, [])


# Without Redis --------------------------------------------------------------------------------------------------------


def test_without_redis_people_report_and_act_and_deliveries_wait(engine, live, tmp_path):
    address = engine.url.render_as_string(hide_password=False).replace("postgresql+psycopg", "postgresql")
    redis_url = live.config["GRIDGOV"].redis_url
    app = create_app(make_config(address, "redis://127.0.0.1:1/0", tmp_path, rate_limits=True))
    client = Client(app)
    try:
        made = client.send("/api/v1/issues", REPORT, CITY.person("resident"))
        assert made.status_code == 201
        moved = client.send(f"/api/v1/issues/{made.json['id']}/events", {"name": "accept"}, CITY.person("micro_chief"))
        assert (moved.status_code, moved.json["state"]) == (201, "accepted")
        db.session.remove()
        with pytest.raises(redis.RedisError):
            outbox.relay()
        rows = read(sa.select(outbox.Outgoing))
        assert [(r.attempts, r.done_at, r.run_at <= datetime.now(UTC)) for r in rows] == [(0, None, True)] * 2
    finally:
        db.session.remove()
        app.extensions["engine"].dispose()
        db.connect(address)
        jobs.connect(redis_url)
    assert outbox.relay() == 2
    work_off()
    assert told() == [("micro_chief", 1), ("resident", 2)]
