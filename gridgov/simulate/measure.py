"""What the scratch database says of a run: by level from hops and events, over all from the issues."""

from typing import Any

import sqlalchemy as sa

from gridgov.db import session
from gridgov.issues import flow
from gridgov.simulate.model import LEVELS

# A visit is a unit's time with an issue that came to be handled, not to be checked. It is over when it was resolved there, or left.
VISITS = """
WITH e AS (
    SELECT issue_id, name, at, lag(hop_n) OVER w AS hop, lag(due_at) OVER w AS due
    FROM issue_events WINDOW w AS (PARTITION BY issue_id ORDER BY seq)
), in_hop AS (
    SELECT issue_id, hop, min(at) FILTER (WHERE name = 'resolve') AS resolved_at,
        coalesce(bool_or(name = ANY (:overdue) OR (name = 'resolve' AND at > due)), false) AS late
    FROM e WHERE hop IS NOT NULL GROUP BY issue_id, hop
), visits AS (
    SELECT CASE WHEN h.unit_code IS NULL THEN 'department' ELSE g.level END AS level, h.accepted_at, h.left_by, h.left_at,
        coalesce(x.late, false) AS late, coalesce(x.resolved_at, h.left_at) AS over_at, h.entered_at,
        i.state = 'closed' AND i.handling_hop = h.n AS settled
    FROM hops h JOIN issues i ON i.id = h.issue_id LEFT JOIN grids g ON g.code = h.unit_code
    LEFT JOIN in_hop x ON x.issue_id = h.issue_id AND x.hop = h.n
    WHERE h.entered_by <> ALL (:checks)
)
SELECT level, count(*) AS came, count(accepted_at) AS accepted, count(*) FILTER (WHERE settled) AS settled,
    count(*) FILTER (WHERE left_by = 'escalate') AS up_by_hand, count(*) FILTER (WHERE left_by = ANY (:overdue)) AS up_by_deadline,
    count(*) FILTER (WHERE left_by = 'pass_up') AS up_vacant, count(*) FILTER (WHERE left_by = 'dispatch') AS dispatched,
    count(*) FILTER (WHERE left_by = 'return') AS returned, count(over_at) AS over,
    count(*) FILTER (WHERE left_at IS NULL AND over_at IS NULL) AS still,
    count(*) FILTER (WHERE over_at IS NOT NULL AND NOT late) AS kept,
    extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY over_at - entered_at)) / 3600 AS hours_median,
    extract(epoch FROM percentile_cont(0.9) WITHIN GROUP (ORDER BY over_at - entered_at)) / 3600 AS hours_p90
FROM visits GROUP BY level
"""
TOTALS = """
SELECT count(*) AS reported, count(ended_at) AS ended, count(*) FILTER (WHERE ended_at IS NULL) AS open,
    count(*) FILTER (WHERE state = 'closed') AS closed,
    count(*) FILTER (WHERE state = 'closed' AND on_time AND NOT missed) AS closed_on_time,
    count(resolved_at) AS resolved, count(*) FILTER (WHERE rework_count > 0) AS reworked,
    count(solved) AS answered, count(*) FILTER (WHERE solved) AS solved, count(satisfaction) AS rated,
    count(*) FILTER (WHERE satisfaction >= 4) AS satisfied,
    extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY resolved_at - reported_at)) / 86400 AS days_median,
    extract(epoch FROM percentile_cont(0.9) WITHIN GROUP (ORDER BY resolved_at - reported_at)) / 86400 AS days_p90
FROM (
    SELECT *, EXISTS (SELECT FROM issue_events e WHERE e.issue_id = issues.id AND e.name = ANY (:overdue)) AS missed FROM issues
) AS i
"""
MOVES = "SELECT name, count(*) AS n FROM issue_events GROUP BY name ORDER BY name"


def levels() -> dict[str, dict[str, float]]:
    """For each level what came, what became of it, and how long it took. Shares are None where there is nothing to share."""
    workflow, overdue = flow.current(), _overdue()
    checks = sorted(t.name for t in workflow.transitions.values() if t.to in workflow.transitions["verify"].sources)
    found = {level: dict[str, Any]() for level in LEVELS}
    for row in session.execute(sa.text(VISITS), {"overdue": overdue, "checks": checks}).mappings():
        found[row["level"]] = {name: _number(value) for name, value in row.items() if name != "level"}
    all_closed = sum(row.get("settled", 0) for row in found.values())
    for counted in found.values():
        for name in ("came", "accepted", "settled", "up_by_hand", "up_by_deadline", "up_vacant", "dispatched", "returned", "over",
                     "still", "kept"):  # fmt: skip
            counted.setdefault(name, 0)
        counted["settled_share"] = _share(counted["settled"], counted["accepted"])
        counted["settled_of_all"] = _share(counted["settled"], all_closed)
        counted["on_time_share"] = _share(counted["kept"], counted["over"])
    return found


def totals() -> dict[str, Any]:
    """Over all levels."""
    found = {name: _number(value) for name, value in session.execute(sa.text(TOTALS), {"overdue": _overdue()}).mappings().one().items()}
    found["closing_rate"] = _share(found["closed"], found["reported"])
    found["on_time_rate"] = _share(found["closed_on_time"], found["closed"])
    found["rework_rate"] = _share(found["reworked"], found["resolved"])
    found["solved_rate"] = _share(found["solved"], found["answered"])
    found["satisfaction"] = _share(found["satisfied"], found["rated"])
    return found


def moves() -> dict[str, int]:
    """How often each move was made."""
    return {row.name: row.n for row in session.execute(sa.text(MOVES))}


def _overdue() -> list[str]:
    """The moves that mean that somebody missed a deadline. What closes in silence is none."""
    workflow = flow.current()
    return sorted({n for s in workflow.states.values() for n in s.overdue if not _ends(workflow.transitions[n].to)})


def _ends(state: str) -> bool:
    known = flow.current().states.get(state)
    return known is not None and not known.open


def _number(value: Any) -> Any:
    return value if value is None or isinstance(value, int) else float(value)


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
