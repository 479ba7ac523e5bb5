"""Alive and ready: what supervisors and proxies ask."""

import pytest
import sqlalchemy as sa

from gridgov import db, health, jobs, migrate
from gridgov.app import create_app
from tests.conftest import make_config, named, run_sql

NOWHERE_DB = "postgresql://nobody@127.0.0.1:1/none"
NOWHERE_REDIS = "redis://127.0.0.1:1/0"


@pytest.fixture
def ask(app, servers, template, monkeypatch):
    """Asks /readyz of an application whose probe has the given addresses: (status, body)."""
    url, redis_url = servers

    def ask(database_url=None, redis=redis_url):
        probe = health.Probe(database_url or named(url, template), redis)
        monkeypatch.setitem(app.extensions, "gridgov_health", probe)
        answer = app.test_client().get("/readyz")
        return answer.status_code, answer.get_json()

    return ask


@pytest.fixture
def empty_database(servers):
    """The address of a database that nobody has migrated."""
    run_sql(servers[0], "CREATE DATABASE health_empty")
    yield named(servers[0], "health_empty")
    run_sql(servers[0], "DROP DATABASE health_empty WITH (FORCE)")


def test_a_migrated_database_and_redis_make_it_ready(ask):
    status, body = ask()
    assert (status, body["status"], body["degraded"], body["waiting"]) == (200, "ready", False, [])
    assert body["parts"] == {"database": "ok", "schema": "ok", "redis": "ok"}


def test_without_redis_it_is_degraded_and_still_ready_and_says_what_waits(ask):
    status, body = ask(redis=NOWHERE_REDIS)
    assert (status, body["status"], body["degraded"]) == (200, "ready", True)
    assert body["parts"]["redis"] == "away"
    assert body["waiting"] == ["notices"] and "Redis" in body["message"]


def test_without_the_database_it_is_not_ready(ask):
    status, body = ask(NOWHERE_DB)
    assert (status, body["status"]) == (503, "unready")
    assert body["parts"] == {"database": "away", "schema": "away", "redis": "ok"}


def test_a_schema_that_nobody_migrated_is_not_ready(ask, empty_database):
    status, body = ask(empty_database)
    assert (status, body["parts"]["database"], body["parts"]["schema"]) == (503, "ok", "behind")


def test_an_older_schema_is_not_ready_and_a_newer_one_is_served(ask, empty_database):
    engine = sa.create_engine(db.sqlalchemy_url(empty_database))
    migrate.upgrade(engine, "0002")
    assert ask(empty_database)[1]["parts"]["schema"] == "behind"
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    status, body = ask(empty_database)
    assert (status, body["parts"]["schema"], body["degraded"]) == (200, "ahead", True)
    engine.dispose()


def test_a_process_lives_though_everything_else_is_dead(app, var, monkeypatch):
    monkeypatch.setattr(jobs, "_url", jobs._url)  # create_app sets it; the other tests need theirs back.
    dead = create_app(make_config(NOWHERE_DB, NOWHERE_REDIS, var))
    try:
        assert dead.test_client().get("/healthz").get_json() == {"status": "alive"}
        assert dead.test_client().get("/readyz").status_code == 503
    finally:
        db.session.remove()
        db.session.configure(bind=app.extensions["engine"])


def test_both_are_open_to_anybody_and_say_nothing_about_people(app):
    for url in ("/healthz", "/readyz"):
        answer = app.test_client().get(url)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in answer.headers
        assert not any(word in answer.get_data(as_text=True) for word in ("person", "phone", "postgresql://"))


def test_neither_opens_the_requests_transaction(app, db_session):
    for url in ("/healthz", "/readyz"):
        app.test_client().get(url)
    assert not db.session.info.get("in_transaction")
