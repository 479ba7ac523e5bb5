"""Working time: when a limit runs out, and how much of it has run. Pure: no database, no flask, no clock.

Instants count by whole seconds, the fraction cut off; times come in aware and go out in UTC. A year without
an official calendar is reckoned by weekends, provisionally. docs/decisions/0003-working-time.md says why.
"""

import functools
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import accumulate
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from chinese_calendar.constants import holidays, workdays

from gridgov.limits import WORK_DAY_S, Clock, Limit
from gridgov.yamlfile import YamlFile

__all__ = ["Calendar", "Clock", "Deadline", "Limit", "default", "load"]

Hours = tuple[tuple[time, time], ...]
FILE = Path(__file__).resolve().parent.parent / "workflows" / "calendars.yaml"
YEARS = range(1970, 2200)  # What a calendar reckons; a working deadline beyond it is a mistake, not a wait.
OUTSIDE = f"working time is reckoned from {YEARS[0]} to {YEARS[-1]}; this lies outside"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)

# The package's own check takes the years between its first and its last holiday as published; so do we.
OFFICIAL_YEARS = range(min(holidays).year, max(holidays).year + 1)
OFFICIAL_DAYS = dict.fromkeys(holidays, False) | dict.fromkeys(workdays, True)


@dataclass(frozen=True)
class Deadline:
    """When a limit runs out, in UTC. Provisional: reckoned through a year without official calendar."""

    due_at: datetime
    provisional: bool


@dataclass(frozen=True)
class _Year:
    """One local year: UTC second of its first midnight; each working day's slots as (UTC second, length)."""

    begins: int
    days: list[list[tuple[int, int]]]
    provisional: bool


class _Timeline:
    """The working time of some consecutive years as sorted arrays, so that every question is a bisection.

    Positions on it are relative to its first year; only differences mean anything outside.
    """

    def __init__(self, first: int, years: list[_Year], ends: int) -> None:
        self.first, self.last = first, first + len(years) - 1
        slots = [slot for year in years for day in year.days for slot in day]
        self.starts = [start for start, _ in slots]
        lengths = (sum(length for _, length in day) for year in years for day in year.days)
        # Working seconds before each slot and before each working day; the last entries are the whole.
        self.before = [0, *accumulate(length for _, length in slots)]
        self.days = [0, *accumulate(lengths)]
        self.edges = [*(year.begins for year in years), ends]
        self.provisional = [0, *accumulate(int(year.provisional) for year in years)]

    def worked(self, second: int, clock: Clock) -> int:
        """Position of `clock` at a UTC second: what it has run since the first year began."""
        slot = bisect_right(self.starts, second) - 1
        if slot < 0:
            return 0
        worked = min(self.before[slot] + second - self.starts[slot], self.before[slot + 1])
        if clock is Clock.work_hour:
            return worked
        day = min(bisect_right(self.days, worked), len(self.days) - 1) - 1
        length = self.days[day + 1] - self.days[day]
        return day * WORK_DAY_S + (worked - self.days[day]) * WORK_DAY_S // length

    def moment(self, position: int, clock: Clock) -> int:
        """The earliest UTC second at which `clock` has reached `position`, from 1 to all(clock)."""
        if clock is Clock.work_day:
            day = (position - 1) // WORK_DAY_S
            length = self.days[day + 1] - self.days[day]
            position = self.days[day] - (day * WORK_DAY_S - position) * length // WORK_DAY_S  # Rounded up.
        slot = bisect_left(self.before, position) - 1
        return self.starts[slot] + position - self.before[slot]

    def all(self, clock: Clock) -> int:
        """The position at the end of the last year."""
        return self.before[-1] if clock is Clock.work_hour else (len(self.days) - 1) * WORK_DAY_S

    def unpublished(self, start: int, end: int) -> bool:
        """Whether a provisional year is touched from one UTC second to another, in either order."""
        first, last = (bisect_right(self.edges, second) for second in sorted((start, end)))
        return self.provisional[last] > self.provisional[first - 1]


class Calendar:
    """Office hours, a time zone and the kinds of days. Unchanging to its users; threads may share one."""

    def __init__(
        self,
        hours: Iterable[tuple[time, time]],
        tz: tzinfo,
        day_kind: Callable[[date], bool | None],
        hours_on: Callable[[date], Hours | None] = lambda _day: None,
    ) -> None:
        """`day_kind`: True works, False rests, None: nobody has said, so the weekend decides, provisionally.

        `hours_on`: the hours of a day that are not `hours`, for offices that change theirs; checked by who gives them.
        Raises ValueError when there are no hours, or they overlap or are out of order.
        """
        self.hours, self.tz, self.day_kind, self._hours_on = tuple(hours), tz, day_kind, hours_on
        edges = [edge for pair in self.hours for edge in pair]
        if not edges or edges != sorted(edges) or any(start == end for start, end in self.hours):
            raise ValueError(
                "office hours must be in order and not overlap, and each must end after it starts"
            )
        self._years: dict[int, _Year] = {}
        self._timeline: _Timeline | None = None

    def due(self, start: datetime, limit: Limit) -> Deadline:
        """The earliest second by which `limit` has run, counted from `start` (aware, its fraction cut off).

        A limit with nothing left, or overspent, gives the moment at which it ran out: `start` or before.
        Raises ValueError for a naive time, or when the deadline lies outside the years a calendar reckons.
        """
        second = _second(start)
        if not limit.clock.working:
            return Deadline(EPOCH + timedelta(seconds=second + limit.amount_s), False)
        timeline = self._covering(second, second)
        while True:
            target = timeline.worked(second, limit.clock) + limit.amount_s
            if target <= 0:
                timeline = self._grow(timeline.first - 1, timeline.last)
            elif target > timeline.all(limit.clock):
                timeline = self._grow(timeline.first, timeline.last + 1)
            else:
                break
        moment = timeline.moment(target, limit.clock)
        return Deadline(EPOCH + timedelta(seconds=moment), timeline.unpublished(second, moment))

    def spent(self, start: datetime, end: datetime, clock: Clock) -> int:
        """Seconds that `clock` ran from `start` to `end`; negative when `end` is the earlier.

        Exact in sums: spent(a, b) + spent(b, c) == spent(a, c); and for any b not before a, and a limit above
        nothing, due(b, limit - spent(a, b)) == due(a, limit). So a pause keeps the rest: at the pause store
        the limit less what was spent, at the resumption ask for due again. Raises ValueError as `due` does.
        """
        first, last = _second(start), _second(end)
        if not (clock := Clock(clock)).working:
            return last - first
        timeline = self._covering(min(first, last), max(first, last))
        return timeline.worked(last, clock) - timeline.worked(first, clock)

    def warn_at(self, start: datetime, limit: Limit, share: float = 0.2) -> datetime:
        """The moment from which at most `share` (0 to 1) of the limit is left. Raises ValueError as `due`."""
        if not 0 <= share <= 1:
            raise ValueError(f"a share lies between 0 and 1, not {share}")
        warn_at = self.due(start, limit - round(limit.amount_s * share)).due_at
        return max(warn_at, EPOCH + timedelta(seconds=_second(start)))

    def is_working_day(self, day: date) -> tuple[bool, bool]:
        """(working, provisional) of a local day; provisional when its year has no official calendar yet."""
        return self._works(day), self._year(day.year).provisional

    def _works(self, day: date) -> bool:
        kind = self.day_kind(day)
        return day.weekday() < 5 if kind is None else kind

    def _covering(self, first: int, last: int) -> _Timeline:
        """A timeline that reaches over both UTC seconds."""
        timeline = self._timeline
        if timeline is not None and timeline.edges[0] <= first and last < timeline.edges[-1]:
            return timeline
        low, high = ((EPOCH + timedelta(seconds=second)).astimezone(self.tz).year for second in (first, last))
        if timeline is not None:
            low, high = min(low, timeline.first), max(high, timeline.last)
        return self._grow(low, high)

    def _grow(self, first: int, last: int) -> _Timeline:
        """Replace the timeline by one over these years. A thread sees the old or the new; both are right."""
        if first not in YEARS or last not in YEARS:
            raise ValueError(OUTSIDE)
        years = [self._year(year) for year in range(first, last + 1)]
        self._timeline = timeline = _Timeline(first, years, self._utc(date(last + 1, 1, 1), time()))
        return timeline

    def _year(self, year: int) -> _Year:
        """The slots of one local year, made once. What a change to summer time swallows is left out."""
        if year not in self._years:
            first, after = date(year, 1, 1).toordinal(), date(year + 1, 1, 1).toordinal()
            dates = [date.fromordinal(day) for day in range(first, after)]
            begins = end = self._utc(dates[0], time())
            days = []
            for day in filter(self._works, dates):
                slots = []
                for opens, closes in self._hours_on(day) or self.hours:
                    start, end = max(self._utc(day, opens), end), max(self._utc(day, closes), end)
                    if end > start:
                        slots.append((start, end - start))
                if slots:
                    days.append(slots)
            self._years[year] = _Year(begins, days, any(self.day_kind(day) is None for day in dates))
        return self._years[year]

    def _utc(self, day: date, at: time) -> int:
        return (datetime.combine(day, at, self.tz) - EPOCH) // SECOND


def _second(moment: datetime) -> int:
    """Whole seconds since 1970, UTC. In integers: a float would round .999999 up."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone; working time is reckoned from aware times only")
    if moment.year not in YEARS:
        raise ValueError(OUTSIDE)
    return (moment - EPOCH) // SECOND


@functools.cache
def default(path: str | Path = FILE) -> Calendar:
    """The calendar that a calendars.yaml describes, read once per path. Raises PolicyError as `load` does."""
    return load(path)


def load(path: str | Path) -> Calendar:
    """Read a calendars.yaml: office hours, and the days that differ from China's official calendar.

    Source of the official days: the State Council's yearly notices, as held by the package chinesecalendar.
    Raises PolicyError with file, line and reason.
    """
    file = YamlFile(Path(path))
    fields = file.need((), {"timezone", "hours", "published_years", "days"})
    with _blaming(file, ("timezone",), "the time zone is a name like Asia/Shanghai"):
        tz = ZoneInfo(fields["timezone"])
    hours, days, published = [], {}, set(OFFICIAL_YEARS)
    for index, pair in enumerate(_field(file, "hours", list)):
        with _blaming(file, ("hours", index), "office hours are written like 08:00-12:00"):
            opens, closes = (_time_of_day(part.strip()) for part in pair.split("-"))
            hours.append((opens, closes))
    for text, word in _field(file, "days", dict).items():
        with _blaming(file, ("days", text), 'days are written "2027-02-06": work, "2027-02-08": holiday'):
            if (day := date.fromisoformat(text)) in days:
                raise ValueError(f"{day} stands here twice")
            days[day] = {"work": True, "holiday": False}[word]
    for index, year in enumerate(_field(file, "published_years", list)):
        with _blaming(file, ("published_years", index), "a published year is a number, its days are listed"):
            if year not in OFFICIAL_YEARS and all(day.year != year for day in days):
                raise ValueError(f"no day of {year} is")
            published.add(int(year))

    def kind(day: date) -> bool | None:
        listed = days.get(day, OFFICIAL_DAYS.get(day))
        return day.weekday() < 5 if listed is None and day.year in published else listed

    with _blaming(file, ("hours",), "these office hours will not do"):
        return Calendar(hours, tz, kind)


def _time_of_day(text: str) -> time:
    return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007  A time of day has no zone.


def _field(file: YamlFile, name: str, kind: type[list[Any] | dict[Any, Any]]) -> Any:
    if not isinstance(value := file.get((name,)), kind):
        raise file.fail((name,), f"{name} must be a {kind.__name__}; {kind()} for none")
    return value


@contextmanager
def _blaming(file: YamlFile, at: tuple[str | int, ...], rule: str) -> Iterator[None]:
    """Turn whatever a value of the file breaks into a PolicyError that names its line."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise file.fail(at, f"{rule} ({error})") from error
