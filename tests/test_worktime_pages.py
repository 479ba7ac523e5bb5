"""The calendar's page, API and commands: both sides of every right, a look before writing, refusals with their rows."""

import io
import json
import re
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from gridgov import db
from gridgov.issues import actions as issues
from gridgov.people import actions as people
from gridgov.worktime import cli, inforce, recompute
from gridgov.worktime.models import CalendarChange, CalendarDay, OfficeHours
from tests import seed
from tests.office import at
from tests.test_worktime import CSV, JSON, impatient, local  # noqa: F401 – impatient is a fixture

OTHERS = [key for key in seed.PEOPLE if key != "administrator"]


def upload(client: Any, person: Any, text: str, mode: str = "notice", **more: Any) -> Any:
    file = (io.BytesIO(text.encode()), "notice.csv")
    return client.form("/admin/calendar/preview", {"file": file, "mode": mode}, person, content_type="multipart/form-data", **more)


def changes() -> int:
    return db.session.scalar(sa.select(sa.func.count()).select_from(CalendarChange)) or 0


@pytest.mark.parametrize("key", OTHERS)
def test_the_page_and_what_it_sends_are_the_administrators(client, city, key):
    person = city.person(key)
    plain = {"headers": {"Accept": "application/json"}}
    assert client.page("/admin/calendar", person, **plain).status_code == 403
    assert upload(client, person, CSV, **plain).status_code == 403
    assert client.form("/admin/calendar/import", {"notice": json.dumps(JSON)}, person, **plain).status_code == 403
    form = {"grid_code": seed.TOWNSHIP, "hours": "09:00-12:00"}
    assert client.form("/admin/calendar/hours", form, person, **plain).status_code == 403
    assert client.send("/api/v1/calendar/import", JSON, person).status_code == 403
    assert client.get("/api/v1/calendar/2026", person).status_code == 200
    assert (changes(), db.session.scalars(sa.select(OfficeHours)).all()) == (0, [])


def test_a_look_before_shows_what_would_change_and_writes_nothing(client, city):
    db.set_clock(at("2026-12-31 10:00"))
    city.report("resident", grid_code=seed.TOWNSHIP)
    page = upload(client, city.administrator, CSV)
    words = page.get_data(as_text=True)
    assert page.status_code == 200 and "2027-02-14" in words and "notice.csv" in words
    assert changes() == 0
    carried = re.search(r'name="notice" value="([^"]*)"', words)[1].replace("&#34;", '"')
    answer = client.form("/admin/calendar/import", {"notice": carried}, city.administrator)
    assert answer.status_code == 303
    change = db.session.scalars(sa.select(CalendarChange)).one()
    assert (change.year, change.moved, change.source) == (2027, 1, "notice.csv")
    after = client.page("/admin/calendar", city.administrator).get_data(as_text=True)
    assert "2027-01-04" in after or "1月4日" in after
    again = client.form("/admin/calendar/import", {"notice": carried}, city.administrator)
    assert (again.status_code, changes()) == (303, 1)


def test_single_days_are_carried_as_such(client, city):
    page = upload(client, city.administrator, "date,kind\n2027-03-06,work\n", "single").get_data(as_text=True)
    carried = re.search(r'name="notice" value="([^"]*)"', page)[1].replace("&#34;", '"')
    client.form("/admin/calendar/import", {"notice": carried}, city.administrator)
    assert not inforce.published(2027)
    assert db.session.scalars(sa.select(CalendarDay.day)).one().isoformat() == "2027-03-06"


@pytest.mark.parametrize("text", ["date,kind\n2027-02-30,work\n", "date,kind\n2027-02-06,rest\n", "", "{", "PK\x03\x04"])
def test_a_bad_file_is_answered_on_the_page(client, city, text):
    page = upload(client, city.administrator, text)
    assert page.status_code == 422 and "notice.csv" in page.get_data(as_text=True)


def test_no_file_and_a_preview_that_was_tampered_with_are_refused(client, city):
    person = city.administrator
    assert client.form("/admin/calendar/preview", {"mode": "notice"}, person).status_code == 422
    for carried in ("", "{", "[]", "7", '{"source": "x", "year": 2027, "days": []}', "[" * 5000):
        assert client.form("/admin/calendar/import", {"notice": carried}, person).status_code == 422
    assert changes() == 0


def test_hours_are_set_on_the_page_and_refused_beside_their_field(client, city):
    person = city.administrator
    bad = client.form("/admin/calendar/hours", {"grid_code": seed.TOWNSHIP, "hours": "8-12"}, person)
    assert bad.status_code == 422 and 'value="8-12"' in bad.get_data(as_text=True)
    assert client.form("/admin/calendar/hours", {"grid_code": "430581999", "hours": "8:00-12:00"}, person).status_code == 404
    good = client.form("/admin/calendar/hours", {"grid_code": seed.TOWNSHIP, "hours": "9:00-12:00"}, person)
    assert good.status_code == 303
    assert db.session.scalars(sa.select(OfficeHours.hours)).all() == ["09:00-12:00"]
    assert "09:00-12:00" in client.page("/admin/calendar", person).get_data(as_text=True)


def test_the_api_imports_reads_back_and_refuses_with_rows(client, city):
    person = city.administrator
    dry = client.send("/api/v1/calendar/import", {**JSON, "dry_run": True}, person)
    assert (dry.status_code, dry.json["changed"], dry.json["change_id"], changes()) == (200, True, None, 0)
    done = client.send("/api/v1/calendar/import", JSON, person)
    assert done.json["published"] and done.json["change_id"] and done.json["days"] == dry.json["days"]
    assert client.send("/api/v1/calendar/import", JSON, person).json["changed"] is False
    found = client.get("/api/v1/calendar/2027", city.resident).json
    assert found["published"] and {day["date"] for day in found["days"]} == {day["date"] for day in JSON["days"]}
    twice = client.send("/api/v1/calendar/import", {**JSON, "days": JSON["days"] * 2}, person)
    assert (twice.status_code, twice.json["code"]) == (422, "import_refused") and len(twice.json["problems"]) == len(JSON["days"])
    for bad in ({}, {"days": []}, {"days": [{"date": "x", "isOffDay": True}]}, {**JSON, "more": 1}):
        assert client.send("/api/v1/calendar/import", bad, person).status_code == 422
    assert client.get("/api/v1/calendar/1800", person).status_code == 404


def test_a_token_needs_the_scope_to_import(client, city):
    from gridgov.people import tokens

    _row, raw = tokens.create("reads", ["read"], actor=city.administrator)
    db.session.commit()
    answer = client.app.test_client().post("/api/v1/calendar/import", json=JSON, headers={"Authorization": f"Bearer {raw}"})
    assert (answer.status_code, answer.json["code"]) == (403, "scope")


# The commands ---------------------------------------------------------------------------------------------------------


def command(app: Any, *words: str) -> Any:
    db.session.commit()
    with app.app_context():
        return CliRunner().invoke(cli.calendar, list(words))


def test_the_command_imports_follows_and_says_how_many_moved(app, city, tmp_path):
    db.set_clock(at("2026-12-31 10:00"))
    issue = city.report("resident", grid_code=seed.TOWNSHIP)
    file = tmp_path / "2027.csv"
    file.write_text(CSV, "utf-8")
    assert command(app, "import", str(file), "--dry-run").exit_code == 0 and changes() == 0
    done = command(app, "import", str(file))
    assert done.exit_code == 0 and "2027-02-14" in done.output, done.output
    db.session.refresh(issue)
    assert local(issue.due_at) == "2027-01-04 10:00"
    assert db.session.scalars(sa.select(CalendarChange.finished_at)).one()
    assert command(app, "import", str(file)).exit_code == 0 and changes() == 1
    assert "2027-02-14" in command(app, "show", "2027").output
    assert command(app, "hours", seed.TOWNSHIP, "09:00-12:00, 13:00-18:00").exit_code == 0 and changes() == 2
    assert command(app, "recompute").exit_code == 0 and changes() == 3


def test_the_command_refuses_a_bad_file_with_status_1(app, city, tmp_path):
    file = tmp_path / "bad.csv"
    file.write_text("date,kind\n2027-02-30,work\n", "utf-8")
    for words in (("import", str(file)), ("import", str(tmp_path / "none.csv")), ("hours", seed.VILLAGE, "09:00-12:00"), ("show", "1")):
        assert command(app, *words).exit_code == 1
    assert changes() == 0


def test_the_command_says_when_somebody_holds_it_up(app, city, monkeypatch):
    monkeypatch.setattr(recompute, "_settled", lambda _began_at: False)
    finish = recompute.finish
    monkeypatch.setattr(recompute, "finish", lambda: finish(patience_s=0))
    done = command(app, "recompute")
    assert done.exit_code == 0 and db.session.scalars(sa.select(CalendarChange.finished_at)).one() is None


@pytest.mark.parametrize(("language", "words"), [("zh", "工作日历调整"), ("en", "The calendar has changed")])
def test_an_issues_page_tells_how_a_new_calendar_moved_its_deadline(client, city, language, words):
    db.set_clock(at("2026-12-31 10:00"))
    moved = city.report("resident", grid_code=seed.TOWNSHIP)
    other = city.report("resident", grid_code=seed.MICRO)
    issues.act(moved, "urge", actor=city.resident)  # Due at the same moment, but a clock beside that of the state.
    addresses = [f"/issues/{issue.id}" for issue in (moved, other)]
    for key in ("administrator", "township_office"):
        people.set_preferences(city.person(key), language=language)
    assert client.send("/api/v1/calendar/import", JSON, city.administrator).status_code in (200, 201)
    shown, untouched = (client.page(url, city.township_office).get_data(as_text=True) for url in addresses)
    assert words in shown and words not in untouched
    assert len(re.findall("期限由|Deadline moved", shown)) == 1
    assert ("1月1日" in shown and "1月4日" in shown) or ("1 Jan" in shown and "4 Jan" in shown)
