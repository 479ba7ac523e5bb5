"""Deadlines of an issue: that of its state, and those that run beside it. What a move does to them.

`issue.clocks` names those beside that run now, so that moves of issues without any need not look.
Source: workflows/issue.yaml, `clock`, `starts`, `stops` of a move and `clocks`.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from gridgov import batches, calendars, timers
from gridgov.issues import asks, flow, hops, parked
from gridgov.issues.models import Issue
from gridgov.limits import Clock, Limit
from gridgov.workflow import SAME, Move, SideClock

CARRY = (
    sa.update(timers.Timer)
    .where(
        timers.Timer.subject_id == sa.bindparam("subject"), timers.Timer.state == sa.literal_column("'open'"),
        timers.Timer.kind == sa.any_(sa.bindparam("kinds", type_=sa.ARRAY(sa.String))),
    )
    .values(generation=sa.bindparam("to_generation", type_=sa.Integer))
)  # fmt: skip


def turn(move: Move, before: str, grade: str) -> None:
    """Let the deadlines follow a move that has been carried out; `before` is the state it left, `grade` what it was of.

    Sets what the issue shows and writes the timers. The caller has locked the issue and writes it afterwards.
    """
    issue, transition, states = move.subject, move.transition, flow.current().states
    moved = transition.to != SAME
    anew = transition.clock == "anew" and _differs(issue, grade)
    if not moved and not anew and transition.name not in states[before].overdue:
        if issue.asked_seq == issue.last_seq + 1:  # A page that shows an earlier request must not decide on this one.
            issue.generation += 1
            _under_generation(issue, [states[before].due or "", *issue.clocks])
        return
    issue.generation += 1
    if transition.clock in parked.TURNS:
        parked.TURNS[transition.clock](move)
        return
    if transition.clock != "hold":
        asks.forget(issue)  # It was asked in a state that is over, or for a deadline that has passed.
    if issue.ended_at is not None:
        timers.cancel(issue.id, at=move.at)
        issue.clocks = []
        # Their clocks are over: taken up again, it is free for another supervision or instruction.
        issue.supervisor_id = issue.instructor_id = None
        return
    if transition.clock == "hold":
        asks.hold(issue, states[before].due or "", move.at)
    elif transition.clock == "go_on":
        if not asks.go_on(issue, states[before].due or "", move.at):
            begin_state(issue, move.at)
    else:
        # Without clocks beside it there is nothing else to spare.
        timers.cancel(issue.id, at=move.at, kind=states[before].due if issue.clocks or not moved else None)
        begin_state(issue, move.at) if moved or anew else _again(issue, move.at)
    if issue.clocks:
        _carry(issue, move.at, moved)


def _differs(issue: Issue, grade: str) -> bool:
    """Whether the state's limit is another for the present grade. If not, no new deadline can be had by changing it."""
    return flow.limit(issue) != flow.limit(issue, grade=grade)


def begin_state(issue: Issue, at: datetime) -> None:
    """Set the deadline of the present state, and write its timer."""
    due, limit = deadline(issue, at)
    start_state(issue, at, due, limit, warns=True)


def deadline(issue: Issue, at: datetime) -> tuple[calendars.Deadline, Limit]:
    """The deadline of the present state, set on the issue with the moment it turns yellow."""
    limit, calendar = flow.limit(issue), hops.calendar(issue)
    due = calendar.due(at, limit)
    issue.due_at, issue.due_provisional = due.due_at, due.provisional
    issue.warn_at = calendar.warn_at(at, limit, flow.rules().yellow_share)
    return due, limit


def start_state(issue: Issue, at: datetime, due: calendars.Deadline, limit: Limit, *, warns: bool) -> None:
    """Write the timer of the present state."""
    state = flow.current().states[issue.state]
    warned = flow.warning(state, limit) if warns else None
    timers.start(
        "issue", issue.id, state.due or "", generation=issue.generation, at=at, due_at=due.due_at, limit=limit,
        provisional=due.provisional, warn_s=warned, warn_at=None if warned is None else issue.warn_at,
    )  # fmt: skip


def _again(issue: Issue, at: datetime) -> None:
    """It stays, overdue: look again later. What the issue shows as its deadline stays in the past."""
    limit = flow.current().states[issue.state].again
    if limit is not None:
        start_state(issue, at, hops.calendar(issue).due(at, limit), limit, warns=False)


# Beside the state -----------------------------------------------------------------------------------------------------


def side(name: str) -> SideClock | None:
    """The clock of the workflow that is meant by what a timer is called: of `part:2`, the second of its kind, `part`."""
    return flow.current().clocks.get(name.partition(":")[0])


def run(issue: Issue, names: Iterable[str], at: datetime, data: Mapping[str, Any]) -> None:
    """Start these clocks; one with a date from the move's data. One that runs for a limit and is running goes on."""
    for name in names:
        clock = flow.current().clocks[name]
        if clock.date is not None:
            due_at = asks.day_end(date.fromisoformat(data[clock.date]))
            limit = Limit(max(1, round((due_at - at).total_seconds())), Clock.urgent_hour)
            provisional = False
            end(issue, [name], at)
        elif name in issue.clocks:
            continue
        else:
            limit = flow.limit(issue, clock.limit)
            due = hops.calendar(issue).due(at, limit)
            due_at, provisional = due.due_at, due.provisional
        timers.start(
            "issue", issue.id, name, generation=issue.generation, at=at, due_at=due_at, limit=limit, provisional=provisional
        )
        issue.clocks = sorted({*issue.clocks, name})


def end(issue: Issue, names: Iterable[str], at: datetime) -> None:
    """Stop these clocks where they run."""
    for name in names:
        if name in issue.clocks:
            timers.cancel(issue.id, at=at, kind=name)
            issue.clocks = [other for other in issue.clocks if other != name]


def _carry(issue: Issue, at: datetime, moved: bool) -> None:
    """Let the clocks beside the state go on under the issue's new generation."""
    known = {name: side(name) for name in issue.clocks}
    # One that the file does not know any more is over: nobody could say what it fires.
    end(issue, [name for name, clock in known.items() if clock is None or (moved and clock.with_state)], at)
    if issue.clocks:
        _under_generation(issue, issue.clocks)


def _under_generation(issue: Issue, kinds: Iterable[str]) -> None:
    """Let open timers of these kinds count under the issue's present generation."""
    batches.write(CARRY, {"subject": issue.id, "kinds": list(kinds), "to_generation": issue.generation})
