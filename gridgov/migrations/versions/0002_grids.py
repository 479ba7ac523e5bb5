"""The tree of grids and its audit trail."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TZ = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table("grids", *_columns(), *_rules())
    _indexes()
    _never_deleted()
    _changes()


def _columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("code", sa.Text, primary_key=True),
        sa.Column("parent_code", sa.Text, sa.ForeignKey("grids.code")),
        sa.Column("level", sa.String(8), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("short_name", sa.String(60), nullable=False),
        sa.Column("abbr", sa.String(4)),
        sa.Column("households", sa.Integer),
        sa.Column("population", sa.Integer),
        sa.Column("area_m2", sa.BigInteger),
        sa.Column("lat", sa.Float),
        sa.Column("lon", sa.Float),
        sa.Column("boundary", JSONB),
        sa.Column("min_lon", sa.Float),
        sa.Column("min_lat", sa.Float),
        sa.Column("max_lon", sa.Float),
        sa.Column("max_lat", sa.Float),
        sa.Column("boundary_approximate", sa.Boolean, nullable=False),
        sa.Column("demo", sa.Boolean, nullable=False),
        sa.Column("opened_at", TZ, nullable=False),
        sa.Column("closed_at", TZ),
    ]


def _rules() -> list[sa.CheckConstraint]:
    return [
        sa.CheckConstraint("level IN ('city', 'township', 'village', 'micro')", name="level_known"),
        sa.CheckConstraint("code ~ '^[0-9]+$'", name="code_is_digits"),
        sa.CheckConstraint(
            "length(code) = CASE level WHEN 'city' THEN 6 WHEN 'township' THEN 9 WHEN 'village' THEN 12"
            " ELSE 15 END",
            name="code_has_length_of_level",
        ),
        sa.CheckConstraint(
            "CASE level WHEN 'city' THEN parent_code IS NULL"
            " WHEN 'township' THEN parent_code IS NOT NULL AND parent_code = substr(code, 1, 6)"
            " WHEN 'village' THEN parent_code IS NOT NULL AND parent_code = substr(code, 1, 9)"
            " ELSE parent_code IS NOT NULL AND parent_code = substr(code, 1, 12) END",
            name="parent_is_prefix",
        ),
        sa.CheckConstraint("level = 'city' OR right(code, 3) <> '000'", name="serial_not_zero"),
        sa.CheckConstraint(
            "btrim(name) <> '' AND btrim(short_name) <> '' AND btrim(kind) <> ''", name="named"
        ),
        sa.CheckConstraint("abbr IS NULL OR (level = 'city' AND abbr ~ '^[A-Z]{2,4}$')", name="abbr_of_city"),
        sa.CheckConstraint(
            "coalesce(households, 0) >= 0 AND coalesce(population, 0) >= 0 AND coalesce(area_m2, 0) >= 0",
            name="counts_not_negative",
        ),
        sa.CheckConstraint(
            "(lat IS NULL) = (lon IS NULL) AND (lat IS NULL OR"
            " (lat BETWEEN -90 AND 90 AND lon BETWEEN -180 AND 180))",
            name="place_is_whole",
        ),
        sa.CheckConstraint(
            "(boundary IS NULL) = (min_lon IS NULL)"
            " AND num_nulls(min_lon, min_lat, max_lon, max_lat) IN (0, 4)"
            " AND (min_lon IS NULL OR (min_lon <= max_lon AND min_lat <= max_lat))",
            name="box_goes_with_boundary",
        ),
        sa.CheckConstraint("closed_at IS NULL OR closed_at >= opened_at", name="closed_after_opened"),
    ]


def _indexes() -> None:
    op.create_index("ix_grids_code_prefix", "grids", ["code"], postgresql_ops={"code": "text_pattern_ops"})
    op.create_index("ix_grids_parent_code", "grids", ["parent_code"])
    op.create_index(
        "uq_grids_abbr", "grids", ["abbr"], unique=True, postgresql_where=sa.text("abbr IS NOT NULL")
    )
    # A box index finds the few areas that may contain a point; the exact test is the program's.
    op.execute(
        "CREATE INDEX ix_grids_box ON grids USING gist"
        " (box(point(min_lon, min_lat), point(max_lon, max_lat)))"
        " WHERE closed_at IS NULL AND boundary IS NOT NULL"
    )


def _never_deleted() -> None:
    # Issues, posts and households name grids by code for ever, so a grid closes and is never deleted.
    op.execute(
        """
        CREATE FUNCTION refuse_grid_delete() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN
            RAISE EXCEPTION 'a grid is closed, never deleted' USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER grids_never_deleted BEFORE DELETE ON grids"
        " FOR EACH ROW EXECUTE FUNCTION refuse_grid_delete()"
    )


def _changes() -> None:
    op.create_table(
        "grid_changes",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("grid_code", sa.Text, sa.ForeignKey("grids.code"), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("was", JSONB),
        sa.Column("now", JSONB),
        sa.Column("source", sa.String(200)),
        sa.Column("actor_id", sa.Uuid),
        sa.Column("at", TZ, nullable=False),
        sa.CheckConstraint(
            "kind IN ('added', 'renamed', 'updated', 'closed', 'reopened', 'drawn')", name="kind_known"
        ),
    )
    op.create_index("ix_grid_changes_grid_code", "grid_changes", ["grid_code", "id"])
    op.execute(
        "CREATE TRIGGER grid_changes_append_only BEFORE UPDATE OR DELETE ON grid_changes"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    op.drop_table("grid_changes")
    op.drop_table("grids")
    op.execute("DROP FUNCTION refuse_grid_delete()")
