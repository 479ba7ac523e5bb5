"""Forged and stale requests: refused, and what somebody had entered is not lost."""

import time
from unittest import mock

import pytest

from gridgov import db
from gridgov.people import actions, queries, tokens
from tests import seed

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


def csrf(visitor):
    return visitor.get("/api/v1/csrf").get_json()["token"]


@pytest.fixture
def visitor(client, city):
    return client.browser(city.worker)


def unsafe_routes(app):
    for rule in app.url_map.iter_rules():
        for method in sorted(set(UNSAFE) & rule.methods):
            values = {name: converter_value(rule, name) for name in rule.arguments}
            yield method, rule.build(values, append_unknown=False)[1]


def converter_value(rule, name):
    return (
        "01a20040-f0cd-771a-8f89-d9ada077b626"
        if type(rule._converters[name]).__name__ == "UUIDConverter"
        else "1"
    )


def test_every_unsafe_route_refuses_a_request_without_its_token(app, client, city, visitor):
    routes = list(unsafe_routes(app))
    assert len(routes) > 8
    for method, url in routes:
        for signed_in in (visitor, app.test_client()):
            got = signed_in.open(url, method=method, json={} if url.startswith("/api/") else None)
            assert got.status_code == 400, (method, url, got.status_code)
            if url.startswith("/api/"):
                assert got.get_json()["code"] == "csrf", (method, url)


def test_the_header_and_the_field_both_count(visitor):
    token = csrf(visitor)
    assert (
        visitor.patch("/api/v1/me", json={"elder_view": True}, headers={"X-CSRFToken": token}).status_code
        == 200
    )
    assert visitor.post("/language", data={"lang": "en", "csrf_token": token}).status_code == 302


def test_another_sessions_token_does_not_count(app, visitor):
    foreign = csrf(app.test_client())
    got = visitor.patch("/api/v1/me", json={"elder_view": True}, headers={"X-CSRFToken": foreign})
    assert (got.status_code, got.get_json()["code"]) == (400, "csrf")
    assert got.mimetype == "application/problem+json"


def test_a_request_sent_by_another_site_is_refused_even_with_the_token(visitor):
    got = visitor.post(
        "/language",
        data={"lang": "en", "csrf_token": csrf(visitor)},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert got.status_code == 400
    assert 'name="lang"' not in got.text.split("<main")[1].split("</main>")[0], (
        "and it is not offered for sending again"
    )


def test_a_token_has_no_time_limit(visitor):
    token, later = csrf(visitor), time.time() + 80 * 86_400
    with mock.patch("itsdangerous.timed.time.time", lambda: later):
        again = visitor.patch("/api/v1/me", json={"elder_view": True}, headers={"X-CSRFToken": token})
    assert again.status_code == 200


def test_signing_in_keeps_the_token_of_forms_already_open(app, city):
    db.session.commit()
    visitor = app.test_client()
    early = csrf(visitor)
    form = {"phone": seed.PHONES["worker"], "password": seed.PASSWORD, "csrf_token": early}
    assert visitor.post("/login", data=form).status_code == 302
    assert (
        visitor.patch("/api/v1/me", json={"elder_view": True}, headers={"X-CSRFToken": early}).status_code
        == 200
    )


def test_sign_in_itself_is_protected_and_the_form_comes_back(app, city):
    db.session.commit()
    form = {"phone": seed.PHONES["worker"], "password": seed.PASSWORD, "next": "/me"}
    for token in ({}, {"csrf_token": "forged"}, {"csrf_token": csrf(app.test_client())}):
        visitor = app.test_client()
        got = visitor.post("/login", data=form | token)
        assert got.status_code == 400
        assert visitor.get("/api/v1/me").status_code == 401
        assert seed.PHONES["worker"] in got.text and seed.PASSWORD not in got.text
        assert 'name="next" value="/me"' in got.text


def test_after_signing_out_and_in_an_old_form_is_refused_with_a_clear_code_and_a_new_token_helps(app, city):
    """The life of a report written offline: kept on the phone, sent after somebody signed in again."""
    db.session.commit()
    visitor = app.test_client()
    enter = {"phone": seed.PHONES["worker"], "password": seed.PASSWORD}
    visitor.post("/login", data={**enter, "csrf_token": csrf(visitor)})
    old = csrf(visitor)
    visitor.post("/logout", data={"csrf_token": old})
    assert csrf(visitor) != old
    visitor.post("/login", data={**enter, "csrf_token": csrf(visitor)})
    late = visitor.patch("/api/v1/me", json={"elder_view": True}, headers={"X-CSRFToken": old})
    assert (late.status_code, late.get_json()["code"]) == (400, "csrf")
    fresh = visitor.patch("/api/v1/me", json={"elder_view": True}, headers={"X-CSRFToken": csrf(visitor)})
    assert fresh.status_code == 200


def test_a_stale_form_is_shown_again_with_its_words_and_can_be_sent(visitor):
    got = visitor.post(
        "/language",
        data={"lang": "en", "note": "路边 <b>有坑</b>", "password": "secret-9", "csrf_token": "stale"},
    )
    assert got.status_code == 400 and 'action="/language"' in got.text
    assert 'name="lang" value="en"' in got.text
    assert "路边 &lt;b&gt;有坑&lt;/b&gt;" in got.text and "secret-9" not in got.text
    main = got.text.split("<main")[1]
    token = main[main.index('name="csrf_token" value="') + 25 :].split('"')[0]
    assert visitor.post("/language", data={"lang": "en", "csrf_token": token}).status_code == 302


def test_a_form_sent_after_the_session_ended_waits_for_signing_in(app, city, visitor):
    """Written for an hour at a desk whose session idled out: sign in on another page, come back, send."""
    token = csrf(visitor)
    actions.end_sessions(city.worker)
    db.session.commit()
    got = visitor.post("/me/tokens", data={"name": "计划任务", "scopes": "read", "csrf_token": token})
    assert (
        got.status_code == 401 and 'name="name" value="计划任务"' in got.text and 'href="/login' in got.text
    )
    fresh = got.text.split("<main")[1].split('name="csrf_token" value="')[1].split('"')[0]
    form = {"phone": seed.PHONES["worker"], "password": seed.PASSWORD, "csrf_token": csrf(visitor)}
    assert visitor.post("/login", data=form).status_code == 302
    sent = visitor.post("/me/tokens", data={"name": "计划任务", "scopes": "read", "csrf_token": fresh})
    assert sent.status_code == 200 and "gg_" in sent.text


def test_a_page_may_show_its_own_form_again(visitor):
    got = visitor.post("/me/tokens", data={"name": "计划任务", "scopes": "read", "csrf_token": "stale"})
    assert got.status_code == 400 and 'action="/me/tokens"' in got.text


def test_a_bearer_token_needs_none_and_cookies_beside_it_count_for_nothing(app, client, city):
    _row, raw = tokens.create("x", ["act"], actor=city.micro_chief)
    db.session.commit()
    visitor = client.browser(city.worker)
    got = visitor.patch("/api/v1/me", json={"elder_view": True}, headers={"Authorization": f"Bearer {raw}"})
    assert got.status_code == 200 and got.get_json()["name"] == "肖建国"
    assert queries.by_phone(seed.PHONES["micro_chief"]).elder_view
    assert not queries.by_phone(seed.PHONES["worker"]).elder_view


def test_other_authorization_schemes_do_not_lift_the_protection(visitor):
    got = visitor.patch("/api/v1/me", json={"elder_view": True}, headers={"Authorization": "Basic YTpi"})
    assert got.status_code == 400


def test_the_token_is_not_kept_by_caches(app):
    got = app.test_client().get("/api/v1/csrf")
    assert got.headers["Cache-Control"] == "no-store"
