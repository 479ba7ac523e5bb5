"""Chiefs of a line of work: what they see, what they may, when they are told, and once; findings of a patrol."""

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.exc import IntegrityError

from gridgov import db
from gridgov.errors import Invalid, NotFound, NotPermitted
from gridgov.issues import actions, queries, queues
from gridgov.issues.models import Issue
from gridgov.live.changes import Change, Viewer
from gridgov.notices.models import Notice
from gridgov.people import actions as people, cli, queries as posts
from gridgov.people.models import Post, Role
from tests import seed
from tests.counting import count_queries
from tests.factories import photo_of
from tests.test_workflow_life import deliver_all

RIVER = "0603"


def river(city: seed.City, who: str = "resident", **more: Any) -> Issue:
    reporter = city.person(who)
    return city.report(who, category=RIVER, text="渠里漂着垃圾", photos=[photo_of(reporter)], **more)


def told(issue: Issue) -> list[tuple[Any, str]]:
    rows = db.session.execute(
        sa.select(Notice.person_id, Notice.audience).where(Notice.issue_id == issue.id, Notice.seq == 1)
    )
    return [(row.person_id, row.audience) for row in rows]


def test_the_chief_of_a_line_sees_its_issues_under_the_grid_and_no_others(city):
    chief = city.river_chief
    mine, other = river(city), city.report("resident")
    elsewhere = river(city, "foreign_resident", grid_code=seed.FOREIGN_MICRO)
    assert queries.visible(chief, mine.id).id == mine.id
    for hidden in (other, elsewhere):
        with pytest.raises(NotFound):
            queries.visible(chief, hidden.id)
    everything = queues.Filter(view="all", state="open")
    assert [row.id for row in queues.lines(chief, everything).rows] == [mine.id]
    assert queues.counts(chief, everything).open == 1
    assert [row.issue.id for row in queues.issues(chief, everything).rows] == [mine.id]
    assert list(db.session.scalars(sa.select(Issue.id).where(queries.in_sight(chief)))) == [mine.id]


def test_open_pages_hear_of_the_same_issues(city):
    viewer = Viewer(city.river_chief.id, city.river_chief.id, posts.reach(city.river_chief))

    def seen(issue: Issue) -> bool:
        change = Change(
            issue.id, 1, issue.grid_code, issue.unit_code, issue.reporter_id, frozenset(), line=issue.line
        )
        return change.seen_by(viewer)

    assert seen(river(city)) and not seen(city.report("resident"))
    assert not seen(river(city, "foreign_resident", grid_code=seed.FOREIGN_MICRO))


def test_a_line_chief_may_note_and_urge_and_nothing_else(city, client):
    issue = river(city)
    assert [move.name for move in queries.transitions(city.river_chief, issue)] == ["urge", "note"]
    with pytest.raises(NotPermitted):
        actions.act(issue, "accept", actor=city.river_chief)
    actions.act(issue, "urge", actor=city.river_chief, data={"note": "汛期前要清掉"})
    issue_id = issue.id
    send = f"/api/v1/issues/{issue_id}/events"
    assert client.send(send, {"name": "note", "note": "今天去看过"}, city.river_chief).status_code == 201
    assert client.send(send, {"name": "resolve"}, city.river_chief).status_code == 403
    assert client.page(f"/issues/{issue_id}", city.river_chief).status_code == 200
    other = city.report("resident").id
    assert client.page(f"/issues/{other}", city.river_chief).status_code == 404


def test_the_line_says_who_is_told_and_one_person_in_many_posts_is_told_once(city):
    people.appoint(
        city.village_chief, Role.LINE_CHIEF, actor=None, grid_code=seed.VILLAGE, lines=("river", "forest")
    )
    people.appoint(city.village_chief, Role.LINE_CHIEF, actor=None, grid_code=seed.TOWNSHIP, lines=("river",))
    people.appoint(city.neighbour, Role.LINE_CHIEF, actor=None, grid_code=seed.VILLAGE, lines=("road",))
    people.appoint(city.township_chief, Role.LINE_CHIEF, actor=None, grid_code=seed.CITY, lines=("river",))
    people.appoint(
        city.foreign_resident, Role.LINE_CHIEF, actor=None, grid_code=seed.FOREIGN_VILLAGE, lines=("river",)
    )
    issue = river(city)
    deliver_all()
    wanted = {(city.micro_chief.id, "unit")} | {
        (city.person(key).id, "line") for key in ("river_chief", "village_chief", "township_chief")
    }
    got = told(issue)
    assert set(got) == wanted and len(got) == len(wanted)


def test_whoever_carries_the_line_with_another_post_is_told_too(city):
    held = db.session.scalars(sa.select(Post).where(Post.person_id == city.village_chief.id)).one()
    db.session.execute(sa.update(Post).where(Post.id == held.id).values(lines=["river"]))
    issue = river(city)
    deliver_all()
    assert (city.village_chief.id, "line") in told(issue)


def test_they_are_told_when_it_is_closed(city):
    issue = river(city)
    chief, village = city.micro_chief, city.village_chief
    actions.act(issue, "accept", actor=chief)
    actions.act(issue, "resolve", actor=chief, data={"result": "捞干净了", "proof": [photo_of(chief)]})
    actions.act(issue, "verify", actor=village, data={"way": "spot"})
    deliver_all()
    before = sa.select(sa.func.count()).where(Notice.person_id == city.river_chief.id)
    assert db.session.scalar(before) == 1  # Of the report alone.
    actions.act(issue, "rate", actor=city.resident, data={"satisfaction": 5})
    deliver_all()
    assert db.session.scalar(before) == 2


def test_lines_without_chiefs_ask_nothing(city):
    city.report("resident")
    with count_queries() as seen:
        deliver_all()
    assert not [statement for statement in seen if "posts.lines &&" in statement]
    river(city)
    with count_queries() as seen:
        deliver_all()
    assert len([statement for statement in seen if "posts.lines &&" in statement]) == 1


def test_a_post_of_a_line_needs_its_line_and_a_fitting_grid(city):
    with pytest.raises(Invalid):
        people.appoint(city.neighbour, Role.LINE_CHIEF, actor=None, grid_code=seed.VILLAGE)
    with pytest.raises(Invalid):
        people.appoint(city.neighbour, Role.LINE_CHIEF, actor=None, grid_code=seed.MICRO, lines=("river",))
    with pytest.raises(Invalid):
        people.appoint(city.neighbour, Role.LINE_CHIEF, actor=None, grid_code=seed.VILLAGE, lines=("moon",))
    for lines, code in (([], seed.VILLAGE), (["river"], seed.MICRO), (["moon"], seed.VILLAGE)):
        post = {
            "person_id": city.neighbour.id,
            "role": Role.LINE_CHIEF,
            "grid_code": code,
            "lines": lines,
            "starts_on": date(2026, 1, 1),
        }
        with pytest.raises(IntegrityError), db.session.begin_nested():
            db.session.execute(sa.insert(Post).values(**post))


def test_they_have_a_list_of_their_own(city, client):
    issue = river(city)
    number, other = issue.number, city.report("resident").number
    page = client.page("/line", city.river_chief).get_data(as_text=True)
    assert number in page and other not in page
    assert "/line" in client.page("/me", city.river_chief).get_data(as_text=True)
    for key in ("resident", "village_chief", "city_office"):
        assert (
            client.page("/line", city.person(key), headers={"Accept": "application/json"}).status_code == 403
        )

    def asked() -> int:
        client.page("/line", city.river_chief)
        with count_queries() as seen:
            assert client.page("/line", city.river_chief).status_code == 200
        return len(seen)

    one = asked()
    for _n in range(3):
        river(city)
    assert asked() == one


def test_a_post_with_its_line_is_given_on_the_command_line(city, db_session):
    phone = seed.PHONES["neighbour"]
    db_session.commit()
    words = ["appoint", phone, "line_chief", "--grid", seed.VILLAGE]
    assert CliRunner().invoke(cli.people, words).exit_code == 1
    assert CliRunner().invoke(cli.people, [*words, "--line", "river", "--line", "road"]).exit_code == 0
    assert posts.reach(city.neighbour).lines == {(seed.VILLAGE, "river"), (seed.VILLAGE, "road")}


# Patrols --------------------------------------------------------------------------------------------------------------


def test_only_whoever_patrols_reports_a_finding_of_a_patrol(city, client):
    found = river(city, "worker", found_by="patrol")
    assert (found.found_by, found.line) == ("patrol", "river")
    assert city.report("resident").found_by == "resident"
    with pytest.raises(Invalid):
        city.report("resident", found_by="patrol")
    body = {"category": "0203", "text": "巡查看到", "grid_code": seed.MICRO, "found_by": "patrol"}
    assert client.send("/api/v1/issues", body, city.resident).status_code == 422
    answer = client.send("/api/v1/issues", body, city.river_chief)
    assert (answer.status_code, answer.get_json()["found_by"]) == (201, "patrol")
    assert client.send("/api/v1/issues", {**body, "found_by": "dream"}, city.worker).status_code == 422


def test_the_form_offers_it_to_them_alone_and_the_desk_shows_and_filters_it(city, client):
    found, other = river(city, "worker", found_by="patrol"), city.report("resident")
    for name in ("found", "other"):
        assert locals()[name].ended_at is None
    numbers = found.number, other.number
    found_id = found.id
    assert 'name="found_by"' in client.page("/report", city.worker).get_data(as_text=True)
    assert 'name="found_by"' not in client.page("/report", city.resident).get_data(as_text=True)
    listed = client.page("/desk?view=all&found=patrol", city.township_office).get_data(as_text=True)
    assert numbers[0] in listed and numbers[1] not in listed
    assert "巡查发现" in client.page(f"/issues/{found_id}", city.township_office).get_data(as_text=True)
    rows = client.get("/api/v1/issues?found=resident", city.township_office).get_json()["items"]
    assert [row["number"] for row in rows] == [numbers[1]]
    assert (
        client.page(
            "/desk?found=dream", city.township_office, headers={"Accept": "application/json"}
        ).status_code
        == 422
    )
