"""The `timers` figures: what a sweep costs when a million timers are open, how many fire a second, and how late the last is.

Everything goes through the real workflow engine on a database with fsync on: a missed deadline moves the issue up, closes
and opens a hop, appends to its chain, sets the next timer and writes to the outbox. Workers are processes of their own.
"""

import contextlib
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import sqlalchemy as sa
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from gridgov import db, embedded, jobs, migrate, outbox, timers
from gridgov.app import create_app
from gridgov.config import Config
from tests import seed

SECRET = "benchmark-" * 4
OPEN = (10_000, 1_000_000)
DUE = 100
ROUNDS = 7
MANY = 100_000
WORKERS = 2
FAULTS = 20_000
TOLD = 400
COUNTED = ("faults_missed", "faults_doubled", "faults_lost_notices", "faults_notices_twice")
Figures = Iterator[tuple[str, float, str]]

ISSUES = """
INSERT INTO issues (id, number, grid_code, category_code, line, grade, text, reporter_id, confidential, state, unit_code,
    hop_n, generation, due_at, warn_at, due_provisional, rework_count, reported_at)
SELECT uuidv7(), :prefix || '-' || i, :micro, '0203', 'safety', 'C', '路边三轮车违规载人', :reporter, false, 'reported', :micro,
    1, 0, CAST(:due AS timestamptz) + i * CAST(:apart AS interval), now(), false, 0, now() - interval '1 day'
FROM generate_series(1, :n) AS i
"""
REST = (
    """INSERT INTO hops (issue_id, n, unit_code, entered_at, entered_by)
       SELECT id, 1, unit_code, reported_at, 'report' FROM issues WHERE number LIKE :like""",
    """INSERT INTO issue_events (issue_id, seq, name, to_state, actor_id, actor_role, hop_n, unit_code, data, due_at, at)
       SELECT id, 1, 'report', 'reported', reporter_id, 'reporter', 1, unit_code, '{}', due_at, reported_at
       FROM issues WHERE number LIKE :like""",
    """INSERT INTO timers (subject_kind, subject_id, kind, generation, started_at, budget_s, clock, due_at, run_at,
           provisional, state, attempts)
       SELECT 'issue', id, 'accept', 0, reported_at, 14400, 'urgent_hour', due_at, due_at, false, 'open', 0
       FROM issues WHERE number LIKE :like""",
)


def figures() -> Figures:
    """Measure and yield (name, value, unit)."""
    cost = {n: _sweep_cost(n) for n in OPEN}
    small, large = (cost[n] for n in OPEN)
    yield "sweep_cost_ratio", large / small, "ratio"
    yield "sweep_100_of_10k_ms", small * 1000, "ms"
    yield "sweep_100_of_1m_ms", large * 1000, "ms"
    lag, rate = _all_at_once(MANY)
    yield "timers_per_s", rate, "1/s"
    yield "timer_lag_100k_s", lag, "s"
    together, apart = _deliveries(TOLD)
    yield "deliveries_per_s", together, "1/s"
    yield "deliveries_together_vs_apart", together / apart, "ratio"
    for name, value in _faults(FAULTS).items():
        yield name, value, "count"


def _deliveries(many: int) -> tuple[float, float]:
    """Rows of the outbox a second, each telling four people, by one worker that leases them to itself through Redis.

    (as it is, delivering the rows of a job one by one): medians of ROUNDS each, in turn.
    """
    rates: dict[bool, list[float]] = {True: [], False: []}
    with _filled() as config, embedded.Redis(config.var / "redis") as redis:
        jobs.connect(redis.url)
        together = dict(outbox._together)
        for number in range(2 * ROUNDS):
            fill(f"told{number}", many, due="now() - interval '1 hour'", apart="0")
            while timers.sweep():
                continue
            outbox._together.clear()
            outbox._together.update(together if number % 2 else {})
            begin = time.perf_counter()
            while outbox.relay():
                queues = [jobs.queue(name) for name in jobs.QUEUES]
                SimpleWorker(queues, connection=jobs.connection(), serializer=JSONSerializer).work(burst=True, logging_level="CRITICAL")
            rates[bool(number % 2)].append(many / (time.perf_counter() - begin))
        outbox._together.update(together)
        with db.transaction():
            left = db.session.scalar(sa.text("SELECT count(*) FROM outbox WHERE done_at IS NULL"))
        if left:
            raise RuntimeError(f"{left} rows are not delivered")
    print(f"  deliveries/s together {rates[True]}, apart {rates[False]}", file=sys.stderr)
    return median(rates[True]), median(rates[False])


def _faults(many: int) -> dict[str, int]:
    """What bench/faults.py counts of `many` deadlines while everything is being killed; it forks, so a process of its own."""
    argv = [sys.executable, "-m", "bench.faults", "--timers", str(many)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)  # Status 1: what it counted is not 0.
    counted = dict(line.split() for line in done.stdout.splitlines())
    return {name: int(counted[name]) for name in COUNTED}


def _sweep_cost(waiting: int) -> float:
    """Seconds for a sweep that finds DUE due among `waiting` open: the median of ROUNDS."""
    with _filled() as config:
        fill("open", waiting, due="now() + interval '30 days'", apart="1 second")
        times = []
        for i in range(ROUNDS + 1):
            fill(f"due{i}", DUE, due="now() - interval '1 hour'", apart="0")
            _settle()
            if i == 1:
                print(f"  {DUE} due of {waiting} open:\n{explained()}", file=sys.stderr)
            begin = time.perf_counter()
            fired = timers.sweep(DUE)
            times.append(time.perf_counter() - begin)
            if fired != DUE:
                raise RuntimeError(f"{fired} of {DUE} fired")
        print(f"  {waiting} open: {[round(t * 1000) for t in times[1:]]} ms", file=sys.stderr)
        del config
        return median(times[1:])  # The first one compiled its statements.


def _all_at_once(many: int) -> tuple[float, float]:
    """(seconds until the last of `many` due at one instant has fired, timers a second), by WORKERS processes."""
    with _filled() as config:
        fill("due", many, due="now() + interval '1 hour'", apart="0")
        _settle()
        context = multiprocessing.get_context("spawn")
        ready, start = context.Semaphore(0), context.Event()
        workers = [context.Process(target=_work, args=(config.database_url, ready, start)) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        for _worker in workers:
            ready.acquire()
        with db.transaction():
            db.session.execute(sa.text("UPDATE timers SET due_at = now(), run_at = now() WHERE state = 'open'"))
        _settle()
        begin = time.perf_counter()
        start.set()
        for worker in workers:
            worker.join()
        took = time.perf_counter() - begin
        with db.transaction():
            counted = db.session.execute(
                sa.text(
                    "SELECT (SELECT count(*) FROM issue_events WHERE name = 'overdue_up'),"
                    " (SELECT count(*) FROM timers WHERE state = 'open'), (SELECT count(*) FROM outbox)"
                )
            ).one()
        if tuple(counted) != (many, many, many):
            raise RuntimeError(f"of {many}: {counted} events, next timers, messages")
        return took, many / took


def _work(url: str, ready, start) -> None:
    """One worker: sweeps until nothing is due."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Config.from_env({}, database_url=url, redis_url="redis://127.0.0.1:1", var=Path(folder), secret_key=SECRET))
        with app.app_context():
            timers.sweep()
            ready.release()
            start.wait()
            while timers.sweep():
                continue


def explained() -> str:
    """How PostgreSQL finds what is due: the plan of the sweep's own statement."""
    with db.transaction():
        query = timers.claiming("issue", DUE).compile(db.session.get_bind(), compile_kwargs={"literal_binds": True})
        plan = db.session.connection().exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {query}")
        return "\n".join(f"    {line}" for (line,) in plan)


@contextlib.contextmanager
def _filled() -> Iterator[Config]:
    """An application on a database of its own with the small city in it."""
    with tempfile.TemporaryDirectory(prefix="gg-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with embedded.Postgres(folder / "pg") as pg:
            config = Config.from_env(
                {}, database_url=pg.url, redis_url="redis://127.0.0.1:1", var=folder, secret_key=SECRET,
                statement_timeout_ms=600_000,
            )  # fmt: skip
            app = create_app(config)
            migrate.upgrade(app.extensions["engine"])
            with app.app_context():
                with db.transaction():
                    seed.small_city()
                try:
                    yield config
                finally:
                    db.session.remove()
                    app.extensions["engine"].dispose()


def fill(prefix: str, n: int, *, due: str, apart: str) -> None:
    """Write n issues in the first state, each with hop, event and timer."""
    with db.transaction():
        instant = db.session.scalar(sa.text(f"SELECT {due}"))
        given = {"prefix": prefix, "n": n, "micro": seed.MICRO, "reporter": seed.City().worker.id, "due": instant, "apart": apart}
        db.session.execute(sa.text(ISSUES), given)
        for statement in REST:
            db.session.execute(sa.text(statement), {"like": f"{prefix}-%"})


def _settle() -> None:
    """As autovacuum leaves it: statistics and visibility up to date, and what is written flushed."""
    engine = db.session.get_bind()
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:  # type: ignore[union-attr]
        connection.execute(sa.text("VACUUM ANALYZE timers, issues, hops, issue_events"))
