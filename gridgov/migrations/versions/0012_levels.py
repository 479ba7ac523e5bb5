"""Levels finer than the micro grid: workflows/levels.yaml may add them, so the table no longer knows them all by name."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

FOUR = {
    "level_known": "level IN ('city', 'township', 'village', 'micro')",
    "code_has_length_of_level": "length(code) = CASE level WHEN 'city' THEN 6 WHEN 'township' THEN 9 WHEN 'village' THEN 12"
    " ELSE 15 END",
    "parent_is_prefix": "CASE level WHEN 'city' THEN parent_code IS NULL"
    " WHEN 'township' THEN parent_code IS NOT NULL AND parent_code = substr(code, 1, 6)"
    " WHEN 'village' THEN parent_code IS NOT NULL AND parent_code = substr(code, 1, 9)"
    " ELSE parent_code IS NOT NULL AND parent_code = substr(code, 1, 12) END",
}
MORE = {
    "length_fits_level": "length(code) = CASE level WHEN 'city' THEN 6 WHEN 'township' THEN 9 WHEN 'village' THEN 12"
    " WHEN 'micro' THEN 15 ELSE greatest(length(code), 16) END",
    "parent_begins_code": "CASE level WHEN 'city' THEN parent_code IS NULL"
    " WHEN 'township' THEN parent_code IS NOT NULL AND parent_code = substr(code, 1, 6)"
    " WHEN 'village' THEN parent_code IS NOT NULL AND parent_code = substr(code, 1, 9)"
    " WHEN 'micro' THEN parent_code IS NOT NULL AND parent_code = substr(code, 1, 12)"
    " ELSE parent_code IS NOT NULL AND length(parent_code) >= 15 AND length(parent_code) < length(code)"
    " AND parent_code = left(code, length(parent_code)) END",
}
HELD = """
CASE role
    WHEN 'department' THEN department_id IS NOT NULL AND grid_code IS NULL
    ELSE department_id IS NULL AND grid_code IS NOT NULL AND length(grid_code) = ANY (CASE role
        WHEN 'resident' THEN ARRAY[12, 15]
        WHEN 'worker' THEN ARRAY[12, 15]
        WHEN 'micro_chief' THEN ARRAY[15]
        WHEN 'village_chief' THEN ARRAY[12]
        WHEN 'township_chief' THEN ARRAY[9]
        WHEN 'township_office' THEN ARRAY[9]
        WHEN 'store_clerk' THEN ARRAY[9, 12]
        ELSE ARRAY[6]
    END)
END
"""
HELD_FINER = """
CASE role
    WHEN 'department' THEN department_id IS NOT NULL AND grid_code IS NULL
    ELSE department_id IS NULL AND grid_code IS NOT NULL AND CASE role
        WHEN 'resident' THEN length(grid_code) >= 12
        WHEN 'worker' THEN length(grid_code) >= 12
        WHEN 'micro_chief' THEN length(grid_code) >= 15
        WHEN 'village_chief' THEN length(grid_code) = 12
        WHEN 'township_chief' THEN length(grid_code) = 9
        WHEN 'township_office' THEN length(grid_code) = 9
        WHEN 'store_clerk' THEN length(grid_code) IN (9, 12)
        ELSE length(grid_code) = 6
    END
END
"""


def upgrade() -> None:
    _swap("grids", FOUR, MORE)
    _swap("posts", {"role_fits_place": HELD}, {"role_fits_grid": HELD_FINER})
    op.alter_column("grids", "level", type_=sa.String(20))


def downgrade() -> None:
    # Refused by the constraints while there are grids or posts of a finer level: they would be lost.
    _swap("posts", {"role_fits_grid": HELD_FINER}, {"role_fits_place": HELD})
    op.alter_column("grids", "level", type_=sa.String(8))
    _swap("grids", MORE, FOUR)


def _swap(table: str, old: dict[str, str], new: dict[str, str]) -> None:
    for name in old:
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table)
    for name, rule in new.items():
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, rule)
