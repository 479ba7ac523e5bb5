"""Where the parts of the product meet: reports about somebody, followers, merged issues, parts, lines, mediation, bulletins."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gridgov import db
from gridgov.issues import actions, followers
from gridgov.issues.models import Issue
from gridgov.mediation import actions as mediation, queries as files
from gridgov.people import actions as people
from gridgov.people.models import Person, Role
from tests import seed
from tests.factories import photo_of
from tests.test_workflow_life import sweep

MONDAY = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)
REASON = {"reason": "办不了"}
WATCHED = {"reason": "群众反映强烈", "report_on": "2026-11-20"}
CALL_ME = "找我13800138000，三轮车载人"


@pytest.fixture(autouse=True)
def monday(db_session):
    db.set_clock(MONDAY)


def steps(client: Any, issue_id: Any, person: Person) -> list[str]:
    return [each["name"] for each in client.get(f"/api/v1/issues/{issue_id}/events", person).get_json()["items"]]


def at_city(city: seed.City, **given: Any) -> Issue:
    issue = city.report("resident", **given)
    for who in ("micro_chief", "village_chief", "township_office"):
        actions.act(issue, "escalate", actor=city.person(who), data=REASON)
    return issue


def gone(city: seed.City, *keys: str) -> None:
    ids = [city.person(key).id for key in keys]
    db.session.execute(sa.update(Person).where(Person.id.in_(ids)).values(disabled_at=MONDAY))
    db.session.expire_all()


# Those it is about ----------------------------------------------------------------------------------------------------


def test_whom_it_is_about_decides_nothing_even_if_they_reported_it(city, client):
    people.appoint(city.village_chief, Role.TOWNSHIP_OFFICE, actor=None, grid_code=seed.TOWNSHIP)
    issue_id = city.report("village_chief", accused=seed.VILLAGE, text="反映本村").id
    shown = client.get(f"/api/v1/issues/{issue_id}", city.village_chief).get_json()
    assert set(shown["transitions"]) == {"note", "withdraw", "urge"}
    refused = client.send(
        f"/api/v1/issues/{issue_id}/events", {"name": "not_accept", "reason": "不归我们管", "route": "法院"}, city.village_chief
    )
    assert refused.status_code == 403


def test_they_do_not_keep_it_from_going_up_where_nobody_else_is(city):
    people.appoint(city.village_chief, Role.TOWNSHIP_OFFICE, actor=None, grid_code=seed.TOWNSHIP)
    gone(city, "township_office", "township_office_2", "township_chief")
    issue = city.report("resident", accused=seed.VILLAGE)
    assert (issue.unit_code, issue.state) == (seed.CITY, "reported")


def test_they_are_no_verifiers_to_wait_for(city):
    issue = city.report("resident", accused=seed.VILLAGE)
    actions.act(issue, "accept", actor=city.township_office)
    people.appoint(city.village_chief, Role.TOWNSHIP_OFFICE, actor=None, grid_code=seed.TOWNSHIP)
    gone(city, "township_office_2", "township_chief")
    result = {"result": "已核查", "proof": [photo_of(city.township_office)]}
    actions.act(issue, "resolve", actor=city.township_office, data=result)
    assert (issue.unit_code, issue.state) == (seed.CITY, "resolved")


def test_the_list_of_a_line_leaves_out_what_is_about_its_chief(city, client):
    given = {"category": "0603", "accused": seed.VILLAGE, "text": "干部偷倒垃圾", "photos": [photo_of(city.resident)]}
    number = city.report("resident", **given).number
    page = client.page("/line", city.river_chief)
    assert page.status_code == 200 and number not in page.get_data(as_text=True)


def test_they_neither_mediate_nor_read_the_file(city, client):
    people.appoint(city.village_chief, Role.TOWNSHIP_OFFICE, actor=None, grid_code=seed.TOWNSHIP)
    issue = city.report("resident", category="0101", accused=seed.VILLAGE, text="占地")
    file_id = mediation.open_file(issue, actor=city.township_office).id
    asked = {person for person, _name in files.candidates(issue)}
    assert city.township_office.id in asked and not asked & {city.village_chief.id, city.micro_chief.id}
    assert client.get(f"/api/v1/mediations/{file_id}", city.village_chief).status_code == 404
    assert client.get(f"/api/v1/mediations/{file_id}", city.township_office_2).status_code == 200


def test_a_bulletin_does_not_count_what_is_about_its_reader(city, client):
    city.report("resident", accused=seed.TOWNSHIP, category="0106")
    url = "/api/v1/bulletin?from=2026-11-01&to=2026-12-01&by=category"
    lines = {who: client.get(url, city.person(who)).get_json()["lines"] for who in ("township_office", "city_office")}
    counted = {who: [line["stages"]["reported"] for line in found if line["key"] == "0106"] for who, found in lines.items()}
    assert counted == {"township_office": [], "city_office": [1]}


# Followers and reporters with posts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["foreign_resident", "department"])
def test_an_official_who_follows_reads_what_followers_read(city, client, who):
    issue = city.report("resident", text=CALL_ME)
    issue_id = issue.id
    actions.act(issue, "accept", actor=city.micro_chief)
    actions.act(issue, "instruct", actor=city.city_leader, data={"instruction": "暂不外传"})
    assert client.send(f"/api/v1/issues/{issue_id}/follow", {}, city.person(who)).status_code == 201
    assert client.get(f"/api/v1/issues/{issue_id}", city.person(who)).get_json()["text"] == "找我***，三轮车载人"
    assert steps(client, issue_id, city.person(who)) == ["report", "accept"]
    first = client.get(f"/api/v1/issues/{issue_id}/events", city.person(who)).get_json()["items"][0]
    assert first["actor"] is None


def test_whom_it_is_about_reads_nothing_of_it_through_a_merged_report_of_their_own(city, client):
    target = city.report("resident", accused=seed.VILLAGE, text="李支书收钱")
    own = city.report("village_chief", accused=seed.VILLAGE, text="我自己反映")
    actions.act(own, "merge", actor=city.township_office, data={"issue": target.number})
    actions.act(target, "instruct", actor=city.city_leader, data={"instruction": "暂不外传"})
    target_id = target.id
    page = client.page(f"/issues/{target_id}", city.village_chief).get_data(as_text=True)
    shown = client.get(f"/api/v1/issues/{target_id}", city.village_chief).get_json()
    assert "收钱" not in page and "收钱" not in str(shown) and "instruct" not in steps(client, target_id, city.village_chief)
    note = {"name": "note", "note": "情况不实"}
    assert client.send(f"/api/v1/issues/{target_id}/events", note, city.village_chief).status_code == 403


def test_a_line_chief_and_a_partner_read_as_officials_what_they_reported(city, client):
    found = city.report("river_chief", category="0603", found_by="patrol", photos=[photo_of(city.river_chief)])
    actions.act(found, "supervise", actor=city.township_office, data=WATCHED)
    joint = city.report("sibling_village_chief")
    actions.act(joint, "escalate", actor=city.micro_chief, data=REASON)
    actions.act(joint, "accept", actor=city.village_chief)
    actions.act(joint, "join", actor=city.village_chief, data={"partner": seed.SIBLING_VILLAGE})
    actions.act(joint, "supervise", actor=city.township_office, data=WATCHED)
    found_id, joint_id = found.id, joint.id
    assert "supervise" in steps(client, found_id, city.river_chief)
    assert "supervise" in steps(client, joint_id, city.sibling_village_chief)


def test_a_partner_who_followed_before_reads_as_an_official(city, client):
    issue = city.report("resident", text=CALL_ME)
    followers.follow(city.sibling_village_chief, issue.id)
    actions.act(issue, "escalate", actor=city.micro_chief, data=REASON)
    actions.act(issue, "accept", actor=city.village_chief)
    actions.act(issue, "join", actor=city.village_chief, data={"partner": seed.SIBLING_VILLAGE})
    issue_id = issue.id
    assert client.get(f"/api/v1/issues/{issue_id}", city.sibling_village_chief).get_json()["text"] == CALL_ME


# Parts and lists ------------------------------------------------------------------------------------------------------


def test_why_a_part_was_declined_stays_between_offices(city, client):
    issue = at_city(city)
    actions.act(issue, "dispatch", actor=city.city_office, data={"department": "transport", "assisting": ["police"]})
    actions.act(issue, "decline_part", actor=city.other_department, data={"reason": "该交通局办"})
    issue_id = issue.id
    for who, reads in (("resident", False), ("city_office", True)):
        page = client.page(f"/issues/{issue_id}", city.person(who)).get_data(as_text=True)
        part = client.get(f"/api/v1/issues/{issue_id}", city.person(who)).get_json()["parts"][0]
        assert ("该交通局办" in page, part["reason"] == "该交通局办") == (reads, reads), who


def test_whose_confidential_report_was_merged_reads_no_parts_of_the_other(city, client):
    target = at_city(city, confidential=True, text="聚赌")
    other = city.report("neighbour", confidential=True)
    actions.act(other, "merge", actor=city.city_office, data={"issue": target.number})
    given = {"department": "transport", "assisting": ["police"], "task": "去老王家核实"}
    actions.act(target, "dispatch", actor=city.city_office, data=given)
    target_id = target.id
    page = client.page(f"/issues/{target_id}", city.neighbour)
    assert page.status_code == 200 and "去老王家" not in page.get_data(as_text=True)
    assert client.get(f"/api/v1/issues/{target_id}", city.neighbour).get_json()["parts"] == []
    assert "去老王家" in client.page(f"/issues/{target_id}", city.city_office_2).get_data(as_text=True)


def test_the_list_of_what_i_reported_shows_nothing_internal(city, client):
    issue = city.report("resident")
    actions.act(issue, "accept", actor=city.micro_chief)
    actions.act(issue, "supervise", actor=city.township_office, data=WATCHED)
    actions.act(issue, "ask_time", actor=city.micro_chief, data={"extra": "25", "reason": "等配件"})
    page = client.page("/mine", city.resident).get_data(as_text=True)
    assert issue.number in page and "督办中" not in page and "申请延期" not in page


def test_photos_of_what_was_merged_go_where_the_whole_goes(city, client):
    target, photo = city.report("resident"), photo_of(city.neighbour)
    other = city.report("neighbour", photos=[photo], text="邻居的话")
    actions.act(other, "merge", actor=city.micro_chief, data={"issue": target.number})
    for who in ("micro_chief", "village_chief", "township_office"):
        actions.act(target, "escalate", actor=city.person(who), data=REASON)
    target_id = target.id
    assert client.page(f"/photos/{photo}", city.department).status_code == 404
    target = db.session.get_one(Issue, target_id)
    actions.act(target, "dispatch", actor=city.city_office, data={"department": "transport"})
    assert client.page(f"/photos/{photo}", city.department).status_code == 200
    assert client.page(f"/photos/{photo}", city.foreign_resident).status_code == 404


def test_a_sweep_knows_that_they_cannot_act(city):
    people.appoint(city.village_chief, Role.TOWNSHIP_OFFICE, actor=None, grid_code=seed.TOWNSHIP)
    issue = city.report("resident", accused=seed.VILLAGE)
    gone(city, "township_office", "township_office_2", "township_chief")
    db.set_clock(issue.due_at + timedelta(minutes=1))
    sweep()
    db.session.refresh(issue)
    assert issue.unit_code == seed.CITY
