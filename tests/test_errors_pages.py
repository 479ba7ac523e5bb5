"""Refusals as people read them and as programs read them: a page in their language, or problem+json."""

import re
from typing import Any

import pytest
import sqlalchemy as sa

from gridgov import db, jobs
from gridgov.app import create_app
from gridgov.errors import NotFound, TooMany
from tests import seed
from tests.client import Client
from tests.conftest import make_config, run_sql

NOWHERE = "/there/is/nothing/here"


@pytest.fixture
def app(app: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Answers errors as in production."""
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)
    return app


@pytest.mark.parametrize(
    ("path", "accept", "mimetype"),
    [
        (NOWHERE, "text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        (NOWHERE, None, "text/html"),
        (NOWHERE, "application/json", "application/problem+json"),
        (NOWHERE, "application/problem+json", "application/problem+json"),
        (NOWHERE, "application/json;q=0.4, text/html;q=0.6", "text/html"),
        ("/api/v1" + NOWHERE, "text/html", "application/problem+json"),
        ("/api/" + NOWHERE, None, "application/problem+json"),
    ],
)
def test_a_page_for_people_and_json_for_programs(client, path, accept, mimetype):
    answer = client.page(path, headers={"Accept": accept} if accept else {})
    assert (answer.status_code, answer.mimetype) == (404, mimetype)
    assert answer.headers["X-Request-ID"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_the_page_speaks_chinese_and_english_by_switch(client, city):
    page = client.page(NOWHERE, city.worker).get_data(as_text=True)
    assert '<html lang="zh-CN"' in page and re.search("[\u4e00-\u9fff]", page)
    client.form("/language", {"lang": "en"}, city.worker)
    page = client.page(NOWHERE, city.worker).get_data(as_text=True)
    assert '<html lang="en"' in page and "Nothing to see here" in page
    assert 'data-code="not_found"' in page


def test_a_refusal_to_somebody_unknown_is_shown_in_a_bare_shell(client, city):
    assert "nav" in client.page(NOWHERE, city.worker).get_data(as_text=True)
    bare = client.page(NOWHERE).get_data(as_text=True)
    assert "404" in bare and "data-nav" not in bare


def test_somebody_who_is_not_signed_in_comes_back_to_where_they_wanted(client):
    answer = client.page("/mine?cursor=abc")
    assert (answer.status_code, answer.location) == (302, "/login?next=/mine?cursor%3Dabc")
    part = client.page("/mine", headers={"HX-Request": "true"})
    assert (part.status_code, part.headers["HX-Redirect"]) == (401, "/login")


def test_what_somebody_sent_is_escaped_when_it_is_shown_again(client, city):
    answer = client.page("/<script>alert(1)</script>", city.worker)
    assert answer.status_code == 404 and "<script>alert" not in answer.get_data(as_text=True)


def test_too_many_says_when_to_come_back(client, city, monkeypatch):
    def slow_down() -> None:
        raise TooMany("慢一点", retry_after_s=17)

    monkeypatch.setitem(client.app.view_functions, "api.people.me", slow_down)
    answer = client.get("/api/v1/me", city.worker)
    assert (answer.status_code, answer.headers["Retry-After"], answer.get_json()["retry_after_s"]) == (429, "17", 17)


def test_a_refusal_rolls_back_what_was_done_before_it(client, city, monkeypatch):
    def half() -> None:
        db.session.execute(sa.text("UPDATE persons SET name = 'half' WHERE phone = :phone"), {"phone": seed.PHONES["worker"]})
        raise NotFound("gone")

    monkeypatch.setitem(client.app.view_functions, "api.people.me", half)
    assert client.get("/api/v1/me", city.worker).status_code == 404
    assert city.worker.name == seed.PEOPLE["worker"][0]


def test_an_odd_request_id_is_replaced_and_a_plain_one_kept(client):
    assert client.page(NOWHERE, headers={"X-Request-ID": "abc123"}).headers["X-Request-ID"] == "abc123"
    odd = client.page(NOWHERE, headers={"X-Request-ID": "a\tb<script>"}).headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{32}", odd)
    assert len(client.page(NOWHERE, headers={"X-Request-ID": "a" * 65}).headers["X-Request-ID"]) == 32


@pytest.mark.parametrize("path", ["/login", "/api/v1/me", "/mine"])
def test_without_the_database_people_are_told_so_in_their_own_page(servers, tmp_path, path):
    app = create_app(make_config("postgresql://nobody@127.0.0.1:1/none", servers[1], tmp_path))
    try:
        browser = app.test_client()
        with browser.session_transaction() as cookie:
            cookie["token"] = "x" * 43
        answer = browser.get(path)
        assert (answer.status_code, answer.is_json) == (503, path.startswith("/api/"))
        assert "127.0.0.1" not in answer.get_data(as_text=True)
        code = answer.get_json()["code"] if answer.is_json else re.search('data-code="([a-z]+)"', answer.get_data(as_text=True))[1]
        assert code == "unavailable"
    finally:
        db.session.remove()
        app.extensions["engine"].dispose()
        jobs.connect(servers[1])


def test_when_connections_are_cut_one_request_at_most_is_lost(live, servers):
    client, worker = Client(live), seed.City().worker
    assert client.get("/api/v1/me", worker).status_code == 200
    db.session.remove()
    database = live.extensions["engine"].url.database
    run_sql(servers[0], f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")
    headers = client.bearer(worker)
    first, *later = [live.test_client().get("/api/v1/me", headers=headers) for _ in range(4)]
    assert (first.status_code, first.get_json()["code"]) == (503, "unavailable")
    assert [answer.status_code for answer in later] == [200, 200, 200]
