"""The hot path of reporting, in few statements: what a report must know, and all its rows in one go.

Measured by `make bench ONLY=http`: a statement through the unit of work costs more CPU than everything it says.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import make_transient_to_detached

from gridgov.db import TZ, session
from gridgov.issues.models import Category, Issue, IssueEvent
from gridgov.limits import Limit

KNOWN = sa.select(
    Category.code, Category.parent_code, Category.name, Category.name_en, Category.line, Category.grade,
    Category.photos_required, Category.closed_at,
    Category.confidential,
    sa.select(Issue.reporter_id).where(Issue.id == sa.bindparam("id", type_=sa.Uuid)).scalar_subquery().label("taken_by"),
).where(Category.code == sa.bindparam("code", type_=sa.Text))  # fmt: skip
WRITE = sa.text(
    """
    WITH new AS (
        INSERT INTO issues (id, number, grid_code, category_code, line, grade, text, lat, lon, accuracy_m, address,
            reporter_id, confidential, found_by, state, unit_code, hop_n, generation, due_at, warn_at, due_provisional,
            rework_count, reported_at)
        VALUES (:id, :prefix || lpad(next_number(:day)::text, 4, '0'), :grid_code, :category_code, :line, :grade, :text,
            :lat, :lon, :accuracy_m, :address, :reporter_id, :confidential, :found_by, :state, :unit_code, 1, 0, :due_at, :warn_at,
            :due_provisional, 0, :reported_at)
        ON CONFLICT (id) DO NOTHING
        RETURNING id, number
    ), hop AS (
        INSERT INTO hops (issue_id, n, unit_code, entered_at, entered_by)
        SELECT id, 1, :unit_code, :reported_at, 'report' FROM new
    ), event AS (
        INSERT INTO issue_events (issue_id, seq, name, to_state, actor_id, actor_role, hop_n, unit_code, data, due_at, at)
        SELECT id, 1, 'report', :state, :reporter_id, :role, 1, :unit_code, '{}', :due_at, :reported_at FROM new
    ), timer AS (
        INSERT INTO timers (subject_kind, subject_id, kind, generation, started_at, budget_s, clock, due_at, run_at,
            provisional, warn_s, state, attempts)
        SELECT 'issue', id, :timer, 0, :reported_at, :budget_s, :clock, :due_at,
            CASE WHEN :warn_s IS NULL THEN :due_at ELSE :warn_at END, :due_provisional, :warn_s, 'open', 0 FROM new
    )
    SELECT number FROM new
    """
).bindparams(
    sa.bindparam("id", type_=sa.Uuid), sa.bindparam("reporter_id", type_=sa.Uuid), sa.bindparam("due_at", type_=TZ),
    sa.bindparam("warn_at", type_=TZ), sa.bindparam("reported_at", type_=TZ), sa.bindparam("day", type_=sa.Date),
    sa.bindparam("warn_s", type_=sa.Integer), sa.bindparam("accuracy_m", type_=sa.Integer),
    sa.bindparam("lat", type_=sa.Float), sa.bindparam("lon", type_=sa.Float),
    *(sa.bindparam(name, type_=sa.Text) for name in (
        "prefix", "found_by", "grid_code", "category_code", "line", "grade", "text", "address", "state", "unit_code", "role", "timer",
        "clock",
    )),
)  # fmt: skip


@dataclass(frozen=True)
class Known:
    """A category as a report needs it, and whose issue the sent id already is, if anybody's."""

    code: str
    parent_code: str | None
    name: str
    name_en: str
    line: str
    grade: str | None
    photos_required: bool
    closed_at: datetime | None
    confidential: bool
    taken_by: UUID | None


def known(category: str, id: UUID | None) -> Known | None:
    """What is known of a category and of the id a report comes with; None for an unknown category."""
    row = session.connection().execute(KNOWN, {"code": category, "id": id}).first()
    return Known(**row._mapping) if row else None


def write(
    issue: Issue, *, prefix: str, day: date, role: str, timer: str, limit: Limit, warn_s: int | None
) -> IssueEvent | None:
    """Write a new issue with its number, first hop, first event and deadline. None when its id is taken already.

    Afterwards `issue` belongs to the session like any other, without having been read back.
    """
    values: dict[str, Any] = {
        name: getattr(issue, name)
        for name in (
            "id", "grid_code", "category_code", "line", "grade", "text", "lat", "lon", "accuracy_m", "address",
            "reporter_id", "confidential", "found_by", "state", "unit_code", "due_at", "warn_at", "due_provisional", "reported_at",
        )
    }  # fmt: skip
    values |= {
        "prefix": prefix,
        "day": day,
        "role": role,
        "timer": timer,
        "budget_s": limit.amount_s,
        "clock": limit.clock,
    }
    values["warn_s"] = warn_s
    number = session.connection().execute(WRITE, values).scalar()
    if number is None:
        return None
    issue.number = number
    event = IssueEvent(
        issue_id=issue.id, seq=1, name="report", to_state=issue.state, actor_id=issue.reporter_id, actor_role=role, hop_n=1,
        unit_code=issue.unit_code, data={}, due_at=issue.due_at, at=issue.reported_at, hash=b"",
    )  # fmt: skip
    for row in (issue, event):
        make_transient_to_detached(row)
        session.add(row)
    return event
