# ruff: noqa: S608 – put together from the constants of this file; what a request gives is bound.
"""The four statements of a bulletin. Each reads one set of figures from `issue_events`, and from `issues` only place, line and category.

An event says state, unit and deadline *after* it; what stood before it is in the event before (`seq - 1`). So nothing but the
names below is known of the workflow: a state or move that is in none of the sets counts as nothing. Only events before `:ends`
are read: a bulletin of the past never changes. Explained figure by figure in docs/bulletin.md.
"""

from gridgov.grids.models import LENGTH

WAITING = ("reported", "dispatched")  # Not taken on yet.
WORKING = "accepted"
STOPPED = ("suspended", "merged")  # The task's clock stands still; from `merged` it may come back.
SUSPENDED = "suspended"
DISPATCHED, RESOLVED, VERIFIED, CLOSED, REFUSED = (
    "dispatched",
    "resolved",
    "callback",
    "closed",
    "not_accepted",
)
CHECKED = (
    RESOLVED,
    VERIFIED,
)  # From here back to work is rework: sent back by whoever verifies, or contested by the reporter.
ENDS = (CLOSED, REFUSED, "withdrawn", "merged")
DECLINES, EXTENSIONS = ("decline",), ("grant_time",)  # Names of moves.
SYSTEM = "system"
SATISFIED = 4  # Of a scale from 1 to 5: this and above.
STAGES = {
    "reported": "reported", "registered": WORKING, "dispatched": DISPATCHED, "resolved": RESOLVED, "verified": VERIFIED,
    "closed": CLOSED, "not_accepted": REFUSED, "withdrawn": "withdrawn", "merged": "merged",
}  # fmt: skip
"""The stages of a bulletin, and the state whose beginning each of them is."""
LEVELS = (*map(str, LENGTH), "department")
KEYS = {
    "township": f"left(facts.grid_code, {LENGTH['township']})",  # type: ignore[index]
    "village": f"left(facts.grid_code, {LENGTH['village']})",  # type: ignore[index]
    "unit": "coalesce(facts.unit_code, CAST(facts.department_id AS text))",
    "line": "facts.line",
    "category": "facts.category_code",
    "": "CAST(NULL AS text)",
}
"""What the figures can be grouped by. Place, line and category are the issue's; the unit is that of the act or the task."""


def _in(names: tuple[str, ...]) -> str:
    # As literals and not bound: only so does the index over suspensions serve.
    return "(" + ", ".join(f"'{name}'" for name in names) + ")"


def _rate(part: str, whole: str, name: str) -> str:
    return f"CAST(round(({part})::numeric / nullif({whole}, 0), 4) AS float) AS {name}"


PERIOD = "e.at >= :begins AND e.at < :ends"
OF_ISSUE = "issues.grid_code, issues.line, issues.category_code"
CARRIED = "e.grid_code, e.line, e.category_code"
HERE = """issues.grid_code LIKE ANY (:under)
        AND (issues.accused_code IS NULL OR issues.accused_code <> ALL (:barred))
        AND (issues.accused_department_id IS NULL OR issues.accused_department_id <> ALL (:barred_departments))"""
CHANGED = "e.from_state IS DISTINCT FROM e.to_state"
BEFORE = "LEFT JOIN issue_events AS prior ON prior.issue_id = e.issue_id AND prior.seq = e.seq - 1"
FIRST = """NOT EXISTS (SELECT 1 FROM issue_events AS earlier
        WHERE earlier.issue_id = e.issue_id AND earlier.seq < e.seq AND earlier.to_state = e.to_state)"""
STANDS = """NOT EXISTS (SELECT 1 FROM issue_events AS later
        WHERE later.issue_id = e.issue_id AND later.seq > e.seq AND later.at < :ends AND later.to_state <> e.to_state)"""
COUNTED = """counted AS (
    SELECT facts.*, {key} AS key FROM facts
    WHERE CAST(:departments AS uuid[]) IS NULL OR facts.department_id = ANY (CAST(:departments AS uuid[]))
)"""
GROUPED = "FROM counted GROUP BY GROUPING SETS ((key), ())"


def _stage_columns() -> str:
    counts = [f"count(*) FILTER (WHERE stage = '{name}') AS {name}" for name in STAGES]
    hours = [
        f"CAST(round(CAST(percentile_cont(0.5) WITHIN GROUP (ORDER BY hours) FILTER (WHERE stage = '{name}') AS numeric), 2) AS float)"
        f" AS {name}_median_h"
        for name in list(STAGES)[1:]
    ]
    return ",\n    ".join(counts + hours)


# A stage counts when it was reached for the first time; an end, when nothing has undone it by the end of the period.
STAGES_SQL = f"""
WITH facts AS (
    SELECT e.issue_id, {OF_ISSUE}, extract(epoch FROM e.at - report.at) / 3600 AS hours,
        CASE e.to_state {" ".join(f"WHEN '{state}' THEN '{name}'" for name, state in STAGES.items())} END AS stage,
        CASE WHEN e.seq = 1 THEN e.unit_code ELSE prior.unit_code END AS unit_code,
        CASE WHEN e.seq = 1 THEN e.department_id ELSE prior.department_id END AS department_id
    FROM issue_events AS e
    JOIN issues ON issues.id = e.issue_id
    JOIN issue_events AS report ON report.issue_id = e.issue_id AND report.seq = 1
    {BEFORE}
    WHERE {PERIOD} AND {HERE} AND {CHANGED} AND e.to_state IN {_in(tuple(STAGES.values()))}
        AND CASE WHEN e.to_state IN {_in(ENDS)} THEN {STANDS} WHEN e.to_state = 'reported' THEN e.seq = 1 ELSE {FIRST} END
), {COUNTED}
SELECT key, grouping(key) = 1 AS total,
    {_stage_columns()}
{GROUPED}
"""

# Each issue's events are read by themselves (LATERAL): a join would read all events of all years and sort them.
# A task is an unbroken spell of work at one unit; `missed` is the first of its deadlines that passed before it was resolved.
TIMELINESS_SQL = f"""
WITH touched AS (
    SELECT DISTINCT e.issue_id, {OF_ISSUE} FROM issue_events AS e JOIN issues ON issues.id = e.issue_id
    WHERE (({PERIOD}) OR (e.due_at >= :begins AND e.due_at < :ends AND e.at < :ends)) AND {HERE}
), steps AS (
    SELECT touched.*, life.* FROM touched CROSS JOIN LATERAL (
        SELECT e.seq, e.at, e.to_state, e.unit_code, e.department_id, e.due_at,
            e.to_state IN {_in((WORKING, *STOPPED))} AS inside,
            lead(e.at) OVER life AS next_at, lead(e.to_state) OVER life AS next_state,
            lag(e.to_state IN {_in((WORKING, *STOPPED))}) OVER life
                AND (lag(e.unit_code) OVER life, lag(e.department_id) OVER life)
                    IS NOT DISTINCT FROM (e.unit_code, e.department_id) AS goes_on,
            (lead(e.unit_code) OVER life, lead(e.department_id) OVER life)
                IS NOT DISTINCT FROM (e.unit_code, e.department_id) AS stays
        FROM issue_events AS e WHERE e.issue_id = touched.issue_id AND e.at < :ends
        WINDOW life AS (ORDER BY e.seq)
    ) AS life
), numbered AS (
    SELECT steps.*, count(*) FILTER (WHERE goes_on IS NOT TRUE) OVER (PARTITION BY issue_id ORDER BY seq) AS spell
    FROM steps WHERE inside
), judged AS (
    SELECT numbered.*, min(due_at) FILTER (WHERE to_state = '{WORKING}' AND (
            due_at < coalesce(next_at, :ends)
            OR due_at = next_at AND next_state <> '{RESOLVED}'
                AND NOT (stays AND next_state IN {_in((WORKING, *STOPPED))})
        )) OVER (PARTITION BY issue_id, spell) AS missed_at
    FROM numbered
), tasks AS (
    SELECT issue_id, grid_code, line, category_code, min(unit_code) AS unit_code, min(CAST(department_id AS text)) AS department, missed_at,
        max(next_at) FILTER (WHERE to_state = '{WORKING}' AND next_state = '{RESOLVED}') AS resolved_at,
        extract(epoch FROM sum(least(coalesce(next_at, :ends), missed_at) - at)
            FILTER (WHERE to_state = '{WORKING}' AND at < missed_at)) AS limit_s,
        extract(epoch FROM sum(coalesce(next_at, :ends) - greatest(at, missed_at))
            FILTER (WHERE to_state = '{WORKING}' AND coalesce(next_at, :ends) > missed_at)) AS over_s
    FROM judged GROUP BY issue_id, grid_code, line, category_code, spell, missed_at
), facts AS (
    SELECT issue_id, grid_code, line, category_code, unit_code, CAST(department AS uuid) AS department_id, missed_at IS NULL AS on_time,
        resolved_at IS NOT NULL AS done, coalesce(over_s, 0) / nullif(limit_s, 0) AS multiple
    FROM tasks WHERE coalesce(missed_at, resolved_at) >= :begins AND coalesce(missed_at, resolved_at) < :ends
), {COUNTED}
SELECT key, grouping(key) = 1 AS total,
    count(*) AS due, count(*) FILTER (WHERE done) AS done, count(*) FILTER (WHERE on_time) AS on_time,
    count(*) FILTER (WHERE NOT on_time) AS overdue, count(*) FILTER (WHERE NOT on_time AND NOT done) AS overdue_undone,
    {_rate("count(*) FILTER (WHERE done)", "count(*)", "closing_rate")},
    {_rate("count(*) FILTER (WHERE on_time)", "count(*)", "on_time_rate")},
    CAST(round(avg(multiple) FILTER (WHERE NOT on_time), 4) AS float) AS overdue_multiple,
    CAST(round(max(multiple) FILTER (WHERE NOT on_time), 4) AS float) AS overdue_multiple_most
{GROUPED}
"""


def _n(name: str, more: str = "") -> str:
    return f"count(*) FILTER (WHERE name = '{name}'{more})"


def _issues(*names: str, more: str = "") -> str:
    return f"count(DISTINCT issue_id) FILTER (WHERE name IN {_in(names)}{more})"


def _level_columns() -> str:
    columns = []
    for level in LEVELS:
        there = f" AND level = '{level}'"
        accepted, closed = _issues("taken", more=there), _issues("closed", more=there)
        columns += [f"{accepted} AS {level}_accepted", f"{closed} AS {level}_closed"]
        columns.append(_rate(closed, accepted, f"{level}_self_resolved_rate"))
    return ",\n    ".join(columns)


_LEVEL = f"""CASE WHEN facts.department_id IS NOT NULL THEN 'department'
        {" ".join(f"WHEN length(facts.unit_code) = {length} THEN '{level}'" for level, length in LENGTH.items())} END"""
_REWORKED, _RESOLVED = _n("reworked"), _n("resolved")
_JUDGED = _issues("registered", "refused")
QUALITY_SQL = f"""
WITH here AS (
    SELECT e.issue_id, {OF_ISSUE}, e.seq, e.name, e.from_state, e.to_state, e.unit_code, e.department_id,
        prior.unit_code AS had_code, prior.department_id AS had_department
    FROM issue_events AS e
    JOIN issues ON issues.id = e.issue_id
    {BEFORE}
    WHERE {PERIOD} AND {HERE} AND ({CHANGED} OR e.name IN {_in(EXTENSIONS)})
), facts AS (
    SELECT e.issue_id, {CARRIED}, fact.name, fact.unit_code, fact.department_id
    FROM here AS e
    CROSS JOIN LATERAL (VALUES
        ('accepted', e.to_state = '{WORKING}' AND e.from_state IN {_in(WAITING)}, e.unit_code, e.department_id),
        ('registered', e.to_state = '{WORKING}' AND e.from_state IN {_in(WAITING)} AND {FIRST}, e.unit_code, e.department_id),
        ('refused', e.to_state = '{REFUSED}' AND {STANDS}, e.had_code, e.had_department),
        ('dispatched', e.to_state = '{DISPATCHED}' AND {CHANGED}, e.unit_code, e.department_id),
        ('declined', e.name IN {_in(DECLINES)}, e.had_code, e.had_department),
        ('extended', e.name IN {_in(EXTENSIONS)}, e.unit_code, e.department_id),
        ('resolved', e.to_state = '{RESOLVED}' AND e.from_state = '{WORKING}', e.had_code, e.had_department),
        ('reworked', e.to_state = '{WORKING}' AND e.from_state IN {_in(CHECKED)}, e.unit_code, e.department_id),
        ('reopened', e.to_state = '{WORKING}' AND e.from_state = '{CLOSED}', e.unit_code, e.department_id)
    ) AS fact (name, holds, unit_code, department_id)
    WHERE fact.holds
    UNION ALL
    SELECT e.issue_id, {CARRIED}, 'closed', handled.unit_code, handled.department_id
    FROM here AS e
    LEFT JOIN LATERAL (SELECT unit_code, department_id FROM issue_events AS work WHERE work.issue_id = e.issue_id
        AND work.seq < e.seq AND work.to_state = '{WORKING}' ORDER BY work.seq DESC LIMIT 1) AS handled ON true
    WHERE e.to_state = '{CLOSED}' AND {STANDS}
    UNION ALL
    SELECT e.issue_id, {CARRIED}, 'taken', taken.unit_code, taken.department_id
    FROM here AS e
    CROSS JOIN LATERAL (SELECT DISTINCT unit_code, department_id FROM issue_events AS work WHERE work.issue_id = e.issue_id
        AND work.seq < e.seq AND work.to_state = '{WORKING}') AS taken
    WHERE e.to_state = '{CLOSED}' AND {STANDS}
    UNION ALL
    SELECT e.issue_id, {OF_ISSUE}, 'stock', e.unit_code, e.department_id
    FROM issue_events AS e JOIN issues ON issues.id = e.issue_id
    WHERE e.to_state = '{SUSPENDED}' AND e.from_state <> '{SUSPENDED}' AND e.at < :ends AND {HERE} AND {STANDS}
), {COUNTED.replace("facts.*", f"facts.*, {_LEVEL} AS level", 1)}
SELECT key, grouping(key) = 1 AS total,
    {_RESOLVED} AS resolved, {_REWORKED} AS reworked, {_n("reopened")} AS reopened,
    {_n("dispatched")} AS dispatched, {_n("declined")} AS declined,
    {_n("accepted")} AS accepted, {_n("extended")} AS extended, {_issues("stock")} AS suspended,
    {_JUDGED} AS judged, {_JUDGED} - {_issues("refused")} AS valid,
    {_rate(_REWORKED, _RESOLVED, "rework_rate")},
    {_rate(_n("declined"), _n("dispatched"), "decline_rate")},
    {_rate(_n("extended"), _n("accepted"), "extension_rate")},
    {_rate(f"{_JUDGED} - {_issues('refused')}", _JUDGED, "valid_report_rate")},
    {_level_columns()}
{GROUPED}
"""

RESULTS_SQL = f"""
WITH facts AS (
    SELECT e.issue_id, {OF_ISSUE}, handled.unit_code, handled.department_id, coalesce(handled.on_time, false) AS on_time,
        answer.solved IS NOT NULL AS answered, coalesce(answer.solved, false) AS solved,
        coalesce(answer.satisfied, false) AS satisfied
    FROM issue_events AS e
    JOIN issues ON issues.id = e.issue_id
    LEFT JOIN LATERAL (
        SELECT prior.unit_code, prior.department_id, done.at <= prior.due_at AS on_time
        FROM issue_events AS done JOIN issue_events AS prior ON prior.issue_id = done.issue_id AND prior.seq = done.seq - 1
        WHERE done.issue_id = e.issue_id AND done.seq < e.seq AND done.to_state = '{RESOLVED}' AND done.from_state = '{WORKING}'
        ORDER BY done.seq DESC LIMIT 1
    ) AS handled ON true
    LEFT JOIN LATERAL (
        SELECT said.to_state = '{CLOSED}' AS solved, CASE WHEN jsonb_typeof(said.data->'satisfaction') = 'number'
            THEN CAST(said.data->>'satisfaction' AS numeric) >= {SATISFIED} END AS satisfied
        FROM issue_events AS said
        WHERE said.issue_id = e.issue_id AND said.seq <= e.seq AND said.actor_role <> '{SYSTEM}'
            AND (said.from_state = '{VERIFIED}' AND said.to_state IN {_in((CLOSED, WORKING))}
                OR said.from_state = '{CLOSED}' AND said.to_state = '{WORKING}')
        ORDER BY said.seq DESC LIMIT 1
    ) AS answer ON true
    WHERE {PERIOD} AND {HERE} AND {CHANGED} AND e.to_state = '{CLOSED}' AND {STANDS}
), {COUNTED}
SELECT key, grouping(key) = 1 AS total,
    count(*) AS closed, count(*) FILTER (WHERE on_time) AS closed_on_time,
    count(*) FILTER (WHERE answered) AS answered, count(*) FILTER (WHERE solved) AS solved,
    count(*) FILTER (WHERE satisfied) AS satisfied,
    {_rate("count(*) FILTER (WHERE on_time)", "count(*)", "closed_on_time_rate")},
    {_rate("count(*) FILTER (WHERE solved)", "count(*) FILTER (WHERE answered)", "solved_rate")},
    {_rate("count(*) FILTER (WHERE satisfied)", "count(*) FILTER (WHERE answered)", "satisfaction")}
{GROUPED}
"""

STATEMENTS = {
    "stages": STAGES_SQL,
    "timeliness": TIMELINESS_SQL,
    "quality": QUALITY_SQL,
    "results": RESULTS_SQL,
}
