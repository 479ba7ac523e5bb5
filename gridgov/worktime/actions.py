"""Every write on the calendar: a year's notice, single days, office hours. Who: an administrator; None is the system.

A change is written with the days it touches; the deadlines follow in recompute.py.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gridgov.calendars import Calendar
from gridgov.db import session, utcnow
from gridgov.errors import Invalid
from gridgov.grids import queries as grids
from gridgov.i18n import _
from gridgov.people import actions as people
from gridgov.people.models import Person, Role
from gridgov.worktime import inforce
from gridgov.worktime.models import CalendarChange, CalendarDay, CalendarYear, ChangeKind, OfficeHours
from gridgov.worktime.notice import Notice

LOCK = 0x67726964_0008
FAR = timedelta(days=366)  # How far ahead hours may be set.


@dataclass(frozen=True)
class DayChange:
    """A day that works now and rested before, or the other way round."""

    day: date
    working: bool
    name: str


@dataclass(frozen=True)
class Report:
    """What an import changes, or would change: days, and the year that becomes official by it."""

    year: int | None
    days: tuple[DayChange, ...]
    published: bool
    notes: tuple[str, ...] = ()
    change: CalendarChange | None = None

    @property
    def changed(self) -> bool:
        """Whether there is anything to write that a deadline could feel."""
        return bool(self.days) or self.published


class _Undone(Exception):
    """Rolls an import back and carries out what it would have changed."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self.report = report


def import_notice(notice: Notice, *, actor: Person | None, dry_run: bool = False) -> Report:
    """Take in a year's notice, whose days are then all that differs from the weekends, or single days beside what is there.

    Importing the same again changes nothing. `dry_run` only says what would change. Raises NotPermitted.
    """
    people.require(actor, Role.ADMINISTRATOR)
    lock()
    try:
        with session.begin_nested():
            report = _try(notice, actor)
            if dry_run:
                raise _Undone(report)
    except _Undone as undone:
        inforce.drop_own()
        return undone.report
    if not report.changed:  # What was said is kept all the same, for what may be said later of the days around it.
        return report
    days = report.days
    span = list(span_of(report.year)) if report.published and report.year else [change.day for change in days]
    kind = ChangeKind.NOTICE if notice.year is not None else ChangeKind.DAYS
    listed = [[change.day.isoformat(), change.working, change.name] for change in days]
    change = _record(kind, span, actor, source=notice.source, year=notice.year, changed=listed)
    people.record("import_calendar", None, actor=actor, change_id=change.id, source=notice.source, year=notice.year)
    return Report(report.year, report.days, report.published, report.notes, change)


def set_hours(code: str, text: str | None, valid_from: date | None, *, actor: Person | None) -> CalendarChange | None:
    """Let the offices of a city or township work in these hours from a day on (default today); None: as those above it.

    Days gone by keep the hours they had. Returns None when no deadline can feel it. Raises NotFound, NotPermitted, Invalid.
    """
    grid = grids.get(code)
    people.require(actor, Role.ADMINISTRATOR, grid_code=code)
    today = people.today()
    valid_from = valid_from or today
    if len(code) not in inforce.LEVELS or grid.closed_at is not None:
        raise Invalid(_("Office hours belong to a city or a township."), field="grid_code")
    if not today <= valid_from <= today + FAR:
        raise Invalid(_("The first day lies between today and a year from now."), field="valid_from")
    hours = None
    if text and text.strip():
        try:
            hours = inforce.write_hours(inforce.parse_hours(text))
        except ValueError:
            words = _("Write hours like 08:00-12:00, 14:30-17:30: in order, not overlapping, within one day.")
            raise Invalid(words, field="hours") from None
        if len(hours) > 120:
            raise Invalid(_("At most %(most)s characters.", most=120), field="hours")
    lock()
    row = session.scalars(_last(code, valid_from)).first()
    before = row.hours if row else None
    if row is not None and row.valid_from == valid_from and before == hours:
        return None
    values = {"grid_code": code, "valid_from": valid_from, "hours": hours}
    session.execute(
        insert(OfficeHours).values(values).on_conflict_do_update(
            index_elements=["grid_code", "valid_from"], set_={"hours": hours}
        )
    )  # fmt: skip
    people.record("office_hours", None, actor=actor, grid_code=code, hours=hours or "", valid_from=valid_from.isoformat())
    inforce.use_own()
    if before == hours:  # What was said is kept all the same: other hours may be set for the days before.
        return None
    # Until the next row of this grid, or as far as anybody reckons.
    later = sa.select(sa.func.min(OfficeHours.valid_from)).where(OfficeHours.grid_code == code, OfficeHours.valid_from > valid_from)
    ends = session.scalar(later)
    last = ends - timedelta(days=1) if ends else date.max
    changed = [code, before, hours]
    return _record(ChangeKind.HOURS, [valid_from, last], actor, source="", grid_code=code, changed=changed)


def reckon_all(*, actor: Person | None, source: str = "") -> CalendarChange:
    """Have every live working deadline reckoned anew, after calendars.yaml or the package of official days changed."""
    people.require(actor, Role.ADMINISTRATOR)
    lock()
    return _record(ChangeKind.ALL, [date.min, date.max], actor, source=source)


def span_of(year: int) -> tuple[date, date]:
    """The days that the notice of a year may name: the weeks beside it too, as it has happened."""
    return date(year - 1, 12, 1), date(year + 1, 1, 31)


def lock() -> None:
    """One change of the calendar at a time: a second waits for the first to commit and then sees what it wrote."""
    session.flush()
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))


def _try(notice: Notice, actor: Person | None) -> Report:
    """Write the list, and tell by the calendars of before and after what that changes."""
    before = inforce.calendar(None)
    if not _is_there(notice):
        _write(notice, actor)
    inforce.use_own()
    days = _changes(before, inforce.calendar(None), _touched(notice), {day.day: day.name for day in notice.days})
    published = notice.year is not None and before.is_working_day(date(notice.year, 1, 1))[1]
    return Report(notice.year, days, published, tuple(_notes(notice, before)))


def _is_there(notice: Notice) -> bool:
    """Whether the tables say just this already."""
    wanted = {(day.day, day.working, day.name, notice.year or day.day.year) for day in notice.days}
    query = sa.select(CalendarDay.day, CalendarDay.working, CalendarDay.name, CalendarDay.year)
    if notice.year is None:
        return wanted == set(session.execute(query.where(CalendarDay.day.in_([day.day for day in notice.days]))).all())
    there = set(session.execute(query.where(CalendarDay.year == notice.year)).all())
    return wanted == there and session.get(CalendarYear, notice.year) is not None


def _write(notice: Notice, actor: Person | None) -> None:
    """The rows of a list, in place of what the same year's notice had before."""
    if notice.year is not None:
        session.execute(sa.delete(CalendarDay).where(CalendarDay.year == notice.year))
        year = {"year": notice.year, "source": notice.source, "imported_at": utcnow(), "imported_by": actor and actor.id}
        found = insert(CalendarYear).values(year)
        kept = {name: found.excluded[name] for name in ("source", "imported_at", "imported_by")}
        session.execute(found.on_conflict_do_update(index_elements=["year"], set_=kept))
    rows = [
        {
            "day": day.day, "working": day.working, "name": day.name, "year": notice.year or day.day.year,
            "source": notice.source,
        }
        for day in notice.days
    ]  # fmt: skip
    put = insert(CalendarDay)
    values = {name: put.excluded[name] for name in ("working", "name", "year", "source")}
    session.execute(put.on_conflict_do_update(index_elements=["day"], set_=values), rows)


def _touched(notice: Notice) -> list[date]:
    """The days that an import may have changed: those of its year, and those it names."""
    days = {day.day for day in notice.days}
    if notice.year is not None:
        first, last = (day.toordinal() for day in span_of(notice.year))
        days |= {date.fromordinal(n) for n in range(first, last + 1)}
    return sorted(days)


def _changes(before: Calendar, after: Calendar, days: Iterable[date], names: dict[date, str]) -> tuple[DayChange, ...]:
    found = []
    for day in days:
        works = after.is_working_day(day)[0]
        if works != before.is_working_day(day)[0]:
            found.append(DayChange(day, works, names.get(day, "")))
    return tuple(found)


def _notes(notice: Notice, before: Calendar) -> Iterable[str]:
    """What is no mistake, but worth a second look."""
    for day in notice.days:
        if day.working and day.day.weekday() < 5 and (notice.year or before.is_working_day(day.day)[0]):
            yield _("%(day)s is listed as working, which a weekday is anyway.", day=day.day)


def _last(code: str, day: date) -> Any:
    """The row of hours that holds on a day, if any."""
    query = sa.select(OfficeHours).where(OfficeHours.grid_code == code, OfficeHours.valid_from <= day)
    return query.order_by(OfficeHours.valid_from.desc()).limit(1).execution_options(populate_existing=True)


def _record(kind: ChangeKind, days: list[date], actor: Person | None, **more: Any) -> CalendarChange:
    change = CalendarChange(
        kind=kind, actor_id=actor and actor.id, at=utcnow(), first_day=min(days), last_day=max(days), **more
    )
    session.add(change)
    inforce.use_own()
    return change
