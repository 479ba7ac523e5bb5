"""Protection against forged requests: every unsafe request with cookies brings the token of its own session.

Tokens have no time limit, for a phone may lie in a pocket for days, and they survive signing in. A stale one
(after signing out, or in another browser) is refused with 400 and code `csrf`. A form refused for that, or
because the session had ended, is shown again with its words kept.
"""

import re
from typing import Any

from flask import Flask, Response, current_app, g, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFProtect
from werkzeug.datastructures import MultiDict

from gridgov import db
from gridgov.errors import DomainError, Unauthenticated
from gridgov.i18n import _
from gridgov.people import sessions
from gridgov.web import View, answer_error, current_user, is_public, want_json

SECRETS = {"csrf_token", "password", "present", "new", "again", "code", "ticket"}
FIELD = "csrf_token"
CODE = re.compile(r"[A-Za-z0-9_.:-]*")
"""What a choice or a hidden field holds: sent again, but nothing that somebody wrote."""


class StaleForm(DomainError):
    """The request lacks the token of its session, or brings another one's."""

    status = 400
    code = "csrf"


class Protection(CSRFProtect):
    """flask-wtf's check, without the exemptions it allows, and with ours: bearer tokens need none."""

    def protect(self, apply_exemptions: bool = False) -> None:
        """Raise StaleForm unless the request is safe, comes with a bearer token, or with its session's CSRF
        token.
        """
        if sessions.is_bearer(request):
            g.csrf_valid = True
            return
        unsafe = request.method in current_app.config["WTF_CSRF_METHODS"]
        if unsafe and request.endpoint and request.headers.get("Sec-Fetch-Site") == "cross-site":
            raise StaleForm(_("This was sent by another site and was not carried out."), resend=False)
        super().protect(apply_exemptions)

    def _get_csrf_token(self) -> str | None:
        # The header first: looking into the form means receiving the whole of it.
        for name in current_app.config["WTF_CSRF_HEADERS"]:
            if token := request.headers.get(name):
                return token
        return request.form.get(FIELD)

    def _error_response(self, reason: str) -> None:
        raise StaleForm(
            _("The page was out of date, so nothing was sent yet. Please send it again."), resend=True
        )


def init_app(app: Flask) -> None:
    """Check every request, give templates `csrf_token()`, and show refused forms again."""
    app.config.update(
        WTF_CSRF_TIME_LIMIT=None,
        # Instead of the Referer, which some phone browsers leave out: SameSite, the __Host- cookie and
        # Sec-Fetch-Site.
        WTF_CSRF_SSL_STRICT=False,
    )
    Protection().init_app(app)
    app.register_error_handler(StaleForm, _refused)
    app.register_error_handler(Unauthenticated, _signed_out)


def redraw(function: Any) -> Any:
    """Have a form's own page show it again when its token was stale, instead of the general page.

    `function` gets the view's path arguments, draws the form from `request.form`, and what it returns is sent
    as 400.
    """

    def mark(view: View) -> View:
        view.redraw = function  # type: ignore[attr-defined]
        return view

    return mark


def kept_words(form: MultiDict[str, str]) -> list[tuple[str, str]]:
    """What somebody had entered, without passwords and tokens, in order."""
    return [(name, value) for name, value in form.items(multi=True) if name not in SECRETS and value.strip()]


def _refused(error: StaleForm) -> ResponseReturnValue:
    if error.details.get("resend") and _is_form():
        return _again(error)
    return answer_error(error)


def _signed_out(error: Unauthenticated) -> ResponseReturnValue:
    """A form sent after the session had ended: its words are kept until somebody has signed in beside it."""
    if request.method == "POST" and _is_form() and kept_words(request.form):
        return _again(error)
    return answer_error(error)


def _is_form() -> bool:
    return not want_json() and not request.headers.get("HX-Request")


def _again(error: DomainError) -> ResponseReturnValue:
    """The form's own page if it has one for this, else the general one with everything that was entered."""
    try:
        with db.transaction():
            answer = _own_page() or _general_page(error)
    except DomainError:  # The form's own page refuses, such as for what has gone out of sight meanwhile.
        with db.transaction():
            answer = _general_page(error)
    answer.status_code = error.status
    return answer


def _own_page() -> Response | None:
    view = current_app.view_functions.get(request.endpoint or "")
    own = getattr(view, "redraw", None)
    if own is None or not (is_public(view) or current_user.is_authenticated):
        return None
    return current_app.make_response(own(**(request.view_args or {})))


def _general_page(error: DomainError) -> Response:
    words, files = kept_words(request.form), any(request.files.values())
    shown = [value for _name, value in words if not CODE.fullmatch(value)]
    page = render_template("people/again.html", error=error, words=words, shown=shown, files=files)
    return Response(page)
