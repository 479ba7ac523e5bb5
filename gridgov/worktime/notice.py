"""Reading a calendar that somebody was given: CSV out of a spreadsheet, or the JSON form of the project holiday-cn.

CSV: columns date (日期), kind (类型: work or rest, 上班 or 放假) and perhaps name (名称). JSON: {"year": 2027, "days": [{"name":
"元旦", "date": "2027-01-01", "isOffDay": true}, …]}; the row of a problem is then the day's place in the list, from 1.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from gridgov.calendars import YEARS
from gridgov.grids import csvfile
from gridgov.grids.csvfile import ImportRefused, Problems
from gridgov.i18n import _

HEADS = {
    "date": "date", "day": "date", "日期": "date", "kind": "kind", "type": "kind", "类型": "kind", "种类": "kind",
    "name": "name", "holiday": "name", "名称": "name", "节日": "name", "说明": "name",
}  # fmt: skip
KINDS = dict.fromkeys(("work", "workday", "working", "班", "上班", "工作日", "补班", "调休", "调休上班"), True)
KINDS |= dict.fromkeys(("rest", "off", "holiday", "休", "休息", "放假", "假日", "节假日", "休息日"), False)
NAME_MAX = 40
# A year has 13 statutory holidays since 2025 and had 7 before 2000: a list with fewer days off is no whole year's notice.
LEAST_REST = 7
# Row, the column its day stands in, the day as written, whether it works, its name.
Entry = tuple[int, str, str, bool | None, str]


@dataclass(frozen=True)
class Day:
    """A day that works, or rests, by the list."""

    day: date
    working: bool
    name: str


@dataclass(frozen=True)
class Notice:
    """A list of days that was read whole. `year`: it is all that differs from the weekends in that year; None: single days."""

    days: tuple[Day, ...]
    year: int | None
    source: str


def read(data: bytes, source: str, *, year: int | None = None, single: bool = False) -> Notice:
    """Read a file of either form. Raises ImportRefused with everything that is wrong with it, by row.

    `single`: the days are to be added to what is there, and publish no year. Else they are the notice of `year`, or of the
    one year that they say or show themselves.
    """
    text, problems = csvfile.decode(data, source), Problems(source)
    if text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        entries, said = _json(text, problems)
    else:
        entries, said = list(_csv(text, problems)), None
    days = _days(entries, problems)
    problems.raise_if_any()
    return of(days, source, year=year or said, single=single)


def of(days: Sequence[tuple[int, Day]], source: str, *, year: int | None = None, single: bool = False) -> Notice:
    """The notice of days that come with their rows. Raises ImportRefused when they are no year's notice, or none at all."""
    problems = Problems(source)
    if not days:
        problems.add(None, None, _("The file lists no day."))
        problems.raise_if_any()
    if not single:
        year = year or _year_of([day for _row, day in days], problems)
        _check_year(days, year, problems)
        problems.raise_if_any()
    ordered = tuple(sorted((day for _row, day in days), key=lambda day: day.day))
    return Notice(ordered, None if single else year, source[:200])


def of_entries(entries: Sequence[Mapping[str, Any]], source: str, *, year: int | None, single: bool) -> Notice:
    """The notice of days that a schema has read: each with `date` (a day), `isOffDay` and `name`. Raises ImportRefused."""
    problems = Problems(source)
    rows = [(n, "date", given["date"].isoformat(), not given["isOffDay"], given["name"]) for n, given in enumerate(entries, 1)]
    days = _days(rows, problems)
    problems.raise_if_any()
    return of(days, source, year=year, single=single)


def _csv(text: str, problems: Problems) -> Iterator[Entry]:
    for number, row in csvfile.read(text, problems, required={"date", "kind"}, names=HEADS):
        kind = KINDS.get(row["kind"].lower())
        if kind is None:
            said = row["kind"]
            problems.add(number, "kind", _("“%(kind)s” is neither work (上班) nor rest (放假).", kind=said))
        yield number, "date", row["date"], kind, row.get("name", "")


def _json(text: str, problems: Problems) -> tuple[list[Entry], int | None]:
    try:
        data = json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        problems.add(getattr(error, "lineno", None), None, _("This is not JSON: %(reason)s", reason=error))
        raise ImportRefused(problems.found) from None
    if not isinstance(data, dict) or not isinstance(data.get("days"), list):
        problems.add(None, "days", _("The file must be an object with a list of days."))
        raise ImportRefused(problems.found)
    year = data.get("year")
    if year is not None and (not isinstance(year, int) or isinstance(year, bool)):
        problems.add(None, "year", _("The year must be a number."))
    rows = []
    for number, given in enumerate(data["days"], start=1):
        entry = given if isinstance(given, dict) else {}
        day, off, name = entry.get("date"), entry.get("isOffDay"), entry.get("name", "")
        if not isinstance(off, bool):
            problems.add(number, "isOffDay", _("This must be true or false."))
            off = None
        if not isinstance(name, str):
            problems.add(number, "name", _("This must be a text."))
            name = ""
        rows.append((number, "date", day if isinstance(day, str) else "", None if off is None else not off, name))
    return rows, year


def _days(rows: Iterable[Entry], problems: Problems) -> list[tuple[int, Day]]:
    """The rows as days, each once; what is wrong goes to the problems."""
    found: list[tuple[int, Day]] = []
    seen: dict[date, int] = {}
    for number, column, text, working, name in rows:
        day = _date(text)
        if day is None:
            problems.add(number, column, _("“%(text)s” is no day; write it like 2027-02-06.", text=text))
        elif day in seen:
            problems.add(number, column, _("%(day)s stands in row %(row)s already.", day=day, row=seen[day]))
        else:
            seen[day] = number
            if len(name) > NAME_MAX:
                problems.add(number, "name", _("At most %(most)s characters.", most=NAME_MAX))
            if working is not None:
                found.append((number, Day(day, working, name.strip())))
    return found


def _date(text: str) -> date | None:
    """A day written 2027-02-06, 2027/2/6, 2027.2.6, 20270206 or 2027年2月6日."""
    plain = unicodedata.normalize("NFKC", text).replace(" ", "")
    match = re.fullmatch(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(T?00:00(:00)?)?", plain) or re.fullmatch(
        r"(\d{4})(\d{2})(\d{2})", plain
    )
    try:
        day = date(*map(int, match.groups()[:3])) if match else None
    except ValueError:
        return None
    return day if day is not None and day.year in YEARS else None


def _year_of(days: Sequence[Day], problems: Problems) -> int:
    """The year that a list without one is about: the latest, if the rest is the end of the year before."""
    years = {day.day.year for day in days}
    if len(years) > 2 or max(years) - min(years) > 1:
        problems.add(None, None, _("The days lie in several years: give one file for each year."))
        problems.raise_if_any()
    return max(years)


def _check_year(days: Sequence[tuple[int, Day]], year: int, problems: Problems) -> None:
    """A whole year's notice names days of that year, perhaps of the weeks beside it, and no less than the holidays."""
    if year not in YEARS[1:-1]:
        problems.add(None, "year", _("The year %(year)s cannot be reckoned with.", year=year))
        problems.raise_if_any()
    first, last = date(year - 1, 12, 1), date(year + 1, 1, 31)
    for row, day in days:
        if not first <= day.day <= last:
            problems.add(row, "date", _("%(day)s does not belong to the notice for %(year)s.", day=day.day, year=year))
    rest = sum(not day.working for _row, day in days if day.day.year == year)
    if rest < LEAST_REST and not problems.found:
        words = _(
            "Only %(n)s days off in %(year)s: this is no whole year's notice. To change single days, say so when you import.",
            n=rest, year=year,
        )  # fmt: skip
        problems.add(None, None, words)
