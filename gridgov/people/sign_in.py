"""Coming in and going out: attempts, lockout, sessions, and the log of all of it. Knows nothing of cookies or
flask.

An attempt is a fact to be kept however it ends, so its outcome is returned and not raised: raising would roll
it back.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gridgov.config import Config
from gridgov.db import session, utcnow
from gridgov.errors import Invalid, NotFound
from gridgov.i18n import _
from gridgov.people import actions, queries, roles as role_policy, security
from gridgov.people.models import Person, SignIn, SignInGuard, SignInKind, SignInSession

AGENT_MAX = 300


@dataclass(frozen=True)
class Client:
    """Where a request came from."""

    ip: str
    agent: str


class Outcome(StrEnum):
    """How an attempt ended. An unknown number, a wrong password and a person shut out are one and the same:
    refused.
    """

    ENTERED = "entered"
    REFUSED = "refused"
    LOCKED = "locked"


@dataclass(frozen=True)
class Attempt:
    """The outcome of an attempt: who came in and the token of their new session, or until when the number is
    locked.
    """

    outcome: Outcome
    person: Person | None = None
    token: str | None = None
    locked_until: datetime | None = None


def attempt(phone: str, password: str, *, client: Client, config: Config) -> Attempt:
    """Try to sign in. Takes as long and says the same whether the number is known or not.

    From the `lockout_after`-th failure on the number is locked for `lockout_first_s`, then twice that with
    every further failure, at most `lockout_max_s`. While it is locked the right password does not open
    either, and is not looked at.
    """
    guard = session.get(SignInGuard, phone)
    if guard and guard.locked_until and guard.locked_until > utcnow():
        return _locked(phone, guard.locked_until, client)
    person = queries.by_phone(phone)
    kept = person.password_hash if person and person.is_active else None
    right = security.passwords.verify(kept, password)
    # Several guesses may have been made at once: from here on they take turns, and what was locked meanwhile
    # stays shut.
    guard = _lock_guard(phone)
    if guard.locked_until and guard.locked_until > utcnow():
        return _locked(phone, guard.locked_until, client)
    if person is None or not right:
        until = _count_failure(guard, config)
        log(SignInKind.FAILURE, phone, person, client)
        return Attempt(Outcome.LOCKED if until else Outcome.REFUSED, locked_until=until)
    guard.failures, guard.failed_at, guard.locked_until = 0, None, None
    if kept and security.passwords.outdated(kept):
        person.password_hash = security.hash_password(password)
    token = open_session(person, client=client, config=config)
    log(SignInKind.SUCCESS, phone, person, client)
    return Attempt(Outcome.ENTERED, person=person, token=token)


def open_session(person: Person, *, client: Client, config: Config) -> str:
    """Begin a session and return its token, which exists nowhere else. At a desk it idles out sooner than on
    a phone.
    """
    token = security.new_token()
    rules = role_policy.current()
    at_desk = any(rules[role].desk for role in queries.roles(person))
    session.add(
        SignInSession(
            token_hash=security.token_hash(token),
            person_id=person.id,
            created_at=utcnow(),
            last_seen_at=utcnow(),
            idle_s=config.session_idle_official_s if at_desk else config.session_idle_s,
            expires_at=utcnow() + timedelta(seconds=config.session_max_s),
            ip=client.ip,
            agent=client.agent[:AGENT_MAX],
        )
    )
    session.flush()
    return token


def sign_out(person: Person, sign_in_session: SignInSession, *, client: Client) -> None:
    """End the session that asks for it."""
    session.delete(sign_in_session)
    session.flush()
    log(SignInKind.SIGN_OUT, person.phone, person, client)


def end_session(person: Person, session_id: UUID, *, client: Client) -> None:
    """End one of one's own sessions, such as that of a lost phone. Raises NotFound for anybody else's."""
    found = session.get(SignInSession, session_id)
    if found is None or found.person_id != person.id:
        raise NotFound(_("There is no such session."))
    session.delete(found)
    session.flush()
    log(SignInKind.SESSION_ENDED, person.phone, person, client)


def end_other_sessions(person: Person, present: SignInSession, *, client: Client) -> int:
    """Sign out everywhere else. Returns how many sessions ended."""
    ended = actions.end_sessions(person, but=present.id)
    log(SignInKind.SESSION_ENDED, person.phone, person, client)
    return ended


def change_password(
    person: Person, present: str, new: str, *, keep: SignInSession | None = None, client: Client
) -> None:
    """Change one's own password; every session but `keep` ends. Raises Invalid if `present` is wrong."""
    if not security.passwords.verify(person.password_hash, present):
        raise Invalid(_("This is not your present password."), field="present")
    security.check_password(new, phone=person.phone, field="new")
    if new == present:
        raise Invalid(_("The new password is the old one."), field="new")
    person.password_hash = security.hash_password(new)
    actions.end_sessions(person, but=keep.id if keep else None)
    session.flush()
    log(SignInKind.PASSWORD_CHANGED, person.phone, person, client)


def log(kind: SignInKind, phone: str, person: Person | None, client: Client) -> None:
    """Write a line in the log of sign-ins."""
    session.add(
        SignIn(
            kind=kind,
            phone=phone,
            person_id=person and person.id,
            ip=client.ip,
            agent=client.agent[:AGENT_MAX],
        )
    )
    session.flush()


def purge(keep_log_days: int) -> int:
    """Delete sessions that have ended, and log lines and counts of failures that are older than they are
    kept.

    The log is kept for six months at least, whatever is asked (cybersecurity law, article 21; 等保). Returns
    rows deleted.
    """
    old = utcnow() - timedelta(days=max(keep_log_days, 184))
    month = utcnow() - timedelta(days=30)
    statements = (
        sa.delete(SignInSession).where(~queries.lasting()),
        sa.delete(SignIn).where(SignIn.at < old),
        sa.delete(SignInGuard).where(
            sa.func.coalesce(SignInGuard.failed_at, month - timedelta(days=1)) < month
        ),
    )
    gone = 0
    for statement in statements:
        result: Any = session.execute(statement, execution_options={"synchronize_session": False})
        gone += result.rowcount
    return gone


def _locked(phone: str, until: datetime, client: Client) -> Attempt:
    log(SignInKind.LOCKED, phone, queries.by_phone(phone), client)
    return Attempt(Outcome.LOCKED, locked_until=until)


def _lock_guard(phone: str) -> SignInGuard:
    """The number's row, made if need be and locked until the end of the transaction."""
    session.execute(insert(SignInGuard).values(phone=phone, failures=0).on_conflict_do_nothing())
    return session.get_one(SignInGuard, phone, with_for_update=True, populate_existing=True)


def _count_failure(guard: SignInGuard, config: Config) -> datetime | None:
    """Count one more failure. Returns until when the number is now locked, if it is."""
    long_ago = utcnow() - timedelta(seconds=config.lockout_forget_s)
    guard.failures = 1 if guard.failed_at and guard.failed_at < long_ago else guard.failures + 1
    guard.failed_at = utcnow()
    over = guard.failures - config.lockout_after
    if over >= 0:
        delay_s = min(config.lockout_max_s, config.lockout_first_s * 2 ** min(over, 30))
        guard.locked_until = utcnow() + timedelta(seconds=delay_s)
        return guard.locked_until
    return None
