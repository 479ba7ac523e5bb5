"""The phone's pages as a browser without scripts uses them: forms in, pages out."""

import io
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from gridgov import db, outbox
from gridgov.db import session, uuid7
from gridgov.i18n import forced
from gridgov.issues import actions, flow, queries, words
from gridgov.issues.models import Hop, Issue, IssueEvent, IssuePhoto
from gridgov.notices.models import Notice
from gridgov.people import actions as people
from gridgov.people.models import Role
from gridgov.photos.models import Photo
from gridgov.shell import landing
from tests import seed
from tests.counting import count_queries
from tests.factories import photo_of, picture

RUBBISH = "0901"  # Needs a photo.
THREE_WHEELER = "0203"  # Does not.


def body(answer: TestResponse) -> str:
    """The page as text."""
    return answer.get_data(as_text=True)


def deliver() -> None:
    """Make notices of what the outbox holds."""
    for outbox_id in session.scalars(
        sa.select(outbox.Outgoing.id).where(outbox.Outgoing.done_at.is_(None))
    ).all():
        outbox.deliver(outbox_id)


def file(name: str = "a.jpg") -> tuple[io.BytesIO, str]:
    """A photo as a form's file."""
    return picture(), name


def sent(**more: Any) -> dict[str, Any]:
    """A report as the form sends it."""
    return {
        "id": str(uuid7()),
        "category": THREE_WHEELER,
        "text": "村口三轮车载人",
        "grid_code": seed.MICRO,
        **more,
    }


def now(issue: Issue) -> Issue:
    """The issue as it is: a request puts away what the test had loaded."""
    return session.get_one(Issue, issue.id, populate_existing=True)


def act(issue: Issue, name: str, actor: Any, **data: Any) -> None:
    """Make a move by the real action."""
    actions.act(now(issue), name, actor=actor, data=data)


def at_city(city: seed.City, **given: Any) -> Issue:
    """An issue that everybody below has passed up."""
    issue = city.report("resident", **given)
    for chief in (city.micro_chief, city.village_chief, city.township_office):
        act(issue, "escalate", chief, reason="要交办")
    return now(issue)


def how_many(kind: Any) -> int:
    """Rows of a table."""
    return session.scalar(sa.select(sa.func.count()).select_from(kind)) or 0


# Where one lands, and the navigation ------------------------------------------------------------------------

LANDINGS = {
    "resident": "/report", "store_clerk": "/report", "worker": "/todo", "micro_chief": "/todo",
    "village_chief": "/todo", "township_chief": "/desk", "township_office": "/desk", "city_office": "/desk",
    "department": "/desk",
    "city_chief": "/desk", "city_leader": "/desk", "auditor": "/desk", "administrator": "/me",
}  # fmt: skip


@pytest.mark.parametrize("key", LANDINGS)
def test_everybody_lands_where_their_work_is(client, city, key):
    answer = client.page("/", city.person(key))
    assert (answer.status_code, answer.location) == (302, LANDINGS[key])


def test_somebody_without_any_post_may_still_report(client, city):
    for post in session.scalars(sa.select(people.Post).where(people.Post.person_id == city.resident.id)):
        people.end_post(post, actor=None)
    assert client.page("/", city.resident).location == "/report"
    assert client.page("/report", city.resident).status_code == 200


def test_the_navigation_shows_what_fits_the_posts(client, city):
    def entries(key: str) -> list[str]:
        return re.findall(r'data-nav="([^"]+)"', body(client.page("/mine", city.person(key))))

    assert entries("resident") == ["issues.report", "issues.mine", "notices.inbox", "people.me"]
    assert entries("worker") == ["issues.todo", "issues.report", "issues.mine", "notices.inbox", "people.me"]
    assert entries("township_office")[0] == "desk.queue"
    assert "people.all_sign_ins" in entries("auditor")
    assert "people.all_sign_ins" not in entries("city_office")


def test_the_numbers_beside_the_navigation_are_those_of_the_lists(client, city):
    city.report()
    city.report()
    deliver()
    page = body(client.page("/mine", city.micro_chief))
    assert re.findall(r'data-nav="([^"]+)"(?:(?!</li>).)*nav-badge">(\d+)<', page, re.DOTALL) == [
        ("issues.todo", "2"), ("notices.inbox", "2"),
    ]  # fmt: skip


def test_a_page_that_shows_no_navigation_asks_nothing_for_it(client, city):
    with count_queries() as seen:
        client.app.test_client().get("/login")
    assert not [statement for statement in seen if "notices" in statement or "issues" in statement]


def test_landing_follows_the_posts_of_today(city):
    assert landing(city.worker) == "issues.todo"
    people.appoint(city.worker, Role.TOWNSHIP_OFFICE, actor=None, grid_code=seed.TOWNSHIP)
    assert landing(city.worker) == "desk.queue"


# Reporting --------------------------------------------------------------------------------------------------


def test_a_report_with_photos_arrives_and_says_what_happens_next(client, city):
    given = sent(
        category=RUBBISH,
        text="渡槽下有建筑垃圾",
        photos=[file(), file()],
        lat="26.52",
        lon="110.42",
        grid_code="",
    )
    answer = client.form("/report", given, city.resident)
    assert (answer.status_code, answer.location) == (303, f"/issues/{given['id']}?new=1")
    issue = session.get_one(Issue, UUID(given["id"]))
    assert (issue.grid_code, issue.reporter_id, issue.lat) == (seed.MICRO, city.resident.id, 26.52)
    page = body(client.page(answer.location, city.resident))
    assert 'class="card receipt' in page
    assert (
        issue.number in page and page.count('class="photo-image"') == 4
    )  # Under the words, and in the story.
    assert 'class="card receipt' not in body(client.page(answer.location, city.micro_chief))


def test_the_same_form_sent_twice_is_one_report(client, city):
    given = sent()
    first, second = (
        client.form("/report", dict(given), city.resident),
        client.form("/report", dict(given), city.resident),
    )
    assert first.location == second.location
    assert how_many(Issue) == 1


def test_photos_of_a_form_sent_twice_are_taken_in_once(client, city):
    given = sent(category=RUBBISH)
    for _ in range(2):
        assert client.form("/report", {**given, "photos": [file()]}, city.resident).status_code == 303
    assert (how_many(Issue), how_many(Photo)) == (1, 1)


def test_somebody_elses_id_is_refused(client, city):
    given = sent()
    client.form("/report", dict(given), city.resident)
    assert client.form("/report", given | {"anyway": "1"}, city.neighbour).status_code == 409
    assert how_many(Issue) == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"text": "  "}, "text"), ({"category": ""}, "category"), ({"category": "09"}, "category"),
        ({"category": RUBBISH}, "photos"), ({"grid_code": ""}, "grid_code"),
        ({"grid_code": "430581999"}, "grid_code"),
        ({"text": "字" * 1001}, "text"),
        ({"address": "字" * 201}, "address"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_beside_the_field_and_the_rest_is_kept(client, city, wrong, field):
    given = sent(address="学校门口", confidential="1") | wrong
    answer = client.form("/report", dict(given), city.resident)
    page = body(answer)
    assert answer.status_code == 422
    assert f'id="f-{field}-error"' in page
    assert f'value="{given["id"]}"' in page
    if field != "address":
        assert "学校门口" in page
    if field != "text":
        assert "村口三轮车载人" in page
    assert "Missing data" not in page and "Longer than" not in page and "does not match" not in page
    assert how_many(Issue) == 0


def test_photos_of_a_refused_report_are_kept_and_used_by_the_next_try(client, city):
    given = sent(category=RUBBISH, text="")
    answer = client.form("/report", {**given, "photos": [file(), file()]}, city.resident)
    kept = re.findall(r'type="checkbox" name="photos" value="([^"]+)" checked', body(answer))
    assert (answer.status_code, len(kept), how_many(Photo)) == (422, 2, 2)
    assert client.page(f"/photos/{kept[0]}/thumb", city.resident).status_code == 200
    assert client.page(f"/photos/{kept[0]}/thumb", city.neighbour).status_code == 404
    again = client.form("/report", {**given, "text": "垃圾", "photos": [kept[0], file()]}, city.resident)
    assert again.status_code == 303
    used = set(
        session.scalars(sa.select(IssuePhoto.photo_id).where(IssuePhoto.issue_id == UUID(given["id"])))
    )
    assert len(used) == 2 and UUID(kept[0]) in used and UUID(kept[1]) not in used


def test_one_bad_file_costs_none_of_the_good_ones(client, city):
    photos = [file(), (io.BytesIO(b"not a picture"), "b.jpg")]
    answer = client.form("/report", sent(category=RUBBISH, photos=photos), city.resident)
    assert answer.status_code == 422
    assert 'id="f-photos-error"' in body(answer)
    assert (how_many(Photo), how_many(Issue)) == (1, 0)
    assert body(answer).count('class="picker-photo"') == 1


def test_too_many_photos_are_refused(client, city):
    photos = [file() for _ in range(actions.MAX_PHOTOS + 1)]
    answer = client.form("/report", sent(photos=photos), city.resident)
    assert answer.status_code == 422 and 'id="f-photos-error"' in body(answer)
    assert how_many(Issue) == 0


def test_another_persons_photo_cannot_be_put_into_a_report(client, city):
    theirs = photo_of(city.neighbour)
    answer = client.form("/report", sent(photos=[str(theirs)]), city.resident)
    assert answer.status_code == 422
    assert how_many(Issue) == 0


def test_a_stale_form_is_shown_again_with_its_words(client, city):
    given = sent(text="灯坏了三天", csrf_token="stale")
    answer = client.browser(city.resident).post("/report", data=given)
    assert answer.status_code == 400
    assert "灯坏了三天" in body(answer) and given["id"] in body(answer) and "data-report" in body(answer)
    assert how_many(Issue) == 0


def test_who_was_signed_out_meanwhile_keeps_the_words(client):
    answer = client.app.test_client().post("/report", data=sent(text="灯坏了三天"))
    assert answer.status_code == 400
    assert "灯坏了三天" in body(answer)


def test_too_many_reports_are_slowed_down_without_losing_words(app: Flask, client, city, monkeypatch):
    limits = app.extensions["rate_limits"]
    monkeypatch.setattr(limits, "enabled", True)
    monkeypatch.setitem(limits._rates, "intake_rate", limits._rates["intake_rate"][:0] or _once())
    assert client.form("/report", sent(), city.resident).status_code == 303
    answer = client.form("/report", sent(text="第二件"), city.resident)
    assert (answer.status_code, "第二件" in body(answer)) == (429, True)
    assert int(answer.headers["Retry-After"]) > 0
    assert how_many(Issue) == 1


def _once() -> Any:
    from limits import parse_many

    return parse_many("1 per hour")


def test_the_form_begins_with_the_own_grid_and_what_is_reported_most(client, city):
    for _ in range(3):
        city.report("neighbour", category="1101", text="积水")
    city.report("neighbour", category="0702", text="烧荒")
    page = body(client.page("/report", city.resident))
    assert f'name="grid_code" value="{seed.MICRO}"' in page
    assert re.findall(r'name="category" value="(\d+)"', page)[:2] == ["1101", "0702"]
    foreign = body(client.page("/report", city.foreign_resident))
    assert re.findall(r'name="category" value="(\d+)"', foreign)[0] != "1101"
    office = body(client.page("/report", city.township_office))
    assert 'name="grid_code" value=""' in office


def test_without_script_every_village_of_the_own_town_can_be_chosen(client, city):
    page = body(client.page("/report", city.resident))
    offered = set(re.findall(r'<option value="(\d+)"', page))
    assert {
        seed.VILLAGE,
        seed.MICRO,
        seed.SIBLING_MICRO,
        seed.SIBLING_VILLAGE,
        seed.FOREIGN_TOWNSHIP,
    } <= offered


def test_a_confidential_report_shows_no_name(client, city):
    client.form("/report", given := sent(confidential="1"), city.resident)
    page = body(client.page(f"/issues/{given['id']}", city.micro_chief))
    assert "刘大娘" not in page
    assert "刘大娘" in body(client.page(f"/issues/{given['id']}", city.resident))
    assert "刘大娘" not in body(client.page(f"/issues/{given['id']}", city.city_office))


# Lists ------------------------------------------------------------------------------------------------------


def test_my_reports_are_mine_alone(client, city):
    city.report("resident", text="我的事")
    city.report("neighbour", text="别人的事")
    page = body(client.page("/mine", city.resident))
    assert "我的事" in page and "别人的事" not in page


def test_the_to_do_list_says_what_can_be_done_now(client, city):
    issue = city.report("resident")
    accept, resolve = (words.happened(name) for name in ("accept", "resolve"))
    assert accept in _row(client.page("/todo", city.micro_chief))
    act(issue, "accept", city.micro_chief)
    assert resolve in _row(client.page("/todo", city.micro_chief))
    assert 'class="item-link"' not in body(client.page("/todo", city.village_chief))
    assert 'class="item-link"' not in body(client.page("/todo", city.foreign_micro_chief))


def _row(answer: TestResponse) -> str:
    return body(answer).split('class="item-link"')[1]


def test_the_most_urgent_comes_first_and_colours_filter(client, city):
    db.set_clock(shift=timedelta(hours=-6))
    city.report("resident", text="早就该办")
    db.set_clock()
    city.report("resident", text="刚刚上报")
    page = body(client.page("/todo", city.micro_chief))
    assert page.index("早就该办") < page.index("刚刚上报")
    red = body(client.page("/todo?colour=red", city.micro_chief))
    assert "早就该办" in red and "刚刚上报" not in red
    assert client.page("/todo?colour=pink", city.micro_chief).status_code == 422
    assert client.page("/todo?cursor=nonsense", city.micro_chief).status_code == 422


def test_who_has_no_duties_is_told_so(client, city):
    page = body(client.page("/todo", city.resident))
    assert 'class="empty"' in page and "/mine" in page


@pytest.mark.parametrize("path", ["/mine", "/todo", "/inbox"])
def test_lists_read_the_same_number_of_statements_however_long(client, city, path):
    person = city.micro_chief

    def statements() -> int:
        client.page(path, person)
        with count_queries() as seen:
            assert client.page(path, person).status_code == 200
        return len(seen)

    def one_more() -> None:
        for reporter in ("micro_chief", "resident"):
            issue = city.report(reporter, category=RUBBISH, photos=[photo_of(city.person(reporter))])
            if reporter == "micro_chief":
                act(issue, "accept", person)
        deliver()

    one_more()
    few = statements()
    for _ in range(4):
        one_more()
    assert statements() == few <= 12


def test_an_issue_reads_the_same_number_of_statements_however_long_its_story(client, city):
    issue = city.report("resident")

    def statements() -> int:
        with count_queries() as seen:
            assert client.page(f"/issues/{issue.id}", city.resident).status_code == 200
        return len(seen)

    statements()
    few = statements()
    for n in range(5):
        act(issue, "note", city.resident, note=f"第 {n} 次")
    assert statements() == few <= 20


def test_pages_of_a_long_list_follow_one_another(client, city):
    for n in range(52):
        city.report("resident", text=f"第 {n} 件")
    first = body(client.page("/mine", city.resident))
    following = re.search(r'href="(/mine\?cursor=[^"]+)"', first)
    assert following is not None and first.count('class="item-link"') == 50
    second = body(client.page(following[1].replace("&amp;", "&"), city.resident))
    assert second.count('class="item-link"') == 2 and "第 0 件" in second


# One issue --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "status"),
    [("resident", 200), ("worker", 200), ("micro_chief", 200), ("village_chief", 200),
     ("township_office", 200), ("city_office", 200), ("auditor", 200), ("neighbour", 404),
     ("sibling_worker", 404), ("department", 404), ("foreign_micro_chief", 404),
     ("foreign_township_office", 404), ("store_clerk", 404),
     ("administrator", 404)],
)  # fmt: skip
def test_an_issue_is_shown_to_those_whose_it_is_and_to_nobody_else(client, city, key, status):
    issue = city.report("resident")
    person = city.person(key)
    assert client.page(f"/issues/{issue.id}", person).status_code == status
    assert client.page(f"/issues/{issue.id}/move/note", person).status_code in (
        {404} if status == 404 else {200, 403}
    )
    given = {"name": "note", "note": "x", "generation": now(issue).generation}
    answer = client.form(f"/issues/{issue.id}/events", given, person)
    assert answer.status_code in ({404} if status == 404 else {303, 403})


def test_buttons_are_exactly_the_moves_open_to_the_person(client, city):
    issue = city.report("resident")
    for key in ("resident", "worker", "micro_chief", "village_chief", "township_office", "auditor"):
        person = city.person(key)
        shown = re.findall(r'data-move="(\w+)"', body(client.page(f"/issues/{issue.id}", person)))
        assert shown == [move.name for move in queries.transitions(person, now(issue))]


@pytest.mark.parametrize(
    "name", ["accept", "escalate", "resolve", "dispatch", "not_accept", "rate", "withdraw"]
)
def test_a_move_that_is_not_ones_own_is_refused_and_changes_nothing(client, city, name):
    issue = city.report("resident")
    before = (issue.state, issue.generation, how_many(IssueEvent))
    given = {"name": name, "reason": "x", "generation": now(issue).generation, "photos": [file()]}
    assert client.form(f"/issues/{issue.id}/events", given, city.worker).status_code == 403
    assert client.page(f"/issues/{issue.id}/move/{name}", city.worker).status_code == 403
    issue = now(issue)
    assert (issue.state, issue.generation, how_many(IssueEvent)) == before
    assert how_many(Photo) == 0


def test_a_form_asks_for_exactly_the_fields_of_its_move(client, city):
    issue = city.report("resident")
    act(issue, "accept", city.micro_chief)
    for move in queries.transitions(city.micro_chief, now(issue)):
        page = body(client.page(f"/issues/{issue.id}/move/{move.name}", city.micro_chief))
        form = page.split('id="moves"')[1].split("</form>")[0]
        asked = set(re.findall(r'name="(\w+)"', form)) - {"csrf_token", "name", "generation"}
        assert asked == {*move.needs, *move.may}
        assert f'name="generation" value="{now(issue).generation}"' in form


def test_a_move_is_made_and_told(client, city):
    issue = city.report("resident")
    given = {"name": "accept", "note": "马上去", "generation": now(issue).generation}
    answer = client.form(f"/issues/{issue.id}/events", given, city.micro_chief)
    assert (answer.status_code, answer.location) == (303, f"/issues/{issue.id}")
    issue = now(issue)
    assert issue.state == "accepted"
    page = body(client.page(answer.location, city.micro_chief))
    assert "马上去" in page and 'class="alert tone-green"' in page


def test_a_refused_move_keeps_words_and_photos(client, city):
    issue = city.report("resident")
    act(issue, "accept", city.micro_chief)
    url = f"/issues/{issue.id}/events"
    given = {"name": "resolve", "generation": now(issue).generation}
    answer = client.form(url, {**given, "proof": [file()]}, city.micro_chief)
    page = body(answer)
    kept = re.findall(r'name="proof" value="([^"]+)" checked', page)
    assert (answer.status_code, len(kept)) == (422, 1) and 'id="f-result-error"' in page
    assert f'<meta name="address" content="/issues/{issue.id}/move/resolve">' in page
    assert client.page(url, city.micro_chief).location == f"/issues/{issue.id}"
    answer = client.form(url, {**given, "result": "已经清走"}, city.micro_chief)
    assert answer.status_code == 422 and "已经清走" in body(answer) and 'id="f-proof-error"' in body(answer)
    assert (
        client.form(url, {**given, "result": "已经清走", "proof": kept}, city.micro_chief).status_code == 303
    )
    issue = now(issue)
    assert issue.state == "resolved"


def test_who_was_slower_sees_the_issue_as_it_is_now(client, city):
    issue = city.report("resident")
    seen = issue.generation
    act(issue, "escalate", city.micro_chief, reason="办不了")
    answer = client.form(
        f"/issues/{issue.id}/events", {"name": "accept", "generation": seen}, city.village_chief
    )
    assert answer.status_code == 409
    assert 'name="generation" value="1"' in body(answer)  # The form is open again, on what is there now.
    answer = client.form(
        f"/issues/{issue.id}/events", {"name": "accept", "generation": seen}, city.micro_chief
    )
    assert answer.status_code == 403
    act(issue, "accept", city.village_chief)
    answer = client.form(
        f"/issues/{issue.id}/events", {"name": "accept", "generation": 2}, city.village_chief
    )
    assert answer.status_code == 409 and 'data-move="resolve"' in body(answer)


def test_the_same_move_pressed_twice_is_no_quarrel(client, city):
    issue = city.report("resident")
    given = {"name": "accept", "generation": now(issue).generation}
    first = client.form(f"/issues/{issue.id}/events", dict(given), city.micro_chief)
    second = client.form(f"/issues/{issue.id}/events", dict(given), city.micro_chief)
    assert (first.status_code, second.status_code) == (303, 303)
    assert [event.name for event in queries.story(city.micro_chief, issue).events] == ["report", "accept"]


def test_a_move_that_is_not_possible_any_more_says_so(client, city):
    issue = city.report("resident")
    answer = client.page(f"/issues/{issue.id}/move/resolve", city.micro_chief)
    assert answer.status_code == 409 and 'data-move="accept"' in body(answer)
    assert client.page(f"/issues/{issue.id}/move/no_such_thing", city.micro_chief).status_code == 404
    answer = client.form(f"/issues/{issue.id}/events", {"name": "no_such_thing"}, city.micro_chief)
    assert answer.status_code == 422
    assert client.form(f"/issues/{issue.id}/events", {}, city.micro_chief).status_code == 422


def test_a_stale_form_of_a_move_is_shown_again(client, city):
    issue = city.report("resident")
    given = {"name": "escalate", "reason": "人手不够", "csrf_token": "stale"}
    answer = client.browser(city.micro_chief).post(f"/issues/{issue.id}/events", data=given)
    assert answer.status_code == 400 and "人手不够" in body(answer)
    issue = now(issue)
    assert issue.generation == 0
    answer = client.browser(city.foreign_worker).post(f"/issues/{issue.id}/events", data=given)
    assert answer.status_code == 400 and issue.number not in body(answer)  # Out of sight: the general page.


def test_dispatch_offers_the_departments_with_the_categorys_own_chosen(client, city):
    issue = at_city(city, category="0201", photos=[photo_of(city.resident)])
    page = body(client.page(f"/issues/{issue.id}/move/dispatch", city.city_office))
    assert '<option value="transport" selected>' in page and '<option value="police">' in page
    given = {"name": "dispatch", "department": "nobody", "generation": now(issue).generation}
    answer = client.form(f"/issues/{issue.id}/events", given, city.city_office)
    assert answer.status_code == 422 and 'id="f-department-error"' in body(answer)
    given["department"] = "police"
    assert client.form(f"/issues/{issue.id}/events", given, city.city_office).status_code == 303
    issue = now(issue)
    assert issue.department_id is not None and issue.state == "dispatched"


def test_a_department_that_does_not_exist_leaves_nothing_behind(client, city):
    issue = at_city(city)
    before = (issue.hop_n, issue.generation, how_many(Hop))
    given = {"name": "dispatch", "department": "nobody", "generation": now(issue).generation}
    client.form(f"/issues/{issue.id}/events", given, city.city_office)
    issue = now(issue)
    assert (issue.hop_n, issue.generation, how_many(Hop)) == before


def test_opening_an_issue_marks_as_read_what_was_told_of_it(client, city):
    issue = city.report("resident")
    other = city.report("neighbour")
    deliver()
    client.page(f"/issues/{issue.id}", city.micro_chief)
    unread = sa.select(Notice.issue_id).where(
        Notice.person_id == city.micro_chief.id, Notice.read_at.is_(None)
    )
    assert session.scalars(unread).all() == [other.id]
    client.form("/inbox/read", {}, city.micro_chief)
    assert session.scalars(unread).all() == []


def test_the_inbox_shows_ones_own_messages_alone(client, city):
    issue = city.report("resident")
    act(issue, "accept", city.micro_chief)
    deliver()
    mine = body(client.page("/inbox", city.resident))
    assert issue.number in mine and f"/issues/{issue.id}" in mine
    assert issue.number not in body(client.page("/inbox", city.neighbour))
    assert client.form("/inbox/read", {}, city.neighbour).status_code == 303
    assert session.scalar(sa.select(Notice.read_at).where(Notice.person_id == city.resident.id)) is None


# Words ------------------------------------------------------------------------------------------------------


def test_the_way_is_told_with_where_it_is(app, city):
    issue = city.report("resident")

    def way() -> list[str]:
        return [state for _name, state in words.stops(queries.story(city.resident, issue))]

    with app.test_request_context():
        assert way() == ["now", "ahead", "ahead", "ahead", "ahead"]
        for chief in (city.micro_chief, city.village_chief, city.township_office):
            act(issue, "escalate", chief, reason="办不了")
        act(issue, "dispatch", city.city_office, department="transport")
        assert way() == ["done", "done", "done", "done", "now"]
        act(issue, "withdraw", city.resident)
        assert way() == ["done"] * 5


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_state_is_explained_in_one_sentence(app, city, language):
    issue = city.report("resident")
    with app.test_request_context(), forced(language):
        for name in flow.current().states:
            issue.state = name
            said = words.explain(issue, "泻油村")
            assert said and "{" not in said and said.rstrip()[-1] in "。."
    session.rollback()


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("路灯不亮。晚上看不见", "路灯不亮"),
        ("路灯不亮", "路灯不亮"),
        ("字" * 60, "字" * 39 + "…"),
        ("。", "。"),
    ],
)
def test_a_title_is_the_first_sentence(city, text, title):
    assert words.title(Issue(text=text)) == title
