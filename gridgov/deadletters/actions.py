"""Trying a dead letter once more. Only an administrator may, and it is recorded in the log of administrative acts."""

from uuid import UUID

import sqlalchemy as sa

from gridgov.db import session, utcnow
from gridgov.deadletters import queries
from gridgov.deadlines import LIVE
from gridgov.errors import Conflict, NotFound
from gridgov.i18n import _
from gridgov.outbox import Outgoing
from gridgov.people import actions as people
from gridgov.people.models import Person, Role
from gridgov.timers import Timer, subjects


def retry(letter_id: str, *, actor: Person | None) -> str:
    """Let a dead deadline or message be tried again from the beginning. Returns what became of it: `open` or `void`.

    A deadline is void if its subject has got another since. Raises NotFound for an unknown one, NotPermitted for anybody
    but an administrator, Conflict when it is not dead any more.
    """
    kind, _dash, key = letter_id.partition("-")
    timer_id = int(key) if kind == queries.TIMER and key.isascii() and key.isdigit() and len(key) < 19 else None
    message_id = _uuid(key) if kind == queries.MESSAGE else None
    there = session.get(Timer, timer_id) if timer_id else session.get(Outgoing, message_id) if message_id else None
    if there is None:
        raise NotFound(_("There is no such dead letter."))
    people.require(actor, Role.ADMINISTRATOR)
    became = _retry_timer(there) if isinstance(there, Timer) else _retry_message(there)
    session.flush()
    people.record("retry_dead_letter", None, actor=actor, letter=letter_id, became=became)
    return became


def _retry_timer(timer: Timer) -> str:
    model = subjects()[timer.subject_kind].model
    # The subject first, as everybody does; whoever moves it now waits until this is decided.
    session.execute(sa.select(model.id).where(model.id == timer.subject_id).with_for_update())
    session.refresh(timer, with_for_update=True)
    if timer.state != "dead":
        raise Conflict(_("This has been dealt with already."), code="not_dead")
    live = sa.select(sa.literal(1)).where(
        Timer.subject_id == timer.subject_id, Timer.kind == timer.kind, LIVE
    )
    timer.state = "void" if session.scalar(live) else "open"
    if timer.state == "open":
        timer.attempts, timer.run_at, timer.ended_at = 0, utcnow(), None
    return timer.state


def _retry_message(message: Outgoing) -> str:
    session.refresh(message, with_for_update=True)
    if message.dead_at is None:
        raise Conflict(_("This has been dealt with already."), code="not_dead")
    message.dead_at, message.attempts = None, 0
    message.run_at = sa.func.now()  # type: ignore[assignment]
    return "open"


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
