"""What a handler asks of the level above: more time, or a stopped clock."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("issues", sa.Column("asked_kind", sa.String(12)))
    op.add_column("issues", sa.Column("asked_seq", sa.Integer))
    op.add_column("issues", sa.Column("decides_code", sa.Text, sa.ForeignKey("grids.code")))
    op.create_check_constraint(
        op.f("ck_issues_request_is_whole"),
        "issues",
        "num_nulls(asked_kind, asked_seq, decides_code) IN (0, 3) AND (asked_kind IS NULL OR ended_at IS NULL)",
    )
    op.create_check_constraint(op.f("ck_issues_asked_kind_known"), "issues", "asked_kind IN ('extension', 'suspension')")
    op.create_index(
        "ix_issues_decides", "issues", ["decides_code", "due_at"], postgresql_where=sa.text("decides_code IS NOT NULL")
    )
    op.create_index("ix_issues_suspended", "issues", ["id"], postgresql_where=sa.text("state = 'suspended'"))


def downgrade() -> None:
    op.drop_index("ix_issues_suspended", "issues")
    op.drop_index("ix_issues_decides", "issues")
    for name in ("request_is_whole", "asked_kind_known"):
        op.drop_constraint(op.f(f"ck_issues_{name}"), "issues")
    for name in ("decides_code", "asked_seq", "asked_kind"):
        op.drop_column("issues", name)
