"""What a bulletin reads of the events: those of a period, by when they happened or when they were due, and suspensions."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_issue_events_period", "issue_events", ["at", "due_at"], postgresql_using="brin",
        postgresql_ops={"at": "timestamptz_minmax_multi_ops", "due_at": "timestamptz_minmax_multi_ops"},
        postgresql_with={"pages_per_range": 32, "autosummarize": "true"},
    )  # fmt: skip
    op.create_index(
        "ix_issue_events_suspensions", "issue_events", ["issue_id", "seq"],
        postgresql_where=sa.text("to_state = 'suspended' AND from_state <> 'suspended'"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("ix_issue_events_suspensions", "issue_events")
    op.drop_index("ix_issue_events_period", "issue_events")
