"""Dead letters: seen and tried again by administrators, by nobody else, with no word of whom they are about."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from gridgov import db, outbox, timers
from gridgov.deadletters import actions, queries
from gridgov.errors import Conflict, NotFound
from gridgov.issues import actions as issues
from gridgov.people.models import AdminAct
from gridgov.timers import Timer
from tests import seed

MONDAY = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)
NOBODY_ELSE = [key for key in seed.PEOPLE if key != "administrator"]


@pytest.fixture(autouse=True)
def monday(db_session):
    db.set_clock(MONDAY)


@pytest.fixture
def dead(city: seed.City) -> tuple[str, str]:
    """An issue whose deadline and whose message died: the ids of both."""
    issue = city.report("resident")
    timer = db.session.scalars(sa.select(Timer)).one()
    timer.state, timer.attempts, timer.error, timer.ended_at = "dead", 8, "RuntimeError: no way", MONDAY
    message = db.session.scalars(sa.select(outbox.Outgoing)).one()
    message.attempts, message.error, message.dead_at = 8, "TimeoutError: no answer", MONDAY
    db.session.flush()
    assert issue.number
    return f"timer-{timer.id}", f"message-{message.id}"


def test_both_kinds_are_listed_with_error_attempts_and_number(dead, city):
    letters = queries.dead()
    assert {letter.id for letter in letters} == set(dead)
    assert {(letter.what, letter.error, letter.attempts) for letter in letters} == {
        ("accept", "RuntimeError: no way", 8), ("issue.told", "TimeoutError: no answer", 8),
    }  # fmt: skip
    assert {letter.number for letter in letters} == {"WG-20261116-0001"}
    assert queries.counts() == (1, 1)


def test_the_administrator_sees_them_on_page_and_api_without_names_or_words(client, city, dead):
    answer = client.get("/api/v1/dead-letters", city.administrator)
    assert (answer.status_code, answer.get_json()["timers"], answer.get_json()["messages"]) == (200, 1, 1)
    page = client.page("/admin/dead-letters", city.administrator)
    assert page.status_code == 200
    for text in (page.get_data(as_text=True), answer.get_data(as_text=True)):
        assert "RuntimeError: no way" in text
        for secret in ("刘大娘", "村口三轮车载人", seed.PHONES["resident"]):
            assert secret not in text


@pytest.mark.parametrize("key", NOBODY_ELSE)
def test_nobody_else_sees_or_retries_them(client, city, dead, key):
    assert client.get("/api/v1/dead-letters", city.person(key)).status_code == 403
    assert client.send(f"/api/v1/dead-letters/{dead[0]}/retry", {}, city.person(key)).status_code == 403
    assert client.page("/admin/dead-letters", city.person(key)).status_code == 403
    assert client.form(f"/admin/dead-letters/{dead[1]}/retry", {}, city.person(key)).status_code == 403
    assert queries.counts() == (1, 1)


def test_without_signing_in_there_is_nothing(client, dead):
    assert client.get("/api/v1/dead-letters").status_code == 401


def test_a_deadline_tried_again_fires(client, city, dead):
    db.set_clock(MONDAY + timedelta(hours=5))
    answer = client.send(f"/api/v1/dead-letters/{dead[0]}/retry", {}, city.administrator)
    assert (answer.status_code, answer.get_json()) == (200, {"state": "open"})
    timer = db.session.scalars(sa.select(Timer)).one()
    assert (timer.state, timer.attempts) == ("open", 0)
    assert timers.fire(timer.id, "issue") == 1


def test_a_message_tried_again_is_delivered(client, city, dead):
    assert client.form(f"/admin/dead-letters/{dead[1]}/retry", {}, city.administrator).status_code == 303
    assert outbox.deliver(UUID(dead[1].removeprefix("message-"))) is True
    assert queries.counts() == (1, 0)


def test_each_retry_is_in_the_log_of_administrative_acts(city, dead):
    actions.retry(dead[0], actor=city.administrator)
    act = db.session.scalars(sa.select(AdminAct).where(AdminAct.act == "retry_dead_letter")).one()
    assert (act.actor_id, act.detail) == (city.administrator.id, {"letter": dead[0], "became": "open"})


def test_a_retry_is_refused_the_second_time(city, dead):
    for letter in dead:
        actions.retry(letter, actor=city.administrator)
        with pytest.raises(Conflict):
            actions.retry(letter, actor=city.administrator)


def test_a_deadline_that_a_newer_one_has_replaced_is_laid_to_rest(city, dead):
    issue = db.session.scalars(sa.select(issues.Issue)).one()
    issues.act(issue, "escalate", actor=city.micro_chief, data={"reason": "组里办不了"})
    assert actions.retry(dead[0], actor=city.administrator) == "void"
    assert db.session.scalars(sa.select(Timer.state).order_by(Timer.id)).all() == ["void", "open"]


@pytest.mark.parametrize("letter", ["timer-999999", "timer-x", "message-1", "timer-", "x-1", "timer-99999999999999999999999",
                                    "message-01234567-89ab-7def-8123-456789abcdef"])  # fmt: skip
def test_an_unknown_one_is_not_found(city, letter):
    with pytest.raises(NotFound):
        actions.retry(letter, actor=city.administrator)


def test_what_is_not_there_is_not_there_for_anybody(city):
    for who in (city.worker, city.administrator):
        with pytest.raises(NotFound):
            actions.retry("timer-999999", actor=who)
