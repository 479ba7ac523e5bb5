"""Front-end files under names that carry a hash of their content, served compressed and cached for a year.

`node build.mjs` in gridgov/frontend writes gridgov/static/dist and its manifest.json, which maps "app.js" to
"app-1A2B3C4D.js". Every file has a .br and .gz neighbour made at build time.
"""

import json
import logging
import time
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, current_app, g, request, send_from_directory, session, url_for

from gridgov.web import no_transaction

STATIC = Path(__file__).resolve().parent / "static"
log = logging.getLogger("gridgov.assets")
DIST = STATIC / "dist"
YEAR_S = 365 * 86_400
LOOK_EVERY_S = 1.0
ENCODINGS = {"br": ".br", "gzip": ".gz"}
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
    ".json": "application/json",
}


class AssetsMissing(RuntimeError):
    """The front end was not built, or a name is not in its manifest."""


def init_app(app: Flask) -> None:
    """Serve the built files, the few hand-written ones, and give templates `asset_url(name)`."""
    app.add_url_rule("/static/dist/<name>", "assets", serve, methods=["GET"])
    app.add_url_rule("/static/<path:name>", "static", serve_plain, methods=["GET"])
    app.add_url_rule("/robots.txt", "robots", serve_plain, defaults={"name": "robots.txt"}, methods=["GET"])
    app.add_url_rule(
        "/favicon.ico", "favicon", serve_plain, defaults={"name": "favicon.svg"}, methods=["GET"]
    )
    app.after_request(_same_for_all)
    app.jinja_env.globals.update(asset_url=asset_url, icon_href=icon_href)


def asset_url(name: str) -> str:
    """The address of a built file, e.g. asset_url("app.js"). Raises AssetsMissing with what to run."""
    files = _manifest()
    if name not in files:
        raise AssetsMissing(
            f"{name} is not in {DIST}/manifest.json: run `npm ci && node build.mjs` in gridgov/frontend"
        )
    return url_for("assets", name=files[name])


def icon_href(name: str) -> str:
    """The address of one icon in the sprite. An unknown name fails in tests and shows a dot in production."""
    if "icon_sprite" not in g:  # A page draws dozens of icons.
        g.icon_sprite = (asset_url("icons.svg"), frozenset(_read("icons.json")))
    address, names = g.icon_sprite
    if name not in names:
        if current_app.debug or current_app.testing:
            raise AssetsMissing(
                f"icon {name!r} is not in the sprite: name it in gridgov/frontend/src/icons.txt and build"
            )
        log.warning("icon missing from the sprite: %s", name)
        name = "point"
    return f"{address}#{name}"


def messages() -> list[str]:
    """The English texts that the scripts use, so that a dictionary of just those can be sent."""
    return _read("messages.json")


@no_transaction
def serve(name: str) -> Response:
    """Send one built file, compressed the best way the browser takes. A changed file has another name."""
    if name not in _manifest().values():
        abort(404)
    accepted = {encoding for encoding, quality in request.accept_encodings if quality > 0}
    coding = next((coding for coding in ENCODINGS if coding in accepted), None)
    answer = send_from_directory(
        DIST, name + ENCODINGS.get(coding or "", ""), max_age=YEAR_S, conditional=True
    )
    answer.headers["Content-Type"] = TYPES[Path(name).suffix]
    answer.headers["Vary"] = "Accept-Encoding"
    answer.cache_control.immutable = True
    if coding:
        answer.headers["Content-Encoding"] = coding
    return answer


@no_transaction
def serve_plain(name: str) -> Response:
    """Send a hand-written file, e.g. favicon.svg; kept for a day, because its name stays when it changes."""
    if name.startswith("dist/"):
        abort(404)
    return send_from_directory(STATIC, name, max_age=86_400, conditional=True)


def _same_for_all(answer: Response) -> Response:
    """Files are the same for all: with `Vary: Cookie` a phone would fetch them again after each sign-in."""
    if request.endpoint in {"assets", "static", "display.messages"}:
        session.accessed = False
    return answer


def _manifest() -> dict[str, str]:
    return _read("manifest.json")


def _read(name: str) -> Any:
    """Read a file of the build once, and again when it was rebuilt meanwhile; looked at once a second at most."""
    kept = current_app.extensions.setdefault("gridgov_assets", {})
    looked_at, stamp, data = kept.get(name, (0.0, 0, None))
    now = time.monotonic()
    if data is not None and now - looked_at < LOOK_EVERY_S:
        return data
    path = DIST / name
    try:
        found = path.stat().st_mtime_ns
    except FileNotFoundError:
        raise AssetsMissing(
            f"{path} is missing: run `npm ci && node build.mjs` in gridgov/frontend"
        ) from None
    if data is None or found != stamp:
        data = json.loads(path.read_text("utf-8"))
    kept[name] = (now, found, data)
    return data
