"""Visits to households in need: nothing of a person without consent, and nothing left when it is withdrawn."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from gridgov import db
from gridgov.config import ROOT
from gridgov.errors import Conflict, Invalid, NotPermitted, PolicyError
from gridgov.visits import actions, policy, queries
from gridgov.visits.models import PERSONAL, Consent, Giver, Visit
from tests import seed
from tests.counting import count_queries
from tests.test_mediation import handwriting

MONDAY = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)  # 09:00 in Wugang.
TODAY = date(2026, 11, 16)
BODY = {
    "grid_code": seed.MICRO, "visited_on": "2026-11-16", "purpose": "care", "consent": "spoken", "consent_by": "self",
    "kind": "elderly_alone", "name": "周奶奶", "address": "老井边", "done": "量了血压，换了灯泡", "next_on": "2026-11-30",
}  # fmt: skip


@pytest.fixture(autouse=True)
def monday(db_session):
    db.set_clock(MONDAY)


def visit(city: seed.City, who: str = "worker", **more: Any) -> Visit:
    given = {
        "grid_code": seed.MICRO, "visited_on": TODAY, "purpose": "care", "consent": Consent.SPOKEN, "consent_by": Giver.SELF,
        "kind": "elderly_alone", "name": "周奶奶", "address": "老井边", "done": "量了血压", "next_on": date(2026, 11, 30), **more,
    }  # fmt: skip
    return actions.record(actor=city.person(who), **given)[0]


def personal(found: Visit) -> list[Any]:
    return [getattr(found, field) for field in PERSONAL]


def test_a_visit_is_recorded_with_its_consent(city):
    found = visit(city)
    assert (found.name, found.consent, found.consent_by, found.minor) == ("周奶奶", "spoken", "self", False)
    signed = visit(city, consent=Consent.SIGNED, signature=handwriting())
    assert signed.signature is not None and signed.signature[:4] == b"\x89PNG"


def test_without_consent_nothing_of_the_person_is_kept(city):
    found = visit(city, consent=Consent.NONE)
    db.session.expire(found)
    assert personal(found) == [None] * len(PERSONAL)
    assert (found.purpose, found.visited_on, found.grid_code) == ("care", TODAY, seed.MICRO)


def test_withdrawing_blanks_the_person_and_keeps_the_row_for_good(city):
    found = visit(city, consent=Consent.SIGNED, signature=handwriting())
    actions.withdraw(found)
    db.session.expire(found)
    assert (found.consent, personal(found)) == (
        "withdrawn",
        [None] * len(PERSONAL),
    ) and found.withdrawn_at == MONDAY
    with pytest.raises(Conflict):
        actions.withdraw(found)
    for statement in (
        "UPDATE visits SET consent = 'spoken', name = 'x'",
        "DELETE FROM visits",
        "UPDATE visits SET name = 'x'",
    ):
        with pytest.raises(IntegrityError), db.session.begin_nested():
            db.session.execute(sa.text(statement))


def test_a_row_is_written_once(city):
    visit(city)
    for statement in (
        "UPDATE visits SET name = '别人'",
        "UPDATE visits SET consent = 'withdrawn', withdrawn_at = app_now()",
    ):
        with pytest.raises(IntegrityError), db.session.begin_nested():
            db.session.execute(sa.text(statement))


def test_for_a_child_the_guardian_consents(city):
    with pytest.raises(Invalid) as refused:
        visit(city, minor=True)
    assert set(refused.value.errors) == {"consent_by"}
    assert visit(city, minor=True, consent_by=Giver.GUARDIAN).minor is True


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"name": " "}, "name"), ({"kind": "alien"}, "kind"), ({"done": None}, "done"), ({"consent_by": None}, "consent_by"),
        ({"purpose": "spying"}, "purpose"), ({"visited_on": date(2026, 11, 17)}, "visited_on"), ({"next_on": TODAY}, "next_on"),
        ({"visited_on": date(2026, 9, 1)}, "visited_on"), ({"next_on": date(2028, 1, 1)}, "next_on"),
        ({"consent": Consent.SIGNED, "signature": None}, "image"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_wrong_is_refused_by_field(city, more, field):
    with pytest.raises(Invalid) as refused:
        visit(city, **more)
    assert field in refused.value.errors
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Visit)) == 0


def test_visits_are_made_in_the_own_grid(city):
    for who, code in (
        ("worker", seed.SIBLING_MICRO),
        ("village_chief", seed.SIBLING_VILLAGE),
        ("resident", seed.MICRO),
        ("township_office", seed.MICRO),
    ):
        with pytest.raises(NotPermitted):
            visit(city, who, grid_code=code)
    assert visit(city, "village_chief", grid_code=seed.SIBLING_MICRO).grid_code == seed.SIBLING_MICRO


def test_the_same_id_is_the_same_visit_and_nobody_elses(city):
    wanted = uuid4()
    first = visit(city, id=wanted)
    assert visit(city, id=wanted, name="别人") is first
    with pytest.raises(Conflict):
        visit(city, "micro_chief", id=wanted)


SEE = {
    "worker",
    "micro_chief",
    "village_chief",
    "township_chief",
    "township_office",
    "township_office_2",
    "city_office",
    "city_office_2",
}
RECORD = {"worker", "micro_chief", "village_chief"}


@pytest.mark.parametrize("key", seed.PEOPLE)
def test_who_sees_and_who_records(city, client, key):
    found_id = visit(city).id
    person = city.person(key)
    sees = key in SEE
    assert client.page(f"/visits/{found_id}", person).status_code == (200 if sees else 404)
    assert client.get(f"/api/v1/visits/{found_id}", person).status_code == (200 if sees else 404)
    listed = client.get("/api/v1/visits", person).get_json()["items"]
    assert [row["id"] for row in listed] == ([str(found_id)] if sees else [])
    assert client.send("/api/v1/visits", BODY, person).status_code == (201 if key in RECORD else 403)
    new = client.page("/visits/new", person, headers={"Accept": "application/json"}).status_code
    assert new == (200 if queries.places(city.person(key)) else 403)
    assert client.send(f"/api/v1/visits/{found_id}/withdrawal", {}, person).status_code == (
        201 if sees else 404
    )


def test_the_form_is_shown_again_when_wrong_and_a_form_sent_twice_is_one_visit(city, client):
    form = {**BODY, "id": str(uuid4()), "minor": "1"}
    wrong = client.form("/visits", form, city.worker)
    assert wrong.status_code == 422 and "周奶奶" in wrong.get_data(as_text=True)
    form["consent_by"] = "guardian"
    places = {client.form("/visits", form, city.worker).location for _n in range(2)}
    assert len(places) == 1
    page = client.page(places.pop(), city.worker).get_data(as_text=True)
    assert "周奶奶" in page and "/report?grid_code=" in page
    report = client.page(f"/report?grid_code={seed.MICRO}&text=走访发现：灯坏了", city.worker).get_data(
        as_text=True
    )
    assert "走访发现：灯坏了" in report


def test_the_list_takes_a_fixed_number_of_statements(city, client):
    def asked() -> int:
        client.page("/visits", city.township_office)
        with count_queries() as seen:
            assert client.page("/visits", city.township_office).status_code == 200
        return len(seen)

    visit(city)
    one = asked()
    for _n in range(4):
        visit(city, grid_code=seed.MICRO)
    assert asked() == one
    first = client.get("/api/v1/visits", city.township_office).get_json()
    assert len(first["items"]) == 5 and first["next"] is None


def test_a_file_with_a_fault_is_refused_with_its_line(tmp_path):
    text = (ROOT / "workflows" / "visits.yaml").read_text(encoding="utf-8")
    (tmp_path / "visits.yaml").write_text(text.replace("  care: {zh", "  9-x: {zh"), encoding="utf-8")
    with pytest.raises(PolicyError) as refused:
        policy.load(tmp_path)
    assert "9-x" in str(refused.value)
