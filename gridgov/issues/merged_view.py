"""What an issue's page says of its duplicates: what may be the same, what was merged into it, whether the viewer follows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import session
from gridgov.issues import answers, followers, near, sight
from gridgov.issues.models import Issue, IssuePhoto
from gridgov.people.models import Person
from gridgov.workflow import Transition

MOST = 20


@dataclass(frozen=True)
class Merged:
    """An issue that was merged into another, with its photos."""

    issue: Issue
    photos: list[UUID]


def context(person: Person, issue: Issue, moves: Sequence[Transition]) -> dict[str, Any]:
    """What the templates need: `alike`, `merged`, `follows`, `reported`. Asks nothing where there can be nothing."""
    takes_issue = any("issue" in move.needs for move in moves)
    shown = {"text": issue.text, "address": issue.address, "lat": issue.lat} | followers.as_read_by(
        person, issue
    )
    only_follows = sight.only_follows(person, issue)
    return {
        "alike": near.candidates(person, issue) if takes_issue else [],
        "merged": merged(issue)
        if issue.merged_in and not only_follows and person.id != issue.reporter_id
        else [],
        "follows": followers.follows(person, issue),
        "reported": shown,
        "answered": [] if only_follows else answers.shown(issue),
    }


def merged(issue: Issue) -> list[Merged]:
    """What was merged into this one, the oldest first. For those whose post reaches it: others' words are not its reporter's to read."""
    found = session.scalars(
        sa.select(Issue).where(Issue.merged_into_id == issue.id).order_by(Issue.id).limit(MOST)
    ).all()
    hung = sa.select(IssuePhoto.issue_id, IssuePhoto.photo_id).where(
        IssuePhoto.issue_id.in_([one.id for one in found]), IssuePhoto.stage == "before"
    )
    photos: dict[UUID, list[UUID]] = {}
    for issue_id, photo_id in session.execute(hung.order_by(IssuePhoto.photo_id)) if found else ():
        photos.setdefault(issue_id, []).append(photo_id)
    return [Merged(one, photos.get(one.id, [])) for one in found]
