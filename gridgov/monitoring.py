"""What a server tells those who run it: a line in the log for each request, and `/metrics` for Prometheus.

Requests are named by their route's template, never by their address, which holds what people look for.
"""

import hmac
import logging
import time
from datetime import date
from ipaddress import ip_address

import redis
from flask import Blueprint, Flask, Response, abort, current_app, g, request
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.core import Metric
from sqlalchemy.exc import DBAPIError

from gridgov import db, health, jobs, logs, metrics
from gridgov.web import no_transaction, request_id
from gridgov.worktime import inforce

bp = Blueprint("monitoring", __name__)
log = logging.getLogger("gridgov.access")
QUIET = {"assets", "static", "health.alive", "health.ready", "monitoring.scrape"}
"""Asked so often, and so dull, that they stand in the log at level DEBUG only."""
PROXIED = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")
YEARS_AHEAD = 5


def init_app(app: Flask) -> None:
    """Time and log every request of the app."""

    @app.before_request
    def begin() -> None:
        g.began_s = time.perf_counter()
        logs.bind(request_id())

    @app.after_request
    def note(answer: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else None
        seconds = time.perf_counter() - g.get("began_s", time.perf_counter())
        metrics.took(route, request.method, answer.status_code, seconds)
        level = logging.DEBUG if request.endpoint in QUIET else logging.INFO
        if log.isEnabledFor(level):
            method = request.method if request.method in metrics.METHODS else "other"
            told = {"route": route or metrics.NO_ROUTE, "method": method, "status": answer.status_code}
            log.log(level, "request", extra={**told, "duration_ms": round(seconds * 1000, 1)})
        return answer


@bp.get("/metrics")
@no_transaction
def scrape() -> Response:
    """All figures, for who may have them; for everybody else there is nothing here."""
    if not _may_scrape():
        abort(404)
    answer = Response(metrics.exposition(_gauges()), content_type=CONTENT_TYPE_LATEST)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _may_scrape() -> bool:
    """With a token configured, who shows it; without one, a program on this very host that came by no proxy."""
    token = current_app.config["GRIDGOV"].metrics_token
    if token:
        given = request.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
    if any(name in request.headers for name in PROXIED):
        return False
    try:
        return ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


def _gauges() -> list[Metric]:
    """What can be measured: what belongs to a part that is away is left out, and the part is said to be away."""
    probe: health.Probe = current_app.extensions["gridgov_health"]
    database, schema = probe.schema()
    broker = probe.redis()
    serving = database == health.OK and schema in (health.OK, health.AHEAD)
    parts = {
        "database": float(database == health.OK), "schema": float(serving), "redis": float(broker == health.OK)
    }  # fmt: skip
    found = [
        metrics.gauge("part_up", "Whether a part answers and fits: 1 or 0.", parts, "part"),
        metrics.gauge(
            "degraded", "1 while something waits for a part that is away.", float(not all(parts.values()))
        ),
    ]
    if serving:
        try:
            with db.transaction():
                found += [*metrics.behind(), _horizon()]
        except DBAPIError as error:  # It went away between the two questions.
            log.warning("not measured: %s", type(error).__name__)
    if broker == health.OK:
        try:
            found += _queues()
        except redis.RedisError as error:
            log.warning("not measured: %s", type(error).__name__)
    return found


def _queues() -> list[Metric]:
    queues = {name: jobs.queue(name) for name in jobs.QUEUES}
    waiting = {name: float(queue.count) for name, queue in queues.items()}
    failed = {name: float(queue.failed_job_registry.count) for name, queue in queues.items()}
    return [
        metrics.gauge("queue_jobs", "Jobs that wait for a worker.", waiting, "queue"),
        metrics.gauge("queue_failed_jobs", "Jobs that failed in the last seven days.", failed, "queue"),
    ]


def _horizon() -> Metric:
    """Days until the calendar is only a guess: to the end of the last year, this one and those after it, that is published."""
    today = db.utcnow().date()
    year = today.year
    while year < today.year + YEARS_AHEAD and inforce.published(year):
        year += 1
    days = max(0, (date(year, 1, 1) - today).days) if year > today.year else 0
    return metrics.gauge(
        "calendar_horizon_days", "Days for which the official calendar of working days is known.", days
    )
