"""Issues go with their deadlines when the calendar changes, and say whose office hours count for them."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from gridgov.db import TZ, session
from gridgov.issues import clocks, flow, parts
from gridgov.issues.models import Issue
from gridgov.people.models import Department
from gridgov.worktime import reckoning
from gridgov.worktime.reckoning import Moved

PLACE = sa.func.coalesce(
    Issue.unit_code,
    sa.select(Department.grid_code).where(Department.id == Issue.department_id).scalar_subquery(),
)
# A reminder's timer is not the deadline of the state: it is due at another moment, and is left out by `was`.
FOLLOW = sa.text(
    """
    UPDATE issues SET due_at = m.due_at, warn_at = m.warn_at, due_provisional = m.provisional
    FROM unnest(:id, :was, :due_at, :warn_at, :provisional) AS m (id, was, due_at, warn_at, provisional)
    WHERE issues.id = m.id AND issues.due_at = m.was
        AND (issues.due_at, issues.warn_at, issues.due_provisional) IS DISTINCT FROM (m.due_at, m.warn_at, m.provisional)
    """
).bindparams(
    sa.bindparam("id", type_=sa.ARRAY(sa.Uuid)), sa.bindparam("provisional", type_=sa.ARRAY(sa.Boolean)),
    *(sa.bindparam(name, type_=sa.ARRAY(TZ)) for name in ("was", "due_at", "warn_at")),
)  # fmt: skip


def follow(moved: Sequence[Moved]) -> None:
    """Set what the issues show: when due, from when yellow, whether provisional. What is paused waits for its resumption."""
    parts.follow(moved)
    # Deadlines beside that of the state are not what the issue shows.
    rows = [(m, m.timer) for m in moved if m.timer.state == "open" and clocks.side(m.timer.kind) is None]
    if not rows:
        return
    share = flow.rules().yellow_share
    values = {
        "id": [timer.subject_id for _m, timer in rows],
        "was": [m.was for m, _timer in rows],
        "due_at": [timer.due_at for _m, timer in rows],
        "warn_at": [max(_yellow(m, share), min(timer.started_at, timer.due_at)) for m, timer in rows],
        "provisional": [timer.provisional for _m, timer in rows],
    }
    session.connection().execute(FOLLOW, values)


def _yellow(moved: Moved, share: float) -> datetime:
    timer = moved.timer
    return moved.calendar.due(timer.started_at, timer.limit - round(timer.total.amount_s * share)).due_at


reckoning.register("issue", reckoning.Follower(PLACE, follow))
