"""Reports without a name: made, found again by their code, and what the code's holder may do, which is what a reporter may.

Nothing of who sent it is kept: no person, no address, no device. Source: DOMAIN "Confidential reports".
"""

import dataclasses
from collections.abc import Callable
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import session, utcnow
from gridgov.identity import codes
from gridgov.issues import actions, flow, queries
from gridgov.issues.models import Issue, IssueEvent, IssuePhoto
from gridgov.photos.models import Photo
from gridgov.workflow import Transition

TAKE_TURNS = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:ticket, 17))")
SHOWN = ("before", "after")


def report(
    *, ticket: str | None = None, photos: Callable[[], list[UUID]] = list, **given: Any
) -> tuple[Issue, str]:
    """Record a report of nobody's. Returns it and the code that follows it up, which exists nowhere else.

    The same `ticket` (a secret of whoever sends it) gives the first report and its code again. `photos` is called when all
    else is known to be new. `given` as for actions.report. Raises Invalid, having changed nothing.
    """
    ticket = ticket or codes.ticket()
    session.execute(TAKE_TURNS, {"ticket": ticket})
    code = codes.of_ticket(ticket)
    before = _of(code)
    if before is not None:
        return before, code
    issue, _new = actions.report(actor=None, follow_up_hash=codes.fingerprint(code), photos=photos(), **given)
    return issue, code


def find(code: str, *, address: str) -> Issue | None:
    """The report that a code follows; None for a wrong code and for an address that guessed too often.

    Return to have the wrong one counted, do not raise.
    """
    if codes.locked_until(address) is not None:
        return None
    found = _of(code)
    if found is None:
        codes.count_failure(address)
    return found


def followed(issue_id: UUID, *, lock: bool = False) -> Issue | None:
    """A report without a name, whose code has been checked before; None when there is none of that id."""
    query = sa.select(Issue).where(Issue.id == issue_id, Issue.follow_up_hash.is_not(None))
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return session.scalar(query)


def outcome(issue: Issue) -> queries.Story | None:
    """How the issue goes that this one was merged into in the end, for whoever has the code; None when it was not merged.

    As a follower may read it, without photos: neither its words nor its reporter's steps.
    """
    target = issue
    while target.merged_into_id is not None:
        target = session.get_one(Issue, target.merged_into_id)
    if target is issue:
        return None
    story = queries.story(None, target)
    events = [event for event in story.events if event.actor_role != flow.REPORTER]
    return dataclasses.replace(story, events=events, photos={}, stages={})


def moves(issue: Issue) -> list[Transition]:
    """What the code's holder may do now."""
    return flow.current().available(issue, None, frozenset({flow.REPORTER}), utcnow())


def act(
    issue: Issue, name: str, *, data: dict[str, Any], expected: int | None = None, locked: bool = False
) -> IssueEvent:
    """Make a move as the reporter without a name. Raises what actions.act raises."""
    return actions.act(issue, name, actor=None, data=data, expected=expected, locked=locked, anonymous=True)


def photo(issue: Issue, photo_id: UUID) -> Photo | None:
    """A photo of the report or of the result; None for others, which are between offices."""
    hung = sa.select(IssuePhoto.photo_id).where(IssuePhoto.issue_id == issue.id, IssuePhoto.stage.in_(SHOWN))
    return session.scalar(sa.select(Photo).where(Photo.id == photo_id, Photo.id.in_(hung)))


def _of(code: str) -> Issue | None:
    return session.scalar(sa.select(Issue).where(Issue.follow_up_hash == codes.fingerprint(code)))
