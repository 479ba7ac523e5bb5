"""Reads of the inbox."""

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from gridgov import paging
from gridgov.db import session
from gridgov.i18n import _, pick
from gridgov.issues import flow
from gridgov.issues.models import Category, Issue, IssueEvent
from gridgov.notices.models import Notice
from gridgov.people.models import Person

UNREAD = sa.select(sa.func.count()).select_from(
    sa.select(Notice.id)
    .where(Notice.person_id == sa.bindparam("person_id"), Notice.read_at.is_(None))
    .limit(sa.literal_column("100"))
    .subquery()
)
"""Built once: every page asks it."""


@dataclass(frozen=True)
class Told:
    """A notice with what it is about. External messages may carry number and title alone; so does this."""

    notice: Notice
    event: IssueEvent
    number: str
    category: Category

    @property
    def title(self) -> str:
        """What happened, in the language spoken now."""
        if self.notice.audience == "looked":
            return _("Your identity was looked at")
        step = flow.current().transitions.get(self.event.name)
        return pick(step.label) if step else _("New report")


def inbox(person: Person, *, cursor: str | None = None, limit: int = paging.LIMIT) -> paging.Page:
    """This person's notices, newest first, in one statement."""
    limit = max(1, min(limit, paging.LIMIT_MAX))
    query = (
        sa.select(Notice, IssueEvent, Issue.number, Category)
        .join(IssueEvent, sa.and_(IssueEvent.issue_id == Notice.issue_id, IssueEvent.seq == Notice.seq))
        .join(Issue, Issue.id == Notice.issue_id)
        .join(Category, Category.code == Issue.category_code)
        .where(Notice.person_id == person.id)
        .order_by(Notice.id.desc())
        .limit(limit + 1)
    )
    if cursor:
        query = query.where(Notice.id < paging.decode(cursor, UUID)[0])
    found = [Told(*row) for row in session.execute(query)]
    after = paging.encode(found[limit - 1].notice.id) if len(found) > limit else None
    return paging.Page(found[:limit], after)


def unread(person: Person) -> int:
    """How many notices this person has not read, counted up to 100."""
    return session.connection().execute(UNREAD, {"person_id": person.id}).scalar_one()
