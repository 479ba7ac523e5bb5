"""The calendar in force for a grid: the package's days and calendars.yaml, overridden by what the city imported.

Kept per process. Whether it changed is asked at most every CHECK_S seconds, by one look at the newest row of
`calendar_changes`; until then a process may go on with the older one, which recompute.py reckons with. A transaction that
changed the calendar sees its own change at once, and nobody else does before it commits.
"""

import re
import time as clock
import weakref
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session

from gridgov import calendars
from gridgov.calendars import Calendar, Hours
from gridgov.db import session
from gridgov.worktime.models import CalendarChange, CalendarDay, CalendarYear, OfficeHours

CHECK_S = 2.0
OWN = "worktime"
LEVELS = (9, 6)  # Digits of the grids that may have hours: the township's count before the city's.
VERSION = sa.select(sa.func.coalesce(sa.func.max(CalendarChange.id), 0))
Rows = tuple[tuple[date, Hours | None], ...]


@dataclass
class _Known:
    """What the tables say, and the calendars made of it."""

    version: int
    days: dict[date, bool]
    years: set[int]
    hours: dict[str, Rows]
    checked_s: float = 0.0
    made: dict[tuple[Rows, ...], Calendar] = field(default_factory=dict)

    def calendar(self, code: str | None) -> Calendar:
        """The calendar of a grid; of no grid in particular, the one where nobody has hours of their own."""
        rows = tuple(self.hours[code[:n]] for n in LEVELS if code and code[:n] in self.hours)
        if rows not in self.made:
            base = calendars.default()
            self.made[rows] = Calendar(base.hours, base.tz, self.kind, lambda day: _hours_on(rows, day))
        return self.made[rows]

    def kind(self, day: date) -> bool | None:
        """Whether a day works, None when nobody has said: as listed here, else by the notice, else as before."""
        listed = self.days.get(day)
        if listed is not None:
            return listed
        return day.weekday() < 5 if day.year in self.years else calendars.default().day_kind(day)


# By the engine, of which a process has one.
_known: "weakref.WeakKeyDictionary[Any, _Known]" = weakref.WeakKeyDictionary()


def calendar(code: str | None) -> Calendar:
    """The calendar of the offices of a grid: its township's hours, else the city's, else those of calendars.yaml."""
    return _current().calendar(code)


def same_everywhere() -> Calendar | None:
    """The one calendar of all grids; None where some grid has hours of its own, so that one must ask which."""
    known = _current()
    return None if known.hours else known.calendar(None)


def published(year: int) -> bool:
    """Whether the days of a year are official, not only a guess by weekends."""
    return not calendar(None).is_working_day(date(year, 1, 1))[1]


def use_own() -> None:
    """Have this transaction, which has just changed the tables, reckon by them; the others once it has committed."""
    session.flush()
    session.info[OWN] = _load()


def drop_own() -> None:
    """Forget what `use_own` read, after it was rolled back to a savepoint."""
    session.info.pop(OWN, None)


def parse_hours(text: str) -> Hours:
    """Office hours as people write them, `08:00-12:00, 14:30-17:30`; Chinese signs will do. Raises ValueError."""
    plain = text.translate(str.maketrans("：，、；;–—－～~至", ":,,,,------", " \t\u3000"))
    hours = []
    for part in filter(None, plain.split(",")):
        if not (match := re.fullmatch(r"(\d\d?:\d\d)-(\d\d?:\d\d)", part)):
            raise ValueError(f"{part!r} is not written like 08:00-12:00")
        opens, closes = (time.fromisoformat(edge.zfill(5)) for edge in match.groups())
        hours.append((opens, closes))
    return Calendar(hours, calendars.default().tz, lambda _day: None).hours


def write_hours(hours: Hours) -> str:
    """Office hours as the table keeps and the pages show them."""
    return ", ".join(f"{opens:%H:%M}-{closes:%H:%M}" for opens, closes in hours)


def hours_on(code: str, day: date) -> Hours:
    """The office hours of a grid on a day."""
    known = _current()
    return _hours_on(tuple(known.hours.get(code[:n], ()) for n in LEVELS), day) or calendars.default().hours


def _hours_on(levels: tuple[Rows, ...], day: date) -> Hours | None:
    for rows in levels:
        at = bisect_right(rows, day, key=lambda row: row[0]) - 1
        if at >= 0 and rows[at][1] is not None:
            return rows[at][1]
    return None


def _current() -> _Known:
    own = session.info.get(OWN)
    if own is not None:
        return own
    bind, now = session.get_bind(), clock.monotonic()
    known = _known.get(bind)
    if known is None or now - known.checked_s >= CHECK_S:
        if known is None or session.connection().execute(VERSION).scalar_one() != known.version:
            known = _load()
        known.checked_s = now  # Taken before the look, so that what is kept is never older than it says.
        _known[bind] = known
    return known


def _load() -> _Known:
    # The version first: what a change that commits between the statements brings is then only read once more.
    version = session.connection().execute(VERSION).scalar_one()
    days = {row.day: row.working for row in session.execute(sa.select(CalendarDay.day, CalendarDay.working))}
    years = set(session.scalars(sa.select(CalendarYear.year)))
    hours: dict[str, list[tuple[date, Hours | None]]] = defaultdict(list)
    query = sa.select(OfficeHours.grid_code, OfficeHours.valid_from, OfficeHours.hours).order_by(OfficeHours.valid_from)
    for code, valid_from, text in session.execute(query):
        hours[code].append((valid_from, parse_hours(text) if text else None))
    return _Known(version, days, years, {code: tuple(rows) for code, rows in hours.items()})


@event.listens_for(Session, "after_transaction_end")
def _end_of_own(target: Session, transaction: Any) -> None:
    """Forget what a transaction knew of its own change, and ask anew what holds."""
    if transaction.parent is None and target.info.pop(OWN, None) is not None:
        _known.pop(target.get_bind(), None)
