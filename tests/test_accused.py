"""Reports about a unit or its people: begun one level above, never with them, out of their sight everywhere."""

from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from gridgov import db, outbox
from gridgov.errors import Invalid
from gridgov.issues import accused, actions, choices, hops, queries, queues
from gridgov.issues.models import Issue
from gridgov.live import changes
from gridgov.notices.models import Notice
from gridgov.people import actions as people, queries as reads
from gridgov.people.models import Department, Role
from tests import seed
from tests.counting import count_queries
from tests.factories import photo_of
from tests.test_matrix import ABOVE

# What it is about: (its code, the unit that gets it, who of the city is out of sight of it). Reported by a resident of MICRO.
MICRO_PEOPLE = {"worker", "micro_chief"}
VILLAGE_PEOPLE = MICRO_PEOPLE | {"village_chief"}
TOWNSHIP_PEOPLE = VILLAGE_PEOPLE | {"township_chief", "township_office", "township_office_2"}
ABOUT = {
    "micro": (seed.MICRO, seed.VILLAGE, MICRO_PEOPLE), "village": (seed.VILLAGE, seed.TOWNSHIP, VILLAGE_PEOPLE),
    "township": (seed.TOWNSHIP, seed.CITY, TOWNSHIP_PEOPLE),
}  # fmt: skip


def about(city, code, reporter="resident", **given):
    return city.report(reporter, accused=code, text="干部挪用危房改造款", **given)


def deliver():
    for key in db.session.scalars(sa.select(outbox.Outgoing.id).where(outbox.Outgoing.done_at.is_(None))).all():
        assert outbox.deliver(key)


@pytest.mark.parametrize("which", list(ABOUT))
def test_it_begins_one_level_above_and_is_out_of_sight_of_the_accused(city, client, which):
    code, unit, out = ABOUT[which]
    issue = about(city, code)
    assert (issue.unit_code, issue.accused_code, issue.confidential, issue.grid_code) == (unit, code, True, seed.MICRO)
    issue_id = issue.id
    got = {key: client.get(f"/api/v1/issues/{issue_id}", city.person(key)).status_code for key in seed.PEOPLE}
    assert got == {key: 200 if key in {"resident", *ABOVE} - out else 404 for key in seed.PEOPLE}
    pages = {key: client.page(f"/issues/{issue_id}", city.person(key)).status_code for key in seed.PEOPLE}
    assert pages == got


@pytest.mark.parametrize("which", list(ABOUT))
def test_lists_counts_search_and_photos_obey(city, client, which):
    code, _unit, out = ABOUT[which]
    photo = photo_of(city.resident)
    issue = about(city, code, photos=[photo])
    issue_id, number = issue.id, issue.number
    plain = city.report("neighbour")
    plain_id = str(plain.id)
    for key in sorted(ABOVE):
        person, seen = city.person(key), key not in out
        for url in ("/api/v1/issues?view=all", "/api/v1/issues?view=all&q=挪用", f"/api/v1/issues?view=all&grid={seed.MICRO}"):
            ids = {item["id"] for item in client.get(url, person).get_json()["items"]}
            assert (str(issue_id) in ids) == seen, (key, url)
            assert plain_id in ids or "q=" in url
        assert str(issue_id) not in {i["id"] for i in client.get("/api/v1/issues?view=todo", person).get_json()["items"]} or seen
        assert client.page(f"/photos/{photo}", person).status_code == (200 if seen else 404)
        assert (number in client.page("/todo", person).get_data(as_text=True)) <= seen
        if key in ("township_office", "township_chief", "city_office"):
            desk = client.page("/desk?view=all", person).get_data(as_text=True)
            assert (number in desk) == seen
            counts = queues.counts(city.person(key), queues.Filter(view="all"))
            assert counts.open == 1 + seen
            _name, branches = queues.branches(city.person(key), queues.Filter(view="all"), seed.VILLAGE)
            assert sum(branch.n for branch in branches) == 1 + seen
            line = queues.line(city.person(key), queues.Filter(view="all"), issue_id)
            assert (line is not None) == seen


def test_a_second_post_elsewhere_does_not_let_the_accused_see_it(city, client):
    people.appoint(city.village_chief, Role.TOWNSHIP_OFFICE, actor=None, grid_code=seed.TOWNSHIP)
    issue = about(city, seed.VILLAGE)
    issue_id = issue.id
    assert client.get(f"/api/v1/issues/{issue_id}", city.village_chief).status_code == 404
    assert client.get("/api/v1/issues?view=todo", city.village_chief).get_json()["items"] == []
    assert queries.todo_count(city.village_chief) == 0
    assert queries.todo_count(city.township_office) == 1
    assert queues.counts(city.village_chief, queues.Filter(view="mine")).open == 0
    assert client.send(f"/api/v1/issues/{issue_id}/events", {"name": "accept"}, city.village_chief).status_code == 404


def test_who_of_the_accused_unit_reported_it_sees_it_as_its_reporter_alone(city, client):
    issue = about(city, seed.VILLAGE, reporter="micro_chief")
    actions.act(issue, "accept", actor=city.township_office)
    actions.act(issue, "instruct", actor=city.city_leader, data={"instruction": "暂不外传"})
    url = f"/api/v1/issues/{issue.id}"
    assert client.get(url, city.micro_chief).status_code == 200
    assert "instruct" not in [e["name"] for e in client.get(f"{url}/events", city.micro_chief).get_json()["items"]]
    assert client.send(f"{url}/events", {"name": "note", "note": "补充材料"}, city.micro_chief).status_code == 201
    assert client.get(url, city.village_chief).status_code == 404


def test_a_department_that_it_is_about_never_has_it(city, client):
    issue = about(city, "transport")
    assert (issue.unit_code, issue.accused_department_id) == (seed.CITY, reads.department("transport").id)
    issue_id = issue.id
    assert [each.code for each in choices.dispatchable(issue)] == ["police"]
    url = f"/api/v1/issues/{issue_id}"
    refused = client.send(f"{url}/events", {"name": "dispatch", "department": "transport"}, city.city_office)
    assert (refused.status_code, refused.get_json()["code"]) == (422, "accused")
    assert client.get(url, city.department).status_code == 404
    assert client.send(f"{url}/events", {"name": "dispatch", "department": "police"}, city.city_office).status_code == 201
    assert client.get(url, city.other_department).status_code == 200
    assert client.get(url, city.department).status_code == 404
    assert client.page(f"/issues/{issue_id}/identity", city.department).status_code == 404


def test_a_station_of_the_accused_township_does_not_see_it_even_if_it_is_dispatched(city, client):
    station = people.create_department("station", "湾头桥镇公路站", seed.TOWNSHIP, actor=None)
    people.appoint(city.neighbour, Role.DEPARTMENT, actor=None, department_id=station.id)
    issue = about(city, seed.TOWNSHIP)
    with pytest.raises(Invalid) as refusal:
        accused.refuse(issue, None, station.id)
    assert refusal.value.code == "accused"
    reach = reads.reach(city.neighbour)
    assert accused.barred(issue, reach)
    assert db.session.scalar(sa.select(accused.unseen_by(reach)).where(Issue.id == issue.id)) is False
    assert hops.below(issue) is None


@pytest.mark.parametrize(
    "change",
    [
        f"unit_code = '{seed.VILLAGE}'", f"unit_code = '{seed.MICRO}'", "confidential = false",
        "unit_code = NULL, department_id = (SELECT id FROM departments WHERE code = 'station')", "accused_code = '430581'",
        "accused_department_id = (SELECT id FROM departments WHERE code = 'police')",
        f"decides_code = '{seed.VILLAGE}', asked_kind = 'extension', asked_seq = 1",
    ],
)  # fmt: skip
def test_the_database_does_not_let_it_go_there(city, change):
    db.session.add(Department(code="station", name="村站", grid_code=seed.TOWNSHIP))
    issue = about(city, seed.VILLAGE)
    if "station" in change:  # Of the township, and it is about the township.
        issue = about(city, seed.TOWNSHIP)
    db.session.flush()
    with pytest.raises(DBAPIError), db.session.begin_nested():
        db.session.execute(sa.text(f"UPDATE issues SET {change} WHERE id = :id"), {"id": issue.id})


def test_its_people_get_no_message_not_even_of_what_is_grave(city):
    issue = about(city, seed.VILLAGE)
    actions.act(issue, "raise_grade", actor=city.township_office, data={"grade": "A", "reason": "金额巨大"})
    deliver()
    told = set(db.session.scalars(sa.select(Notice.person_id).where(Notice.issue_id == issue.id)))
    assert told and not told & {city.person(key).id for key in VILLAGE_PEOPLE}
    assert {city.city_leader.id, city.city_office.id} <= told
    plain = city.report("neighbour")
    actions.act(plain, "raise_grade", actor=city.micro_chief, data={"grade": "A", "reason": "着火"})
    deliver()
    told = set(db.session.scalars(sa.select(Notice.person_id).where(Notice.issue_id == plain.id)))
    assert city.village_chief.id in told


@pytest.mark.parametrize("which", [*ABOUT, "department"])
def test_open_pages_are_told_by_the_same_rule(city, which):
    issue = about(city, "transport" if which == "department" else ABOUT[which][0])
    row = db.session.execute(sa.text(str(changes.LOOK).replace("issue_events WHERE", "issue_events WHERE true OR")), {"since": "1:1:", "most": 9}).first()
    change = changes.Change(
        issue.id, 1, row.grid_code, row.unit_code, row.reporter_id, frozenset(row.departments), row.decides_code, row.office_code,
        tuple(row.partners), row.accused_code, frozenset([*(row.accused_departments or ()), *filter(None, [row.accused_department_id])]),
    )  # fmt: skip
    for key in seed.PEOPLE:
        person = city.person(key)
        sight = db.session.scalar(sa.select(Issue.id).where(Issue.id == issue.id, queries.in_sight(person)))
        assert change.seen_by(changes.Viewer(uuid4(), person.id, reads.reach(person))) == (sight is not None), key


def test_who_may_look_at_the_identity_is_never_one_of_them(city, client):
    issue = about(city, seed.VILLAGE)
    look, issue_id = {"purpose": "verify", "words": "核实情况"}, issue.id
    for key, status in {"village_chief": 404, "micro_chief": 404, "township_office": 200, "city_office": 200}.items():
        assert client.send(f"/api/v1/issues/{issue_id}/identity", look, city.person(key)).status_code == status


@pytest.mark.parametrize("code", ["nobody", "430581999", seed.CITY, "９９９", "'; --"])
def test_whom_nobody_knows_can_not_be_named(city, client, code):
    body = {"category": "0203", "text": "反映问题", "grid_code": seed.MICRO, "accused": code}
    answer = client.send("/api/v1/issues", body, city.resident)
    assert answer.status_code == 422 and "accused" in answer.get_json()["errors"]


def test_the_form_offers_it_and_the_page_takes_it(city, client):
    page = client.page("/report", city.resident).get_data(as_text=True)
    assert 'name="accused"' in page and "交通运输局" in page
    id = str(uuid4())
    form = {"id": id, "category": "0203", "text": "组长不公", "grid_code": seed.MICRO, "accused": seed.MICRO}
    assert client.form("/report", form, city.resident).status_code == 303
    assert db.session.get_one(Issue, id).unit_code == seed.VILLAGE


def test_issues_about_nobody_cost_no_further_statement(city):
    issue = city.report("resident")
    with count_queries() as seen:
        accused.refuse(issue, seed.VILLAGE, None)
        assert not accused.barred(issue, reads.reach(city.city_office))
    assert [statement for statement in seen if "departments" in statement] == []
