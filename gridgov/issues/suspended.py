"""Lists that anybody may read without signing in. They name no person: number, category, village, unit, reason and dates.

Source: DOMAIN "The closed loop": what is suspended stays on a public list of its own.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from gridgov import paging
from gridgov.db import session
from gridgov.i18n import pick
from gridgov.issues import flow
from gridgov.issues.names import unit_names

VILLAGE = 12
SUSPENDED = sa.text(
    """
    SELECT issues.id, number, left(grid_code, :village) AS grid_code, unit_code, department_id, due_at AS review_at,
        categories.name AS category, categories.name_en AS category_en, stopped.at AS since, asked.data->>'reason' AS reason
    FROM issues
    JOIN categories ON categories.code = issues.category_code
    CROSS JOIN LATERAL (SELECT seq, at FROM issue_events WHERE issue_id = issues.id AND to_state = issues.state
        AND from_state <> to_state ORDER BY seq DESC LIMIT 1) AS stopped
    CROSS JOIN LATERAL (SELECT data FROM issue_events WHERE issue_id = issues.id AND seq < stopped.seq
        AND data ? 'review_on' ORDER BY seq DESC LIMIT 1) AS asked
    WHERE state = :state AND NOT issues.confidential AND (CAST(:before AS uuid) IS NULL OR issues.id < CAST(:before AS uuid))
    ORDER BY issues.id DESC LIMIT :most
    """
)


@dataclass(frozen=True)
class Suspended:
    """A suspended issue as everybody may see it. Times are aware UTC; `place` ends at the village."""

    id: UUID
    number: str
    category: str
    place: str
    unit: str
    since: datetime
    reason: str
    review_at: datetime


def page(cursor: str | None, limit: int = paging.LIMIT) -> paging.Page:
    """A page of what is suspended, in a fixed number of statements. Raises Invalid for a broken cursor."""
    state = next(t.to for t in flow.current().transitions.values() if t.clock == "hold")
    before = paging.decode(cursor, UUID)[0] if cursor else None
    given = {"state": state, "village": VILLAGE, "before": before, "most": limit + 1}
    rows = session.connection().execute(SUSPENDED, given).all()
    names = unit_names(rows)
    found = [
        Suspended(
            row.id, row.number, pick({"zh": row.category, "en": row.category_en}), names.place(row.grid_code),
            names.unit(row.unit_code, row.department_id), row.since, row.reason, row.review_at,
        )
        for row in rows
    ]  # fmt: skip
    return paging.Page(found[:limit], paging.encode(found[limit - 1].id) if len(found) > limit else None)
