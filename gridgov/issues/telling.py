"""What somebody reads of an issue who only reported it: all that concerns them, and nothing that offices say to each other.

Which steps are internal stands in workflows/issue.yaml. A decision on a request tells what was asked, as far as it concerns them.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from gridgov.db import session
from gridgov.issues import accused, flow, sight
from gridgov.issues.models import Hop, Issue, IssueEvent
from gridgov.people import queries as people
from gridgov.people.models import Department, Person


def alone(person: Person | None, issue: Issue, hops: Iterable[Hop] = ()) -> bool:
    """Whether somebody in whose sight it is has it there as its reporter alone. None: whoever has its follow-up code."""
    if person is None:
        return True
    if person.id != issue.reporter_id:
        return sight.only_follows(person, issue)
    reach = people.reach(person)
    if accused.barred(issue, reach):
        return True
    codes = [code for code in (issue.grid_code, issue.unit_code, issue.decides_code) if code]
    if issue.department_id is not None and reach.grids:
        codes.append(session.get_one(Department, issue.department_id).grid_code)
    given = {issue.department_id, *(hop.department_id for hop in hops)}
    return not any(reach.covers(code) for code in codes) and not reach.departments & given


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
