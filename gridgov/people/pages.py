"""Signing in and out, and the pages about oneself: posts, password, sessions, tokens, sign-ins; the auditor's
log.
"""

from typing import Any
from uuid import UUID

import marshmallow
from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue

from gridgov.errors import Invalid, TooMany
from gridgov.i18n import _, dt
from gridgov.paging import LIMIT
from gridgov.people import actions, limits, logbook, queries, roles as role_policy, sessions, sign_in, tokens
from gridgov.people.csrf import redraw
from gridgov.people.devices import device
from gridgov.people.models import Role, Scope
from gridgov.people.schemas import LogQuerySchema, NewTokenSchema, PasswordSchema, PhoneSchema, SignInSchema
from gridgov.people.scopes import no_tokens
from gridgov.people.sign_in import Outcome
from gridgov.web import current_user, public, takes

bp = Blueprint("people", __name__)
SHOWN = 10
bp.app_template_filter("device")(device)


def local(address: str | None) -> str:
    """The address if it is a path of this site, else "/". Nobody is led elsewhere by signing in here.

    A browser takes a backslash for a slash and drops control characters, so an address with either is not
    local.
    """
    if not address or not address.startswith("/") or address.startswith("//"):
        return "/"
    if "\\" in address or any(ord(sign) < 0x20 or ord(sign) == 0x7F for sign in address):
        return "/"
    return address


def read(schema: type[marshmallow.Schema]) -> dict[str, Any]:
    """The posted form through a schema. Raises Invalid with messages by field, which the page shows beside
    them.
    """
    holder = takes(schema, location="form")(lambda **data: data)
    return holder()  # type: ignore[return-value]


# ---- In and out ----


@bp.get("/login")
@public
def login() -> ResponseReturnValue:
    """The sign-in page; somebody signed in is led on."""
    target = local(request.args.get("next"))
    if current_user.is_authenticated:
        return redirect(target)
    return _login_page(target=target)


def _login_page(
    *, target: str, status: int = 200, errors: dict[str, Any] | None = None, notice: str = ""
) -> Response:
    page = render_template(
        "people/login.html",
        target=target,
        phone=request.form.get("phone", ""),
        errors=errors or {},
        notice=notice,
    )
    return make_response(page, status)


def _login_again() -> Response:
    notice = _("The page was out of date. Please enter your password once more.")
    return _login_page(target=local(request.form.get("next")), notice=notice)


@bp.post("/login")
@public
@redraw(_login_again)
def enter() -> ResponseReturnValue:
    """Sign in with phone number and password. What was wrong is answered with 422 on the same page."""
    target = local(request.form.get("next"))
    try:
        given = read(SignInSchema)
        limits.hit("login_ip_rate", request.remote_addr or "")
        limits.hit("login_rate", given["phone"], request.remote_addr or "")
    except Invalid as error:
        return _login_page(target=target, status=422, errors=error.errors)
    except TooMany as error:
        answer = _login_page(target=target, status=429, notice=error.message)
        answer.headers["Retry-After"] = str(error.details["retry_after_s"])
        return answer
    # Not raised: the failure, its count and its line in the log are to be kept, and only returning commits.
    found = sign_in.attempt(given["phone"], given["password"], client=sessions.client(), config=_config())
    if found.outcome == Outcome.ENTERED and found.person and found.token:
        sessions.enter(found.person, found.token)
        return redirect(target)
    if found.outcome == Outcome.LOCKED:
        text = _("Too many wrong passwords. Please try again after %(time)s.", time=dt(found.locked_until))
    else:
        text = _("Phone number or password is wrong.")
    return _login_page(target=target, status=422, errors={"password": [text]})


@bp.post("/logout")
@no_tokens
def logout() -> ResponseReturnValue:
    """Sign out of this browser."""
    if present := sessions.present():
        sign_in.sign_out(current_user, present, client=sessions.client())
    sessions.leave()
    return redirect(url_for("people.login"))


# ---- Oneself ----


@bp.get("/me")
def me() -> ResponseReturnValue:
    """Who I am here: posts, how I see the pages, password, where I am signed in, what happened with my
    number.
    """
    return _me_page()


def _me_page(errors: dict[str, Any] | None = None) -> str:
    rules = role_policy.current()
    return render_template(
        "people/me.html",
        person=current_user,
        posts=queries.placed_posts(current_user),
        rules=rules,
        sign_ins=logbook.sign_ins(person=current_user, limit=SHOWN),
        sessions=logbook.sessions_of(current_user),
        tokens=logbook.tokens_of(current_user),
        is_auditor=Role.AUDITOR in queries.roles(current_user),
        is_administrator=Role.ADMINISTRATOR in queries.roles(current_user),
        errors=errors or {},
    )


@bp.post("/me/password")
@no_tokens
@redraw(lambda: _me_page())
def change_password() -> ResponseReturnValue:
    """Change one's own password; every other session ends."""
    limits.hit("login_rate", "password", str(current_user.id))
    try:
        given = read(PasswordSchema)
        sign_in.change_password(
            current_user, given["present"], given["new"], keep=sessions.present(), client=sessions.client()
        )
    except Invalid as error:
        return _me_page(error.errors), 422
    flash(_("Your password is changed. Everywhere else you are signed out."), "success")
    return redirect(url_for("people.me"))


@bp.get("/me/sessions")
@no_tokens
def my_sessions() -> ResponseReturnValue:
    """Where I am signed in."""
    present = sessions.present()
    rows = logbook.sessions_of(current_user)
    return render_template("people/sessions.html", sessions=rows, present=present)


@bp.post("/me/sessions/<uuid:session_id>/end")
@no_tokens
def end_session(session_id: UUID) -> ResponseReturnValue:
    """Sign out one browser."""
    present = sessions.present()
    if present and present.id == session_id:
        return logout()
    sign_in.end_session(current_user, session_id, client=sessions.client())
    flash(_("Signed out there."), "success")
    return redirect(url_for("people.my_sessions"))


@bp.post("/me/sessions/end-others")
@no_tokens
def end_other_sessions() -> ResponseReturnValue:
    """Sign out everywhere but here."""
    if present := sessions.present():
        sign_in.end_other_sessions(current_user, present, client=sessions.client())
    flash(_("You are signed in on this device alone now."), "success")
    return redirect(url_for("people.my_sessions"))


# ---- Tokens ----


@bp.get("/me/tokens")
@no_tokens
def my_tokens() -> ResponseReturnValue:
    """My API tokens."""
    return _tokens_page()


def _tokens_page(*, made: str | None = None, errors: dict[str, Any] | None = None) -> str:
    return render_template(
        "people/tokens.html",
        tokens=logbook.tokens_of(current_user),
        made=made,
        errors=errors or {},
        Scope=Scope,
        form=request.form,
        chosen=request.form.getlist("scopes"),
    )


@bp.post("/me/tokens")
@no_tokens
@redraw(lambda: _tokens_page())
def make_token() -> ResponseReturnValue:
    """Make a token; this page alone shows it, once."""
    try:
        given = read(NewTokenSchema)
        _token, raw = tokens.create(given["name"], given["scopes"], actor=current_user, days=given["days"])
    except Invalid as error:
        return _tokens_page(errors=error.errors), 422
    return _tokens_page(made=raw)


@bp.post("/me/tokens/<uuid:token_id>/revoke")
@no_tokens
def revoke_token(token_id: UUID) -> ResponseReturnValue:
    """Revoke a token at once."""
    tokens.revoke(token_id, actor=current_user)
    flash(_("The token works no longer."), "success")
    return redirect(url_for("people.my_tokens"))


# ---- The auditor ----


@bp.get("/admin/sign-ins")
@no_tokens
@takes(LogQuerySchema, location="query")
def all_sign_ins(like: UUID | None, before: UUID | None) -> ResponseReturnValue:
    """The log of all sign-ins, for auditors: all, or those with the number of the line `like`.

    No address carries a phone number, for addresses end up in the logs of servers and proxies.
    """
    actions.require(current_user, Role.AUDITOR)
    phone = logbook.sign_in_line(like).phone if like else None
    rows = logbook.sign_ins(phone=phone, before=before, limit=LIMIT + 1)
    more = len(rows) > LIMIT
    following = url_for("people.all_sign_ins", like=like, before=rows[LIMIT - 1].id) if more else None
    return render_template(
        "people/sign_ins.html", rows=rows[:LIMIT], next_href=following, phone=phone, errors={}
    )


@bp.post("/admin/sign-ins")
@no_tokens
def find_sign_ins() -> ResponseReturnValue:
    """Find the lines of a phone number."""
    actions.require(current_user, Role.AUDITOR)
    phone = request.form.get("phone", "").strip()
    if not phone:
        return redirect(url_for("people.all_sign_ins"))
    try:
        read(PhoneSchema)
    except Invalid as error:
        page = render_template(
            "people/sign_ins.html", rows=[], next_href=None, phone=phone, errors=error.errors
        )
        return page, 422
    if found := logbook.sign_ins(phone=phone, limit=1):
        return redirect(url_for("people.all_sign_ins", like=found[0].id))
    return render_template("people/sign_ins.html", rows=[], next_href=None, phone=phone, errors={})


def _config() -> Any:
    return current_app.config["GRIDGOV"]
