"""What the people of the demo city were told: delivered at its hour, and mostly read by now."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from gridgov import outbox
from gridgov.db import session
from gridgov.notices.models import Notice

READ_AFTER = timedelta(hours=36)
TOLD_FOR = timedelta(days=6)  # Inboxes go back so far; what was to be told before that counts as told.


def deliver(since: datetime) -> None:
    """Deliver what was put into the outbox since then, at the hour the clock shows."""
    waiting = sa.select(outbox.Outgoing.id).where(*_waiting(), outbox.Outgoing.created_at > since)
    for outbox_id in session.scalars(waiting).all():
        outbox.deliver(outbox_id)


def settle_old(now: datetime) -> None:
    """What people were told more than a day and a half ago they have read; what is older still needs no
    telling.
    """
    session.execute(
        sa.update(outbox.Outgoing)
        .where(*_waiting(), outbox.Outgoing.created_at <= now - TOLD_FOR)
        .values(done_at=now)
    )
    session.execute(
        sa.update(Notice)
        .where(Notice.created_at < now - READ_AFTER)
        .values(read_at=Notice.created_at + timedelta(hours=2))
    )


def _waiting() -> tuple[Any, ...]:
    return outbox.Outgoing.done_at.is_(None), outbox.Outgoing.dead_at.is_(None)
