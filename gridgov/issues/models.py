"""Tables of issues. An issue is answered for by exactly one unit at any time: one grid, or one department.

`issue_events` is append-only and hash-chained per issue; `hops` says which unit had it from when to when.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import JSONB, TZ, Field, Model, uuid7

ONE_UNIT = "(unit_code IS NULL) <> (department_id IS NULL)"


class Category(Model, table=True):
    """What an issue can be about, in two levels; seeded from workflows/categories.yaml, then the city's own data.

    `duplicates`: whether what lies near by is offered as the same. `questions`: what a report is asked besides.
    """

    __tablename__ = "categories"
    __table_args__ = (
        sa.CheckConstraint("code ~ '^[0-9]{2}([0-9]{2})?$'", name="code_format"),
        sa.CheckConstraint(
            "CASE WHEN length(code) = 2 THEN parent_code IS NULL AND grade IS NULL"
            " ELSE parent_code IS NOT NULL AND parent_code = left(code, 2) AND grade IS NOT NULL END",
            name="two_levels",
        ),
        sa.CheckConstraint("grade IN ('A', 'B', 'C')", name="grade_known"),
    )
    code: str = Field(primary_key=True, max_length=4)
    parent_code: str | None = Field(default=None, foreign_key="categories.code")
    name: str = Field(max_length=60)
    name_en: str = Field(max_length=80)
    line: str = Field(max_length=20)
    grade: str | None = Field(default=None, max_length=1)
    department_code: str | None = Field(default=None, max_length=40)
    photos_required: bool = False
    confidential: bool = False
    duplicates: bool = Field(default=True, sa_column_kwargs={"server_default": "true"})
    questions: list[dict[str, Any]] = Field(
        default_factory=list, sa_type=JSONB, sa_column_kwargs={"server_default": "[]"}
    )
    mediation: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})
    closed_at: datetime | None = Field(default=None, sa_type=TZ)


class Issue(Model, table=True):
    """One problem, from report to archive. `grid_code` is where it is; `unit_code` or `department_id` who answers for it.

    `generation` counts moves: a timer of an older one does nothing. `last_seq` is the number of its last event.
    `due_at` and `warn_at` belong to the present state. `asked_kind` is what its handler asks for (extension, suspension) with
    event `asked_seq`, and the office of `decides_code` decides. `clocks` names the deadlines that run beside the state's.
    `supervisor_id` has it under supervision; `instructor_id` waits for an answer.
    `parts` counts the parts ever given to other units (part_models.py), `parts_open` those not settled. `complex`: a department
    has the longer limit. `appeal` is what became of the reporter's appeal against "not accepted", if there was one.
    `on_time`, `solved` and `satisfaction` (1 to 5) are three separate results.
    Without a reporter it is anonymous, and `follow_up_hash` tells the code that follows it. `accused_*` is whom it is about:
    that unit never has it, and its people do not see it (gridgov/issues/accused.py).
    `merged_into_id` is the issue it was merged into, by event `merged_seq`. `followers` counts those who follow it now besides
    its reporter, `merged_in` the issues that are merged into it. `resembles`: another was open near by when it came in.
    `answers` are those to its category's questions.
    """

    __tablename__ = "issues"
    __table_args__ = (
        sa.CheckConstraint(ONE_UNIT, name="one_unit"),
        sa.CheckConstraint("grade IN ('A', 'B', 'C')", name="grade_known"),
        sa.CheckConstraint("btrim(text) <> ''", name="has_words"),
        sa.CheckConstraint("(lat IS NULL) = (lon IS NULL)", name="place_is_whole"),
        sa.CheckConstraint("satisfaction BETWEEN 1 AND 5", name="satisfaction_scale"),
        sa.CheckConstraint(
            "verifier_id IS NULL OR handler_id IS NULL OR verifier_id <> handler_id",
            name="verifier_is_not_handler",
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (due_at IS NOT NULL)", name="open_has_deadline"),
        sa.CheckConstraint(
            "rework_count >= 0 AND generation >= 0 AND hop_n >= 1", name="counts_not_negative"
        ),
        sa.CheckConstraint(
            "num_nulls(asked_kind, asked_seq, decides_code) IN (0, 3) AND (asked_kind IS NULL OR ended_at IS NULL)",
            name="request_is_whole",
        ),
        sa.CheckConstraint("found_by IN ('resident', 'patrol')", name="found_by_known"),
        sa.CheckConstraint("asked_kind IN ('extension', 'suspension')", name="asked_kind_known"),
        sa.CheckConstraint("parts >= parts_open AND parts_open >= 0 AND reopen_count >= 0", name="parts_counted"),
        sa.CheckConstraint("ended_at IS NULL OR parts_open = 0", name="ended_without_parts"),
        sa.CheckConstraint("appeal IN ('open', 'upheld', 'admitted')", name="appeal_known"),
        sa.CheckConstraint("(reporter_id IS NULL) <> (follow_up_hash IS NULL)", name="one_reporter"),
        sa.CheckConstraint("accused_code IS NULL OR accused_department_id IS NULL", name="one_accused"),
        sa.CheckConstraint(
            "confidential OR (accused_code IS NULL AND accused_department_id IS NULL AND reporter_id IS NOT NULL)",
            name="must_be_sealed",
        ),
        sa.CheckConstraint("length(accused_code) > 6", name="accused_has_above"),
        sa.CheckConstraint(
            "left(unit_code, length(accused_code)) <> accused_code AND left(decides_code, length(accused_code)) <> accused_code"
            " AND department_id <> accused_department_id",
            name="never_with_accused",
        ),
        sa.Index(
            "uq_issues_follow_up_hash", "follow_up_hash", unique=True, postgresql_where=sa.text("follow_up_hash IS NOT NULL")
        ),
        sa.CheckConstraint(
            "num_nulls(merged_into_id, merged_seq) IN (0, 2) AND (merged_into_id IS NULL OR ended_at IS NOT NULL)",
            name="merged_is_whole",
        ),
        sa.CheckConstraint("merged_into_id <> id", name="not_into_itself"),
        sa.CheckConstraint("followers >= 0", name="followers_not_negative"),
        sa.CheckConstraint("merged_in >= 0", name="merged_in_not_negative"),
        sa.Index("ix_issues_merged_into_id", "merged_into_id", postgresql_where=sa.text("merged_into_id IS NOT NULL")),
        sa.Index("ix_issues_near", "category_code", "lat", postgresql_where=sa.text("ended_at IS NULL AND lat IS NOT NULL")),
        sa.Index("ix_issues_supervised", "id", postgresql_where=sa.text("supervisor_id IS NOT NULL AND ended_at IS NULL")),
        sa.Index("ix_issues_suspended", "id", postgresql_where=sa.text("state = 'suspended'")),
        sa.Index("ix_issues_decides", "decides_code", "due_at", postgresql_where=sa.text("decides_code IS NOT NULL")),
        sa.Index("ix_issues_unit_open", "unit_code", "due_at", postgresql_where=sa.text("ended_at IS NULL")),
        sa.Index(
            "ix_issues_department_open",
            "department_id",
            "due_at",
            postgresql_where=sa.text("ended_at IS NULL AND department_id IS NOT NULL"),
        ),
        sa.Index(
            "ix_issues_open_place",
            "grid_code",
            postgresql_ops={"grid_code": "text_pattern_ops"},
            postgresql_include=["due_at", "warn_at", "state", "generation", "accused_code", "accused_department_id"],
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
        sa.Index("ix_issues_open_due", "due_at", "id", postgresql_where=sa.text("ended_at IS NULL")),
        sa.Index("ix_issues_grid_code", "grid_code", postgresql_ops={"grid_code": "text_pattern_ops"}),
        sa.Index("ix_issues_township", sa.text("left(grid_code, 9)"), sa.text("id DESC")),
        sa.Index("ix_issues_reporter_id", "reporter_id", sa.text("id DESC")),
    )
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    number: str = Field(max_length=30, unique=True)
    grid_code: str = Field(foreign_key="grids.code", sa_type=sa.Text)
    category_code: str = Field(foreign_key="categories.code")
    line: str = Field(max_length=20)
    grade: str = Field(max_length=1)
    text: str = Field(sa_type=sa.Text)
    lat: float | None = None
    lon: float | None = None
    accuracy_m: int | None = None
    address: str | None = Field(default=None, max_length=200)
    reporter_id: UUID | None = Field(default=None, foreign_key="persons.id")
    follow_up_hash: bytes | None = Field(default=None, sa_type=sa.LargeBinary)
    confidential: bool = False
    accused_code: str | None = Field(default=None, foreign_key="grids.code", sa_type=sa.Text)
    accused_department_id: UUID | None = Field(default=None, foreign_key="departments.id")
    found_by: str = Field(default="resident", max_length=8, sa_column_kwargs={"server_default": "resident"})
    state: str = Field(max_length=30)
    unit_code: str | None = Field(default=None, foreign_key="grids.code", sa_type=sa.Text)
    department_id: UUID | None = Field(default=None, foreign_key="departments.id")
    hop_n: int = 1
    generation: int = 0
    last_seq: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    due_at: datetime | None = Field(default=None, sa_type=TZ)
    warn_at: datetime | None = Field(default=None, sa_type=TZ)
    due_provisional: bool = False
    asked_kind: str | None = Field(default=None, max_length=12)
    asked_seq: int | None = None
    decides_code: str | None = Field(default=None, foreign_key="grids.code", sa_type=sa.Text)
    clocks: list[str] = Field(
        default_factory=list, sa_type=sa.ARRAY(sa.Text), sa_column_kwargs={"server_default": "{}"}
    )
    supervisor_id: UUID | None = Field(default=None, foreign_key="persons.id")
    instructor_id: UUID | None = Field(default=None, foreign_key="persons.id")
    handler_id: UUID | None = Field(default=None, foreign_key="persons.id")
    handling_hop: int | None = None
    verifier_id: UUID | None = Field(default=None, foreign_key="persons.id")
    rework_count: int = 0
    reopen_count: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    parts: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    parts_open: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    complex: bool = Field(default=False, sa_column_kwargs={"server_default": "false"})
    appeal: str | None = Field(default=None, max_length=8)
    on_time: bool | None = None
    solved: bool | None = None
    satisfaction: int | None = None
    reported_at: datetime = Field(sa_type=TZ)
    accepted_at: datetime | None = Field(default=None, sa_type=TZ)
    resolved_at: datetime | None = Field(default=None, sa_type=TZ)
    verified_at: datetime | None = Field(default=None, sa_type=TZ)
    ended_at: datetime | None = Field(default=None, sa_type=TZ)
    merged_into_id: UUID | None = Field(default=None, foreign_key="issues.id")
    merged_seq: int | None = None
    followers: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    merged_in: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    resembles: bool = Field(default=False, sa_column_kwargs={"server_default": "false"})
    answers: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB, sa_column_kwargs={"server_default": "[]"})


class Follower(Model, table=True):
    """Somebody who is told what becomes of an issue although another reported it.

    `how`: they asked for it, or what they reported or followed (`from_issue_id`) was merged into it.
    """

    __tablename__ = "followers"
    __table_args__ = (
        sa.CheckConstraint("how IN ('asked', 'merged')", name="how_known"),
        sa.CheckConstraint("(how = 'merged') = (from_issue_id IS NOT NULL)", name="merged_from_somewhere"),
        sa.CheckConstraint("left_at IS NULL OR left_at >= at", name="left_after"),
        sa.Index("ix_followers_person_id", "person_id", sa.text("issue_id DESC")),
        sa.Index("ix_followers_from_issue_id", "from_issue_id", postgresql_where=sa.text("from_issue_id IS NOT NULL")),
    )
    issue_id: UUID = Field(foreign_key="issues.id", primary_key=True)
    person_id: UUID = Field(foreign_key="persons.id", primary_key=True)
    how: str = Field(max_length=6)
    from_issue_id: UUID | None = Field(default=None, foreign_key="issues.id")
    at: datetime = Field(sa_type=TZ)
    left_at: datetime | None = Field(default=None, sa_type=TZ)


class Hop(Model, table=True):
    """One unit's time with an issue. At most one is open (`left_at` null) per issue: the database says so."""

    __tablename__ = "hops"
    __table_args__ = (
        sa.CheckConstraint(ONE_UNIT, name="one_unit"),
        sa.CheckConstraint("left_at IS NULL OR left_at >= entered_at", name="left_after_entered"),
        sa.Index("uq_hops_open", "issue_id", unique=True, postgresql_where=sa.text("left_at IS NULL")),
        sa.Index(
            "ix_hops_department_id",
            "department_id",
            "issue_id",
            postgresql_where=sa.text("department_id IS NOT NULL"),
        ),
    )
    issue_id: UUID = Field(foreign_key="issues.id", primary_key=True)
    n: int = Field(primary_key=True)
    unit_code: str | None = Field(default=None, foreign_key="grids.code", sa_type=sa.Text)
    department_id: UUID | None = Field(default=None, foreign_key="departments.id")
    entered_at: datetime = Field(sa_type=TZ)
    entered_by: str = Field(max_length=30)
    accepted_at: datetime | None = Field(default=None, sa_type=TZ)
    left_at: datetime | None = Field(default=None, sa_type=TZ)
    left_by: str | None = Field(default=None, max_length=30)
    worked_s: int | None = Field(default=None, sa_type=sa.BigInteger)


class IssueEvent(Model, table=True):
    """One thing that happened to an issue. Written once; `hash` covers the row and the hash before it (a trigger's work).

    `actor_role` is the role the actor acted in, `reporter` or `system`. `unit_*` is who answers for it afterwards.
    `xact` is the transaction that wrote it, by which open pages learn of it (gridgov/live).
    """

    __tablename__ = "issue_events"
    __table_args__ = (
        sa.Index("ix_issue_events_actor_id", "actor_id"),
        sa.Index(
            "ix_issue_events_period", "at", "due_at", postgresql_using="brin",
            postgresql_ops={"at": "timestamptz_minmax_multi_ops", "due_at": "timestamptz_minmax_multi_ops"},
            postgresql_with={"pages_per_range": 32, "autosummarize": "true"},
        ),
        sa.Index(
            "ix_issue_events_suspensions", "issue_id", "seq",
            postgresql_where=sa.text("to_state = 'suspended' AND from_state <> 'suspended'"),
        ),
        sa.Index("ix_issue_events_xact", "xact", postgresql_where=sa.text("xact IS NOT NULL")),
    )
    issue_id: UUID = Field(foreign_key="issues.id", primary_key=True)
    seq: int = Field(primary_key=True)
    name: str = Field(max_length=30)
    from_state: str | None = Field(default=None, max_length=30)
    to_state: str = Field(max_length=30)
    actor_id: UUID | None = Field(default=None, foreign_key="persons.id")
    actor_role: str = Field(max_length=30)
    hop_n: int
    unit_code: str | None = Field(default=None, sa_type=sa.Text)
    department_id: UUID | None = None
    data: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    due_at: datetime | None = Field(default=None, sa_type=TZ)
    at: datetime = Field(sa_type=TZ)
    hash: bytes = Field(sa_column=sa.Column(sa.LargeBinary, nullable=False, server_default=sa.FetchedValue()))
    xact: int | None = Field(default=None, sa_column=sa.Column(sa.BigInteger, server_default=sa.text("pg_current_xact_id()::text::bigint")))


class IssuePhoto(Model, table=True):
    """A photo in an issue's file: of the report (`before`), of the result (`after`), or with another step (`note`)."""

    __tablename__ = "issue_photos"
    __table_args__ = (
        sa.CheckConstraint("stage IN ('before', 'after', 'note')", name="stage_known"),
        sa.Index("ix_issue_photos_photo_id", "photo_id"),
    )
    issue_id: UUID = Field(foreign_key="issues.id", primary_key=True)
    photo_id: UUID = Field(foreign_key="photos.id", primary_key=True)
    seq: int
    stage: str = Field(max_length=6)
