"""`gridgov openapi …`: the description of the API as it is served, read by people, and kept in docs/openapi.json."""

import functools
import json
from pathlib import Path
from typing import Any

import click
from flask import Blueprint, Flask, Response, current_app, has_app_context, render_template, request

from gridgov.apidoc import JSON, Operation, document
from gridgov.config import ROOT, Config

bp = Blueprint("openapi", __name__)
pages = Blueprint("api_pages", __name__)
FILE = ROOT / "docs" / "openapi.json"


@bp.get("/openapi.json")
def document_json() -> Response:
    """This document."""
    answer = Response(text(current_app), mimetype=JSON)
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.add_etag()
    return answer.make_conditional(request)  # type: ignore[return-value]


document_json.gives_type = JSON  # type: ignore[attr-defined]


@pages.get("/api")
def overview() -> str:
    """The same to read: every address, what it takes and gives, and how to begin."""
    found = document(current_app)
    return render_template(
        "openapi.html", document=found, groups=grouped(found), address=request.url_root.rstrip("/")
    )


@click.group("openapi")
def command() -> None:
    """The description of the API."""


@command.command()
@click.option(
    "--check", is_flag=True, help="Write nothing; exit with 1 when docs/openapi.json is out of date."
)
def write(check: bool) -> None:
    """Write docs/openapi.json from the code. Needs no server and no database."""
    fresh = text(current_app if has_app_context() else _offline_app())
    if FILE.exists() and FILE.read_text("utf-8") == fresh:
        click.echo(f"{FILE.relative_to(ROOT)} is up to date.")
    elif check:
        click.echo(
            f"{FILE.relative_to(ROOT)} is out of date: run `python -m gridgov openapi write`.", err=True
        )
        raise SystemExit(1)
    else:
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(fresh, "utf-8")
        click.echo(f"{FILE.relative_to(ROOT)} written.")


write.offline = True  # type: ignore[attr-defined]


def text(app: Flask) -> str:
    """The document as it is served and kept in docs/."""
    return json.dumps(document(app), ensure_ascii=False, indent=1) + "\n"


def grouped(found: dict[str, Any]) -> dict[str, list[tuple[str, str, Operation]]]:
    """(method, path, operation) by tag, in the document's order."""
    groups: dict[str, list[tuple[str, str, Operation]]] = {tag["name"]: [] for tag in found["tags"]}
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            groups[operation["tags"][0]].append((method.upper(), path, operation))
    return groups


@functools.cache
def _offline_app() -> Flask:
    """The application with addresses that nobody asks, for its routes alone."""
    from gridgov.app import create_app

    config = Config.from_env(
        env={}, database_url="postgresql://nowhere/none", redis_url="redis://nowhere", secret_key="-" * 32,
        var=Path("/nonexistent"),
    )  # fmt: skip
    return create_app(config)
