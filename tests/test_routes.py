"""Every route there is: nobody enters without login, nothing is changed without a token, bad addresses are refused in form.

The tests walk the URL map, so a new route is in them as soon as it exists.
"""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from gridgov import db
from gridgov.app import create_app
from gridgov.config import Config
from tests import seed
from tests.factories import photo_of

# Who adds a route that needs no login writes it down here, and thinks about it once more.
PUBLIC = {
    "assets", "static", "robots", "favicon", "display.messages", "display.switch_language", "display.switch_elder",
    "health.alive", "health.ready", "monitoring.scrape", "people.login", "people.enter", "api.people.csrf",
    "anonymous.form", "anonymous.send", "anonymous.enter", "anonymous.check", "anonymous.leave", "anonymous.followed",
    "anonymous.act", "anonymous.photo", "api.identity.report", "api.identity.follow", "api.identity.follow_act",
    "issues.suspended_list", "api.issues.list_suspended",
}  # fmt: skip
# API routes that answer with something else than a schema's JSON.
WITHOUT_SCHEMA = {"api.people.revoke_token", "api.issues.leave", "api.openapi.document_json"}  # Nothing (204); the description of all others.
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
JUNK = ("%00", "x", "-1", "430581'--", "９９９", "%ED%A0%80", "a" * 300, "..%2f..%2fetc%2fpasswd", "%25", "{}", "null")
UNKNOWN_GRID = "430581999999"


@pytest.fixture(scope="module")
def rules() -> list[Rule]:
    """Every route of the application."""
    config = Config.from_env(
        env={}, database_url="postgresql://nowhere/none", redis_url="redis://nowhere", secret_key="-" * 32, var="/nonexistent"
    )
    return [rule for rule in create_app(config).url_map.iter_rules() if not rule.endpoint.startswith("test_")]


@pytest.fixture
def app(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """Answers errors as in production, so that a crash is a 500 and not an exception in the test."""
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)
    yield app


def address(rule: Rule, value: str | None = None) -> str:
    """A route's address with its parts filled: by `value`, or by what is well formed and unknown."""
    path = str(rule)
    for name, converter in rule._converters.items():
        unknown = str(uuid4()) if "UUID" in type(converter).__name__ else UNKNOWN_GRID
        for form in (f"<{name}>", f"<uuid:{name}>", f"<path:{name}>", f"<string:{name}>", f"<int:{name}>"):
            path = path.replace(form, value or unknown)
    assert "<" not in path, f"{rule}: teach this test the new kind of parameter"
    return path


def methods(rule: Rule) -> list[str]:
    return sorted((rule.methods or set()) - {"OPTIONS", "HEAD"})


def is_api(rule: Rule) -> bool:
    return str(rule).startswith("/api/")


def is_problem(answer: TestResponse, status: int, code: str | None = None) -> str:
    """The one form of a refusal by the API. Returns its code."""
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.get_data(as_text=True)
    body = answer.get_json()
    assert body["status"] == status and body["title"] and body["type"] == f"urn:gridgov:error:{body['code']}"
    assert body["request_id"] == answer.headers["X-Request-ID"]
    if code:
        assert body["code"] == code
    return body["code"]


# Login and tokens -----------------------------------------------------------------------------------------------------


def test_what_is_open_to_all_is_written_down_here(rules, app):
    marked = {rule.endpoint for rule in rules if getattr(app.view_functions[rule.endpoint], "is_public", False)}
    assert marked == PUBLIC


def test_everything_else_needs_a_login(rules, client):
    anonymous = client.app.test_client()
    token = anonymous.get("/api/v1/csrf").get_json()["token"]
    asked = 0
    for rule in rules:
        for method in [] if rule.endpoint in PUBLIC else methods(rule):
            for headers in ({"X-CSRFToken": token}, {"X-CSRFToken": token, "Accept": "application/json"}):
                answer = anonymous.open(address(rule), method=method, headers=headers, json={} if is_api(rule) else None)
                asked += 1
                if is_api(rule) or "Accept" in headers:
                    is_problem(answer, 401, "unauthenticated")
                    assert is_api(rule) == ("WWW-Authenticate" in answer.headers)
                else:
                    assert (answer.status_code, answer.location.split("?")[0]) == (302, "/login"), (method, rule)
    assert asked > 2 * 25  # The walk did walk.


def test_a_wrong_token_opens_nothing(rules, client):
    for rule in rules:
        if is_api(rule) and rule.endpoint not in PUBLIC:
            for method in methods(rule):
                headers = {"Authorization": "Bearer gg_" + "x" * 43}
                answer = client.app.test_client().open(address(rule), method=method, headers=headers)
                assert is_problem(answer, 401) == "bad_token", (method, rule)


def test_nothing_is_changed_by_a_session_without_its_csrf_token(rules, client, city):
    browser = client.browser(city.worker)
    asked = 0
    for rule in rules:
        for method in set(methods(rule)) & set(UNSAFE):
            for headers in ({}, {"X-CSRFToken": "IjEyMyI.aaaa.bbbb"}):
                answer = browser.open(address(rule), method=method, headers=headers)
                asked += 1
                assert answer.status_code == 400, (method, rule)
                if is_api(rule):
                    is_problem(answer, 400, "csrf")
    assert asked > 2 * 10
    assert client.page("/api/v1/me", city.worker).status_code == 200  # Not even signed out.


def test_the_csrf_token_of_another_session_is_none(client, city):
    other = client.browser(city.resident).get("/api/v1/csrf").get_json()["token"]
    answer = client.browser(city.worker).patch("/api/v1/me", json={"elder_view": True}, headers={"X-CSRFToken": other})
    assert is_problem(answer, 400) == "csrf"
    assert client.get("/api/v1/me", city.worker).get_json()["elder_view"] is False


# Addresses of nothing -------------------------------------------------------------------------------------------------


def with_parameter(rules: list[Rule]) -> list[Rule]:
    return [rule for rule in rules if "<" in str(rule)]


def ask(client: Any, person: Any, rule: Rule, method: str, url: str) -> TestResponse:
    """As somebody signed in who sends the form or the JSON that the address takes, as far as a test can know."""
    if method == "GET":
        return client.page(url, person)
    if is_api(rule):
        token = client.browser(person).get("/api/v1/csrf").get_json()["token"]
        body = {"name": "accept"} if rule.endpoint.endswith(".act") else {}
        return client.browser(person).open(url, method=method, json=body, headers={"X-CSRFToken": token})
    return client.form(url, {"name": "accept"}, person)


@pytest.mark.parametrize("who", ["worker", "city_office", "administrator"])
def test_what_is_not_there_is_404(rules, client, city, who):
    for rule in with_parameter(rules):
        for method in methods(rule):
            answer = ask(client, city.person(who), rule, method, address(rule))
            # The desk is closed as a whole to those who have none, whatever the address names.
            wanted = 403 if str(rule).startswith("/desk") and who != "city_office" else 404
            assert answer.status_code == wanted, (method, rule, answer.get_data(as_text=True)[:300])
            if is_api(rule):
                is_problem(answer, 404)


@pytest.mark.parametrize("value", JUNK, ids=lambda text: ascii(text)[:12])
def test_junk_in_an_address_is_refused_and_never_a_crash(rules, client, city, value):
    for rule in with_parameter(rules):
        for method in methods(rule):
            url = address(rule, value)
            answer = ask(client, city.city_office, rule, method, url)
            assert answer.status_code in (404, 405, 422), (method, url, answer.status_code)


def query_fields(app: Flask, rule: Rule) -> list[str]:
    """What an address takes after the question mark; a guess where it does not say."""
    taken = getattr(app.view_functions[rule.endpoint], "takes", None)
    return list(taken[0]().fields) if taken else ["q", "next", "page"]


@pytest.mark.parametrize("value", ["\0", "'; --", "９", "\ud800", "%", "-1", "1e309", "NaN", "[]"], ids=ascii)
def test_junk_in_a_query_is_refused_or_finds_nothing(rules, client, city, value):
    person, crashed = city.city_office, []
    raw = value.encode("utf-8", "surrogatepass")
    for rule in rules:
        # Pages go through the same loader and queries as the API: the worst three are enough for them.
        if "GET" in methods(rule) and (is_api(rule) or value in ("\0", "'; --", "９")):
            for field in query_fields(client.app, rule):
                if client.page(address(rule), person, query_string={field: raw}).status_code >= 500:
                    crashed.append((str(rule), field))
    assert crashed == []


@pytest.mark.parametrize("text", ["a\0b", "\0", "a\ud800b", "\u202e\u200b\ufeff", "𠮷" * 900], ids=lambda text: ascii(text)[:12])
def test_letters_that_no_database_keeps_are_refused_by_field_and_others_are_kept(client, city, text):
    body = {"category": "0203", "text": text, "grid_code": seed.MICRO, "address": "村口"}
    answer = send_raw(client, city.worker, json.dumps(body).encode(), "application/json")
    if "\0" in text or "\ud800" in text:
        is_problem(answer, 422, "invalid")
        assert list(answer.get_json()["errors"]) == ["text"]
    else:
        assert (answer.status_code, answer.get_json()["text"]) == (201, text.strip())


# The form of refusals -------------------------------------------------------------------------------------------------


def test_every_api_route_says_what_it_gives(rules, app):
    silent = {r.endpoint for r in rules if is_api(r) and not hasattr(app.view_functions[r.endpoint], "gives")}
    assert silent == WITHOUT_SCHEMA


def test_refusals_of_the_api_are_problems_with_a_code(client, city):
    worker = city.worker
    assert is_problem(client.get("/api/v1/nothing-here", worker), 404) == "not_found"
    assert is_problem(client.get("/api/v1/nothing-here"), 404) == "not_found"
    assert is_problem(client.send("/api/v1/categories", {}, worker), 405) == "method_not_allowed"
    assert is_problem(client.send("/api/v1/issues", {"category": 7}, worker), 422) == "invalid"
    assert is_problem(client.send("/api/v1/issues", [], worker), 422) == "invalid"
    assert is_problem(client.get("/api/v1/issues?limit=0", worker), 422) == "invalid"
    assert is_problem(client.get("/api/v1/issues?cursor=!", worker), 422) == "bad_cursor"
    assert is_problem(client.get("/api/v1/me"), 401) == "unauthenticated"


def send_raw(client: Any, person: Any, data: bytes, content_type: str | None) -> TestResponse:
    headers = client.bearer(person)
    return client.app.test_client().post("/api/v1/issues", data=data, headers=headers, content_type=content_type)


def test_a_body_that_is_no_json_is_refused_as_what_it_is(client, city):
    worker = city.worker
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/xml", None):
        assert is_problem(send_raw(client, worker, b"{}", content_type), 415) == "unsupported_type"
    for body in (b"", b"{", b"null", b"\xff\xfe", b'{"a": 1', b"[" * 100_000):
        assert is_problem(send_raw(client, worker, body, "application/json"), 422) == "not_json"


def test_a_body_without_end_is_refused_before_it_is_read(client, city):
    big = b'{"text": "' + b"x" * 1_100_000 + b'"}'
    assert is_problem(send_raw(client, city.worker, big, "application/json"), 413) == "too_large"


def test_a_refusal_by_the_posts_is_403_and_by_the_state_409(client, city):
    issue = city.report("resident")
    events = f"/api/v1/issues/{issue.id}/events"
    is_problem(client.send(events, {"name": "accept"}, city.resident), 403, "not_permitted")
    assert client.send(events, {"name": "withdraw"}, city.resident).status_code == 201
    is_problem(client.send(events, {"name": "withdraw"}, city.resident), 409, "illegal_transition")


def test_a_crash_says_nothing_of_its_cause_and_keeps_the_form(client, city, monkeypatch):
    def broken(**_given: Any) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setitem(client.app.view_functions, "api.people.me", broken)
    answer = client.get("/api/v1/me", city.worker)
    is_problem(answer, 500, "internal")
    assert "swordfish" not in answer.get_data(as_text=True)
    assert "swordfish" not in client.page("/api/v1/me", city.worker).get_data(as_text=True)


def test_a_photo_is_no_way_around_a_closed_door(client, city):
    photo = photo_of(city.resident)
    db.session.flush()
    assert client.page(f"/photos/{photo}", city.resident).status_code == 200
    for key in ("worker", "administrator", "foreign_worker"):
        assert client.page(f"/photos/{photo}", city.person(key)).status_code == 404
