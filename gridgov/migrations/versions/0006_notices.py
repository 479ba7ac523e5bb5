"""Notices: who was told of which event."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TZ = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("outbox_id", sa.Uuid, nullable=False),
        sa.Column("person_id", sa.Uuid, sa.ForeignKey("persons.id"), nullable=False),
        sa.Column("issue_id", sa.Uuid, sa.ForeignKey("issues.id"), nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("audience", sa.String(20), nullable=False),
        sa.Column("created_at", TZ, nullable=False),
        sa.Column("read_at", TZ),
        sa.UniqueConstraint("outbox_id", "person_id", name="uq_notices_once"),
        sa.ForeignKeyConstraint(
            ["issue_id", "seq"], ["issue_events.issue_id", "issue_events.seq"], name="fk_notices_event"
        ),
    )
    op.create_index("ix_notices_person_id", "notices", ["person_id", sa.text("id DESC")])
    op.create_index(
        "ix_notices_unread", "notices", ["person_id"], postgresql_where=sa.text("read_at IS NULL")
    )


def downgrade() -> None:
    op.drop_table("notices")
