"""Every transition × every person, permitted and refused, at every unit it can be made from; through the real API.

What is expected is written down here by hand, apart from workflows/issue.yaml, so that a slip in one shows against the other.
201: done. 403: seen, but not theirs to do. 404: not theirs to see. 409: theirs, but not this one's (they handled it).
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from gridgov import db
from gridgov.issues import actions, flow
from gridgov.issues.models import Issue, IssueEvent
from gridgov.people import actions as people
from gridgov.people.models import Role
from tests import seed
from tests.factories import photo_of

REPORTER = "resident"
ABOVE = {
    "worker", "micro_chief", "village_chief", "township_chief", "township_office", "township_office_2", "city_chief",
    "city_office", "city_office_2", "city_leader", "auditor",
}  # fmt: skip
SIGHT = {REPORTER, *ABOVE}
DEPARTMENT = {"department", "department_2"}
TOWNSHIP = {"township_chief", "township_office", "township_office_2"}
CITY = {"city_office", "city_office_2"}
UNIT: dict[str, set[str]] = {
    "micro": {"micro_chief"}, "village": {"village_chief"}, "township": TOWNSHIP, "city": CITY, "department": DEPARTMENT,
}  # fmt: skip
LEADERS = {"city_chief", "city_leader"}
ABOVE_UNIT: dict[str, set[str]] = {
    "micro": {"village_chief", *TOWNSHIP, *CITY, *LEADERS}, "village": {*TOWNSHIP, *CITY, *LEADERS},
    "township": {*CITY, *LEADERS}, "department": {*CITY, *LEADERS}, "city": set(),
}  # fmt: skip
RESUMERS = {"village_chief", "township_office", "township_office_2", *CITY}
VERIFIES_AT = {"micro": "village", "village": "township", "township": "township", "city": "city", "department": "city"}
SIBLINGS = {"micro": seed.SIBLING_MICRO, "village": seed.SIBLING_VILLAGE, "township": seed.FOREIGN_TOWNSHIP}
HELPER = {"department": "other_department", "village": "sibling_village_chief"}
OFFICES = {"township_office", "township_office_2", "city_office", "city_office_2"}
NOTERS = {REPORTER, "worker", "micro_chief", "village_chief"}
REASON = {"reason": "理由"}


def reported(city: seed.City, unit: str) -> Issue:
    """An issue in MICRO that lies, not yet accepted, with the unit of this level."""
    issue = city.report(REPORTER)
    climb = [("micro", "micro_chief"), ("village", "village_chief"), ("township", "township_office")]
    for level, who in climb:
        if level == unit:
            return issue
        actions.act(issue, "escalate", actor=city.person(who), data=REASON)
    if unit == "department":
        actions.act(issue, "dispatch", actor=city.city_office, data={"department": "transport"})
    return issue


def accepted(city: seed.City, unit: str) -> Issue:
    """The same, accepted by the first of the unit's people."""
    issue = reported(city, unit)
    actions.act(issue, "accept", actor=city.person(first(unit)))
    return issue


def resolved(city: seed.City, unit: str) -> Issue:
    """The same, resolved by the one who accepted it: it lies with whoever verifies."""
    issue = accepted(city, unit)
    who = city.person(first(unit))
    actions.act(issue, "resolve", actor=who, data={"result": "办好了", "proof": [photo_of(who)]})
    return issue


def callback(city: seed.City, unit: str) -> Issue:
    """The same, verified: the reporter is asked."""
    issue = resolved(city, unit)
    checker = {"micro": "village_chief", "village": "township_office", "township": "township_office_2"}.get(
        unit, "city_office_2"
    )
    actions.act(issue, "verify", actor=city.person(checker), data={"way": "spot"})
    return issue


def closed(city: seed.City, unit: str) -> Issue:
    """The same, and the reporter is content."""
    issue = callback(city, unit)
    actions.act(issue, "rate", actor=city.person(REPORTER), data={"satisfaction": 4})
    return issue


def refused(city: seed.City, unit: str) -> Issue:
    """Not accepted by the office of this level."""
    issue = reported(city, unit)
    actions.act(issue, "not_accept", actor=city.person(first(unit)), data={**REASON, "route": "法院"})
    return issue


def appealed(city: seed.City, unit: str) -> Issue:
    """The same, and the reporter has appealed: it lies with the city."""
    issue = refused(city, unit)
    actions.act(issue, "appeal", actor=city.person(REPORTER), data=REASON)
    return issue


def shared(story: Callable[..., Issue], *, declined: bool = False) -> Callable[..., Issue]:
    """The same story, and another unit has a part: the police assist a department, a neighbouring village helps a village."""

    def told(city: seed.City, unit: str) -> Issue:
        issue = story(city, unit)
        if issue.state == "suspended":  # It was given before.
            actions.act(issue, "resume", actor=city.person(first(unit)))
        if unit == "department":
            actions.act(issue, "add_part", actor=city.city_office, data={"assisting": ["police"]})
        else:
            actions.act(issue, "join", actor=city.person(first(unit)), data={"partner": SIBLINGS[unit]})
        if declined:
            actions.act(issue, "decline_part", actor=city.person(HELPER[unit]), data=REASON)
        if story is suspended:
            data = {**REASON, "review_on": str((db.utcnow() + timedelta(days=30)).date())}
            actions.act(issue, "ask_suspension", actor=city.person(first(unit)), data=data)
            actions.act(issue, "suspend", actor=city.person(min(DECIDERS[unit][0])))
        return issue

    told.__name__ = story.__name__
    told.helped = True  # type: ignore[attr-defined]
    return told


def asked(city: seed.City, unit: str) -> Issue:
    """Accepted, and its handler has asked for more time."""
    issue = accepted(city, unit)
    actions.act(issue, "ask_time", actor=city.person(first(unit)), data={"extra": "25", **REASON})
    return issue


def asked_to_stop(city: seed.City, unit: str) -> Issue:
    """Accepted, and its handler has asked to suspend it."""
    issue = accepted(city, unit)
    data = {**REASON, "review_on": str((db.utcnow() + timedelta(days=30)).date())}
    actions.act(issue, "ask_suspension", actor=city.person(first(unit)), data=data)
    return issue


def suspended(city: seed.City, unit: str) -> Issue:
    """The same, and the level above has stopped the clock."""
    issue = asked_to_stop(city, unit)
    actions.act(issue, "suspend", actor=city.person(min(DECIDERS[unit][0])))
    return issue


def merged(story: Callable[..., Issue]) -> Callable[..., Issue]:
    """The same story, and the city has merged it into another of the resident's."""

    def told(city: seed.City, unit: str) -> Issue:
        issue, other = story(city, unit), city.report("worker")
        actions.act(issue, "merge", actor=city.city_office_2, data={"issue": other.number})
        return issue

    told.__name__ = "merged"
    return told


def first(unit: str) -> str:
    """The one of a unit who acts in the stories above."""
    return {"township": "township_office", "city": "city_office", "department": "department"}.get(
        unit, f"{unit}_chief"
    )


def grave(story: Callable[..., Issue]) -> Callable[..., Issue]:
    """The same story of an issue that has become of grade A."""

    def told(city: seed.City, unit: str) -> Issue:
        issue = story(city, unit)
        db.session.execute(sa.update(Issue).where(Issue.id == issue.id).values(grade="A"))
        db.session.refresh(issue)
        return issue

    told.__name__ = story.__name__
    return told


def instructed(story: Callable[..., Issue]) -> Callable[..., Issue]:
    """The same story, and a leader waits for an answer."""

    def told(city: seed.City, unit: str) -> Issue:
        issue = story(city, unit)
        actions.act(issue, "instruct", actor=city.city_leader, data={"instruction": "立即到场"})
        return issue

    told.__name__ = story.__name__
    return told


def supervised(story: Callable[..., Issue]) -> Callable[..., Issue]:
    """The same story, under supervision."""

    def told(city: seed.City, unit: str) -> Issue:
        issue = story(city, unit)
        if issue.state in ("callback", "appealed"):  # It was put under supervision before.
            db.session.execute(sa.update(Issue).where(Issue.id == issue.id).values(supervisor_id=city.city_leader.id))
            db.session.refresh(issue)
        else:
            until = str((db.utcnow() + timedelta(days=30)).date())
            actions.act(issue, "supervise", actor=city.city_leader, data={"report_on": until, **REASON})
        return issue

    told.__name__ = story.__name__
    return told


DECIDERS: dict[str, tuple[set[str], set[str]]] = {
    "micro": ({"village_chief"}, set()), "village": (TOWNSHIP, set()), "township": (CITY, {"city_chief", "city_leader"}),
    "department": (CITY, {"city_chief", "city_leader"}), "city": ({"city_chief", "city_leader"}, CITY),
}  # fmt: skip
"""Who decides what a unit's handler asks; and who could, were they not of the level that asks or above the office."""


Row = tuple[str, Callable[..., Issue], str, dict[str, Any], set[str], set[str]]


def rows() -> list[Row]:
    """(transition, story, unit, data, who may, who may not although their post could)."""
    found: list[Row] = []
    for unit, people_there in UNIT.items():
        found.append(("accept", reported, unit, {}, people_there, set()))
        found.append(("resolve", accepted, unit, {"result": "办好了", "proof": "photo"}, people_there, set()))
        seen = NOTERS | people_there
        for story in (reported, accepted):
            found.append(("note", story, unit, {"note": "看过了"}, seen, set()))
            found.append(("withdraw", story, unit, {}, {REPORTER}, set()))
            if unit in ("micro", "village", "township") or (unit == "department" and story is accepted):
                found.append(("escalate", story, unit, REASON, people_there, set()))
            if unit in ("township", "city"):
                office = {"township_office", "township_office_2"} if unit == "township" else CITY
                found.append(("dispatch", story, unit, {"department": "station"}, office, set()))
                found.append(("not_accept", story, unit, {**REASON, "route": "法院"}, office, set()))
            above = set(ABOVE_UNIT[unit])
            may = (people_there | above) - DEPARTMENT - LEADERS
            may &= SIGHT - {"city_chief", "city_leader"}
            found.append(("merge", story, unit, {"issue": "another"}, may, set()))
            found.append(("unmerge", merged(story), unit, REASON, may, set()))
            found.append(("urge", story, unit, {}, {REPORTER} | above, set()))
            if unit in ("micro", "village", "township"):
                data = {**REASON, "unit": SIBLINGS[unit]}
                found.append(("transfer", story, unit, data, people_there, set()))
            if unit in ("village", "township", "city"):
                found.append(("return", story, unit, REASON, people_there, set()))
        until = str((datetime.now(UTC) + timedelta(days=30)).date())
        for story in (reported, accepted):
            found.append(("raise_grade", story, unit, {"grade": "A", **REASON}, people_there | (set(ABOVE_UNIT[unit]) & RESUMERS), set()))
            offices = {"township_office", "township_office_2"} & (people_there | set(ABOVE_UNIT[unit]))
            lowers = CITY | offices
            found.append(("lower_grade", grave(story), unit, {"grade": "C", **REASON}, lowers, set()))
        for story in (reported, accepted, suspended):
            found += beside(story, unit, people_there)
        found.append(("ask_time", accepted, unit, {"extra": "50", **REASON}, people_there, set()))
        found.append(("ask_suspension", accepted, unit, {"review_on": until, **REASON}, people_there, set()))
        may, could = DECIDERS[unit]
        may, could = (may, could) if unit == "city" else (may | could, set())
        found.append(("grant_time", asked, unit, {}, may, could))
        found.append(("suspend", asked_to_stop, unit, {}, may, could))
        found.append(("refuse", asked, unit, REASON, may, could))
        found.append(("take_back", asked, unit, {}, people_there, set()))
        found.append(("resume", suspended, unit, {}, people_there | (set(ABOVE_UNIT[unit]) & RESUMERS), set()))
        found.append(("note", suspended, unit, {"note": "看过了"}, seen, set()))
        found.append(("withdraw", suspended, unit, {}, {REPORTER}, set()))
    found.append(("decline", reported, "department", REASON, DEPARTMENT, set()))
    found += of_parts() + after_the_end()
    checks: list[tuple[str, set[str], set[str]]] = [
        ("micro", {"village_chief"}, set()),
        ("village", TOWNSHIP, set()),
        ("township", TOWNSHIP - {"township_office"}, {"township_office"}),
        ("city", {"city_office_2"}, {"city_office"}),
        ("department", CITY, set()),
    ]
    for unit, may, handled in checks:
        checkers = may | handled
        last = LEADERS if VERIFIES_AT[unit] == "city" else set()  # Where nobody stands above who could check it.
        found.append(("verify", resolved, unit, {"way": "spot"}, may | last, handled))
        found.append(("rework", resolved, unit, REASON, may | last, handled))
        found += beside(resolved, unit, checkers) + beside(callback, unit, checkers)
        urgers = set(ABOVE_UNIT[VERIFIES_AT[unit]])
        found.append(("urge", resolved, unit, {}, {REPORTER} | urgers, set()))
        found.append(("note", resolved, unit, {"note": "看过了"}, NOTERS | checkers, set()))
        ask = may - {"township_chief"}
        found.append(("rate", callback, unit, {"satisfaction": 4}, {REPORTER}, set()))
        found.append(("contest", callback, unit, REASON, {REPORTER}, set()))
        found.append(("record_solved", callback, unit, {"called": "phone", "satisfaction": 4}, ask, handled))
        found.append(("record_unsolved", callback, unit, {"called": "visit", **REASON}, ask, handled))
        found.append(("note", callback, unit, {"note": "看过了"}, NOTERS | checkers, set()))
    return found


def of_parts() -> list[Row]:
    """What the answerable unit and those above give to others, and what these do."""
    found: list[Row] = []
    for story in (reported, accepted):
        found.append(("add_part", story, "department", {"assisting": ["police"]}, DEPARTMENT | CITY, set()))
        for unit in SIBLINGS:
            may = UNIT[unit] | (ABOVE_UNIT[unit] & (OFFICES | {"village_chief"}))
            found.append(("join", story, unit, {"partner": SIBLINGS[unit]}, may, set()))
        found.append(("join", story, "city", {"partner": seed.FOREIGN_TOWNSHIP}, set(), set()))
    found.append(("join", accepted, "department", {"partner": seed.VILLAGE}, set(), CITY))
    found.append(("add_part", accepted, "city", {"assisting": ["police"]}, CITY, set()))
    found.append(("add_part", accepted, "township", {"assisting": ["station"]}, OFFICES, set()))
    found.append(("add_part", accepted, "village", {"assisting": ["police"]}, set(), OFFICES))
    for unit, story in [("village", reported), *((u, s) for u in HELPER for s in (accepted, suspended)), ("department", reported)]:
        helper, may = {HELPER[unit]}, UNIT[unit] | (ABOVE_UNIT[unit] & OFFICES)
        found.append(("finish_part", shared(story), unit, {"result": "办好了"}, helper, set()))
        found.append(("finish_part", shared(story, declined=True), unit, {"result": "办好了"}, set(), helper))
        found.append(("decline_part", shared(story), unit, REASON, helper, set()))
        found.append(("note", shared(story), unit, {"note": "看过了"}, NOTERS | UNIT[unit] | helper, set()))
        found.append(("drop_part", shared(story), unit, {"part": 1, **REASON}, may, set()))
        found.append(("drop_part", story, unit, {"part": 1, **REASON}, set(), may))
        found.append(("insist_part", shared(story, declined=True), unit, {"part": 1, **REASON}, may, set()))
        found.append(("insist_part", shared(story), unit, {"part": 1, **REASON}, set(), may))
    for unit in HELPER:
        found.append(("resolve", shared(accepted), unit, {"result": "办好了", "proof": "photo"}, set(), UNIT[unit]))
    return found


def after_the_end() -> list[Row]:
    """Reopening what was closed, and appealing against a refusal."""
    found: list[Row] = []
    for unit in UNIT:
        offices = CITY if unit in ("city", "department") else OFFICES
        found.append(("reopen", closed, unit, REASON, {REPORTER} | offices, set()))
    for unit in ("township", "city"):
        may, could = (CITY, LEADERS) if unit == "township" else (LEADERS, CITY)
        found.append(("appeal", refused, unit, REASON, {REPORTER}, set()))
        found.append(("uphold", appealed, unit, REASON, may, could))
        found.append(("admit", appealed, unit, REASON, may, could))
        found.append(("note", appealed, unit, {"note": "看过了"}, NOTERS | CITY, set()))
        found += beside(appealed, unit, CITY)
    return found


def beside(story: Callable[..., Issue], unit: str, people_there: set[str]) -> list[Row]:
    """What can be done beside the present state, wherever it is open."""
    overseers = {"township_office", "township_office_2", "township_chief", *CITY, *LEADERS}
    reporters = people_there | {"micro_chief", "village_chief", "township_office", "township_office_2", "township_chief"}
    until = str((datetime.now(UTC) + timedelta(days=30)).date())
    found: list[Row] = [
        ("situation", grave(story), unit, {"note": "火势已控制"}, reporters, set()),
        ("instruct", story, unit, {"instruction": "立即到场"}, {"township_chief", *LEADERS}, set()),
        ("answer", instructed(story), unit, {"note": "已到场"}, people_there, set()),
        ("end_supervision", supervised(story), unit, {"note": "已办结"}, overseers, set()),
    ]
    if story not in (callback, appealed):
        found.append(("supervise", story, unit, {"report_on": until, **REASON}, overseers, set()))
    return found


ROWS = rows()


@pytest.mark.parametrize("row", ROWS, ids=[f"{r[0]}-{r[1].__name__}-{r[2]}" for r in ROWS])
def test_who_may_and_who_may_not(city, client, row):
    name, story, unit, data, may, handled = row
    if data.get("department") or data.get("assisting") == ["station"]:
        place = seed.TOWNSHIP if unit == "township" else seed.CITY
        station = people.create_department("station", "公路站", place, actor=None)
        people.appoint(city.neighbour, Role.DEPARTMENT, actor=None, department_id=station.id)
    issue = story(city, unit)
    sight = SIGHT | (DEPARTMENT if unit == "department" else set())
    if hasattr(story, "helped"):
        sight = sight | {HELPER[unit]}
    assert may | handled <= sight
    issue_id, another = issue.id, city.report("worker").number if data.get("issue") else ""
    connection = db.session.get_bind()
    got, expected = {}, {}
    for key in seed.PEOPLE:
        body = dict(data)
        if body.get("issue"):
            body["issue"] = another
        if body.get("proof"):
            body["proof"] = [str(photo_of(city.person(key)))]
        client.bearer(city.person(key))  # So that the token is made outside what is rolled back.
        db.session.remove()
        before = state_of(issue_id)
        db.session.remove()
        with connection.begin_nested() as attempt:
            answer = client.send(
                f"/api/v1/issues/{issue_id}/events", {"name": name, **body}, city.person(key)
            )
            got[key] = answer.status_code
            if answer.status_code != 201:
                assert state_of(issue_id) == before
                assert answer.mimetype == "application/problem+json" and answer.json["code"]
            db.session.remove()
            attempt.rollback()
        expected[key] = 201 if key in may else 409 if key in handled else 403 if key in sight else 404
    assert got == expected


def state_of(issue_id: UUID) -> Any:
    """All that a refused move must leave as it was."""
    return db.session.execute(
        sa.select(Issue.state, Issue.unit_code, Issue.department_id, Issue.generation,
                  sa.select(sa.func.count()).where(IssueEvent.issue_id == issue_id).scalar_subquery())
        .where(Issue.id == issue_id)
    ).one()  # fmt: skip


def test_every_transition_somebody_can_fire_has_its_rows():
    fired_by_people = {t.name for t in flow.current().transitions.values() if t.by != {flow.SYSTEM}}
    assert {row[0] for row in ROWS} == fired_by_people


def test_every_state_a_transition_starts_from_has_its_row():
    stories = {
        "reported": {"reported", "dispatched"},
        "accepted": {"accepted"},
        "asked": {"accepted"},
        "asked_to_stop": {"accepted"},
        "suspended": {"suspended"},
        "resolved": {"resolved"},
        "callback": {"callback"},
        "closed": {"closed"},
        "refused": {"not_accepted"},
        "appealed": {"appealed"},
        "merged": {"merged"},
    }
    for t in flow.current().transitions.values():
        if t.by != {flow.SYSTEM}:
            covered = set().union(*(stories[row[1].__name__] for row in ROWS if row[0] == t.name))
            assert set(t.sources) <= covered, t.name


def test_every_role_is_somebody_in_the_matrix():
    assert {role for _name, role, _place in seed.PEOPLE.values()} == set(Role)


@pytest.mark.parametrize(
    "name", [t.name for t in flow.current().transitions.values() if t.by == {flow.SYSTEM}]
)
def test_nobody_fires_what_is_the_systems(city, client, name):
    issue_id = reported(city, "micro").id
    for key in ("micro_chief", REPORTER, "city_office"):
        assert (
            client.send(f"/api/v1/issues/{issue_id}/events", {"name": name}, city.person(key)).status_code
            == 403
        )
