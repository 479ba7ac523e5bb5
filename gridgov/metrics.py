"""Figures for Prometheus: how long requests took, kept by each web process, and how far behind we are, read when asked.

The web processes of one `gridgov web` keep their histograms in files of one folder, so that whichever is asked answers for
all. What depends on the database alone is the same whoever is asked, and costs one statement on partial indexes.
docs/operate.md says what each figure means.
"""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from gridgov.db import session

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # The library's own name for it.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
NO_ROUTE = "none"
COUNTED_UP_TO = 1000  # Rows that wait are counted no further, so that a long queue does not make asking slow.
disable_created_metrics()  # When a process first saw a route says nothing.
_own = CollectorRegistry()
_took = Histogram(
    "gridgov_http_request_seconds", "Time from a request to its answer, by route template.",
    ["route", "method", "status"], buckets=BUCKETS, registry=_own,
)  # fmt: skip
# name: what it says. The statement below has a column for each.
BEHIND = {
    "timer_lag_seconds": "How long the oldest deadline that is due has waited to be fired.",
    "timers_dead": "Deadlines that failed so often that they are not tried any more.",
    "outbox_oldest_seconds": "Age of the oldest message not yet handed on, of the thousand that are next.",
    "outbox_waiting": "Messages not yet handed on; counted up to 1000.",
    "outbox_dead": "Messages that failed so often that they are not tried any more.",
    "delivery_lag_seconds": "How long the oldest delivery to the outside that is due has waited.",
    "oldest_transaction_seconds": "How long the oldest open transaction has kept old rows from being cleared away.",
}
MEASURE = sa.text(
    f"""
    WITH waiting AS (
        SELECT created_at FROM outbox WHERE done_at IS NULL AND dead_at IS NULL ORDER BY run_at LIMIT {COUNTED_UP_TO}
    )
    SELECT
        (SELECT extract(epoch FROM app_now() - run_at) FROM timers
            WHERE state = 'open' AND run_at <= app_now() ORDER BY run_at LIMIT 1) AS timer_lag_seconds,
        (SELECT count(*) FROM timers WHERE state = 'dead') AS timers_dead,
        (SELECT extract(epoch FROM app_now() - min(created_at)) FROM waiting) AS outbox_oldest_seconds,
        (SELECT count(*) FROM waiting) AS outbox_waiting,
        (SELECT count(*) FROM outbox WHERE dead_at IS NOT NULL) AS outbox_dead,
        (SELECT extract(epoch FROM app_now() - due_at) FROM deliveries
            WHERE due_at IS NOT NULL AND due_at <= app_now() ORDER BY due_at LIMIT 1) AS delivery_lag_seconds,
        (SELECT extract(epoch FROM max(now() - xact_start)) FROM pg_stat_activity
            WHERE datname = current_database() AND backend_type = 'client backend') AS oldest_transaction_seconds
    """  # noqa: S608
)


def took(route: str | None, method: str, status: int, seconds: float) -> None:
    """Note one answered request. An address that no route has, and a made-up method, get no label of their own."""
    method = method if method in METHODS else "other"
    _took.labels(route or NO_ROUTE, method, f"{status // 100}xx").observe(seconds)


def behind() -> list[Metric]:
    """What waits, and for how long, as the database knows it. Raises DBAPIError when it cannot be asked."""
    row = session.execute(MEASURE).one()._mapping
    return [gauge(name, words, max(0.0, float(row[name] or 0))) for name, words in BEHIND.items()]


def gauge(name: str, words: str, value: float | dict[str, float], label: str = "") -> Metric:
    """A figure as it is now; with a label, one for each of its values."""
    made = GaugeMetricFamily(f"gridgov_{name}", words, labels=[label] if label else None)
    for key, number in value.items() if isinstance(value, dict) else [("", value)]:
        made.add_metric([key] if label else [], number)
    return made


def exposition(gauges: Iterable[Metric]) -> bytes:
    """Everything in Prometheus' text format: the requests of all web processes of this server, and these gauges."""
    registry = CollectorRegistry()
    if os.environ.get(FOLDER):
        MultiProcessCollector(registry)
    else:
        registry.register(_own)
    registry.register(_Ready(list(gauges)))
    return generate_latest(registry)


def fresh_folder(var: Path, port: int) -> Path:
    """An empty folder for the histograms of one web server. Where `var` cannot be written it is a temporary one."""
    folder = var / "metrics" / f"{socket.gethostname()}-{port}"
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="gridgov-metrics-"))
    return folder


class _Ready:
    """Hands over what was measured before."""

    def __init__(self, found: list[Metric]) -> None:
        self.found = found

    def collect(self) -> Any:
        return self.found
