"""The table of visits. Without consent, or when it is withdrawn, the row says that a visit was made and nothing of the person."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import TZ, Field, Model, choice, uuid7

PERSONAL = ("kind", "minor", "name", "address", "consent_by", "done", "next_on", "signature")
NOTHING_PERSONAL = f"num_nonnulls({', '.join(PERSONAL)}) = 0"


class Consent(StrEnum):
    """How consent was given, or that it was not, or not any more."""

    NONE = "none"
    SPOKEN = "spoken"
    SIGNED = "signed"
    WITHDRAWN = "withdrawn"


class Giver(StrEnum):
    """Who gave it. For somebody under 14 it is the guardian."""

    SELF = "self"
    GUARDIAN = "guardian"


GIVEN = (Consent.SPOKEN, Consent.SIGNED)


class Visit(Model, table=True):
    """A visit or service. `purpose` and `kind` are of workflows/visits.yaml; `name` a name, or a group of a household."""

    __tablename__ = "visits"
    __table_args__ = (
        sa.CheckConstraint(
            f"consent IN ('spoken', 'signed') OR {NOTHING_PERSONAL}", name="nothing_without_consent"
        ),
        sa.CheckConstraint(
            "consent NOT IN ('spoken', 'signed') OR num_nulls(kind, minor, name, consent_by, done) = 0",
            name="consent_has_words",
        ),
        sa.CheckConstraint("minor IS NOT TRUE OR consent_by = 'guardian'", name="guardian_of_minor"),
        sa.CheckConstraint("(consent = 'signed') = (signature IS NOT NULL)", name="signed_has_image"),
        sa.CheckConstraint("(consent = 'withdrawn') = (withdrawn_at IS NOT NULL)", name="withdrawn_has_time"),
        sa.CheckConstraint("length(grid_code) IN (12, 15)", name="in_a_village"),
        sa.CheckConstraint("next_on > visited_on", name="next_is_later"),
        sa.Index("ix_visits_grid_code", "grid_code", postgresql_ops={"grid_code": "text_pattern_ops"}),
        sa.Index("ix_visits_visitor_id", "visitor_id", sa.text("id DESC")),
    )
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    grid_code: str = Field(foreign_key="grids.code", sa_type=sa.Text)
    visitor_id: UUID = Field(foreign_key="persons.id")
    visited_on: date
    purpose: str = Field(max_length=30)
    consent: Consent = Field(sa_column=choice(Consent, name="consent", nullable=False))
    kind: str | None = Field(default=None, max_length=30)
    minor: bool | None = None
    name: str | None = Field(default=None, max_length=60)
    address: str | None = Field(default=None, max_length=120)
    consent_by: Giver | None = Field(default=None, sa_column=choice(Giver, name="consent_by"))
    signature: bytes | None = Field(default=None, sa_type=sa.LargeBinary)
    done: str | None = Field(default=None, sa_type=sa.Text)
    next_on: date | None = None
    created_at: datetime = Field(sa_type=TZ)
    withdrawn_at: datetime | None = Field(default=None, sa_type=TZ)
