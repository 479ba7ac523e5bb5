"""Tables of identities: who looked at a sealed reporter and what for, and guesses at codes of anonymous reports."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import TZ, Field, Model, uuid7
from gridgov.issues.models import ONE_UNIT


class IdentityLook(Model, table=True):
    """One look at the name behind a sealed report. Append-only (a trigger's work). `unit_*` and `role`: the post that looked."""

    __tablename__ = "identity_looks"
    __table_args__ = (
        sa.CheckConstraint(ONE_UNIT, name="one_unit"),
        sa.CheckConstraint("purpose IN ('verify', 'feedback', 'protect', 'other')", name="purpose_known"),
        sa.CheckConstraint("btrim(words) <> ''", name="has_words"),
        sa.Index("ix_identity_looks_issue_id", "issue_id", "id"),
    )
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    issue_id: UUID = Field(foreign_key="issues.id")
    person_id: UUID = Field(foreign_key="persons.id")
    role: str = Field(max_length=30)
    unit_code: str | None = Field(default=None, foreign_key="grids.code", sa_type=sa.Text)
    department_id: UUID | None = Field(default=None, foreign_key="departments.id")
    purpose: str = Field(max_length=10)
    words: str = Field(max_length=300)
    at: datetime = Field(sa_type=TZ)


class CodeGuard(Model, table=True):
    """Wrong codes from one network address, kept as a keyed hash. In the database, so that losing Redis opens nothing."""

    __tablename__ = "code_guards"
    address: bytes = Field(primary_key=True, sa_type=sa.LargeBinary)
    failures: int = 0
    failed_at: datetime | None = Field(default=None, sa_type=TZ)
    locked_until: datetime | None = Field(default=None, sa_type=TZ)
