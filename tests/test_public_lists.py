"""Lists that anybody may read: who is on them, and what must not be."""

from datetime import UTC, datetime

import pytest

from gridgov import db
from gridgov.issues import actions
from tests import seed
from tests.counting import count_queries
from tests.test_asks import accepted, suspend

MONDAY = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def monday(db_session):
    db.set_clock(MONDAY)


def listed(client, cursor: str = "") -> list[dict]:
    answer = client.get(f"/api/v1/public/suspended{cursor}", None)
    assert answer.status_code == 200
    return answer.json["items"]


def test_a_suspended_issue_is_listed_with_reason_and_review_date_and_no_person(city, client):
    assert listed(client) == []
    issue = accepted(city)
    suspend(city, issue)
    found = listed(client)
    assert [(row["number"], row["reason"], row["place"]) for row in found] == [(issue.number, "河水没退，不能施工", "湾头桥镇 泻油村")]
    assert found[0]["review_at"].startswith("2026-12-20") and found[0]["since"].startswith("2026-11-16")
    page = client.get("/public/suspended", None)
    body = page.get_data(as_text=True)
    assert page.status_code == 200 and issue.number in body and "河水没退" in body
    for secret in (city.resident.name, city.micro_chief.name, issue.text, "第1村民小组 第1"):
        assert secret not in body


def test_when_work_goes_on_it_is_off_the_list(city, client):
    issue = accepted(city)
    suspend(city, issue)
    actions.act(issue, "resume", actor=city.micro_chief)
    assert listed(client) == []


def test_a_confidential_report_is_never_listed(city, client):
    issue = city.report("resident", confidential=True)
    actions.act(issue, "accept", actor=city.micro_chief)
    suspend(city, issue)
    assert listed(client) == []


def test_a_second_suspension_shows_the_reason_of_the_second(city, client):
    issue = accepted(city)
    suspend(city, issue)
    actions.act(issue, "resume", actor=city.micro_chief)
    actions.act(issue, "ask_suspension", actor=city.micro_chief, data={"reason": "又下雨了", "review_on": "2026-12-30"})
    actions.act(issue, "suspend", actor=city.village_chief)
    assert [row["reason"] for row in listed(client)] == ["又下雨了"]


@pytest.mark.parametrize("cursor", ["?cursor=x", "?cursor=" + "9" * 300])
def test_a_broken_cursor_is_refused(city, client, cursor):
    assert client.get(f"/api/v1/public/suspended{cursor}", None).status_code == 422
    assert client.get(f"/public/suspended{cursor}", None).status_code == 422


def test_the_list_goes_on_by_cursor_and_reads_the_same_however_long(city, client):
    issues = []
    for _n in range(3):
        issue = city.report("resident", grid_code=seed.MICRO)
        actions.act(issue, "accept", actor=city.micro_chief)
        suspend(city, issue)
        issues.append(issue.number)
        with count_queries() as seen:
            found = listed(client)
        assert len(found) == len(issues) and len(seen) <= 5
    assert [row["number"] for row in found] == sorted(issues, reverse=True)
