"""A city's bulletin (数字城管通报): stages, timeliness, quality and results of a period, read from the events in four statements.

Days are those of Asia/Shanghai, and a period is half-open: what happened at its last midnight belongs to the next. Source of
the formulas: DOMAIN "Appraisal formulas"; docs/bulletin.md explains each. What stands on grids, departments and lines is
measured here, never people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from gridgov.db import TZ, session
from gridgov.errors import Invalid
from gridgov.grids.models import LENGTH
from gridgov.i18n import _, pick
from gridgov.issues.bulletin_sql import KEYS, LEVELS, STAGES, STATEMENTS
from gridgov.issues.models import Category
from gridgov.issues.names import unit_names
from gridgov.people import roles

SHANGHAI = ZoneInfo("Asia/Shanghai")
BY = tuple(key for key in KEYS if key)
LONGEST_DAYS = 366
FAR_YEAR = 9000
COUNTS = {
    "stages": tuple(STAGES),
    "timeliness": ("due", "done", "on_time", "overdue", "overdue_undone"),
    "quality": (
        "resolved", "reworked", "reopened", "dispatched", "declined", "accepted", "extended", "suspended", "judged", "valid",
        *(f"{level}_{name}" for level in LEVELS for name in ("accepted", "closed")),
    ),
    "results": ("closed", "closed_on_time", "answered", "solved", "satisfied"),
}  # fmt: skip
"""Whole numbers of each set; everything else in it is a rate, a multiple, or hours, and null with nothing below the line."""
MEASURES = {
    "stages": tuple(f"{name}_median_h" for name in list(STAGES)[1:]),
    "timeliness": ("closing_rate", "on_time_rate", "overdue_multiple", "overdue_multiple_most"),
    "quality": (
        "rework_rate", "decline_rate", "extension_rate", "valid_report_rate",
        *(f"{level}_self_resolved_rate" for level in LEVELS),
    ),
    "results": ("closed_on_time_rate", "solved_rate", "satisfaction"),
}  # fmt: skip


def _statement(name: str, by: str) -> sa.TextClause:
    # Nothing of a request is in the text: `by` is one of KEYS.
    return sa.text(STATEMENTS[name].replace("{key}", KEYS[by])).bindparams(
        sa.bindparam("begins", type_=TZ), sa.bindparam("ends", type_=TZ),
        sa.bindparam("under", type_=sa.ARRAY(sa.Text)), sa.bindparam("barred", type_=sa.ARRAY(sa.Text)),
        sa.bindparam("barred_departments", type_=sa.ARRAY(sa.Uuid)), sa.bindparam("departments", type_=sa.ARRAY(sa.Uuid)),
    )  # fmt: skip


PREPARED = {(name, by): _statement(name, by) for name in STATEMENTS for by in KEYS}


@dataclass(frozen=True)
class Area:
    """Where the figures are from: places under these grid codes; with `departments`, only what these did. What is about a
    unit of `barred` or `barred_departments` is left out: it is about whoever reads it.
    """

    codes: tuple[str, ...]
    departments: tuple[UUID, ...] | None = None
    barred: tuple[str, ...] = ()
    barred_departments: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class Line:
    """The figures of one group, by set. `key` is a code or an id, None for the whole."""

    key: str | None
    name: str
    figures: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Bulletin:
    """A period's figures: one line for each group that has any, by key, and the whole. `by` is "" when not grouped."""

    first: date
    until: date
    area: Area
    by: str
    lines: Sequence[Line]
    whole: Line

    @property
    def last(self) -> date:
        """The last day that counts."""
        return self.until - timedelta(days=1)


def read(first: date, until: date, area: Area, by: str = "") -> Bulletin:
    """The bulletin of the days from `first` to the day before `until`, in four statements and the names.

    Raises Invalid for a period without days or longer than a year, and for an unknown grouping.
    """
    _check(first, until, area, by)
    given = {
        "begins": _midnight(first), "ends": _midnight(until), "under": [f"{code}%" for code in area.codes],
        "departments": None if area.departments is None else list(area.departments),
        "barred": list(area.barred), "barred_departments": list(area.barred_departments),
    }  # fmt: skip
    found: dict[str | None, dict[str, dict[str, Any]]] = {}
    whole: dict[str, dict[str, Any]] = {}
    for name in STATEMENTS:
        for row in session.connection().execute(PREPARED[name, by], given).mappings():
            figures = {column: row[column] for column in (*COUNTS[name], *MEASURES[name])}
            if row["total"]:
                whole[name] = figures
            elif by and any(figures[count] for count in COUNTS[name]):
                found.setdefault(row["key"], {})[name] = figures
    names = _names(by, [key for key in found if key])
    lines = [
        Line(
            key,
            names.get(key or "", key or _("Not known")),
            {name: figures.get(name) or nothing(name) for name in STATEMENTS},
        )
        for key, figures in sorted(found.items(), key=lambda pair: (pair[0] is None, pair[0] or ""))
    ]
    return Bulletin(first, until, area, by, lines, Line(None, _("Total"), whole))


def nothing(name: str) -> dict[str, Any]:
    """A set of figures of which nothing happened."""
    return dict.fromkeys(COUNTS[name], 0) | dict.fromkeys(MEASURES[name])


def last_month(today: date) -> tuple[date, date]:
    """The whole month before the one of `today`, as (first day, day after the last): what a bulletin is mostly of."""
    until = today.replace(day=1)
    before = (until.year, until.month - 1) if until.month > 1 else (until.year - 1, 12)
    return date(*before, 1), until


def month_after(first: date) -> date:
    """The day after a month that begins on a day: the same day of the next month, or the first of the one after it."""
    if first.year >= FAR_YEAR:
        return first
    year, month = (first.year, first.month + 1) if first.month < 12 else (first.year + 1, 1)
    try:
        return first.replace(year=year, month=month)
    except ValueError:
        return date(year + month // 12, month % 12 + 1, 1)


def _check(first: date, until: date, area: Area, by: str) -> None:
    if by not in KEYS:
        raise Invalid(_("It cannot be grouped by this."), field="by")
    if not first < until or not 1900 < first.year < FAR_YEAR:
        raise Invalid(_("The last day must come after the first."), field="to")
    if (until - first).days > LONGEST_DAYS:
        raise Invalid(_("At most a year at a time."), field="to")
    if not all(code.isascii() and code.isdigit() and len(code) in LENGTH.values() for code in area.codes):
        raise Invalid(_("This is not a code."), field="under")


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), SHANGHAI)


@dataclass(frozen=True)
class _Unit:
    unit_code: str | None
    department_id: UUID | None


def _names(by: str, keys: Sequence[str]) -> dict[str, str]:
    """What the groups are called, in at most two statements."""
    if not keys:
        return {}
    if by == "line":
        return {key: pick(label) for key, label in roles.current().lines.items()}
    if by == "category":
        rows = session.execute(sa.select(Category.code, Category.name, Category.name_en))
        labels = {code: pick({"zh": zh, "en": en}) for code, zh, en in rows}
        return {key: f"{labels[key[:2]]} · {labels[key]}" for key in keys}
    if by == "unit":
        units = {key: _Unit(key, None) if key.isdigit() else _Unit(None, UUID(key)) for key in keys}
        names = unit_names(list(units.values()))
        places = {key: names.place(key[:-3]) for key in keys if len(key) == LENGTH["micro"]}  # type: ignore[index]
        return {
            key: " ".join(filter(None, (places.get(key), names.unit(unit.unit_code, unit.department_id))))
            for key, unit in units.items()
        }
    names = unit_names((), keys)
    return {key: names.place(key) for key in keys}
