"""How a person sees the pages: language and elder view, switched anywhere, kept in cookies and on the person.

Also the entries of the navigation and the scripts' dictionary.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, current_app, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from gridgov import assets, i18n, policy
from gridgov.errors import Invalid, NotFound
from gridgov.i18n import _, forced, pick
from gridgov.web import no_transaction, public

bp = Blueprint("display", __name__)
ELDER_COOKIE = "elder"
YEAR_S = 365 * 86_400
_elder_hooks: list[Callable[[bool], None]] = []


class NavItem(NamedTuple):
    """One entry of the navigation. `badge` is a count; `on` says where it shows: both, phone or desk."""

    endpoint: str
    label: str
    icon: str
    active: bool = False
    badge: int | None = None
    on: str = "both"


def init_app(app: Flask) -> None:
    """Give templates `elder` and `messages_url`, and what grids are called by the length of their codes."""
    app.context_processor(_names)
    app.jinja_env.globals["grid_levels"] = grid_levels


def grid_levels() -> dict[int, str]:
    """What a grid of each level is called, in the language spoken now, by the length of its code."""
    return {level.length: pick(level.place) for level in policy.current().levels.values()}


def on_elder_switch(hook: Callable[[bool], None]) -> Callable[[bool], None]:
    """Register what keeps the elder view on the person's row. Called with True or False, while signed in."""
    _elder_hooks.append(hook)
    return hook


def elder() -> bool:
    """Whether the page is shown in the elder view: what was switched last, else what the person keeps."""
    if ELDER_COOKIE in session:
        return bool(session[ELDER_COOKIE])
    person = g.get("_login_user")
    if person is not None and getattr(person, "elder_view", None) is not None:
        return bool(person.elder_view)
    return request.cookies.get(ELDER_COOKIE) == "1"


@bp.post("/language")
@public
def switch_language() -> ResponseReturnValue:
    """Switch to the language in `lang` and go back to where the switch was pressed."""
    code = request.form.get("lang", "")
    if code not in i18n.LANGUAGES:
        raise Invalid(_("This language is not offered."), field="lang")
    i18n.switch(code)
    return _back_with_cookie(i18n.COOKIE, code)


@bp.post("/elder")
@public
def switch_elder() -> ResponseReturnValue:
    """Turn the elder view on (`elder=1`) or off (`elder=0`) and go back."""
    on = request.form.get("elder", "")
    if on not in {"0", "1"}:
        raise Invalid(_("Please check what you entered."), field="elder")
    session[ELDER_COOKIE] = on == "1"
    if current_user.is_authenticated:
        for hook in _elder_hooks:
            hook(on == "1")
    return _back_with_cookie(ELDER_COOKIE, on)


@bp.get("/i18n/<code>.js")
@no_transaction
def messages(code: str) -> Response:
    """The scripts' texts in one language, kept for a year: the address carries a hash of them."""
    if code not in i18n.LANGUAGES:
        raise NotFound(_("There is nothing here, or it is not yours to see."))
    answer = Response(_dictionary(code), mimetype="text/javascript")
    answer.cache_control.public, answer.cache_control.max_age = True, YEAR_S
    return answer


def _dictionary(code: str) -> str:
    with forced(code):
        texts = {text: i18n.gettext(text) for text in assets.messages()}
    return f"window.gvMessages={json.dumps(texts, ensure_ascii=False, sort_keys=True)};"


def _messages_url() -> str | None:
    """None in English, where the texts need no dictionary."""
    code = i18n.language()
    if code == "en":
        return None
    digest = hashlib.sha256(_dictionary(code).encode()).hexdigest()[:8]
    return url_for("display.messages", code=code, v=digest)


def _back_with_cookie(name: str, value: str) -> Response:
    answer = redirect(_return_address())
    answer.set_cookie(name, value, max_age=YEAR_S, samesite="Lax", httponly=True, secure=request.is_secure)
    return answer  # type: ignore[return-value]


def _return_address() -> str:
    """The page the switch was pressed on, by path alone, so that nobody can be sent elsewhere."""
    came_from = urlsplit(request.referrer or "")
    if (
        came_from.netloc != request.host
        or not came_from.path.startswith("/")
        or came_from.path.startswith("//")
    ):
        return "/"
    return came_from.path + (f"?{came_from.query}" if came_from.query else "")


def _site_name() -> str:
    """What the installation calls itself, e.g. 武冈网格; configured, because any county may run this."""
    return getattr(current_app.config.get("GRIDGOV"), "site_name", "") or _("Grid Governance")


def _names() -> dict[str, Any]:
    return {"elder": elder(), "messages_url": _messages_url, "site_name": _site_name()}
