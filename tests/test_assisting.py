"""Lead and assisting, joint handling: through the real actions, on the small test city."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from gridgov import db, timers
from gridgov.errors import IllegalTransition, Invalid, NotFound, NotPermitted
from gridgov.i18n import forced
from gridgov.issues import actions, flow, part_models, part_words, queries, queues
from gridgov.issues.models import Issue
from gridgov.issues.part_models import Part
from gridgov.live import changes
from gridgov.notices.models import Notice
from gridgov.people import actions as people_actions, queries as people
from gridgov.people.models import Role
from tests import seed
from tests.counting import count_queries
from tests.factories import photo_of
from tests.office import at
from tests.test_asks import able, open_timers
from tests.test_workflow_life import deliver_all, resolve, sweep
from tests.test_worktime import NEW_YEAR, take

MONDAY = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)  # 09:00 in Wugang, a working day.
REASON = {"reason": "不属于我们的职责"}
DONE = {"result": "现场秩序已恢复"}


@pytest.fixture(autouse=True)
def monday(db_session):
    db.set_clock(MONDAY)


def at_city(city: seed.City, **given: object) -> Issue:
    """An issue that lies with the city's office."""
    issue = city.report("resident", **given)
    for who in ("micro_chief", "village_chief", "township_office"):
        actions.act(issue, "escalate", actor=city.person(who), data={"reason": "办不了"})
    return issue


def shared(city: seed.City, *, accept: bool = True, **given: object) -> Issue:
    """Dispatched to the transport bureau as lead, the police assisting."""
    issue = at_city(city)
    data = {"department": "transport", "assisting": ["police"], "task": "维持现场秩序", **given}
    actions.act(issue, "dispatch", actor=city.city_office, data=data)
    if accept:
        actions.act(issue, "accept", actor=city.department)
    return issue


def joint(city: seed.City) -> Issue:
    """Accepted by the village, the neighbouring village a partner."""
    issue = city.report("resident")
    actions.act(issue, "escalate", actor=city.micro_chief, data={"reason": "办不了"})
    actions.act(issue, "accept", actor=city.village_chief)
    actions.act(
        issue,
        "join",
        actor=city.village_chief,
        data={"partner": seed.SIBLING_VILLAGE, "task": "清理你村一侧"},
    )
    return issue


def parts(issue: Issue) -> list[Part]:
    return part_models.of(issue)


def told(city: seed.City, issue: Issue, audience: str) -> set[str]:
    """Who was told of the last event as this audience."""
    deliver_all()
    rows = db.session.scalars(
        sa.select(Notice.person_id).where(
            Notice.issue_id == issue.id, Notice.seq == issue.last_seq, Notice.audience == audience
        )
    ).all()
    return {key for key in seed.PEOPLE if city.person(key).id in set(rows)}


# Lead and assisting ---------------------------------------------------------------------------------------------------


def test_a_dispatch_gives_parts_each_with_a_deadline_of_its_own(city):
    issue = shared(city, accept=False)
    (part,) = parts(issue)
    assert (part.kind, part.state, part.task, part.giver_code) == (
        "assist",
        "open",
        "维持现场秩序",
        seed.CITY,
    )
    # Seven days of seven working hours from Monday 09:00.
    assert part.due_at == datetime(2026, 11, 25, 1, 0, tzinfo=UTC)
    assert issue.due_at < part.due_at
    assert (issue.parts, issue.parts_open, issue.clocks) == (1, 1, ["part:1"])
    assert open_timers(issue) == [("accept", "open"), ("part:1", "open")]
    assert told(city, issue, "parts") == {"other_department"}


def test_the_whole_is_resolved_only_when_all_parts_are_done(city):
    issue = shared(city)
    assert "resolve" not in able(city, "department", issue)
    with pytest.raises(IllegalTransition) as refused:
        resolve(issue, city.department)
    assert refused.value.code == "guard_parts_done" and "公安局" in refused.value.message
    actions.act(issue, "finish_part", actor=city.other_department, data=DONE)
    assert issue.parts_open == 0
    resolve(issue, city.department)
    assert issue.state == "resolved"


def test_a_unit_finishes_its_part_with_a_result_and_the_lead_and_the_giver_hear_of_it(city):
    issue = shared(city)
    with pytest.raises(Invalid) as refused:
        actions.act(issue, "finish_part", actor=city.other_department, data={})
    assert set(refused.value.errors) == {"result"}
    data = {**DONE, "photos": [photo_of(city.other_department)]}
    event = actions.act(issue, "finish_part", actor=city.other_department, data=data)
    part = parts(issue)[0]
    assert (part.state, part.done_by, part.result) == ("done", city.other_department.id, DONE["result"])
    assert (event.actor_role, event.data["parts"], event.department_id) == (
        "department",
        [1],
        city_department(issue),
    )
    assert open_timers(issue) == [("resolve", "open")] and issue.clocks == []
    assert told(city, issue, "unit") == {"department", "department_2"}
    assert told(city, issue, "givers") == {"city_office", "city_office_2"}
    with pytest.raises(NotPermitted):
        actions.act(issue, "finish_part", actor=city.other_department, data=DONE)


def city_department(issue: Issue) -> object:
    return issue.department_id


def test_the_lead_cannot_assist_and_only_departments_of_this_office_can(city):
    issue = at_city(city)
    for wrong in (["transport"], ["nobody"], ["police", "nobody"]):
        with pytest.raises(Invalid) as refused, db.session.begin_nested():
            actions.act(
                issue,
                "dispatch",
                actor=city.city_office,
                data={"department": "transport", "assisting": wrong},
            )
        assert set(refused.value.errors) == {"assisting"}
        db.session.refresh(issue)
        assert (issue.state, issue.parts) == ("reported", 0)


def test_no_unit_has_two_live_parts_of_one_issue(city):
    issue = shared(city)
    with pytest.raises(Invalid):
        actions.act(issue, "add_part", actor=city.city_office, data={"assisting": ["police"]})
    db.session.expire_all()
    values = parts(issue)[0].model_dump() | {"n": 2}
    with pytest.raises(IntegrityError, match="uq_issue_parts_department"), db.session.begin_nested():
        db.session.execute(sa.insert(Part).values(**values))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"state": "done"}, "done_has_result"),
        ({"state": "declined"}, "declined_has_reason"),
        ({"state": "gone"}, "state_known"),
        ({"department_id": None}, "one_unit"),
        ({"kind": "joint"}, "kind_fits"),
    ],
)
def test_the_database_keeps_parts_whole(city, change, name):
    issue = shared(city)
    with pytest.raises(IntegrityError, match=name), db.session.begin_nested():
        db.session.execute(sa.update(Part).where(Part.issue_id == issue.id).values(**change))


def test_the_database_lets_no_issue_end_with_a_part_that_is_not_settled(city):
    issue = shared(city)
    with pytest.raises(IntegrityError, match="ended_without_parts"), db.session.begin_nested():
        db.session.execute(sa.update(Issue).where(Issue.id == issue.id).values(ended_at=MONDAY, due_at=None))


def test_an_assisting_unit_sees_the_issue_and_has_it_in_its_list_with_its_own_deadline(city):
    issue = at_city(city)
    with pytest.raises(NotFound):
        queries.visible(city.other_department, issue.id)
    before = queries.todo_count(city.other_department)
    actions.act(
        issue, "dispatch", actor=city.city_office, data={"department": "transport", "assisting": ["police"]}
    )
    db.session.flush()
    person = city.other_department
    assert queries.visible(person, issue.id) is issue
    assert queries.todo_count(person) == before + 1
    assert [row.issue.id for row in queries.todo(person).rows] == [issue.id]
    (line,) = queues.lines(person, queues.Filter(view="mine")).rows
    assert (line.part, line.due, line.colour) == (True, parts(issue)[0].due_at.isoformat(), "green")
    assert queues.counts(person, queues.Filter(view="mine")).open == 1
    (lead,) = queues.lines(city.department, queues.Filter(view="mine")).rows
    assert (lead.part, lead.due) == (False, issue.due_at.isoformat())
    actions.act(issue, "finish_part", actor=person, data=DONE)
    assert queries.todo_count(person) == before
    assert queues.lines(person, queues.Filter(view="mine")).rows == []
    assert [line.id for line in queues.lines(person, queues.Filter(view="all")).rows] == [issue.id]
    assert queries.visible(person, issue.id) is issue


def test_open_pages_of_an_assisting_unit_hear_of_changes(city):
    issue = shared(city)
    person = city.other_department
    change = changes.Change(
        issue.id, 1, issue.grid_code, None, issue.reporter_id, frozenset({parts(issue)[0].department_id})
    )
    assert change.seen_by(changes.Viewer(issue.id, person.id, people.reach(person)))
    partner = changes.Change(
        issue.id, 1, issue.grid_code, None, issue.reporter_id, frozenset(), partners=(seed.SIBLING_VILLAGE,)
    )
    chief = city.sibling_village_chief
    assert partner.seen_by(changes.Viewer(issue.id, chief.id, people.reach(chief)))
    found = db.session.execute(changes.LOOK, {"since": "1:1:", "most": 10}).first()
    assert hasattr(found, "partners")


def test_what_a_colleague_finished_meanwhile_is_not_finished_again(city):
    people_actions.create_department("water", "水利局", seed.CITY, actor=None)
    issue = shared(city, assisting=["police", "water"])
    shown = parts(issue)  # As a page read them, before it locks; held, as the page does.
    assert [part.state for part in shown] == ["open", "open"]
    values = {"issue": issue.id, "by": city.other_department.id, "department": department_id("police")}
    db.session.execute(
        sa.text(
            "UPDATE issue_parts SET state = 'done', done_at = app_now(), done_by = :by, result = '已办'"
            " WHERE issue_id = :issue AND department_id = :department"
        ),
        values,
    )
    db.session.execute(sa.text("UPDATE issues SET parts_open = 1 WHERE id = :issue"), {"issue": issue.id})
    with pytest.raises(NotPermitted):
        actions.act(issue, "finish_part", actor=city.other_department, data=DONE)
    assert issue.parts_open == 1


def department_id(code: str) -> object:
    return db.session.execute(
        sa.text("SELECT id FROM departments WHERE code = :code"), {"code": code}
    ).scalar_one()


def test_a_part_is_declined_once_and_then_stands(city):
    issue = shared(city)
    police = city.other_department
    actions.act(issue, "decline_part", actor=police, data=REASON)
    assert (parts(issue)[0].state, parts(issue)[0].reason, issue.parts_open, issue.clocks) == (
        "declined",
        REASON["reason"],
        1,
        [],
    )
    assert told(city, issue, "givers") == {"city_office", "city_office_2"}
    assert queries.todo_count(police) == 0
    with pytest.raises(IllegalTransition) as refused:
        actions.act(issue, "finish_part", actor=police, data=DONE)
    assert refused.value.code == "guard_part_is_open"
    with pytest.raises(IllegalTransition):  # It still keeps the whole from being done.
        resolve(issue, city.department)
    actions.act(issue, "insist_part", actor=city.city_office, data={"part": 1, "reason": "治安归你们"})
    assert parts(issue)[0].state == "open" and issue.clocks == ["part:1"]
    with pytest.raises(IllegalTransition) as refused:
        actions.act(issue, "decline_part", actor=police, data=REASON)
    assert refused.value.code == "guard_part_not_declined_before"


def test_a_part_is_declined_within_a_working_day_or_not_at_all(city):
    issue = shared(city)
    db.set_clock(MONDAY + timedelta(days=2))
    with pytest.raises(IllegalTransition) as refused:
        actions.act(issue, "decline_part", actor=city.other_department, data=REASON)
    assert refused.value.code == "guard_part_decline_in_time"


def test_the_lead_or_the_office_drops_a_part_and_adds_another(city):
    issue = shared(city)
    with pytest.raises(Invalid) as refused:
        actions.act(issue, "drop_part", actor=city.department, data={"part": 7, "reason": "不需要"})
    assert set(refused.value.errors) == {"part"}
    with pytest.raises(IllegalTransition):
        actions.act(issue, "insist_part", actor=city.department, data={"part": 1, "reason": "不需要"})
    actions.act(issue, "drop_part", actor=city.department, data={"part": 1, "reason": "不需要"})
    assert told(city, issue, "parts") == {"other_department"}
    assert (issue.parts_open, issue.clocks, parts(issue)[0].state) == (0, [], "withdrawn")
    actions.act(issue, "add_part", actor=city.department, data={"assisting": ["police"], "task": "再来一次"})
    assert [(part.n, part.state, part.giver_code) for part in parts(issue)] == [
        (1, "withdrawn", seed.CITY),
        (2, "open", seed.CITY),
    ]


def test_the_deadline_of_a_part_passes_and_its_unit_and_the_giver_are_told_once(city, app):
    issue = shared(city)
    db.set_clock(parts(issue)[0].due_at + timedelta(minutes=1))
    sweep()
    db.session.refresh(issue)
    db.session.expire_all()
    assert parts(issue)[0].late_at is not None and parts(issue)[0].state == "open"
    deliver_all()
    rows = db.session.execute(
        sa.select(Notice.person_id, Notice.audience).where(
            Notice.issue_id == issue.id, Notice.audience.in_(["parts", "givers"])
        )
    )
    heard = {(person, audience) for person, audience in rows}
    assert (city.other_department.id, "parts") in heard and (city.city_office_2.id, "givers") in heard
    names = list(
        db.session.scalars(sa.text("SELECT name FROM issue_events WHERE issue_id = :i"), {"i": issue.id})
    )
    sweep()
    assert names.count("part_late") == 1
    with app.test_request_context(), forced("zh"):
        assert part_words.state(parts(issue)[0], db.utcnow()) == "已超期，没有办完"


def test_parts_with_one_deadline_are_late_in_one_step(city):
    issue = at_city(city)
    fire = people_actions.create_department(
        "fire", "消防救援大队", seed.CITY, name_en="Fire Brigade", actor=None
    )
    people_actions.appoint(city.worker, Role.DEPARTMENT, actor=None, department_id=fire.id)
    given = {"department": "transport", "assisting": ["police", "fire"]}
    actions.act(issue, "dispatch", actor=city.city_office, data=given)
    actions.act(issue, "accept", actor=city.department)
    assert issue.clocks == ["part:1", "part:2"] and parts(issue)[0].due_at == parts(issue)[1].due_at
    db.set_clock(parts(issue)[0].due_at + timedelta(minutes=1))
    sweep()
    sweep()
    db.session.refresh(issue)
    assert issue.clocks == [] and all(part.late_at is not None for part in parts(issue))
    late = sa.text("SELECT data -> 'parts' FROM issue_events WHERE issue_id = :i AND name = 'part_late'")
    assert db.session.scalars(late, {"i": issue.id}).all() == [[1, 2]]
    assert not [kind for kind, _state in open_timers(issue) if kind.startswith("part:")]


def test_each_of_several_parts_has_its_own_clock(city):
    issue = joint(city)
    db.set_clock(MONDAY + timedelta(days=1))
    actions.act(issue, "drop_part", actor=city.village_chief, data={"part": 1, "reason": "不需要"})
    actions.act(issue, "join", actor=city.village_chief, data={"partner": seed.SIBLING_VILLAGE})
    assert issue.clocks == ["part:2"]
    assert open_timers(issue) == [("part:2", "open"), ("resolve", "open")]
    assert parts(issue)[1].due_at == issue.due_at + timedelta(days=1)


@pytest.mark.parametrize(
    ("name", "who", "data"),
    [
        ("escalate", "department", {"reason": "办不了"}),
        ("withdraw", "resident", {}),
    ],
)
def test_an_issue_that_moves_on_ends_its_parts(city, name, who, data):
    issue = shared(city)
    actions.act(issue, name, actor=city.person(who), data=data)
    assert (issue.parts_open, issue.clocks, parts(issue)[0].state) == (0, [], "withdrawn")
    assert told(city, issue, "parts") == {"other_department"}


def test_a_decline_by_the_lead_ends_the_parts(city):
    issue = shared(city, accept=False)
    actions.act(issue, "decline", actor=city.department, data=REASON)
    assert (issue.parts_open, issue.unit_code) == (0, seed.CITY)


def test_a_deadline_of_the_lead_leaves_the_parts_at_work(city):
    issue = shared(city)
    db.set_clock(issue.due_at + timedelta(minutes=1))
    assert issue.due_at == parts(issue)[0].due_at
    db.session.execute(
        sa.update(timers.Timer)
        .where(timers.Timer.kind == "part:1")
        .values(run_at=issue.due_at + timedelta(days=3))
    )
    sweep()
    db.session.refresh(issue)
    assert (issue.unit_code, issue.state, issue.parts_open, issue.clocks) == (
        seed.CITY,
        "reported",
        1,
        ["part:1"],
    )
    # Whoever had a part and becomes the lead has no part beside that.
    actions.act(issue, "dispatch", actor=city.city_office, data={"department": "police"})
    assert (issue.parts_open, parts(issue)[0].state) == (0, "withdrawn")


def test_every_deliberate_end_or_departure_of_an_issue_ends_its_parts():
    workflow = flow.current()
    with_parts = set(workflow.transitions["finish_part"].sources)
    for step in workflow.transitions.values():
        ends = step.to not in ("same", "back") and not workflow.states[step.to].open
        if ends and with_parts & set(step.sources):
            assert "end_parts" in step.do and "parts" in step.tells, step.name
    # Where no part can be open, nobody can be given one.
    for name in ("add_part", "join", "insist_part", "dispatch"):
        assert set(workflow.transitions[name].sources) <= with_parts
    assert "parts_done" in workflow.transitions["resolve"].guard


def test_whoever_finished_a_part_does_not_verify_in_any_post(city):
    issue = at_city(city)
    actions.act(
        issue, "dispatch", actor=city.city_office, data={"department": "transport", "assisting": ["police"]}
    )
    actions.act(issue, "accept", actor=city.department)
    actions.act(issue, "finish_part", actor=city.other_department, data=DONE)
    resolve(issue, city.department)
    people_actions.appoint(city.other_department, Role.CITY_OFFICE, actor=None, grid_code=seed.CITY)
    people.forget_posts()
    with pytest.raises(IllegalTransition) as refused:
        actions.act(issue, "verify", actor=city.other_department, data={"way": "spot"})
    assert refused.value.code == "guard_not_handler"
    with pytest.raises(IntegrityError, match="no_doer_verifies"), db.session.begin_nested():
        db.session.execute(
            sa.update(Issue).where(Issue.id == issue.id).values(verifier_id=city.other_department.id)
        )
    assert actions.act(issue, "verify", actor=city.city_office, data={"way": "photo"}).data == {
        "way": "photo"
    }


def test_a_rework_opens_the_parts_that_are_named(city):
    issue = shared(city)
    actions.act(issue, "finish_part", actor=city.other_department, data=DONE)
    resolve(issue, city.department)
    with pytest.raises(Invalid), db.session.begin_nested():
        actions.act(
            issue, "rework", actor=city.city_office_2, data={"reason": "没有办好", "parts_again": [2]}
        )
    db.session.refresh(issue)
    actions.act(issue, "rework", actor=city.city_office_2, data={"reason": "没有办好", "parts_again": [1]})
    assert (issue.state, issue.parts_open, issue.clocks, parts(issue)[0].state) == (
        "accepted",
        1,
        ["part:1"],
        "open",
    )
    assert told(city, issue, "parts") == {"other_department"}
    actions.act(issue, "finish_part", actor=city.other_department, data={"result": "第二次办完"})
    resolve(issue, city.department)


def test_a_complex_matter_has_the_longer_limit(city):
    issue = shared(city, complex=True)
    assert issue.complex and issue.due_at == datetime(2026, 12, 7, 1, 0, tzinfo=UTC)  # Fifteen working days.
    assert parts(issue)[0].due_at == issue.due_at
    plain = shared(city)
    assert not plain.complex and plain.due_at == datetime(2026, 11, 25, 1, 0, tzinfo=UTC)


# Joint handling -------------------------------------------------------------------------------------------------------


def test_a_neighbouring_grid_is_a_partner_while_one_stays_answerable(city):
    issue = joint(city)
    (part,) = parts(issue)
    assert (part.kind, part.unit_code, part.giver_code, issue.unit_code) == (
        "joint",
        seed.SIBLING_VILLAGE,
        seed.VILLAGE,
        seed.VILLAGE,
    )
    assert told(city, issue, "parts") == {"sibling_village_chief"}
    partner = city.sibling_village_chief
    assert queries.visible(partner, issue.id) is issue
    assert queries.todo_count(partner) == 1
    actions.act(issue, "note", actor=partner, data={"note": "我村已派人"})
    with pytest.raises(IllegalTransition):
        resolve(issue, city.village_chief)
    actions.act(issue, "finish_part", actor=partner, data=DONE)
    resolve(issue, city.village_chief)
    with pytest.raises(NotFound):
        queries.visible(city.foreign_village_chief, issue.id)


def test_the_common_parent_adds_a_partner_too(city):
    issue = city.report("resident")
    actions.act(issue, "escalate", actor=city.micro_chief, data={"reason": "办不了"})
    actions.act(issue, "join", actor=city.township_office, data={"partner": seed.SIBLING_VILLAGE})
    assert parts(issue)[0].giver_code == seed.TOWNSHIP


@pytest.mark.parametrize(
    "wrong", [seed.VILLAGE, seed.FOREIGN_VILLAGE, seed.TOWNSHIP, "430581101221001", "nobody"]
)
def test_a_partner_is_a_sibling(city, wrong):
    issue = city.report("resident")
    actions.act(issue, "escalate", actor=city.micro_chief, data={"reason": "办不了"})
    with pytest.raises(Invalid) as refused:
        actions.act(issue, "join", actor=city.village_chief, data={"partner": wrong})
    assert set(refused.value.errors) == {"partner"}


def test_a_partner_is_added_once(city):
    issue = joint(city)
    with pytest.raises(Invalid):
        actions.act(issue, "join", actor=city.village_chief, data={"partner": seed.SIBLING_VILLAGE})


def test_the_city_has_nobody_beside_it(city):
    issue = at_city(city)
    assert "join" not in able(city, "city_office", issue)


# What it costs, and what is shown ---------------------------------------------------------------------------------------


def test_an_issue_without_parts_costs_no_statement_for_them(city):
    issue = city.report("resident")
    actions.act(issue, "accept", actor=city.micro_chief)
    db.session.flush()
    with count_queries() as seen:
        resolve(issue, city.micro_chief)
        queries.transitions(city.village_chief, issue)
    assert not [one for one in seen if "issue_parts" in one]


def test_the_api_shows_parts_and_takes_moves_on_them(city, client):
    issue_id = shared(city).id
    shown = client.get(f"/api/v1/issues/{issue_id}", city.other_department).json
    assert (shown["parts_open"], [part["unit"]["name"] for part in shown["parts"]]) == (1, ["公安局"])
    assert "finish_part" in shown["transitions"] and "resolve" not in shown["transitions"]
    url = f"/api/v1/issues/{issue_id}/events"
    assert client.send(url, {"name": "finish_part", "result": " "}, city.other_department).status_code == 422
    assert (
        client.send(url, {"name": "drop_part", "part": "x", "reason": "多余"}, city.city_office).status_code
        == 422
    )
    assert client.send(url, {"name": "add_part", "assisting": "police"}, city.city_office).status_code == 422
    assert client.send(url, {"name": "finish_part", **DONE}, city.township_office).status_code == 403
    made = client.send(url, {"name": "finish_part", **DONE}, city.other_department)
    assert (
        made.status_code == 201
        and made.json["parts"][0]["result"] == DONE["result"]
        and made.json["parts_open"] == 0
    )


def test_the_page_offers_departments_as_check_boxes_and_keeps_what_was_ticked(city, client):
    issue_id = at_city(city).id
    page = client.page(f"/issues/{issue_id}/move/dispatch", city.city_office).text
    assert 'type="checkbox" name="assisting" value="police"' in page
    refused = client.form(
        f"/issues/{issue_id}/events",
        {"name": "dispatch", "assisting": ["police"], "task": "去现场"},
        city.city_office,
    )
    assert refused.status_code == 422 and 'name="assisting" value="police" checked' in refused.text
    data = {"name": "dispatch", "department": "transport", "assisting": ["police"], "task": "去现场"}
    assert client.form(f"/issues/{issue_id}/events", data, city.city_office).status_code == 303
    shown = client.page(f"/issues/{issue_id}", city.other_department).text
    assert "公安局" in shown and "去现场" in shown and "本单位部分已办完" in shown
    assert "协办" in client.page("/desk", city.other_department).text
    assert "协办" in client.page("/todo", city.other_department).text


def test_the_deadline_of_a_part_follows_the_calendar(city):
    db.set_clock(at(NEW_YEAR))
    issue = city.report("resident", grid_code=seed.CITY)
    data = {"department": "transport", "assisting": ["police"]}
    actions.act(issue, "dispatch", actor=city.city_office, data=data)
    (part,) = parts(issue)
    before = part.due_at
    assert part.due_provisional
    take()
    db.session.refresh(part)
    timer = db.session.scalars(sa.select(timers.Timer).where(timers.Timer.kind == "part:1")).one()
    assert part.due_at == timer.due_at != before and not part.due_provisional
    db.session.refresh(issue)
    assert issue.due_at < part.due_at
