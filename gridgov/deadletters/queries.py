"""What has died, newest first: deadlines of any subject, and messages."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import session
from gridgov.issues.models import Issue
from gridgov.outbox import Outgoing
from gridgov.timers import Timer

MOST = 100
TIMER, MESSAGE = "timer", "message"
DEAD_TIMER = sa.text("timers.state = 'dead'")
DEAD_MESSAGE = sa.text("outbox.dead_at IS NOT NULL")


@dataclass(frozen=True)
class Letter:
    """One thing that failed for good. `id` is `timer-12` or `message-<uuid>`; `number` that of the issue it is about."""

    id: str
    kind: str
    what: str
    subject_id: UUID | None
    number: str | None
    attempts: int
    error: str
    due_at: datetime
    died_at: datetime | None


def dead(most: int = MOST) -> list[Letter]:
    """The latest of each kind. No words of the report and no names are in it."""
    timers = sa.select(Timer).where(DEAD_TIMER).order_by(Timer.id.desc()).limit(most)
    messages = sa.select(Outgoing).where(DEAD_MESSAGE).order_by(Outgoing.id.desc()).limit(most)
    letters = [
        Letter(f"{TIMER}-{t.id}", TIMER, t.kind, t.subject_id, None, t.attempts, t.error or "", t.due_at, t.ended_at)
        for t in session.scalars(timers)
    ] + [
        Letter(f"{MESSAGE}-{m.id}", MESSAGE, m.topic, _issue_of(m), None, m.attempts, m.error or "", m.created_at, m.dead_at)
        for m in session.scalars(messages)
    ]
    wanted = {letter.subject_id for letter in letters if letter.subject_id}
    found = session.execute(sa.select(Issue.id, Issue.number).where(Issue.id.in_(wanted)))
    numbers = {row.id: row.number for row in found}
    letters = [replace(x, number=numbers.get(x.subject_id) if x.subject_id else None) for x in letters]
    return sorted(letters, key=lambda letter: letter.died_at or letter.due_at, reverse=True)


def counts() -> tuple[int, int]:
    """How many deadlines and how many messages are dead."""
    timers = sa.select(sa.func.count()).select_from(Timer).where(DEAD_TIMER)
    messages = sa.select(sa.func.count()).select_from(Outgoing).where(DEAD_MESSAGE)
    return session.scalar(timers) or 0, session.scalar(messages) or 0


def _issue_of(message: Outgoing) -> UUID | None:
    try:
        return UUID(message.payload["issue"])
    except (KeyError, TypeError, ValueError):
        return None  # A message about something else.
