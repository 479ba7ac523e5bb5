"""Looking at the identity behind a sealed report: who may, and that nobody does so unseen.

Only somebody with a handling post at the unit that answers for the issue now, or above it. Each look needs a purpose and
is written down for good; the reporter is told, and the auditor reads them all.
Source: DOMAIN "Confidential reports": the identity is visible to nobody below the level that handles it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from gridgov import events, paging
from gridgov.db import session, utcnow
from gridgov.errors import Conflict, NotPermitted
from gridgov.i18n import _
from gridgov.identity.models import IdentityLook
from gridgov.issues import accused, flow
from gridgov.issues.models import Issue
from gridgov.issues.names import Names, unit_names
from gridgov.people import queries as people
from gridgov.people.models import Department, Person, Post

PURPOSES = ("verify", "feedback", "protect", "other")


@dataclass(frozen=True)
class Seen:
    """What a look shows: nothing else ever does."""

    name: str
    phone: str


@dataclass(frozen=True)
class Line:
    """A look as the auditor reads it: by whom, in which post, of which issue. Whose identity it was stands not here."""

    look: IdentityLook
    number: str
    who: str
    unit: str


def sealed(issue: Issue) -> bool:
    """Whether there is an identity, and it is sealed."""
    return issue.confidential and issue.reporter_id is not None


def may_look(person: Person, issue: Issue) -> bool:
    """Whether this person may look at who reported it. One's own report needs no looking."""
    return sealed(issue) and person.id != issue.reporter_id and _post(person, issue) is not None


def require(person: Person, issue: Issue) -> Post:
    """The post in which this person may look. Raises Conflict where nothing is sealed, NotPermitted for everybody else."""
    if issue.reporter_id is None:
        raise Conflict(_("It was reported without a name: nobody knows whose it is."), code="anonymous")
    if not issue.confidential:
        raise Conflict(_("This report is not confidential."), code="not_sealed")
    post = _post(person, issue) if person.id != issue.reporter_id else None
    if post is None:
        words = _(
            "Only who handles it at the unit that answers for it now, or above, may look at the reporter's identity."
        )
        raise NotPermitted(words)
    return post


def look(issue: Issue, *, actor: Person, purpose: str, words: str) -> Seen:
    """Write down who looks and what for, tell the reporter, and give name and phone. Raises as `require`."""
    post = require(actor, issue)
    if purpose not in PURPOSES:
        raise AssertionError(f"unknown purpose {purpose!r}")
    session.add(
        IdentityLook(
            issue_id=issue.id, person_id=actor.id, role=str(post.role), unit_code=post.grid_code,
            department_id=post.department_id, purpose=purpose, words=words.strip(), at=utcnow(),
        )
    )  # fmt: skip
    session.flush()
    events.publish("identity.looked", issue=issue)
    reporter = session.get_one(Person, issue.reporter_id)
    return Seen(reporter.name, reporter.phone)


def of_issue(issue: Issue) -> tuple[Sequence[IdentityLook], Names]:
    """The looks at one issue's reporter, newest first, with the names of the units that looked."""
    found = session.scalars(
        sa.select(IdentityLook).where(IdentityLook.issue_id == issue.id).order_by(IdentityLook.id.desc())
    ).all()
    return found, unit_names(found)


def listing(*, cursor: str | None, limit: int = paging.LIMIT) -> paging.Page:
    """A page of all looks, newest first, in a fixed number of statements. Raises Invalid for a broken cursor."""
    query = (
        sa.select(IdentityLook, Issue.number, Person.name)
        .join(Issue, Issue.id == IdentityLook.issue_id)
        .join(Person, Person.id == IdentityLook.person_id)
        .order_by(IdentityLook.id.desc())
        .limit(limit + 1)
    )
    if cursor:
        query = query.where(IdentityLook.id < paging.decode(cursor, UUID)[0])
    rows = session.execute(query).all()
    names = unit_names([row[0] for row in rows])
    found = [
        Line(one, number, who, names.unit(one.unit_code, one.department_id)) for one, number, who in rows
    ]
    return paging.Page(found[:limit], paging.encode(found[limit - 1].look.id) if len(found) > limit else None)


def _post(person: Person, issue: Issue) -> Post | None:
    """The post nearest to the unit that answers now in which this person handles it, or stands above who does."""
    if accused.barred(issue, people.reach(person)):
        return None
    posts = people.live_posts(person)
    for post in posts:
        if issue.department_id is not None and post.department_id == issue.department_id:
            return post
    held = [post for post in posts if post.grid_code and post.role in flow.handler_roles(post.grid_code)]
    code = issue.unit_code or session.get_one(Department, issue.department_id).grid_code
    return max(_over(held, code), key=lambda post: len(post.grid_code or ""), default=None)


def _over(posts: Collection[Post], code: str) -> list[Post]:
    return [post for post in posts if post.grid_code and code.startswith(post.grid_code)]
