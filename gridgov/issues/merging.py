"""Merging an issue into another that is the same, and undoing it. Registers the guards and effects of these moves.

Both issues are locked. The one merged ends; its reporter and followers follow the other, which says in its own history what
came in. Source: DOMAIN "The closed loop": merged reporters are all kept informed and each gets the outcome.
"""

from collections.abc import Callable
from uuid import UUID

import sqlalchemy as sa

from gridgov import events
from gridgov.db import session
from gridgov.errors import Conflict, Invalid
from gridgov.i18n import _
from gridgov.issues import actions, chances, flow, followers, parked, queries
from gridgov.issues.models import Issue, IssueEvent
from gridgov.people import queries as people
from gridgov.workflow import Move

FIELD = "issue"
OBJECTIONS: list[Callable[[Issue], str | None]] = []
"""What other packages say against an issue's being merged: words, or nothing."""


def _target_open(move: Move) -> bool:
    """What it was merged into is still in work, and not merged itself."""
    target = move.subject.merged_into_id
    return bool(session.scalar(sa.select(sa.exists().where(Issue.id == target, Issue.ended_at.is_(None)))))


def _nobody_joined(move: Move) -> bool:
    """Nobody follows it, and nothing was merged into it: a report without a name brings no follower."""
    return move.subject.followers == 0 and move.subject.merged_in == 0


def _merge_into(move: Move) -> None:
    issue: Issue = move.subject
    target = _target(move)
    city = flow.rules().levels["city"].length
    words = None
    if target.id == issue.id:
        words = _("That is this issue itself.")
    elif target.ended_at is not None:
        words = _("%(number)s has ended: choose one that is open.", number=target.number)
    elif target.grid_code[:city] != issue.grid_code[:city]:
        words = _("%(number)s lies in another city.", number=target.number)
    elif target.confidential != issue.confidential:
        words = _("A confidential report can be merged with another confidential one only.")
    elif _about(target) != _about(issue):
        words = _("What is about a unit or its people can be merged only with what is about the same.")
    else:
        words = _bound(issue, target)
    if words:
        raise _wrong(words)
    parked.remember(move)
    move.data |= {FIELD: target.number, "into": str(target.id)}
    issue.merged_into_id, issue.merged_seq = target.id, issue.last_seq + 1


def _about(issue: Issue) -> tuple[str | None, UUID | None]:
    """Whom it is about: who may not see the one must not see it in the other."""
    return issue.accused_code, issue.accused_department_id


def _bound(issue: Issue, target: Issue) -> str | None:
    """Why this one cannot end in the other: merging is no way out of what somebody has laid upon it."""
    if issue.supervisor_id is not None:
        return _("It is under supervision: whoever supervises it ends that first.")
    if issue.instructor_id is not None:
        return _("An instruction waits for its answer: answer that first.")
    if issue.appeal == chances.ADMITTED:
        return _("It was admitted on appeal and is handled itself: merge the other one into it.")
    if issue.grade < target.grade:  # A is the gravest.
        return _("It is graver than %(number)s: merge that one into it.", number=target.number)
    return next((words for objection in OBJECTIONS if (words := objection(issue))), None)


def _target(move: Move) -> Issue:
    """The issue that is named by number or id and reached by a post of the one who merges, locked."""
    named = str(move.data[FIELD]).strip()
    try:
        condition = Issue.id == UUID(named)
    except ValueError:
        condition = Issue.number == named.upper()
    query = sa.select(Issue).where(condition, queries.within(people.reach(move.actor)))
    # Skipping what is locked, for somebody may be merging the other into this one at the same moment: nobody waits in a ring.
    found = session.scalar(query.with_for_update(skip_locked=True).execution_options(populate_existing=True))
    if found is None and session.scalar(sa.select(query.exists())):
        raise Conflict(_("Somebody is working on that issue at this moment. Please try again."), code="busy")
    if found is None:
        raise _wrong(_("There is no issue of this number in your sight."))
    return found


def _wrong(words: str) -> Invalid:
    return Invalid(words, errors={FIELD: [words]})


def _take_apart(move: Move) -> None:
    issue: Issue = move.subject
    merged = session.get_one(IssueEvent, (issue.id, issue.merged_seq))
    move.data |= {name: merged.data[name] for name in (FIELD, "into")}
    issue.merged_into_id = issue.merged_seq = None
    parked.put_back(move, merged)


flow.GUARDS |= {"target_open": _target_open, "nobody_joined": _nobody_joined}
flow.EFFECTS |= {"merge_into": _merge_into, "take_apart": _take_apart}


# The other one --------------------------------------------------------------------------------------------------------


@events.subscribe("issue.merged")
def _merged(*, issue: Issue, event: IssueEvent) -> None:
    target = session.get_one(Issue, UUID(event.data["into"]))
    target.merged_in += 1
    followers.gather(target)
    actions.act(target, "take_in", actor=None, data={FIELD: issue.number}, locked=True)


@events.subscribe("issue.unmerged")
def _unmerged(*, issue: Issue, event: IssueEvent) -> None:
    target = session.get_one(Issue, UUID(event.data["into"]), with_for_update=True, populate_existing=True)
    target.merged_in -= 1
    followers.give_back(target, issue.id)
    actions.act(target, "give_back", actor=None, data={FIELD: issue.number}, locked=True)
