"""Chiefs of a line of work (river, forest, road, farmland), and who found an issue: a resident, or a patrol."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

BEFORE = (
    "resident worker micro_chief village_chief township_chief city_chief township_office city_office department city_leader"
    " store_clerk auditor administrator"
).split()
FITS = """
CASE role
    WHEN 'department' THEN department_id IS NOT NULL AND grid_code IS NULL
    ELSE department_id IS NULL AND grid_code IS NOT NULL AND CASE role
        WHEN 'resident' THEN length(grid_code) >= 12
        WHEN 'worker' THEN length(grid_code) >= 12
        WHEN 'micro_chief' THEN length(grid_code) >= 15
        WHEN 'village_chief' THEN length(grid_code) = 12
        WHEN 'township_chief' THEN length(grid_code) = 9
        WHEN 'township_office' THEN length(grid_code) = 9
        WHEN 'store_clerk' THEN length(grid_code) IN (9, 12){more}
        ELSE length(grid_code) = 6
    END
END
"""
MORE = "\n        WHEN 'line_chief' THEN length(grid_code) IN (6, 9, 12)"


def upgrade() -> None:
    _roles([*BEFORE, "line_chief"])
    op.drop_constraint(op.f("ck_posts_role_fits_grid"), "posts")
    op.create_check_constraint(op.f("ck_posts_role_fits_level"), "posts", FITS.format(more=MORE))
    op.create_check_constraint(
        op.f("ck_posts_line_chief_has_line"), "posts", "role <> 'line_chief' OR cardinality(lines) > 0"
    )
    found = sa.Column("found_by", sa.String(8), nullable=False, server_default="resident")
    op.add_column("issues", found)
    op.create_check_constraint(
        op.f("ck_issues_found_by_known"), "issues", "found_by IN ('resident', 'patrol')"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_issues_found_by_known"), "issues")
    op.drop_column("issues", "found_by")
    op.drop_constraint(op.f("ck_posts_line_chief_has_line"), "posts")
    op.drop_constraint(op.f("ck_posts_role_fits_level"), "posts")
    op.execute("DELETE FROM posts WHERE role = 'line_chief'")
    op.create_check_constraint(op.f("ck_posts_role_fits_grid"), "posts", FITS.format(more=""))
    _roles(BEFORE)


def _roles(names: list[str]) -> None:
    op.drop_constraint(op.f("ck_posts_role_known"), "posts")
    known = ", ".join(f"'{name}'" for name in names)
    op.create_check_constraint(op.f("ck_posts_role_known"), "posts", f"role IN ({known})")
