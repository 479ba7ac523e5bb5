"""The database: one engine, one session per thread, one transaction per request or job.

Only `transaction()` commits. The database's clock is the clock: `app_now()` in SQL, `utcnow()` here.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
import uuid_utils.compat
from sqlalchemy import event
from sqlalchemy.dialects.postgresql import JSONB, UUID as PG_UUID
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from sqlmodel import Field, SQLModel

__all__ = [
    "JSONB",
    "PG_UUID",
    "TZ",
    "Field",
    "Model",
    "Text",
    "choice",
    "session",
    "transaction",
    "utcnow",
    "uuid7",
]

TZ = sa.DateTime(timezone=True)
NOW = sa.text("SELECT app_now()")
MOVE_CLOCK = sa.text(
    "INSERT INTO virtual_clock (at, shift) VALUES (:at, :shift)"
    " ON CONFLICT (id) DO UPDATE SET at = excluded.at, shift = excluded.shift"
)
Text = sa.Text
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
SQLModel.metadata.naming_convention = NAMES


class Model(SQLModel):
    """The base of every table. Timestamps are aware UTC, identities UUIDv7 unless a code is the natural key."""


metadata = SQLModel.metadata
session: scoped_session[Session] = scoped_session(sessionmaker(expire_on_commit=False))


def choice(kind: type[StrEnum], *, name: str, **column: Any) -> Any:
    """A column for an enum that the code owns: varchar with a CHECK named `name`. YAML-owned values are plain varchar.

    Use as `Field(sa_column=choice(Level, name="level", nullable=False))`.
    """
    values = [member.value for member in kind]
    check = sa.CheckConstraint(f"{name} IN ({', '.join(repr(v) for v in values)})", name=f"{name}_known")
    return sa.Column(name, sa.String(max(len(v) for v in values)), check, **column)


def connect(url: str, *, pool_size: int = 8, statement_timeout_ms: int = 15_000) -> sa.Engine:
    """Make the engine and bind the session to it. url: postgresql://…; raises nothing until first use."""
    engine = sa.create_engine(
        sqlalchemy_url(url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=False,
        hide_parameters=True,  # Errors are logged and kept; what they were about is personal.
        connect_args={
            "options": f"-c timezone=UTC -c statement_timeout={statement_timeout_ms} "
            "-c idle_in_transaction_session_timeout=60000 -c jit=off",
            "connect_timeout": 5,
        },
    )
    session.remove()
    session.configure(bind=engine)
    return engine


def sqlalchemy_url(url: str) -> str:
    """The same address with the driver named, as SQLAlchemy wants it."""
    return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql+psycopg://", url)


@contextmanager
def transaction() -> Iterator[scoped_session[Session]]:
    """The one place that commits: returning commits, raising rolls back. Then what waits for the commit runs.

    Functions given to `after_commit` run once the commit has succeeded, outside the transaction.
    """
    if session.info.get("in_transaction"):
        raise AssertionError("transactions do not nest: pass through the outer one")
    session.info["in_transaction"] = True
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        session.info.pop("after_commit", None)
        raise
    finally:
        session.info.pop("in_transaction", None)
        waiting = session.info.pop("after_commit", [])
    for function in waiting:
        function()


def after_commit(function: Callable[[], Any]) -> None:
    """Run `function` when the present transaction has committed; never if it rolls back."""
    session.info.setdefault("after_commit", []).append(function)


def count_waiting() -> int:
    """How many functions wait for the commit: a mark for `drop_waiting`."""
    return len(session.info.get("after_commit", ()))


def drop_waiting(mark: int) -> None:
    """Forget what has come to wait for the commit since the mark, because that part was rolled back to a savepoint."""
    del session.info.get("after_commit", [])[mark:]


def utcnow() -> datetime:
    """The database's time, aware UTC, read once per transaction. Tests and simulations can move it."""
    now = session.info.get("now")
    if now is None:
        now = session.execute(NOW).scalar_one().astimezone(UTC)
        session.info["now"] = now
    return now


def remember_now(now: datetime) -> None:
    """Keep a time that another statement of this transaction brought along, to spare a round trip."""
    session.info["now"] = now.astimezone(UTC)


def set_clock(at: datetime | None = None, *, shift: timedelta | None = None) -> None:
    """Stop the clock at `at` (aware), or move it by `shift`; for tests, demo data and simulations only."""
    if at is None and shift is None:
        session.execute(sa.text("DELETE FROM virtual_clock"))
    else:
        session.execute(MOVE_CLOCK, {"at": at, "shift": shift or timedelta()})
    session.info.pop("now", None)


def uuid7() -> UUID:
    """A time-ordered identity; clients that may be offline mint their own."""
    return uuid_utils.compat.uuid7()


@event.listens_for(Session, "after_commit")
@event.listens_for(Session, "after_rollback")
@event.listens_for(Session, "after_soft_rollback")
def _forget_now(target: Session, *_: Any) -> None:
    target.info.pop("now", None)
