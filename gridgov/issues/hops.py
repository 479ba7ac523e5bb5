"""Passing an issue from unit to unit. Each hop is timed; the database allows one open hop per issue."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from gridgov import calendars
from gridgov.db import TZ, session
from gridgov.issues.models import Hop, Issue
from gridgov.limits import Clock
from gridgov.workflow import Move

OPENED = sa.select(Hop.entered_at).where(
    Hop.issue_id == sa.bindparam("issue_id", type_=sa.Uuid), Hop.n == sa.bindparam("n", type_=sa.Integer)
)
ACCEPT = (
    sa.update(Hop)
    .where(Hop.issue_id == sa.bindparam("id"), Hop.n == sa.bindparam("hop"), Hop.accepted_at.is_(None))
    .values(accepted_at=sa.bindparam("at", type_=TZ))
)


def move(move: Move, *, unit_code: str | None = None, department_id: UUID | None = None) -> None:
    """Close the present hop and open the next at one grid or one department."""
    issue: Issue = move.subject
    leave(move)
    issue.unit_code, issue.department_id = unit_code, department_id
    issue.hop_n += 1
    session.add(
        Hop(
            issue_id=issue.id, n=issue.hop_n, unit_code=unit_code, department_id=department_id,
            entered_at=move.at, entered_by=move.transition.name,
        )
    )  # fmt: skip


def leave(move: Move) -> None:
    """Close the present hop, with the working time (seconds of office hours) the unit had it."""
    issue: Issue = move.subject
    entered_at = session.connection().execute(OPENED, {"issue_id": issue.id, "n": issue.hop_n}).scalar_one()
    worked_s = calendars.default().spent(entered_at, move.at, Clock.work_hour)
    left = {"left_at": move.at, "left_by": move.transition.name, "worked_s": worked_s}
    session.connection().execute(
        sa.update(Hop).where(Hop.issue_id == issue.id, Hop.n == issue.hop_n).values(**left)
    )


def accept(issue: Issue, at: datetime) -> None:
    """Note when the present unit took it on."""
    session.connection().execute(ACCEPT, {"id": issue.id, "hop": issue.hop_n, "at": at})
