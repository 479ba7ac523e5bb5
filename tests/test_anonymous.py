"""Reports without a name: the code alone follows them up, nothing of who sent them is kept, and all else copes with nobody."""

import io
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from gridgov import db, outbox
from gridgov.errors import Conflict, IllegalTransition
from gridgov.identity import anonymous, codes
from gridgov.identity.models import CodeGuard
from gridgov.issues import actions
from gridgov.issues.models import Issue, IssueEvent, IssuePhoto
from gridgov.notices.models import Notice
from gridgov.photos.models import Photo
from tests import photo_files, seed
from tests.client import Client
from tests.factories import photo_of, picture

BODY = {"category": "0106", "text": "村委会旁边有人聚众赌博", "grid_code": seed.MICRO}
CODE = re.compile(r"[2-9A-HJKMNP-Z]{4}(?:-[2-9A-HJKMNP-Z]{4}){2}")
TICKET = "t" * 24


def made(**given):
    """A report without a name, and its code."""
    return anonymous.report(**BODY | given)


def form(client, **more):
    """The form as a browser that nobody is signed in with sends it."""
    return client.form("/anonymous", {**BODY, "ticket": TICKET, **more})


def text(answer):
    return answer.get_data(as_text=True)


def opened(client: Client, code: str):
    """The report of a code, opened in the browser."""
    answer = client.form("/follow-up", {"code": code})
    assert (answer.status_code, answer.location) == (303, "/follow-up/report")
    return client.page("/follow-up/report")


def deliver():
    for key in db.session.scalars(sa.select(outbox.Outgoing.id).where(outbox.Outgoing.done_at.is_(None))).all():
        assert outbox.deliver(key)


def resolved(city, **given):
    issue, code = made(**given)
    actions.act(issue, "accept", actor=city.micro_chief)
    actions.act(issue, "resolve", actor=city.micro_chief, data={"result": "已劝散", "proof": [photo_of(city.micro_chief)]})
    return issue, code


# Reporting ------------------------------------------------------------------------------------------------------------


def test_the_form_is_open_to_everybody_and_gives_a_code_once(client, city):
    page = client.page("/anonymous")
    assert page.status_code == 200 and page.headers["Cache-Control"] == "no-store"
    assert "湾头桥镇" in text(page) and "泻油村" in text(page) and "交通运输局" in text(page)
    answer = form(client)
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    code = CODE.search(text(answer))[0]
    issue = db.session.scalars(sa.select(Issue)).one()
    assert (issue.reporter_id, issue.confidential, issue.unit_code, issue.text) == (None, True, seed.MICRO, BODY["text"])
    assert issue.follow_up_hash == codes.fingerprint(code) and code.replace("-", "").encode() not in issue.follow_up_hash
    event = db.session.scalars(sa.select(IssueEvent)).one()
    assert (event.actor_id, event.actor_role, event.data) == (None, "reporter", {})
    assert "/anonymous" in text(client.page("/login")) and "/follow-up" in text(client.page("/login"))


def test_the_same_form_sent_twice_is_one_report_with_one_code(client, city):
    first, second = text(form(client)), text(form(client, text="改了几个字"))
    assert CODE.search(first)[0] == CODE.search(second)[0]
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Issue)) == 1
    assert CODE.search(text(form(client, ticket="u" * 24)))[0] != CODE.search(first)[0]


def test_nothing_of_who_sent_it_stands_anywhere(client, city):
    client.browser(None).environ_base["REMOTE_ADDR"] = "203.0.113.77"
    client.browser(None).environ_base["HTTP_USER_AGENT"] = "DistinctPhone/7.7"
    assert form(client, photos=[(picture(), "a.jpg")]).status_code == 200
    client.form("/follow-up", {"code": "WRNG-WRNG-WRNG"})
    for table in db.metadata.tables:
        rows = "\n".join(db.session.scalars(sa.text(f"SELECT t::text FROM {table} t")))
        assert "203.0.113.77" not in rows and "DistinctPhone" not in rows, table


def test_photos_are_stripped_and_nobodys(client, city):
    data = photo_files.phone_jpeg(6, (640, 480))
    answer = form(client, photos=[(io.BytesIO(data), "IMG_欧阳.jpg")])
    assert answer.status_code == 200
    photo = db.session.scalars(sa.select(Photo)).one()
    assert photo.owner_id is None and photo.lat is None
    assert db.session.scalars(sa.select(IssuePhoto.stage)).all() == ["before"]
    code = CODE.search(text(answer))[0]
    assert f"/follow-up/photos/{photo.id}" in text(opened(client, code))
    shown = client.page(f"/follow-up/photos/{photo.id}")
    assert shown.status_code == 200 and shown.headers["Cache-Control"] == "no-store"
    assert b"Exif" not in shown.get_data() and shown.get_data()[:2] == b"\xff\xd8"
    assert client.page(f"/follow-up/photos/{photo.id}?thumb=1").status_code == 200
    # Through nobody's front door, and not without the code.
    assert client.page(f"/photos/{photo.id}").status_code == 302
    assert client.app.test_client().get(f"/follow-up/photos/{photo.id}").status_code == 404
    other = photo_of(city.worker)
    assert client.page(f"/follow-up/photos/{other}").status_code == 404


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"text": "  "}, "text"), ({"category": ""}, "category"), ({"category": "0201"}, "photos"), ({"grid_code": "430581999"}, "grid_code"),
        ({"accused": "nobody"}, "accused"), ({"accused": seed.CITY}, "accused"), ({"ticket": "short"}, "ticket"), ({"text": "a\0b"}, "text"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_shown_with_the_form_and_nothing_is_kept(client, city, wrong, field):
    answer = form(client, **wrong)
    assert answer.status_code == 422 and (field == "ticket" or f'id="f-{field}"' in text(answer))
    assert field == "text" or BODY["text"] in text(answer)
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Issue)) == 0


def test_a_photo_that_is_none_refuses_the_report_whole(client, city):
    answer = form(client, photos=[(picture(), "a.jpg"), (io.BytesIO(b"no picture"), "b.jpg")])
    assert answer.status_code == 422 and BODY["text"] in text(answer) and 'id="f-photos-error"' in text(answer)
    assert [db.session.scalar(sa.select(sa.func.count()).select_from(t)) for t in (Issue, Photo)] == [0, 0]


def test_a_stale_form_is_shown_again_with_its_words(client, city):
    browser = client.app.test_client()
    answer = browser.post("/anonymous", data={**BODY, "ticket": TICKET, "csrf_token": "stale"})
    assert answer.status_code == 400 and BODY["text"] in text(answer) and TICKET in text(answer)


def test_reporting_is_limited_by_address(client, city, monkeypatch):
    monkeypatch.setattr(client.app.extensions["rate_limits"], "enabled", True)
    client.browser(None).environ_base["REMOTE_ADDR"] = "203.0.113.5"
    answers = [form(client, ticket=f"{n:024d}").status_code for n in range(11)]
    assert answers == [200] * 10 + [429]


# Codes ----------------------------------------------------------------------------------------------------------------


def test_a_code_has_twelve_signs_without_look_alikes(app):
    found = {codes.of_ticket(str(n)) for n in range(300)}
    assert len(found) == 300 and all(CODE.fullmatch(code) for code in found)
    assert not set("0O1IL") & set("".join(found)) and set(codes.SIGNS) == set("".join(found)) - {"-"}


def test_a_code_is_found_however_it_is_written(city):
    issue, code = made()
    for written in (code, code.lower(), code.replace("-", ""), f" {code.replace('-', ' ')} ", code.replace("-", "－")):
        assert anonymous.find(written, address="x") == issue
    for wrong in (code[:-1], code + "A", "", "' OR 1=1 --"):
        assert anonymous.find(wrong, address="x") is None


def test_wrong_codes_are_answered_alike_and_shut_the_address_out(client, city):
    _issue, code = made()
    first = client.form("/follow-up", {"code": "AAAA-AAAA-AAAA"})
    for n in range(codes.LOCK_AFTER - 1):
        again = client.form("/follow-up", {"code": f"BBBB-BBBB-BBB{codes.SIGNS[n]}"})
    right = client.form("/follow-up", {"code": code})  # Shut out: even the right one is not looked at.
    csrf = re.compile(r'name="csrf_token" value="[^"]+"')
    assert [a.status_code for a in (first, again, right)] == [422] * 3
    assert csrf.sub("", text(first)) == csrf.sub("", text(again)) == csrf.sub("", text(right))
    guard = db.session.scalars(sa.select(CodeGuard)).one()
    assert guard.failures == codes.LOCK_AFTER and guard.locked_until - guard.failed_at == timedelta(seconds=codes.FIRST_S)
    assert anonymous.find(code, address="another") is not None
    db.session.execute(sa.update(CodeGuard).values(locked_until=db.utcnow() - timedelta(seconds=1)))
    assert client.form("/follow-up", {"code": code}).status_code == 303


def test_being_shut_out_grows_and_ends(city):
    for _n in range(codes.LOCK_AFTER + 9):
        codes.count_failure("198.51.100.1")
    guard = db.session.scalars(sa.select(CodeGuard)).one()
    assert guard.locked_until - guard.failed_at == timedelta(seconds=codes.MOST_S)
    db.session.execute(sa.update(CodeGuard).values(failed_at=db.utcnow() - codes.FORGET - timedelta(seconds=1)))
    codes.count_failure("198.51.100.1")
    db.session.expire_all()
    assert db.session.scalars(sa.select(CodeGuard.failures)).all() == [1]


def test_another_key_opens_nothing(city):
    _issue, code = made()
    try:
        codes.use("another secret that is long enough")
        assert anonymous.find(code, address="x") is None
    finally:
        codes.use("tests-only-" * 4)
    assert anonymous.find(code, address="x") is not None


# Following up ---------------------------------------------------------------------------------------------------------


def test_the_code_shows_where_it_stands_without_names_of_people(client, city):
    issue, code = resolved(city)
    actions.act(issue, "instruct", actor=city.city_leader, data={"instruction": "严肃处理"})
    page = text(opened(client, code))
    assert issue.number in page and "已劝散" in page and "待核实" in page and "泻油村" in page
    for words in ("肖建国", "许副市长", "严肃处理", "批示"):
        assert words not in page


def test_without_the_code_there_is_nothing(client, city):
    made()
    for url in ("/follow-up/report", "/follow-up/report?move=note"):
        answer = client.app.test_client().get(url)
        assert (answer.status_code, answer.location) == (303, "/follow-up")
    assert client.form("/follow-up/report", {"name": "withdraw"}).location == "/follow-up"
    assert db.session.scalars(sa.select(Issue.state)).all() == ["reported"]


def test_it_closes_by_itself_and_at_a_word(client, city):
    _issue, code = made()
    opened(client, code)
    client.form("/follow-up/leave", {})
    assert client.page("/follow-up/report").status_code == 303
    opened(client, code)
    with client.browser(None).session_transaction() as cookie:
        cookie["followed"] = [cookie["followed"][0], int(db.utcnow().timestamp()) - 1]
    assert client.page("/follow-up/report").status_code == 303


def test_the_codes_holder_does_what_a_reporter_does(client, city):
    issue, code = resolved(city)
    issue_id = issue.id
    opened(client, code)
    assert client.form("/follow-up/report", {"name": "note", "note": "他们换地方了", "photos": [(picture(), "a.jpg")]}).status_code == 303
    actions.act(db.session.get_one(Issue, issue_id), "verify", actor=city.village_chief, data={"way": "spot"})
    assert 'data-move="contest"' in text(client.page("/follow-up/report"))
    assert client.page("/follow-up/report?move=contest").status_code == 200
    refused = client.form("/follow-up/report", {"name": "contest"})
    assert refused.status_code == 422
    assert client.form("/follow-up/report", {"name": "contest", "reason": "还在赌"}).status_code == 303
    assert client.form("/follow-up/report", {"name": "rate", "satisfaction": "5"}).status_code == 409
    assert client.form("/follow-up/report", {"name": "accept"}).status_code == 403
    assert client.form("/follow-up/report", {"name": "urge"}).status_code == 303
    assert client.form("/follow-up/report", {"name": "urge"}).status_code == 409  # Once a day, nobody too.
    assert client.form("/follow-up/report", {"name": "withdraw"}).status_code == 303
    steps = db.session.execute(sa.select(IssueEvent.name, IssueEvent.actor_id).where(IssueEvent.actor_role == "reporter").order_by(IssueEvent.seq))
    assert [tuple(step) for step in steps] == [(name, None) for name in ("report", "note", "contest", "urge", "withdraw")]
    assert db.session.get_one(Issue, issue_id, populate_existing=True).state == "withdrawn"


def test_what_was_merged_is_kept_and_its_code_shows_how_the_other_one_goes(client, send, city):
    issue, code = made(text="每晚八点开场")
    target = city.report("resident", category="0106", text="邻居老王开的场子")
    last = city.report("neighbour", category="0106", text="又一个说法")
    actions.act(issue, "merge", actor=city.micro_chief, data={"issue": target.number})
    ids = target.id, last.id
    assert "每晚八点开场" in text(client.page(f"/issues/{target.id}", city.micro_chief))
    target, last = (db.session.get_one(Issue, each) for each in ids)
    with pytest.raises(IllegalTransition) as refused:
        actions.act(target, "withdraw", actor=city.resident)
    assert refused.value.code == "guard_nobody_joined"
    actions.act(target, "merge", actor=city.micro_chief, data={"issue": last.number})
    actions.act(last, "note", actor=city.neighbour, data={"note": "我家在隔壁"})
    actions.act(last, "accept", actor=city.micro_chief)
    proof = [photo_of(city.micro_chief)]
    actions.act(last, "resolve", actor=city.micro_chief, data={"result": "已劝散", "proof": proof})
    number, hidden = last.number, ("邻居老王", "又一个说法", "我家在隔壁", str(proof[0]), "肖建国")
    page, found = text(opened(client, code)), send("/look", {"code": code}).get_json()
    assert all(words in page for words in ("每晚八点开场", number, "已劝散", "待核实"))
    assert not [words for words in hidden if words in page or words in str(found)]
    assert (found["state"], found["outcome"]["number"], found["outcome"]["state"]) == ("merged", number, "resolved")
    assert "已劝散" in [event["words"] for event in found["outcome"]["events"]]


def test_a_photo_that_is_none_refuses_the_step_and_keeps_the_words(client, city):
    _issue, code = made()
    opened(client, code)
    answer = client.form("/follow-up/report", {"name": "note", "note": "他们换地方了", "photos": [(io.BytesIO(b"none"), "a.jpg")]})
    assert answer.status_code == 422 and "他们换地方了" in text(answer)
    assert db.session.scalars(sa.select(IssueEvent.name)).all() == ["report"]


def test_who_is_signed_in_reports_without_a_name_all_the_same(client, city):
    person = city.resident
    assert "您已登录" in text(client.page("/anonymous", person))
    assert client.form("/anonymous", {**BODY, "ticket": TICKET}, person).status_code == 200
    issue = db.session.scalars(sa.select(Issue)).one()
    assert issue.reporter_id is None
    assert client.get("/api/v1/issues?view=reported", city.resident).get_json()["items"] == []


def test_a_page_that_is_out_of_date_moves_nothing(client, city):
    issue, code = made()
    issue_id = issue.id
    opened(client, code)
    actions.act(db.session.get_one(Issue, issue_id), "accept", actor=city.micro_chief)
    answer = client.form("/follow-up/report", {"name": "withdraw", "generation": "0"})
    assert answer.status_code == 409
    assert db.session.get_one(Issue, issue_id, populate_existing=True).state == "accepted"


# Everything else copes with nobody ------------------------------------------------------------------------------------


def test_nobody_is_told_and_silence_closes_it(client, city):
    issue, _code = resolved(city)
    actions.act(issue, "verify", actor=city.village_chief, data={"way": "spot"})
    deliver()
    assert "reporter" not in db.session.scalars(sa.select(Notice.audience)).all()
    actions.deadline_passed(issue)
    deliver()
    assert (issue.state, issue.solved, issue.satisfaction) == ("closed", None, None)


def test_officials_see_it_as_anonymous_and_have_nobody_to_look_at(client, city):
    issue_id = made()[0].id
    for key in ("micro_chief", "city_office"):
        page = text(client.page(f"/issues/{issue_id}", city.person(key)))
        assert "匿名" in page and f"/issues/{issue_id}/identity" not in page
        events = client.get(f"/api/v1/issues/{issue_id}/events", city.person(key)).get_json()["items"]
        assert events[0]["actor"] is None and len(events[0]["hash"]) == 64  # Nobody's id is in it.
    look = {"purpose": "verify", "words": "核实情况"}
    answer = client.send(f"/api/v1/issues/{issue_id}/identity", look, city.city_office)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "anonymous")
    assert client.page(f"/issues/{issue_id}", city.foreign_resident).status_code == 404


def test_a_person_can_not_take_over_a_report_of_nobodys(city):
    issue = made()[0]
    with pytest.raises(Conflict):
        actions.report(actor=city.resident, id=issue.id, **BODY)


@pytest.mark.parametrize(
    "change",
    ["follow_up_hash = NULL", "confidential = false", f"reporter_id = (SELECT id FROM persons WHERE phone = '{seed.PHONES['worker']}')"],
)
def test_the_database_keeps_it_whole(city, change):
    made()
    with pytest.raises(IntegrityError), db.session.begin_nested():
        db.session.execute(sa.text(f"UPDATE issues SET {change}"))


# The API --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def send(client):
    """POST as a program without an account: with the CSRF token of its cookie."""
    browser = client.app.test_client()

    def post(url, body):
        db.session.commit()
        token = browser.get("/api/v1/csrf").get_json()["token"]
        return browser.post(f"/api/v1/anonymous-reports{url}", json=body, headers={"X-CSRFToken": token})

    return post


def test_the_api_reports_follows_and_moves(send, city):
    answer = send("", BODY)
    assert answer.status_code == 201 and set(answer.get_json()) == {"number", "code"} and answer.headers["Cache-Control"] == "no-store"
    code = answer.get_json()["code"]
    found = send("/look", {"code": code}).get_json()
    assert (found["state"], found["number"]) == ("reported", answer.get_json()["number"])
    assert [event["name"] for event in found["events"]] == ["report"] and set(found["transitions"]) == {"urge", "note", "withdraw"}
    assert "reporter_id" not in found and "id" not in found and "肖建国" not in str(found)
    moved = send("/act", {"code": code, "name": "note", "note": "补充：晚上八点"})
    assert moved.status_code == 201 and [event["words"] for event in moved.get_json()["events"]] == ["", "补充：晚上八点"]
    assert send("/act", {"code": code, "name": "accept"}).status_code == 403
    again = send("", BODY | {"ticket": TICKET}).get_json()
    assert send("", BODY | {"ticket": TICKET}).get_json() == again


@pytest.mark.parametrize("body", [{}, {"code": ""}, {"code": "x" * 41}, {"code": 7}, {"code": "AAAA-AAAA-AAAA", "more": 1}])
def test_the_api_refuses_what_is_no_code(send, city, body):
    assert send("/look", body).status_code == 422


def test_the_api_answers_wrong_codes_alike(send, city):
    code = made()[1]
    first = send("/look", {"code": "AAAA-AAAA-AAAA"})
    assert (first.status_code, first.get_json()["code"]) == (404, "code_unknown")
    for _n in range(codes.LOCK_AFTER):
        last = send("/act", {"code": "AAAA-AAAA-AAAB", "name": "note", "note": "x"})
    shut = send("/look", {"code": code})
    drop = ("request_id",)
    bodies = [{k: v for k, v in answer.get_json().items() if k not in drop} for answer in (first, last, shut)]
    assert bodies[0] == bodies[1] == bodies[2]


@pytest.mark.parametrize("more", [{"id": "01a20040-f0cd-771a-8f89-d9ada077b626"}, {"confidential": False}, {"photos": []}, {"ticket": "x"}])
def test_the_api_takes_nothing_that_only_a_person_has(send, city, more):
    assert send("", BODY | more).status_code == 422
