"""`/metrics`: who may have it, what it says, that it stays cheap and never names what people look for."""

import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from gridgov import db, health, jobs, metrics, outbox, timers
from gridgov.db import session, utcnow
from tests import seed

TOKEN = "a-token-for-the-scraper"
ELSEWHERE = {"REMOTE_ADDR": "10.2.3.4"}


@pytest.fixture
def scrape(app, db_session):
    """Asks for the figures as a program would: scrape(header=…, environ_base=…) -> answer."""

    def ask(authorization=None, environ_base=None, **headers):
        if authorization is not None:
            headers["Authorization"] = authorization
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return app.test_client().get("/metrics", headers=given, environ_base=environ_base or {})

    return ask


@pytest.fixture
def with_token(app, monkeypatch):
    """The same application with a token configured."""
    import dataclasses

    monkeypatch.setitem(app.config, "GRIDGOV", dataclasses.replace(app.config["GRIDGOV"], metrics_token=TOKEN))


def figures(answer):
    """Name with labels → value."""
    assert answer.status_code == 200
    lines = [line for line in answer.get_data(as_text=True).splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _space, value in (line.rpartition(" ") for line in lines)}


# Who may ------------------------------------------------------------------------------------------------------


def test_without_a_token_a_program_on_this_host_may_ask(scrape):
    answer = scrape()
    assert answer.status_code == 200 and answer.content_type.startswith("text/plain")
    assert answer.headers["Cache-Control"] == "no-store"
    assert scrape(environ_base={"REMOTE_ADDR": "::1"}).status_code == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_without_a_token_what_came_by_a_proxy_finds_nothing(scrape, header):
    assert scrape(**{header: "127.0.0.1"}).status_code == 404


@pytest.mark.parametrize("address", ["10.2.3.4", "192.168.0.1", "2001:db8::1", "", "nonsense"])
def test_without_a_token_nobody_elsewhere_finds_anything(scrape, address):
    assert scrape(environ_base={"REMOTE_ADDR": address}).status_code == 404
    assert scrape("Bearer ", environ_base={"REMOTE_ADDR": address}).status_code == 404


def test_with_a_token_who_shows_it_may_ask_from_anywhere(scrape, with_token):
    assert scrape(f"Bearer {TOKEN}", environ_base=ELSEWHERE).status_code == 200
    assert scrape(f"Bearer {TOKEN}", X_Forwarded_For="10.9.9.9").status_code == 200


@pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", TOKEN, f"Basic {TOKEN}",
                                   "Bearer \xe9\xe9"])  # fmt: skip
def test_with_a_token_nobody_without_it_finds_anything_not_even_here(scrape, with_token, given):
    answer = scrape(given)
    assert answer.status_code == 404
    assert "gridgov_" not in answer.get_data(as_text=True)


def test_what_people_may_makes_no_difference(app, client, city):
    for key in ("administrator", "auditor", "city_office"):
        browser = client.browser(city.person(key))
        assert browser.get("/metrics", environ_base=ELSEWHERE).status_code == 404


def test_a_refusal_is_that_of_an_unknown_address(app, scrape):
    def words(answer):
        if answer.is_json:
            return {name: value for name, value in answer.get_json().items() if name != "request_id"}
        return re.findall(r'data-code="(\w+)">([^<]+)<', answer.get_data(as_text=True))

    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Accept": "application/json"}):
        refused, unknown = (
            app.test_client().get(path, environ_base=ELSEWHERE, headers=headers) for path in ("/metrics", "/nowhere")
        )
        assert (refused.status_code, refused.content_type) == (unknown.status_code, unknown.content_type)
        assert (unknown.status_code, words(refused)) == (404, words(unknown))


# What it says about requests ------------------------------------------------------------------------------------


def counted(answer):
    """(route, method, status) → how many requests."""
    pattern = re.compile(r'gridgov_http_request_seconds_count\{method="(.*)",route="(.*)",status="(.*)"\}')
    return {(m[2], m[1], m[3]): n for name, n in figures(answer).items() if (m := pattern.fullmatch(name))}


def test_requests_are_counted_by_template_method_and_class_of_status(scrape, client, city):
    before = counted(scrape())
    issue = city.report()
    for _ in range(3):
        assert client.get(f"/api/v1/issues/{issue.id}", city.worker).status_code == 200
    assert client.get(f"/api/v1/issues/{issue.id}", city.foreign_worker).status_code == 404
    after = counted(scrape())
    route = "/api/v1/issues/<uuid:issue_id>"
    assert after[route, "GET", "2xx"] - before.get((route, "GET", "2xx"), 0) == 3
    assert after[route, "GET", "4xx"] - before.get((route, "GET", "4xx"), 0) == 1


def test_unknown_addresses_and_made_up_methods_make_no_label_of_their_own(app, scrape, city):
    app.test_client().get("/not-there")
    app.test_client().open("/not-there", method="BREW")
    labels = set(counted(scrape()))
    for n in range(20):
        app.test_client().get(f"/{n}/{seed.PHONES['worker']}?q={seed.PHONES['worker']}")
        app.test_client().open("/", method=f"M{n}")
        app.test_client().get(f"/issues/{uuid4()}")
    after = scrape()
    assert len(set(counted(after)) - labels) <= 2  # The start page by a made-up method, the issue page without sign-in.
    assert seed.PHONES["worker"] not in after.get_data(as_text=True)


CHILD = """
import sys
from gridgov import metrics
for _ in range(int(sys.argv[1])):
    metrics.took("/todo", "GET", 200, 0.02)
"""


def test_one_process_answers_for_all_of_its_server(tmp_path):
    """Two processes count; a third is asked and gives the sum."""
    env = {**os.environ, metrics.FOLDER: str(metrics.fresh_folder(tmp_path, 8000))}
    for times in ("3", "4"):
        subprocess.run([sys.executable, "-c", CHILD, times], env=env, check=True)
    ask = "from gridgov import metrics; print(metrics.exposition([]).decode())"
    told = subprocess.run([sys.executable, "-c", ask], env=env, check=True, capture_output=True, text=True).stdout
    assert 'gridgov_http_request_seconds_count{method="GET",route="/todo",status="2xx"} 7.0' in told
    assert 'le="0.025",method="GET",route="/todo",status="2xx"} 7.0' in told
    again = metrics.fresh_folder(tmp_path, 8000)
    assert list(again.iterdir()) == []  # The next start counts from nought.


def test_a_folder_that_cannot_be_written_is_replaced_by_a_temporary_one(tmp_path):
    (tmp_path / "file").touch()
    folder = metrics.fresh_folder(tmp_path / "file", 8000)
    assert folder.is_dir() and not list(folder.iterdir())
    folder.rmdir()


# What it says about what waits ------------------------------------------------------------------------------------


def test_an_idle_city_is_behind_with_nothing(scrape):
    found = figures(scrape())
    for name in ("timer_lag_seconds", "timers_dead", "outbox_oldest_seconds", "outbox_waiting", "outbox_dead", "delivery_lag_seconds"):
        assert found[f"gridgov_{name}"] == 0, name
    assert found["gridgov_degraded"] == 0
    assert [found[f'gridgov_part_up{{part="{part}"}}'] for part in ("database", "schema", "redis")] == [1, 1, 1]
    assert found["gridgov_calendar_horizon_days"] >= 0


def test_a_deadline_that_nobody_fires_is_seen_and_so_is_what_was_not_told(scrape, city):
    city.report()
    assert figures(scrape())["gridgov_timer_lag_seconds"] == 0
    db.set_clock(utcnow() + timedelta(hours=5))
    session.commit()
    found = figures(scrape())
    assert 3600 * 1 - 5 <= found["gridgov_timer_lag_seconds"] <= 3600 * 2  # Due after four hours, or warned before that.
    assert found["gridgov_outbox_waiting"] == 1 and found["gridgov_outbox_oldest_seconds"] >= 5 * 3600 - 5
    session.execute(sa.update(timers.Timer).values(state="dead"))
    session.execute(sa.update(outbox.Outgoing).values(dead_at=utcnow()))
    session.commit()
    found = figures(scrape())
    assert (found["gridgov_timers_dead"], found["gridgov_outbox_dead"]) == (1, 1)
    assert (found["gridgov_timer_lag_seconds"], found["gridgov_outbox_waiting"]) == (0, 0)


def test_jobs_that_wait_are_counted_by_queue(scrape):
    queue = jobs.queue("default")
    queue.empty()
    queue.enqueue("gridgov.jobs.run", "nothing")
    try:
        assert figures(scrape())['gridgov_queue_jobs{queue="default"}'] == 1
    finally:
        queue.empty()


def test_the_calendar_is_known_to_the_end_of_the_last_published_year(scrape):
    db.set_clock(utcnow().replace(year=2026, month=12, day=1))
    session.commit()
    assert figures(scrape())["gridgov_calendar_horizon_days"] == 31
    db.set_clock(utcnow().replace(year=2030))
    session.commit()
    assert figures(scrape())["gridgov_calendar_horizon_days"] == 0


@pytest.mark.parametrize(("away", "up"), [("database", (0, 0, 1)), ("redis", (1, 1, 0))])
def test_a_part_that_is_away_is_said_to_be_and_the_rest_is_still_told(app, scrape, servers, template, monkeypatch, away, up):
    from tests.conftest import named

    nowhere = {"database": "postgresql://nobody@127.0.0.1:1/none", "redis": "redis://127.0.0.1:1/0"}
    url = {"database": named(servers[0], template), "redis": servers[1], away: nowhere[away]}
    monkeypatch.setitem(app.extensions, "gridgov_health", health.Probe(url["database"], url["redis"]))
    found = figures(scrape())
    assert tuple(found[f'gridgov_part_up{{part="{part}"}}'] for part in ("database", "schema", "redis")) == up
    assert found["gridgov_degraded"] == 1
    assert ("gridgov_timer_lag_seconds" in found) == (away != "database")
    assert ('gridgov_queue_jobs{queue="default"}' in found) == (away != "redis")
    assert any(name.startswith("gridgov_http_request_seconds_count") for name in found)


def test_what_is_open_and_not_due_costs_nothing(db_session, city):
    """The statement finds what is late by partial indexes, however much is open. gridgov's own limit is a few ms."""
    issue = city.report()
    now = utcnow()
    assert issue.due_at and issue.due_at > now
    fill = """
        INSERT INTO timers (subject_kind, subject_id, kind, generation, started_at, budget_s, clock, due_at, run_at, provisional, state, attempts)
        SELECT 'issue', gen_random_uuid(), 'accept', 0, :now, 3600, 'natural_hour', t, t, false, 'open', 0
        FROM (SELECT CAST(:now AS timestamptz) + make_interval(secs => n) AS t FROM generate_series(60, 30060) AS n) AS ahead"""
    session.execute(sa.text(fill), {"now": now})
    session.execute(sa.text("ANALYZE timers, outbox, deliveries"))
    [[plan]] = session.execute(sa.text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {metrics.MEASURE.text}"))
    told = plan if isinstance(plan, list) else json.loads(plan)
    nodes, waiting = [], [told[0]["Plan"]]
    while waiting:
        node = waiting.pop()
        nodes.append(node)
        waiting += node.get("Plans", [])
    on_timers = [node for node in nodes if node.get("Relation Name") == "timers"]
    assert {node.get("Index Name") for node in on_timers} <= {"ix_timers_due", "ix_timers_dead"}
    assert len(on_timers) == 2 and not [node for node in on_timers if node["Node Type"] == "Seq Scan"]
    assert sum(node["Actual Rows"] for node in on_timers) <= 2
    assert sum(node["Shared Hit Blocks"] + node["Shared Read Blocks"] for node in on_timers) < 20


def test_the_example_of_alarms_names_figures_that_there_are(scrape):
    known = set(re.findall(r"^# TYPE (\S+)", scrape().get_data(as_text=True), re.MULTILINE))
    root = Path(__file__).resolve().parent.parent
    rules = (root / "docs/deploy/alerts.yaml").read_text("utf-8")
    used = {name.removesuffix("_bucket").removesuffix("_count") for name in re.findall(r"gridgov_\w+", rules)}
    assert used and used <= known
    described = (root / "docs/operate.md").read_text("utf-8")
    assert [name for name in sorted(known) if name not in described] == []
