"""create_app: the only module that knows every package."""

import importlib
from typing import Any

from flask import Blueprint

from gridgov import db, jobs, web
from gridgov.config import Config

# Modules whose import declares tables, for migrations and for the mapper.
TABLES = [
    "gridgov.timers",
    "gridgov.outbox",
    "gridgov.grids.models",
    "gridgov.people.models",
    "gridgov.photos.models",
    "gridgov.worktime.models",
    "gridgov.issues.models",
    "gridgov.issues.part_models",
    "gridgov.identity.models",
    "gridgov.notices.models",
    "gridgov.mediation.models",
    "gridgov.visits.models",
]
# Modules that plug something in when imported or through init_app(app).
PARTS = [
    "gridgov.monitoring",
    "gridgov.i18n",
    "gridgov.display",
    "gridgov.assets",
    "gridgov.headers",
    "gridgov.health",
    "gridgov.delays",
    "gridgov.people",
    "gridgov.grids",
    "gridgov.photos",
    "gridgov.worktime",
    "gridgov.issues",
    "gridgov.identity",
    "gridgov.notices",
    "gridgov.mediation",
    "gridgov.visits",
    "gridgov.shell",
    "gridgov.openapi",
]
BLUEPRINTS = ["display:bp", "health:bp", "monitoring:bp", "people.pages:bp", "photos.pages:bp", "issues.pages:bp", "issues.desk:bp",
              "identity.pages:bp", "identity.forms:bp", "issues.sharing:bp", "issues.bulletin_pages:bp",
              "notices.pages:bp", "notices.forms:bp", "notices.desk:bp", "worktime.pages:bp", "deadletters.pages:bp", "live.pages:bp",
              "mediation.pages:bp", "visits.pages:bp",
              "openapi:pages"]  # fmt: skip
API = ["people.api:bp", "grids.api:bp", "photos.api:bp", "issues.api:bp", "issues.bulletin_pages:api", "identity.api:bp",
       "notices.api:bp", "notices.api:me", "notices.api:admin", "worktime.api:bp", "deadletters.api:bp", "mediation.api:bp",
       "visits.api:bp", "openapi:bp"]  # fmt: skip
# `python -m gridgov <name>`: loaded only when called.
COMMANDS = {
    "city": "gridgov.grids.cli:city",
    "demo": "gridgov.demo.cli:demo",
    "people": "gridgov.people.cli:people",
    "calendar": "gridgov.worktime.cli:calendar",
    "photos": "gridgov.photos.cli:photos",
    "timers": "gridgov.deadletters.cli:timers",
    "audit": "gridgov.issues.cli:audit",
    "workflow": "gridgov.issues.cli:workflow",
    "bulletin": "gridgov.issues.bulletin_cli:bulletin",
    "openapi": "gridgov.openapi:command",
    "simulate": "gridgov.simulate.cli:simulate",
}


def create_app(config: Config | None = None) -> web.App:
    """Build the application. Raises ConfigError or PolicyError, with all reasons, before anything is served."""
    config = config or Config.from_env()
    app = web.App("gridgov", static_folder=None, template_folder="templates")
    app.config.update(
        SECRET_KEY=config.secret_key,
        GRIDGOV=config,
        MAX_CONTENT_LENGTH=web.BODY_MAX_BYTES,
        JSON_SORT_KEYS=False,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=config.secure_cookies,
        SESSION_COOKIE_NAME="gridgov",
    )
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    if config.trusted_proxies:
        from werkzeug.middleware.proxy_fix import ProxyFix

        n = config.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=n, x_proto=n, x_host=n)  # type: ignore[method-assign]
    app.extensions["engine"] = db.connect(
        config.database_url, pool_size=config.db_pool_size, statement_timeout_ms=config.statement_timeout_ms
    )
    jobs.connect(config.redis_url)
    _load(app)
    return app


def config_of(app: Any) -> Config:
    """The configuration an app was made with."""
    return app.config["GRIDGOV"]


def _load(app: web.App) -> None:
    for module in TABLES:
        importlib.import_module(module)
    web.init_app(app)
    for module in PARTS:
        part = importlib.import_module(module)
        if init := getattr(part, "init_app", None):
            init(app)
    for address in BLUEPRINTS:
        app.register_blueprint(_blueprint(address))
    api = Blueprint("api", "gridgov", url_prefix="/api/v1")
    for address in API:
        api.register_blueprint(_blueprint(address))
    app.register_blueprint(api)


def _blueprint(address: str) -> Blueprint:
    module, _, name = address.partition(":")
    return getattr(importlib.import_module(f"gridgov.{module}"), name)
