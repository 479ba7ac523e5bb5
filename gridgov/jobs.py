"""Work that may wait, on RQ with the JSON serializer. A job takes ids (strings), runs one action, survives running twice.

Nothing durable depends on a job being queued: what must not be lost goes through `outbox`.
"""

import functools
import logging
import time
from collections.abc import Callable
from typing import Any

import redis
from rq import Queue, get_current_job
from rq.serializers import JSONSerializer

from gridgov import db, logs

QUEUES = ["notices", "default"]
log = logging.getLogger("gridgov.jobs")
_functions: dict[str, "Job"] = {}
_connections: dict[str, redis.Redis] = {}
_url: str | None = None


class Job:
    """A function that can be called now, or queued for after the commit by `.later(...)`."""

    def __init__(self, function: Callable[..., Any], queue: str, timeout_s: int, in_steps: bool = False) -> None:
        functools.update_wrapper(self, function)
        self.function, self.queue, self.timeout_s, self.in_steps = function, queue, timeout_s, in_steps
        self.name = f"{function.__module__}.{function.__qualname__}"

    def __call__(self, *args: str) -> Any:
        """Run now, inside a transaction of its own; one `in_steps` opens its own, one for each step."""
        if self.in_steps:
            return self.function(*args)
        with db.transaction():
            return self.function(*args)

    def later(self, *args: str) -> None:
        """Queue when the present transaction has committed. Redis being away is logged, never an error here."""

        def enqueue() -> None:
            try:
                self.enqueue(*args)
            except redis.RedisError as error:
                log.warning("not queued: %s: %s", self.name, error)

        db.after_commit(enqueue)

    def enqueue(self, *args: Any) -> None:
        """Queue at once. Raises redis.RedisError when Redis is away."""
        queue(self.queue).enqueue_call(
            "gridgov.jobs.run",
            args=(self.name, *args),
            timeout=self.timeout_s,
            result_ttl=0,
            failure_ttl=7 * 86_400,
            meta={"request_id": logs.request_id()},
        )


def job(
    queue: str = "default", *, timeout_s: int = 60, in_steps: bool = False
) -> Callable[[Callable[..., Any]], Job]:
    """Make a function a job on `queue`; it is stopped after `timeout_s` seconds.

    `in_steps`: it waits for the world outside, which must not happen inside a transaction, so it opens its own around.
    """
    if queue not in QUEUES:
        raise ValueError(f"unknown queue {queue!r}")

    def wrap(function: Callable[..., Any]) -> Job:
        made = Job(function, queue, timeout_s, in_steps)
        _functions[made.name] = made
        return made

    return wrap


def connect(url: str) -> None:
    """Remember where Redis is. Nothing is opened before first use."""
    global _url
    _url = url


def connection() -> redis.Redis:
    """This process's connection pool to Redis."""
    if _url is None:
        raise RuntimeError("jobs.connect was not called")
    if _url not in _connections:
        _connections[_url] = redis.Redis.from_url(_url, socket_connect_timeout=1, health_check_interval=30)
    return _connections[_url]


def queue(name: str) -> Queue:
    """One of QUEUES, with the JSON serializer on both ends."""
    return Queue(name, connection=connection(), serializer=JSONSerializer)


def run(name: str, *args: Any) -> None:
    """What the worker calls: the job registered under `name`, in a transaction. Its lines name the request behind it."""
    present = get_current_job()
    logs.bind(present.meta.get("request_id") if present else None)
    began_s = time.perf_counter()
    try:
        _functions[name](*args)
        told = {"job": name, "duration_ms": round((time.perf_counter() - began_s) * 1000, 1)}
        log.info("job done", extra=told)
    except Exception as error:
        log.error("job failed", exc_info=error, extra={"job": name})
        raise
    finally:
        db.session.remove()
