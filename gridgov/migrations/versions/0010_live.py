"""What was written since a look: each event and each notice remembers the transaction that wrote it."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = ("issue_events", "notices")


def upgrade() -> None:
    for table in TABLES:
        # First without the default: rows that are there already stay as they are, whatever their number.
        op.add_column(table, sa.Column("xact", sa.BigInteger))
        op.execute(f"ALTER TABLE {table} ALTER COLUMN xact SET DEFAULT pg_current_xact_id()::text::bigint")
        op.create_index(f"ix_{table}_xact", table, ["xact"], postgresql_where=sa.text("xact IS NOT NULL"))


def downgrade() -> None:
    for table in TABLES:
        op.drop_index(f"ix_{table}_xact", table)
        op.drop_column(table, "xact")
