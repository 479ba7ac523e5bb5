"""Callback with its separate results, reopening within a time, appeal against a refusal: through the real actions."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from gridgov import db
from gridgov.errors import IllegalTransition, Invalid, NotPermitted
from gridgov.issues import actions, chances, queries, queues, words
from gridgov.issues.models import Hop, Issue
from gridgov.notices.models import Notice
from gridgov.people import actions as people_actions, queries as people
from gridgov.people.models import Role
from tests import seed
from tests.test_asks import able, open_timers
from tests.test_workflow_life import deliver_all, names_of, resolve, sweep

MONDAY = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)  # 09:00 in Wugang, a working day.
REASON = {"reason": "路灯又灭了"}
REFUSAL = {"reason": "已经起诉", "route": "法院"}


@pytest.fixture(autouse=True)
def monday(db_session):
    db.set_clock(MONDAY)


def asked(city: seed.City) -> Issue:
    """Handled by the micro chief, verified: the reporter is asked."""
    issue = city.report("resident")
    actions.act(issue, "accept", actor=city.micro_chief)
    resolve(issue, city.micro_chief)
    actions.act(issue, "verify", actor=city.village_chief, data={"way": "spot"})
    return issue


def closed(city: seed.City) -> Issue:
    issue = asked(city)
    actions.act(issue, "rate", actor=city.resident, data={"satisfaction": 4})
    return issue


def refused(city: seed.City, level: str = "township") -> Issue:
    """Not accepted by the office of this level."""
    issue = city.report("resident")
    climb = [
        ("micro", "micro_chief"),
        ("village", "village_chief"),
        ("township", "township_office"),
        ("city", "city_office"),
    ]
    for name, who in climb:
        if name == level:
            actions.act(issue, "not_accept", actor=city.person(who), data=REFUSAL)
            return issue
        actions.act(issue, "escalate", actor=city.person(who), data={"reason": "办不了"})
    raise AssertionError(level)


def told(city: seed.City, issue: Issue, audience: str) -> set[str]:
    deliver_all()
    rows = set(
        db.session.scalars(
            sa.select(Notice.person_id).where(
                Notice.issue_id == issue.id, Notice.seq == issue.last_seq, Notice.audience == audience
            )
        )
    )
    return {key for key in seed.PEOPLE if city.person(key).id in rows}


# Callback: three separate results ---------------------------------------------------------------------------------------


def test_an_office_says_how_it_asked_and_records_each_result(city):
    issue = asked(city)
    for data in ({"satisfaction": 2}, {"called": "phone"}, {"called": "mail", "satisfaction": 2}):
        if data.get("called") != "mail":
            with pytest.raises(Invalid):
                actions.act(issue, "record_solved", actor=city.village_chief, data=data)
    event = actions.act(
        issue, "record_solved", actor=city.village_chief, data={"called": "phone", "satisfaction": 2}
    )
    assert event.data == {"called": "phone", "satisfaction": 2}
    assert (issue.state, issue.on_time, issue.solved, issue.satisfaction) == ("closed", True, True, 2)


def test_not_solved_goes_back_and_keeps_the_satisfaction(city):
    issue = asked(city)
    data = {"called": "visit", "reason": "没有修", "satisfaction": 3}
    actions.act(issue, "record_unsolved", actor=city.village_chief, data=data)
    assert (issue.state, issue.unit_code, issue.solved, issue.satisfaction) == (
        "accepted",
        seed.MICRO,
        False,
        3,
    )
    assert issue.rework_count == 1


def test_the_reporter_says_so_without_a_way_of_asking(city):
    issue = asked(city)
    with pytest.raises(Invalid):
        actions.act(issue, "rate", actor=city.resident, data={"called": "phone", "satisfaction": 4})
    with pytest.raises(NotPermitted):
        actions.act(issue, "rate", actor=city.village_chief, data={"satisfaction": 4})
    actions.act(issue, "contest", actor=city.resident, data={"reason": "没有修", "satisfaction": 1})
    assert (issue.solved, issue.satisfaction) == (False, 1)


def test_solved_but_dissatisfied_is_closed_and_listed(city):
    issue, content = asked(city), asked(city)
    actions.act(issue, "rate", actor=city.resident, data={"satisfaction": 2})
    actions.act(content, "rate", actor=city.resident, data={"satisfaction": 3})
    db.session.flush()
    found = queues.lines(city.township_office, queues.Filter(view="all", state="dissatisfied")).rows
    assert [line.id for line in found] == [issue.id]


def test_a_silent_reporters_results_are_said_to_be_unknown(city):
    issue = asked(city)
    db.set_clock(issue.due_at + timedelta(minutes=1))
    sweep()
    db.session.refresh(issue)
    assert (issue.state, issue.on_time, issue.solved, issue.satisfaction) == ("closed", True, None, None)
    assert len(words.results(issue)) == 3


# Verification -----------------------------------------------------------------------------------------------------------


def test_a_verification_says_how_it_was_checked(city):
    issue = city.report("resident")
    actions.act(issue, "accept", actor=city.micro_chief)
    resolve(issue, city.micro_chief)
    with pytest.raises(Invalid) as wrong:
        actions.act(issue, "verify", actor=city.village_chief)
    assert set(wrong.value.errors) == {"way"}


def test_a_way_that_is_none_is_refused(city, client):
    issue = city.report("resident")
    actions.act(issue, "accept", actor=city.micro_chief)
    resolve(issue, city.micro_chief)
    url = f"/api/v1/issues/{issue.id}/events"
    assert client.send(url, {"name": "verify", "way": "telepathy"}, city.village_chief).status_code == 422
    assert client.send(url, {"name": "verify", "way": "photo"}, city.village_chief).status_code == 201


# Reopening --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["resident", "township_office", "city_office"])
def test_what_is_closed_goes_back_to_the_unit_that_handled_it(city, who):
    issue = closed(city)
    hops_before, before = issue.hop_n, issue.generation
    db.set_clock(MONDAY + timedelta(days=14))
    actions.act(issue, "reopen", actor=city.person(who), data=REASON)
    assert (issue.state, issue.unit_code, issue.reopen_count, issue.rework_count) == (
        "accepted",
        seed.MICRO,
        1,
        0,
    )
    assert (issue.ended_at, issue.due_at) == (None, MONDAY + timedelta(days=15))
    assert (issue.solved, issue.satisfaction, issue.generation) == (None, None, before + 1)
    hops = db.session.scalars(sa.select(Hop).where(Hop.issue_id == issue.id).order_by(Hop.n)).all()
    assert hops[-1].n == hops_before + 1 and hops[-1].left_at is None
    assert all(hop.left_at is not None and hop.left_at <= hops[-1].entered_at for hop in hops[:-1])
    assert told(city, issue, "unit") == {"micro_chief"}
    assert queries.todo_count(city.micro_chief) == 1
    resolve(issue, city.micro_chief)
    actions.act(issue, "verify", actor=city.village_chief, data={"way": "spot"})
    actions.act(issue, "rate", actor=city.resident, data={"satisfaction": 5})
    assert (issue.state, issue.satisfaction) == ("closed", 5)


def test_after_the_time_it_is_refused_with_the_date(city):
    issue = closed(city)
    assert "reopen" in able(city, "resident", issue)
    db.set_clock(MONDAY + timedelta(days=15, minutes=1))
    assert "reopen" not in able(city, "resident", issue)
    with pytest.raises(IllegalTransition) as refused:
        actions.act(issue, "reopen", actor=city.resident, data=REASON)
    assert refused.value.code == "guard_reopen_window"
    assert "12" in refused.value.message and "{" not in refused.value.message
    assert (issue.state, issue.reopen_count) == ("closed", 0)


@pytest.mark.parametrize(
    "who", ["micro_chief", "village_chief", "neighbour", "worker", "foreign_township_office"]
)
def test_others_do_not_reopen(city, who):
    with pytest.raises(NotPermitted):
        actions.act(closed(city), "reopen", actor=city.person(who), data=REASON)


def test_reopening_needs_a_reason(city):
    with pytest.raises(Invalid) as refused:
        actions.act(closed(city), "reopen", actor=city.resident)
    assert set(refused.value.errors) == {"reason"}


def test_a_withdrawn_issue_is_not_reopened(city):
    issue = city.report("resident")
    actions.act(issue, "withdraw", actor=city.resident)
    with pytest.raises(IllegalTransition):
        actions.act(issue, "reopen", actor=city.resident, data=REASON)


def test_where_nobody_is_on_duty_any_more_a_reopened_issue_goes_up(city):
    issue = closed(city)
    post = people.live_posts(city.micro_chief)[0]
    people_actions.end_post(post, actor=None)
    db.set_clock(MONDAY + timedelta(days=2))
    people.forget_posts()
    actions.act(issue, "reopen", actor=city.resident, data=REASON)
    assert (issue.state, issue.unit_code) == ("reported", seed.VILLAGE)


def test_the_page_of_a_closed_issue_says_until_when(city, client):
    issue_id = closed(city).id
    assert "上报人在12月1日" in client.page(f"/issues/{issue_id}", city.resident).text
    answer = client.form(f"/issues/{issue_id}/events", {"name": "reopen", "reason": "又坏了"}, city.resident)
    assert answer.status_code == 303
    db.session.expire_all()
    assert db.session.get_one(Issue, issue_id).state == "accepted"


# Appeals ----------------------------------------------------------------------------------------------------------------


def test_an_appeal_goes_one_level_up_with_a_deadline(city):
    issue = refused(city)
    actions.act(issue, "appeal", actor=city.resident, data={"reason": "没有起诉过"})
    assert (issue.state, issue.unit_code, issue.appeal, issue.ended_at) == (
        "appealed",
        seed.CITY,
        "open",
        None,
    )
    assert issue.due_at == datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
    assert told(city, issue, "judges") == {"city_office", "city_office_2"}
    assert able(city, "city_office", issue) >= {"uphold", "admit"}
    for who in ("township_office", "resident", "city_leader"):
        assert not able(city, who, issue) & {"uphold", "admit"}


def test_an_upheld_refusal_is_final(city):
    issue = refused(city)
    actions.act(issue, "appeal", actor=city.resident, data={"reason": "没有起诉过"})
    actions.act(issue, "uphold", actor=city.city_office, data={"reason": "法院已立案"})
    assert (issue.state, issue.appeal, issue.due_at) == ("not_accepted", "upheld", None)
    assert told(city, issue, "reporter") == {"resident"}
    with pytest.raises(IllegalTransition) as again:
        actions.act(issue, "appeal", actor=city.resident, data={"reason": "还是不服"})
    assert again.value.code == "guard_not_appealed_before"


def test_an_admitted_issue_goes_back_and_cannot_be_refused_again(city):
    issue = refused(city)
    actions.act(issue, "appeal", actor=city.resident, data={"reason": "没有起诉过"})
    actions.act(issue, "admit", actor=city.city_office_2, data={"reason": "查无立案"})
    assert (issue.state, issue.unit_code, issue.appeal) == ("reported", seed.TOWNSHIP, "admitted")
    assert issue.due_at is not None and told(city, issue, "unit") >= {"township_office"}
    with pytest.raises(IllegalTransition) as again:
        actions.act(issue, "not_accept", actor=city.township_office, data=REFUSAL)
    assert again.value.code == "guard_not_admitted"
    actions.act(issue, "accept", actor=city.township_office)


def test_what_was_admitted_is_not_merged_away(city):
    issue, other = refused(city), city.report("neighbour")
    actions.act(issue, "appeal", actor=city.resident, data=REASON)
    actions.act(issue, "admit", actor=city.city_office, data=REASON)
    for who in ("micro_chief", "village_chief"):
        actions.act(other, "escalate", actor=city.person(who), data=REASON)
    with pytest.raises(Invalid) as no, db.session.begin_nested():
        actions.act(issue, "merge", actor=city.township_office, data={"issue": other.number})
    assert "申诉" in no.value.errors["issue"][0]
    db.session.refresh(issue)
    actions.act(other, "merge", actor=city.township_office, data={"issue": issue.number})
    assert (issue.state, other.state) == ("reported", "merged")


SUPERVISED = {"reason": "多次反映", "report_on": "2026-11-20"}
INSTRUCTED = {"instruction": "立即到场"}


def test_supervision_and_instruction_end_with_the_issue_and_are_free_when_it_is_reopened(city):
    issue = city.report("resident")
    actions.act(issue, "raise_grade", actor=city.micro_chief, data={"grade": "A", "reason": "有危险"})
    actions.act(issue, "accept", actor=city.micro_chief)
    actions.act(issue, "supervise", actor=city.township_office, data=SUPERVISED)
    actions.act(issue, "instruct", actor=city.city_leader, data=INSTRUCTED)
    resolve(issue, city.micro_chief)
    actions.act(issue, "verify", actor=city.village_chief, data={"way": "spot"})
    actions.act(issue, "rate", actor=city.resident, data={"satisfaction": 4})
    assert (issue.supervisor_id, issue.instructor_id, issue.clocks) == (None, None, [])
    db.session.execute(  # As an issue that ended before this was so.
        sa.update(Issue)
        .where(Issue.id == issue.id)
        .values(supervisor_id=city.township_office.id, instructor_id=city.city_leader.id)
    )
    db.session.refresh(issue)
    actions.act(issue, "reopen", actor=city.resident, data=REASON)
    assert issue.clocks == ["situation"]
    actions.act(issue, "supervise", actor=city.city_office, data=SUPERVISED)
    actions.act(issue, "instruct", actor=city.city_leader, data=INSTRUCTED)
    assert issue.clocks == ["answer", "situation", "supervision"]
    assert [kind for kind, _state in open_timers(issue)] == ["answer", "resolve", "situation", "supervision"]


def test_an_admitted_issue_of_grade_a_owes_its_situation_report_and_can_be_supervised(city):
    issue = city.report("resident")
    actions.act(issue, "raise_grade", actor=city.micro_chief, data={"grade": "A", "reason": "有危险"})
    for who in ("micro_chief", "village_chief"):
        actions.act(issue, "escalate", actor=city.person(who), data=REASON)
    actions.act(issue, "supervise", actor=city.city_office, data=SUPERVISED)
    actions.act(issue, "not_accept", actor=city.township_office, data=REFUSAL)
    actions.act(issue, "appeal", actor=city.resident, data=REASON)
    assert (issue.supervisor_id, issue.clocks) == (None, [])
    actions.act(issue, "admit", actor=city.city_office, data=REASON)
    assert issue.clocks == ["situation"]
    actions.act(issue, "supervise", actor=city.city_office, data=SUPERVISED)
    assert issue.clocks == ["situation", "supervision"]


def test_what_the_city_refused_its_leaders_decide(city):
    issue = refused(city, "city")
    actions.act(issue, "appeal", actor=city.resident, data={"reason": "没有起诉过"})
    assert (issue.unit_code, told(city, issue, "judges")) == (seed.CITY, {"city_chief", "city_leader"})
    with pytest.raises(IllegalTransition) as own:
        actions.act(issue, "admit", actor=city.city_office_2, data={"reason": "查无立案"})
    assert own.value.code == "guard_judges"
    assert chances.sentence(issue, db.utcnow())
    actions.act(issue, "admit", actor=city.city_leader, data={"reason": "查无立案"})
    assert (issue.state, issue.unit_code) == ("reported", seed.CITY)


def test_whoever_refused_does_not_decide_in_another_post(city):
    issue = refused(city)
    people_actions.appoint(city.township_office, Role.CITY_OFFICE, actor=None, grid_code=seed.CITY)
    people.forget_posts()
    actions.act(issue, "appeal", actor=city.resident, data={"reason": "没有起诉过"})
    with pytest.raises(IllegalTransition) as own:
        actions.act(issue, "uphold", actor=city.township_office, data={"reason": "就是不办"})
    assert own.value.code == "guard_judges"


def test_an_appeal_comes_within_its_time(city):
    issue = refused(city)
    db.set_clock(MONDAY + timedelta(days=15, minutes=1))
    with pytest.raises(IllegalTransition) as late:
        actions.act(issue, "appeal", actor=city.resident, data={"reason": "没有起诉过"})
    assert late.value.code == "guard_appeal_window" and "{" not in late.value.message


@pytest.mark.parametrize("who", ["neighbour", "micro_chief", "township_office", "city_office"])
def test_nobody_else_appeals(city, who):
    with pytest.raises(NotPermitted):
        actions.act(refused(city), "appeal", actor=city.person(who), data={"reason": "不服"})


def test_an_appeal_that_waits_too_long_is_said_to_its_judges(city):
    issue = refused(city, "city")
    actions.act(issue, "appeal", actor=city.resident, data={"reason": "没有起诉过"})
    db.set_clock(issue.due_at + timedelta(minutes=1))
    sweep()
    db.session.refresh(issue)
    assert names_of(issue)[-1] == "appeal_late" and issue.state == "appealed"
    assert told(city, issue, "judges") == {"city_chief", "city_leader"}


def test_the_database_knows_what_an_appeal_can_be(city):
    issue = refused(city)
    with pytest.raises(IntegrityError, match="appeal_known"), db.session.begin_nested():
        db.session.execute(sa.update(Issue).where(Issue.id == issue.id).values(appeal="maybe"))


def test_every_state_after_an_end_says_what_can_still_be_done(city):
    now = db.utcnow()
    issue = closed(city)
    late = now + timedelta(days=16)
    assert chances.sentence(issue, now) and chances.sentence(issue, late) != chances.sentence(issue, now)
    denied = refused(city)
    assert chances.sentence(denied, now) and chances.sentence(denied, late) != chances.sentence(denied, now)
    assert chances.sentence(city.report("resident"), now) == ""
