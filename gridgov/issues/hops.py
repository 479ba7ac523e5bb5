"""Passing an issue from unit to unit. Each hop is timed; the database allows one open hop per issue."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from gridgov import batches
from gridgov.calendars import Calendar
from gridgov.db import TZ, session
from gridgov.issues import accused
from gridgov.issues.models import Hop, Issue
from gridgov.limits import Clock
from gridgov.people.models import Department
from gridgov.workflow import Move
from gridgov.worktime import inforce

OPENED = sa.select(Hop.entered_at).where(
    Hop.issue_id == sa.bindparam("issue_id", type_=sa.Uuid), Hop.n == sa.bindparam("n", type_=sa.Integer)
)
ENTER = sa.insert(Hop).inline()
LEAVE = (
    sa.update(Hop)
    .where(Hop.issue_id == sa.bindparam("id"), Hop.n == sa.bindparam("hop"))
    .values(left_at=sa.bindparam("at", type_=TZ), left_by=sa.bindparam("by"), worked_s=sa.bindparam("seconds"))
)
ACCEPT = (
    sa.update(Hop)
    .where(Hop.issue_id == sa.bindparam("id"), Hop.n == sa.bindparam("hop"), Hop.accepted_at.is_(None))
    .values(accepted_at=sa.bindparam("at", type_=TZ))
)

# Built once: every page of an issue asks these two.
BELOW = (
    sa.select(Hop)
    .where(
        Hop.issue_id == sa.bindparam("issue"), Hop.n < sa.bindparam("n"), Hop.unit_code.like(sa.bindparam("under")),
        Hop.unit_code != sa.bindparam("unit"),
    )
    .order_by(Hop.n.desc())
    .limit(sa.literal_column("1"))
)  # fmt: skip
RETURNED = sa.select(
    sa.exists().where(
        Hop.issue_id == sa.bindparam("issue"), Hop.unit_code == sa.bindparam("unit"), Hop.left_by == "return"
    )
)


def below(issue: Issue) -> Hop | None:
    """The latest hop at a grid under the present unit: where it came up from."""
    if issue.unit_code is None:
        return None
    given = {"issue": issue.id, "n": issue.hop_n, "unit": issue.unit_code, "under": f"{issue.unit_code}%"}
    return session.scalar(BELOW, given)


def returned(issue: Issue) -> bool:
    """Whether the present unit has sent it back down before."""
    return session.connection().execute(RETURNED, {"issue": issue.id, "unit": issue.unit_code}).scalar_one()


def move(move: Move, *, unit_code: str | None = None, department_id: UUID | None = None) -> None:
    """Close the present hop and open the next at one grid or one department."""
    accused.refuse(move.subject, unit_code, department_id)
    leave(move)
    enter(move, unit_code=unit_code, department_id=department_id)


def enter(move: Move, *, unit_code: str | None = None, department_id: UUID | None = None) -> None:
    """Open the next hop at one grid or one department; none is open, for it was left or the issue had ended."""
    issue: Issue = move.subject
    issue.unit_code, issue.department_id = unit_code, department_id
    issue.hop_n += 1
    batches.write(
        ENTER,
        {
            "issue_id": issue.id, "n": issue.hop_n, "unit_code": unit_code, "department_id": department_id,
            "entered_at": move.at, "entered_by": move.transition.name,
        },
    )  # fmt: skip
    batches.learn(("entered_at", issue.id), move.at)


def leave(move: Move) -> None:
    """Close the present hop, with the working time (seconds of office hours) the unit had it."""
    issue: Issue = move.subject
    entered_at = batches.known(("entered_at", issue.id))
    if entered_at is None:
        entered_at = session.connection().execute(OPENED, {"issue_id": issue.id, "n": issue.hop_n}).scalar_one()
    worked_s = calendar(issue).spent(entered_at, move.at, Clock.work_hour)
    batches.write(
        LEAVE, {"id": issue.id, "hop": issue.hop_n, "at": move.at, "by": move.transition.name, "seconds": worked_s}
    )


def calendar(issue: Issue) -> Calendar:
    """The calendar of the unit that answers for the issue: its township's office hours, a department's place's."""
    everywhere = inforce.same_everywhere()
    if everywhere is not None:
        return everywhere
    if issue.unit_code is None:
        return inforce.calendar(session.get_one(Department, issue.department_id).grid_code)
    return inforce.calendar(issue.unit_code)


def accept(issue: Issue, at: datetime) -> None:
    """Note when the present unit took it on."""
    batches.write(ACCEPT, {"id": issue.id, "hop": issue.hop_n, "at": at})
