"""A gallery of every macro, rendered through the real templates without a database."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask, Response, current_app, flash, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import LoginManager
from flask_wtf.csrf import CSRFError, CSRFProtect
from jinja2 import ChoiceLoader, FileSystemLoader

from gridgov import assets, display, errors, headers, i18n
from gridgov.display import NavItem
from tests.gallery import fake_api

HERE = Path(__file__).resolve().parent
NOW = datetime(2026, 11, 21, 6, 5, tzinfo=UTC)
PAGES = ["live", "list", "issue", "form", "parts", "empty", "desk", "login", "report"]
PERSON = SimpleNamespace(
    is_authenticated=True, id="0199aaaa-0000-7000-8000-000000000001", name="肖建国", language="zh"
)
NOBODY = SimpleNamespace(is_authenticated=False, id=None, name="")
TONES = ["#9db7d5", "#b9cbb0", "#d8c7a3", "#c9b3b3"]


def make_app(monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The shell, the macros and the switches in a plain Flask app, at a fixed time."""
    monkeypatch.setattr(i18n, "_now", lambda: NOW)
    app = Flask("gridgov", static_folder=None)
    app.config.update(SECRET_KEY="gallery", TESTING=True, WTF_CSRF_TIME_LIMIT=None)
    app.jinja_loader = ChoiceLoader([app.jinja_loader, FileSystemLoader(HERE)])  # type: ignore[list-item, assignment]
    CSRFProtect(app)
    for part in (i18n, display, assets, headers):
        part.init_app(app)
    app.register_blueprint(display.bp)
    LoginManager(app).user_loader(lambda _id: None)
    app.context_processor(_context)
    app.add_url_rule("/", "start", lambda: page("list"))
    app.add_url_rule("/gallery/todo", "todo", lambda: page("empty"))
    app.add_url_rule("/gallery/<name>", "page", page)
    app.add_url_rule("/gallery/error/<int:status>", "error", error)
    app.add_url_rule("/gallery/photo/<int:n>.svg", "photo", photo)
    app.add_url_rule("/gallery/children", "children", lambda: render_template("children.html"))
    app.add_url_rule("/gallery/act", "act", act, methods=["POST"])
    app.add_url_rule("/gallery/refuse", "refuse", lambda: error(409), methods=["POST"])
    app.add_url_rule("/gallery/again", "again", again, methods=["POST"])
    app.register_error_handler(CSRFError, _stale)
    app.extensions["fake"] = fake_api.FakeApi()
    app.extensions["fake"].register(app)
    return app


def act() -> tuple[str, int]:
    """What a posted form holds, as text; counts how often it came."""
    current_app.extensions["acts"] = current_app.extensions.get("acts", 0) + 1
    sizes = ",".join(str(len(file.read())) for file in request.files.getlist("photos"))
    return f"<p id=got>{current_app.extensions['acts']}:{request.form.get('text', '')}:{sizes}</p>", 200


def again() -> Response:
    """A form that comes back with 422 the first time, and then tells the page how many are left to do."""
    if not request.form.get("text"):
        return Response('<p id="answer">请写一句话。</p>', status=422)
    return Response('<p id="answer">好了。</p>', headers={"HX-Trigger": '{"badges": {"todo": 3}}'})


def _stale(_error: CSRFError) -> ResponseReturnValue:
    """A stale token, told as the real application tells it."""
    if request.path.startswith("/api/"):
        return fake_api.problem(400, "csrf", "页面已过期。")
    refusal = errors.DomainError("页面已过期。", code="csrf")
    refusal.status = 400
    return render_template("error.html", error=refusal), 400


def page(name: str) -> str:
    """One page of the gallery, with believable content."""
    if name == "list":
        flash("已收到您的上报,编号 WG-20261121-0042。", "success")
    return render_template(
        f"{name}.html", now=NOW, h=timedelta(hours=1), photos=_photos(), at=request.args.get("page", 1, int)
    )


def error(status: int) -> tuple[str, int]:
    """The page of one refusal."""
    refusal = (
        errors.TooMany("操作过于频繁。", retry_after_s=30)
        if status == 429
        else errors.DomainError("这一步不属于您的任职。")
    )
    refusal.status = status
    return render_template("error.html", error=refusal), status


def photo(n: int) -> Response:
    """A drawn stand-in for a photo."""
    ground = TONES[n % len(TONES)]
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 480">'
        f'<rect width="640" height="480" fill="{ground}"/>'
        '<path d="M0 340 L180 200 L300 300 L430 170 L640 330 V480 H0 Z" fill="#5d6b5c" opacity=".6"/>'
        '<path d="M250 480 L310 300 L350 300 L470 480 Z" fill="#8d8d90"/>'
        '<ellipse cx="350" cy="410" rx="52" ry="18" fill="#3d3d42"/></svg>'
    )
    return Response(svg, mimetype="image/svg+xml")


def _photos() -> list[dict[str, str]]:
    captions = ["处理前", "处理后", ""]
    return [
        {
            "url": f"/gallery/photo/{n}.svg",
            "thumb_url": f"/gallery/photo/{n}.svg",
            "alt": f"现场照片 {n + 1}",
            "caption": captions[n],
        }
        for n in range(3)
    ]


def _context() -> dict[str, Any]:
    here = request.path.rsplit("/", 1)[-1]
    nav = [
        NavItem("start", "随手拍", "camera", here in {"form", "report"}),
        NavItem("start", "我的上报", "clipboard-list", here in {"list", "issue", ""}),
        NavItem("todo", "待办", "list-check", here == "todo", 12),
        NavItem("start", "受理台", "inbox", here == "desk", 128, "desk"),
        NavItem("start", "网格", "map-2", False, None, "desk"),
        NavItem("start", "我的", "user-circle", here == "me"),
    ]
    return {"current_user": NOBODY if here == "login" else PERSON, "nav": nav}
