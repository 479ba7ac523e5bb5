"""Working time the slow and obvious way: walk the minutes, ask of each whether the office is open, count. For tests only.

Knows nothing of gridgov's calendars: the official days come from the package chinesecalendar, day by day. All times are
minutes since 2020-01-01 00:00 in Wugang; only a result may fall within a minute, and is given in seconds.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import chinese_calendar

ZERO = datetime(2020, 1, 1, tzinfo=UTC) - timedelta(hours=8)
FIRST = date(2020, 1, 1)
DAY = 1440
WORK_DAY_S = 25_200
Span = tuple[int, int]
STANDARD = [(8 * 60, 12 * 60), (14 * 60 + 30, 17 * 60 + 30)]


def minute(moment: datetime) -> int:
    """A moment as minutes; it must be a whole one."""
    seconds = (moment - ZERO) // timedelta(seconds=1)
    assert seconds % 60 == 0
    return seconds // 60


def moment(second: int) -> datetime:
    """Seconds since the beginning, as a moment."""
    return ZERO + timedelta(seconds=second)


def day_of(at: int) -> date:
    """The day a minute lies in."""
    return FIRST + timedelta(days=at // DAY)


@dataclass
class SlowCalendar:
    """What was imported, as plain lists."""

    days: dict[date, tuple[bool, int]] = field(default_factory=dict)
    years: set[int] = field(default_factory=set)
    hours: dict[str, list[tuple[date, list[Span] | None]]] = field(default_factory=dict)
    known: dict[tuple[str, date], bytes] = field(default_factory=dict)

    def notice(self, year: int, days: dict[date, bool]) -> None:
        """A year's notice, in place of what was there for that year."""
        self.days = {day: (works, of) for day, (works, of) in self.days.items() if of != year}
        self.days |= {day: (works, year) for day, works in days.items()}
        self.years.add(year)
        self.known.clear()

    def single(self, day: date, works: bool) -> None:
        """One day."""
        self.days[day] = (works, day.year)
        self.known.clear()

    def open_from(self, place: str, day: date, spans: list[Span] | None) -> None:
        """Office hours from a day on."""
        rows = [row for row in self.hours.get(place, []) if row[0] != day]
        self.hours[place] = sorted([*rows, (day, spans)], key=lambda row: row[0])
        self.known.clear()

    def published(self, year: int) -> bool:
        """Whether somebody has said how the year goes."""
        return year <= 2026 or year in self.years

    def works(self, day: date) -> bool:
        """Whether the offices work on that day at all."""
        if day in self.days:
            return self.days[day][0]
        if day.year in self.years or day.year > 2026:
            return day.weekday() < 5
        return chinese_calendar.is_workday(day)

    def spans(self, place: str, day: date) -> list[Span]:
        """The hours of that day."""
        for code in (place[:9], place[:6]):
            said = [spans for since, spans in self.hours.get(code, []) if since <= day]
            if said and said[-1] is not None:
                return said[-1]
        return STANDARD

    def minutes(self, place: str, day: date) -> bytes:
        """One byte for each minute of the day: 1 while the office is open."""
        if (place, day) not in self.known:
            spans = self.spans(place, day) if self.works(day) else []
            self.known[place, day] = bytes(any(a <= m < b for a, b in spans) for m in range(DAY))
        return self.known[place, day]


class Walk:
    """A clock that is walked minute by minute from a moment, forward or back."""

    def __init__(self, calendar: SlowCalendar, place: str, clock: str, start: int) -> None:
        self.calendar, self.place, self.clock, self.at = calendar, place, clock, start
        self.days = 0  # What the whole days walked past were worth.
        self._enter(start // DAY)
        self.done = sum(self.minutes[: start % DAY])

    def _enter(self, day: int) -> None:
        self.minutes = self.calendar.minutes(self.place, FIRST + timedelta(days=day))
        self.length = sum(self.minutes)

    def _worth(self) -> int:
        """What a whole day of the present kind is worth, in seconds of the clock."""
        return self.length * 60 if self.clock == "work_hour" else WORK_DAY_S * bool(self.length)

    def position(self, more_s: int = 0) -> int:
        """Seconds of the clock since the first day began, `more_s` open seconds further on."""
        worked = self.done * 60 + more_s
        if self.clock == "work_hour" or not self.length:
            return self.days + worked
        return self.days + worked * WORK_DAY_S // (self.length * 60)

    def forward(self) -> None:
        """One minute on."""
        self.done += self.minutes[self.at % DAY]
        self.at += 1
        if self.at % DAY == 0:
            self.days += self._worth()
            self._enter(self.at // DAY)
            self.done = 0

    def back(self) -> None:
        """One minute back."""
        if self.at % DAY == 0:
            self._enter(self.at // DAY - 1)
            self.days -= self._worth()
            self.done = self.length
        self.at -= 1
        self.done -= self.minutes[self.at % DAY]


def spent(calendar: SlowCalendar, place: str, clock: str, start: int, end: int) -> int:
    """Seconds that a clock ran from one minute to a later one."""
    if clock in ("natural_day", "urgent_hour"):
        return (end - start) * 60
    walk = Walk(calendar, place, clock, start)
    before = walk.position()
    while walk.at < end:
        walk.forward()
    return walk.position() - before


def due(calendar: SlowCalendar, place: str, clock: str, start: int, amount_s: int) -> int:
    """The earliest second by which so many seconds of the clock have run from a minute on; before it when below zero."""
    if clock in ("natural_day", "urgent_hour"):
        return start * 60 + amount_s
    walk = Walk(calendar, place, clock, start)
    target = walk.position() + amount_s
    while walk.position() < target:
        walk.forward()
    while walk.position() >= target:  # The earliest: back through nights and breaks to where it was reached.
        walk.back()
    second = next(s for s in range(1, 61) if walk.position(s) >= target)
    return walk.at * 60 + second
