"""Who is asking: the signed-in session from the cookie, or a bearer token. One query brings person, session
and clock.

The cookie is flask's signed one; it holds a random token whose hash is a row of `sessions`, next to the CSRF
token, so that the two cannot be parted. A request with a bearer token has no cookie rights whatever.
"""

from typing import Any

import sqlalchemy as sa
from flask import Flask, Request, current_app, g, request, session as cookie
from flask_login import LoginManager

from gridgov import db, display, i18n
from gridgov.config import Config
from gridgov.db import session
from gridgov.errors import Unauthenticated
from gridgov.i18n import _
from gridgov.people import actions, queries, scopes, security, sign_in
from gridgov.people.models import ApiToken, Person, SignInSession
from gridgov.people.sign_in import Client
from gridgov.web import current_user

TOKEN = "token"
SEEN_EVERY_S = 60
login_manager = LoginManager()


def init_app(app: Flask) -> None:
    """Configure the cookie and make `current_user` work."""
    config: Config = app.config["GRIDGOV"]
    app.config.update(
        # With the prefix a browser takes the cookie from this host over https alone, so that no neighbour can
        # plant one.
        SESSION_COOKIE_NAME="__Host-gridgov" if config.secure_cookies else "gridgov",
        SESSION_COOKIE_PATH="/",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=config.secure_cookies,
        # Written at sign-in, not with every answer: how long a session really lasts is decided by its row.
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=config.session_max_s,
        SESSION_PROTECTION=None,
    )
    login_manager.init_app(app, add_context_processor=True)
    login_manager.request_loader(load)
    app.extensions.setdefault("gridgov_checks", []).append(scopes.check)


def is_bearer(asked: Request) -> bool:
    """Whether the request comes with a bearer token, good or bad: then cookies count for nothing."""
    return asked.headers.get("Authorization", "").lower().startswith("bearer ")


def load(asked: Request) -> Person | None:
    """The person behind a request. Raises Unauthenticated for a bearer token that is wrong, expired or
    revoked.
    """
    # For the error page, should the token be refused or the database be away: it asks who is there, and must not ask again.
    g._login_user = login_manager.anonymous_user()
    if is_bearer(asked):
        return _by_token(asked.headers["Authorization"][len("bearer ") :].strip())
    token = cookie.get(TOKEN)
    return _by_session(token) if isinstance(token, str) else None


def client() -> Client:
    """Where the present request came from."""
    return Client(ip=request.remote_addr or "", agent=str(request.user_agent)[: sign_in.AGENT_MAX])


def present() -> SignInSession | None:
    """The signed-in session of the present request; None for tokens and for nobody."""
    return g.get("sign_in_session") if current_user.is_authenticated else None


def enter(person: Person, token: str) -> None:
    """Put a new session's token into the cookie. The CSRF token stays, so that forms open in other tabs still
    work.

    What was switched on the sign-in page, language and elder view, is taken for what this person wants.
    """
    if old := cookie.get(TOKEN):
        session.execute(
            sa.delete(SignInSession).where(SignInSession.token_hash == security.token_hash(old))
        )
    cookie[TOKEN] = token
    cookie.permanent = True
    actions.set_preferences(
        person, language=cookie.pop(i18n.COOKIE, None), elder_view=cookie.pop(display.ELDER_COOKIE, None)
    )
    g._login_user = person


def leave() -> None:
    """Empty the cookie: the next person at this device begins afresh."""
    cookie.clear()
    g.pop("csrf_token", None)
    g._login_user = login_manager.anonymous_user()


# Built once: every request runs one of them, and building costs as much as running.
BY_SESSION = (
    sa.select(Person, SignInSession, sa.func.app_now(type_=db.TZ))
    .join(SignInSession, SignInSession.person_id == Person.id)
    .where(SignInSession.token_hash == sa.bindparam("hash"), queries.lasting(), queries.enabled())
)
BY_TOKEN = (
    sa.select(Person, ApiToken, sa.func.app_now(type_=db.TZ))
    .join(ApiToken, ApiToken.person_id == Person.id)
    .where(
        ApiToken.token_hash == sa.bindparam("hash"),
        ApiToken.revoked_at.is_(None),
        ApiToken.expires_at > sa.func.app_now(),
        queries.enabled(),
    )
)


def _by_session(token: str) -> Person | None:
    row = session.execute(BY_SESSION, {"hash": security.token_hash(token)}).one_or_none()
    if row is None:
        return None
    person, found, now = row
    db.remember_now(now)
    g.sign_in_session = found
    if (now - found.last_seen_at).total_seconds() >= SEEN_EVERY_S and not _unattended():
        _seen(SignInSession, found.id, SignInSession.last_seen_at)
    return person


def _unattended() -> bool:
    """Whether the page asks by itself, every half minute: that keeps nobody signed in."""
    view = current_app.view_functions.get(request.endpoint or "")
    return bool(getattr(view, "unattended", False)) or "X-Unattended" in request.headers


def _by_token(token: str) -> Person:
    row = session.execute(BY_TOKEN, {"hash": security.token_hash(token)}).one_or_none()
    if row is None:
        raise Unauthenticated(_("The token is wrong, has expired or was revoked."), code="bad_token")
    person, found, now = row
    db.remember_now(now)
    g.api_token = found
    if found.last_used_at is None or (now - found.last_used_at).total_seconds() >= SEEN_EVERY_S:
        _seen(ApiToken, found.id, ApiToken.last_used_at)
    return person


def _seen(table: Any, row_id: Any, column: Any) -> None:
    """Note the time, once a minute at most; not at all if a parallel request is just doing so."""
    free = sa.select(table.id).where(table.id == row_id).with_for_update(skip_locked=True).scalar_subquery()
    session.execute(
        sa.update(table).where(table.id == free).values({column: sa.func.app_now()}),
        execution_options={"synchronize_session": False},
    )


@i18n.on_switch
def _keep_language(code: str) -> None:
    actions.set_preferences(current_user, language=code)


@display.on_elder_switch
def _keep_elder_view(on: bool) -> None:
    actions.set_preferences(current_user, elder_view=on)


def config() -> Config:
    """The configuration of the present application."""
    return current_app.config["GRIDGOV"]
