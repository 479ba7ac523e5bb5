"""What the tests of working time share: the city's calendar, and times as people in Wugang read them."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from gridgov import calendars
from gridgov.calendars import Calendar, Limit

SHANGHAI = ZoneInfo("Asia/Shanghai")
CHINA = calendars.default()
HOURS = [(time(8), time(12)), (time(14, 30), time(17, 30))]


def fresh() -> Calendar:
    """The default office hours and official days, never asked anything yet."""
    return Calendar(HOURS, SHANGHAI, calendars.OFFICIAL_DAYS.get)


def at(text: str) -> datetime:
    """A moment in Wugang, `2026-02-14 10:00`, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


def due(start: str, limit: str, clock: str, calendar: Calendar = CHINA) -> str:
    """The deadline on a clock on the wall in Wugang; `?` marks a provisional one."""
    deadline = calendar.due(at(start), Limit.parse(limit, clock))
    assert deadline.due_at.tzinfo is UTC
    return f"{deadline.due_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}" + "?" * deadline.provisional
