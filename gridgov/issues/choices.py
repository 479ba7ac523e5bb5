"""What a form about issues offers to choose from: categories, departments."""

from collections.abc import Sequence

import sqlalchemy as sa

from gridgov.db import session
from gridgov.i18n import pick
from gridgov.issues import flow
from gridgov.issues.models import Category, Issue
from gridgov.people import queries as people
from gridgov.people.models import Department


def categories() -> list[tuple[Category, list[Category]]]:
    """Open categories as (major, its minors), by code; one statement."""
    found = session.scalars(
        sa.select(Category).where(Category.closed_at.is_(None)).order_by(Category.code)
    ).all()
    majors = [c for c in found if c.parent_code is None]
    return [(m, [c for c in found if c.parent_code == m.code]) for m in majors]


def dispatchable(issue: Issue) -> Sequence[Department]:
    """Departments that the present unit may dispatch to: those of its own grid, but for one that the report is about."""
    if issue.unit_code is None:
        return []
    there = people.departments(under=issue.unit_code)
    return [d for d in there if d.grid_code == issue.unit_code and d.id != issue.accused_department_id]


def majors() -> list[tuple[str, str]]:
    """The open major categories as (code, name)."""
    rows = session.connection().execute(
        sa.text(
            "SELECT code, name, name_en FROM categories WHERE parent_code IS NULL AND closed_at IS NULL ORDER BY code"
        )
    )
    return [(row.code, pick({"zh": row.name, "en": row.name_en})) for row in rows]


def grades() -> list[tuple[str, str]]:
    """The grades as (letter, name)."""
    return [(letter, pick(words)) for letter, (words, _limits) in flow.rules().grades.items()]
