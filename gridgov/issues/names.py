"""What things are called on a page: places, units, an issue itself. Names are read once for a whole page."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import session
from gridgov.grids import queries as grids
from gridgov.i18n import _, pick
from gridgov.issues import flow
from gridgov.people.models import Department

TITLE_MAX = 40
SENTENCE_ENDS = "。！？；\n"


@dataclass(frozen=True)
class Names:
    """Names of grids and departments, read once for a whole page."""

    grids: dict[str, str]
    departments: dict[UUID, Department]

    def place(self, code: str) -> str:
        """A place from the township down: 湾头桥镇 泻油村 3组. The city goes without saying."""
        parts = [self.grids[c] for c in grids.ancestor_codes(code) if c in self.grids]
        return " ".join(parts[1:] or parts)

    def unit(self, code: str | None, department_id: UUID | None) -> str:
        """Who answers for it: a department, an office, or a chief."""
        if department_id is not None:
            found = self.departments.get(department_id)
            return pick(found.label) if found else ""
        if code is None or code not in self.grids:
            return ""
        return office_name(code, self.grids[code])


def office_name(code: str, name: str) -> str:
    """What the unit of a grid is called: its office, or its chief where there is none. `name` is the grid's short name."""
    level = flow.rules().level_of(code)
    return _("%(grid)s %(post)s", grid=name, post=pick(level.answers))


def unit_names(issues: Sequence[Any], extra: Sequence[str] = ()) -> Names:
    """Names for places and units of issues or events (anything with unit_code and department_id), in two statements."""
    codes = {c for i in issues for c in (getattr(i, "grid_code", None), i.unit_code) if c} | set(extra)
    wanted = {a for c in codes for a in grids.ancestor_codes(c)}
    departments = {i.department_id for i in issues if i.department_id}
    given = (
        session.scalars(sa.select(Department).where(Department.id.in_(departments))) if departments else ()
    )
    return Names(grids.short_names(wanted), {d.id: d for d in given})


def masked(text: str) -> str:
    """A text without its numbers: of phones, identity cards, plates."""
    return re.sub(r"[0-9A-Za-z０-９][0-9A-Za-z０-９ -]{3,}[0-9０-９]", "***", text)


def title(issue: Any) -> str:
    """The first sentence of what was reported (of anything with a `text`), cut to what fits a line or two.

    It stands in lists, on screens and in messages, for followers too: numbers of phones, cards and plates stay in the text.
    """
    text = masked(issue.text.strip())
    ends = [text.find(sign) for sign in SENTENCE_ENDS if sign in text]
    first = text[: min(ends)] if ends and min(ends) > 0 else text
    return first if len(first) <= TITLE_MAX else first[: TITLE_MAX - 1] + "…"
