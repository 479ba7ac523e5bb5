"""The API of oneself: who am I, how do I want to see things, my tokens; and the departments there are."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import generate_csrf

from gridgov import i18n
from gridgov.errors import Invalid
from gridgov.i18n import _
from gridgov.people import actions, logbook, queries, tokens
from gridgov.people.models import Person
from gridgov.people.schemas import (
    CsrfSchema,
    DepartmentsSchema,
    MadeTokenSchema,
    MeSchema,
    NewTokenSchema,
    PreferencesSchema,
    TokensSchema,
)
from gridgov.people.scopes import no_tokens, scope
from gridgov.web import current_user, gives, public, takes

bp = Blueprint("people", __name__)


def me_of(person: Person) -> dict[str, Any]:
    """What MeSchema shows of a person."""
    return {
        "id": person.id,
        "name": person.name,
        "phone": person.phone,
        "language": person.language,
        "elder_view": person.elder_view,
        "posts": queries.placed_posts(person),
    }


@bp.get("/csrf")
@public
@gives(CsrfSchema)
def csrf() -> Any:
    """A CSRF token for this session; it needs no sign-in and stays good when somebody signs in."""
    return {"token": generate_csrf()}


@bp.after_request
def not_kept(answer: Response) -> Response:
    """Nothing here is for a cache: it is all about who asks."""
    answer.headers["Cache-Control"] = "no-store"
    return answer


@bp.get("/me")
@gives(MeSchema)
def me() -> Any:
    """Oneself, with the posts held today."""
    return me_of(current_user)


@bp.patch("/me")
@scope("act")
@gives(MeSchema)
@takes(PreferencesSchema)
def change_me(**wanted: Any) -> Any:
    """Choose the language, or the elder view."""
    if not wanted:
        raise Invalid(_("Say what to change."), code="nothing_to_change")
    actions.set_preferences(current_user, **wanted)
    if "language" in wanted:
        i18n.refresh()
    return me_of(current_user)


@bp.get("/departments")
@gives(DepartmentsSchema)
def departments() -> Any:
    """Every open department."""
    return {"items": queries.departments()}


@bp.get("/tokens")
@no_tokens
@gives(TokensSchema)
def list_tokens() -> Any:
    """One's tokens that still work."""
    return {"items": logbook.tokens_of(current_user)}


@bp.post("/tokens")
@no_tokens
@gives(MadeTokenSchema, 201)
@takes(NewTokenSchema)
def create_token(name: str, scopes: list[str], days: int) -> Any:
    """Make a token. The answer is the only place where it is shown."""
    token, raw = tokens.create(name, scopes, actor=current_user, days=days)
    return token.model_dump() | {"token": raw}


@bp.delete("/tokens/<uuid:token_id>")
@no_tokens
def revoke_token(token_id: UUID) -> ResponseReturnValue:
    """Revoke a token at once."""
    tokens.revoke(token_id, actor=current_user)
    return "", 204
