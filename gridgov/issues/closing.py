"""What an import is told when grids close that still answer for open issues."""

from collections.abc import Sequence

import sqlalchemy as sa

from gridgov.db import session
from gridgov.i18n import ngettext
from gridgov.issues.models import Issue
from gridgov.issues.part_models import OPEN, Part

NAMED = 10


def issues_on(codes: Sequence[str]) -> list[str]:
    """A sentence about the open issues that lie there, or that these grids answer for or have a part of."""
    partners = sa.select(Part.issue_id).where(Part.unit_code.in_(codes), Part.state == OPEN)
    here = sa.or_(Issue.grid_code.in_(codes), Issue.unit_code.in_(codes), Issue.id.in_(partners))
    rows = session.scalars(
        sa.select(Issue.number).where(here, Issue.ended_at.is_(None)).order_by(Issue.number)
    ).all()
    if not rows:
        return []
    numbers = ", ".join(rows[:NAMED]) + (" …" if len(rows) > NAMED else "")
    words = ngettext(
        "%(num)d open issue stands on closed grids: %(numbers)s",
        "%(num)d open issues stand on closed grids: %(numbers)s",
        len(rows),
        numbers=numbers,
    )
    return [words]
