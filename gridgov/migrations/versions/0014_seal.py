"""Sealed reporters: each look at an identity on record; reports about somebody; reports without a name, with a code.

Going down again is refused by the database while there are reports or photos that belong to nobody, or reports about somebody.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None
REFUSED = """
DO $$ BEGIN
    IF EXISTS (SELECT 1 FROM issues WHERE num_nonnulls(accused_code, accused_department_id) > 0) THEN
        RAISE EXCEPTION 'issues are about a unit or its people: an older version knows nothing of that'
            USING ERRCODE = 'restrict_violation';
    END IF;
END $$
"""

TZ = sa.DateTime(timezone=True)
CHECKS = {
    "one_reporter": "(reporter_id IS NULL) <> (follow_up_hash IS NULL)",
    "one_accused": "accused_code IS NULL OR accused_department_id IS NULL",
    "must_be_sealed": "confidential OR (accused_code IS NULL AND accused_department_id IS NULL AND reporter_id IS NOT NULL)",
    "accused_has_above": "length(accused_code) > 6",
    "never_with_accused": "left(unit_code, length(accused_code)) <> accused_code"
    " AND left(decides_code, length(accused_code)) <> accused_code AND department_id <> accused_department_id",
}
GUARD = """
CREATE FUNCTION issue_not_with_accused() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM departments WHERE id = NEW.department_id
            AND left(grid_code, length(NEW.accused_code)) = NEW.accused_code) THEN
        RAISE EXCEPTION 'issue % is about whom it would go to', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.add_column("issues", sa.Column("accused_code", sa.Text, sa.ForeignKey("grids.code")))
    op.add_column("issues", sa.Column("accused_department_id", sa.Uuid, sa.ForeignKey("departments.id")))
    op.add_column("issues", sa.Column("follow_up_hash", sa.LargeBinary))
    op.alter_column("issues", "reporter_id", nullable=True)
    for name, text in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_issues_{name}"), "issues", text)
    op.create_index(
        "uq_issues_follow_up_hash", "issues", ["follow_up_hash"], unique=True,
        postgresql_where=sa.text("follow_up_hash IS NOT NULL"),
    )  # fmt: skip
    _place_index(["due_at", "warn_at", "state", "generation", "accused_code", "accused_department_id"])
    # What a CHECK cannot see: where a department belongs to. Of all other issues it asks nothing.
    op.execute(GUARD)
    op.execute(
        "CREATE TRIGGER not_with_accused BEFORE INSERT OR UPDATE ON issues FOR EACH ROW"
        " WHEN (NEW.accused_code IS NOT NULL AND NEW.department_id IS NOT NULL) EXECUTE FUNCTION issue_not_with_accused()"
    )
    op.alter_column("photos", "owner_id", nullable=True)
    _looks()
    op.create_table(
        "code_guards",
        sa.Column("address", sa.LargeBinary, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failed_at", TZ),
        sa.Column("locked_until", TZ),
    )


def _place_index(include: list[str]) -> None:
    """The desk counts from this index alone, so it holds what tells an issue that is out of sight."""
    op.drop_index("ix_issues_open_place", "issues")
    op.create_index(
        "ix_issues_open_place", "issues", ["grid_code"], postgresql_ops={"grid_code": "text_pattern_ops"},
        postgresql_include=include, postgresql_where=sa.text("ended_at IS NULL"),
    )  # fmt: skip


def _looks() -> None:
    op.create_table(
        "identity_looks",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("issue_id", sa.Uuid, sa.ForeignKey("issues.id"), nullable=False),
        sa.Column("person_id", sa.Uuid, sa.ForeignKey("persons.id"), nullable=False),
        sa.Column("role", sa.String(30), nullable=False),
        sa.Column("unit_code", sa.Text, sa.ForeignKey("grids.code")),
        sa.Column("department_id", sa.Uuid, sa.ForeignKey("departments.id")),
        sa.Column("purpose", sa.String(10), nullable=False),
        sa.Column("words", sa.String(300), nullable=False),
        sa.Column("at", TZ, nullable=False),
        sa.CheckConstraint("(unit_code IS NULL) <> (department_id IS NULL)", name=op.f("ck_identity_looks_one_unit")),
        sa.CheckConstraint(
            "purpose IN ('verify', 'feedback', 'protect', 'other')", name=op.f("ck_identity_looks_purpose_known")
        ),
        sa.CheckConstraint("btrim(words) <> ''", name=op.f("ck_identity_looks_has_words")),
    )
    op.create_index("ix_identity_looks_issue_id", "identity_looks", ["issue_id", "id"])
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON identity_looks FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON identity_looks FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    op.execute(REFUSED)
    op.alter_column("issues", "reporter_id", nullable=False)
    op.alter_column("photos", "owner_id", nullable=False)
    op.drop_table("code_guards")
    op.drop_table("identity_looks")
    op.execute("DROP TRIGGER not_with_accused ON issues")
    op.execute("DROP FUNCTION issue_not_with_accused()")
    _place_index(["due_at", "warn_at", "state", "generation"])
    op.drop_index("uq_issues_follow_up_hash", "issues")
    for name in CHECKS:
        op.drop_constraint(op.f(f"ck_issues_{name}"), "issues")
    for name in ("follow_up_hash", "accused_department_id", "accused_code"):
        op.drop_column("issues", name)
