"""`faults`: deadlines and messages while everything is being killed; how many were missed, doubled or lost.

Issues in a micro grid run into their deadline and, at the village, into the next. Meanwhile sweepers, relays, workers and a
chief who accepts issues are killed with -9 at random and started again, Redis is killed twice (once its data is wiped), the
database once; the clock jumps back and forth; old timers fire again and messages are delivered again. Then the run is left
in peace until nothing moves, and what the database says is compared with what should have happened:

    python -m bench.faults --timers 20000 --seed 8
    python -m bench.faults --timers 600 --break lock        # the check must find it: exit status 1

`--break` takes one of the safeguards out, in the child processes and the scratch database alone.
"""

import argparse
import contextlib
import logging
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa
from rq import SimpleWorker
from rq.serializers import JSONSerializer
from sqlalchemy.exc import DBAPIError

from bench.timers import SECRET, fill
from gridgov import db, embedded, jobs, migrate, outbox, schedule, timers
from gridgov.app import create_app
from gridgov.config import Config
from gridgov.errors import DomainError
from gridgov.issues import actions, queries
from gridgov.processes import ServerError, die_with_parent
from tests import seed

SWEEPERS, WORKERS = 4, 2
ROUNDS = 2  # Each issue misses its deadline in the micro grid, then in the village.
HANDLERS = {seed.MICRO: 1, seed.VILLAGE: 1, seed.TOWNSHIP: 3, seed.CITY: 2}  # People told when an issue comes or goes.
MANY = 5_000  # Issues: below that everything is slowed down, so that the faults find something under way.
PEACE_S = 20.0  # Longer than the lease below: when nothing has moved for so long, nothing will.
Figures = Iterator[tuple[str, float, str]]


# In the children ------------------------------------------------------------------------------------------------------


def _hurry(batch: int, pause_s: float) -> None:
    """Shorter waits than in production, so that losses show within seconds; smaller bites, so that kills hit more of them."""
    outbox.LEASE, schedule.BACKOFF_MAX_S, schedule.IDLE_S = timedelta(seconds=8), 1.0, 0.1
    outbox.QUEUE_LIMIT = 10
    whole = timers.sweep

    def sweep() -> int:
        time.sleep(pause_s)
        return whole(batch)

    timers.sweep = sweep  # type: ignore[assignment]


def _break(what: str | None) -> None:
    """Take one safeguard out of this process."""
    if what == "fence":
        timers._stale = lambda _subject, _due: False  # type: ignore[assignment]
        # A second net under the fence, that a kind of timer which the file does not know does nothing, must go too.
        fires = replace(timers.subjects()["issue"], fire=lambda issue, _due: actions.deadline_passed(issue))
        timers.register("issue", fires)
    elif what == "lock":
        timers._locking = lambda query, _kind: query  # type: ignore[assignment]
    elif what == "idempotency":
        outbox._claim = _claim_again
    elif what == "lease":
        outbox.LEASE = timedelta(days=1)


def _claim_again(ids: Sequence[UUID]) -> Sequence[outbox.Outgoing]:
    """What claiming would be if it did not ask whether it is done already."""
    rows = db.session.scalars(sa.select(outbox.Outgoing).where(outbox.Outgoing.id.in_(ids))).all()
    for row in rows:
        row.done_at = None
    return rows


UNDER_WAY = "SELECT count(*) FROM outbox WHERE done_at IS NULL AND dead_at IS NULL AND run_at > now() AND attempts = 0"
UNKEYED = {
    "lock": "ALTER TABLE issue_events DROP CONSTRAINT pk_issue_events CASCADE;"
    " CREATE INDEX ON issue_events (issue_id, seq); DROP INDEX uq_hops_open; ALTER TABLE hops DROP CONSTRAINT pk_hops;"
    " CREATE INDEX ON hops (issue_id, n); DROP INDEX uq_timers_live; CREATE INDEX ON timers (subject_id)",
    "idempotency": "ALTER TABLE notices DROP CONSTRAINT uq_notices_once",
}
"""The unique keys are a second net under the lock and under idempotency; to see the first fail they must go too."""


def _sweep_and_relay() -> None:
    schedule.run_forever(threading.Event())


def _work() -> None:
    queues = [jobs.queue(name) for name in jobs.QUEUES]
    SimpleWorker(queues, connection=jobs.connection(), serializer=JSONSerializer).work(logging_level="CRITICAL")


def _accept() -> None:
    """A chief who takes on an issue now and then, perhaps at the moment it is being passed up."""
    city, dice = seed.City(), random.Random()
    while True:
        time.sleep(dice.uniform(0.01, 0.05))
        try:
            with db.transaction():
                chief = city.micro_chief
                waiting = sa.text("SELECT id FROM issues WHERE unit_code = :micro AND state = 'reported' ORDER BY random() LIMIT 1")
                found = db.session.scalar(waiting, {"micro": seed.MICRO})
                if found is not None:
                    actions.act(queries.visible(chief, found), "accept", actor=chief)
        except (DomainError, DBAPIError):
            time.sleep(0.1)  # The sweep was faster, or the database is away.
        finally:
            db.session.remove()


# The harness ----------------------------------------------------------------------------------------------------------


class Faults:
    """One run on servers of its own."""

    def __init__(self, n: int, *, dice: random.Random, broken: str | None, folder: Path) -> None:
        self.issues, self.dice, self.broken, self.folder = n // ROUNDS, dice, broken, folder
        self.pg, self.redis = embedded.Postgres(folder / "pg"), embedded.Redis(folder / "redis")
        self.children: dict[int, Callable[[], None]] = {}
        self.kills, self.began = 0, time.monotonic()
        self.engine: sa.Engine

    def run(self) -> dict[str, int]:
        """Everything, and what was found."""
        with self.pg, self.redis:
            try:
                self._prepare()
                for body in [_sweep_and_relay] * SWEEPERS + [_work] * WORKERS + [_accept]:
                    self._start(body)
                self._say("started")
                for number in range(ROUNDS):
                    self._round(number)
                    self._say(f"round {number + 1}: {self.kills} killed so far")
                self._drain()
                self._say("nothing moves any more")
                return self._findings()
            finally:
                for pid in list(self.children):
                    self._end(pid)
                self.engine.dispose()

    def _say(self, what: str) -> None:
        print(f"  {time.monotonic() - self.began:5.1f} s  {what}", file=sys.stderr, flush=True)

    def _prepare(self) -> None:
        config = Config.from_env(
            {}, database_url=self.pg.url, redis_url=self.redis.url, var=self.folder, secret_key=SECRET,
            argon2_memory_kib=64, argon2_time_cost=1,
        )  # fmt: skip
        self.app = create_app(config)
        logging.disable(logging.CRITICAL)  # Failures are the rule here; what they led to is counted at the end.
        self.engine = self.app.extensions["engine"]
        migrate.upgrade(self.engine)
        with self.app.app_context():
            with db.transaction():
                seed.small_city()
            fill("due", self.issues, due="now() + interval '1 hour'", apart="0")
            db.session.remove()
        for statement in UNKEYED.get(self.broken or "", "").split(";"):
            if statement.strip():
                self._sql(statement)
        self.engine.dispose()

    def _round(self, number: int) -> None:
        """Let all deadlines pass, with the faults of this round spread over the time it takes."""
        goal = self._count("SELECT count(*) FROM timers WHERE state IN ('fired', 'void')") + self.issues
        faults: list[Callable[[], None]] = [self._kill_redis, self._jump_back, self._fire_again, self._deliver_again]
        faults += [self._kill_postgres, self._fire_again] if number == 0 else [self._wipe_redis, self._fire_again]
        self.dice.shuffle(faults)
        if number == 1:  # Last in the list is first to come: later there may be nothing left to lose.
            faults.remove(self._wipe_redis)
            faults.append(self._wipe_redis)
        if number == 1 and self.issues >= MANY:  # Into the time of warnings.
            self._jump("max(run_at)")
            self._harass(1.0)
        self._jump("max(due_at)")
        done, start = 0, time.monotonic()
        while (done < goal or faults) and time.monotonic() - start < 120:
            done = self._count("SELECT count(*) FROM timers WHERE state IN ('fired', 'void')")
            share = 1 - max(0, goal - done) / self.issues
            if faults and share >= 1 - len(faults) / 7:
                self._fault(faults.pop())
            self._harass(0.15)
        while faults:
            self._fault(faults.pop())
            self._harass(0.3)

    def _harass(self, seconds: float) -> None:
        """Kill a child at random moments, and start another in its place."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(self.dice.uniform(0.05, 0.35))
            pid = self.dice.choice(list(self.children))
            body = self.children[pid]
            self._end(pid)
            self.kills += 1
            self._start(body)

    def _drain(self) -> None:
        """Leave it in peace until nothing is waiting, or nothing moves any more."""
        for pid in [pid for pid, body in self.children.items() if body is _accept]:
            self._end(pid)
        last, since, told = None, time.monotonic(), 0.0
        while time.monotonic() - since < PEACE_S:
            self._revive()
            now = (
                self._count("SELECT count(*) FROM timers WHERE state = 'open' AND run_at <= app_now()"),
                self._count("SELECT count(*) FROM outbox WHERE done_at IS NULL AND dead_at IS NULL"),
            )
            if now == (0, 0):
                return
            if now != last:
                last, since = now, time.monotonic()
                if since > told + 20:
                    self._say(f"{now[0]} deadlines and {now[1]} messages wait")
                    told = since
            time.sleep(0.2)

    def _findings(self) -> dict[str, int]:
        # An event keeps the deadline that runs after it: being passed up before that is over is once too often.
        early = """SELECT count(*) FROM issue_events e JOIN issue_events b ON b.issue_id = e.issue_id AND b.seq = e.seq - 1
                   WHERE e.name = 'overdue_up' AND b.due_at > e.at"""
        twice = "SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM issue_events GROUP BY issue_id, seq) AS x"
        moved = """SELECT count(*) FROM (SELECT subject_id, count(*) FILTER (WHERE state = 'fired' AND kind <> 'late') AS fired
                   FROM timers GROUP BY subject_id) AS t JOIN (SELECT issue_id, count(*) FILTER (WHERE name = 'overdue_up') AS up
                   FROM issue_events GROUP BY issue_id) AS e ON e.issue_id = t.subject_id WHERE up <> fired"""
        missed = """SELECT count(*) FROM issues i WHERE due_at <= app_now() OR 1 <> (SELECT count(*) FROM timers t
                    WHERE t.subject_id = i.id AND t.state = 'open' AND t.generation = i.generation AND t.due_at = i.due_at)"""
        told = ", ".join(f"('{unit}', {n})" for unit, n in HANDLERS.items())
        lost = f"""WITH told (unit, n) AS (VALUES {told}), expected AS (
              SELECT e.issue_id, e.seq, CASE e.name WHEN 'accept' THEN 1 ELSE 1 + now.n + before.n END AS n
              FROM issue_events e JOIN issue_events b ON b.issue_id = e.issue_id AND b.seq = e.seq - 1
              JOIN told now ON now.unit = e.unit_code JOIN told before ON before.unit = b.unit_code)
            SELECT coalesce(sum(greatest(0, expected.n - coalesce(had.n, 0))), 0) FROM expected LEFT JOIN (
              SELECT issue_id, seq, count(DISTINCT person_id) AS n FROM notices WHERE audience NOT LIKE 'warn:%'
              GROUP BY issue_id, seq) AS had USING (issue_id, seq)"""
        again = """SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM notices
                   GROUP BY issue_id, seq, person_id, audience) AS x"""
        fired = "SELECT count(*) FROM timers WHERE state = 'fired' AND kind <> 'late'"
        return {
            "faults_missed": self._count(missed),
            "faults_doubled": self._count(early) + self._count(twice) + self._count(moved),
            "faults_lost_notices": self._count(lost),
            "faults_notices_twice": self._count(again),
            "fired": self._count(fired),
            "accepted": self._count("SELECT count(*) FROM issue_events WHERE name = 'accept'"),
            "void": self._count("SELECT count(*) FROM timers WHERE state = 'void'"),
            "dead": self._count("SELECT count(*) FROM timers WHERE state = 'dead'"),
            "warned": self._count("SELECT count(*) FROM notices WHERE audience = 'warn:unit'"),
            "notices": self._count("SELECT count(*) FROM notices"),
            "kills": self.kills,
        }

    # Faults

    def _fault(self, fault: Callable[[], None]) -> None:
        self._say(fault.__name__.strip("_").replace("_", " "))
        fault()

    def _kill_redis(self, *, wipe: bool = False) -> None:
        process = self.redis.process
        if process is None:
            raise RuntimeError("Redis does not run")
        process.kill()
        process.wait()
        if wipe:
            shutil.rmtree(self.redis.directory / "appendonlydir", ignore_errors=True)
        self._harass(0.5)
        self.redis.restart()

    def _wipe_redis(self) -> None:
        """Lose what Redis holds while it holds something: workers stop until messages have been handed over."""
        working = [pid for pid, body in self.children.items() if body is _work]
        for pid in working:
            self._end(pid)
        end = time.monotonic() + 15
        while not self._count(UNDER_WAY) and time.monotonic() < end:
            time.sleep(0.05)
        self._say(f"wiped with {self._count(UNDER_WAY)} messages under way")
        self._kill_redis(wipe=True)
        for _worker in working:
            self._start(_work)

    def _kill_postgres(self) -> None:
        process = self.pg.process
        if process is None:
            raise RuntimeError("PostgreSQL does not run")
        process.kill()
        process.wait()
        end = time.monotonic() + 30
        while True:
            time.sleep(0.5)
            try:
                return self.pg.restart()
            except ServerError:  # Its orphans still hold the shared memory.
                if time.monotonic() > end:
                    raise

    def _jump(self, what: str) -> None:
        """Move the clock so that this is a second ago."""
        shift = f"(SELECT {what} - now() + interval '1 second' FROM timers WHERE state = 'open')"
        self._sql(f"DELETE FROM virtual_clock; INSERT INTO virtual_clock (shift) SELECT {shift}")

    def _jump_back(self) -> None:
        self._sql("UPDATE virtual_clock SET shift = shift - interval '9 days'")
        self._harass(0.3)
        self._sql("UPDATE virtual_clock SET shift = shift + interval '9 days'")

    def _fire_again(self) -> None:
        """Timers that have fired or were cancelled come back, as from a backup or a lost message."""
        columns = "subject_kind, subject_id, generation, started_at, budget_s, clock, due_at, provisional"
        self._sql(
            f"INSERT INTO timers ({columns}, kind, run_at, state, attempts) SELECT {columns}, 'late', due_at, 'open', 0 FROM"
            f" (SELECT DISTINCT ON (subject_id) * FROM timers WHERE state IN ('fired', 'void') AND kind <> 'late') AS old"
            f" WHERE NOT EXISTS (SELECT 1 FROM timers t WHERE t.subject_id = old.subject_id AND t.kind = 'late' AND"
            f" t.state = 'open') ORDER BY random() LIMIT {max(20, self.issues // 50)}"
        )

    def _deliver_again(self) -> None:
        with self.engine.connect() as connection:
            some = sa.text("SELECT id FROM outbox WHERE done_at IS NOT NULL ORDER BY random() LIMIT 60")
            ids = [str(i) for i in connection.scalars(some)]
        self.engine.dispose()
        for part in (ids, ids[::2]):
            with contextlib.suppress(OSError):
                outbox.deliver_batch.enqueue(part)
        jobs._connections.clear()

    # Children and statements

    def _start(self, body: Callable[[], None]) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            self.children[pid] = body
            return
        try:
            die_with_parent(parent, signal.SIGKILL)
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), 2)
            random.seed()
            self.engine.dispose(close=False)  # The parent's connections are not ours.
            jobs._connections.clear()
            small = self.issues < MANY
            _hurry(batch=10 if small else 50, pause_s=0.02 if small else 0.0)
            _break(self.broken)
            with self.app.app_context():
                body()
        finally:
            os._exit(1)

    def _end(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        del self.children[pid]

    def _revive(self) -> None:
        """Start again what ended by itself, as a supervisor does."""
        for pid, body in list(self.children.items()):
            if os.waitpid(pid, os.WNOHANG)[0]:
                del self.children[pid]
                self._start(body)

    def _sql(self, statements: str) -> None:
        with self.engine.connect() as connection:
            connection.exec_driver_sql(statements)
            connection.commit()
        self.engine.dispose()

    def _count(self, query: str) -> int:
        for _again in range(100):
            try:
                with self.engine.connect() as connection:
                    return int(connection.scalar(sa.text(query)) or 0)
            except DBAPIError:
                time.sleep(0.1)
            finally:
                self.engine.dispose()
        raise RuntimeError("the database does not come back")


def check(n: int, *, number: int = 8, broken: str | None = None) -> dict[str, int]:
    """Run it with so many timers. Returns the counts; those that begin with `faults_` must all be 0."""
    with tempfile.TemporaryDirectory(prefix="gg-faults-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        return Faults(n, dice=random.Random(number), broken=broken, folder=Path(name)).run()


def figures() -> Figures:
    """Measure and yield (name, value, unit)."""
    for name, value in check(20_000).items():
        yield name, value, "count"


def main() -> int:
    """Print the counts. Exit status 1 when anything was missed, doubled or lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timers", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--break", dest="broken", choices=["fence", "lock", "idempotency", "lease"])
    given = parser.parse_args()
    start, found = datetime.now(), check(given.timers, number=given.seed, broken=given.broken)
    for name, value in found.items():
        print(f"{name} {value}", flush=True)
    print(f"took {(datetime.now() - start).total_seconds():.0f} s", file=sys.stderr)
    return int(any(value for name, value in found.items() if name.startswith("faults_")))


if __name__ == "__main__":
    sys.exit(main())
