"""Those who follow an issue that somebody else reported: because they asked, or because theirs was merged into it.

They see it, are told what its reporter is told, and make none of its reporter's moves. Who they are is shown to nobody;
how many, to all who see it.
"""

import dataclasses
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gridgov import paging
from gridgov.db import session, utcnow
from gridgov.errors import Conflict
from gridgov.i18n import _
from gridgov.issues import flow, names, queries, sight
from gridgov.issues.models import Category, Follower, Issue
from gridgov.people.models import Person

ASKED = "asked"
GRACE = timedelta(hours=1)
"""How much longer than it is offered an issue can be followed: the page with the offer may have lain open."""
# Those who come with what was merged into an issue. Who had left before that is told again; who leaves afterwards is not.
GATHER = sa.text(
    """
    INSERT INTO followers AS f (issue_id, person_id, how, from_issue_id, at)
    SELECT DISTINCT ON (person_id) CAST(:target AS uuid), person_id, 'merged', id, merged_at FROM (
        SELECT reporter_id AS person_id, id, ended_at AS merged_at FROM issues WHERE merged_into_id = :target
        UNION ALL
        SELECT person_id, issues.id, ended_at FROM issues JOIN followers ON followers.issue_id = issues.id
        WHERE merged_into_id = :target AND left_at IS NULL
    ) AS coming WHERE person_id IS DISTINCT FROM :reporter AND person_id IS NOT NULL ORDER BY person_id, merged_at DESC, id
    ON CONFLICT (issue_id, person_id) DO UPDATE
    SET how = 'merged', from_issue_id = excluded.from_issue_id, at = excluded.at, left_at = NULL
    WHERE f.left_at < excluded.at
    """
).bindparams(sa.bindparam("target", type_=sa.Uuid), sa.bindparam("reporter", type_=sa.Uuid))


# Writing --------------------------------------------------------------------------------------------------------------


def follow(person: Person, issue_id: UUID) -> Issue:
    """Have this person follow an issue, or the one it was merged into. Returns it; following twice changes nothing.

    Raises NotFound for what is neither in sight nor offered to everybody near by, Conflict (own_report, not_followed)
    where there is nothing to follow.
    """
    issue = _locked(issue_id)
    if issue is None or not (_sees(person, issue) or _offered(issue)):
        raise queries.out_of_sight()
    while issue.merged_into_id is not None:
        issue = session.get_one(Issue, issue.merged_into_id, with_for_update=True, populate_existing=True)
    if issue.reporter_id == person.id:
        raise Conflict(_("You reported this yourself and are told of it anyway."), code="own_report")
    if issue.ended_at is not None or issue.confidential:
        raise Conflict(
            _("There is nothing to follow here: it has ended, or it is confidential."), code="not_followed"
        )
    asked = insert(Follower).values(issue_id=issue.id, person_id=person.id, how=ASKED, at=utcnow())
    again = {"how": ASKED, "from_issue_id": None, "left_at": None}
    session.execute(asked.on_conflict_do_update(index_elements=["issue_id", "person_id"], set_=again))
    count(issue)
    return issue


def leave(person: Person, issue_id: UUID) -> None:
    """Have this person follow an issue no longer. Raises NotFound for what is out of sight; leaving twice changes nothing."""
    issue = queries.visible(person, issue_id, lock=True)
    here = (Follower.issue_id == issue.id, Follower.person_id == person.id, Follower.left_at.is_(None))
    session.execute(sa.update(Follower).where(*here).values(left_at=sa.func.greatest(utcnow(), Follower.at)))
    count(issue)


def gather(target: Issue) -> None:
    """Let the reporters and followers of what was merged into `target` follow it."""
    session.execute(GATHER, {"target": target.id, "reporter": target.reporter_id})
    count(target)


def give_back(target: Issue, source_id: UUID) -> None:
    """Take back those who came with an issue that is merged no more, but for whoever comes with another one too."""
    session.execute(
        sa.delete(Follower).where(Follower.issue_id == target.id, Follower.from_issue_id == source_id)
    )
    gather(target)


def count(issue: Issue) -> None:
    """Bring the number of followers up to date. The caller has locked the issue."""
    there = sa.select(sa.func.count()).where(Follower.issue_id == issue.id, Follower.left_at.is_(None))
    issue.followers = session.scalars(there).one()
    session.flush()


def _locked(issue_id: UUID) -> Issue | None:
    return session.get(Issue, issue_id, with_for_update=True, populate_existing=True)


def _sees(person: Person, issue: Issue) -> bool:
    return bool(session.scalar(sa.select(sa.exists().where(Issue.id == issue.id, queries.in_sight(person)))))


def _offered(issue: Issue) -> bool:
    """Whether it is one of those that a stranger near by is offered: open, recent, of a kind that has duplicates."""
    since = utcnow() - timedelta(seconds=flow.rules().same.within_s) - GRACE
    open_still = issue.ended_at is None or issue.merged_into_id is not None
    recent = open_still and issue.reported_at >= since and not issue.confidential
    return recent and session.get_one(Category, issue.category_code).duplicates


# Reading --------------------------------------------------------------------------------------------------------------


def follows(person: Person, issue: Issue) -> bool:
    """Whether this person follows it now. Asks the database only where somebody does."""
    if not issue.followers:
        return False
    found = session.get(Follower, (issue.id, person.id))
    return found is not None and found.left_at is None


def as_read_by(person: Person, issue: Issue) -> dict[str, Any]:
    """What a follower is shown instead of the reporter's own words and place; nothing for everybody else.

    The words come without the numbers in them, answers not at all; of a confidential report neither words nor place.
    """
    if not sight.only_follows(person, issue):
        return {}
    if issue.confidential:
        return {"text": "", "address": None, "answers": [], "lat": None, "lon": None, "accuracy_m": None}
    return {
        "text": names.masked(issue.text),
        "address": issue.address and names.masked(issue.address),
        "answers": [],
    }


def story_for(person: Person, issue: Issue) -> queries.Story:
    """The story of an issue: to a follower without what its reporter said in it, of a confidential one without photos."""
    story = queries.story(person, issue)
    if not sight.only_follows(person, issue):
        return story
    events = [event for event in story.events if event.seq == 1 or event.actor_role != flow.REPORTER]
    story = dataclasses.replace(story, events=events)
    return dataclasses.replace(story, photos={}, stages={}) if issue.confidential else story


def mine(person: Person, *, cursor: str | None = None, limit: int = paging.LIMIT) -> paging.Page:
    """What this person reported or follows, newest first, in as many statements as what they reported alone."""
    before: datetime | Any = paging.decode(cursor, UUID)[0] if cursor else None

    def latest(column: Any, *conditions: Any) -> Any:
        query = sa.select(column).where(*conditions).order_by(column.desc()).limit(limit + 1)
        return query.where(column < before) if before else query

    reported = latest(Issue.id, Issue.reporter_id == person.id)
    followed = latest(Follower.issue_id, Follower.person_id == person.id, Follower.left_at.is_(None))
    both = sa.union_all(sa.select(reported.subquery()), sa.select(followed.subquery()))
    return queries.page(Issue.id.in_(both), sort="newest", cursor=cursor, limit=limit)


def followed(person: Person, *, cursor: str | None = None, limit: int = paging.LIMIT) -> paging.Page:
    """What this person follows, newest first."""
    here = sa.select(Follower.issue_id).where(Follower.person_id == person.id, Follower.left_at.is_(None))
    return queries.page(Issue.id.in_(here), sort="newest", cursor=cursor, limit=limit)
