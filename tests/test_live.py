"""Streams of a real server: who is told of what, who may stay, and what happens to ordinary requests meanwhile."""

import http.client
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from gridgov import db
from gridgov.issues import actions, queries
from gridgov.live import changes
from gridgov.people import queries as people
from gridgov.people.models import Person, SignInSession
from tests import seed
from tests.granian_server import PATIENCE_S, free_port, serving, sign_in_as
from tests.streams import Listener


@pytest.fixture
def port(live: Flask, tmp_path: Path) -> Iterator[int]:
    """A server with streams on the test's own database."""
    number = free_port()
    with serving(live, number, log=tmp_path / "web.log"):
        yield number


@pytest.fixture
def listening(live: Flask, port: int) -> Iterator[Any]:
    """Opens streams: `listening("worker")`."""
    opened: list[Listener] = []

    def listen(key: str, cookie: tuple[str, str] | None = None, **more: Any) -> Listener:
        opened.append(Listener(port, cookie or sign_in_as(live, key), **more))
        assert opened[-1].status == 200
        return opened[-1]

    yield listen
    for one in opened:
        one.close()


def report(app: Flask, key: str = "worker", **given: Any) -> str:
    with app.app_context(), db.transaction():
        return str(seed.City().report(key, **given).id)


def test_those_who_see_an_issue_are_told_and_nobody_else(live, listening):
    insiders = [listening(key) for key in ("worker", "micro_chief", "township_office", "city_office")]
    outsiders = [
        listening(key)
        for key in (
            "neighbour",
            "sibling_micro_chief",
            "foreign_township_office",
            "department",
            "store_clerk",
        )
    ]
    first = report(live)
    for one in insiders:
        one.until(lambda one=one: first in one.issues)
    # A second one, which all of them may see in some way or other, proves that the first would have been heard by now.
    second = report(live, "foreign_resident", grid_code=seed.FOREIGN_MICRO)
    outsiders[2].until(lambda: second in outsiders[2].issues)
    assert [set(one.issues) for one in outsiders] == [set(), set(), {second}, set(), set()]
    assert "data" not in " ".join(" ".join(one.raw[3:]) for one in outsiders[:2])


def test_confidential_issues_are_told_of_only_where_they_are_in_sight(live, listening):
    reporter, chief, other, foreign = (
        listening(key) for key in ("resident", "micro_chief", "neighbour", "foreign_micro_chief")
    )
    issue = report(live, "resident", category="0107")
    with live.app_context(), db.transaction():
        assert db.session.get_one(actions.Issue, issue).confidential
    reporter.until(lambda: issue in reporter.issues)
    chief.until(lambda: issue in chief.issues)
    later = report(live, "foreign_resident", grid_code=seed.FOREIGN_MICRO)
    foreign.until(lambda: later in foreign.issues)
    assert issue not in foreign.issues and not other.issues


def test_the_stream_tells_that_and_not_what(live, listening):
    chief = listening("micro_chief")
    issue = report(live, text="村口的秘密")
    chief.until(lambda: issue in chief.issues)
    assert "秘密" not in "".join(chief.raw) and "WG-" not in "".join(chief.raw)
    told = [line for line in chief.raw if line.startswith("data: ") and issue in line]
    assert told == [f'data: {{"issues":{{"{issue}":1}}}}']


def test_whoever_is_told_something_hears_of_the_inbox(live, listening):
    from tests.test_live_changes import deliver

    chief, worker = listening("micro_chief"), listening("sibling_worker")
    report(live)
    deliver(live)
    chief.until(lambda: chief.inbox)
    assert not worker.inbox


@pytest.mark.parametrize("cookie", [None, ("gridgov", "nonsense"), ("other", "x")])
def test_nobody_gets_no_stream(port, cookie):
    assert Listener(port, cookie).status == 401


def test_other_sites_get_no_stream(live, port):
    assert Listener(port, sign_in_as(live, "worker"), **{"Sec-Fetch-Site": "cross-site"}).status == 403


def test_what_ended_a_session_ends_its_stream(live, port, listening):
    cookie = sign_in_as(live, "worker")
    one, disabled, stays = listening("worker", cookie), listening("micro_chief"), listening("city_office")
    with live.app_context(), db.transaction():
        city = seed.City()
        db.session.execute(sa.delete(SignInSession).where(SignInSession.person_id == city.worker.id))
        db.session.execute(
            sa.update(Person).where(Person.id == city.micro_chief.id).values(disabled_at=sa.func.now())
        )
    one.until(lambda: one.ended == "signed_out")
    disabled.until(lambda: disabled.ended == "signed_out")
    assert not stays.ended
    assert Listener(port, cookie).status == 401


def test_a_post_that_ended_ends_what_is_told(live, listening):
    chief, marker = listening("micro_chief"), listening("sibling_micro_chief")
    with live.app_context(), db.transaction():
        db.session.execute(
            sa.text("UPDATE posts SET ends_on = DATE '2021-01-01' WHERE person_id = :id"),
            {"id": seed.City().micro_chief.id},
        )
        # One who goes at the same look tells us that the look has been.
        db.session.execute(
            sa.delete(SignInSession).where(SignInSession.person_id == seed.City().sibling_micro_chief.id)
        )
    marker.until(lambda: marker.ended)
    witness = listening("city_office")
    issue = report(live)
    witness.until(lambda: issue in witness.issues)
    assert not chief.issues and not chief.ended


def test_one_session_has_a_few_streams_and_the_oldest_goes(live, listening):
    cookie = sign_in_as(live, "worker")
    streams = [listening("worker", cookie) for _ in range(5)]
    streams[0].until(lambda: streams[0].ended == "crowded")
    assert not any(one.ended for one in streams[1:])


def test_what_happened_just_before_is_told_and_what_is_long_past_asks_for_everything(live, listening):
    witness = listening("city_office")
    issue = report(live)
    witness.until(lambda: issue in witness.issues)
    late = listening("micro_chief", query="?age=1500")
    late.until(lambda: issue in late.issues or late.all)
    assert not late.ended
    for query in ("", "?age=", "?age=9999999", "?age=-1"):
        lost = listening("micro_chief", query=query)
        lost.until(lambda lost=lost: lost.all)
        assert not lost.issues, query


def test_a_page_from_before_the_server_began_asks_for_everything(listening):
    page = listening("micro_chief", query="?age=80000")
    page.until(lambda: page.all)
    assert not page.issues and not page.ended


def test_the_server_ends_with_streams_open(live, tmp_path):
    number = free_port()
    with serving(live, number, workers=2, log=tmp_path / "web.log") as process:
        streams = [Listener(number, sign_in_as(live, key)) for key in ("worker", "micro_chief", "resident")]
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
        for one in streams:
            one.until(lambda one=one: one.ended)


@pytest.mark.slow
def test_ordinary_requests_are_served_while_500_pages_are_open(live, port):
    cookies = [sign_in_as(live, key) for key in list(seed.PEOPLE)[:5] for _ in range(25)]
    streams = [Listener(port, cookie) for cookie in cookies for _ in range(4)]
    assert [one.status for one in streams] == [200] * 500
    served = 0
    for _ in range(50):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        connection.request("GET", "/todo", headers={"Cookie": "=".join(cookies[0])})
        served += connection.getresponse().status == 200
        connection.close()
    issue = report(live)  # By the worker, the third of the five; the two before are no more than neighbours.
    for one in streams[200:]:
        one.until(lambda one=one: issue in one.issues)
    assert not any(one.issues for one in streams[:200])
    assert served == 50
    with live.app_context(), db.transaction():
        connections = db.session.scalar(
            sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        )
    assert connections < 20
    for one in streams:
        one.close()


def test_the_rule_of_sight_is_the_one_of_the_pages(live):
    with live.app_context(), db.transaction():
        city = seed.City()
        for reporter, grid in (
            ("resident", seed.MICRO),
            ("foreign_resident", seed.FOREIGN_MICRO),
            ("store_clerk", seed.SIBLING_MICRO),
        ):
            issue = city.report(reporter, grid_code=grid)
            if grid == seed.MICRO:
                actions.act(issue, "escalate", actor=city.micro_chief, data={"reason": "组里办不了"})
                actions.act(issue, "escalate", actor=city.village_chief, data={"reason": "村里办不了"})
                actions.act(issue, "escalate", actor=city.township_office, data={"reason": "镇里办不了"})
                actions.act(issue, "dispatch", actor=city.city_office, data={"department": "transport", "assisting": ["police"]})
            if grid == seed.SIBLING_MICRO:
                actions.act(issue, "join", actor=city.sibling_micro_chief, data={"partner": seed.MICRO})
    with live.app_context(), db.transaction():
        since = "3:3:"
        found = changes.look(since)
        assert len(found.changes) == 3 and not found.flood
        city = seed.City()
        for key in seed.PEOPLE:
            person = city.person(key)
            viewer = changes.Viewer(person.id, person.id, people.reach(person))
            told = {change.issue_id for change in found.changes if change.seen_by(viewer)}
            seen = set(db.session.scalars(sa.select(actions.Issue.id).where(queries.in_sight(person))))
            assert told == seen, key
