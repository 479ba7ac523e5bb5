"""Notices in the inbox, and what becomes of them outside: addresses, preferences, deliveries and every attempt."""

from datetime import datetime, time
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from gridgov.db import TZ, Field, Model, choice, uuid7


class Notice(Model, table=True):
    """Somebody is told of one event of one issue. The outbox row and the person make it unique: told twice is told once.

    `xact` is the transaction that wrote it, by which open pages learn of it (gridgov/live).
    """

    __tablename__ = "notices"
    __table_args__ = (
        sa.UniqueConstraint("outbox_id", "person_id", name="uq_notices_once"),
        sa.ForeignKeyConstraint(
            ["issue_id", "seq"], ["issue_events.issue_id", "issue_events.seq"], name="fk_notices_event"
        ),
        sa.Index("ix_notices_person_id", "person_id", sa.text("id DESC")),
        sa.Index("ix_notices_unread", "person_id", postgresql_where=sa.text("read_at IS NULL")),
        sa.Index("ix_notices_xact", "xact", postgresql_where=sa.text("xact IS NOT NULL")),
    )
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    outbox_id: UUID
    person_id: UUID = Field(foreign_key="persons.id")
    issue_id: UUID = Field(foreign_key="issues.id")
    seq: int
    audience: str = Field(max_length=20)
    created_at: datetime = Field(sa_type=TZ)
    read_at: datetime | None = Field(default=None, sa_type=TZ)
    xact: int | None = Field(default=None, sa_column=sa.Column(sa.BigInteger, server_default=sa.text("pg_current_xact_id()::text::bigint")))


class Channel(StrEnum):
    """Ways out of the house. `mail` and `sms` reach one person, the others the group of a unit, or its program."""

    MAIL = "mail"
    SMS = "sms"
    WECOM = "wecom"
    DINGTALK = "dingtalk"
    FEISHU = "feishu"
    WEBHOOK = "webhook"


class Urgency(StrEnum):
    """How soon something leaves the house: once a day, not at night, at once."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class State(StrEnum):
    """Where a delivery stands. `held`: until `due_at`, or, without one, until its address works again."""

    WAITING = "waiting"
    HELD = "held"
    SENDING = "sending"
    FAILED = "failed"
    SENT = "sent"
    DEAD = "dead"
    VOID = "void"


PERSONAL = (Channel.MAIL, Channel.SMS)
GROUP = (Channel.WECOM, Channel.DINGTALK, Channel.FEISHU, Channel.WEBHOOK)


class Address(Model, table=True):
    """Where messages go outside: a person's, or that of a grid's or department's group. Exactly one of the three owns it.

    `target` is sealed (gridgov/notices/sealing.py); a text message goes to the person's own number and has none.
    `hint` is what may be shown of it. `least` is the urgency from which a group is told. After MAX_DEAD messages in a row
    that could not be brought it is bad since then, and left alone until somebody says that it works again.
    `queued_until` is the lease of whoever sends to it, and the pause that a provider asks for.
    """

    __tablename__ = "addresses"
    __table_args__ = (
        sa.CheckConstraint("num_nonnulls(person_id, unit_code, department_id) = 1", name="one_owner"),
        sa.CheckConstraint("(person_id IS NOT NULL) = (channel IN ('mail', 'sms'))", name="channel_fits_owner"),
        sa.CheckConstraint("removed_at IS NOT NULL OR (target IS NULL) = (channel = 'sms')", name="has_target"),
        sa.CheckConstraint("removed_at IS NULL OR (target IS NULL AND code IS NULL)", name="removed_is_forgotten"),
        sa.CheckConstraint("failures >= 0", name="failures_not_negative"),
        sa.Index(
            "uq_addresses_live", "person_id", "unit_code", "department_id", "channel", "fingerprint", unique=True,
            postgresql_nulls_not_distinct=True, postgresql_where=sa.text("removed_at IS NULL"),
        ),
        sa.Index("ix_addresses_unit_code", "unit_code", postgresql_where=sa.text("unit_code IS NOT NULL")),
        sa.Index("ix_addresses_department_id", "department_id", postgresql_where=sa.text("department_id IS NOT NULL")),
        sa.Index("ix_addresses_bad", "id", postgresql_where=sa.text("bad_since IS NOT NULL AND removed_at IS NULL")),
    )  # fmt: skip
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    person_id: UUID | None = Field(default=None, foreign_key="persons.id")
    unit_code: str | None = Field(default=None, foreign_key="grids.code", sa_type=sa.Text)
    department_id: UUID | None = Field(default=None, foreign_key="departments.id")
    channel: Channel = Field(sa_column=choice(Channel, name="channel", nullable=False))
    target: bytes | None = Field(default=None, sa_type=sa.LargeBinary)
    fingerprint: bytes = Field(sa_type=sa.LargeBinary)
    hint: str = Field(default="", max_length=60)
    least: Urgency = Field(sa_column=choice(Urgency, name="least", nullable=False))
    created_at: datetime = Field(sa_type=TZ)
    verified_at: datetime | None = Field(default=None, sa_type=TZ)
    code: bytes | None = Field(default=None, sa_type=sa.LargeBinary)
    code_until: datetime | None = Field(default=None, sa_type=TZ)
    failures: int = 0
    bad_since: datetime | None = Field(default=None, sa_type=TZ)
    error: str | None = Field(default=None, max_length=200)
    queued_until: datetime | None = Field(default=None, sa_type=TZ)
    removed_at: datetime | None = Field(default=None, sa_type=TZ)


class Preference(Model, table=True):
    """How somebody wants to be told outside the house: channels by urgency, hours of rest (Asia/Shanghai), daily digest.

    No row: as the defaults say. Equal ends of `quiet_*` mean no hours of rest.
    """

    __tablename__ = "preferences"
    __table_args__ = (
        sa.CheckConstraint("high <@ ARRAY['mail', 'sms']", name="high_known"),
        sa.CheckConstraint("normal <@ ARRAY['mail', 'sms']", name="normal_known"),
        sa.CheckConstraint("low <@ ARRAY['mail', 'sms']", name="low_known"),
        sa.CheckConstraint("digest_hour BETWEEN 0 AND 23", name="hour_of_day"),
    )
    person_id: UUID = Field(foreign_key="persons.id", primary_key=True)
    high: list[str] = Field(default_factory=lambda: ["mail", "sms"], sa_type=ARRAY(sa.Text))
    normal: list[str] = Field(default_factory=lambda: ["mail"], sa_type=ARRAY(sa.Text))
    low: list[str] = Field(default_factory=lambda: ["mail"], sa_type=ARRAY(sa.Text))
    quiet_from: time = time(21)
    quiet_until: time = time(7)
    digest: bool = True
    digest_hour: int = 8


class Delivery(Model, table=True):
    """One thing to be brought to one address. The outbox row and the address make an event's unique: recorded once.

    `due_at` is the next look (null: none); while `sending` it is the lease. Deliveries sent in one message share
    `message_id`, which a webhook gets as its idempotency key. `attempts` counts calls, `most` how many there may be.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        sa.UniqueConstraint("outbox_id", "address_id", name="uq_deliveries_once"),
        sa.ForeignKeyConstraint(["issue_id", "seq"], ["issue_events.issue_id", "issue_events.seq"], name="fk_deliveries_event"),
        sa.CheckConstraint("kind IN ('event', 'test', 'code')", name="kind_known"),
        sa.CheckConstraint("(kind = 'event') = (outbox_id IS NOT NULL AND issue_id IS NOT NULL)", name="event_has_source"),
        sa.CheckConstraint(
            "CASE WHEN state IN ('waiting', 'sending', 'failed') THEN due_at IS NOT NULL"
            " WHEN state IN ('sent', 'dead', 'void') THEN due_at IS NULL ELSE true END",
            name="due_while_open",
        ),
        sa.CheckConstraint("attempts BETWEEN 0 AND most", name="attempts_in_bounds"),
        sa.Index("ix_deliveries_due", "due_at", "address_id", postgresql_where=sa.text("due_at IS NOT NULL")),
        sa.Index("ix_deliveries_address_id", "address_id", sa.text("id DESC")),
        sa.Index(
            "ix_deliveries_troubled", sa.text("id DESC"), postgresql_where=sa.text("state IN ('failed', 'held', 'dead')")
        ),
    )  # fmt: skip
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    address_id: UUID = Field(foreign_key="addresses.id")
    kind: str = Field(default="event", max_length=5)
    outbox_id: UUID | None = None
    notice_id: UUID | None = Field(default=None, foreign_key="notices.id")
    issue_id: UUID | None = Field(default=None, foreign_key="issues.id")
    seq: int | None = None
    audience: str = Field(default="", max_length=20)
    urgency: Urgency = Field(sa_column=choice(Urgency, name="urgency", nullable=False))
    state: State = Field(sa_column=choice(State, name="state", nullable=False))
    due_at: datetime | None = Field(default=None, sa_type=TZ)
    attempts: int = 0
    most: int = 6
    message_id: UUID | None = None
    answer: str | None = Field(default=None, max_length=100)
    error: str | None = Field(default=None, max_length=200)
    created_at: datetime = Field(sa_type=TZ)
    ended_at: datetime | None = Field(default=None, sa_type=TZ)


class DeliveryAttempt(Model, table=True):
    """What happened in the n-th call of a delivery: it began, it was sent, it failed, or nobody knows (`lost`). Append-only."""

    __tablename__ = "delivery_attempts"
    __table_args__ = (sa.CheckConstraint("what IN ('begun', 'sent', 'failed', 'lost')", name="what_known"),)
    delivery_id: UUID = Field(foreign_key="deliveries.id", primary_key=True)
    n: int = Field(primary_key=True)
    what: str = Field(primary_key=True, max_length=6)
    message_id: UUID
    at: datetime = Field(sa_type=TZ)
    answer: str | None = Field(default=None, max_length=100)
    error: str | None = Field(default=None, max_length=200)
