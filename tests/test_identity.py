"""Looking at the identity behind a sealed report: who may, on record, once, and that the reporter and the auditor read it."""

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from gridgov import db, outbox
from gridgov.identity import looks
from gridgov.identity.models import IdentityLook
from gridgov.issues import actions
from gridgov.notices.models import Notice
from tests import seed
from tests.counting import count_queries
from tests.test_matrix import CITY, DEPARTMENT, SIGHT, TOWNSHIP, UNIT, reported

FOR = {"purpose": "verify", "words": "核实车辆时间"}
LOOKERS = {
    "micro": {"micro_chief", "village_chief", *TOWNSHIP, *CITY}, "village": {"village_chief", *TOWNSHIP, *CITY},
    "township": {*TOWNSHIP, *CITY}, "city": CITY, "department": {*DEPARTMENT, *CITY},
}  # fmt: skip


def sealed(city, unit="micro"):
    """A confidential report that lies with a unit of this level."""
    issue = reported(city, unit)
    db.session.execute(sa.update(actions.Issue).where(actions.Issue.id == issue.id).values(confidential=True))
    db.session.flush()
    db.session.refresh(issue)
    return issue


def deliver():
    for key in db.session.scalars(sa.select(outbox.Outgoing.id).where(outbox.Outgoing.done_at.is_(None))).all():
        assert outbox.deliver(key)


@pytest.mark.parametrize("unit", list(UNIT))
def test_who_may_look_and_who_may_not(city, client, unit):
    issue_id = sealed(city, unit).id
    got = {key: client.send(f"/api/v1/issues/{issue_id}/identity", FOR, city.person(key)).status_code for key in seed.PEOPLE}
    sight = SIGHT | (DEPARTMENT if unit == "department" else set())
    assert got == {key: 200 if key in LOOKERS[unit] else 403 if key in sight else 404 for key in seed.PEOPLE}
    looked = db.session.scalars(sa.select(IdentityLook.person_id).order_by(IdentityLook.id)).all()
    assert looked == [city.person(key).id for key in seed.PEOPLE if key in LOOKERS[unit]]


def test_a_look_shows_name_and_phone_once_and_is_written_down(city, client):
    issue = sealed(city, "township")
    answer = client.send(f"/api/v1/issues/{issue.id}/identity", FOR, city.township_office)
    assert answer.get_json() == {"name": "刘大娘", "phone": seed.PHONES["resident"]}
    assert answer.headers["Cache-Control"] == "no-store"
    line = db.session.scalars(sa.select(IdentityLook)).one()
    assert (line.issue_id, line.person_id, line.role) == (issue.id, city.township_office.id, "township_office")
    assert (line.unit_code, line.purpose, line.words) == (seed.TOWNSHIP, "verify", "核实车辆时间")
    # The page of the issue shows it neither before nor afterwards.
    page = client.page(f"/issues/{issue.id}", city.township_office).get_data(as_text=True)
    assert "刘大娘" not in page and f"/issues/{issue.id}/identity" in page


def test_the_page_asks_first_and_shows_it_in_its_answer_alone(city, client):
    url = f"/issues/{sealed(city, 'village').id}/identity"
    form = client.page(url, city.village_chief)
    assert form.status_code == 200 and "刘大娘" not in form.get_data(as_text=True)
    answer = client.form(url, FOR, city.village_chief)
    text = answer.get_data(as_text=True)
    assert answer.status_code == 200 and "刘大娘" in text and seed.PHONES["resident"] in text
    assert form.headers["Cache-Control"] == answer.headers["Cache-Control"] == "no-store"
    assert "刘大娘" not in client.page(url, city.village_chief).get_data(as_text=True)
    assert client.page(url, city.micro_chief).status_code == 403
    assert client.page(url, city.foreign_village_chief).status_code == 404
    assert len(db.session.scalars(sa.select(IdentityLook)).all()) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "purpose"), ({"purpose": "verify"}, "words"), ({"purpose": "verify", "words": "   \n  "}, "words"),
        ({"purpose": "gossip", "words": "核实情况"}, "purpose"), ({"purpose": "other", "words": "长" * 301}, "words"),
        ({"purpose": "other", "words": "a\0bcd"}, "words"), ({"purpose": "other", "words": "核实情况", "who": "x"}, "who"),
    ],
)  # fmt: skip
def test_without_a_purpose_in_words_there_is_nothing_to_see(city, client, body, field):
    url = f"/issues/{sealed(city).id}/identity"
    answer = client.send(f"/api/v1{url}", body, city.micro_chief)
    assert answer.status_code == 422 and field in answer.get_json()["errors"]
    page = client.form(url, body, city.micro_chief)
    assert page.status_code == 422 and "刘大娘" not in page.get_data(as_text=True)
    assert db.session.scalar(sa.select(sa.func.count()).select_from(IdentityLook)) == 0


def test_what_is_not_sealed_needs_no_looking(city, client):
    answer = client.send(f"/api/v1/issues/{city.report('resident').id}/identity", FOR, city.micro_chief)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "not_sealed")


def test_who_reported_it_in_a_post_of_theirs_does_not_look_at_themselves(city, client):
    issue = city.report("micro_chief", confidential=True)
    assert client.send(f"/api/v1/issues/{issue.id}/identity", FOR, city.micro_chief).status_code == 403


def test_nobody_but_the_reporter_reads_the_name_by_default_not_even_the_city_office(city, client):
    issue = city.report("resident", confidential=True)
    for key in ("micro_chief", "village_chief", "township_office", "city_office", "city_leader", "auditor"):
        assert "刘大娘" not in client.page(f"/issues/{issue.id}", city.person(key)).get_data(as_text=True)
        event = client.get(f"/api/v1/issues/{issue.id}/events", city.person(key)).get_json()["items"][0]
        assert (event["actor"], event["hash"], event["actor_role"]) == (None, None, "reporter")
    assert "刘大娘" in client.page(f"/issues/{issue.id}", city.resident).get_data(as_text=True)
    # No hash of a later event either: each covers the one before it, and so the reporter's id.
    actions.act(db.session.get_one(actions.Issue, issue.id), "accept", actor=city.micro_chief)
    items = client.get(f"/api/v1/issues/{issue.id}/events", city.micro_chief).get_json()["items"]
    assert [(event["actor"], event["hash"]) for event in items] == [(None, None), ("肖建国", None)]
    own = client.get(f"/api/v1/issues/{issue.id}/events", city.resident).get_json()["items"][0]
    assert own["actor"] == "刘大娘" and len(own["hash"]) == 64


def test_the_reporter_reads_who_looked_and_is_told(city, client):
    issue = sealed(city, "township")
    deliver()
    assert "还没有人查看过" in client.page(f"/issues/{issue.id}", city.resident).get_data(as_text=True)
    client.send(f"/api/v1/issues/{issue.id}/identity", FOR, city.township_office)
    deliver()
    told = db.session.scalars(sa.select(Notice).where(Notice.audience == "looked")).all()
    assert [one.person_id for one in told] == [city.resident.id]
    inbox = client.page("/inbox", city.resident).get_data(as_text=True)
    assert "有人查看了您的身份" in inbox
    assert client.get("/api/v1/notices", city.resident).get_json()["items"][0]["title"] == "您的身份被查看"
    page = client.page(f"/issues/{issue.id}", city.resident).get_data(as_text=True)
    assert "湾头桥镇网格办" in page and "核实车辆时间" in page
    # Other people who see the issue do not read of it.
    assert "核实车辆时间" not in client.page(f"/issues/{issue.id}", city.village_chief).get_data(as_text=True)


def test_the_auditor_reads_all_looks_without_the_identity(city, client):
    issue = sealed(city)
    number = issue.number
    client.send(f"/api/v1/issues/{issue.id}/identity", FOR, city.micro_chief)
    client.send(f"/api/v1/issues/{issue.id}/identity", FOR | {"purpose": "protect"}, city.city_office)
    items = client.get("/api/v1/identity-looks", city.auditor).get_json()["items"]
    assert [(one["who"], one["purpose"], one["role"]) for one in items] == [
        ("林晓", "protect", "city_office"), ("肖建国", "verify", "micro_chief"),
    ]  # fmt: skip
    page = client.page("/admin/identity-looks", city.auditor).get_data(as_text=True)
    assert "林晓" in page and number in page and "刘大娘" not in page and seed.PHONES["resident"] not in page
    for key in ("city_office", "administrator", "resident", "city_chief"):
        assert client.get("/api/v1/identity-looks", city.person(key)).status_code == 403
        assert client.page("/admin/identity-looks", city.person(key)).status_code == 403
    assert client.get("/api/v1/identity-looks").status_code == 401


def test_the_list_of_looks_is_paged_and_asks_as_much_for_many_as_for_one(city, client, monkeypatch):
    issue = sealed(city)
    for n in range(5):
        looks.look(issue, actor=city.micro_chief, purpose="verify", words=f"第{n}次核实")
    looks.look(sealed(city, "department"), actor=city.department, purpose="other", words="现场带路")
    client.page("/admin/identity-looks", city.auditor)
    with count_queries() as many:
        page = looks.listing(cursor=None, limit=4)
    with count_queries() as few:
        rest = looks.listing(cursor=page.next, limit=4)
    assert [line.look.words for line in page.rows] == ["现场带路", "第4次核实", "第3次核实", "第2次核实"]
    assert [line.look.words for line in rest.rows] == ["第1次核实", "第0次核实"] and rest.next is None
    assert len(many) <= 3 and len(few) <= len(many)
    assert client.get("/api/v1/identity-looks?cursor=x", city.auditor).status_code == 422


def test_a_look_is_for_good(city):
    looks.look(sealed(city), actor=city.micro_chief, purpose="verify", words="核实情况")
    for statement in ("UPDATE identity_looks SET words = '没什么'", "DELETE FROM identity_looks", "TRUNCATE identity_looks"):
        with pytest.raises(DBAPIError), db.session.begin_nested():
            db.session.execute(sa.text(statement))


def test_looking_is_limited(city, client, monkeypatch):
    limits = client.app.extensions["rate_limits"]
    monkeypatch.setattr(limits, "enabled", True)
    url, person = f"/api/v1/issues/{sealed(city).id}/identity", city.micro_chief
    answers = [client.send(url, FOR, person).status_code for _n in range(21)]
    assert answers == [200] * 20 + [429]
    page = client.form(url.removeprefix("/api/v1"), FOR, person)
    assert page.status_code == 429 and "刘大娘" not in page.get_data(as_text=True)


def test_who_handled_it_before_may_not_look_any_more(city, client):
    issue_id = sealed(city, "township").id
    url = f"/api/v1/issues/{issue_id}/identity"
    assert client.send(url, FOR, city.village_chief).status_code == 403
    issue = db.session.get_one(actions.Issue, issue_id)
    actions.act(issue, "transfer", actor=city.township_office, data={"unit": seed.FOREIGN_TOWNSHIP, "reason": "在邻镇"})
    assert client.send(url, FOR, city.township_office).status_code == 403
    assert client.send(url, FOR, city.foreign_township_office).status_code == 200


def test_a_token_that_only_reads_does_not_look(city, client):
    from gridgov.people import tokens

    issue, person = sealed(city), city.micro_chief
    _row, raw = tokens.create("only reads", ["read"], actor=person)
    db.session.commit()
    headers = {"Authorization": f"Bearer {raw}"}
    answer = client.app.test_client().post(f"/api/v1/issues/{issue.id}/identity", json=FOR, headers=headers)
    assert answer.status_code == 403
