"""When something may leave the house: quiet hours, the daily digest, waiting between attempts. Knows no table.

Grade A is always high, and what is high waits for nothing. Hours are those of Asia/Shanghai, which knows no summer time.
"""

import random
from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from gridgov.notices.models import Preference, Urgency

SHANGHAI = ZoneInfo("Asia/Shanghai")
DEFAULT = Preference(person_id=UUID(int=0))
"""What holds for whoever never said otherwise."""
FOR_GROUPS = Preference(person_id=UUID(int=0), digest=False)
"""A group has no digest: what is low waits for the end of the night, like the rest."""
FIRST_WAIT_S = 30.0
JITTER = 0.2


def held_until(now: datetime, urgency: Urgency, wanted: Preference) -> datetime | None:
    """Until when something new is held back: to the next digest, or the end of the quiet hours. None: it may go now."""
    if urgency == Urgency.LOW and wanted.digest:
        return _next(now, time(wanted.digest_hour))
    return rest_until(now, urgency, wanted)


def rest_until(now: datetime, urgency: Urgency, wanted: Preference) -> datetime | None:
    """When the quiet hours that it is now end; None when it is not, or they do not count for what is high."""
    if urgency == Urgency.HIGH or not _quiet(now.astimezone(SHANGHAI).time(), wanted.quiet_from, wanted.quiet_until):
        return None
    return _next(now, wanted.quiet_until)


def backoff(attempt: int) -> timedelta:
    """How long to wait after the n-th attempt failed: 30 s, doubled each time, and up to a fifth more by chance."""
    return timedelta(seconds=FIRST_WAIT_S * 2 ** (attempt - 1) * (1 + random.random() * JITTER))


def _quiet(at: time, begin: time, end: time) -> bool:
    if begin <= end:
        return begin <= at < end
    return at >= begin or at < end  # Over midnight.


def _next(now: datetime, at: time) -> datetime:
    """The next moment after `now` when clocks show `at`."""
    local = now.astimezone(SHANGHAI)
    then = datetime.combine(local.date(), at, SHANGHAI)
    return (then if then > local else then + timedelta(days=1)).astimezone(now.tzinfo)
