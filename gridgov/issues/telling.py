"""What somebody reads of an issue who only reported it: all that concerns them, and nothing that offices say to each other.

Which steps are internal stands in workflows/issue.yaml. A decision on a request tells what was asked, as far as it concerns them.
"""

from collections.abc import Sequence
from typing import Any

from gridgov.issues import flow, sight
from gridgov.issues.models import Issue, IssueEvent
from gridgov.people import queries as people
from gridgov.people.models import Person


def alone(person: Person | None, issue: Issue) -> bool:
    """Whether somebody in whose sight it is has it there as its reporter or follower alone. None: whoever has its code."""
    if person is None:
        return True
    if person.id != issue.reporter_id:
        return sight.only_follows(person, issue)
    return not sight.by_post(people.reach(person), issue)


def without_words(found: Sequence[IssueEvent]) -> list[IssueEvent]:
    """What happened, and nothing that was said: for who follows a confidential report that is not their own."""
    return [IssueEvent(**{**event.model_dump(), "data": {}}) for event in found]


def events(found: Sequence[IssueEvent]) -> list[IssueEvent]:
    """Those that a reporter reads. A decision carries what its move recalls of the request before it."""
    moves, told, asked = flow.current().transitions, [], dict[str, Any]()
    for event in found:
        move = moves.get(event.name)
        if move is not None and move.internal:
            asked |= event.data
        elif move is not None and move.recalls:
            recalled = {name: asked[name] for name in move.recalls if name in asked}
            # A copy that belongs to no session: the row itself is never changed.
            told.append(IssueEvent(**{**event.model_dump(), "data": {**recalled, **event.data}}))
        else:
            told.append(event)
    return told
