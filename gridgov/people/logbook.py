"""Reads of where people are signed in, of their tokens, and of the log of sign-ins."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import session, utcnow
from gridgov.errors import NotFound
from gridgov.i18n import _
from gridgov.people.models import ApiToken, Person, SignIn, SignInSession
from gridgov.people.queries import lasting


def sessions_of(person: Person) -> Sequence[SignInSession]:
    """The browsers somebody is signed in with, last used first."""
    query = sa.select(SignInSession).where(SignInSession.person_id == person.id, lasting())
    return session.scalars(query.order_by(SignInSession.last_seen_at.desc())).all()


def tokens_of(person: Person) -> Sequence[ApiToken]:
    """Somebody's tokens that still work, newest first."""
    query = sa.select(ApiToken).where(
        ApiToken.person_id == person.id,
        ApiToken.revoked_at.is_(None),
        ApiToken.expires_at > utcnow(),
    )
    return session.scalars(query.order_by(ApiToken.id.desc())).all()


def sign_ins(
    *, person: Person | None = None, phone: str | None = None, before: UUID | None = None, limit: int = 50
) -> Sequence[SignIn]:
    """The log of sign-ins, newest first: of one person, of one phone number, or of all; older than line
    `before`.
    """
    query = sa.select(SignIn)
    if person is not None:
        query = query.where(SignIn.person_id == person.id)
    if phone is not None:
        query = query.where(SignIn.phone == phone)
    if before is not None:
        query = query.where(SignIn.id < before)
    return session.scalars(query.order_by(SignIn.id.desc()).limit(limit)).all()


def sign_in_line(line_id: UUID) -> SignIn:
    """One line of the log of sign-ins. Raises NotFound."""
    line = session.get(SignIn, line_id)
    if line is None:
        raise NotFound(_("There is no such line."))
    return line
