"""Real servers for every test: PostgreSQL and Redis of their own, migrated by the real migrations.

`db_session` runs a test inside one outer transaction that is rolled back: quick, and enough for most.
`live` gives a database of its own where commits are real, for threads, processes and browsers.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from playwright.sync_api import expect

from gridgov import db, embedded, jobs, migrate
from gridgov.app import create_app
from gridgov.config import Config
from tests import client as test_client, seed
from tests.browser import browser_context_args, browser_type_launch_args, strict_page  # noqa: F401

expect.set_options(timeout=20_000)  # A busy machine is slow, and not wrong.


@pytest.fixture(scope="session")
def servers() -> Iterator[tuple[str, str]]:
    """(PostgreSQL address, Redis address), both running for the whole run and gone after it."""
    with tempfile.TemporaryDirectory(prefix="gg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with (
            embedded.Postgres(Path(folder) / "pg", fsync=False) as pg,
            embedded.Redis(Path(folder) / "redis") as red,
        ):
            yield pg.url, red.url


def named(url: str, database: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def drop(url: str, database: str) -> None:
    """Drop a database with whoever is still in it; an autovacuum at work there, which only the server may stop, ends soon."""
    for _n in range(100):
        try:
            return run_sql(url, f"DROP DATABASE {database} WITH (FORCE)")
        except sa.exc.ProgrammingError:
            time.sleep(0.1)
    raise AssertionError(f"{database} cannot be dropped")


def run_sql(url: str, sql: str) -> None:
    """One statement outside a transaction, such as CREATE DATABASE."""
    engine = sa.create_engine(db.sqlalchemy_url(url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(sql))
    engine.dispose()


def make_config(pg_url: str, redis_url: str, var: Path, **given: Any) -> Config:
    """The settings of tests: cheap password hashes, otherwise as in production."""
    return Config.from_env(
        env={},
        **{
            "database_url": pg_url,
            "redis_url": redis_url,
            "var": var,
            "secret_key": "tests-only-" * 4,
            "argon2_memory_kib": 64,
            "argon2_time_cost": 1,
            "rate_limits": False,
            **given,
        },
    )


@pytest.fixture(scope="session")
def template(servers: tuple[str, str]) -> str:
    """Name of a database that is migrated and holds the small test city; others are copied from it."""
    url, redis_url = servers
    run_sql(url, "CREATE DATABASE template_city")
    engine = db.connect(named(url, "template_city"))
    migrate.upgrade(engine)
    app = create_app(make_config(named(url, "template_city"), redis_url, Path(tempfile.gettempdir())))
    with app.app_context(), db.transaction():
        seed.small_city()
    db.session.remove()
    app.extensions["engine"].dispose()
    engine.dispose()
    return "template_city"


@pytest.fixture(scope="session")
def var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of the test application."""
    return tmp_path_factory.mktemp("var")


@pytest.fixture(scope="session")
def session_app(servers: tuple[str, str], template: str, var: Path) -> Iterator[Flask]:
    """The application on a copy of the template, shared by the tests that roll back."""
    run_sql(servers[0], f"CREATE DATABASE shared_city TEMPLATE {template}")
    app = create_app(make_config(named(servers[0], "shared_city"), servers[1], var))
    app.testing = True
    yield app
    app.extensions["engine"].dispose()


@pytest.fixture
def app(session_app: Flask) -> Iterator[Flask]:
    """The application, with its database engine bound and nothing committed."""
    db.session.remove()
    db.session.configure(bind=session_app.extensions["engine"])
    yield session_app


@pytest.fixture
def db_session(app: Flask) -> Iterator[Any]:
    """The session inside an outer transaction that is rolled back; commits in between are savepoints."""
    engine = app.extensions["engine"]
    # No application context here: flask would lend it to every request of the test, and with it the person who asked first.
    with engine.connect() as connection:
        outer = connection.begin()
        db.session.configure(bind=connection, join_transaction_mode="create_savepoint")
        yield db.session
        db.session.remove()
        outer.rollback()
        db.session.configure(bind=engine, join_transaction_mode="conditional_savepoint")


@contextmanager
def living(servers: tuple[str, str], template: str, tmp_path: Path, **given: Any) -> Iterator[Flask]:
    """The application, with these settings, on a database of its own copied from the template; its Redis is empty."""
    url, redis_url = servers
    name = f"live_{uuid4().hex}"
    run_sql(url, f"CREATE DATABASE {name} TEMPLATE {template}")
    app = create_app(make_config(named(url, name), f"{redis_url}?db=1", tmp_path, **given))
    app.testing = True
    jobs.connection().flushdb()
    yield app
    db.session.remove()
    app.extensions["engine"].dispose()
    drop(url, name)
    jobs.connect(redis_url)


@pytest.fixture
def live(servers: tuple[str, str], template: str, tmp_path: Path) -> Iterator[Flask]:
    """The application on a database of its own, where commits are real."""
    with living(servers, template, tmp_path) as app:
        yield app


@pytest.fixture
def client(app: Flask, db_session: Any) -> test_client.Client:
    """A test client that can act as any person: `client.send(url, body, person)`, `client.get(url, person)`."""
    return test_client.Client(app)


@pytest.fixture
def city(db_session: Any) -> seed.City:
    """The small test city: two townships with villages, micro grids, posts and one person per role."""
    return seed.City()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that side by side no process is left alone with one of them at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
