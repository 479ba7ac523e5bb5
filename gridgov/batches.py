"""Many moves in one transaction: what they need is read together beforehand, what they write goes out together.

Outside a batch `write` executes at once and nothing is known. Inside, rows are collected per statement and sent in the
order in which the statements first came; a subject that is changed a second time must find its first change written.
"""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from gridgov.db import session

Statement = sa.Executable


class Batch:
    """What one batch has read beforehand and not yet written."""

    def __init__(self) -> None:
        self.rows: dict[Statement, list[dict[str, Any]]] = {}
        self.touched: set[Hashable] = set()
        self.known: dict[Hashable, Any] = {}

    def flush(self) -> None:
        """Send everything that was collected: changed objects first, then the rows of each statement."""
        self.touched.clear()
        session.flush()
        connection, waiting, self.rows = session.connection(), self.rows, {}
        for statement, rows in waiting.items():
            if rows:
                connection.execute(statement, rows)


@contextmanager
def batch() -> Iterator[Batch]:
    """Collect until the end of the block, then write. When it raises, nothing of what is collected is written."""
    if current() is not None:
        raise AssertionError("batches do not nest")
    session.info["batch"] = opened = Batch()
    try:
        with session.no_autoflush:
            yield opened
            opened.flush()
    finally:
        session.info.pop("batch", None)


def current() -> Batch | None:
    """The batch this transaction is in, if any."""
    return session.info.get("batch")


def write(statement: Statement, values: dict[str, Any]) -> None:
    """Execute a prepared statement with these values: now, or with the batch. Its result is not to be had."""
    opened = current()
    if opened is None:
        session.connection().execute(statement, values)
    else:
        opened.rows.setdefault(statement, []).append(values)


def before(statement: Statement) -> None:
    """Say that rows of this statement, should any come, are to be sent before those of what is written next."""
    opened = current()
    if opened is not None:
        opened.rows.setdefault(statement, [])


def changing(subject: Hashable) -> None:
    """Say that a subject is about to be changed; its earlier change in this batch is written first."""
    opened = current()
    if opened is not None:
        if subject in opened.touched:
            opened.flush()
        opened.touched.add(subject)


def flush_changes() -> None:
    """Write changed objects now, so that a refusal by the database comes here; a batch does it for all at its end."""
    if current() is None:
        session.flush()


def known(key: Hashable) -> Any:
    """What the batch read beforehand under this key; None when it did not, or there is no batch."""
    opened = current()
    return None if opened is None else opened.known.get(key)


def learn(key: Hashable, value: Any) -> None:
    """Keep up to date what the batch knows."""
    opened = current()
    if opened is not None:
        opened.known[key] = value
