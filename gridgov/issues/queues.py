"""An office's queue: the issues of its area or its own work, narrowed, counted, and by grid.

Lists like these are asked for all day, so each is one statement of SQL whatever its length, and only open issues are
counted, which `ix_issues_open_place` holds together. Codes and ids of posts stand in the SQL itself: a plan made without
knowing them sorts all of a city's issues to show fifty. Times are compared with the transaction's clock.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from gridgov import paging, policy
from gridgov.db import session, utcnow
from gridgov.i18n import countdown, language
from gridgov.issues import accused, flow, names, part_models, queries
from gridgov.issues.filters import (
    ENDED,
    OPEN,
    Filter,
    Where,
    check_view,
    department,
    given,
    narrow,
    order,
    under,
    unit,
)
from gridgov.people import queries as people
from gridgov.people.models import Person

__all__ = [
    "ENDED",
    "OPEN",
    "Branch",
    "Counts",
    "Filter",
    "Line",
    "branches",
    "counts",
    "following",
    "issues",
    "line",
    "lines",
]


class Line(NamedTuple):
    """An issue as the desk's list shows it, in words where it can be.

    `due_at` is aware UTC, `due` the same as text, `left` says how long that is; none when it has ended. `colour` is green,
    yellow, red, or grey when it has ended. `asked` is what its handler asks of the level above, if anything.
    `part`: the person's unit has a part of it, and `due`, `left` and `colour` are those of the part.
    """

    id: UUID
    number: str
    title: str
    category: str
    place: str
    unit: str
    state: str
    grade: str
    colour: str
    due_at: datetime | None
    due: str
    left: str
    asked: str | None
    supervised: bool
    followers: int
    resembles: bool
    thumb: UUID | None
    part: bool


@dataclass
class Counts:
    """How many open issues are in each state and of each colour. `moves` changes whenever one came, moved or ended."""

    states: dict[str, int] = field(default_factory=dict)
    colours: dict[str, int] = field(default_factory=lambda: dict.fromkeys(queries.COLOURS, 0))
    open: int = 0
    moves: int = 0


class Branch(NamedTuple):
    """A grid in the tree, with how many open issues lie under it."""

    code: str
    name: str
    n: int
    leaf: bool


# Reading --------------------------------------------------------------------------------------------------------------

LINES = """
    SELECT top.*, categories.name AS category, categories.name_en AS category_en,
        departments.name AS department, departments.name_en AS department_en,
        (SELECT short_name FROM grids WHERE code = top.unit_code) AS unit,
        (SELECT string_agg(short_name, ' ' ORDER BY code) FROM grids
            WHERE code IN (left(top.grid_code, 9), left(top.grid_code, 12), top.grid_code)
            AND (length(code) > :shared OR code = top.grid_code)) AS place,
        (SELECT photo_id FROM issue_photos WHERE issue_id = top.id AND stage = 'before' ORDER BY photo_id LIMIT 1) AS thumb, {part}
    FROM (
        SELECT id, number, left(text, 90) AS text, category_code, grid_code, unit_code, department_id, state, grade, due_at,
            warn_at, asked_kind, supervisor_id IS NOT NULL AS supervised, parts_open, followers, resembles
        FROM issues WHERE {where} ORDER BY {order} LIMIT {limit}
    ) AS top
    JOIN categories ON categories.code = top.category_code
    LEFT JOIN departments ON departments.id = top.department_id
    ORDER BY {order}
"""
COUNTS = """
    SELECT state, CASE WHEN due_at < :now THEN 'red' WHEN warn_at <= :now THEN 'yellow' ELSE 'green' END AS colour,
        count(*), sum(generation)
    FROM issues WHERE {where} GROUP BY 1, 2
"""
BRANCHES = """
    SELECT grids.code, short_name, coalesce(n, 0) AS n
    FROM grids LEFT JOIN (
        SELECT left(grid_code, :length) AS code, count(*) AS n FROM issues WHERE {where} GROUP BY 1
    ) AS counted ON counted.code = grids.code
    WHERE grids.code = :parent OR (grids.parent_code = :parent AND closed_at IS NULL)
    ORDER BY grids.code
"""
ORDER = {"due": "due_at, id", "newest": "id DESC"}


def issues(
    person: Person, filter: Filter, *, cursor: str | None = None, limit: int = paging.LIMIT
) -> paging.Page:
    """Everything in sight, or one's own work, narrowed: whole issues. Raises Invalid for what names nothing known."""
    check_view(filter)
    base = queries.in_sight(person) if filter.view == "all" else queries.waits(person)
    where = narrow(Where(), filter)
    narrowed = sa.text(where.sql).bindparams(**where.values)
    return queries.page(sa.and_(base, narrowed), sort=filter.sort, cursor=cursor, limit=limit)


def lines(
    person: Person, filter: Filter, *, cursor: str | None = None, limit: int = paging.LIMIT
) -> paging.Page:
    """One page of the desk's list. Raises Invalid for a filter that names nothing known."""
    found = _lines(person, filter, cursor, limit + 1)
    after = paging.encode(*_key(found[limit - 1], filter)) if len(found) > limit else None
    return paging.Page(found[:limit], after)


def line(person: Person, filter: Filter, issue_id: UUID) -> Line | None:
    """One issue as the list shows it; None when it is not, or not any more, in the list."""
    found = _lines(person, filter, None, 1, "issues.id = :wanted", wanted=issue_id)
    return found[0] if found else None


def following(person: Person, filter: Filter, at: Line) -> UUID | None:
    """The issue after `at` in the list, from the top again at its end; None when the list holds no other."""
    for cursor in (paging.encode(*_key(at, filter)), None):
        if found := _lines(person, filter, cursor, 1, "issues.id <> :present", present=at.id):
            return found[0].id
    return None


def counts(person: Person, filter: Filter) -> Counts:
    """Open issues of the view and grid that the filter names, its other parts left aside."""
    where = _within(person, filter)
    narrow(where, Filter(grid=filter.grid, state=OPEN))
    found = Counts()
    for state, colour, n, generations in _ask(COUNTS.format(where=where.sql), where, now=utcnow()):
        found.states[state] = found.states.get(state, 0) + n
        found.colours[colour] += n
        found.open += n
        found.moves += n + int(generations)
    return found


def branches(person: Person, filter: Filter, code: str) -> tuple[str, list[Branch]]:
    """What a grid is called, and the open grids directly under it with the open issues of the view there."""
    where = _within(person, filter)
    narrow(where, Filter(grid=code, state=OPEN))
    *_wider, finest = policy.lengths()
    length = next((n for n in policy.lengths() if n > len(code)), finest)
    name, below = code, []
    for row in _ask(BRANCHES.format(where=where.sql), where, length=length, parent=code):
        if row.code == code:
            name = row.short_name
        else:
            below.append(Branch(row.code, row.short_name, row.n, leaf=length == finest))
    return name, below


def _lines(
    person: Person, filter: Filter, cursor: str | None, limit: int, also: str = "", **values: Any
) -> list[Line]:
    where, sort = narrow(_within(person, filter), filter), order(filter)
    if also:
        where.add(also, **values)
    if cursor and sort == "newest":
        where.add("issues.id < :last", last=paging.decode(cursor, UUID)[0])
    elif cursor:
        at, last = paging.decode(cursor, datetime, UUID)
        where.add("(issues.due_at, issues.id) > (:last_due, :last)", last_due=at, last=last)
    sql = LINES.format(where=where.sql, order=ORDER[sort], limit=limit, part=part_models.DUE)
    drawn, own = _Drawing(), queries.own_units(person)
    return [drawn.line(row) for row in _ask(sql, where, shared=_shared(person), **own)]


def _ask(sql: str, where: Where, **values: Any) -> Any:
    return session.connection().execute(sa.text(sql), where.values | values)


# Which ones -----------------------------------------------------------------------------------------------------------


def _within(person: Person, filter: Filter) -> Where:
    """What lies under the person's posts, or waits for their units: never more than they may see."""
    check_view(filter)
    where, reach = Where(), people.reach(person)
    departments = sorted(reach.departments)
    if filter.view == "mine":
        ways = [unit(code) for code in queries.handled_codes(person)] + [department(key) for key in departments]
    else:
        ways = [under(code) for code in widest(reach.grids)]
        ways += [f"{under(code)} AND issues.line = '{line}'" for code, line in sorted(reach.lines)]
        if departments:
            ways.append(given(departments))
    where.add(" OR ".join(ways) or "false")
    where.add(accused.unseen(reach) or "true")
    if filter.view == "mine":
        where.add("issues.ended_at IS NULL")
    return where


def widest(codes: Collection[str]) -> list[str]:
    """The codes that no other of them contains."""
    return sorted(c for c in codes if not any(c != other and c.startswith(other) for other in codes))


# In which order, and with which names ---------------------------------------------------------------------------------


def _key(at: Line, filter: Filter) -> tuple[Any, ...]:
    return (at.id,) if order(filter) == "newest" else (at.due_at or paging.FAR, at.id)


def _shared(person: Person) -> int:
    """Digits of the code that everything in the person's area begins with: the names up to there go without saying."""
    reach = people.reach(person)
    return 0 if reach.departments or len(reach.grids) != 1 else len(min(reach.grids))


class _Drawing:
    """Puts rows into words. What is the same for many rows is looked up once."""

    def __init__(self) -> None:
        self.now = utcnow()
        self.chinese = language() == "zh"
        self.count = countdown(self.now)
        self.units: dict[str, str] = {}

    def line(self, row: Any) -> Line:
        """One row."""
        if row.department:
            unit = self._name(row.department, row.department_en)
        else:
            unit = self._unit(row.unit_code, row.unit)
        due_at = row.part_due or row.due_at
        due, left = (due_at.isoformat(), self.count(due_at)) if due_at else ("", "")
        colour = ("red" if self.now > due_at else "green") if row.part_due else queries.colour(row, self.now)
        return Line(
            row.id, row.number, names.title(row), self._name(row.category, row.category_en), row.place, unit, row.state,
            row.grade, colour, row.due_at, due, left, row.asked_kind, row.supervised, row.followers,
            row.resembles and row.state == flow.current().start, row.thumb, row.part_due is not None,
        )  # fmt: skip

    def _name(self, chinese: str, english: str) -> str:
        return chinese if self.chinese else english or chinese

    def _unit(self, code: str, name: str) -> str:
        if code not in self.units:
            self.units[code] = names.office_name(code, name)
        return self.units[code]
