"""API tokens: made by people at browsers, used by programs, never more than their scopes and their owner's
posts.
"""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from gridgov import db
from gridgov.people import actions, logbook, queries, security, tokens
from gridgov.people.models import ApiToken
from tests import seed
from tests.counting import count_queries


def make(person, *scopes, days=90):
    _row, raw = tokens.create("计划任务", scopes or ["read"], actor=person, days=days)
    db.session.commit()
    return raw


def get(client, raw, url="/api/v1/me", method="GET", **more):
    return client.app.test_client().open(
        url, method=method, headers={"Authorization": f"Bearer {raw}"}, **more
    )


def browser_send(client, person, url, body=None, method="POST"):
    browser = client.browser(person)
    token = browser.get("/api/v1/csrf").get_json()["token"]
    return browser.open(url, method=method, json=body, headers={"X-CSRFToken": token})


def test_a_token_is_made_once_listed_and_revoked(client, city):
    made = browser_send(
        client, city.worker, "/api/v1/tokens", {"name": "计划任务", "scopes": ["read", "report"]}
    )
    assert made.status_code == 201
    body = made.get_json()
    raw = body["token"]
    assert raw.startswith("gg_") and len(raw) > 40 and body["hint"] == raw[:8]
    row = db.session.scalars(sa.select(ApiToken)).one()
    assert row.token_hash == security.token_hash(raw)
    assert 89 <= (row.expires_at - row.created_at).days <= 90
    assert get(client, raw).get_json()["name"] == "周小兰"
    listed = client.page("/api/v1/tokens", city.worker).get_json()["items"]
    assert [one["id"] for one in listed] == [body["id"]] and "token" not in listed[0]
    assert client.page("/api/v1/tokens", city.neighbour).get_json()["items"] == []
    gone = browser_send(client, city.worker, f"/api/v1/tokens/{body['id']}", method="DELETE")
    assert gone.status_code == 204
    assert get(client, raw).status_code == 401
    assert (
        browser_send(client, city.worker, f"/api/v1/tokens/{body['id']}", method="DELETE").status_code == 204
    )


def test_nobody_revokes_another_persons_token(client, city):
    raw = make(city.worker)
    row = db.session.scalars(sa.select(ApiToken)).one()
    assert (
        browser_send(client, city.neighbour, f"/api/v1/tokens/{row.id}", method="DELETE").status_code == 404
    )
    assert get(client, raw).status_code == 200


@pytest.mark.parametrize("raw", ["", "gg_", "gg_wrong", "wrong", "gg_" + "x" * 500, "Bearer", "\u00e4"])
def test_a_wrong_token_is_401_with_a_challenge(client, city, raw):
    got = client.app.test_client().get("/api/v1/me", headers={"Authorization": f"Bearer {raw}"})
    assert got.status_code == 401
    assert got.mimetype == "application/problem+json"
    assert got.headers["WWW-Authenticate"].startswith("Bearer")
    assert got.get_json()["code"] == "bad_token"


def test_an_expired_token_is_401(client, city):
    raw = make(city.worker, days=1)
    assert get(client, raw).status_code == 200
    db.set_clock(db.utcnow() + timedelta(days=1, seconds=1))
    db.session.commit()
    assert get(client, raw).status_code == 401
    assert logbook.tokens_of(queries.by_phone(seed.PHONES["worker"])) == []


def test_a_disabled_owner_ends_the_token(client, city):
    raw = make(city.worker)
    actions.disable(city.worker, actor=None)
    actions.enable(city.worker, actor=None)
    db.session.commit()
    assert get(client, raw).status_code == 401, "letting somebody in again brings no token back"


def test_a_bad_token_is_not_saved_by_a_good_cookie(client, city):
    browser = client.browser(city.worker)
    assert browser.get("/api/v1/me").status_code == 200
    assert browser.get("/api/v1/me", headers={"Authorization": "Bearer gg_wrong"}).status_code == 401
    assert (
        browser.patch(
            "/api/v1/me", json={"language": "en"}, headers={"Authorization": "Bearer gg_wrong"}
        ).status_code
        == 401
    )


def test_a_token_acts_as_its_owner_even_beside_another_persons_cookie(client, city):
    raw = make(city.worker)
    got = client.browser(city.auditor).get("/api/v1/me", headers={"Authorization": f"Bearer {raw}"})
    assert got.get_json()["name"] == "周小兰"


def test_reading_needs_read_and_nothing_else_is_open_unmarked(client, city):
    reading, acting = make(city.worker, "read"), make(city.worker, "act")
    assert get(client, reading).status_code == 200
    refused = get(client, acting)
    assert (refused.status_code, refused.get_json()["code"], refused.get_json()["scope"]) == (
        403,
        "scope",
        "read",
    )
    change = {"json": {"elder_view": True}}
    assert get(client, acting, method="PATCH", **change).status_code == 200
    assert get(client, reading, method="PATCH", **change).get_json()["code"] == "scope"


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("POST", "/api/v1/tokens", {"name": "x", "scopes": ["read"]}),
        ("GET", "/api/v1/tokens", None),
        ("DELETE", "/api/v1/tokens/01a20040-f0cd-771a-8f89-d9ada077b626", None),
        ("GET", "/me", None),
        ("GET", "/me/sessions", None),
        ("GET", "/admin/sign-ins", None),
        ("POST", "/logout", None),
        ("POST", "/me/password", None),
    ],
)
def test_what_a_person_does_at_a_browser_is_closed_to_tokens(client, city, method, url, body):
    raw = make(city.auditor, "read", "report", "act")
    got = get(client, raw, url, method, json=body, follow_redirects=False)
    assert got.status_code == 403


def test_every_unsafe_api_route_says_which_scope_it_needs(app):
    known = {"read", "report", "act", ""}
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api/") and rule.methods - {"GET", "HEAD", "OPTIONS"}:
            view = app.view_functions[rule.endpoint]
            assert getattr(view, "scope", None) in known, f"{rule.rule} {rule.endpoint} has no @scope"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "", "scopes": ["read"]}, "name"),
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x"}, "scopes"),
        ({"name": "x", "scopes": ["admin"]}, "scopes"),
        ({"name": "x", "scopes": ["read"], "days": 366}, "days"),
        ({"name": "x", "scopes": ["read"], "days": 0}, "days"),
        ({"name": "x", "scopes": ["read"], "person_id": "1"}, "person_id"),
    ],
)
def test_a_token_asked_for_wrongly_is_422_by_field(client, city, body, field):
    got = browser_send(client, city.worker, "/api/v1/tokens", body)
    assert got.status_code == 422 and field in got.get_json()["errors"]
    assert db.session.scalars(sa.select(ApiToken)).all() == []


def test_the_database_refuses_a_token_without_end_or_with_unknown_scopes(db_session, city):
    now = db.utcnow()
    for scopes, days in ((["read"], 400), (["admin"], 10), ([], 10)):
        nested = db_session.begin_nested()
        db_session.add(
            ApiToken(
                person_id=city.worker.id,
                name="x",
                token_hash=b"x",
                hint="x",
                scopes=scopes,
                created_at=now,
                expires_at=now + timedelta(days=days),
            )
        )
        with pytest.raises(IntegrityError):
            db_session.flush()
        nested.rollback()


def test_when_a_token_was_used_is_noted_once_a_minute(client, city):
    raw, begin = make(city.worker), db.utcnow()
    used = []
    for gone_s in (0, 30, 61):
        db.set_clock(begin + timedelta(seconds=gone_s))
        db.session.commit()
        get(client, raw)
        used.append(
            round((db.session.scalars(sa.select(ApiToken)).one().last_used_at - begin).total_seconds())
        )
        db.session.rollback()
    assert used == [0, 0, 61]


def test_a_request_by_token_costs_two_queries(client, city):
    raw = make(city.worker)
    get(client, raw)
    with count_queries() as sent:
        assert get(client, raw).status_code == 200
    assert len(sent) == 2, sent


def test_tokens_by_the_page_are_shown_once(client, city):
    form = {"name": "计划任务", "scopes": ["read", "act"], "days": "30"}
    made = client.form("/me/tokens", form, city.worker)
    raw = made.text[made.text.index("gg_") :].split("<")[0]
    assert made.status_code == 200 and get(client, raw).status_code == 200
    page = client.page("/me/tokens", city.worker)
    assert raw not in page.text and "计划任务" in page.text
    wrong = client.form("/me/tokens", {"name": "", "days": "30"}, city.worker)
    assert (
        wrong.status_code == 422 and 'id="f-name-error"' in wrong.text and 'id="f-scopes-error"' in wrong.text
    )
    row = db.session.scalars(sa.select(ApiToken)).one()
    assert row.scopes == ["act", "read"]
    assert client.form(f"/me/tokens/{row.id}/revoke", {}, city.neighbour).status_code == 404
    assert client.form(f"/me/tokens/{row.id}/revoke", {}, city.worker).status_code == 302
    assert get(client, raw).status_code == 401
