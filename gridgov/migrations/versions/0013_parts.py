"""Parts of an issue that assisting or joint units have; reopening, appeals, and the longer limit of a complex matter.

Going down again is refused while an issue is under appeal.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None
REFUSED = """
DO $$ BEGIN
    IF EXISTS (SELECT 1 FROM issues WHERE state = 'appealed') THEN
        RAISE EXCEPTION 'issues are under appeal: an older version knows nothing of that' USING ERRCODE = 'restrict_violation';
    END IF;
END $$
"""
CHECKS = {
    "parts_counted": "parts >= parts_open AND parts_open >= 0 AND reopen_count >= 0",
    "ended_without_parts": "ended_at IS NULL OR parts_open = 0",
    "appeal_known": "appeal IN ('open', 'upheld', 'admitted')",
}
# The rule of the CHECK verifier_is_not_handler, for those who finished a part; a CHECK cannot look into another table.
NO_DOER_VERIFIES = """
    CREATE FUNCTION no_doer_verifies() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT FROM issue_parts WHERE issue_id = NEW.id AND done_by = NEW.verifier_id) THEN
            RAISE EXCEPTION 'no_doer_verifies: whoever finished a part cannot verify the whole'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'no_doer_verifies';
        END IF;
        RETURN NEW;
    END $$
"""
OF_PART = {
    "one_unit": "(unit_code IS NULL) <> (department_id IS NULL)",
    "kind_fits": "(kind = 'joint') = (unit_code IS NOT NULL) AND kind IN ('assist', 'joint')",
    "state_known": "state IN ('open', 'done', 'declined', 'withdrawn')",
    "done_has_result": "state <> 'done' OR num_nulls(done_at, done_by, result) = 0",
    "declined_has_reason": "state <> 'declined' OR num_nulls(declined_at, reason) = 0",
}


def upgrade() -> None:
    for name in ("parts", "parts_open", "reopen_count"):
        op.add_column("issues", sa.Column(name, sa.Integer, nullable=False, server_default="0"))
    op.add_column("issues", sa.Column("complex", sa.Boolean, nullable=False, server_default="false"))
    op.add_column("issues", sa.Column("appeal", sa.String(8)))
    for name, check in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_issues_{name}"), "issues", check)
    _parts()
    op.execute(NO_DOER_VERIFIES)
    op.execute(
        "CREATE TRIGGER no_doer_verifies BEFORE INSERT OR UPDATE OF verifier_id ON issues FOR EACH ROW"
        " WHEN (NEW.verifier_id IS NOT NULL AND NEW.parts > 0) EXECUTE FUNCTION no_doer_verifies()"
    )


def _parts() -> None:
    when = sa.DateTime(timezone=True)
    op.create_table(
        "issue_parts",
        sa.Column("issue_id", sa.Uuid, sa.ForeignKey("issues.id"), primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("unit_code", sa.Text, sa.ForeignKey("grids.code")),
        sa.Column("department_id", sa.Uuid, sa.ForeignKey("departments.id")),
        sa.Column("kind", sa.String(6), nullable=False),
        sa.Column("state", sa.String(9), nullable=False),
        sa.Column("task", sa.String(500)),
        sa.Column("giver_code", sa.Text, sa.ForeignKey("grids.code"), nullable=False),
        sa.Column("opened_at", when, nullable=False),
        sa.Column("opened_by", sa.Uuid, sa.ForeignKey("persons.id"), nullable=False),
        sa.Column("due_at", when, nullable=False),
        sa.Column("due_provisional", sa.Boolean, nullable=False),
        sa.Column("late_at", when),
        sa.Column("declined_at", when),
        sa.Column("reason", sa.String(500)),
        sa.Column("done_at", when),
        sa.Column("done_by", sa.Uuid, sa.ForeignKey("persons.id")),
        sa.Column("result", sa.String(1000)),
        *(sa.CheckConstraint(check, name=op.f(f"ck_issue_parts_{name}")) for name, check in OF_PART.items()),
    )
    _indexes()


def _indexes() -> None:
    unsettled = sa.text("state IN ('open', 'declined')")
    # One live part per unit and issue; both serve the lists of what waits for a unit.
    op.create_index(
        "uq_issue_parts_unit",
        "issue_parts",
        ["unit_code", "issue_id"],
        unique=True,
        postgresql_where=unsettled,
    )
    op.create_index(
        "uq_issue_parts_department",
        "issue_parts",
        ["department_id", "issue_id"],
        unique=True,
        postgresql_where=unsettled,
    )
    op.create_index(
        "ix_issue_parts_unit", "issue_parts", ["unit_code"], postgresql_ops={"unit_code": "text_pattern_ops"},
        postgresql_where=sa.text("unit_code IS NOT NULL"),
    )  # fmt: skip
    op.create_index(
        "ix_issue_parts_department",
        "issue_parts",
        ["department_id"],
        postgresql_where=sa.text("department_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.execute(REFUSED)
    op.execute("DROP TRIGGER no_doer_verifies ON issues")
    op.execute("DROP FUNCTION no_doer_verifies()")
    op.drop_table("issue_parts")
    for name in CHECKS:
        op.drop_constraint(op.f(f"ck_issues_{name}"), "issues")
    for name in ("appeal", "complex", "reopen_count", "parts_open", "parts"):
        op.drop_column("issues", name)
