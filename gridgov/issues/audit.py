"""Proof that the record of issues is untouched: every chain of events worked out anew, in SQL and once more here.

The database's own function wrote the hashes; whoever can change rows can also change that function. So each hash is also
worked out in Python from the plain columns, and each issue is compared with where its last event left it.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import session

TRIGGERS = ("chain", "append_only", "no_truncate")
BATCH = 2_000
KEPT = 20
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EVENTS = """
    SELECT issues.number, e.issue_id, e.seq, e.name, e.from_state, e.to_state, e.actor_id, e.actor_role, e.hop_n, e.unit_code,
        e.department_id, e.data::text AS data, e.due_at, e.at, e.hash,
        issue_event_hash(e, coalesce(lag(e.hash) OVER chain, ''::bytea)) AS expected
    FROM issue_events e LEFT JOIN issues ON issues.id = e.issue_id
    WINDOW chain AS (PARTITION BY e.issue_id ORDER BY e.seq)
    ORDER BY e.issue_id, e.seq
"""
STANDS = """
    SELECT issues.id, issues.number, last.seq, issues.last_seq, last.to_state IS DISTINCT FROM issues.state AS state
    FROM issues LEFT JOIN LATERAL (
        SELECT * FROM issue_events WHERE issue_id = issues.id ORDER BY seq DESC LIMIT 1
    ) AS last ON true
    WHERE last.seq IS DISTINCT FROM issues.last_seq OR last.to_state IS DISTINCT FROM issues.state
        OR (last.unit_code, last.department_id, last.hop_n) IS DISTINCT FROM
            (issues.unit_code, issues.department_id, issues.hop_n)
    ORDER BY issues.id
"""


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was written. `seq` is null when the whole issue is meant."""

    issue_id: UUID | None
    number: str | None
    seq: int | None
    reason: str

    def __str__(self) -> str:
        where = [self.number or self.issue_id, f"event {self.seq}" if self.seq is not None else None]
        return (
            ", ".join(str(part) for part in where if part) + f": {self.reason}" if any(where) else self.reason
        )


@dataclass
class Report:
    """How much was looked at, how much of it is wrong, and the first of that."""

    issues: int = 0
    events: int = 0
    wrong: int = 0
    findings: list[Finding] = field(default_factory=list)


def verify() -> Report:
    """Look at every issue and event. Memory does not grow with their number: of what is wrong the first are kept."""
    session.execute(sa.text("SET LOCAL statement_timeout = 0"))
    report = Report(issues=session.scalar(sa.text("SELECT count(*) FROM issues")) or 0)
    for finding in chain(_triggers(), _chains(report), _standings()):
        report.wrong += 1
        if len(report.findings) < KEPT:
            report.findings.append(finding)
    return report


def own_hash(event: Any, before: bytes) -> bytes:
    """The hash of an event after the one before it, worked out without the database.

    sha256 over the hash before and the row as a JSON array, written as PostgreSQL writes jsonb: `, ` between members,
    times as microseconds since 1970. `event.data` is that member's text. Source: migration 0005, issue_event_hash.
    """
    members = [
        event.issue_id, event.seq, event.name, event.from_state, event.to_state, event.actor_id, event.actor_role,
        event.hop_n, event.unit_code, event.department_id,
    ]  # fmt: skip
    parts = [_json(m) for m in members] + [event.data, _micros(event.due_at), _micros(event.at)]
    return hashlib.sha256(before + f"[{', '.join(parts)}]".encode()).digest()


def _chains(report: Report) -> Iterator[Finding]:
    issue_id, before, seq = None, b"", 0
    for row in session.execute(sa.text(EVENTS).execution_options(yield_per=BATCH)):
        report.events += 1
        if row.issue_id != issue_id:
            issue_id, before, seq = row.issue_id, b"", 0
        stored = bytes(row.hash)
        if row.seq != seq + 1:
            yield _finding(row, f"event {seq + 1} is missing")
        elif own_hash(row, before) != stored:
            yield _finding(row, "the hash does not fit what the row says and the event before it")
        elif bytes(row.expected) != stored:
            yield _finding(row, "the database's function issue_event_hash gives another hash: it was changed")
        # From the stored hash on, so that one altered row is named once and not with every row after it.
        before, seq = stored, row.seq


def _standings() -> Iterator[Finding]:
    """Issues that do not stand where their last event left them: changed by hand, or events cut off at the end."""
    for row in session.execute(sa.text(STANDS)):
        if row.seq is None:
            reason = "it has no events"
        elif row.seq < row.last_seq:
            reason = f"event {row.seq + 1} is missing"
        elif row.state:
            reason = "it is in another state than its last event says"
        else:
            reason = "another unit has it than its last event says"
        yield Finding(row.id, row.number, row.seq, reason)


def _triggers() -> Iterable[Finding]:
    """What keeps the table append-only must be there and switched on."""
    enabled = set(
        session.scalars(
            sa.text(
                "SELECT tgname FROM pg_trigger WHERE tgrelid = 'issue_events'::regclass AND NOT tgisinternal"
                " AND tgenabled IN ('O', 'A')"
            )
        )
    )
    return [
        Finding(None, None, None, f"the trigger {name} on issue_events is missing or switched off")
        for name in TRIGGERS
        if name not in enabled
    ]


def _finding(row: Any, reason: str) -> Finding:
    return Finding(row.issue_id, row.number, row.seq, reason)


def _json(value: Any) -> str:
    return json.dumps(str(value) if isinstance(value, UUID) else value, ensure_ascii=False)


def _micros(at: datetime | None) -> str:
    return "null" if at is None else str((at - EPOCH) // timedelta(microseconds=1))
