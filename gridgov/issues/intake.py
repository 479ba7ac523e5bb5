"""The hot path of reporting, in few statements: what a report must know, and all its rows in one go.

Measured by `make bench ONLY=http`: a statement through the unit of work costs more CPU than everything it says.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import make_transient_to_detached

from gridgov.db import JSONB, TZ, session
from gridgov.issues import flow, near
from gridgov.issues.models import Category, Issue, IssueEvent
from gridgov.issues.near import GRID, SPOT
from gridgov.limits import Limit

KNOWN = sa.select(
    Category.code, Category.parent_code, Category.name, Category.name_en, Category.line, Category.grade,
    Category.photos_required, Category.closed_at,
    Category.confidential, Category.duplicates, Category.questions,
    sa.select(Issue.reporter_id).where(Issue.id == sa.bindparam("id", type_=sa.Uuid)).scalar_subquery().label("taken_by"),
).where(Category.code == sa.bindparam("code", type_=sa.Text))  # fmt: skip
WRITE = sa.text(
    f"""
    WITH new AS (
        INSERT INTO issues (id, number, grid_code, category_code, line, grade, text, lat, lon, accuracy_m, address,
            reporter_id, follow_up_hash, confidential, accused_code, accused_department_id, found_by, state, unit_code, hop_n,
            generation, due_at, warn_at, due_provisional, rework_count, reported_at, answers, resembles)
        VALUES (:id, :prefix || lpad(next_number(:day)::text, 4, '0'), :grid_code, :category_code, :line, :grade, :text,
            :lat, :lon, :accuracy_m, :address, :reporter_id, :follow_up_hash, :confidential, :accused_code,
            :accused_department_id, :found_by, :state, :unit_code, 1, 0, :due_at, :warn_at, :due_provisional, 0, :reported_at, :answers,
            :looks AND NOT :confidential AND (EXISTS (SELECT FROM issues AS o WHERE {SPOT})
                OR EXISTS (SELECT FROM issues AS o WHERE {GRID})))
        ON CONFLICT (id) DO NOTHING
        RETURNING id, number, resembles
    ), hop AS (
        INSERT INTO hops (issue_id, n, unit_code, entered_at, entered_by)
        SELECT id, 1, :unit_code, :reported_at, 'report' FROM new
    ), event AS (
        INSERT INTO issue_events (issue_id, seq, name, to_state, actor_id, actor_role, hop_n, unit_code, data, due_at, at)
        SELECT id, 1, 'report', :state, :reporter_id, :role, 1, :unit_code, '{{}}', :due_at, :reported_at FROM new
    ), timer AS (
        INSERT INTO timers (subject_kind, subject_id, kind, generation, started_at, budget_s, clock, due_at, run_at,
            provisional, warn_s, state, attempts)
        SELECT 'issue', id, :timer, 0, :reported_at, :budget_s, :clock, :due_at,
            CASE WHEN :warn_s IS NULL THEN :due_at ELSE :warn_at END, :due_provisional, :warn_s, 'open', 0 FROM new
    )
    SELECT number, resembles FROM new
    """  # noqa: S608  # Put together from constants.
).bindparams(
    sa.bindparam("id", type_=sa.Uuid), sa.bindparam("reporter_id", type_=sa.Uuid), sa.bindparam("due_at", type_=TZ),
    sa.bindparam("accused_department_id", type_=sa.Uuid), sa.bindparam("follow_up_hash", type_=sa.LargeBinary),
    sa.bindparam("warn_at", type_=TZ), sa.bindparam("reported_at", type_=TZ), sa.bindparam("day", type_=sa.Date),
    sa.bindparam("warn_s", type_=sa.Integer), sa.bindparam("accuracy_m", type_=sa.Integer),
    sa.bindparam("answers", type_=JSONB), sa.bindparam("looks", type_=sa.Boolean), *near.TYPES,
    *(sa.bindparam(name, type_=sa.Text) for name in (
        "prefix", "found_by", "line", "grade", "text", "address", "state", "unit_code", "role", "timer",
        "clock", "accused_code",
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
    duplicates: bool
    questions: list[dict[str, Any]]
    taken_by: UUID | None


def known(category: str, id: UUID | None) -> Known | None:
    """What is known of a category and of the id a report comes with; None for an unknown category."""
    row = session.connection().execute(KNOWN, {"code": category, "id": id}).first()
    return Known(**row._mapping) if row else None


def write(
    issue: Issue, *, prefix: str, day: date, role: str, timer: str, limit: Limit, warn_s: int | None, looks: bool
) -> IssueEvent | None:
    """Write a new issue with its number, first hop, first event and deadline. None when its id is taken already.

    `looks`: mark it when another that may be the same is open near by.

    Afterwards `issue` belongs to the session like any other, without having been read back.
    """
    values: dict[str, Any] = {
        name: getattr(issue, name)
        for name in (
            "id", "grid_code", "category_code", "line", "grade", "text", "lat", "lon", "accuracy_m", "address",
            "reporter_id", "follow_up_hash", "confidential", "accused_code", "accused_department_id", "state",
            "unit_code", "due_at", "warn_at", "due_provisional", "reported_at", "answers", "found_by",
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
    since = issue.reported_at - timedelta(seconds=flow.rules().same.within_s)
    looked = near.around(
        issue.category_code, lat=issue.lat, lon=issue.lon, grid_code=issue.grid_code, confidential=issue.confidential,
        since=since, until=issue.reported_at,
    )  # fmt: skip
    values |= looked | {"looks": looks}
    new = session.connection().execute(WRITE, values).first()
    if new is None:
        return None
    issue.number, issue.resembles = new
    event = IssueEvent(
        issue_id=issue.id, seq=1, name="report", to_state=issue.state, actor_id=issue.reporter_id, actor_role=role, hop_n=1,
        unit_code=issue.unit_code, data={}, due_at=issue.due_at, at=issue.reported_at, hash=b"",
    )  # fmt: skip
    for row in (issue, event):
        make_transient_to_detached(row)
        session.add(row)
    return event
