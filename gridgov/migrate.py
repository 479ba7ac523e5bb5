"""Schema migrations, run through one connection and guarded by an advisory lock so that two starts do not collide."""

from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

LOCK = 0x67726964


def alembic_config(connection: sa.Connection | None = None) -> AlembicConfig:
    """Alembic's configuration without an ini file."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    return config


def upgrade(engine: sa.Engine, revision: str = "head") -> None:
    """Bring the schema forward to `revision`. Safe to call from several starts at once."""
    _run(engine, command.upgrade, revision)


def downgrade(engine: sa.Engine, revision: str) -> None:
    """Bring the schema back to `revision` ("base" removes everything)."""
    _run(engine, command.downgrade, revision)


def is_current(engine: sa.Engine) -> bool:
    """Whether the database stands at the newest revision of this code."""
    with engine.connect() as connection:
        here = MigrationContext.configure(connection).get_current_revision()
    return here == ScriptDirectory.from_config(alembic_config()).get_current_head()


def _run(engine: sa.Engine, what: Callable[[AlembicConfig, str], None], revision: str) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        what(alembic_config(connection), revision)
