"""Whether the process lives (`/healthz`) and whether it can serve (`/readyz`): for supervisors, proxies and monitoring.

Ready means that the database answers and stands at this code's schema. Without Redis the service is degraded, not dead:
reports, moves and deadlines need PostgreSQL alone, and what waits is named. Neither answer holds anything about people.
"""

import functools
from typing import Any

import redis
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from flask import Blueprint, Flask, Response, current_app, jsonify
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.pool import NullPool

from gridgov import db, migrate
from gridgov.i18n import _
from gridgov.web import no_transaction

bp = Blueprint("health", __name__)
PATIENCE_S = 2
OK, AWAY, BEHIND, AHEAD = "ok", "away", "behind", "ahead"
WAITING = ("notices",)
"""What is not done while Redis is away. It lies in the outbox and is caught up with afterwards."""


class Probe:
    """Connections of its own, so that a full pool is not taken for a dead database, and short patience."""

    def __init__(self, database_url: str, redis_url: str) -> None:
        options = f"-c statement_timeout={PATIENCE_S * 1000}"
        self._engine = sa.create_engine(
            db.sqlalchemy_url(database_url), poolclass=NullPool,
            connect_args={"connect_timeout": PATIENCE_S, "options": options},
        )  # fmt: skip
        self._redis = redis.Redis.from_url(
            redis_url,
            socket_connect_timeout=PATIENCE_S,
            socket_timeout=PATIENCE_S,
            retry=Retry(NoBackoff(), 0),
        )

    def schema(self) -> tuple[str, str]:
        """(database, schema): whether it answers, and where its schema stands towards this code."""
        try:
            with self._engine.connect() as connection:
                here = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        except ProgrammingError:  # The database answers, but nobody has migrated it yet.
            return OK, BEHIND
        except DBAPIError:
            return AWAY, AWAY
        head, known = _revisions()
        if here == head:
            return OK, OK
        # A newer schema is served: during a rolling update the old code runs beside the new for a while.
        return OK, BEHIND if here is None or here in known else AHEAD

    def redis(self) -> str:
        """Whether Redis answers."""
        try:
            self._redis.ping()
        except (redis.RedisError, OSError):
            return AWAY
        return OK


def init_app(app: Flask) -> None:
    """Make the probe; nothing is opened before it is asked."""
    config = app.config["GRIDGOV"]
    app.extensions["gridgov_health"] = Probe(config.database_url, config.redis_url)


@bp.get("/healthz")
@no_transaction
def alive() -> Response:
    """The process answers. Asks nobody else, so that a database away does not get every process restarted."""
    return _kept_by_nobody(jsonify(status="alive"))


@bp.get("/readyz")
@no_transaction
def ready() -> Response:
    """200 when requests can be served, `degraded` when something waits; 503 when they cannot."""
    probe: Probe = current_app.extensions["gridgov_health"]
    database, schema = probe.schema()
    broker = probe.redis()
    serving = database == OK and schema in (OK, AHEAD)
    body: dict[str, Any] = {
        "status": "ready" if serving else "unready",
        "degraded": broker != OK or schema == AHEAD,
        "parts": {"database": database, "schema": schema, "redis": broker},
        "waiting": list(WAITING) if broker != OK else [],
    }
    if broker != OK:
        body["message"] = _(
            "Redis is away. Reports, moves and deadlines go on; notices wait and are sent when it is back."
        )
    answer = jsonify(body)
    answer.status_code = 200 if serving else 503
    return _kept_by_nobody(answer)


@functools.cache
def _revisions() -> tuple[str | None, frozenset[str]]:
    """The newest revision of this code, and all of them."""
    script = ScriptDirectory.from_config(migrate.alembic_config())
    return script.get_current_head(), frozenset(step.revision for step in script.walk_revisions())


def _kept_by_nobody(answer: Response) -> Response:
    answer.headers["Cache-Control"] = "no-store"
    return answer
