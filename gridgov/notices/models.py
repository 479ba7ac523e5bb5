"""The table of notices."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import TZ, Field, Model, uuid7


class Notice(Model, table=True):
    """Somebody is told of one event of one issue. The outbox row and the person make it unique: told twice is told once."""

    __tablename__ = "notices"
    __table_args__ = (
        sa.UniqueConstraint("outbox_id", "person_id", name="uq_notices_once"),
        sa.ForeignKeyConstraint(
            ["issue_id", "seq"], ["issue_events.issue_id", "issue_events.seq"], name="fk_notices_event"
        ),
        sa.Index("ix_notices_person_id", "person_id", sa.text("id DESC")),
        sa.Index("ix_notices_unread", "person_id", postgresql_where=sa.text("read_at IS NULL")),
    )
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    outbox_id: UUID
    person_id: UUID = Field(foreign_key="persons.id")
    issue_id: UUID = Field(foreign_key="issues.id")
    seq: int
    audience: str = Field(max_length=20)
    created_at: datetime = Field(sa_type=TZ)
    read_at: datetime | None = Field(default=None, sa_type=TZ)
