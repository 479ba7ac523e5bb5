"""What was committed since the last look, and whom it concerns.

A look is one statement, whatever the number of people who wait for it. What it has seen is a snapshot of PostgreSQL, and
the next look takes every row whose transaction was not visible in that: one that committed late is not missed, however
late, and none is told twice.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import session
from gridgov.people import queries as people
from gridgov.people.models import Person, SignInSession
from gridgov.people.queries import Reach

MOST = 500
"""Events and notices told singly. When there are more at once, everybody is told to look for themselves."""
SNAPSHOT = re.compile(r"[0-9]{1,19}:[0-9]{1,19}:([0-9]{1,19}(,[0-9]{1,19}){0,199})?")
SINCE = "CAST(:since AS pg_snapshot)"
# Below what this cluster has given out: rows that came with a restored dump carry numbers of another.
UNSEEN = (
    f"xact >= pg_snapshot_xmin({SINCE})::text::bigint AND xact < pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
    f" AND NOT pg_visible_in_snapshot(xact::text::xid8, {SINCE})"
)
LOOK = sa.text(
    f"""
    WITH events AS MATERIALIZED (
        SELECT issue_id, seq FROM issue_events WHERE {UNSEEN} ORDER BY xact LIMIT :most
    ), told AS MATERIALIZED (
        SELECT person_id FROM notices WHERE {UNSEEN} ORDER BY xact LIMIT :most
    ), fresh AS (
        SELECT issue_id, max(seq) AS seq FROM events GROUP BY issue_id
    )
    SELECT pg_current_snapshot()::text AS seen, ARRAY(SELECT person_id FROM told) AS told,
        (SELECT count(*) FROM events) AS events, fresh.issue_id, fresh.seq,
        issues.grid_code, issues.unit_code, issues.reporter_id, issues.decides_code, issues.line,
        issues.accused_code, issues.accused_department_id, CASE WHEN accused_code IS NOT NULL
            THEN ARRAY(SELECT id FROM departments WHERE starts_with(grid_code, accused_code)) END AS accused_departments,
        (SELECT grid_code FROM departments WHERE id = issues.department_id) AS office_code,
        ARRAY(SELECT department_id FROM hops WHERE issue_id = fresh.issue_id AND department_id IS NOT NULL
            UNION ALL SELECT department_id FROM issue_parts WHERE issue_id = fresh.issue_id AND department_id IS NOT NULL
        ) AS departments,
        ARRAY(SELECT unit_code FROM issue_parts WHERE issue_id = fresh.issue_id AND unit_code IS NOT NULL) AS partners,
        CASE WHEN issues.followers > 0 THEN ARRAY(SELECT person_id FROM followers WHERE issue_id = fresh.issue_id AND left_at IS NULL)
            ELSE '{{}}' END AS followers
    FROM (SELECT 1) AS always LEFT JOIN (fresh JOIN issues ON issues.id = fresh.issue_id) ON true
    """  # noqa: S608  # Put together from constants.
)
# Both indexes end where the looks begin; a planner without statistics would read the tables instead.
BY_INDEX = sa.text("SET LOCAL enable_seqscan = off")
HERE = sa.text("SELECT pg_current_snapshot()::text")


@dataclass(frozen=True)
class Change:
    """An issue to which something happened, the number of its last event, and by what it is in somebody's sight."""

    issue_id: UUID
    seq: int
    grid_code: str
    unit_code: str | None
    reporter_id: UUID | None
    departments: frozenset[UUID]
    decides_code: str | None = None
    office_code: str | None = None
    partners: tuple[str, ...] = ()
    accused_code: str | None = None
    accused_departments: frozenset[UUID] = frozenset()
    followers: frozenset[UUID] = frozenset()
    line: str = ""

    def seen_by(self, viewer: "Viewer") -> bool:
        """The rule of issues.queries.in_sight for one issue and one person; a test holds the two together."""
        reach = viewer.reach
        if viewer.person_id in {self.reporter_id, *self.followers}:
            return True
        if reach.departments & self.accused_departments or any(c.startswith(self.accused_code or "-") for c in reach.places):
            return False  # It is about their own unit.
        if reach.departments & self.departments:
            return True
        if any(self.line == line and self.grid_code.startswith(code) for code, line in reach.lines):
            return True
        codes = (self.grid_code, self.unit_code, self.decides_code, self.office_code, *self.partners)
        return any(code is not None and reach.covers(code) for code in codes)


@dataclass(frozen=True)
class Look:
    """What one look found. `seen` is where the next one goes on; `flood`: more changed than is told singly."""

    seen: str
    changes: tuple[Change, ...] = ()
    told: frozenset[UUID] = frozenset()
    flood: bool = False

    def __bool__(self) -> bool:
        return bool(self.changes or self.told or self.flood)


@dataclass(frozen=True)
class Viewer:
    """Who waits: a person in one signed-in browser, and how far they see."""

    session_id: UUID
    person_id: UUID
    reach: Reach


@dataclass
class News:
    """What somebody is told: issues with the number of their last event, whether their inbox grew, or to look at everything."""

    issues: dict[str, int] = field(default_factory=dict)
    inbox: bool = False
    all: bool = False

    def add(self, look: Look, viewer: Viewer) -> None:
        """Add what of this look concerns the viewer."""
        self.all |= look.flood
        self.inbox |= viewer.person_id in look.told
        self.issues |= {str(change.issue_id): change.seq for change in look.changes if change.seen_by(viewer)}

    def body(self) -> dict[str, Any]:
        """As it is sent, without what is empty."""
        return {name: value for name, value in vars(self).items() if value}


def known(snapshot: str) -> bool:
    """Whether this is a snapshot that PostgreSQL would take: what comes from outside may be anything."""
    if SNAPSHOT.fullmatch(snapshot) is None:
        return False
    low, high, rest = snapshot.split(":")
    least, most = int(low), int(high)
    between = [int(n) for n in rest.split(",")] if rest else []
    inside = all(least <= n < most for n in between) and between == sorted(set(between))
    return 0 < least <= most < 2**63 and inside


def here() -> str:
    """The snapshot of this moment: looks that begin here find what is committed from now on."""
    return session.execute(HERE).scalar_one()


def look(since: str) -> Look:
    """What was committed since that snapshot. Call it in a transaction of its own, at READ COMMITTED."""
    session.execute(BY_INDEX)
    rows = session.execute(LOOK, {"since": since, "most": MOST + 1}).all()
    found = tuple(
        Change(
            row.issue_id, row.seq, row.grid_code, row.unit_code, row.reporter_id, frozenset(row.departments),
            row.decides_code, row.office_code, tuple(row.partners), row.accused_code,
            frozenset([*(row.accused_departments or ()), *filter(None, [row.accused_department_id])]),
            frozenset(row.followers or ()), row.line,
        )
        for row in rows
        if row.issue_id is not None
    )
    first = rows[0]
    return Look(first.seen, found, frozenset(first.told), flood=max(first.events, len(first.told)) > MOST)


def viewers(hashes: Collection[bytes]) -> dict[bytes, Viewer]:
    """Whoever is signed in with these tokens (by hash) now. Two queries, whatever their number."""
    query = sa.select(SignInSession.token_hash, SignInSession.id, SignInSession.person_id)
    query = query.join(Person, Person.id == SignInSession.person_id)
    rows = session.execute(
        query.where(SignInSession.token_hash.in_(hashes), people.lasting(), people.enabled())
    ).all()
    reaches = people.reaches({row.person_id for row in rows})
    return {
        row.token_hash: Viewer(row.id, row.person_id, reaches[row.person_id])
        for row in rows
        if row.person_id in reaches
    }


def news(looks: Iterable[Look], viewer: Viewer) -> News:
    """What of these looks concerns the viewer."""
    found = News()
    for one in looks:
        found.add(one, viewer)
    return found
