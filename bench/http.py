"""The `http` figures: reports, moves, the queue and an issue page against a bare Flask view, on the same kind of server.

Work: 100,000 issues present. An eighteenth of them, as in Wugang, lies in the township whose queue is shown, one in ten of
those open; 44,000 in another one wait to be accepted, and new reports come there too. Two servers of two processes each
(granian, as in production) on one database with fsync on; 16 clients in a closed loop. Rounds are interleaved: bare, then
each kind in turn; the ratio of a round is to the mean of the bare runs before and after it. Medians over the rounds. CPU is
that of web processes and database during the round.
"""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bench import load
from gridgov import db, embedded, migrate
from gridgov.app import create_app
from gridgov.config import Config
from gridgov.issues import actions
from gridgov.people import sessions, sign_in, tokens
from tests import seed

ISSUES = 100_000
ROUNDS = 5
SECONDS = 4.0
SECRET = "benchmark-" * 4
Figures = Iterator[tuple[str, float, str]]


@dataclass
class Bench:
    """Two running servers on a filled database, and who asks."""

    port: int
    bare_port: int
    pids: list[int]
    report_token: str
    accept_token: str
    cookie: str
    accept_ids: list[UUID]
    page_id: UUID


def figures() -> Figures:
    """Measure and yield (name, value, unit)."""
    with _running() as bench:
        requests = _requests(bench)
        at = dict.fromkeys(requests, 0)
        rates: dict[str, list[float]] = {name: [] for name in requests}
        p99: dict[str, list[float]] = {name: [] for name in requests}
        cpu: dict[str, list[float]] = {name: [] for name in requests}
        order = [name for name in requests if name != "bare"]
        for name in requests:  # Caches, connections and prepared statements first.
            at[name] = _round(bench, requests, name, at[name], 1.0)[2]
        bare: list[float] = []
        for _ in range(ROUNDS):
            for name in order:
                before, _cpu_s, at["bare"] = _round(bench, requests, "bare", at["bare"], SECONDS / 2)
                got, used, at[name] = _round(bench, requests, name, at[name], SECONDS)
                after, _more, at["bare"] = _round(bench, requests, "bare", at["bare"], SECONDS / 2)
                base = (before.rate + after.rate) / 2
                bare.append(base)
                rates[name].append(got.rate / base)
                rates.setdefault(f"{name}_per_s", []).append(got.rate)
                p99[name].append(got.quantile(0.99) / median([before.quantile(0.99), after.quantile(0.99)]))
                cpu[name].append(used * 1000 / len(got.times))
                said = f"{got.rate:.0f}/s, bare {base:.0f}/s, {cpu[name][-1]:.2f} ms CPU, p99 {got.quantile(0.99) * 1000:.0f} ms"
                print(f"  {name}: {said}", file=sys.stderr)
        yield "intake_cpu_ms", median(cpu["intake"]), "ms"
        yield "intake_vs_bare", median(rates["intake"]), "ratio"
        yield "intake_p99_vs_bare", median(p99["intake"]), "ratio"
        yield "transition_vs_bare", median(rates["transition"]), "ratio"
        yield "queue_vs_bare", median(rates["queue"]), "ratio"
        yield "issue_page_vs_bare", median(rates["issue_page"]), "ratio"
        yield "bare_per_s", median(bare), "1/s"
        for name in order:
            yield f"{name}_per_s", median(rates[f"{name}_per_s"]), "1/s"
        for name in order[1:]:
            yield f"{name}_cpu_ms", median(cpu[name]), "ms"


def _requests(bench: Bench) -> dict[str, load.Request]:
    bearer = {"Authorization": f"Bearer {bench.report_token}"}
    chief = {"Authorization": f"Bearer {bench.accept_token}"}
    cookie = {"Cookie": f"gridgov={bench.cookie}"}
    body = f'{{"category": "0203", "text": "村口三轮车违规载人，下坡没有减速", "grid_code": "{seed.FOREIGN_MICRO}"}}'.encode()
    return {
        "bare": lambda i: load.http("POST", "/bare", {}, b'{"text": "a broken guard rail"}'),
        "intake": lambda i: load.http("POST", "/api/v1/issues", bearer, body),
        "transition": lambda i: load.http(
            "POST", f"/api/v1/issues/{bench.accept_ids[i]}/events", chief, b'{"name": "accept"}'
        ),
        "queue": lambda i: load.http("GET", "/desk?view=all", cookie),
        "issue_page": lambda i: load.http("GET", f"/issues/{bench.page_id}", cookie),
    }


def _round(
    bench: Bench, requests: dict[str, load.Request], name: str, start: int, seconds: float
) -> tuple[load.Load, float, int]:
    port = bench.bare_port if name == "bare" else bench.port
    before = _cpu(bench.pids)
    got, following = load.run(port, requests[name], seconds=seconds, start=start)
    if got.failed:
        raise RuntimeError(f"{name}: {got.failed} of {len(got.times)} failed: {got.first_failure}")
    return got, _cpu(bench.pids) - before, following


def _cpu(roots: list[int]) -> float:
    """CPU seconds used so far by these processes, all below them, and their children that have ended."""
    parents: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    tick = os.sysconf("SC_CLK_TCK")
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # It ended while we looked.
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
            used[int(entry.name)] = sum(map(int, fields[11:15])) / tick
    total, front = 0.0, list(roots)
    while front:
        pid = front.pop()
        total += used.get(pid, 0.0)
        front += parents.get(pid, [])
    return total


@contextlib.contextmanager
def _running() -> Iterator[Bench]:
    with (
        tempfile.TemporaryDirectory(prefix="gg-bench-", ignore_cleanup_errors=True) as name,
        contextlib.ExitStack() as stack,
    ):
        folder = Path(name)
        folder.chmod(0o755)
        pg = stack.enter_context(embedded.Postgres(folder / "pg"))
        red = stack.enter_context(embedded.Redis(folder / "redis"))
        config = Config.from_env(
            {}, database_url=pg.url, redis_url=red.url, var=folder, secret_key=SECRET, rate_limits=False
        )
        print("  filling the database …", file=sys.stderr)
        given = _fill(config)
        env = os.environ | {
            "GRIDGOV_DATABASE_URL": pg.url, "GRIDGOV_REDIS_URL": red.url, "GRIDGOV_VAR": str(folder),
            "GRIDGOV_SECRET_KEY": SECRET, "GRIDGOV_RATE_LIMITS": "false",
        }  # fmt: skip
        ports, pids = [], [_postmaster(folder / "pg")]
        for target in ("wsgi:server", "bench.bare:app"):
            ports.append(_free_port())
            server = stack.enter_context(_server(target, ports[-1], env))
            pids.append(server.pid)
        yield Bench(ports[0], ports[1], pids, *given)


@contextlib.contextmanager
def _server(target: str, port: int, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Granian with two processes, the application as in production; the bare view as plain WSGI, which is no slower."""
    argv = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        *(("rsgi", "--loop", "uvloop") if target == "wsgi:server" else ("wsgi",)),
        "--workers",
        "2",
        "--port",
        str(port),
        "--no-ws",
        target,
    ]
    process = subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        else:
            raise RuntimeError(f"{target} does not answer")
        yield process
    finally:
        process.terminate()
        process.wait(20)


def _fill(config: Config) -> tuple[str, str, str, list[UUID], UUID]:
    app = create_app(config)
    migrate.upgrade(app.extensions["engine"])
    with app.app_context():
        with db.transaction():
            seed.small_city()
        city = seed.City()
        with db.transaction():
            db.session.execute(
                sa.text(
                    "CREATE TABLE bench_bare (id bigserial PRIMARY KEY, text text, at timestamptz DEFAULT now())"
                )
            )
            _bulk(city.worker.id)
        with db.transaction():
            page_id = _long_story(city)
            report_token = tokens.create("bench", ["report"], actor=city.foreign_worker)[1]
            accept_token = tokens.create("bench", ["act"], actor=city.foreign_micro_chief)[1]
            session_token = sign_in.open_session(
                city.township_office, client=sign_in.Client(ip="127.0.0.1", agent="bench"), config=config
            )
            ids = db.session.scalars(
                sa.text(
                    "SELECT id FROM issues WHERE unit_code = :micro AND state = 'reported' ORDER BY id LIMIT 40000"
                ),
                {"micro": seed.FOREIGN_MICRO},
            ).all()
        browser = app.test_client()
        with browser.session_transaction() as cookie:
            cookie[sessions.TOKEN] = session_token
            cookie.permanent = True
        value = browser.get_cookie("gridgov")
    with app.extensions["engine"].connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))
    db.session.remove()
    app.extensions["engine"].dispose()
    if value is None:
        raise RuntimeError("no cookie")
    return report_token, accept_token, value.value, list(ids), page_id


def _bulk(reporter: UUID) -> None:
    """The issues present, each with its hop, event and, when open, its timer."""
    db.session.execute(
        sa.text(
            """
            INSERT INTO issues (id, number, grid_code, category_code, line, grade, text, reporter_id, confidential, state,
                unit_code, hop_n, generation, due_at, warn_at, due_provisional, rework_count, reported_at, ended_at)
            SELECT uuidv7(make_interval(mins => i - :n)), 'WG-20260101-' || i, code, '0203', 'safety', 'C',
                '第' || i || '号：路边三轮车违规载人', :reporter, false, CASE WHEN open THEN 'reported' ELSE 'closed' END,
                code, 1, 0, CASE WHEN open THEN now() + make_interval(hours => i % 200) END,
                CASE WHEN open THEN now() + make_interval(hours => i % 200 - 20) END, false, 0,
                now() - make_interval(mins => :n - i), CASE WHEN NOT open THEN now() END
            FROM (SELECT i, CASE WHEN i % 18 = 0 THEN (ARRAY[:micro, :sibling])[1 + i / 18 % 2] ELSE :elsewhere END AS code,
                         CASE WHEN i % 18 = 0 THEN i / 18 % 10 = 1 ELSE i % 18 <= 8 END AS open
                  FROM generate_series(1, :n) AS i) AS numbers
            """
        ),
        {
            "n": ISSUES, "reporter": reporter, "micro": seed.MICRO, "sibling": seed.SIBLING_MICRO,
            "elsewhere": seed.FOREIGN_MICRO,
        },
    )  # fmt: skip
    for statement in (
        """INSERT INTO hops (issue_id, n, unit_code, entered_at, entered_by, left_at)
           SELECT id, 1, unit_code, reported_at, 'report', ended_at FROM issues""",
        """INSERT INTO issue_events (issue_id, seq, name, to_state, actor_id, actor_role, hop_n, unit_code, data, due_at, at)
           SELECT id, 1, 'report', 'reported', reporter_id, 'reporter', 1, unit_code, '{}', due_at, reported_at FROM issues""",
        """INSERT INTO timers (subject_kind, subject_id, kind, generation, started_at, budget_s, clock, due_at, run_at,
               provisional, state, attempts)
           SELECT 'issue', id, 'accept', 0, reported_at, 14400, 'urgent_hour', due_at, due_at, false, 'open', 0
           FROM issues WHERE ended_at IS NULL""",
    ):
        db.session.execute(sa.text(statement))


def _long_story(city: seed.City) -> UUID:
    """An issue with twelve events, made by the real actions."""
    issue: Any = city.report("resident")
    actions.act(issue, "accept", actor=city.micro_chief)
    for i in range(8):
        actions.act(issue, "note", actor=city.micro_chief, data={"note": f"第{i + 1}次上门"})
    actions.act(issue, "escalate", actor=city.micro_chief, data={"reason": "组里办不了"})
    actions.act(issue, "escalate", actor=city.village_chief, data={"reason": "村里办不了"})
    return issue.id


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _postmaster(directory: Path) -> int:
    return int((directory / "postmaster.pid").read_text().splitlines()[0])
