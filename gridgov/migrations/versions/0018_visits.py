"""Visits and services to households in need: purpose, consent, and nothing of a person without it."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

TZ = sa.DateTime(timezone=True)
NOTHING = "num_nonnulls(kind, minor, name, address, consent_by, done, next_on, signature) = 0"
# A row is written once; the one change is that consent is withdrawn, and what is blank then stays blank.
GUARD = """
CREATE FUNCTION guard_visit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.consent NOT IN ('spoken', 'signed') OR NEW.consent <> 'withdrawn'
       OR (NEW.id, NEW.grid_code, NEW.visitor_id, NEW.visited_on, NEW.purpose, NEW.created_at)
          IS DISTINCT FROM (OLD.id, OLD.grid_code, OLD.visitor_id, OLD.visited_on, OLD.purpose, OLD.created_at) THEN
        RAISE EXCEPTION 'a visit is written once; only consent can be withdrawn' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "visits",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("grid_code", sa.Text, sa.ForeignKey("grids.code"), nullable=False),
        sa.Column("visitor_id", sa.Uuid, sa.ForeignKey("persons.id"), nullable=False),
        sa.Column("visited_on", sa.Date, nullable=False),
        sa.Column("purpose", sa.String(30), nullable=False),
        sa.Column("consent", sa.String(9), nullable=False),
        sa.Column("kind", sa.String(30)),
        sa.Column("minor", sa.Boolean),
        sa.Column("name", sa.String(60)),
        sa.Column("address", sa.String(120)),
        sa.Column("consent_by", sa.String(8)),
        sa.Column("signature", sa.LargeBinary),
        sa.Column("done", sa.Text),
        sa.Column("next_on", sa.Date),
        sa.Column("created_at", TZ, nullable=False),
        sa.Column("withdrawn_at", TZ),
        sa.CheckConstraint("consent IN ('none', 'spoken', 'signed', 'withdrawn')", name="consent_known"),
        sa.CheckConstraint("consent_by IN ('self', 'guardian')", name="consent_by_known"),
        sa.CheckConstraint(f"consent IN ('spoken', 'signed') OR {NOTHING}", name="nothing_without_consent"),
        sa.CheckConstraint(
            "consent NOT IN ('spoken', 'signed') OR num_nulls(kind, minor, name, consent_by, done) = 0",
            name="consent_has_words",
        ),
        sa.CheckConstraint("minor IS NOT TRUE OR consent_by = 'guardian'", name="guardian_of_minor"),
        sa.CheckConstraint("(consent = 'signed') = (signature IS NOT NULL)", name="signed_has_image"),
        sa.CheckConstraint("(consent = 'withdrawn') = (withdrawn_at IS NOT NULL)", name="withdrawn_has_time"),
        sa.CheckConstraint("length(grid_code) IN (12, 15)", name="in_a_village"),
        sa.CheckConstraint("next_on > visited_on", name="next_is_later"),
    )
    op.create_index(
        "ix_visits_grid_code", "visits", ["grid_code"], postgresql_ops={"grid_code": "text_pattern_ops"}
    )
    op.create_index("ix_visits_visitor_id", "visits", ["visitor_id", sa.text("id DESC")])
    op.execute(GUARD)
    op.execute(
        "CREATE TRIGGER guard BEFORE UPDATE OR DELETE ON visits FOR EACH ROW EXECUTE FUNCTION guard_visit()"
    )


def downgrade() -> None:
    op.drop_table("visits")
    op.execute("DROP FUNCTION guard_visit()")
