"""All clocks of an issue that was merged into another stand still; when that is undone they run on with what each had left.

Unlike a held clock (asks.hold) nothing runs meanwhile: the issue has ended, and its end may be taken back.
Source: workflows/issue.yaml, `clock: park` and `clock: unpark`.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gridgov import timers
from gridgov.db import session
from gridgov.issues import asks, flow
from gridgov.issues.models import Hop, Issue, IssueEvent
from gridgov.workflow import Move

OPEN_AGAIN = sa.update(Hop).values(left_at=None, left_by=None, worked_s=None)


def remember(move: Move) -> None:
    """Write down in the move's data what the issue shows of its deadline, before the move ends it."""
    issue = move.subject
    move.data["deadline"] = {
        "due_at": issue.due_at.isoformat(), "warn_at": issue.warn_at and issue.warn_at.isoformat(),
        "provisional": issue.due_provisional, "overdue": issue.due_at < move.at,
    }  # fmt: skip


def put_back(move: Move, parked: IssueEvent) -> None:
    """Make the issue open again as it was when it was parked: state, deadline shown, and the hop of its unit."""
    issue: Issue = move.subject
    shown: dict[str, Any] = parked.data["deadline"]
    move.data["deadline"] = shown
    issue.state, issue.ended_at = parked.from_state or flow.current().start, None
    issue.due_at, issue.due_provisional = datetime.fromisoformat(shown["due_at"]), shown["provisional"]
    issue.warn_at = datetime.fromisoformat(shown["warn_at"]) if shown["warn_at"] else None
    session.connection().execute(OPEN_AGAIN.where(Hop.issue_id == issue.id, Hop.n == issue.hop_n))


def stop(move: Move) -> None:
    """Stop every clock of the issue. What was asked of the level above lapses, as when it moves on."""
    asks.forget(move.subject)
    timers.pause(move.subject.id, at=move.at)


def go_on(move: Move) -> None:
    """Let them run on. One that was overdue stays so, for what runs then is only when to look at it again."""
    issue: Issue = move.subject
    for timer in timers.resume(issue.id, at=move.at, generation=issue.generation):
        if timer.kind == flow.current().states[issue.state].due and not move.data["deadline"]["overdue"]:
            asks.follow(issue, timer)


TURNS = {"park": stop, "unpark": go_on}
