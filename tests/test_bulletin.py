"""The figures of a bulletin: worked out by hand for issues moved by the real actions, and reckoned slowly for many stories.

A micro grid has 24 hours by the clock on the wall to resolve what it took on, nights and holidays counted, so that its
deadlines can be worked out in the head. Times are those of Wugang.
"""

import csv
import io
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from flask import Flask

from gridgov import db
from gridgov.errors import Invalid, NotFound
from gridgov.i18n import forced
from gridgov.issues import actions, bulletin, bulletin_cli, bulletin_sql
from gridgov.issues.bulletin import COUNTS, MEASURES, Area, Bulletin
from gridgov.issues.models import Issue, IssueEvent
from gridgov.people.models import Department
from gridgov.simulate import model, scratch
from gridgov.simulate.cli import Order
from tests import counting, seed, slow_bulletin
from tests.conftest import named, run_sql
from tests.factories import photo_of
from tests.office import at
from tests.test_workflow_life import names_of, sweep

ROOT = Path(__file__).resolve().parent.parent
ALL = Area((seed.CITY,))
NOVEMBER = (date(2026, 11, 1), date(2026, 12, 1))
DECEMBER = (date(2026, 12, 1), date(2027, 1, 1))
BAD = {"reason": "还有积水"}


def do(city: seed.City, issue: Issue, when: str, name: str, who: str, **data: Any) -> None:
    """A move by the real action, at a moment."""
    db.set_clock(at(when))
    person = city.person(who)
    if name == "resolve":
        data = {"result": "已处理", "proof": [photo_of(person)]}
    actions.act(issue, name, actor=person, data=data)


def reported(city: seed.City, when: str, **more: Any) -> Issue:
    db.set_clock(at(when))
    return city.report("resident", **more)


def accepted(city: seed.City, when: str, taken: str | None = None) -> Issue:
    """Reported, and accepted by the micro chief: at the same moment, or later."""
    issue = reported(city, when)
    do(city, issue, taken or when, "accept", "micro_chief")
    return issue


def figures(period: tuple[date, date] = NOVEMBER, area: Area = ALL) -> dict[str, Any]:
    """The figures of the whole, by `set.name`."""
    return flat(bulletin.read(*period, area).whole.figures)


def flat(sets: Any) -> dict[str, Any]:
    return {f"{name}.{figure}": value for name, found in sets.items() for figure, value in found.items()}


def by(key: str, found: Bulletin | None = None) -> dict[str | None, dict[str, Any]]:
    found = found or bulletin.read(*NOVEMBER, ALL, key)
    return {line.key: flat(line.figures) for line in found.lines}


def some(found: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(found[name] for name in names)


def test_a_period_in_which_nothing_happened_has_zeros_and_no_rates(db_session):
    found = figures()
    assert all(found[f"{name}.{count}"] == 0 for name, counts in COUNTS.items() for count in counts)
    assert all(found[f"{name}.{rate}"] is None for name, rates in MEASURES.items() for rate in rates)
    assert [bulletin.read(*NOVEMBER, ALL, key).lines for key in bulletin.BY] == [[]] * len(bulletin.BY)


def test_the_stages_of_one_issue_and_how_long_after_the_report_each_was_reached(city):
    # Reported 09:00, accepted 10:00 (1 h), resolved 15:00 (6 h), verified 17:00 (8 h), rated the next day 09:00 (24 h).
    issue = accepted(city, "2026-11-16 09:00", "2026-11-16 10:00")
    do(city, issue, "2026-11-16 15:00", "resolve", "micro_chief")
    do(city, issue, "2026-11-16 17:00", "verify", "village_chief", way="spot")
    do(city, issue, "2026-11-17 09:00", "rate", "resident", satisfaction=5)
    found = figures()
    assert some(found, *(f"stages.{s}" for s in COUNTS["stages"])) == (1, 1, 0, 1, 1, 1, 0, 0, 0)
    assert some(found, *(f"stages.{s}_median_h" for s in ("registered", "dispatched", "resolved", "verified", "closed"))) == (
        1.0, None, 6.0, 8.0, 24.0,
    )  # fmt: skip
    assert some(
        found,
        "timeliness.due",
        "timeliness.on_time",
        "timeliness.on_time_rate",
        "timeliness.overdue_multiple",
    ) == (1, 1, 1.0, None)
    assert some(
        found, "quality.micro_accepted", "quality.micro_closed", "quality.micro_self_resolved_rate"
    ) == (1, 1, 1.0)
    assert some(found, "quality.rework_rate", "quality.decline_rate", "quality.valid_report_rate") == (
        0.0,
        None,
        1.0,
    )
    assert some(found, "results.closed_on_time_rate", "results.solved_rate", "results.satisfaction") == (
        1.0,
        1.0,
        1.0,
    )


def test_medians_of_ties_and_of_an_even_number(city):
    # Accepted after 1, 1, 2 and 3 hours: the median lies between the second and the third, (1 + 2) / 2 = 1.5 h.
    for hours in (1, 1, 2, 3):
        accepted(city, "2026-11-16 09:00", f"2026-11-16 {9 + hours}:00")
    assert some(figures(), "stages.registered", "stages.registered_median_h") == (4, 1.5)


def test_what_happens_at_midnight_belongs_to_the_day_that_begins(city):
    # Reported at the first moment of November and at the first of December; accepted at once.
    accepted(city, "2026-11-01 00:00")
    accepted(city, "2026-12-01 00:00")
    assert some(figures(), "stages.reported", "stages.registered") == (1, 1)
    assert some(figures(DECEMBER), "stages.reported", "stages.registered") == (1, 1)
    october = (date(2026, 10, 1), date(2026, 11, 1))
    assert some(figures(october), "stages.reported", "stages.registered") == (0, 0)


def test_a_deadline_at_midnight_belongs_to_the_day_that_begins_and_kept_to_the_moment_is_in_time(city):
    # Accepted at midnight of the 30th: due at midnight of December 1st. One is resolved at that moment, one never.
    kept, missed = accepted(city, "2026-11-30 00:00"), accepted(city, "2026-11-30 00:00")
    do(city, kept, "2026-12-01 00:00", "resolve", "micro_chief")
    assert (kept.on_time, missed.due_at) == (True, at("2026-12-01 00:00"))
    assert figures()["timeliness.due"] == 0
    assert some(figures(DECEMBER), "timeliness.due", "timeliness.on_time", "timeliness.overdue_undone") == (
        2,
        1,
        1,
    )


def test_what_is_resolved_ahead_is_due_when_it_was_resolved_and_not_again_at_its_deadline(city):
    # Accepted on the 30th at noon, so due in December; resolved in November.
    issue = accepted(city, "2026-11-30 12:00")
    do(city, issue, "2026-11-30 20:00", "resolve", "micro_chief")
    assert some(figures(), "timeliness.due", "timeliness.on_time") == (1, 1)
    assert figures(DECEMBER)["timeliness.due"] == 0


def test_an_issue_that_was_reworked_twice_is_three_tasks_one_issue_and_two_reworks(city):
    # Three times resolved, each within its own 24 hours; sent back by the verifier, then contested by the reporter.
    issue = accepted(city, "2026-11-16 09:00")
    do(city, issue, "2026-11-16 19:00", "resolve", "micro_chief")
    do(city, issue, "2026-11-17 09:00", "rework", "village_chief", **BAD)
    do(city, issue, "2026-11-17 19:00", "resolve", "micro_chief")
    do(city, issue, "2026-11-18 09:00", "verify", "village_chief", way="spot")
    do(city, issue, "2026-11-18 10:00", "contest", "resident", **BAD)
    do(city, issue, "2026-11-19 12:00", "resolve", "micro_chief")  # Due at 10:00: two hours late.
    do(city, issue, "2026-11-19 14:00", "verify", "village_chief", way="spot")
    do(city, issue, "2026-11-20 09:00", "rate", "resident", satisfaction=3)
    found = figures()
    # Ten hours from the report to the first resolving, 48 to the first verification (the 18th at 09:00), 96 to the end.
    assert some(
        found,
        "stages.resolved",
        "stages.resolved_median_h",
        "stages.verified_median_h",
        "stages.closed_median_h",
    ) == (1, 10, 48, 96)
    assert some(found, "quality.resolved", "quality.reworked", "quality.rework_rate") == (3, 2, 0.6667)
    # Three tasks due, two on time, one done late by 2 of 24 hours: 0.0833.
    assert some(
        found, *(f"timeliness.{n}" for n in ("due", "done", "on_time", "overdue", "overdue_undone"))
    ) == (3, 3, 2, 1, 0)
    assert some(
        found, "timeliness.closing_rate", "timeliness.on_time_rate", "timeliness.overdue_multiple"
    ) == (1.0, 0.6667, 0.0833)
    # Closed, but what it was closed on was late; solved, and with 3 of 5 not satisfied: three results apart.
    assert some(
        found, *(f"results.{n}" for n in ("closed", "closed_on_time", "answered", "solved", "satisfied"))
    ) == (1, 0, 1, 1, 0)
    assert found["quality.accepted"] == 1 == found["quality.micro_closed"]


def test_an_extension_moves_the_deadline_that_counts(city):
    # Accepted on the 16th at 09:00, due on the 17th at 09:00; half as much more makes 21:00. Resolved at 20:00.
    issue = accepted(city, "2026-11-16 09:00")
    do(city, issue, "2026-11-16 12:00", "ask_time", "micro_chief", extra="50", reason="配件没到")
    do(city, issue, "2026-11-16 13:00", "grant_time", "village_chief")
    assert issue.due_at == at("2026-11-17 21:00")
    do(city, issue, "2026-11-17 20:00", "resolve", "micro_chief")
    found = figures()
    assert some(found, "timeliness.due", "timeliness.on_time", "timeliness.overdue") == (1, 1, 0)
    assert some(found, "quality.extended", "quality.accepted", "quality.extension_rate") == (1, 1, 1.0)


def test_a_suspended_spell_does_not_run_and_is_in_stock_until_it_resumes(city):
    # Five of 24 hours were used when it stopped. From the 26th at 09:00 it had 19 more: due on the 27th at 04:00.
    issue = accepted(city, "2026-11-16 09:00")
    do(
        city,
        issue,
        "2026-11-16 14:00",
        "ask_suspension",
        "micro_chief",
        reason="河水没退",
        review_on="2026-12-20",
    )
    do(city, issue, "2026-11-16 14:00", "suspend", "village_chief")
    do(city, issue, "2026-11-26 09:00", "resume", "micro_chief")
    assert issue.due_at == at("2026-11-27 04:00")
    do(city, issue, "2026-11-27 16:00", "resolve", "micro_chief")
    before = figures((date(2026, 11, 1), date(2026, 11, 26)))
    assert some(before, "quality.suspended", "timeliness.due") == (1, 0)
    found = figures()
    # One task, late by 12 hours of the 24 that ran: 0.5. The ten days it stood still are in neither.
    assert some(found, "quality.suspended", "timeliness.due", "timeliness.overdue", "timeliness.done") == (
        0,
        1,
        1,
        1,
    )
    assert found["timeliness.overdue_multiple"] == 0.5
    assert some(found, "quality.accepted", "quality.extension_rate") == (1, 0.0)


def test_what_was_suspended_long_ago_is_still_in_stock_and_its_unit_has_it(city):
    issue = accepted(city, "2026-11-16 09:00")
    do(
        city,
        issue,
        "2026-11-16 14:00",
        "ask_suspension",
        "micro_chief",
        reason="河水没退",
        review_on="2026-12-20",
    )
    do(city, issue, "2026-11-16 14:00", "suspend", "village_chief")
    found = bulletin.read(*DECEMBER, ALL, "unit")
    assert [(line.key, line.figures["quality"]["suspended"]) for line in found.lines] == [(seed.MICRO, 1)]
    db.set_clock(at("2026-12-21 09:00"))
    sweep()  # The review day has passed: a reminder, which changes no state.
    assert names_of(issue)[-1] == "remind"
    assert figures(DECEMBER)["quality.suspended"] == 1


def test_what_was_passed_up_overdue_is_a_task_that_the_lower_unit_missed(city):
    # Due at the micro grid on the 17th at 09:00; the sweep comes at 11:24 and passes it up, 2.4 hours over 24: 0.1.
    issue = accepted(city, "2026-11-16 09:00")
    db.set_clock(at("2026-11-17 11:24"))
    sweep()
    db.session.refresh(issue)
    assert (issue.unit_code, names_of(issue)[-1]) == (seed.VILLAGE, "overdue_up")
    do(city, issue, "2026-11-17 15:00", "accept", "village_chief")
    do(city, issue, "2026-11-17 16:00", "resolve", "village_chief")
    lines = by("unit")
    names = (
        "timeliness.due",
        "timeliness.on_time",
        "timeliness.overdue",
        "timeliness.overdue_undone",
        "timeliness.overdue_multiple",
    )
    assert some(lines[seed.MICRO], *names) == (1, 0, 1, 1, 0.1)
    assert some(lines[seed.VILLAGE], *names) == (1, 1, 0, 0, None)
    # It was taken on at two levels, and counts as one registered issue, at the first.
    assert some(figures(), "stages.registered", "quality.accepted") == (1, 2)
    # Closed, it counts for both levels that had taken it on: the village settled it itself, the micro grid did not.
    do(city, issue, "2026-11-17 17:00", "verify", "township_office", way="spot")
    do(city, issue, "2026-11-17 18:00", "rate", "resident", satisfaction=4)
    whole = figures()
    assert some(whole, *(f"quality.micro_{n}" for n in ("accepted", "closed", "self_resolved_rate"))) == (
        1,
        0,
        0.0,
    )
    assert some(whole, *(f"quality.village_{n}" for n in ("accepted", "closed", "self_resolved_rate"))) == (
        1,
        1,
        1.0,
    )


def test_what_was_passed_up_at_the_very_moment_of_its_deadline_was_missed_too(city):
    issue = accepted(city, "2026-11-16 09:00")
    db.set_clock(at("2026-11-17 09:00"))
    sweep()
    assert names_of(issue)[-1] == "overdue_up"
    assert some(figures(), "timeliness.due", "timeliness.overdue", "timeliness.overdue_multiple") == (
        1,
        1,
        0.0,
    )


def test_what_is_handed_on_in_time_was_not_due_there(city):
    issue = accepted(city, "2026-11-16 09:00")
    do(city, issue, "2026-11-16 20:00", "escalate", "micro_chief", reason="办不了")
    assert figures()["timeliness.due"] == 0


def test_an_open_and_overdue_task_is_over_by_the_time_until_the_end_of_the_period(city):
    # Accepted at 09:00 on the 16th, due at 09:00 on the 17th, open since: 13 days and 15 hours over, 327 h / 24 h = 13.625.
    accepted(city, "2026-11-16 09:00")
    names = (
        "timeliness.due",
        "timeliness.done",
        "timeliness.overdue_undone",
        "timeliness.closing_rate",
        "timeliness.overdue_multiple_most",
    )
    assert some(figures(), *names) == (1, 0, 1, 0.0, 13.625)
    # It fell due in November, and not once more in December. On the day itself: until midnight, 15 h / 24 h.
    assert figures(DECEMBER)["timeliness.due"] == 0
    assert some(figures((date(2026, 11, 17), date(2026, 11, 18))), *names) == (1, 0, 1, 0.0, 0.625)


def test_the_multiple_of_several_is_the_mean_of_each_and_the_most_is_told_apart(city):
    # Late by 6 of 24 hours and by 24 of 24: (0.25 + 1) / 2 = 0.625.
    for resolved in ("2026-11-17 15:00", "2026-11-18 09:00"):
        do(city, accepted(city, "2026-11-16 09:00"), resolved, "resolve", "micro_chief")
    assert some(figures(), "timeliness.overdue_multiple", "timeliness.overdue_multiple_most") == (0.625, 1.0)


def test_departments_are_dispatched_to_decline_and_answer_for_their_own_tasks(city):
    issue = reported(city, "2026-11-16 09:00")
    for who in ("micro_chief", "village_chief", "township_office"):
        do(city, issue, "2026-11-16 09:30", "escalate", who, reason="办不了")
    do(city, issue, "2026-11-16 10:00", "dispatch", "city_office", department="police")
    do(city, issue, "2026-11-16 11:00", "decline", "other_department", reason="不是我们的")
    do(city, issue, "2026-11-16 12:00", "dispatch", "city_office", department="transport")
    do(city, issue, "2026-11-16 15:00", "accept", "department")
    do(city, issue, "2026-11-17 10:00", "resolve", "department")
    lines, whole = by("unit"), figures()
    ids = dict(db.session.execute(sa.select(Department.code, Department.id)).all())
    police, transport = str(ids["police"]), str(ids["transport"])
    assert some(lines[police], "quality.dispatched", "quality.declined", "quality.decline_rate") == (
        1,
        1,
        1.0,
    )
    assert some(lines[transport], "quality.dispatched", "quality.declined", "quality.decline_rate") == (
        1,
        0,
        0.0,
    )
    assert some(lines[transport], "timeliness.due", "quality.resolved", "quality.accepted") == (
        1,
        1,
        1,
    )
    assert some(whole, "stages.dispatched", "stages.dispatched_median_h", "quality.decline_rate") == (
        1,
        1.0,
        0.5,
    )
    own = figures(area=Area((seed.CITY,), (ids["transport"],)))
    assert some(own, "quality.dispatched", "quality.declined", "stages.reported", "timeliness.due") == (
        1,
        0,
        0,
        1,
    )


def test_what_is_not_for_the_grid_makes_reports_less_valid_and_a_withdrawn_one_does_not(city):
    # Two judged: one taken on, one refused: half. The third was withdrawn before anybody judged.
    accepted(city, "2026-11-16 09:00")
    refused = reported(city, "2026-11-16 09:00")
    for who in ("micro_chief", "village_chief"):
        do(city, refused, "2026-11-16 10:00", "escalate", who, reason="信访事项")
    do(city, refused, "2026-11-16 11:00", "not_accept", "township_office", reason="信访事项", route="信访局")
    do(city, reported(city, "2026-11-16 09:00"), "2026-11-16 09:05", "withdraw", "resident")
    assert some(
        figures(),
        "stages.not_accepted",
        "stages.withdrawn",
        "quality.judged",
        "quality.valid",
        "quality.valid_report_rate",
    ) == (1, 1, 2, 1, 0.5)


def test_a_silent_reporter_has_answered_nothing(city):
    issue = accepted(city, "2026-11-16 09:00")
    do(city, issue, "2026-11-16 10:00", "resolve", "micro_chief")
    do(city, issue, "2026-11-16 11:00", "verify", "village_chief", way="spot")
    db.set_clock(issue.due_at + timedelta(minutes=1))
    sweep()
    assert names_of(issue)[-1] == "close"
    found = figures()
    assert some(found, "results.closed", "results.closed_on_time_rate", "results.answered") == (1, 1.0, 0)
    assert some(found, "results.solved_rate", "results.satisfaction") == (None, None)


def test_the_groups_are_those_of_place_unit_line_and_category_and_an_area_leaves_out_the_rest(app, city):
    reported(city, "2026-11-16 09:00")
    reported(city, "2026-11-16 09:00", grid_code=seed.SIBLING_MICRO, category="0101")
    db.set_clock(at("2026-11-16 09:00"))
    city.report("foreign_resident", grid_code=seed.FOREIGN_MICRO)
    n = {key: {k: f["stages.reported"] for k, f in by(key).items()} for key in bulletin.BY}
    assert n["township"] == {seed.TOWNSHIP: 2, seed.FOREIGN_TOWNSHIP: 1}
    assert n["village"] == {seed.VILLAGE: 2, seed.FOREIGN_VILLAGE: 1}
    assert n["unit"] == {seed.MICRO: 1, seed.SIBLING_MICRO: 1, seed.FOREIGN_MICRO: 1}
    assert n["line"] == {"safety": 2, "public_order": 1}
    assert n["category"] == {"0203": 2, "0101": 1}
    assert [
        figures(area=Area((code,)))["stages.reported"]
        for code in (seed.TOWNSHIP, seed.FOREIGN_MICRO, seed.SIBLING_VILLAGE)
    ] == [2, 1, 0]
    with app.app_context(), forced("zh"):
        names = {key: [line.name for line in bulletin.read(*NOVEMBER, ALL, key).lines] for key in bulletin.BY}
    assert names["township"] == ["邓元泰镇", "湾头桥镇"] and names["village"] == [
        "邓元泰镇 华塘村",
        "湾头桥镇 泻油村",
    ]
    assert names["line"] == ["综治", "安全"] and names["category"] == [
        "治安维稳 · 邻里纠纷",
        "交通安全 · 三轮车非法载人",
    ]
    assert names["unit"][1] == "湾头桥镇 泻油村 第1村民小组微网格长"


@pytest.mark.parametrize(
    ("first", "until", "code", "key"),
    [
        (date(2026, 11, 2), date(2026, 11, 2), seed.CITY, ""), (date(2026, 11, 2), date(2026, 11, 1), seed.CITY, ""),
        (date(2025, 1, 1), date(2026, 1, 3), seed.CITY, ""), (date(2026, 11, 1), date(2026, 12, 1), "43%", ""),
        (date(2026, 11, 1), date(2026, 12, 1), "4305", ""), (date(2026, 11, 1), date(2026, 12, 1), seed.CITY, "person"),
        (date.min, date(1, 2, 1), seed.CITY, ""),
    ],
)  # fmt: skip
def test_periods_without_days_or_too_long_and_unknown_codes_and_groups_are_refused(
    db_session, first, until, code, key
):
    with pytest.raises(Invalid):
        bulletin.read(first, until, Area((code,)), key)


def test_last_month_is_the_whole_one_before():
    assert bulletin.last_month(date(2026, 12, 31)) == NOVEMBER
    assert bulletin.last_month(date(2027, 1, 1)) == DECEMBER


# Stories of any shape -------------------------------------------------------------------------------------------------


MOVES = {
    "reported": ["accepted", "dispatched", "reported", "not_accepted", "withdrawn", "merged"],
    "dispatched": ["accepted", "accepted", "reported", "withdrawn"],
    "accepted": ["resolved", "resolved", "resolved", "suspended", "reported", "dispatched", "merged", "same", "same", "not_accepted"],
    "suspended": ["accepted", "accepted", "withdrawn", "same"], "merged": ["accepted", "reported"],
    "resolved": ["callback", "callback", "accepted", "resolved"], "callback": ["closed", "closed", "accepted"],
    "closed": ["accepted"], "not_accepted": ["appealed"], "appealed": ["reported", "not_accepted"], "withdrawn": [],
}  # fmt: skip
NAMED = {"dispatched": "decline", "accepted": "grant_time"}


def invent(city: seed.City, chance: random.Random, issue: Issue, departments: list[Any]) -> None:
    """Carry an issue on by events alone, through states and moves that the workflow need not know; many fall on midnights."""
    state, moment, unit, rows = "reported", issue.reported_at, (issue.unit_code, None), []
    for seq in range(2, chance.randint(2, 16)):
        if not MOVES[state]:
            break
        moment += timedelta(hours=chance.choice([0, 1, 3, 6, 12, 24, 24, 48, 120]))
        to = chance.choice(MOVES[state])
        to = state if to == "same" else to
        if to in ("reported", "accepted", "resolved") and chance.random() < 0.4 and to != state:
            unit = (chance.choice([seed.MICRO, seed.VILLAGE, seed.TOWNSHIP, seed.CITY]), None)
        if to == "dispatched":
            unit = (None, chance.choice(departments))
        due = (
            None
            if to in ("closed", "merged", "withdrawn", "not_accepted")
            else moment + timedelta(hours=chance.choice([0, 12, 24, 72]))
        )
        if to == state and rows and chance.random() < 0.7:
            due = rows[-1]["due_at"]
        system = chance.random() < 0.3
        data = {"satisfaction": chance.randint(1, 5)} if state == "callback" and chance.random() < 0.8 else {}
        name = NAMED.get(state, "other") if to in (state, "reported") else "other"
        rows.append(
            {"issue_id": issue.id, "seq": seq, "name": name, "from_state": state, "to_state": to, "actor_id": None,
             "actor_role": "system" if system else "city_office", "hop_n": 1, "unit_code": unit[0], "department_id": unit[1],
             "data": data, "due_at": due, "at": moment}
        )  # fmt: skip
        state = to
    if rows:
        db.session.connection().execute(actions.APPEND, rows)


def stories() -> tuple[dict[Any, list[Any]], dict[str, dict[Any, Any]]]:
    """Every issue's events in order, and the group of each issue by what can be grouped."""
    found: dict[Any, list[Any]] = {}
    for event in db.session.scalars(sa.select(IssueEvent).order_by(IssueEvent.issue_id, IssueEvent.seq)):
        found.setdefault(event.issue_id, []).append(event)
    issues = db.session.scalars(sa.select(Issue)).all()
    keys = {
        "": {i.id: None for i in issues}, "township": {i.id: i.grid_code[:9] for i in issues}, "unit": {},
        "village": {i.id: i.grid_code[:12] for i in issues}, "line": {i.id: i.line for i in issues},
        "category": {i.id: i.category_code for i in issues},
    }  # fmt: skip
    return found, keys


def compare(
    period: tuple[date, date], found: dict[Any, list[Any]], keys: dict[str, dict[Any, Any]], group: str
) -> int:
    """Hold the SQL against the slow reckoning, figure by figure. Returns how many figures there were that are not nothing."""
    begin, end = (datetime(*day.timetuple()[:3], tzinfo=bulletin.SHANGHAI).astimezone(UTC) for day in period)
    slow = slow_bulletin.reckon(found, keys[group], group, begin, end)
    read = bulletin.read(*period, ALL, group)
    quick = by(group, read) if group else {}
    quick[slow_bulletin.WHOLE] = flat(read.whole.figures)
    slow = {
        key: row for key, row in slow.items() if key == slow_bulletin.WHOLE or (group and any(row.values()))
    }
    assert set(quick) - {slow_bulletin.WHOLE} == set(slow) - {slow_bulletin.WHOLE}
    seen = 0
    for key, row in slow.items():
        assert set(row) == set(quick[key])
        for name, value in row.items():
            fast, digits = quick[key][name], 0.0051 if name.endswith("_h") else 0.000051
            assert (fast is None) == (value is None), (period, group, key, name, fast, value)
            assert value is None or abs(fast - value) <= digits, (period, group, key, name, fast, value)
            seen += bool(value)
    return seen


@pytest.mark.parametrize("number", range(4))
def test_invented_stories_are_counted_as_a_slow_walk_through_the_events_counts_them(city, number):
    chance = random.Random(number)
    departments = list(db.session.scalars(sa.text("SELECT id FROM departments ORDER BY code")))
    for n in range(60):
        db.set_clock(at("2026-10-25 00:00") + timedelta(hours=6 * chance.randint(0, 90)))
        place = chance.choice([seed.MICRO, seed.SIBLING_MICRO, seed.FOREIGN_MICRO])
        invent(
            city,
            chance,
            city.report("resident", grid_code=place, category=["0203", "0101", "1001"][n % 3]),
            departments,
        )
    found, keys = stories()
    seen = 0
    for period in (
        NOVEMBER,
        (date(2026, 11, 4), date(2026, 11, 11)),
        (date(2026, 10, 25), date(2026, 10, 26)),
    ):
        for group in keys:
            seen += compare(period, found, keys, group)
    assert seen > 300


# A simulated month ----------------------------------------------------------------------------------------------------


@pytest.fixture
def month(app: Flask, servers: tuple[str, str], tmp_path: Path) -> Iterator[sa.Engine]:
    """A small virtual city that was played for 31 days from March 2nd by the real actions; a database of its own."""
    name = f"month_{uuid4().hex}"
    run_sql(servers[0], f"CREATE DATABASE {name}")
    url = named(servers[0], name)
    (tmp_path / "order.json").write_text(json.dumps(vars(Order(31, 5, 13, 5.0, str(model.FILE)))), "utf-8")
    argv = [
        sys.executable,
        "-m",
        "gridgov",
        "simulate",
        "play",
        str(tmp_path / "order.json"),
        str(tmp_path / "result.json"),
    ]
    told = scratch.environment(url, ROOT / "workflows", tmp_path, "zh")
    done = subprocess.run(argv, env=told, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    engine = sa.create_engine(db.sqlalchemy_url(url))
    db.session.remove()
    db.session.configure(bind=engine)
    yield engine
    db.session.remove()
    db.session.configure(bind=app.extensions["engine"])
    engine.dispose()
    run_sql(servers[0], f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.slow
def test_a_simulated_month_is_counted_as_a_slow_walk_through_its_events_counts_it(month):
    found, keys = stories()
    seen = 0
    for period in (
        (date(2026, 3, 1), date(2026, 4, 1)),
        (date(2026, 3, 9), date(2026, 3, 16)),
        (date(2026, 3, 20), date(2026, 3, 21)),
    ):
        for group in keys:
            seen += compare(period, found, keys, group)
    assert len(found) > 80
    assert seen > 1000
    # What the engine itself keeps with each issue is the same.
    whole = figures((date(2026, 3, 1), date(2026, 5, 1)))
    of = {
        name: db.session.scalar(
            sa.text(f"SELECT count(*) FILTER (WHERE {name}) FROM issues WHERE state = 'closed'")
        )
        for name in ("on_time", "solved")
    }
    assert whole["results.closed_on_time"] == of["on_time"] > 20
    assert whole["results.solved"] == of["solved"] > 10


# What it costs, and the command ---------------------------------------------------------------------------------------


YEARS = """
    WITH made AS (
        INSERT INTO issues (id, number, grid_code, category_code, line, grade, text, reporter_id, state, unit_code, reported_at, ended_at,
            generation, hop_n, rework_count, confidential, due_provisional)
        SELECT gen_random_uuid(), 'X' || n, :micro, '0203', 'safety', 'C', 'x', :person, 'closed', :micro,
            timestamptz '2024-01-01' + n * interval '18 hours', now(), 0, 1, 0, false, false
        FROM generate_series(1, 1400) AS n RETURNING id, reported_at
    )
    INSERT INTO issue_events (issue_id, seq, name, from_state, to_state, actor_role, hop_n, unit_code, data, due_at, at)
    SELECT id, n, 'note', 'accepted', CASE n WHEN 1 THEN 'reported' WHEN 12 THEN 'closed' ELSE 'accepted' END, 'system', 1, :micro, '{}',
        reported_at + (n + 20) * interval '1 hour', reported_at + n * interval '1 hour'
    FROM made, generate_series(1, 12) AS n ORDER BY reported_at + n * interval '1 hour', n
"""


def test_a_month_is_read_without_scanning_the_events_of_years(city, db_session):
    """1,400 issues with 12 events each, over three years; the planner is free in what it chooses."""
    connection = db_session.connection()
    connection.execute(sa.text(YEARS), {"micro": seed.MICRO, "person": city.resident.id})
    connection.execute(sa.text("SELECT brin_summarize_new_values('ix_issue_events_period')"))
    connection.execute(sa.text("ANALYZE issue_events, issues"))
    given = {
        "begins": at("2026-03-01 00:00"),
        "ends": at("2026-04-01 00:00"),
        "under": ["430581%"],
        "departments": None,
        "barred": [],
        "barred_departments": [],
    }
    for name in bulletin_sql.STATEMENTS:
        statement = bulletin.PREPARED[name, "unit"]
        explain = sa.text(f"EXPLAIN {statement.text}").bindparams(*statement._bindparams.values())
        plan = "\n".join(connection.execute(explain, given).scalars())
        assert "Seq Scan on issue_events" not in plan, (name, plan)
        assert "ix_issue_events_period" in plan, (name, plan)
        assert ("ix_issue_events_suspensions" in plan) == (name == "quality")


def test_a_bulletin_is_four_statements_and_its_names(city):
    accepted(city, "2026-11-16 09:00")
    with counting.count_queries() as ran:
        bulletin.read(*NOVEMBER, ALL)
    assert len(ran) == 4


@pytest.fixture
def told(live: Flask) -> Flask:
    """A database with one accepted issue of November 16th, committed."""
    with live.app_context(), db.transaction():
        accepted(seed.City(), "2026-11-16 09:00", "2026-11-16 10:00")
    db.session.remove()
    return live


def run(app: Flask, *args: str) -> Any:
    with app.app_context():
        return CliRunner().invoke(bulletin_cli.bulletin, args)


def test_the_command_prints_json_csv_and_a_table(told):
    days = ("--from", "2026-11-01", "--to", "2026-12-01")
    found = json.loads(run(told, *days, "--under", seed.TOWNSHIP, "--by", "village", "--json").output)
    assert (found["from"], found["to"], found["under"], found["by"]) == (
        "2026-11-01",
        "2026-12-01",
        [seed.TOWNSHIP],
        "village",
    )
    assert [(line["key"], line["stages"]["registered"]) for line in found["lines"]] == [(seed.VILLAGE, 1)]
    assert (
        found["total"]["timeliness"]["on_time_rate"] == 0.0
        and found["total"]["results"]["satisfaction"] is None
    )
    rows = list(csv.DictReader(io.StringIO(run(told, *days, "--by", "line", "--csv").output)))
    assert [(row["key"], row["stages.reported"], row["quality.decline_rate"]) for row in rows] == [
        ("safety", "1", ""),
        ("", "1", ""),
    ]
    text = run(told, *days).output
    assert "stages: reported 1, registered 1" in text and "registered_median_h 1" in text
    assert "reported 0" in run(told, *days, "--under", seed.FOREIGN_TOWNSHIP).output


def test_the_command_without_days_is_of_last_month(told):
    with told.app_context(), db.transaction():
        db.set_clock(at("2026-12-31 23:59"))
    assert json.loads(run(told, "--json").output)["from"] == "2026-11-01"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--from", "2026-11-01"), "--from and --to"), (("--csv", "--json"), "not both"), (("--by", "person"), "--by"),
        (("--from", "gestern", "--to", "2026-12-01"), "--from"),
    ],
)  # fmt: skip
def test_the_command_refuses_what_makes_no_sense(app, args, said):
    outcome = run(app, *args)
    assert outcome.exit_code == 2
    assert said in outcome.output


def test_the_command_refuses_a_grid_that_is_not_there(told):
    assert isinstance(run(told, "--under", "430581999").exception, NotFound)
