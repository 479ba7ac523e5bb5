"""The main job through the API alone: a report climbs from the village to a department and comes back; who sees it, who is
told; and lists, filters and repeated sends on the way.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from gridgov import db, outbox, timers
from gridgov.issues.models import Hop, Issue, IssueEvent
from gridgov.people import queries as people
from tests import seed
from tests.counting import count_queries
from tests.factories import picture

MONDAY = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)  # 09:00 in Wugang, a working day.
URL = "/api/v1/issues"
REPORTER = "resident"
# Everybody else finds nothing: neighbours, other grids and townships, other departments, clerks, administrators.
SIGHT = {
    REPORTER, "worker", "micro_chief", "village_chief", "township_chief", "township_office", "township_office_2",
    "city_chief", "city_office", "city_office_2", "city_leader", "auditor",
}  # fmt: skip
DEPARTMENT = {"department", "department_2"}
# who, move, what they give, state afterwards, length of the answerable grid's code (0: a department), who is told.
STORY: list[tuple[str, str, dict[str, Any], str, int, set[str]]] = [
    ("micro_chief", "escalate", {"reason": "组里没有设备"}, "reported", 12, {"village_chief", REPORTER}),
    ("village_chief", "escalate", {"reason": "村里没有经费"}, "reported", 9,
     {"township_chief", "township_office", "township_office_2", REPORTER}),
    ("township_office", "escalate", {"reason": "县道，归市里管"}, "reported", 6, {"city_office", "city_office_2", REPORTER}),
    ("city_office", "dispatch", {"department": "transport", "note": "请尽快"}, "dispatched", 0, {"department", "department_2", REPORTER}),
    ("department", "accept", {}, "accepted", 0, {REPORTER}),
    ("department", "resolve", {"result": "已清除落石", "proof": "photo"}, "resolved", 6, {"city_office", "city_office_2", REPORTER}),
    ("city_office_2", "verify", {"way": "spot", "note": "现场看过"}, "callback", 6, {REPORTER, "department"}),
    (REPORTER, "rate", {"satisfaction": 5}, "closed", 6, {"department"}),
]  # fmt: skip


@pytest.fixture(autouse=True)
def monday(db_session: Any) -> None:
    db.set_clock(MONDAY)


@pytest.fixture
def send(client: Any, city: seed.City) -> Any:
    """Posts as somebody: send(key, url, body) -> answer."""
    return lambda key, url, body: client.send(url, body, city.person(key))


def take_photo(client: Any, city: seed.City, key: str) -> str:
    """A photo sent by somebody through the API."""
    answer = client._call("POST", "/api/v1/photos", city.person(key), data={"photo": (picture(), "foto.jpg")})
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return str(answer.get_json()["id"])


def who_gets(client: Any, city: seed.City, url: str) -> set[str]:
    """Everybody for whom the address answers; for all others there is nothing."""
    found = {key: client.get(url, city.person(key)).status_code for key in seed.PEOPLE}
    assert set(found.values()) <= {200, 404}, found
    return {key for key, status in found.items() if status == 200}


def deliver() -> None:
    with db.transaction():
        for row_id in db.session.scalars(sa.select(outbox.Outgoing.id).where(outbox.Outgoing.done_at.is_(None))).all():
            assert outbox.deliver(row_id)


def inbox(client: Any, city: seed.City, key: str) -> list[str]:
    """What somebody was told, oldest first."""
    return [n["event"] for n in client.get("/api/v1/notices", city.person(key)).get_json()["items"]][::-1]


# The story ------------------------------------------------------------------------------------------------------------


def test_a_report_goes_all_the_way_up_to_a_department_and_back_to_the_reporter(client, city, send):
    before = take_photo(client, city, REPORTER)
    body = {"id": str(uuid4()), "category": "0801", "text": "泻油村路口塌方，过不去", "photos": [before], **seed.SPOT}
    made = send(REPORTER, URL, body)
    assert (made.status_code, made.get_json()["id"]) == (201, body["id"])
    assert made.get_json()["grid_code"] == seed.MICRO and seed.MICRO.startswith("430581101222")
    one, sight = f"{URL}/{body['id']}", set(SIGHT)
    told: dict[str, list[str]] = {key: [] for key in seed.PEOPLE}
    # A slide that blocks a road is of grade A: every level and the city's leaders hear of it at once.
    for key in SIGHT - {REPORTER, "worker", "auditor"}:
        told[key].append("report")
    deliver()
    assert who_gets(client, city, one) == sight
    photos = [before]
    for who, name, data, state, length, audience in STORY:
        generation = client.get(f"{one}/transitions", city.person(who)).get_json()["generation"]
        given = dict(data)
        if given.get("proof"):
            photos.append(take_photo(client, city, who))
            given["proof"] = photos[-1:]
        answer = send(who, f"{one}/events", {"name": name, "generation": generation, **given})
        assert answer.status_code == 201, answer.get_data(as_text=True)
        now = answer.get_json()
        assert (now["state"], len(now["unit"]["grid_code"] or "")) == (state, length)
        assert (now["unit"]["department_id"] is not None) == (length == 0)
        if name == "dispatch":
            sight |= DEPARTMENT  # And for good: what was given to it once, it may look up.
        assert who_gets(client, city, one) == sight, name
        deliver()
        for key in audience:
            told[key].append(name)
    assert {key: inbox(client, city, key) for key in seed.PEOPLE} == told
    for photo in photos:
        assert who_gets(client, city, f"/api/v1/photos/{photo}") == sight
        assert who_gets(client, city, f"/photos/{photo}") == sight
    assert who_gets(client, city, f"{one}/events") == who_gets(client, city, f"{one}/transitions") == sight
    end = client.get(one, city.person(REPORTER)).get_json()
    results = ("state", "on_time", "solved", "satisfaction", "rework_count", "due_at", "colour", "transitions")
    assert [end[k] for k in results] == ["closed", True, True, 5, 0, None, "grey", ["reopen"]]
    story = client.get(f"{one}/events", city.person(REPORTER)).get_json()["items"]
    assert [e["name"] for e in story] == ["report", *(step[1] for step in STORY)]
    assert [e["actor"] for e in story] == [seed.PEOPLE[key][0] for key in (REPORTER, *(step[0] for step in STORY))]
    assert [len(e["photos"]) for e in story] == [1, 0, 0, 0, 0, 0, 1, 0, 0]
    assert len({e["hash"] for e in story}) == 9


def test_what_the_handler_of_the_story_may_not_do(client, city, send):
    """The same way up, with somebody trying what is not theirs at each hop; the story itself shows what is."""
    made = send(REPORTER, URL, {"category": "0203", "text": "三轮车载人", "grid_code": seed.MICRO}).get_json()
    events = f"{URL}/{made['id']}/events"
    for key, name, more, status in [
        (REPORTER, "accept", {}, 403),
        ("micro_chief", "dispatch", {"department": "transport"}, 403),
        ("village_chief", "accept", {}, 403),  # Not his yet.
        ("township_office", "escalate", {"reason": "x"}, 403),
        ("neighbour", "note", {"note": "x"}, 404),
        ("foreign_township_office", "accept", {}, 404),
        ("department", "accept", {}, 404),
        ("administrator", "note", {"note": "x"}, 404),
    ]:
        assert send(key, events, {"name": name, **more}).status_code == status, (key, name)
    assert send("micro_chief", events, {"name": "escalate"}).get_json()["errors"].keys() == {"reason"}
    assert len(client.get(events, city.person(REPORTER)).get_json()["items"]) == 1


def test_nobody_is_told_of_what_they_did_themselves(client, city, send):
    made = send("micro_chief", URL, {"category": "0203", "text": "三轮车载人", "grid_code": seed.MICRO}).get_json()
    assert send("micro_chief", f"{URL}/{made['id']}/events", {"name": "note", "note": "我自己去看"}).status_code == 201
    deliver()
    assert [key for key in seed.PEOPLE if inbox(client, city, key)] == []
    assert send("worker", f"{URL}/{made['id']}/events", {"name": "note", "note": "我也看了"}).status_code == 201
    deliver()
    assert {key: inbox(client, city, key) for key in seed.PEOPLE if inbox(client, city, key)} == {"micro_chief": ["note"]}


def test_a_confidential_report_hides_its_reporter_from_everybody_else(client, city, send):
    made = send(REPORTER, URL, {"category": "0106", "text": "有人聚众赌博", "grid_code": seed.MICRO}).get_json()
    assert made["confidential"] is True
    named = set()
    for key in SIGHT:
        first = client.get(f"{URL}/{made['id']}/events", city.person(key)).get_json()["items"][0]
        if first["actor"] == seed.PEOPLE[REPORTER][0]:
            named.add(key)
        text = client.get(f"{URL}/{made['id']}", city.person(key)).get_data(as_text=True)
        assert seed.PEOPLE[REPORTER][0] not in text and seed.PHONES[REPORTER] not in text
    assert named == {REPORTER}


# Sending twice, sending wrong -----------------------------------------------------------------------------------------


def everything() -> list[int]:
    """How many rows there are that a report or a move could have written."""
    with db.transaction():
        tables = (Issue, Hop, IssueEvent, timers.Timer, outbox.Outgoing)
        return [db.session.scalar(sa.select(sa.func.count()).select_from(t)) or 0 for t in tables]


def test_the_same_report_sent_again_is_answered_with_the_first(client, city, send):
    body = {"id": str(uuid4()), "category": "0203", "text": "三轮车载人", "grid_code": seed.MICRO}
    first = send(REPORTER, URL, body)
    before = everything()
    again = send(REPORTER, URL, {**body, "text": "改了几个字"})
    assert (first.status_code, again.status_code) == (201, 200)
    keys = ("id", "number", "text", "state", "generation", "due_at")
    assert [first.get_json()[k] for k in keys] == [again.get_json()[k] for k in keys]
    other = send("neighbour", URL, body)
    assert (other.status_code, other.get_json()["code"]) == (409, "id_taken")
    assert "number" not in other.get_json()
    assert everything() == before


BAD: list[tuple[dict[str, Any], list[str]]] = [
    ({"category": None}, ["category"]),
    ({"category": "9999"}, ["category"]),
    ({"category": "02"}, ["category"]),
    ({"category": "0801"}, ["photos"]),
    ({"text": ""}, ["text"]),
    ({"text": " \n\t "}, ["text"]),
    ({"text": "长" * 1001}, ["text"]),
    ({"text": 5}, ["text"]),
    ({"text": ["a"]}, ["text"]),
    ({"id": "not-an-id"}, ["id"]),
    ({"grid_code": "430581999"}, ["grid_code"]),
    ({"grid_code": "４３０５８１"}, ["grid_code"]),
    ({"grid_code": None}, ["grid_code"]),
    ({"grid_code": None, "lat": 39.9, "lon": 116.4}, ["grid_code"]),
    ({"lat": 91, "lon": 181}, ["lat", "lon"]),
    ({"lat": 26.52}, ["lon"]),
    ({"lon": 110.42}, ["lat"]),
    ({"lat": "NaN", "lon": 110.42}, ["lat"]),
    ({"accuracy_m": -1}, ["accuracy_m"]),
    ({"photos": [str(uuid4())]}, ["photos"]),
    ({"photos": "x"}, ["photos"]),
    ({"photos": [str(uuid4()) for _ in range(10)]}, ["photos"]),
    ({"confidential": "perhaps"}, ["confidential"]),
    ({"state": "closed", "reporter_id": str(uuid4())}, ["reporter_id", "state"]),
]


@pytest.mark.parametrize(("given", "fields"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_a_bad_report_is_refused_by_field_and_changes_nothing(client, city, send, given, fields):
    body = {"category": "0203", "text": "三轮车载人", "grid_code": seed.MICRO, **given}
    before = everything()
    answer = send(REPORTER, URL, {k: v for k, v in body.items() if v is not None})
    assert (answer.status_code, sorted(answer.get_json().get("errors", {}))) == (422, fields)
    assert all(m for messages in answer.get_json()["errors"].values() for m in messages)
    assert everything() == before


@pytest.mark.parametrize("given", ["lat", "lon"])
def test_half_a_position_of_a_photo_is_refused(client, city, given):
    data = {"photo": (picture(), "foto.jpg"), given: "26.5"}
    answer = client._call("POST", "/api/v1/photos", city.worker, data=data)
    assert (answer.status_code, list(answer.get_json()["errors"])) == (422, [{"lat": "lon", "lon": "lat"}[given]])


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({}, ["name"]),
        ({"name": "fly"}, ["name"]),
        ({"name": "escalate"}, ["reason"]),
        ({"name": "escalate", "reason": "  "}, ["reason"]),
        ({"name": "escalate", "reason": "长" * 501}, ["reason"]),
        ({"name": "escalate", "reason": "x", "department": "transport"}, ["department"]),
        ({"name": "escalate", "reason": "x", "wings": 2}, ["wings"]),
        ({"name": "escalate", "reason": "x", "photos": [str(uuid4())]}, ["photos"]),
        ({"name": "escalate", "reason": "x", "generation": -1}, ["generation"]),
    ],
)
def test_a_bad_move_is_refused_by_field_and_changes_nothing(client, city, send, given, fields):
    made = send(REPORTER, URL, {"category": "0203", "text": "三轮车载人", "grid_code": seed.MICRO}).get_json()
    before = everything()
    answer = send("micro_chief", f"{URL}/{made['id']}/events", given)
    assert (answer.status_code, sorted(answer.get_json().get("errors", {}))) == (422, fields)
    assert everything() == before
    assert client.get(f"{URL}/{made['id']}", city.person(REPORTER)).get_json()["generation"] == 0


# Lists ----------------------------------------------------------------------------------------------------------------


def reports(city: seed.City, n: int, **given: Any) -> list[str]:
    with db.transaction():
        return [str(city.report(**given).id) for _ in range(n)]


def walk(client: Any, person: Any, query: str, between: Any = None) -> list[str]:
    """Every id of a list, page by page."""
    found, cursor = [], None
    for page_number in range(100):
        page = client.get(f"{URL}?{query}" + (f"&cursor={cursor}" if cursor else ""), person).get_json()
        found += [i["id"] for i in page["items"]]
        cursor = page["next"]
        if between and page_number < 5:
            between()
        if cursor is None:
            return found
    raise AssertionError("the list does not end")


@pytest.mark.parametrize("sort", ["newest", "due"])
@pytest.mark.parametrize("limit", [1, 4, 5])
def test_pages_show_each_row_once_while_others_are_added(client, city, sort, limit):
    """Many rows share one deadline, some have none (they have ended), and new ones come between the pages."""
    there = reports(city, 5) + reports(city, 5, grid_code=seed.VILLAGE) + reports(city, 5, grid_code=seed.TOWNSHIP)
    for one in there[2:12:3]:
        assert client.send(f"{URL}/{one}/events", {"name": "withdraw"}, city.worker).status_code == 201
    got = walk(client, city.city_office, f"sort={sort}&limit={limit}", between=lambda: reports(city, 1))
    assert len(got) == len(set(got))
    assert [one for one in got if one in there] == sorted(there, reverse=True) if sort == "newest" else set(there) <= set(got)
    rows = [client.get(f"{URL}/{one}", city.city_office).get_json()["due_at"] for one in got]
    if sort == "due":
        assert rows == sorted(rows, key=lambda due: due or "9999")


def test_a_page_says_when_it_is_the_last(client, city):
    reports(city, 4)
    full = client.get(f"{URL}?limit=4", city.city_office).get_json()
    assert (len(full["items"]), full["next"]) == (4, None)
    assert client.get(f"{URL}?limit=3", city.city_office).get_json()["next"]


@pytest.mark.parametrize("cursor", ["x", "W10", "WyJhIl0", "bnVsbA", "W251bGxd", "%00", "WzFd", "eyJhIjoxfQ", "W1tdXQ"])
@pytest.mark.parametrize("sort", ["newest", "due"])
def test_a_made_up_cursor_is_refused(client, city, cursor, sort):
    answer = client.get(f"{URL}?sort={sort}&cursor={cursor}", city.city_office)
    assert (answer.status_code, list(answer.get_json()["errors"])) == (422, ["cursor"])
    assert client.get(f"/api/v1/notices?cursor={cursor}", city.city_office).status_code == 422


def test_filters_find_what_they_name_and_nothing_else(client, city):
    in_micro = reports(city, 2)
    road = reports(city, 1, category="0604", text="有人用电捕鱼 100%_\\", address="泻油村桥头")
    village = reports(city, 1, grid_code=seed.VILLAGE)
    sibling = reports(city, 1, grid_code=seed.SIBLING_MICRO)
    gone = reports(city, 1)
    client.send(f"{URL}/{gone[0]}/events", {"name": "withdraw"}, city.worker)
    number = client.get(f"{URL}/{road[0]}", city.city_office).get_json()["number"]
    everyone = {*in_micro, *road, *village, *sibling, *gone}
    expected = {
        "": everyone,
        "state=open": everyone - {*gone},
        "state=withdrawn": {*gone},
        "state=closed": set(),
        "colour=green": everyone - {*gone},
        "colour=red": set(),
        "category=06": {*road},
        "category=0604": {*road},
        "category=0605": set(),
        "grade=B": {*road},
        f"grid={seed.MICRO}": {*in_micro, *road, *gone},
        f"grid={seed.VILLAGE}": everyone,
        f"grid={seed.SIBLING_VILLAGE}": set(),
        f"q={number}": {*road},
        "q=电捕鱼": {*road},
        "q=桥头": {*road},
        "q=%25": {*road},  # The sign itself, not "anything".
        "q=_": {*road},
        "q=%5C": {*road},
        "q=nothing": set(),
        "state=open&category=02&grid=" + seed.VILLAGE: {*in_micro, *village, *sibling},
    }
    for query, ids in expected.items():
        assert set(walk(client, city.city_office, query)) == ids, query
    assert set(walk(client, city.micro_chief, "view=mine")) == {*in_micro, *road}
    assert set(walk(client, city.micro_chief, "view=todo")) == {*in_micro, *road}
    assert set(walk(client, city.micro_chief, "view=all")) == {*in_micro, *road, *gone}
    assert set(walk(client, city.village_chief, "view=mine")) == {*village}
    assert set(walk(client, city.worker, "view=reported")) == everyone
    assert walk(client, city.foreign_worker, "") == walk(client, city.administrator, "") == []
    # A filter never shows more than one's sight.
    assert walk(client, city.foreign_township_office, f"grid={seed.CITY}") == []


def test_colours_follow_the_clock(client, city):
    one = reports(city, 1)
    due = MONDAY + timedelta(hours=4)
    for at, colour in [(MONDAY, "green"), (due - timedelta(minutes=50), "green"), (due - timedelta(minutes=47), "yellow"),
                       (due, "yellow"), (due + timedelta(seconds=1), "red")]:  # fmt: skip
        with db.transaction():
            db.set_clock(at)
        assert client.get(f"{URL}/{one[0]}", city.city_office).get_json()["colour"] == colour, at
        assert walk(client, city.city_office, f"colour={colour}") == one, at


@pytest.mark.parametrize(
    ("query", "field"),
    [("view=other", "view"), ("state=nowhere", "state"), ("colour=blue", "colour"), ("category=x", "category"), ("grade=D", "grade"),
     ("grid=4305'", "grid"), ("sort=random", "sort"), ("limit=0", "limit"), ("limit=201", "limit"), ("limit=x", "limit"),
     ("q=" + "x" * 61, "q"), ("grid=%ef%bc%99", "grid")],
)  # fmt: skip
def test_a_filter_that_names_nothing_is_refused_by_field(client, city, query, field):
    answer = client.get(f"{URL}?{query}", city.city_office)
    assert (answer.status_code, list(answer.get_json()["errors"])) == (422, [field])


LISTS = [
    f"{URL}?limit=200", f"{URL}?sort=due&limit=200", f"{URL}?view=todo&limit=200", f"{URL}?view=mine&limit=200&q=三轮车",
    f"{URL}?view=reported&limit=200", "/api/v1/notices?limit=200", "/api/v1/categories", "/api/v1/departments",
    f"/api/v1/grids/{seed.VILLAGE}/children",
]  # fmt: skip


@pytest.mark.parametrize("url", LISTS)
def test_a_longer_list_asks_the_database_no_more_often(client, city, url):
    who = "worker" if "reported" in url else "micro_chief"

    def asked() -> tuple[int, int]:
        deliver()
        client.get(url, city.person(who))  # What is read once for all is read now.
        with count_queries() as queries:
            answer = client.get(url, city.person(who))
        assert answer.status_code == 200
        # Of these, those of the test's own looking up of the person are the same both times.
        return len(answer.get_json()["items"]), len(queries)

    reports(city, 1)
    rows, queries = asked()
    reports(city, 29)
    more_rows, more_queries = asked()
    assert more_queries == queries
    if "issues" in url or "notices" in url:
        assert (rows, more_rows) == (1, 30)
    assert people.get(city.person(who).id)


def test_a_longer_story_asks_the_database_no_more_often(client, city):
    one = reports(city, 1)[0]

    def asked() -> tuple[int, int]:
        with count_queries() as queries:
            answer = client.get(f"{URL}/{one}/events", city.person("city_office"))
        return len(answer.get_json()["items"]), len(queries)

    asked()
    assert client.send(f"{URL}/{one}/events", {"name": "note", "note": "1"}, city.worker).status_code == 201
    rows, queries = asked()
    for key in ("worker", "micro_chief", "village_chief") * 8:
        assert client.send(f"{URL}/{one}/events", {"name": "note", "note": "2"}, city.person(key)).status_code == 201
    more_rows, more_queries = asked()
    assert (rows, more_rows, more_queries) == (2, 26, queries)
