"""API tokens: made, used, revoked. The token itself is shown once and kept only as a hash."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from gridgov.db import session, utcnow
from gridgov.errors import Invalid, NotFound
from gridgov.i18n import _
from gridgov.people import actions, logbook, security
from gridgov.people.models import ApiToken, Person, Scope

PREFIX = "gg_"
DEFAULT_DAYS = 90
MAX_DAYS = 365
MAX_TOKENS = 20


def create(
    name: str, scopes: Collection[str], *, actor: Person, days: int = DEFAULT_DAYS
) -> tuple[ApiToken, str]:
    """Make a token for oneself. Returns its row and the token, which cannot be had again.

    A token does at most what its owner's posts allow at the moment it is used.
    """
    if not name.strip():
        raise Invalid(_("Say what the token is for."), field="name")
    if not scopes or set(scopes) - set(Scope):
        raise Invalid(_("Choose what the token may do."), field="scopes")
    if not 1 <= days <= MAX_DAYS:
        raise Invalid(_("From 1 to %(most)s days.", most=MAX_DAYS), field="days")
    if len(logbook.tokens_of(actor)) >= MAX_TOKENS:
        raise Invalid(
            _("You have %(most)s tokens already. Revoke one first.", most=MAX_TOKENS), code="too_many_tokens"
        )
    raw = security.new_token(PREFIX)
    token = ApiToken(
        person_id=actor.id, name=name.strip(), token_hash=security.token_hash(raw), hint=raw[:8],
        scopes=sorted(set(scopes)), created_at=utcnow(), expires_at=utcnow() + timedelta(days=days),
    )  # fmt: skip
    session.add(token)
    session.flush()
    actions.record("create_token", actor, actor=actor, token_id=str(token.id), scopes=token.scopes)
    return token, raw


def revoke(token_id: UUID, *, actor: Person) -> None:
    """End one of one's own tokens at once. Revoking it again changes nothing. Raises NotFound for anybody
    else's.
    """
    token = session.get(ApiToken, token_id)
    if token is None or token.person_id != actor.id:
        raise NotFound(_("There is no such token."))
    if token.revoked_at is None:
        token.revoked_at = utcnow()
        session.flush()
        actions.record("revoke_token", actor, actor=actor, token_id=str(token.id))
