"""What the sweep of deadlines does with issues: fire what the workflow prescribes, warn, and read ahead for a batch."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from gridgov import batches, events, timers
from gridgov.calendars import Calendar
from gridgov.db import session
from gridgov.issues import actions, clocks, flow, hops
from gridgov.issues.models import Hop, Issue
from gridgov.people import queries as people

OTHERS = sa.select(
    sa.exists().where(
        timers.Timer.subject_id == sa.bindparam("subject"), timers.Timer.kind == sa.bindparam("kind"),
        timers.Timer.state == sa.literal_column("'open'"),
    )
)  # fmt: skip


def fire(issue: Issue, timer: timers.Due) -> None:
    """The time of the present state is over, or that of a clock beside it.

    A clock that the file knows no more does nothing, unless it is all that the issue has: then a deadline was renamed.
    """
    due = flow.current().states[issue.state].due
    if clocks.side(timer.kind) is not None:
        actions.clock_passed(issue, timer.kind)
    elif timer.kind == due or not session.connection().execute(OTHERS, {"subject": issue.id, "kind": due}).scalar_one():
        actions.deadline_passed(issue)


def warn(issue: Issue, timer: timers.Due) -> None:
    """The last part of the time has begun: say so to whom the state's `warns` names. Nothing about the issue changes."""
    audiences = flow.current().states[issue.state].warns
    if audiences:
        events.publish("issue.warned", issue=issue, due_at=timer.due_at, audiences=audiences)


def prepare(issues: Sequence[Issue]) -> None:
    """Read for a whole batch what each move would ask: who is on duty at its unit and above, when the unit got it."""
    by_level: dict[str, set[str]] = {}
    for issue in issues:
        code = issue.unit_code
        while code is not None:
            level = flow.rules().level_of(code)
            by_level.setdefault(level.name, set()).add(code)
            code = code[: flow.rules().levels[level.parent].length] if level.parent else None
    for codes in by_level.values():
        there = people.on_duty_among(codes, flow.handler_roles(next(iter(codes))))
        for code in codes:
            batches.learn(("on_duty", code), code in there)
    ids = [issue.id for issue in issues]
    opened = sa.select(Hop.issue_id, Hop.entered_at).where(Hop.issue_id.in_(ids), Hop.left_at.is_(None))
    for issue_id, entered_at in session.execute(opened):
        batches.learn(("entered_at", issue_id), entered_at)


def calendar(issue_id: UUID) -> Calendar:
    """The working time of whoever answers for an issue."""
    return hops.calendar(session.get_one(Issue, issue_id))


timers.register("issue", timers.Subject(Issue, fire, warn, prepare, calendar))
