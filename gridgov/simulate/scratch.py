"""A place to simulate in that is gone afterwards: servers of our own in a temporary folder, or new databases on a named server."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import sqlalchemy as sa

from gridgov import db, embedded
from gridgov.processes import ServerError

PREFIX = "gridgov_simulation_"


@contextmanager
def databases(count: int, server: str | None = None) -> Iterator[tuple[Path, list[str]]]:
    """(folder, addresses) of so many empty databases, for as long as this lasts.

    server: an address on which this account may create databases; the database it names is never used for anything else.
    """
    with _told_to_end(), tempfile.TemporaryDirectory(prefix="gridgov-sim-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # The account that owns the database's files must find its way.
        if server is not None:
            with _created(server, count) as urls:
                yield folder, urls
            return
        with embedded.Postgres(folder / "postgres", fsync=False) as postgres, _created(postgres.url, count) as urls:
            yield folder, urls


@contextmanager
def _created(server: str, count: int) -> Iterator[list[str]]:
    names = [f"{PREFIX}{uuid4().hex}" for _n in range(count)]
    engine = sa.create_engine(db.sqlalchemy_url(server), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    try:
        _each(engine, [f'CREATE DATABASE "{name}"' for name in names])
        yield [urlunsplit(urlsplit(server)._replace(path=f"/{name}")) for name in names]
    except sa.exc.OperationalError as error:
        raise ServerError(f"The database server cannot be used: {str(error.orig).strip()}") from error
    finally:
        _each(engine, [f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)' for name in names])


def _each(engine: sa.Engine, statements: list[str]) -> None:
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


@contextmanager
def _told_to_end() -> Iterator[None]:
    """Let SIGTERM end us as Ctrl-C does, so that everything is cleared away."""

    def leave(_number: int, _frame: Any) -> None:
        sys.exit(143)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def environment(url: str, policy: Path, folder: Path, language: str) -> dict[str, str]:
    """What a child process is told: nothing of the city's own settings, all of the scratch database's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRIDGOV_")}
    return kept | {
        "GRIDGOV_DATABASE_URL": url, "GRIDGOV_REDIS_URL": "redis://127.0.0.1:1", "GRIDGOV_VAR": str(folder),
        "GRIDGOV_SECRET_KEY": uuid4().hex * 2, "GRIDGOV_WORKFLOWS": str(policy), "GRIDGOV_LANGUAGE": language,
        "GRIDGOV_STATEMENT_TIMEOUT_MS": "600000", "GRIDGOV_DB_POOL_SIZE": "2",
    }  # fmt: skip
