"""Persons, departments and households; oneself by page and API; the command line."""

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.exc import IntegrityError

from gridgov import db
from gridgov.errors import Conflict, Invalid, NotFound, NotPermitted
from gridgov.people import actions, devices, queries, roles
from gridgov.people.cli import people as people_cli
from gridgov.people.models import Department, Household, Person, Role
from tests import seed


@pytest.mark.parametrize(
    "phone", ["", "1380000000", "138000000001", "23800000001", "1380000000x", " 13800000001"]
)
def test_a_phone_number_has_eleven_digits_and_begins_with_one(db_session, city, phone):
    with pytest.raises(Invalid):
        actions.create_person("某人", phone, actor=None)
    with pytest.raises((IntegrityError, sa.exc.DataError)), db_session.begin_nested():
        db_session.add(Person(name="某人", phone=phone))


def test_a_phone_number_belongs_to_one_person(city):
    with pytest.raises(Conflict) as refusal:
        actions.create_person("某人", seed.PHONES["worker"], actor=None)
    assert refusal.value.code == "phone_in_use"


@pytest.mark.parametrize("name", ["", "  ", "某" * 61])
def test_a_person_has_a_name(city, name):
    with pytest.raises(Invalid):
        actions.create_person(name, "13700000001", actor=None)


def test_persons_cannot_be_deleted_at_all(db_session, city):
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        db_session.execute(sa.delete(Person).where(Person.phone == seed.PHONES["neighbour"]))


def test_households_lie_in_micro_grids_and_departments_in_cities_or_townships(db_session, city):
    household = actions.create_household("H1", seed.MICRO, "刘大娘", actor=city.administrator)
    person = actions.create_person("刘小妹", "13700000001", actor=None, household_id=household.id)
    assert person.household_id == household.id
    station = actions.create_department(
        "water-wtq", "湾头桥镇水利站", seed.TOWNSHIP, actor=city.administrator
    )
    assert station in queries.departments(under=seed.TOWNSHIP) and station in queries.departments()
    assert station not in queries.departments(under=seed.FOREIGN_TOWNSHIP)
    with pytest.raises(IntegrityError), db_session.begin_nested():
        db_session.add(Household(code="H2", grid_code=seed.VILLAGE, head_name="x"))
    with pytest.raises(IntegrityError), db_session.begin_nested():
        db_session.add(Department(code="x", name="x", grid_code=seed.VILLAGE))
    for attempt in (actions.create_household, actions.create_department):
        with pytest.raises(NotPermitted):
            attempt("H3", seed.MICRO, "x", actor=city.township_office)


def test_a_closed_department_is_no_longer_offered_nor_joined(city):
    water = actions.create_department("water", "水利局", seed.CITY, actor=None)
    water.closed_at = db.utcnow()
    db.session.flush()
    assert water not in queries.departments()
    with pytest.raises(NotFound):
        queries.department("water")
    with pytest.raises(Invalid):
        actions.appoint(city.neighbour, Role.DEPARTMENT, actor=None, department_id=water.id)


def test_public_lists_show_the_family_name_alone(city):
    assert city.resident.masked_name == "刘**"


# ---- Oneself ----


def test_me_by_the_api(client, city):
    me = client.get("/api/v1/me", city.department).get_json()
    assert (me["name"], me["language"], me["elder_view"]) == ("戴工", "zh", False)
    assert [(p["role"], p["department"], p["place"], p["grid_code"]) for p in me["posts"]] == [
        ("department", "transport", "交通运输局", None)
    ]
    assert "password_hash" not in me
    assert client.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"language": "en"}, 200),
        ({"elder_view": True}, 200),
        ({"language": "fr"}, 422),
        ({}, 422),
        ({"name": "王"}, 422),
        ({"phone": "13800000000"}, 422),
        ({"disabled_at": None}, 422),
        ([], 422),
        ("x", 422),
    ],
)
def test_only_preferences_can_be_changed_by_oneself(client, city, body, status):
    got = client.send("/api/v1/me", body, city.worker, method="PATCH")
    assert got.status_code == status
    worker = queries.by_phone(seed.PHONES["worker"])
    assert worker.name == "周小兰"
    if status == 200:
        assert {k: got.get_json()[k] for k in body} == body
        assert all(getattr(worker, k) == v for k, v in body.items())


def test_departments_are_listed_for_people_who_are_signed_in(client, city):
    items = client.get("/api/v1/departments", city.worker).get_json()["items"]
    assert [item["code"] for item in items] == ["police", "transport"]
    assert client.get("/api/v1/departments").status_code == 401


def test_the_page_about_oneself_shows_posts_with_places_and_periods(client, city):
    post = queries.live_posts(city.worker)[0]
    post.lines = ["river"]
    db.session.commit()
    page = client.page("/me", city.worker).text
    for word in ("周小兰", "第1村民小组", "网格员", "2020年1月1日", "河长", "199****0002"):
        assert word in page
    assert (
        seed.PHONES["worker"] not in page.split("<main")[1].split("change_password")[0].split("<details")[0]
    )


@pytest.mark.parametrize("key", list(seed.PEOPLE))
def test_every_role_can_open_the_pages_about_oneself(client, city, key):
    for url in ("/me", "/me/sessions", "/me/tokens"):
        assert client.page(url, city.person(key)).status_code == 200
    assert client.page("/me").status_code == 302


def test_the_switches_are_kept_on_the_person(client, city):
    assert client.form("/language", {"lang": "en"}, city.worker).status_code == 302
    assert client.form("/elder", {"elder": "1"}, city.worker).status_code == 302
    worker = queries.by_phone(seed.PHONES["worker"])
    assert (worker.language, worker.elder_view) == ("en", True)
    page = client.page("/me", city.worker).text
    opening = page[page.index("<html") :].split(">")[0]
    assert 'lang="en"' in opening and "data-elder" in opening and "Grid worker" in page


def test_a_choice_made_by_the_api_shows_on_the_pages(client, city):
    client.send("/api/v1/me", {"elder_view": True}, city.worker, method="PATCH")
    assert "data-elder" in client.page("/me", city.worker).text.split("<head>")[0]


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605 MicroMessenger/8.0",
            "微信 · iPhone",
        ),
        ("Mozilla/5.0 (Windows NT 10.0; Win64) Chrome/120 Safari/537 Edg/120", "Edge · Windows"),
        ("Mozilla/5.0 (Linux; Android 14) Chrome/120 Mobile Safari/537", "Chrome · Android"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14) Version/17 Safari/605", "Safari · Mac"),
        ("", "未知设备"),
    ],
)
def test_a_browser_is_named_in_a_few_words(agent, words):
    assert devices.device(agent) == words


# ---- The command line ----


@pytest.fixture
def run(db_session, city):
    def invoke(*words, **more):
        return CliRunner().invoke(people_cli, words, **more)

    db_session.commit()
    return invoke


def test_the_first_administrator_is_made_on_the_command_line(run):
    got = run("administrator", "13700000007", "首任", "--grid", seed.CITY, "--password", "a-good-word-7")
    assert got.exit_code == 0, got.output
    assert queries.roles(queries.by_phone("13700000007")) == {Role.ADMINISTRATOR}
    shown = run("show", "13700000007").output
    assert "首任" in shown and "administrator 430581" in shown


@pytest.mark.parametrize(
    "words",
    [
        ("administrator", "137", "首任", "--grid", seed.CITY, "--password", "a-good-word-7"),
        ("administrator", "13700000007", "首任", "--grid", seed.VILLAGE, "--password", "a-good-word-7"),
        ("administrator", "13700000007", "首任", "--grid", seed.CITY, "--password", "12345678"),
        ("password", "13700000007", "--password", "a-good-word-7"),
        ("disable", "13700000007"),
    ],
)
def test_a_refusal_on_the_command_line_is_one_line_and_changes_nothing(run, words):
    got = run(*words)
    assert got.exit_code == 1
    assert len(got.output.strip().splitlines()) == 1
    assert queries.by_phone("13700000007") is None


def test_shutting_out_and_new_passwords_on_the_command_line(run):
    phone = seed.PHONES["worker"]
    before = queries.by_phone(phone).password_hash
    assert run("password", phone, "--password", "a-good-word-7").exit_code == 0
    assert queries.by_phone(phone).password_hash != before
    assert run("disable", phone).exit_code == 0
    assert queries.by_phone(phone).disabled_at is not None


def test_labels_of_all_roles_and_lines_are_there_in_both_languages():
    rules = roles.current()
    assert set(rules.rules) == set(Role)
    for label in [rule.label for rule in rules.rules.values()] + list(rules.lines.values()):
        assert label["zh"] and label["en"]
