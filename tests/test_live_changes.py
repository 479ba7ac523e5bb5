"""Looks into the database: nothing that was committed late is missed, nothing is told twice."""

import threading

import pytest
import sqlalchemy as sa
from flask import Flask

from gridgov import db, outbox
from gridgov.issues import actions
from gridgov.issues.models import Issue
from gridgov.live import changes
from tests import client as test_client, seed
from tests.together import together


def deliver(app: Flask) -> None:
    """Make notices of what the outbox holds, as the worker does."""
    with app.app_context(), db.transaction():
        for key in db.session.scalars(
            sa.select(outbox.Outgoing.id).where(outbox.Outgoing.done_at.is_(None))
        ).all():
            assert outbox.deliver(key)


def look(app: Flask, since: str) -> changes.Look:
    with app.app_context(), db.transaction():
        return changes.look(since)


def here(app: Flask) -> str:
    with app.app_context(), db.transaction():
        return changes.here()


def test_each_commit_is_found_once(live):
    since = here(live)
    assert not look(live, since)
    with live.app_context(), db.transaction():
        issue = seed.City().report().id
    found = look(live, since)
    assert [(change.issue_id, change.seq) for change in found.changes] == [(issue, 1)]
    assert not look(live, found.seen)


def test_what_is_committed_after_later_transactions_is_found_all_the_same(live):
    with live.app_context(), db.transaction():
        old = seed.City().report().id
    since = here(live)
    ids = []
    written, go_on = threading.Event(), threading.Event()

    def slow():
        with live.app_context(), db.transaction():
            ids.append(seed.City().report().id)
            db.session.flush()
            written.set()
            assert go_on.wait(30)

    def quick():
        assert written.wait(30)
        with live.app_context(), db.transaction():
            actions.act(db.session.get_one(Issue, old), "accept", actor=seed.City().micro_chief)
        first = look(live, since)
        go_on.set()
        return first

    _done, first = together(slow, quick)
    assert [change.issue_id for change in first.changes] == [old]
    second = look(live, first.seen)
    assert [change.issue_id for change in second.changes] == ids
    assert not look(live, second.seen)


def test_more_than_can_be_told_singly_is_a_flood(live, monkeypatch):
    monkeypatch.setattr(changes, "MOST", 2)
    since = here(live)
    with live.app_context(), db.transaction():
        for _ in range(3):
            seed.City().report()
    found = look(live, since)
    assert found.flood and not look(live, found.seen)
    nobody = changes.Viewer(db.uuid7(), db.uuid7(), changes.Reach(frozenset(), frozenset()))
    assert changes.news([found], nobody).body() == {"all": True}


def test_a_look_reads_by_the_index_and_not_the_table(live):
    with live.app_context(), db.transaction():
        db.session.execute(changes.BY_INDEX)
        plan = "\n".join(
            db.session.scalars(
                sa.text(f"EXPLAIN {changes.LOOK.text}"), {"since": changes.here(), "most": 501}
            )
        )
    assert "ix_issue_events_xact" in plan and "ix_notices_xact" in plan
    assert "Seq Scan on issue_events" not in plan and "Seq Scan on notices" not in plan


def test_rows_of_a_restored_dump_are_no_news(live):
    """They carry the transaction numbers of another cluster, which may lie far ahead of this one's."""
    with live.app_context(), db.transaction():
        issue = seed.City().report()
        db.session.execute(
            sa.text(
                "INSERT INTO issue_events (issue_id, seq, name, to_state, actor_role, hop_n, unit_code, data, at, xact)"
                " VALUES (:id, 2, 'note', 'reported', 'system', 1, :unit, '{}', now(), 4000000000)"
            ),
            {"id": issue.id, "unit": seed.MICRO},
        )
    since = here(live)
    assert not look(live, since)


@pytest.mark.parametrize(
    "snapshot", ["", "x", "9:1:", "0:0:", "1:9223372036854775808:", "5:9:4", "5:9:7,6", "5:9:6,6", "5:9:9", "1:2", "1:2:3:4"]
)
def test_a_snapshot_that_is_none_asks_for_everything(live, snapshot):
    assert not changes.known(snapshot)
    with live.app_context():
        person = seed.City().township_office
        browser = test_client.Client(live).browser(person)
    answer = browser.get("/live/now", headers={"If-None-Match": f'"{snapshot}"'})
    assert answer.status_code == 200 and answer.get_json()["all"] is True


def test_the_snapshots_that_we_give_out_are_known(live):
    assert changes.known(here(live)) and changes.known("5:9:") and changes.known("5:9:5,7")
