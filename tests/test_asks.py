"""What a handler asks of the level above, and moves to the side: through the real actions, on the small test city."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from gridgov import db, timers
from gridgov.errors import Conflict, IllegalTransition, Invalid, NotFound, NotPermitted
from gridgov.i18n import forced
from gridgov.issues import actions, flow, queries
from gridgov.issues.models import Issue
from gridgov.notices import texts
from gridgov.notices.models import Notice
from gridgov.people import actions as people, queries as people_queries
from gridgov.people.models import Role
from tests import seed
from tests.factories import photo_of
from tests.test_workflow_life import deliver_all, names_of, sweep

MONDAY = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)  # 09:00 in Wugang, a working day.
HALF = {"extra": "50", "reason": "配件还没有到"}


@pytest.fixture(autouse=True)
def monday(db_session):
    db.set_clock(MONDAY)


def accepted(city: seed.City, level: str = "micro") -> Issue:
    """An issue that was accepted at 09:00 by the micro chief, or carried up and accepted there."""
    issue = city.report("resident")
    climb = [("micro", "micro_chief"), ("village", "village_chief"), ("township", "township_office"), ("city", "city_office")]
    for name, who in climb:
        if name == level or name == "city":
            break
        actions.act(issue, "escalate", actor=city.person(who), data={"reason": "办不了"})
    if level == "department":
        actions.act(issue, "dispatch", actor=city.city_office, data={"department": "transport"})
    who = dict(climb).get(level, "department")
    actions.act(issue, "accept", actor=city.person(who))
    return issue


def open_timers(issue: Issue) -> list[tuple[str, str]]:
    rows = db.session.execute(
        sa.select(timers.Timer.kind, timers.Timer.state)
        .where(timers.Timer.subject_id == issue.id, timers.Timer.state.in_(["open", "paused"]))
        .order_by(timers.Timer.kind)
    )
    return [(row.kind, row.state) for row in rows]


def able(city: seed.City, who: str, issue: Issue) -> set[str]:
    return {move.name for move in queries.transitions(city.person(who), issue)}


# More time ------------------------------------------------------------------------------------------------------------


def test_an_extension_adds_to_the_deadline_what_was_asked(city):
    issue = accepted(city)
    before = issue.due_at
    actions.act(issue, "ask_time", actor=city.micro_chief, data=HALF)
    assert (issue.asked_kind, issue.decides_code, issue.due_at) == ("extension", seed.VILLAGE, before)
    actions.act(issue, "grant_time", actor=city.village_chief)
    assert issue.due_at == before + timedelta(hours=12)
    assert issue.warn_at == MONDAY + timedelta(hours=36) * 0.8
    assert (issue.asked_kind, issue.asked_seq, issue.decides_code) == (None, None, None)
    db.set_clock(before + timedelta(hours=1))
    sweep()  # It may warn, but it does not pass it up.
    db.session.refresh(issue)
    assert issue.unit_code == seed.MICRO
    db.set_clock(before + timedelta(hours=13))
    sweep()
    db.session.refresh(issue)
    assert issue.unit_code == seed.VILLAGE


def test_an_extension_on_office_hours_skips_the_night(city):
    issue = accepted(city, "village")
    actions.act(issue, "ask_time", actor=city.village_chief, data=HALF)
    actions.act(issue, "grant_time", actor=city.township_office)
    # Three days of seven hours from Monday 09:00 end on Thursday 09:00; ten and a half hours more on Friday 15:00.
    assert issue.due_at == datetime(2026, 11, 20, 7, 0, tzinfo=UTC)


def test_the_second_extension_is_the_citys_to_decide_and_there_is_no_third(city):
    issue = accepted(city)
    actions.act(issue, "ask_time", actor=city.micro_chief, data=HALF)
    actions.act(issue, "grant_time", actor=city.village_chief)
    actions.act(issue, "ask_time", actor=city.micro_chief, data={**HALF, "extra": "25"})
    assert issue.decides_code == seed.CITY
    with pytest.raises(NotPermitted):
        actions.act(issue, "grant_time", actor=city.village_chief)
    actions.act(issue, "grant_time", actor=city.city_office)
    with pytest.raises(IllegalTransition) as refused:
        actions.act(issue, "ask_time", actor=city.micro_chief, data=HALF)
    assert refused.value.code == "guard_extensions_left"


def test_a_refusal_leaves_the_deadline_and_another_can_be_asked(city):
    issue = accepted(city)
    before = issue.due_at
    actions.act(issue, "ask_time", actor=city.micro_chief, data=HALF)
    actions.act(issue, "refuse", actor=city.village_chief, data={"reason": "今天必须办完"})
    assert (issue.due_at, issue.asked_kind) == (before, None)
    assert "ask_time" in able(city, "micro_chief", issue)


def test_nothing_is_asked_twice_or_after_the_deadline(city):
    issue = accepted(city, "department")
    actions.act(issue, "ask_time", actor=city.department, data=HALF)
    with pytest.raises(IllegalTransition) as refused:
        actions.act(issue, "ask_suspension", actor=city.department, data={"reason": "汛期", "review_on": "2026-12-01"})
    assert refused.value.code == "guard_nothing_asked"
    db.set_clock(issue.due_at + timedelta(minutes=1))
    with pytest.raises(IllegalTransition) as refused:
        actions.act(issue, "grant_time", actor=city.city_office)
    assert refused.value.code == "guard_in_time"


def test_whoever_asked_does_not_decide_and_the_citys_leaders_decide_for_its_office(city):
    issue = accepted(city, "city")
    actions.act(issue, "ask_time", actor=city.city_office, data=HALF)
    assert issue.decides_code == seed.CITY
    for who in ("city_office", "city_office_2"):
        with pytest.raises(IllegalTransition) as refused:
            actions.act(issue, "grant_time", actor=city.person(who))
        assert refused.value.code == "guard_one_above"
    actions.act(issue, "grant_time", actor=city.city_leader)
    assert names_of(issue)[-1] == "grant_time"


def test_an_asker_with_a_post_above_does_not_decide_either(city):
    issue = accepted(city)
    people.appoint(city.micro_chief, Role.VILLAGE_CHIEF, actor=None, grid_code=seed.VILLAGE)
    actions.act(issue, "ask_time", actor=city.micro_chief, data=HALF)
    with pytest.raises(IllegalTransition):
        actions.act(issue, "grant_time", actor=city.micro_chief)
    assert "grant_time" not in able(city, "micro_chief", issue)
    assert "grant_time" in able(city, "village_chief", issue)


def test_an_issue_that_moves_on_takes_its_request_back(city):
    issue = accepted(city)
    actions.act(issue, "ask_time", actor=city.micro_chief, data=HALF)
    actions.act(issue, "escalate", actor=city.micro_chief, data={"reason": "办不了"})
    assert issue.asked_kind is None


def test_the_one_who_decides_is_told_and_finds_it_among_what_waits(city):
    issue = accepted(city)
    actions.act(issue, "ask_time", actor=city.micro_chief, data=HALF)
    deliver_all()
    told = set(db.session.scalars(sa.select(Notice.person_id).where(Notice.audience == "decider")))
    assert told == {city.village_chief.id}
    assert [row.issue.id for row in queries.todo(city.village_chief).rows] == [issue.id]
    assert queries.todo_count(city.village_chief) == 1
    assert queries.todo_count(city.foreign_village_chief) == 0


@pytest.mark.parametrize("data", [{"extra": "60", "reason": "久"}, {"extra": "50"}, {"reason": "久"}])
def test_an_extension_of_another_length_or_without_reason_is_refused(city, client, data):
    issue = accepted(city)
    answer = client.send(f"/api/v1/issues/{issue.id}/events", {"name": "ask_time", **data}, city.micro_chief)
    assert answer.status_code == 422


# A stopped clock ------------------------------------------------------------------------------------------------------


def suspend(city: seed.City, issue: Issue, until: str = "2026-12-20") -> None:
    actions.act(issue, "ask_suspension", actor=city.micro_chief, data={"reason": "河水没退，不能施工", "review_on": until})
    actions.act(issue, "suspend", actor=city.village_chief)


def test_a_suspended_issue_keeps_exactly_what_was_left(city):
    issue = accepted(city)
    db.set_clock(MONDAY + timedelta(hours=5, seconds=7))
    suspend(city, issue)
    assert issue.state == "suspended" and open_timers(issue) == [("resolve", "paused"), ("review", "open")]
    assert issue.due_at == datetime(2026, 12, 20, 9, 30, tzinfo=UTC)
    db.set_clock(MONDAY + timedelta(days=10))
    sweep()
    actions.act(issue, "resume", actor=city.micro_chief)
    assert issue.state == "accepted" and open_timers(issue) == [("resolve", "open")]
    assert issue.due_at == MONDAY + timedelta(days=10) + timedelta(hours=24) - timedelta(hours=5, seconds=7)


def test_on_the_review_day_the_unit_is_reminded_and_the_rest_is_still_there(city):
    issue = accepted(city)
    suspend(city, issue, "2026-11-20")
    db.set_clock(datetime(2026, 11, 20, 10, 0, tzinfo=UTC))
    sweep()
    db.session.refresh(issue)
    assert (issue.state, names_of(issue)[-1]) == ("suspended", "remind")
    assert open_timers(issue) == [("resolve", "paused"), ("review", "open")]
    actions.act(issue, "resume", actor=city.village_chief)
    assert issue.due_at == db.utcnow() + timedelta(hours=24)


def test_a_withdrawn_suspended_issue_leaves_no_timer(city):
    issue = accepted(city)
    suspend(city, issue)
    actions.act(issue, "withdraw", actor=city.resident)
    assert (issue.state, open_timers(issue)) == ("withdrawn", [])


@pytest.mark.parametrize("day", ["2026-11-16", "2026-11-01", "2027-03-01"])
def test_a_review_date_must_lie_ahead_but_not_too_far(city, day):
    issue = accepted(city)
    with pytest.raises(Invalid) as refused:
        actions.act(issue, "ask_suspension", actor=city.micro_chief, data={"reason": "汛期", "review_on": day})
    assert "review_on" in refused.value.errors
    assert issue.asked_kind is None


@pytest.mark.parametrize("day", ["soon", "2026-13-01", "", 7])
def test_a_review_date_that_is_none_is_refused(city, client, day):
    issue = accepted(city)
    body = {"name": "ask_suspension", "reason": "汛期", "review_on": day}
    answer = client.send(f"/api/v1/issues/{issue.id}/events", body, city.micro_chief)
    assert answer.status_code == 422 and "review_on" in answer.json["errors"]


def test_the_database_refuses_half_a_request(city):
    issue = accepted(city)
    with pytest.raises(IntegrityError), db.session.begin_nested():
        db.session.execute(sa.update(Issue).where(Issue.id == issue.id).values(asked_kind="extension"))


# To the side ----------------------------------------------------------------------------------------------------------


def test_a_transfer_goes_to_a_neighbour_and_only_once(city):
    issue = city.report("resident")
    actions.act(issue, "transfer", actor=city.micro_chief, data={"unit": seed.SIBLING_MICRO, "reason": "在二组地界"})
    assert (issue.unit_code, issue.state, issue.hop_n) == (seed.SIBLING_MICRO, "reported", 2)
    with pytest.raises(IllegalTransition) as refused:
        actions.act(issue, "transfer", actor=city.sibling_micro_chief, data={"unit": seed.MICRO, "reason": "还是一组的"})
    assert refused.value.code == "guard_not_transferred_before"


@pytest.mark.parametrize("to", [seed.FOREIGN_MICRO, seed.VILLAGE, seed.MICRO, "43058110", "nowhere"])
def test_a_transfer_elsewhere_is_refused(city, to):
    issue = city.report("resident")
    with pytest.raises(Invalid) as refused:
        actions.act(issue, "transfer", actor=city.micro_chief, data={"unit": to, "reason": "不归我管"})
    assert "unit" in refused.value.errors and issue.unit_code == seed.MICRO


def test_a_department_declines_once_and_then_it_stands(city):
    issue = city.report("resident")
    for who in ("micro_chief", "village_chief", "township_office"):
        actions.act(issue, "escalate", actor=city.person(who), data={"reason": "办不了"})
    actions.act(issue, "dispatch", actor=city.city_office, data={"department": "transport"})
    actions.act(issue, "decline", actor=city.department, data={"reason": "这是村道，不归我局"})
    assert (issue.state, issue.unit_code) == ("reported", seed.CITY)
    actions.act(issue, "dispatch", actor=city.city_office, data={"department": "transport", "note": "按职责清单归你局"})
    with pytest.raises(IllegalTransition) as refused:
        actions.act(issue, "decline", actor=city.department, data={"reason": "还是不归我局"})
    assert refused.value.code == "guard_not_declined_before"


def test_declining_is_over_after_a_working_day(city):
    issue = city.report("resident")
    for who in ("micro_chief", "village_chief", "township_office"):
        actions.act(issue, "escalate", actor=city.person(who), data={"reason": "办不了"})
    actions.act(issue, "dispatch", actor=city.city_office, data={"department": "transport"})
    db.set_clock(MONDAY + timedelta(days=1, minutes=1))
    with pytest.raises(IllegalTransition) as refused:
        actions.act(issue, "decline", actor=city.department, data={"reason": "不归我局"})
    assert refused.value.code == "guard_may_decline"


def test_nobody_urges_twice_a_day(city):
    issue = accepted(city)
    actions.act(issue, "urge", actor=city.resident)
    with pytest.raises(IllegalTransition) as refused:
        actions.act(issue, "urge", actor=city.resident)
    assert refused.value.code == "guard_not_urged_today"
    actions.act(issue, "urge", actor=city.village_chief, data={"note": "请今天办完"})
    db.set_clock(MONDAY + timedelta(hours=16))  # After midnight in Wugang.
    actions.act(issue, "urge", actor=city.resident)
    deliver_all()
    told = db.session.scalars(sa.select(Notice.person_id).where(Notice.audience == "unit", Notice.issue_id == issue.id))
    assert list(told).count(city.micro_chief.id) >= 3


def test_every_choice_in_the_file_has_words_in_both_languages():
    for spec in flow.current().fields.values():
        for words in spec.options.values():
            assert words["zh"] and words["en"]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_tells_who_did_it_in_which_role(city, client, language):
    issue = accepted(city)
    actions.act(issue, "note", actor=city.worker, data={"note": "看过了"})
    actions.act(issue, "ask_time", actor=city.micro_chief, data=HALF)
    actions.act(issue, "grant_time", actor=city.village_chief)
    actions.act(issue, "ask_suspension", actor=city.micro_chief, data={"reason": "汛期", "review_on": "2026-12-20"})
    assert {event.actor_role for event in queries.story(city.worker, issue).events} == {
        "reporter", "micro_chief", "worker", "village_chief"
    }  # fmt: skip
    address = f"/issues/{issue.id}"
    for who in ("worker", "resident", "village_chief"):
        people.set_preferences(city.person(who), language=language)
        page = client.page(address, city.person(who))
        assert page.status_code == 200
    body = page.get_data(as_text=True)
    for words in {"zh": ("网格员", "小网格长", "原时限的一半", "2026年12月20日", "申请挂账"), "en": ("Half of the original limit",)}[language]:
        assert words in body


# Gravity and clocks beside the state ----------------------------------------------------------------------------------


def timers_of(issue: Issue) -> dict[str, tuple[datetime, int]]:
    rows = db.session.scalars(sa.select(timers.Timer).where(timers.Timer.subject_id == issue.id, timers.Timer.state == "open"))
    return {row.kind: (row.due_at, row.generation) for row in rows}


def told_as(audience: str) -> set:
    deliver_all()
    return set(db.session.scalars(sa.select(Notice.person_id).where(Notice.audience == audience)))


def test_a_grave_report_alarms_every_level_and_the_leaders_and_starts_the_hour(city):
    issue = city.report("worker")
    actions.act(issue, "raise_grade", actor=city.micro_chief, data={"grade": "A", "reason": "引燃了柴垛"})
    assert issue.grade == "A" and issue.clocks == ["situation"]
    assert timers_of(issue)["accept"][0] == MONDAY + timedelta(minutes=15)
    assert timers_of(issue)["situation"][0] == MONDAY + timedelta(hours=1)
    wanted = {"village_chief", "township_chief", "township_office", "city_office", "city_office_2", "city_chief", "city_leader"}
    assert {city.person(who).id for who in wanted} <= told_as("alarmed")


def test_a_category_that_is_grave_from_the_start_alarms_with_the_report(city):
    code = db.session.scalar(sa.text("SELECT code FROM categories WHERE grade = 'A' AND NOT photos_required ORDER BY code LIMIT 1"))
    issue = city.report("worker", category=code)
    assert (issue.grade, issue.clocks) == ("A", ["situation"])
    assert city.city_leader.id in told_as("alarmed")
    assert issue.due_at == MONDAY + timedelta(minutes=15)


def test_the_hour_goes_on_while_the_issue_moves_and_ends_with_the_report(city):
    issue = city.report("worker")
    actions.act(issue, "raise_grade", actor=city.micro_chief, data={"grade": "A", "reason": "有人受伤"})
    actions.act(issue, "accept", actor=city.micro_chief)
    actions.act(issue, "escalate", actor=city.micro_chief, data={"reason": "人手不够"})
    assert timers_of(issue)["situation"] == (MONDAY + timedelta(hours=1), issue.generation)
    actions.act(issue, "situation", actor=city.village_chief, data={"note": "已送医"})
    assert issue.clocks == [] and set(timers_of(issue)) == {"accept"}
    actions.act(issue, "situation", actor=city.village_chief, data={"note": "续报：已脱险"})


def test_no_report_within_the_hour_is_told_to_all(city):
    issue = city.report("worker")
    actions.act(issue, "raise_grade", actor=city.micro_chief, data={"grade": "A", "reason": "有人受伤"})
    actions.act(issue, "accept", actor=city.micro_chief)
    db.set_clock(MONDAY + timedelta(hours=1, minutes=1))
    sweep()
    db.session.refresh(issue)
    assert "situation_late" in names_of(issue) and issue.clocks == []
    assert issue.state == "accepted"


def test_a_grade_is_raised_and_lowered_only_the_way_the_move_says(city):
    issue = accepted(city)
    with pytest.raises(Invalid):
        actions.act(issue, "raise_grade", actor=city.micro_chief, data={"grade": "C", "reason": "x"})
    actions.act(issue, "raise_grade", actor=city.micro_chief, data={"grade": "A", "reason": "塌方"})
    with pytest.raises(NotPermitted):
        actions.act(issue, "lower_grade", actor=city.micro_chief, data={"grade": "C", "reason": "没那么严重"})
    with pytest.raises(Invalid):
        actions.act(issue, "lower_grade", actor=city.township_office, data={"grade": "A", "reason": "x"})
    actions.act(issue, "lower_grade", actor=city.township_office, data={"grade": "C", "reason": "虚惊一场"})
    assert (issue.grade, issue.clocks, set(timers_of(issue))) == ("C", [], {"resolve"})
    assert issue.due_at == MONDAY + timedelta(hours=24)


def test_only_grave_issues_take_situation_reports(city):
    with pytest.raises(IllegalTransition) as refused:
        actions.act(accepted(city), "situation", actor=city.micro_chief, data={"note": "一切正常"})
    assert refused.value.code == "guard_grave"


def test_an_instruction_waits_for_its_answer(city):
    issue = accepted(city)
    actions.act(issue, "instruct", actor=city.city_leader, data={"instruction": "今天到现场"})
    assert timers_of(issue)["answer"][0] == datetime(2026, 11, 17, 1, 0, tzinfo=UTC)
    actions.act(issue, "answer", actor=city.micro_chief, data={"note": "已到现场"})
    assert issue.instructor_id is None and issue.clocks == []
    assert told_as("instructor") == {city.city_leader.id}
    with pytest.raises(IllegalTransition):
        actions.act(issue, "answer", actor=city.micro_chief, data={"note": "再答一次"})


def test_an_instruction_without_answer_is_told_to_the_leader(city):
    issue = accepted(city, "city")
    actions.act(issue, "instruct", actor=city.city_leader, data={"instruction": "今天到现场"})
    db.set_clock(datetime(2026, 11, 17, 1, 1, tzinfo=UTC))
    sweep()
    assert names_of(issue)[-1] == "answer_late"
    assert told_as("instructor") == {city.city_leader.id}


def test_supervision_is_listed_has_a_date_and_ends_with_a_report(city):
    issue = accepted(city, "city")
    actions.act(issue, "supervise", actor=city.city_leader, data={"reason": "群众反映强烈", "report_on": "2026-11-18"})
    assert issue.supervisor_id == city.city_leader.id
    with pytest.raises(IllegalTransition):
        actions.act(issue, "supervise", actor=city.city_office, data={"reason": "再督", "report_on": "2026-11-18"})
    db.set_clock(datetime(2026, 11, 18, 9, 31, tzinfo=UTC))
    sweep()
    assert names_of(issue)[-1] == "supervision_due"
    assert told_as("supervisor") == {city.city_leader.id}
    actions.act(issue, "end_supervision", actor=city.city_leader, data={"note": "已督促到位"})
    assert issue.supervisor_id is None


@pytest.mark.parametrize("day", ["2026-11-15", "2020-01-01", "2028-01-01", "9999-12-31"])
def test_a_supervised_date_lies_ahead(city, day):
    with pytest.raises(Invalid) as refused:
        actions.act(accepted(city), "supervise", actor=city.city_leader, data={"reason": "急", "report_on": day})
    assert "report_on" in refused.value.errors


def test_urged_without_a_move_is_told_above_and_a_move_ends_it(city):
    issue = accepted(city, "village")
    actions.act(issue, "urge", actor=city.resident)
    assert issue.clocks == ["urge"]
    db.set_clock(datetime(2026, 11, 17, 1, 1, tzinfo=UTC))
    sweep()
    assert names_of(issue)[-1] == "urge_late"
    assert told_as("above") == {city.township_chief.id, city.township_office.id, city.township_office_2.id}
    actions.act(issue, "urge", actor=city.resident)
    actions.act(issue, "escalate", actor=city.village_chief, data={"reason": "办不了"})
    assert issue.clocks == [] and set(timers_of(issue)) == {"accept"}


def test_clocks_beside_a_stopped_one_go_on_and_all_end_with_the_issue(city):
    issue = accepted(city)
    actions.act(issue, "supervise", actor=city.city_leader, data={"reason": "急", "report_on": "2026-11-30"})
    suspend(city, issue)
    assert open_timers(issue) == [("resolve", "paused"), ("review", "open"), ("supervision", "open")]
    actions.act(issue, "resume", actor=city.micro_chief)
    assert open_timers(issue) == [("resolve", "open"), ("supervision", "open")]
    assert {generation for _due, generation in timers_of(issue).values()} == {issue.generation}
    actions.act(issue, "withdraw", actor=city.resident)
    assert open_timers(issue) == [] and issue.clocks == []


def test_what_is_supervised_has_a_list_of_its_own_at_the_desk(city, client):
    issue, other = accepted(city), accepted(city)
    actions.act(issue, "supervise", actor=city.city_leader, data={"reason": "急", "report_on": "2026-11-30"})
    shown, hidden = issue.number, other.number
    page = client.page("/desk?view=all&state=supervised", city.township_office)
    body = page.get_data(as_text=True)
    assert page.status_code == 200 and shown in body and hidden not in body
    assert client.page("/desk?view=all&state=watched", city.township_office).status_code == 422


def test_leaders_find_what_the_citys_office_asks_them(city, client):
    asked, other = accepted(city, "city"), accepted(city, "city")
    actions.act(asked, "ask_time", actor=city.city_office, data=HALF)
    shown, hidden = asked.number, other.number
    body = client.page("/desk?view=all&state=asked", city.city_leader).get_data(as_text=True)
    assert shown in body and hidden not in body and "待审批" in body


def test_what_the_whole_citys_office_handled_is_verified_by_its_leaders(city):
    issue = accepted(city, "city")
    result = {"result": "修好了", "proof": [photo_of(city.city_office_2)]}
    actions.act(issue, "resolve", actor=city.city_office_2, data=result)
    with pytest.raises(IllegalTransition) as refused:
        actions.act(issue, "verify", actor=city.city_office, data={"way": "spot"})
    assert refused.value.code == "guard_not_handler"
    assert told_as("checkers") == {city.city_chief.id, city.city_leader.id}
    actions.act(issue, "verify", actor=city.city_leader, data={"way": "spot"})
    assert issue.state == "callback"


def test_leaders_are_left_alone_while_somebody_else_can_verify(city):
    issue = accepted(city, "city")
    actions.act(issue, "resolve", actor=city.city_office, data={"result": "修好了", "proof": [photo_of(city.city_office)]})
    assert told_as("checkers") == set()


# What a second look found ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("audience", sorted(flow.AUDIENCES))
@pytest.mark.parametrize("language", ["zh", "en"])
def test_each_audience_is_told_in_words_of_its_own(app, audience, language):
    with app.test_request_context(), forced(language):
        words = texts.sentence(audience, {"category": "路面坑洼", "step": "申请延期"})
        left = texts.sentence("left", {"category": "路面坑洼", "step": "申请延期"})
    assert "路面坑洼" in words and (words == left) is (audience == "left")


def test_an_audience_that_nobody_has_words_for_is_a_mistake_of_ours(app):
    with app.test_request_context(), pytest.raises(AssertionError):
        texts.sentence("crowd", {"category": "", "step": ""})


def test_nobody_gets_a_new_deadline_by_changing_the_grade(city):
    issue = accepted(city, "village")
    before = issue.due_at
    db.set_clock(MONDAY + timedelta(days=1))
    actions.act(issue, "ask_time", actor=city.village_chief, data=HALF)
    actions.act(issue, "raise_grade", actor=city.village_chief, data={"grade": "B", "reason": "更严重了"})
    actions.act(issue, "raise_grade", actor=city.village_chief, data={"grade": "A", "reason": "更严重了"})
    assert (issue.due_at, issue.asked_kind) == (before, "extension")
    assert timers_of(issue)["resolve"][0] == before and issue.clocks == ["situation"]


def test_an_office_that_gave_it_to_its_own_department_after_a_transfer_still_sees_and_decides(city):
    station = people.create_department("station", "国土所", seed.FOREIGN_TOWNSHIP, actor=None)
    people.appoint(city.neighbour, Role.DEPARTMENT, actor=None, department_id=station.id)
    issue = city.report("resident", grid_code=seed.TOWNSHIP)
    actions.act(issue, "transfer", actor=city.township_office, data={"unit": seed.FOREIGN_TOWNSHIP, "reason": "归他们管"})
    actions.act(issue, "dispatch", actor=city.foreign_township_office, data={"department": "station"})
    actions.act(issue, "accept", actor=city.neighbour)
    actions.act(issue, "ask_time", actor=city.neighbour, data=HALF)
    assert issue.decides_code == seed.FOREIGN_TOWNSHIP
    assert queries.visible(city.foreign_township_office, issue.id)
    actions.act(issue, "grant_time", actor=city.foreign_township_office)
    with pytest.raises(NotFound):
        queries.visible(city.foreign_worker, issue.id)


def test_what_nobody_else_can_decide_at_the_next_level_goes_further_up(city):
    for post in people_queries.live_posts(city.village_chief):
        people.end_post(post, actor=None)
    people.appoint(city.micro_chief, Role.VILLAGE_CHIEF, actor=None, grid_code=seed.VILLAGE)
    issue = accepted(city)
    actions.act(issue, "ask_time", actor=city.micro_chief, data=HALF)
    assert issue.decides_code == seed.TOWNSHIP
    actions.act(issue, "grant_time", actor=city.township_office)


def test_a_request_can_be_taken_back(city):
    issue = accepted(city)
    actions.act(issue, "ask_suspension", actor=city.micro_chief, data={"reason": "汛期", "review_on": "2026-12-01"})
    actions.act(issue, "take_back", actor=city.micro_chief)
    assert issue.asked_kind is None
    with pytest.raises(IllegalTransition):
        actions.act(issue, "take_back", actor=city.micro_chief)


def test_a_suspension_is_not_granted_after_its_own_review_date(city):
    issue = accepted(city, "city")
    actions.act(issue, "ask_suspension", actor=city.city_office, data={"reason": "汛期", "review_on": "2026-11-17"})
    db.set_clock(datetime(2026, 11, 18, 1, 0, tzinfo=UTC))
    with pytest.raises(IllegalTransition) as refused:
        actions.act(issue, "suspend", actor=city.city_leader)
    assert refused.value.code == "guard_review_ahead"


def test_a_second_leader_does_not_overwrite_the_first_ones_instruction(city):
    issue = accepted(city)
    actions.act(issue, "instruct", actor=city.city_leader, data={"instruction": "今天到现场"})
    with pytest.raises(IllegalTransition) as refused:
        actions.act(issue, "instruct", actor=city.township_chief, data={"instruction": "先报我"})
    assert refused.value.code == "guard_not_instructed"
    actions.act(issue, "instruct", actor=city.city_leader, data={"instruction": "带上设备"})


def test_a_deadline_that_the_file_calls_by_another_name_now_is_not_lost(city):
    issue = accepted(city)
    db.session.execute(sa.update(timers.Timer).where(timers.Timer.subject_id == issue.id).values(kind="settle"))
    db.set_clock(issue.due_at + timedelta(minutes=1))
    sweep()
    db.session.refresh(issue)
    assert (issue.unit_code, issue.state) == (seed.VILLAGE, "reported")


def test_whoever_decides_decides_on_the_request_they_read(city):
    issue = accepted(city)
    actions.act(issue, "urge", actor=city.resident)
    actions.act(issue, "ask_time", actor=city.micro_chief, data={**HALF, "extra": "25"})
    read = issue.generation
    actions.act(issue, "take_back", actor=city.micro_chief)
    actions.act(issue, "ask_time", actor=city.micro_chief, data=HALF)
    before = issue.due_at
    with pytest.raises(Conflict) as refused:
        actions.act(issue, "grant_time", actor=city.village_chief, expected=read)
    assert (refused.value.code, issue.due_at, issue.asked_kind) == ("changed", before, "extension")
    actions.act(issue, "grant_time", actor=city.village_chief, expected=issue.generation)
    assert issue.due_at == before + timedelta(hours=12)
    db.set_clock(issue.due_at + timedelta(minutes=1))
    assert open_timers(issue) == [("resolve", "open"), ("urge", "open")]
    sweep()  # Both went with the request to the new generation: neither is lost.
    db.session.refresh(issue)
    assert (issue.unit_code, issue.state) == (seed.VILLAGE, "reported")


def test_a_clock_that_the_file_no_longer_knows_stops_nothing(city, monkeypatch):
    issue = accepted(city, "village")
    actions.act(issue, "urge", actor=city.resident)
    monkeypatch.delitem(flow.current().clocks, "urge")
    due_at = issue.due_at
    db.set_clock(datetime(2026, 11, 17, 1, 1, tzinfo=UTC))
    sweep()
    db.session.refresh(issue)
    assert (issue.unit_code, issue.due_at) == (seed.VILLAGE, due_at)
    actions.act(issue, "escalate", actor=city.village_chief, data={"reason": "办不了"})
    assert issue.clocks == []
