"""Duplicates: who follows an issue, what was merged into what; further questions of a category and their answers.

Going down again is refused while an issue is merged into another.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None
REFUSED = """
DO $$ BEGIN
    IF EXISTS (SELECT 1 FROM issues WHERE state = 'merged') THEN
        RAISE EXCEPTION 'issues are merged into others: an older version knows nothing of that' USING ERRCODE = 'restrict_violation';
    END IF;
END $$
"""

# Great circles on the mean sphere of WGS-84: within six thousandths of the ellipsoid, less than 30 cm in 50 m.
METRES = """
CREATE FUNCTION metres_between(lat1 float8, lon1 float8, lat2 float8, lon2 float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT 2 * 6371008.8 * asin(least(1, sqrt(
        sin(radians(lat2 - lat1) / 2) ^ 2 + cos(radians(lat1)) * cos(radians(lat2)) * sin(radians(lon2 - lon1) / 2) ^ 2)))
$$
"""
# What a CHECK cannot see: the other row. The one who merges holds both locked.
FITS = """
CREATE FUNCTION check_merged() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE target issues%ROWTYPE;
BEGIN
    SELECT * INTO target FROM issues WHERE id = NEW.merged_into_id;
    IF target.ended_at IS NOT NULL OR left(target.grid_code, 6) <> left(NEW.grid_code, 6)
        OR target.confidential <> NEW.confidential THEN
        RAISE EXCEPTION 'issue % cannot be merged into %', NEW.number, target.number USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""
TRIGGER = """
CREATE TRIGGER issues_check_merged BEFORE UPDATE OF merged_into_id ON issues FOR EACH ROW
WHEN (NEW.merged_into_id IS NOT NULL AND NEW.merged_into_id IS DISTINCT FROM OLD.merged_into_id)
EXECUTE FUNCTION check_merged()
"""
# Categories of the seed about people: in a city that is there already they are exempt from the first day, too.
ABOUT_PEOPLE = (
    "UPDATE categories SET duplicates = false WHERE confidential OR code IN"
    " ('0101', '0102', '0103', '0104', '0401', '1004', '1005', '1006', '1007', '1008', '1201')"
)
WHOLE = "num_nulls(merged_into_id, merged_seq) IN (0, 2) AND (merged_into_id IS NULL OR ended_at IS NOT NULL)"


def upgrade() -> None:
    op.execute(METRES)
    op.add_column("categories", sa.Column("duplicates", sa.Boolean, nullable=False, server_default="true"))
    op.add_column("categories", sa.Column("questions", JSONB, nullable=False, server_default="[]"))
    op.execute(ABOUT_PEOPLE)
    op.add_column("issues", sa.Column("merged_into_id", sa.Uuid, sa.ForeignKey("issues.id")))
    op.add_column("issues", sa.Column("merged_seq", sa.Integer))
    op.add_column("issues", sa.Column("followers", sa.Integer, nullable=False, server_default="0"))
    op.add_column("issues", sa.Column("resembles", sa.Boolean, nullable=False, server_default="false"))
    op.add_column("issues", sa.Column("answers", JSONB, nullable=False, server_default="[]"))
    op.create_check_constraint(op.f("ck_issues_merged_is_whole"), "issues", WHOLE)
    op.create_check_constraint(op.f("ck_issues_not_into_itself"), "issues", "merged_into_id <> id")
    op.create_check_constraint(op.f("ck_issues_followers_not_negative"), "issues", "followers >= 0")
    op.create_index(
        "ix_issues_merged_into_id",
        "issues",
        ["merged_into_id"],
        postgresql_where=sa.text("merged_into_id IS NOT NULL"),
    )
    op.create_index(
        "ix_issues_near",
        "issues",
        ["category_code", "lat"],
        postgresql_where=sa.text("ended_at IS NULL AND lat IS NOT NULL"),
    )
    op.create_table(
        "followers",
        sa.Column("issue_id", sa.Uuid, sa.ForeignKey("issues.id"), primary_key=True),
        sa.Column("person_id", sa.Uuid, sa.ForeignKey("persons.id"), primary_key=True),
        sa.Column("how", sa.String(6), nullable=False),
        sa.Column("from_issue_id", sa.Uuid, sa.ForeignKey("issues.id")),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("how IN ('asked', 'merged')", name=op.f("ck_followers_how_known")),
        sa.CheckConstraint(
            "(how = 'merged') = (from_issue_id IS NOT NULL)", name=op.f("ck_followers_merged_from_somewhere")
        ),
        sa.CheckConstraint("left_at IS NULL OR left_at >= at", name=op.f("ck_followers_left_after")),
    )
    op.create_index("ix_followers_person_id", "followers", ["person_id", sa.text("issue_id DESC")])
    op.create_index(
        "ix_followers_from_issue_id",
        "followers",
        ["from_issue_id"],
        postgresql_where=sa.text("from_issue_id IS NOT NULL"),
    )
    op.execute(FITS)
    op.execute(TRIGGER)


def downgrade() -> None:
    op.execute(REFUSED)
    op.execute("DROP TRIGGER issues_check_merged ON issues")
    op.execute("DROP FUNCTION check_merged")
    op.drop_table("followers")
    op.drop_index("ix_issues_near", "issues")
    op.drop_index("ix_issues_merged_into_id", "issues")
    for name in ("followers_not_negative", "not_into_itself", "merged_is_whole"):
        op.drop_constraint(op.f(f"ck_issues_{name}"), "issues")
    for name in ("answers", "resembles", "followers", "merged_seq", "merged_into_id"):
        op.drop_column("issues", name)
    for name in ("questions", "duplicates"):
        op.drop_column("categories", name)
    op.execute("DROP FUNCTION metres_between")
