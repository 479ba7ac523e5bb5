"""Tables of mediation: a dispute's file, who is in it, what was tried, what was agreed, who signed, what came of it.

What always holds is in the database: a trigger freezes the words while people sign, and the whole file when it is over.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import JSONB, TZ, Field, Model, choice, uuid7

LIVE = "state IN ('drafting', 'signing')"


class State(StrEnum):
    """Where a file stands. `failed`: no agreement was reached; `ended`: it was given up for another reason."""

    DRAFTING = "drafting"
    SIGNING = "signing"
    CONCLUDED = "concluded"
    FAILED = "failed"
    ENDED = "ended"


class Side(StrEnum):
    """On which side a party stands."""

    APPLICANT = "applicant"
    RESPONDENT = "respondent"
    OTHER = "other"


class Outcome(StrEnum):
    """How an attempt to mediate ended."""

    AGREED = "agreed"
    NOT_AGREED = "not_agreed"
    ADJOURNED = "adjourned"


class Mark(StrEnum):
    """What somebody who was asked to sign did."""

    SIGNED = "signed"
    REFUSED = "refused"


class Mediation(Model, table=True):
    """The mediation file of a dispute. `version` counts the texts that were laid before people to sign.

    `generation` counts changes of its follow-up dates: a timer of an older one does nothing.
    """

    __tablename__ = "mediations"
    __table_args__ = (
        sa.Index("uq_mediations_live", "issue_id", unique=True, postgresql_where=sa.text(LIVE)),
        sa.Index("ix_mediations_issue_id", "issue_id"),
        sa.CheckConstraint(
            "(state IN ('concluded', 'failed', 'ended')) = (ended_at IS NOT NULL)", name="over_has_time"
        ),
        sa.CheckConstraint(
            "state NOT IN ('signing', 'concluded') OR (btrim(agreement) <> '' AND btrim(facts) <> '')",
            name="signed_has_words",
        ),
        sa.CheckConstraint(
            "state NOT IN ('failed', 'ended') OR btrim(reason) <> ''", name="given_up_has_reason"
        ),
        sa.CheckConstraint("version >= 1 AND generation >= 0", name="counts_not_negative"),
    )
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    issue_id: UUID = Field(foreign_key="issues.id")
    number: str = Field(max_length=40, unique=True)
    state: State = Field(sa_column=choice(State, name="state", nullable=False))
    facts: str = Field(default="", sa_type=sa.Text)
    agreement: str = Field(default="", sa_type=sa.Text)
    performance: str = Field(default="", sa_type=sa.Text)
    version: int = 1
    generation: int = 0
    opened_by: UUID = Field(foreign_key="persons.id")
    opened_at: datetime = Field(sa_type=TZ)
    reason: str = Field(default="", sa_type=sa.Text)
    ended_at: datetime | None = Field(default=None, sa_type=TZ)


class Party(Model, table=True):
    """Somebody in the dispute. No identity numbers: a name, a side, where from; `person_id` if they use the system."""

    __tablename__ = "mediation_parties"
    __table_args__ = (
        sa.UniqueConstraint("mediation_id", "n", name="uq_mediation_parties_n"),
        sa.CheckConstraint("btrim(name) <> ''", name="has_name"),
        sa.CheckConstraint("phone ~ '^[0-9+ -]{5,20}$'", name="phone_format"),
        sa.Index(
            "ix_mediation_parties_person_id", "person_id", postgresql_where=sa.text("person_id IS NOT NULL")
        ),
    )
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    mediation_id: UUID = Field(foreign_key="mediations.id")
    n: int
    name: str = Field(max_length=60)
    side: Side = Field(sa_column=choice(Side, name="side", nullable=False))
    phone: str | None = Field(default=None, max_length=20)
    group_name: str | None = Field(default=None, max_length=80)
    person_id: UUID | None = Field(default=None, foreign_key="persons.id")


class Mediator(Model, table=True):
    """Somebody of the system who mediates; the first opened the file."""

    __tablename__ = "mediation_mediators"
    __table_args__ = (
        sa.UniqueConstraint("mediation_id", "person_id", name="uq_mediation_mediators_once"),
        sa.Index("ix_mediation_mediators_person_id", "person_id"),
    )
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    mediation_id: UUID = Field(foreign_key="mediations.id")
    n: int
    person_id: UUID = Field(foreign_key="persons.id")


class Attempt(Model, table=True):
    """One sitting. Written once."""

    __tablename__ = "mediation_attempts"
    __table_args__ = (sa.Index("ix_mediation_attempts_mediation_id", "mediation_id"),)
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    mediation_id: UUID = Field(foreign_key="mediations.id")
    held_on: date
    place: str = Field(max_length=120)
    outcome: Outcome = Field(sa_column=choice(Outcome, name="outcome", nullable=False))
    note: str = Field(default="", sa_type=sa.Text)
    recorded_by: UUID = Field(foreign_key="persons.id")
    at: datetime = Field(sa_type=TZ)


class Paper(Model, table=True):
    """A text as it was laid before people to sign, whole and for ever, with the SHA-256 of its canonical JSON.

    Taken back when it had to be changed: by whom and why. A new version then begins, and nothing signed before counts.
    """

    __tablename__ = "mediation_papers"
    __table_args__ = (
        sa.CheckConstraint("num_nulls(voided_at, voided_by, why) IN (0, 3)", name="voided_whole"),
        sa.CheckConstraint("length(hash) = 32", name="hash_is_sha256"),
    )
    mediation_id: UUID = Field(foreign_key="mediations.id", primary_key=True)
    version: int = Field(primary_key=True)
    words: dict[str, Any] = Field(sa_type=JSONB)
    hash: bytes = Field(sa_type=sa.LargeBinary)
    at: datetime = Field(sa_type=TZ)
    voided_at: datetime | None = Field(default=None, sa_type=TZ)
    voided_by: UUID | None = Field(default=None, foreign_key="persons.id")
    why: str | None = Field(default=None, sa_type=sa.Text)


class Signature(Model, table=True):
    """What a party or mediator did when asked to sign a version: signed, or refused. Never changed.

    `image` is a small grey PNG of our own making; `hash` that of the text that stood on the screen.
    """

    __tablename__ = "mediation_signatures"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["mediation_id", "version"],
            ["mediation_papers.mediation_id", "mediation_papers.version"],
            name="fk_signatures_paper",
        ),
        sa.CheckConstraint("num_nonnulls(party_id, mediator_id) = 1", name="one_signer"),
        sa.CheckConstraint("(mark = 'signed') = (image IS NOT NULL)", name="signed_has_image"),
        sa.CheckConstraint("mark = 'signed' OR btrim(note) <> ''", name="refusal_has_reason"),
        sa.Index(
            "uq_signatures_party",
            "party_id",
            "version",
            unique=True,
            postgresql_where=sa.text("party_id IS NOT NULL"),
        ),
        sa.Index(
            "uq_signatures_mediator",
            "mediator_id",
            "version",
            unique=True,
            postgresql_where=sa.text("mediator_id IS NOT NULL"),
        ),
    )
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    mediation_id: UUID = Field(index=True)
    version: int
    party_id: UUID | None = Field(default=None)
    mediator_id: UUID | None = Field(default=None)
    name: str = Field(max_length=60)
    mark: Mark = Field(sa_column=choice(Mark, name="mark", nullable=False))
    image: bytes | None = Field(default=None, sa_type=sa.LargeBinary)
    hash: bytes = Field(sa_type=sa.LargeBinary)
    note: str = Field(default="", sa_type=sa.Text)
    recorded_by: UUID = Field(foreign_key="persons.id")
    at: datetime = Field(sa_type=TZ)


class FollowUp(Model, table=True):
    """A date on which somebody looks whether the agreement is kept, and what was found. Found once, it stays."""

    __tablename__ = "mediation_follow_ups"
    __table_args__ = (
        sa.CheckConstraint("num_nulls(found, done_at, done_by) IN (0, 3)", name="done_whole"),
        sa.UniqueConstraint("mediation_id", "due_on", name="uq_mediation_follow_ups_day"),
    )
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    mediation_id: UUID = Field(foreign_key="mediations.id")
    due_on: date
    found: str | None = Field(default=None, sa_type=sa.Text)
    kept: bool | None = None
    done_by: UUID | None = Field(default=None, foreign_key="persons.id")
    done_at: datetime | None = Field(default=None, sa_type=TZ)
