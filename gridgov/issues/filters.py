"""What a list of issues is narrowed to, as conditions in SQL. Whatever names nothing known is refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from gridgov import policy
from gridgov.db import utcnow
from gridgov.errors import Invalid
from gridgov.i18n import _
from gridgov.issues import flow
from gridgov.issues.patrols import FOUND_BY
from gridgov.issues.queries import COLOURS, SORTS, VIEWS

OPEN, ENDED = "open", "ended"
# What an open issue may be besides its state; the indexes over these few hold them together.
MARKS = {"supervised": "issues.supervisor_id IS NOT NULL", "asked": "issues.decides_code IS NOT NULL"}
DISSATISFIED = "dissatisfied"
GRADES = ("A", "B", "C")
WORDS_MOST = 5


@dataclass(frozen=True)
class Filter:
    """What a list is narrowed to. `view` mine: my unit has it now; all: everything in sight.

    `state` is a state's name, `open`, `ended`, one of MARKS, or `dissatisfied`: ended, and the reporter was not content.
    `category` and `grid` take what lies under them too.
    """

    view: str = "mine"
    state: str | None = None
    colour: str | None = None
    category: str | None = None
    grade: str | None = None
    grid: str | None = None
    found: str | None = None
    q: str | None = None
    sort: str = "due"


class Where:
    """Conditions on `issues`, as SQL and the values bound in it. In the SQL is nothing of a request but codes and ids."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.values: dict[str, Any] = {}

    def add(self, sql: str, **values: Any) -> None:
        """One more condition that must hold."""
        self.parts.append(sql)
        self.values |= values

    @property
    def sql(self) -> str:
        """All of them together."""
        return " AND ".join(f"({part})" for part in self.parts) or "true"


def under(code: str) -> str:
    """The condition that the place of an issue lies under a grid."""
    return f"issues.grid_code LIKE '{_digits(code)}%'"


def unit(code: str) -> str:
    """The condition that the unit of a grid has it, has a part of it to do, or is to decide what its handler asks for."""
    part = _part(f"unit_code = '{_digits(code)}' AND state = 'open'")
    return f"issues.unit_code = '{_digits(code)}' OR issues.decides_code = '{_digits(code)}' OR {part}"


def department(key: UUID) -> str:
    """The condition that a department has it, or has a part of it to do."""
    here = f"department_id = '{UUID(bytes=key.bytes)}'"
    part = _part(f"{here} AND state = 'open'")
    return f"issues.{here} OR {part}"


def given(keys: Sequence[UUID]) -> str:
    """The condition that one of these departments was given it, or a part of it, at any time."""
    ids = ", ".join(f"'{UUID(bytes=key.bytes)}'" for key in keys)
    here = f"department_id IN ({ids})"
    # An array, read first: a department was given few of all issues, which the planner would not believe.
    return f"issues.id = ANY(ARRAY(SELECT issue_id FROM hops WHERE {here} UNION ALL SELECT issue_id FROM issue_parts WHERE {here}))"  # noqa: S608


def _part(which: str) -> str:
    return f"issues.id = ANY(ARRAY(SELECT issue_id FROM issue_parts WHERE {which}))"  # noqa: S608 – ids and codes.


def _digits(code: str) -> str:
    if not (code.isascii() and code.isdigit()):
        raise AssertionError("a grid code is digits")
    return code


def narrow(where: Where, filter: Filter) -> Where:
    """Add the filter's conditions, all but its view. Raises Invalid, naming the field."""
    if filter.state:
        _add_state(where, filter.state)
    if filter.colour:
        _add_colour(where, filter.colour)
    if filter.category:
        code = _code(filter.category, "category", (2, 4))
        where.add("left(issues.category_code, :digits) = :category", digits=len(code), category=code)
    if filter.grade:
        if filter.grade not in GRADES:
            raise Invalid(_("There is no such grade."), field="grade")
        where.add("issues.grade = :grade", grade=filter.grade)
    if filter.found:
        if filter.found not in FOUND_BY:
            raise Invalid(_("There is no such way to find something."), field="found")
        where.add("issues.found_by = :found", found=filter.found)
    if filter.grid:
        where.add(under(_code(filter.grid, "grid", policy.lengths())))
    for n, word in enumerate((filter.q or "").replace("\0", " ").split()[:WORDS_MOST]):
        like = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        name = f"word_{n}"
        where.add(
            f"issues.number ILIKE :{name} OR issues.text ILIKE :{name} OR issues.address ILIKE :{name}",
            **{name: f"%{like}%"},
        )
    return where


def _add_state(where: Where, name: str) -> None:
    state = flow.current().states.get(name)
    if state is None and name not in (OPEN, ENDED, DISSATISFIED, *MARKS):
        raise Invalid(_("There is no such state."), field="state")
    if state is not None:
        where.add("issues.state = :state", state=name)
    # Said for a single state too, so that the indexes over open issues serve.
    is_open = state.open if state else name not in (ENDED, DISSATISFIED)
    if name == DISSATISFIED:
        where.add("issues.satisfaction <= 2")
    if name in MARKS:
        where.add(MARKS[name])
    where.add("issues.ended_at IS NULL" if is_open else "issues.ended_at IS NOT NULL")


def _add_colour(where: Where, name: str) -> None:
    if name not in COLOURS:
        raise Invalid(_("There is no such colour."), field="colour")
    conditions = {
        "red": "issues.due_at < :now",
        "yellow": "issues.due_at >= :now AND issues.warn_at <= :now",
        "green": "issues.due_at >= :now AND (issues.warn_at IS NULL OR issues.warn_at > :now)",
    }
    where.add(conditions[name], now=utcnow())
    where.add("issues.ended_at IS NULL")


def _code(code: str, name: str, lengths: Sequence[int]) -> str:
    if not (code.isascii() and code.isdigit() and len(code) in lengths):
        raise Invalid(_("This is not a code."), field=name)
    return code


def check_view(filter: Filter) -> None:
    """Raise Invalid for a view that does not exist."""
    if filter.view not in VIEWS:
        raise Invalid(_("There is no such list."), field="view")


def order(filter: Filter) -> str:
    """`due` or `newest`: most urgent first, but what has ended has no deadline and is listed newest first."""
    if filter.sort not in SORTS:
        raise Invalid(_("There is no such order."), field="sort")
    state = flow.current().states.get(filter.state or "")
    ended = filter.state in (ENDED, DISSATISFIED) or (state is not None and not state.open)
    return "newest" if ended else filter.sort
