"""Handing what is due to the senders, and sending. The table is the truth: a lost job is found again when its lease ends."""

import logging
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa

from gridgov import db, jobs, schedule
from gridgov.db import session, utcnow
from gridgov.notices import sender
from gridgov.notices.models import Address, Delivery

log = logging.getLogger("gridgov.notices")
QUEUED = timedelta(seconds=60)
QUEUE = "default"  # Behind the inbox's queue: a provider that hangs must not keep messages of the house waiting.
QUEUE_LIMIT = 200


def hand_over(batch: int = 50) -> int:
    """Lease addresses that have something due and hand each to RQ. Returns how many; raises redis.RedisError without Redis."""
    room = min(batch, QUEUE_LIMIT - jobs.queue(QUEUE).count)
    if room <= 0:
        return 0
    with db.transaction():
        now = sa.func.app_now()
        due = sa.select(Delivery.address_id).where(Delivery.due_at <= now).distinct()
        free = sa.or_(Address.queued_until.is_(None), Address.queued_until <= now)
        ids = session.scalars(
            sa.select(Address.id).where(Address.id.in_(due), free).order_by(Address.queued_until.nulls_first())
            .limit(room).with_for_update(skip_locked=True, key_share=True)
        ).all()  # fmt: skip
        if not ids:
            return 0
        session.execute(sa.update(Address).where(Address.id.in_(ids)).values(queued_until=utcnow() + QUEUED))
    # After the commit: a worker is quicker than that, and would find the address still locked.
    for each in ids:
        send_to.enqueue(str(each))
    return len(ids)


@jobs.job(QUEUE, timeout_s=60, in_steps=True)
def send_to(address_id: str) -> None:
    """Bring what is due to one address, in one message."""
    with db.transaction():
        call = sender.take(UUID(address_id))
    if call is None:
        return
    from gridgov.notices import channels  # apprise takes a while to load, and web processes never send.

    outcome = channels.send(call.channel, call.target, call.message)
    with db.transaction():
        sender.finish(call, outcome)
    if not outcome.ok:
        log.warning("message not brought", extra={"channel": str(call.channel), "message_id": str(call.message_id)})


schedule.STEPS.append(hand_over)
