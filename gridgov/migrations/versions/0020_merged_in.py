"""How many issues are merged into one; a dispute that was reopened can be mediated again.

Going down again is refused by the database while an issue has a concluded mediation file and another one that lives.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None
COUNTED = (
    "UPDATE issues SET merged_in = m.n FROM (SELECT merged_into_id, count(*) AS n FROM issues"
    " WHERE merged_into_id IS NOT NULL GROUP BY merged_into_id) AS m WHERE m.merged_into_id = issues.id"
)


def upgrade() -> None:
    op.add_column("issues", sa.Column("merged_in", sa.Integer, nullable=False, server_default="0"))
    op.execute(COUNTED)
    op.create_check_constraint(op.f("ck_issues_merged_in_not_negative"), "issues", "merged_in >= 0")
    _one_live("state IN ('drafting', 'signing')")


def _one_live(which: str) -> None:
    op.drop_index("uq_mediations_live", "mediations")
    op.create_index("uq_mediations_live", "mediations", ["issue_id"], unique=True, postgresql_where=sa.text(which))


def downgrade() -> None:
    _one_live("state IN ('drafting', 'signing', 'concluded')")
    op.drop_constraint(op.f("ck_issues_merged_in_not_negative"), "issues")
    op.drop_column("issues", "merged_in")
