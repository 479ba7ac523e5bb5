"""The calendar as a city keeps it: notices and single days imported, hours by township, and what moves by it."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gridgov import db, timers
from gridgov.errors import Invalid, NotFound, NotPermitted
from gridgov.grids.csvfile import ImportRefused
from gridgov.i18n import forced
from gridgov.issues import actions as issues
from gridgov.issues.models import Hop, Issue
from gridgov.limits import Clock, Limit
from gridgov.timers import Timer
from gridgov.worktime import actions, inforce, notice, queries, reckoning, recompute
from gridgov.worktime.models import CalendarChange, CalendarDay, CalendarYear, DeadlineMove
from tests import seed
from tests.office import at

# Made up: nobody has the notice for 2027 yet.
OFF_2027 = ["2027-01-01", "2027-01-02", "2027-01-03", *(f"2027-02-{d:02}" for d in range(5, 13)), "2027-04-05", "2027-05-01"]
WORK_2027 = ["2027-02-14", "2027-02-20"]
CSV = "date,kind,name\n" + "".join(f"{d},rest,节\n" for d in OFF_2027) + "".join(f"{d},work,班\n" for d in WORK_2027)
JSON = {
    "$schema": "x", "year": 2027, "papers": ["https://www.gov.cn/notice"],
    "days": [{"name": "节", "date": d, "isOffDay": True} for d in OFF_2027]
    + [{"name": "班", "date": d, "isOffDay": False} for d in WORK_2027],
}  # fmt: skip
NEW_YEAR = "2026-12-31 10:00"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other process goes on with an older calendar here."""
    monkeypatch.setattr(inforce, "CHECK_S", 0.0)
    monkeypatch.setattr(recompute, "MARGIN_S", 0.0)


def read(text: str | bytes = CSV, **given: Any) -> notice.Notice:
    data = text if isinstance(text, bytes) else text.encode()
    return notice.read(data, "2027.csv", **given)


def take(text: str | bytes = CSV, *, actor: Any = None, **given: Any) -> actions.Report:
    """Import, and let the deadlines follow."""
    with db.transaction():
        report = actions.import_notice(read(text, **given), actor=actor)
    recompute.finish(patience_s=20)
    return report


def hours(code: str, text: str | None, day: str | None = None, actor: Any = None) -> CalendarChange | None:
    with db.transaction():
        change = actions.set_hours(code, text, date.fromisoformat(day) if day else None, actor=actor)
    recompute.finish(patience_s=20)
    return change


def shown(issue: Issue) -> str:
    """The deadline of an issue and of its timer, which must be one, on a clock in Wugang."""
    db.session.refresh(issue)
    timer = db.session.execute(
        sa.select(Timer.due_at, Timer.provisional).where(Timer.subject_id == issue.id, Timer.state == "open")
    ).one()
    assert (issue.due_at, issue.due_provisional) == (timer.due_at, timer.provisional)
    return local(issue.due_at) + "?" * issue.due_provisional


def local(moment: Any) -> str:
    return f"{moment + timedelta(hours=8):%Y-%m-%d %H:%M}"


def moves() -> list[tuple[str, str]]:
    rows = db.session.scalars(sa.select(DeadlineMove).order_by(DeadlineMove.id))
    return [(local(row.was), local(row.now)) for row in rows if row.was]


def report_at(city: seed.City, when: str, code: str = seed.TOWNSHIP) -> Issue:
    """An issue that lies with the office of a township or the city: one work day to accept it."""
    db.set_clock(at(when))
    return city.report("resident", grid_code=code)


# Importing ------------------------------------------------------------------------------------------------------------


def test_both_forms_of_the_notice_say_the_same(city):
    by_json = notice.read(json.dumps(JSON).encode(), "2027.json")
    assert read().days == by_json.days and read().year == by_json.year == 2027
    zh = "日期,类型,名称\n" + "".join(f"{d},放假,节\n" for d in OFF_2027) + "".join(f"{d},补班,班\n" for d in WORK_2027)
    assert read(zh.encode("gb18030")).days == by_json.days


@pytest.mark.parametrize("text", ["2027-02-06", "2027/2/6", "2027.02.06", "20270206", "2027年2月6日", "２０２７-02-06"])
def test_a_day_may_be_written_in_many_ways(db_session, text):
    assert read(f"date,kind\n{text},work\n", single=True).days == (notice.Day(date(2027, 2, 6), True, ""),)


def test_an_import_publishes_the_year_and_moves_exactly_what_it_must(city):
    crossing = report_at(city, NEW_YEAR)
    before = report_at(city, "2026-12-30 10:00")
    elsewhere = report_at(city, "2026-12-31 11:00", seed.MICRO)  # A micro grid's day is a natural one.
    db.set_clock(at(NEW_YEAR))
    assert (shown(crossing), shown(before)) == ("2027-01-01 10:00?", "2026-12-31 10:00")
    untouched = shown(elsewhere)
    report = take()
    assert (report.published, report.year) == (True, 2027)
    assert [change.day.isoformat() for change in report.days if change.working] == ["2027-02-14", "2027-02-20"]
    assert "2027-01-02" not in [change.day.isoformat() for change in report.days]  # A Saturday rests anyway.
    assert (shown(crossing), shown(before), shown(elsewhere)) == ("2027-01-04 10:00", "2026-12-31 10:00", untouched)
    assert moves() == [("2027-01-01 10:00", "2027-01-04 10:00")]
    change = db.session.scalars(sa.select(CalendarChange)).one()
    assert (change.moved, change.confirmed, change.year) == (1, 1, 2027) and change.finished_at
    assert queries.moves_of(crossing.id)[0].change_id == change.id
    assert local(crossing.warn_at) == "2027-01-04 08:36"


def test_what_is_only_confirmed_is_no_move(city):
    issue = report_at(city, "2026-12-31 17:45")
    take("date,kind\n" + "".join(f"2027-0{n}-01,rest\n" for n in range(2, 9)))
    assert shown(issue) == "2027-01-01 17:30"
    change = db.session.scalars(sa.select(CalendarChange)).one()
    assert (change.moved, change.confirmed, moves()) == (0, 1, [])


def test_importing_the_same_again_changes_nothing(city):
    assert take().change
    for again in (CSV, json.dumps(JSON)):
        report = take(again)
        assert not report.changed and report.change is None
    assert db.session.scalar(sa.select(sa.func.count()).select_from(CalendarChange)) == 1


def test_a_dry_run_says_the_same_and_changes_nothing(city):
    with db.transaction():
        dry = actions.import_notice(read(), actor=None, dry_run=True)
        assert not inforce.published(2027)
    assert db.session.scalars(sa.select(CalendarDay)).all() == []
    real = take()
    assert (dry.days, dry.published, dry.change) == (real.days, real.published, None)


def test_a_corrected_notice_replaces_the_first_and_moves_back(city):
    issue = report_at(city, NEW_YEAR)
    take()
    corrected = CSV.replace("2027-01-01,rest", "2027-01-04,rest")
    report = take(corrected)
    assert [(c.day.isoformat(), c.working) for c in report.days] == [("2027-01-01", True), ("2027-01-04", False)]
    assert shown(issue) == "2027-01-01 10:00"
    assert moves() == [("2027-01-01 10:00", "2027-01-04 10:00"), ("2027-01-04 10:00", "2027-01-01 10:00")]


def test_a_notice_may_name_days_of_the_year_before_which_is_no_less_official_for_it(city):
    issue = report_at(city, "2026-12-30 10:00")
    take(CSV + "2026-12-31,rest,元旦\n")
    assert shown(issue) == "2027-01-04 10:00"
    assert inforce.calendar(None).is_working_day(date(2026, 12, 31)) == (False, False)


def test_a_single_day_is_added_and_publishes_nothing(city):
    issue = report_at(city, "2027-03-05 10:00")  # A Friday.
    assert shown(issue) == "2027-03-08 10:00?"
    report = take("日期,类型\n2027-03-06,上班\n", single=True)
    assert (report.published, [c.day.isoformat() for c in report.days]) == (False, ["2027-03-06"])
    assert shown(issue) == "2027-03-06 10:00?"
    assert db.session.scalars(sa.select(CalendarYear)).all() == []
    assert inforce.calendar(None).is_working_day(date(2026, 9, 20)) == (True, False)  # The package's days stay.


def test_spring_festival_2026_with_a_make_up_day_more(city):
    issue = report_at(city, "2026-02-13 16:00")
    assert shown(issue) == "2026-02-14 16:00"
    take("date,kind\n2026-02-14,rest\n2026-02-22,work\n", single=True)
    assert shown(issue) == "2026-02-22 16:00"


FILES: list[tuple[str, str, int | None, str]] = [
    ("not a day", "date,kind\n2027-02-30,work\n", 2, "is no day"),
    ("no day", "date,kind\n,work\n", 2, "is no day"),
    ("unknown kind", "date,kind\n2027-02-06,maybe\n", 2, "neither work"),
    ("twice", "date,kind\n2027-02-06,work\n2027-02-06,rest\n", 3, "in row 2 already"),
    ("long name", f"date,kind,name\n2027-02-06,work,{'节' * 41}\n", 2, "At most 40"),
    ("column", "day off\n2027-02-06\n", 1, "Missing columns: date, kind"),
    ("empty", "", None, "empty"),
    ("heads alone", "date,kind\n", None, "lists no day"),
    ("several years", "date,kind\n2025-02-06,rest\n2027-02-06,rest\n", None, "several years"),
    ("few", "date,kind\n2027-02-06,rest\n", None, "no whole year's notice"),
    ("far away", CSV + "2026-06-01,rest,\n", 17, "does not belong to the notice for 2027"),
    ("not JSON", '{"days": [', 1, "This is not JSON"),
    ("no list", '{"days": 3}', None, "list of days"),
    ("no object", "[1]", None, "list of days"),
    ("off", '{"days": [{"date": "2027-01-01", "isOffDay": "yes"}]}', 1, "true or false"),
    ("entry", '{"days": [7]}', 1, "true or false"),
    ("json day", '{"days": [{"date": 20270101, "isOffDay": true}]}', 1, "is no day"),
    ("json name", '{"days": [{"date": "2027-01-01", "isOffDay": true, "name": 3}]}', 1, "a text"),
    ("json year", '{"year": "2027", "days": [{"date": "2027-01-01", "isOffDay": true}]}', None, "must be a number"),
    ("never", '{"year": 3000, "days": [{"date": "2027-01-01", "isOffDay": true}]}', None, "cannot be reckoned"),
]


@pytest.mark.parametrize(("text", "row", "words"), [f[1:] for f in FILES], ids=[f[0] for f in FILES])
def test_a_bad_file_is_refused_with_its_row_and_nothing_is_imported(city, app, text, row, words):
    with app.test_request_context(), forced("en"), pytest.raises(ImportRefused) as refused:
        read(text)
    assert (refused.value.problems[0].row, words in str(refused.value)) == (row, True), str(refused.value)
    assert db.session.scalars(sa.select(CalendarChange)).all() == []


def test_everything_that_is_wrong_is_said_at_once(city):
    with pytest.raises(ImportRefused) as refused:
        read("date,kind\n2027-13-01,work\n2027-02-06,maybe\n2027-02-07,rest\n2027-02-07,rest\n")
    assert [problem.row for problem in refused.value.problems] == [2, 3, 5]


def test_a_workbook_is_refused_as_such(city):
    with pytest.raises(ImportRefused):
        read(b"PK\x03\x04junk")


def test_only_administrators_import_and_set_hours(city):
    for key in seed.PEOPLE:
        person = city.person(key)
        if key == "administrator":
            change = actions.import_notice(read(), actor=person).change
            assert change and change.actor_id == person.id
            assert actions.set_hours(seed.TOWNSHIP, "09:00-12:00", None, actor=person)
        else:
            with pytest.raises(NotPermitted):
                actions.import_notice(read(), actor=person)
            with pytest.raises(NotPermitted):
                actions.set_hours(seed.TOWNSHIP, "09:00-12:00", None, actor=person)


# Office hours ---------------------------------------------------------------------------------------------------------


def test_a_township_may_have_hours_of_its_own(city):
    db.set_clock(at("2026-03-09 08:00"))
    hours(seed.TOWNSHIP, "9:00–12:00、13:00—18:00")
    assert shown(report_at(city, "2026-03-09 10:00")) == "2026-03-10 10:00"
    assert shown(report_at(city, "2026-03-09 18:30")) == "2026-03-10 18:00"
    assert shown(report_at(city, "2026-03-09 18:30", seed.FOREIGN_TOWNSHIP)) == "2026-03-10 17:30"
    village = report_at(city, "2026-03-09 18:30", seed.VILLAGE)
    assert shown(village) == "2026-03-10 18:00"  # What lies under the township goes by its hours.


def test_a_townships_hours_come_before_the_citys_and_these_before_the_file(city):
    db.set_clock(at("2026-03-09 07:00"))
    hours(seed.CITY, "08:30-12:00, 13:00-17:00")
    hours(seed.TOWNSHIP, "09:00-12:00, 13:00-18:00")
    ends = {code: local(report_at(city, "2026-03-09 07:00", code).due_at)[-5:] for code in (seed.TOWNSHIP, seed.FOREIGN_TOWNSHIP)}
    assert ends == {seed.TOWNSHIP: "18:00", seed.FOREIGN_TOWNSHIP: "17:00"}
    hours(seed.TOWNSHIP, "")
    assert shown(report_at(city, "2026-03-09 07:00")) == "2026-03-09 17:00"


def test_summer_hours_begin_on_their_day_and_what_runs_across_moves(city):
    issue = report_at(city, "2026-06-30 16:00")
    assert shown(issue) == "2026-07-01 16:00"
    hours(seed.TOWNSHIP, "08:00-12:00, 15:00-18:00", "2026-07-01")
    assert shown(issue) == "2026-07-01 16:30"
    assert moves() == [("2026-07-01 16:00", "2026-07-01 16:30")]
    hours(seed.TOWNSHIP, None, "2026-10-01")
    assert shown(report_at(city, "2026-10-08 07:00")) == "2026-10-08 17:30"


def test_hours_as_they_are_change_nothing(city):
    db.set_clock(at("2026-03-09 08:00"))
    assert hours(seed.TOWNSHIP, "09:00-12:00") and not hours(seed.TOWNSHIP, "9:00-12:00") and not hours(seed.CITY, "")


@pytest.mark.parametrize(
    "text", ["8-12", "12:00-08:00", "08:00-12:00, 11:00-13:00", "25:00-26:00", "08:00-08:00", "x", ",", "22:00-02:00"]
)
def test_hours_that_cannot_be_are_refused(city, text):
    with pytest.raises(Invalid) as refused:
        actions.set_hours(seed.TOWNSHIP, text, None, actor=None)
    assert list(refused.value.errors) == ["hours"]


def test_hours_belong_to_a_city_or_township_and_begin_today_or_within_a_year(city):
    db.set_clock(at("2026-03-09 08:00"))
    db.session.commit()  # A refusal rolls back.
    for code, day, field in [
        (seed.VILLAGE, None, "grid_code"), (seed.TOWNSHIP, "2026-03-08", "valid_from"), (seed.TOWNSHIP, "2027-03-12", "valid_from"),
    ]:  # fmt: skip
        with pytest.raises(Invalid) as refused:
            hours(code, "09:00-12:00", day)
        assert list(refused.value.errors) == [field]
    with pytest.raises(NotFound):
        hours("430581999", "09:00-12:00")


def test_a_departments_hours_are_those_of_where_it_is(city):
    db.set_clock(at("2026-03-09 07:00"))
    hours(seed.CITY, "08:30-12:00, 13:00-17:00")
    issue = report_at(city, "2026-03-09 07:00", seed.CITY)
    issues.act(issue, "dispatch", actor=city.city_office, data={"department": "transport"})
    assert shown(issue) == "2026-03-09 17:00"


def test_a_hop_is_measured_by_the_hours_of_the_unit_that_had_it(city):
    db.set_clock(at("2026-03-09 07:00"))
    hours(seed.TOWNSHIP, "09:00-12:00")
    issue = report_at(city, "2026-03-09 08:00")
    db.set_clock(at("2026-03-09 16:00"))
    issues.act(issue, "escalate", actor=city.township_office, data={"reason": "太难"})
    assert db.session.scalars(sa.select(Hop.worked_s).where(Hop.issue_id == issue.id, Hop.n == 1)).one() == 3 * 3600


# Following ------------------------------------------------------------------------------------------------------------


def pause(issue: Issue, when: str) -> list[Timer]:
    db.set_clock(at(when))
    return timers.pause(issue.id, at=db.utcnow())


def test_a_paused_deadline_keeps_its_rest_by_the_calendar_as_it_is_now(city):
    issue = report_at(city, "2027-01-01 10:00")  # Nobody knows yet that this Friday rests.
    (timer,) = pause(issue, "2027-01-01 16:30")
    assert timer.left_s == 7 * 3600 - 4 * 3600
    take()
    db.session.refresh(timer)
    assert (timer.left_s, timer.state) == (7 * 3600, "paused")
    row = db.session.scalars(sa.select(DeadlineMove)).one()
    assert (row.was, row.now, row.was_left_s, row.now_left_s) == (None, None, 3 * 3600, 7 * 3600)
    db.set_clock(at("2027-01-05 08:00"))
    (timer,) = timers.resume(issue.id, at=db.utcnow(), generation=issue.generation)
    assert local(timer.due_at) == "2027-01-05 17:30"


def test_what_ran_before_a_pause_is_reckoned_anew_after_it_too(city):
    issue = report_at(city, "2027-01-01 10:00")
    pause(issue, "2027-01-01 16:30")
    db.set_clock(at("2027-01-04 08:00"))
    (timer,) = timers.resume(issue.id, at=db.utcnow(), generation=issue.generation)
    assert local(timer.due_at) == "2027-01-04 11:00"
    timers.extend(issue.id, "accept", Limit(3600, Clock.work_day), at=db.utcnow())
    take()
    db.session.refresh(timer)
    assert (local(timer.due_at), timer.budget_s) == ("2027-01-05 09:00", 8 * 3600)


def test_a_deadline_moved_into_the_past_fires_at_the_next_sweep(city):
    issue = report_at(city, "2027-01-08 15:00")
    db.set_clock(at("2027-01-10 18:00"))
    while timers.sweep():  # It has warned, no more.
        db.session.expire_all()
    assert shown(issue) == "2027-01-11 15:00?"
    take("date,kind\n2027-01-09,work\n", single=True)
    db.session.refresh(issue)
    assert local(issue.due_at) == "2027-01-09 15:00"
    assert timers.sweep() == 1
    db.session.refresh(issue)
    assert issue.unit_code == seed.CITY


def test_what_has_fired_stays_fired_and_is_noted(city):
    issue = report_at(city, "2027-01-07 15:00")
    db.set_clock(at("2027-01-08 15:01"))
    while timers.sweep():
        db.session.expire_all()
    assert issue.unit_code == seed.CITY
    generation = issue.generation
    take("date,kind\n2027-01-08,rest\n", single=True)
    db.session.refresh(issue)
    assert (issue.unit_code, issue.generation) == (seed.CITY, generation)
    row = db.session.scalars(sa.select(DeadlineMove).where(DeadlineMove.fired)).one()
    assert (local(row.was), local(row.now)) == ("2027-01-08 15:00", "2027-01-11 15:00")


def test_a_reminder_is_not_the_deadline_and_leaves_the_issue_overdue(city):
    issue = report_at(city, "2027-01-07 15:00", seed.CITY)  # Nobody is above: it is reminded.
    db.set_clock(at("2027-01-08 15:01"))
    while timers.sweep():
        db.session.expire_all()
    overdue = issue.due_at
    assert local(db.session.scalars(sa.select(Timer.due_at).where(Timer.subject_id == issue.id, Timer.state == "open")).one()) == (
        "2027-01-11 15:01"
    )
    take("date,kind\n2027-01-11,rest\n", single=True)
    db.session.refresh(issue)
    assert issue.due_at == overdue
    assert local(db.session.scalars(sa.select(Timer.due_at).where(Timer.subject_id == issue.id, Timer.state == "open")).one()) == (
        "2027-01-12 15:01"
    )


def test_the_record_of_moves_cannot_be_changed(city):
    report_at(city, NEW_YEAR)
    take()
    for statement in (sa.update(DeadlineMove).values(fired=True), sa.delete(DeadlineMove), sa.text("TRUNCATE deadline_moves")):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), db.session.begin_nested():
            db.session.execute(statement)


def test_a_change_of_the_file_is_followed_on_demand(city):
    issue = report_at(city, NEW_YEAR)
    for model, id in ((Timer, Timer.subject_id), (Issue, Issue.id)):
        db.session.execute(sa.update(model).where(id == issue.id).values(due_at=model.due_at - timedelta(hours=1)))
    with db.transaction():
        actions.reckon_all(actor=None)
    recompute.finish(patience_s=20)
    assert shown(issue) == "2027-01-01 10:00?"


def many(city: seed.City, n: int) -> list[Issue]:
    return [report_at(city, NEW_YEAR) for _ in range(n)]


def test_killed_in_the_middle_it_goes_on_where_it_was(city, monkeypatch):
    found = many(city, 7)
    monkeypatch.setattr(recompute, "BATCH", 3)
    with db.transaction():
        actions.import_notice(read(), actor=None)
    assert recompute.step() == 1
    killed = []

    def dies(*given: Any, **more: Any) -> None:
        killed.append(1)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(reckoning, "_note", dies)
        with pytest.raises(KeyboardInterrupt):
            recompute.step()
    db.session.expire_all()
    assert killed and [local(issue.due_at) for issue in found].count("2027-01-04 10:00") == 3
    recompute.finish(patience_s=20)
    assert {shown(issue) for issue in found} == {"2027-01-04 10:00"}
    assert len(moves()) == 7
    change = db.session.scalars(sa.select(CalendarChange)).one()
    assert (change.moved, change.confirmed) == (7, 7)


def test_few_deadlines_follow_in_the_same_transaction(city):
    issue = report_at(city, NEW_YEAR)
    with db.transaction():
        change = actions.import_notice(read(), actor=None).change
        assert change is not None
        recompute.at_once(change)
    assert shown(issue) == "2027-01-04 10:00"
    recompute.finish(patience_s=20)
    assert len(moves()) == 1


def test_a_year_can_be_read_back_in_the_form_it_came_in(city):
    take(json.dumps(JSON))
    found = queries.year(2027)
    assert found["published"] and {d["date"].isoformat() for d in found["days"]} == {*OFF_2027, *WORK_2027}
    assert {year.year: year.origin for year in queries.years()}[2027] == "import"

