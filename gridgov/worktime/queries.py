"""Shared reads of working time: years and their days, office hours by grid, changes and what they moved."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gridgov import calendars
from gridgov.calendars import OFFICIAL_YEARS, YEARS
from gridgov.db import session
from gridgov.errors import NotFound
from gridgov.grids import queries as grids
from gridgov.i18n import _
from gridgov.people import actions as people_actions, queries as people
from gridgov.people.models import Person, Role
from gridgov.worktime import inforce
from gridgov.worktime.models import CalendarChange, CalendarDay, CalendarYear, DeadlineMove, OfficeHours

BEFORE, AFTER = 1, 2  # Years around the present one that the page lists.


@dataclass(frozen=True)
class Year:
    """A year of the calendar. `origin`: import, package or file; null while nobody has published it."""

    year: int
    published: bool
    origin: str | None
    source: str
    imported_at: Any
    differing: int


@dataclass(frozen=True)
class Hours:
    """The office hours of a city or township: today's, whether they are its own, and what is to come."""

    code: str
    name: str
    hours: str
    own: bool
    coming: Sequence[OfficeHours]


def year(number: int) -> dict[str, Any]:
    """A year in the form of holiday-cn, with whether it is official: the days that differ from the weekends, and those named.

    Raises NotFound for a year that nobody reckons with.
    """
    if number not in YEARS[1:-1]:
        raise NotFound(_("This year cannot be reckoned with."))
    known = _years([number])[0]
    names = {row.day: row.name for row in session.scalars(sa.select(CalendarDay).where(_in_year(number)))}
    days = [
        {"date": day, "isOffDay": not working, "name": names.get(day, "")}
        for day, working in _days(number)
        if day in names or working != (day.weekday() < 5)
    ]
    return {"year": number, "published": known.published, "source": known.source, "origin": known.origin, "days": days}


def years() -> list[Year]:
    """The years around the present one, and all that were imported."""
    now = people_actions.today().year
    imported = set(session.scalars(sa.select(CalendarYear.year)))
    return _years(sorted(imported | set(range(now - BEFORE, now + AFTER + 1))))


def hours(actor: Person) -> list[Hours]:
    """The hours of the grids that somebody administers: each city, then its townships."""
    codes = {post.grid_code for post in people.live_posts(actor) if post.role == Role.ADMINISTRATOR and post.grid_code}
    today, found = people_actions.today(), []
    rows: dict[str, list[OfficeHours]] = {}
    for row in session.scalars(sa.select(OfficeHours).order_by(OfficeHours.grid_code, OfficeHours.valid_from)):
        rows.setdefault(row.grid_code, []).append(row)
    for code in sorted(codes):
        for grid in (grids.get(code), *grids.children(code)):
            own = [row for row in rows.get(grid.code, ()) if row.valid_from <= today]
            text = inforce.write_hours(inforce.hours_on(grid.code, today))
            coming = [row for row in rows.get(grid.code, ()) if row.valid_from > today]
            found.append(Hours(grid.code, grid.short_name, text, bool(own and own[-1].hours), coming))
    return found


def changes(most: int = 20) -> Sequence[CalendarChange]:
    """The latest changes of the calendar."""
    return session.scalars(sa.select(CalendarChange).order_by(CalendarChange.id.desc()).limit(most)).all()


def moves(change_id: int, most: int = 50) -> Sequence[DeadlineMove]:
    """Deadlines that a change moved, the first of them."""
    query = sa.select(DeadlineMove).where(DeadlineMove.change_id == change_id).order_by(DeadlineMove.id)
    return session.scalars(query.limit(most)).all()


# Built once: every page of an issue asks it.
MOVES = sa.select(DeadlineMove).where(DeadlineMove.subject_id == sa.bindparam("subject")).order_by(DeadlineMove.id)


def moves_of(subject_id: UUID) -> Sequence[DeadlineMove]:
    """How changes of the calendar moved the deadlines of one subject, oldest first."""
    return session.scalars(MOVES, {"subject": subject_id}).all()


def _years(numbers: Sequence[int]) -> list[Year]:
    rows = {row.year: row for row in session.scalars(sa.select(CalendarYear).where(CalendarYear.year.in_(numbers)))}
    found = []
    for number in numbers:
        row, official = rows.get(number), inforce.published(number)
        origin = "import" if row else "package" if number in OFFICIAL_YEARS else "file"
        source = row.source if row else "chinesecalendar" if origin == "package" else calendars.FILE.name
        differing = sum(working != (day.weekday() < 5) for day, working in _days(number))
        found.append(
            Year(
                number, official, origin if official else None, source if official else "", row and row.imported_at, differing
            )
        )
    return found


def _days(number: int) -> list[tuple[date, bool]]:
    calendar = inforce.calendar(None)
    first, after = date(number, 1, 1).toordinal(), date(number + 1, 1, 1).toordinal()
    return [(day, calendar.is_working_day(day)[0]) for day in map(date.fromordinal, range(first, after))]


def _in_year(number: int) -> Any:
    return CalendarDay.day.between(date(number, 1, 1), date(number, 12, 31))
