"""The life of an issue through the real actions, on the small test city."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from gridgov import db, outbox, timers
from gridgov.errors import Conflict, IllegalTransition, Invalid, NotFound, NotPermitted
from gridgov.issues import actions, queries
from gridgov.issues.models import Hop, Issue, IssueEvent
from gridgov.notices.models import Notice
from gridgov.people import actions as people
from gridgov.people.models import Department, Post, Role
from tests import seed
from tests.factories import photo_of

MONDAY = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)  # 09:00 in Wugang, a working day.


@pytest.fixture(autouse=True)
def monday(db_session):
    db.set_clock(MONDAY)


def names_of(issue: Issue) -> list[str]:
    return list(
        db.session.scalars(
            sa.select(IssueEvent.name).where(IssueEvent.issue_id == issue.id).order_by(IssueEvent.seq)
        )
    )


def resolve(issue, actor, text="已修好"):
    return actions.act(issue, "resolve", actor=actor, data={"result": text, "proof": [photo_of(actor)]})


def to_callback(city, issue):
    actions.act(issue, "accept", actor=city.micro_chief)
    resolve(issue, city.micro_chief)
    actions.act(issue, "verify", actor=city.village_chief, data={"way": "spot"})


def test_a_report_lies_with_its_micro_grid_and_has_a_deadline(city):
    issue = city.report()
    assert (issue.state, issue.unit_code, issue.due_at) == (
        "reported",
        seed.MICRO,
        MONDAY + timedelta(hours=4),
    )
    assert issue.number.startswith("WG-20261116-")


def test_numbers_of_a_day_are_all_different(city):
    assert len({city.report().number for _ in range(5)}) == 5


def test_the_grid_is_found_from_the_position(city):
    issue = city.report(grid_code=None, **seed.SPOT)
    assert issue.grid_code == seed.MICRO


def test_a_position_outside_the_city_is_refused_and_nothing_is_written(city):
    with pytest.raises(Invalid) as refused:
        city.report(grid_code=None, lat=39.9, lon=116.4)
    assert refused.value.code == "place_unknown"
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Issue)) == 0


def test_the_same_report_sent_again_is_the_same_issue(city):
    one = uuid4()
    first, new = actions.report(
        actor=city.worker, id=one, category="0203", text="三轮车载人", grid_code=seed.MICRO
    )
    again, newer = actions.report(
        actor=city.worker, id=one, category="0203", text="三轮车载人", grid_code=seed.MICRO
    )
    assert (new, newer, first.number) == (True, False, again.number)
    assert names_of(first) == ["report"]


def test_somebody_elses_report_number_is_a_conflict(city):
    issue = city.report()
    with pytest.raises(Conflict):
        actions.report(actor=city.resident, id=issue.id, category="0203", text="别的", grid_code=seed.MICRO)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"category": "9999"}, "category"),
        ({"category": "02"}, "category"),
        ({"category": "0201"}, "photos"),
        ({"grid_code": "430581999"}, "grid_code"),
    ],
)
def test_a_bad_report_names_its_field(city, given, field):
    with pytest.raises(Invalid) as refused:
        city.report(**given)
    assert list(refused.value.errors) == [field]


def test_somebody_elses_photo_cannot_be_used(city):
    with pytest.raises(Invalid) as refused:
        city.report(photos=[photo_of(city.resident)])
    assert refused.value.code == "photo_unknown"


def test_the_whole_way_up_to_a_department_and_back(city):
    issue = city.report("worker", category="0202", photos=[photo_of(city.worker)])
    actions.act(issue, "accept", actor=city.micro_chief)
    actions.act(issue, "escalate", actor=city.micro_chief, data={"reason": "要动工程车"})
    actions.act(issue, "escalate", actor=city.village_chief, data={"reason": "村里没有经费"})
    actions.act(issue, "escalate", actor=city.township_office, data={"reason": "县道，归市里管"})
    assert issue.unit_code == seed.CITY
    actions.act(issue, "dispatch", actor=city.city_office, data={"department": "transport"})
    assert (issue.unit_code, issue.state) == (None, "dispatched")
    actions.act(issue, "accept", actor=city.department)
    resolve(issue, city.department)
    assert (issue.unit_code, issue.state) == (seed.CITY, "resolved")
    actions.act(issue, "verify", actor=city.city_office, data={"way": "spot"})
    actions.act(issue, "rate", actor=city.worker, data={"satisfaction": 5})
    assert (issue.state, issue.on_time, issue.solved, issue.satisfaction) == ("closed", True, True, 5)
    hops = list(db.session.scalars(sa.select(Hop).where(Hop.issue_id == issue.id).order_by(Hop.n)))
    assert [len(h.unit_code or "") for h in hops] == [15, 12, 9, 6, 0, 6]
    assert all(h.left_at is not None and h.worked_s is not None for h in hops)


@pytest.mark.parametrize("who", ["micro_chief"])
def test_whoever_handled_it_cannot_verify_it(city, who):
    issue = city.report()
    actions.act(issue, "accept", actor=city.micro_chief)
    resolve(issue, city.micro_chief)
    # The same man is also the village's chief (one person, many posts): still not he.
    people.appoint(city.micro_chief, Role.VILLAGE_CHIEF, actor=None, grid_code=seed.VILLAGE)
    with pytest.raises(IllegalTransition) as refused:
        actions.act(issue, "verify", actor=city.person(who), data={"way": "spot"})
    assert refused.value.code == "guard_not_handler"
    assert actions.act(issue, "verify", actor=city.village_chief, data={"way": "spot"}).to_state == "callback"


def test_whoever_accepted_it_there_cannot_verify_it_either(city):
    issue = city.report(grid_code=seed.TOWNSHIP)
    actions.act(issue, "accept", actor=city.township_office)
    resolve(issue, city.township_office_2)
    for name in ("township_office", "township_office_2"):
        with pytest.raises(IllegalTransition):
            actions.act(issue, "verify", actor=city.person(name), data={"way": "spot"})
    assert actions.act(issue, "verify", actor=city.township_chief, data={"way": "spot"}).to_state == "callback"


def test_the_database_itself_refuses_a_handler_as_verifier(city):
    issue = city.report()
    with pytest.raises(DBAPIError, match="verifier_is_not_handler"), db.session.begin_nested():
        db.session.execute(
            sa.update(Issue)
            .where(Issue.id == issue.id)
            .values(handler_id=city.worker.id, verifier_id=city.worker.id)
        )


def test_when_only_the_handler_is_there_verification_goes_up(city):
    for key in ("village_chief",):
        people.disable(city.person(key), actor=None)
    people.appoint(city.micro_chief, Role.VILLAGE_CHIEF, actor=None, grid_code=seed.VILLAGE)
    issue = city.report()
    actions.act(issue, "accept", actor=city.micro_chief)
    resolve(issue, city.micro_chief)
    assert (issue.state, issue.unit_code) == ("resolved", seed.TOWNSHIP)
    assert names_of(issue)[-1] == "verify_up"


def test_nobody_on_duty_passes_it_up_at_once(city):
    people.disable(city.micro_chief, actor=None)
    people.disable(city.village_chief, actor=None)
    issue = city.report()
    assert (issue.unit_code, issue.state) == (seed.TOWNSHIP, "reported")
    assert names_of(issue) == ["report", "pass_up", "pass_up"]


def test_an_expired_post_grants_nothing_and_counts_as_nobody(city):
    post = db.session.scalars(sa.select(Post).where(Post.person_id == city.micro_chief.id)).one()
    people.end_post(post, actor=None)
    db.set_clock(MONDAY + timedelta(days=1))
    issue = city.report()
    assert issue.unit_code == seed.VILLAGE
    with pytest.raises(NotFound):
        queries.visible(city.micro_chief, issue.id)


def test_rework_goes_back_to_the_handling_unit_and_is_counted(city):
    issue = city.report()
    actions.act(issue, "accept", actor=city.micro_chief)
    resolve(issue, city.micro_chief)
    actions.act(issue, "rework", actor=city.village_chief, data={"reason": "还是松的"})
    assert (issue.state, issue.unit_code, issue.rework_count) == ("accepted", seed.MICRO, 1)
    resolve(issue, city.micro_chief)
    actions.act(issue, "verify", actor=city.village_chief, data={"way": "spot"})
    assert issue.state == "callback"


def test_a_reporter_who_says_unsolved_sends_it_back(city):
    issue = city.report()
    to_callback(city, issue)
    actions.act(issue, "contest", actor=city.worker, data={"reason": "没有修"})
    assert (issue.state, issue.unit_code, issue.solved, issue.rework_count) == (
        "accepted",
        seed.MICRO,
        False,
        1,
    )


def test_return_down_once_and_not_twice(city):
    issue = city.report()
    actions.act(issue, "escalate", actor=city.micro_chief, data={"reason": "办不了"})
    actions.act(issue, "return", actor=city.village_chief, data={"reason": "组里能办"})
    assert (issue.unit_code, issue.state) == (seed.MICRO, "reported")
    actions.act(issue, "escalate", actor=city.micro_chief, data={"reason": "真的办不了"})
    with pytest.raises(IllegalTransition) as refused:
        actions.act(issue, "return", actor=city.village_chief, data={"reason": "再退"})
    assert refused.value.code == "guard_not_returned_before"


def test_what_did_not_come_from_below_cannot_be_returned(city):
    issue = city.report(grid_code=seed.VILLAGE)
    with pytest.raises(IllegalTransition) as refused:
        actions.act(issue, "return", actor=city.village_chief, data={"reason": "退"})
    assert refused.value.code == "guard_came_from_below"


def test_dispatch_only_to_departments_of_ones_own_grid(city):
    issue = city.report(grid_code=seed.TOWNSHIP)
    with pytest.raises(Invalid) as refused:
        actions.act(issue, "dispatch", actor=city.township_office, data={"department": "transport"})
    assert list(refused.value.errors) == ["department"]
    assert issue.state == "reported"
    station = people.create_department("wantouqiao_road", "湾头桥公路站", seed.TOWNSHIP, actor=None)
    people.appoint(city.neighbour, Role.DEPARTMENT, actor=None, department_id=station.id)
    actions.act(issue, "dispatch", actor=city.township_office, data={"department": "wantouqiao_road"})
    assert issue.department_id == station.id


def test_a_department_with_nobody_on_duty_does_not_keep_it(city):
    for key in ("department", "department_2"):
        people.disable(city.person(key), actor=None)
    issue = city.report(grid_code=seed.CITY)
    actions.act(issue, "dispatch", actor=city.city_office, data={"department": "transport"})
    assert (issue.unit_code, issue.state) == (seed.CITY, "reported")


def test_not_accepted_needs_reason_and_route(city):
    issue = city.report(grid_code=seed.TOWNSHIP)
    with pytest.raises(Invalid) as refused:
        actions.act(issue, "not_accept", actor=city.township_office, data={"reason": "已在诉讼中"})
    assert list(refused.value.errors) == ["route"]
    actions.act(
        issue, "not_accept", actor=city.township_office, data={"reason": "已在诉讼中", "route": "市人民法院"}
    )
    assert (issue.state, issue.due_at) == ("not_accepted", None)


def test_only_the_reporter_withdraws_and_only_before_it_is_done(city):
    issue = city.report()
    with pytest.raises(NotPermitted):
        actions.act(issue, "withdraw", actor=city.micro_chief)
    actions.act(issue, "withdraw", actor=city.worker)
    assert issue.state == "withdrawn"
    with pytest.raises(IllegalTransition):
        actions.act(issue, "withdraw", actor=city.worker)


def test_a_step_refuses_what_it_does_not_take(city):
    issue = city.report()
    with pytest.raises(Invalid) as refused:
        actions.act(issue, "accept", actor=city.micro_chief, data={"department": "transport"})
    assert list(refused.value.errors) == ["department"]
    with pytest.raises(Invalid) as refused:
        actions.act(issue, "fly", actor=city.micro_chief)
    assert refused.value.code == "unknown_transition"


def test_whoever_saw_an_older_state_is_told(city):
    issue = city.report()
    seen = issue.generation
    actions.act(issue, "accept", actor=city.micro_chief)
    with pytest.raises(Conflict) as refused:
        actions.act(issue, "escalate", actor=city.micro_chief, data={"reason": "慢了"}, expected=seen)
    assert refused.value.code == "changed"


def test_a_missed_deadline_escalates_once(city):
    issue = city.report()
    db.set_clock(issue.due_at - timedelta(seconds=1))
    assert (sweep(), names_of(issue)) == (1, ["report"])  # Its warning.
    db.set_clock(issue.due_at)
    assert (sweep(), sweep()) == (1, 0)
    db.session.refresh(issue)
    assert (issue.unit_code, names_of(issue)) == (seed.VILLAGE, ["report", "overdue_up"])


def test_at_the_top_a_missed_deadline_reminds_and_keeps_reminding(city):
    issue = city.report(grid_code=seed.CITY)
    for _ in range(3):
        timer = db.session.scalars(sa.select(timers.Timer).where(timers.Timer.state == "open")).one()
        db.set_clock(timer.due_at)
        assert sweep() == 1
    db.session.refresh(issue)
    assert (issue.unit_code, names_of(issue)) == (seed.CITY, ["report", "remind", "remind", "remind"])


def test_a_stale_timer_does_nothing(city):
    issue = city.report()
    due = issue.due_at
    actions.act(issue, "accept", actor=city.micro_chief)
    # As if the cancelling had been lost: the old timer is open again, but of an older generation.
    db.session.execute(sa.delete(timers.Timer).where(timers.Timer.state == "open"))
    db.session.execute(sa.update(timers.Timer).values(state="open"))
    db.set_clock(due)
    assert sweep() == 1
    assert names_of(issue) == ["report", "accept"]
    assert db.session.scalars(sa.select(timers.Timer.state)).all() == ["void"]


def test_a_silent_reporter_closes_it_after_seven_days(city):
    issue = city.report()
    to_callback(city, issue)
    assert issue.due_at == MONDAY + timedelta(days=7)
    db.set_clock(issue.due_at)
    assert sweep() == 1
    db.session.refresh(issue)
    assert (issue.state, issue.satisfaction) == ("closed", None)


def test_working_deadlines_skip_the_lunch_break_and_the_weekend(city):
    friday = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)  # 17:00 on a Friday.
    db.set_clock(friday)
    issue = city.report(grid_code=seed.VILLAGE)
    assert issue.due_at == datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # Monday 17:00.


def test_a_deadline_into_an_unpublished_year_is_marked(city):
    db.set_clock(datetime(2026, 12, 31, 9, 0, tzinfo=UTC))
    issue = city.report(grid_code=seed.VILLAGE)
    assert issue.due_provisional
    assert db.session.scalars(sa.select(timers.Timer.provisional)).one()


def test_history_cannot_be_changed_even_in_sql(city):
    issue = city.report()
    for sql in (
        "UPDATE issue_events SET name = 'x'",
        "DELETE FROM issue_events",
        "TRUNCATE issue_events CASCADE",
    ):
        with pytest.raises(DBAPIError, match="append-only"), db.session.begin_nested():
            db.session.execute(sa.text(sql))
    assert names_of(issue) == ["report"]


def test_an_issue_cannot_have_two_owners_even_in_sql(city):
    issue = city.report()
    department = db.session.scalars(sa.select(Department)).first()
    with pytest.raises(DBAPIError, match="one_unit"), db.session.begin_nested():
        db.session.execute(sa.update(Issue).where(Issue.id == issue.id).values(department_id=department.id))
    with pytest.raises(DBAPIError, match="uq_hops_open"), db.session.begin_nested():
        db.session.execute(
            sa.insert(Hop).values(
                issue_id=issue.id, n=2, unit_code=seed.CITY, entered_at=MONDAY, entered_by="x"
            )
        )


def test_each_is_told_once_and_nobody_of_their_own_doing(city):
    issue = city.report("resident")
    actions.act(issue, "accept", actor=city.micro_chief)
    deliver_all()
    deliver_all()
    told = db.session.execute(sa.select(Notice.person_id, Notice.seq)).all()
    assert sorted(told) == sorted([(city.micro_chief.id, 1), (city.resident.id, 2)])


def test_an_outbox_row_that_fails_is_kept_with_its_error_and_dies_in_the_end(city, monkeypatch):
    city.report()

    def broken(_id, _payload):
        raise RuntimeError("no way through")

    monkeypatch.setitem(outbox._consumers, "issue.told", broken)
    row = db.session.scalars(sa.select(outbox.Outgoing)).one()
    for _ in range(outbox.MAX_ATTEMPTS):
        assert outbox.deliver(row.id) is False
    db.session.refresh(row)
    assert (row.done_at, row.error, row.dead_at is not None) == (None, "RuntimeError: no way through", True)


def sweep() -> int:
    """The sweep, inside the test's own transaction."""
    due = db.session.execute(
        sa.select(timers.Timer.id, timers.Timer.subject_kind, timers.Timer.subject_id).where(
            timers.Timer.state == "open", timers.Timer.run_at <= sa.func.app_now()
        )
    ).all()
    return sum(timers.fire(*row) for row in due)


def deliver_all() -> None:
    for row_id in db.session.scalars(sa.select(outbox.Outgoing.id)).all():
        outbox.deliver(row_id)
