"""What the chief of a line of work looks at: the open issues of the river, the forest, the roads or the farmland."""

import sqlalchemy as sa

from gridgov import paging
from gridgov.errors import NotPermitted
from gridgov.grids.queries import under
from gridgov.i18n import _
from gridgov.issues import accused, queries
from gridgov.issues.models import Issue
from gridgov.people import queries as people
from gridgov.people.models import Person


def led_by(person: Person, *, cursor: str | None = None) -> paging.Page:
    """Open issues of the lines that this person leads, most urgent first. Raises NotPermitted for whoever leads none."""
    led = sorted(people.reach(person).lines)
    if not led:
        raise NotPermitted(_("This list is for the chiefs of rivers, forests, roads and farmland."))
    mine = sa.or_(*(sa.and_(Issue.line == line, under(Issue.grid_code, code)) for code, line in led))
    return queries.page(
        sa.and_(mine, Issue.ended_at.is_(None), accused.unseen_by(people.reach(person))), sort="due", cursor=cursor, limit=paging.LIMIT
    )
