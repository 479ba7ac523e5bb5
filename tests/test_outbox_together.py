"""Messages delivered many at a time: as many statements as for a few, nobody told twice, and one that fails harms no other."""

from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from gridgov import db, outbox
from gridgov.issues import actions
from gridgov.notices.models import Notice
from tests import seed
from tests.counting import count_queries


@pytest.fixture
def city(live: Flask):
    with live.app_context():
        yield seed.City()


def reported(city: seed.City, many: int) -> list[str]:
    """So many reports, of which half are escalated at once. Returns the outbox rows that are open now."""
    with db.transaction():
        for n in range(many):
            issue, _new = actions.report(actor=city.resident, category="0203", text="三轮车", grid_code=seed.MICRO)
            if n % 2:
                actions.act(issue, "escalate", actor=city.micro_chief, data={"reason": "解决不了"})
    return open_rows()


def open_rows() -> list[str]:
    with db.transaction():
        query = sa.select(outbox.Outgoing.id).where(outbox.Outgoing.done_at.is_(None)).order_by(outbox.Outgoing.id)
        return [str(i) for i in db.session.scalars(query)]


def told() -> list[tuple[UUID, int, UUID, str]]:
    with db.transaction():
        rows = db.session.scalars(sa.select(Notice)).all()
        return sorted((n.issue_id, n.seq, n.person_id, n.audience) for n in rows)


def test_together_people_are_told_what_they_are_told_one_by_one(city):
    ids = reported(city, 6)
    outbox.deliver_batch(ids)
    together = told()
    assert (len({(issue, seq) for issue, seq, *_rest in together}), open_rows()) == (len(ids), [])
    with db.transaction():
        db.session.execute(sa.delete(Notice))
        db.session.execute(sa.update(outbox.Outgoing).values(done_at=None))
    for each in ids:
        with db.transaction():
            assert outbox.deliver(UUID(each))
    assert told() == together


def test_more_messages_need_no_more_statements(city):
    few = reported(city, 4)
    with count_queries() as small:
        outbox.deliver_batch(few)
    many = reported(city, 12)
    with count_queries() as large:
        outbox.deliver_batch(many)
    assert len(many) > 2 * len(few)
    assert len(large) == len(small) < 15


def test_one_that_fails_leaves_the_others_done_and_is_tried_again_alone(city, caplog):
    good = reported(city, 3)
    with db.transaction():
        outbox.put("issue.told", {"issue": str(uuid4()), "seq": 1, "audiences": ["unit"]})
    (bad,) = set(open_rows()) - set(good)
    outbox.deliver_batch([good[0], bad, *good[1:]])
    assert open_rows() == [bad]
    with db.transaction():
        row = db.session.get_one(outbox.Outgoing, UUID(bad))
        assert (row.attempts, row.dead_at) == (1, None)
        assert row.error
    assert len({(issue, seq) for issue, seq, *_rest in told()}) == len(good)
    later = reported(city, 2)
    with count_queries() as seen:
        outbox.deliver_batch(later)  # It has failed before, and would undo nobody here.
    assert open_rows() == [bad]
    assert " ".join(seen).count("INSERT INTO notices") == 1


def test_told_together_twice_is_told_once(city):
    ids = reported(city, 4)
    outbox.deliver_batch(ids)
    before = told()
    with db.transaction():
        db.session.execute(sa.update(outbox.Outgoing).values(done_at=None))
    outbox.deliver_batch(ids)
    outbox.deliver_batch(ids)
    assert told() == before
