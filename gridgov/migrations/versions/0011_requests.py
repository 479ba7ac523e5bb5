"""What a handler asks of the level above; clocks beside the state; supervision and instructions."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("issues", sa.Column("asked_kind", sa.String(12)))
    op.add_column("issues", sa.Column("asked_seq", sa.Integer))
    op.add_column("issues", sa.Column("decides_code", sa.Text, sa.ForeignKey("grids.code")))
    op.add_column("issues", sa.Column("clocks", sa.ARRAY(sa.Text), nullable=False, server_default="{}"))
    op.add_column("issues", sa.Column("supervisor_id", sa.Uuid, sa.ForeignKey("persons.id")))
    op.add_column("issues", sa.Column("instructor_id", sa.Uuid, sa.ForeignKey("persons.id")))
    op.create_index(
        "ix_issues_supervised", "issues", ["id"], postgresql_where=sa.text("supervisor_id IS NOT NULL AND ended_at IS NULL")
    )
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
    op.drop_index("ix_issues_supervised", "issues")
    for name in ("instructor_id", "supervisor_id", "clocks", "decides_code", "asked_seq", "asked_kind"):
        op.drop_column("issues", name)
