"""The bulletin over the API and at the desk: everybody's own area and no other, figures by name, and addresses that make no sense."""

import csv
import io

import pytest

from gridgov import db
from gridgov.people import actions as people
from gridgov.people.models import Role
from tests import seed
from tests.counting import count_queries
from tests.office import at
from tests.test_bulletin import accepted, do, reported

NOVEMBER = "from=2026-11-01&to=2026-12-01"
API, PAGE, TABLE = "/api/v1/bulletin", "/desk/bulletin", "/desk/bulletin/table.csv"
WITHOUT_DESK = ("resident", "worker", "micro_chief", "village_chief", "store_clerk", "administrator")


@pytest.fixture
def month(city):
    """One issue accepted in each township, and one dispatched to the transport department."""
    accepted(city, "2026-11-16 09:00", "2026-11-16 10:00")
    db.set_clock(at("2026-11-16 09:00"))
    city.report("foreign_resident", grid_code=seed.FOREIGN_MICRO)
    given = reported(city, "2026-11-16 09:00", grid_code=seed.SIBLING_MICRO)
    for who in ("sibling_micro_chief", "village_chief", "township_office"):
        do(city, given, "2026-11-16 09:30", "escalate", who, reason="办不了")
    do(city, given, "2026-11-16 10:00", "dispatch", "city_office", department="transport")
    db.set_clock(at("2026-12-02 09:00"))
    return city


def total(client, person, more: str = "") -> dict:
    got = client.get(f"{API}?{NOVEMBER}{more}", person)
    assert got.status_code == 200, got.get_json()
    return got.get_json()["total"]


def test_everybody_at_a_desk_sees_the_figures_of_the_own_area(month, client):
    assert total(client, month.city_office)["stages"]["reported"] == 3
    assert total(client, month.auditor)["stages"]["reported"] == 3
    assert total(client, month.township_office)["stages"]["reported"] == 2
    assert total(client, month.foreign_township_office)["stages"]["reported"] == 1
    got = client.get(f"{API}?{NOVEMBER}&by=unit&under={seed.VILLAGE}", month.township_office).get_json()
    assert (got["from"], got["to"], got["under"], got["by"]) == (
        "2026-11-01",
        "2026-12-01",
        [seed.VILLAGE],
        "unit",
    )
    assert {line["key"]: line["stages"]["reported"] for line in got["lines"]}[seed.MICRO] == 1
    assert (
        got["total"]["timeliness"]["on_time_rate"] == 0.0 and got["total"]["results"]["satisfaction"] is None
    )


def test_a_department_sees_what_it_was_given_and_nothing_of_others(month, client):
    mine, other = total(client, month.department), total(client, month.other_department)
    assert (mine["quality"]["dispatched"], mine["stages"]["reported"]) == (1, 0)
    assert (other["quality"]["dispatched"], other["stages"]["reported"]) == (0, 0)
    narrowed = total(client, month.department, f"&under={seed.TOWNSHIP}")
    assert (narrowed["quality"]["dispatched"], narrowed["stages"]["reported"]) == (1, 0)


def test_a_department_with_a_seat_in_a_township_too_sees_all_of_that_township_and_only_its_own_elsewhere(
    month, client
):
    person = month.other_department
    people.appoint(person, Role.TOWNSHIP_OFFICE, actor=None, grid_code=seed.FOREIGN_TOWNSHIP)
    assert total(client, person)["stages"]["reported"] == 1
    assert total(client, person, f"&under={seed.FOREIGN_VILLAGE}")["stages"]["reported"] == 1
    assert total(client, person, f"&under={seed.TOWNSHIP}")["stages"]["reported"] == 0
    assert total(client, person, f"&under={seed.CITY}")["stages"]["reported"] == 0


@pytest.mark.parametrize("address", [API, PAGE, TABLE])
def test_out_of_sight_is_not_found_and_without_a_desk_it_is_not_allowed(month, client, address):
    ask = client.get if address == API else client.page
    for code in (seed.FOREIGN_TOWNSHIP, seed.CITY, seed.FOREIGN_MICRO, "430581101999", "4305", "x"):
        assert ask(f"{address}?{NOVEMBER}&under={code}", month.township_office).status_code == 404, code
    for who in WITHOUT_DESK:
        for code in ("", seed.MICRO, seed.FOREIGN_MICRO):
            assert ask(f"{address}?{NOVEMBER}&under={code}", month.person(who)).status_code == 403, who
    assert ask(f"{address}?{NOVEMBER}", None).status_code in (302, 401)
    for who in ("township_office", "city_leader", "department", "auditor"):
        assert ask(f"{address}?{NOVEMBER}", month.person(who)).status_code == 200, who


@pytest.mark.parametrize(
    "bad",
    [
        "from=2026-11-31&to=2026-12-01", "from=x&to=y", "from=2026-12-01&to=2026-11-01", "from=2026-11-01&to=2026-11-01",
        "from=2020-01-01&to=2026-01-01", "from=0001-01-01&to=0001-02-01", "from=9999-12-31", "from=9999-12-01&to=9999-12-31", "by=person",
        "by=%00", "under=0000000000000000", "from=2026-11-01&to=2026-12-01&by=stages",
    ],
)  # fmt: skip
def test_addresses_that_make_no_sense_are_refused(month, client, bad):
    assert client.get(f"{API}?{bad}", month.city_office).status_code == 422
    assert client.page(f"{PAGE}?{bad}", month.city_office).status_code == 422


def test_without_days_it_is_of_last_month_and_a_first_day_alone_begins_a_month(month, client):
    assert client.get(API, month.city_office).get_json()["from"] == "2026-11-01"
    for first, until in (
        ("2026-11-15", "2026-12-15"),
        ("2026-12-01", "2027-01-01"),
        ("2026-01-31", "2026-03-01"),
    ):
        assert client.get(f"{API}?from={first}", month.city_office).get_json()["to"] == until


def test_the_page_shows_a_line_for_each_group_and_the_whole_in_both_languages(month, client):
    page = client.page(f"{PAGE}?{NOVEMBER}&by=township", month.city_office).get_data(as_text=True)
    for words in (
        "武冈市问题办理情况通报",
        "立案",
        "派遣",
        "处置",
        "核查",
        "结案",
        "按期结案率",
        "湾头桥镇",
        "邓元泰镇",
        "合计",
        "—",
    ):
        assert words in page, words
    assert page.count("<tbody>") == 5 and page.count('class="bulletin-total"') == 5
    client.form("/language", {"lang": "en"}, month.city_office)
    page = client.page(f"{PAGE}?{NOVEMBER}&by=line", month.city_office).get_data(as_text=True)
    for words in ("Registered", "On-time closing rate", "Safety", "Total"):
        assert words in page, words


def test_the_desk_leads_to_the_page_and_the_page_to_the_file(month, client):
    assert f'href="{PAGE}"' in client.page("/desk", month.township_office).get_data(as_text=True)
    page = client.page(f"{PAGE}?{NOVEMBER}&by=village", month.township_office).get_data(as_text=True)
    assert "/desk/bulletin/table.csv?from=2026-11-01" in page
    got = client.page(f"{TABLE}?{NOVEMBER}&by=village", month.township_office)
    assert got.headers["Content-Disposition"] == "attachment; filename=bulletin-2026-11-01-2026-12-01.csv"
    rows = list(csv.DictReader(io.StringIO(got.get_data().decode("utf-8-sig"))))
    assert [(row["key"], row["stages.reported"]) for row in rows] == [(seed.VILLAGE, "2"), ("", "2")]


def test_the_page_asks_as_often_for_many_lines_as_for_one(month, client):
    client.page(f"{PAGE}?{NOVEMBER}", month.city_office)
    with count_queries() as few:
        client.page(f"{PAGE}?{NOVEMBER}&by=village&under={seed.FOREIGN_VILLAGE}", month.city_office)
    for code in (seed.SIBLING_MICRO, "430581101221001"):
        db.set_clock(at("2026-11-20 09:00"))
        month.report("resident", grid_code=code)
    db.set_clock(at("2026-12-02 09:00"))
    with count_queries() as many:
        client.page(f"{PAGE}?{NOVEMBER}&by=village&under={seed.CITY}", month.city_office)
    assert len(many) == len(few)
