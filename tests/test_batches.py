"""Many moves in one transaction: what goes out together, and in which order."""

import sqlalchemy as sa

from gridgov import batches, db, timers
from gridgov.issues import actions
from gridgov.issues.models import Issue
from tests import seed


def test_in_a_batch_a_grave_report_before_a_move_leaves_each_its_own_deadlines(city):
    """The first starts a clock, the second voids one and starts another: rows of one statement go out together."""
    moved = city.report("resident")
    with batches.batch():
        grave = city.report("worker", category="0204")
        actions.act(moved, "accept", actor=city.micro_chief)
    rows = db.session.execute(
        sa.select(timers.Timer.subject_id, timers.Timer.kind).where(timers.Timer.state == "open").order_by(timers.Timer.kind)
    )
    assert [tuple(row) for row in rows] == [(grave.id, "accept"), (moved.id, "resolve"), (grave.id, "situation")]


def test_what_a_batch_has_voided_and_started_again_is_open(city):
    issue = city.report("resident", grid_code=seed.CITY)
    with batches.batch():
        for other in (city.report("worker", category="0204"), issue):
            actions.act(other, "raise_grade" if other is issue else "accept", actor=city.city_office if other is issue else city.micro_chief,
                        data={"grade": "A", "reason": "急"} if other is issue else {})  # fmt: skip
    kinds = db.session.scalars(
        sa.select(timers.Timer.kind).where(timers.Timer.subject_id == issue.id, timers.Timer.state == "open")
    )
    assert sorted(kinds) == ["accept", "situation"]
    assert db.session.get_one(Issue, issue.id).grade == "A"
