"""Several threads at once, each with a session of its own; rows held so that a race is certain; a worker for the queues."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from rq import SimpleWorker

from gridgov import db, jobs

PATIENCE_S = 30.0


def together(*functions: Callable[[], Any]) -> list[Any]:
    """Run all at one moment. Returns what each returned, or the exception it raised, in order."""
    gate = threading.Barrier(len(functions))

    def run(function: Callable[[], Any]) -> Any:
        gate.wait(PATIENCE_S)
        try:
            return function()
        except Exception as error:  # noqa: BLE001 – the test decides what was to be refused.
            return error
        finally:
            db.session.remove()

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(run, functions))


@contextmanager
def holding(engine: sa.Engine, sql: str, **values: Any) -> Iterator[None]:
    """Hold the rows that `sql` locks until the block ends."""
    with engine.connect() as connection, connection.begin():
        connection.execute(sa.text(sql), values)
        yield


def until_blocked(engine: sa.Engine, n: int = 1) -> None:
    """Wait until n sessions of this database wait for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    # Outside a transaction: inside one the view never changes.
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as watcher:
        wait_until(lambda: (watcher.scalar(sa.text(waiting)) or 0) >= n)


def wait_until(condition: Callable[[], Any], patience_s: float = PATIENCE_S) -> None:
    """Wait for a condition. Raises AssertionError when patience runs out."""
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, "what was waited for did not happen"
        time.sleep(0.01)


def work_off() -> None:
    """A real RQ worker takes what lies in the queues, in this process, until they are empty."""
    queues = [jobs.queue(name) for name in jobs.QUEUES]
    worker = SimpleWorker(queues, connection=jobs.connection(), serializer=queues[0].serializer)
    worker._install_signal_handlers = lambda: None  # type: ignore[method-assign]
    worker.work(burst=True, logging_level="ERROR")
