"""All times of recurring work, and the loop that runs it: the sweep of deadlines and the relay of the outbox.

The two have their own backoff: with Redis away deliveries wait, escalation goes on.
"""

import logging
import threading
import time
from collections.abc import Callable

import redis
from sqlalchemy.exc import DBAPIError

from gridgov import db, outbox, timers

log = logging.getLogger("gridgov.schedule")
IDLE_S = 0.5
BACKOFF_MAX_S = 15.0
STEPS: list[Callable[[], object]] = []
"""What packages want done all the time, each with a backoff of its own; says whether there is more."""
DAILY: list[Callable[[], object]] = []
DAY_S = 86_400.0


class _Task:
    """One recurring piece of work: again at once while there is more, after `idle_s` when there is none."""

    def __init__(self, run: Callable[[], object], idle_s: float) -> None:
        self.run, self.idle_s = run, idle_s
        self.next_at, self.failures = 0.0, 0

    def step(self, now: float) -> None:
        if now < self.next_at:
            return
        try:
            busy = bool(self.run()) and self.idle_s < 60
            self.failures = 0
            self.next_at = now if busy else now + self.idle_s
        except (DBAPIError, redis.RedisError) as error:
            self.failures += 1
            self.next_at = now + min(BACKOFF_MAX_S, 2.0**self.failures * IDLE_S)
            if self.failures in (1, 10, 100):
                log.warning("%s waits: %s", self.run.__name__, type(error).__name__)
        finally:
            db.session.remove()


def run_forever(stop: threading.Event) -> None:
    """Sweep and relay until `stop` is set. Needs PostgreSQL; Redis may come and go."""
    tasks = [_Task(timers.sweep, IDLE_S), _Task(outbox.relay, IDLE_S), *(_Task(f, IDLE_S) for f in STEPS)]
    tasks += [_Task(f, DAY_S) for f in DAILY]
    while not stop.is_set():
        for task in tasks:
            task.step(time.monotonic())
        stop.wait(max(0.0, min(IDLE_S, min(t.next_at for t in tasks) - time.monotonic())))
