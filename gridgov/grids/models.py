"""Tables of the grid tree. A grid is never deleted: it closes, and its code stays taken."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import JSONB, TZ, Field, Model


class Level(StrEnum):
    """The four levels, widest first: 大网格, 中网格, 小网格, 微网格. workflows/levels.yaml may add finer ones below them."""

    city = "city"
    township = "township"
    village = "village"
    micro = "micro"


LENGTH = {Level.city: 6, Level.township: 9, Level.village: 12, Level.micro: 15}
"""Digits of a code: the statistical division codes (6 + 3 + 3) and a serial of 3 for micro grids."""

# The rules of the tree are the database's own, so that no import and no hand can break them.
PARENT_RULE = (
    "CASE level WHEN 'city' THEN parent_code IS NULL"
    " WHEN 'township' THEN parent_code IS NOT NULL AND parent_code = substr(code, 1, 6)"
    " WHEN 'village' THEN parent_code IS NOT NULL AND parent_code = substr(code, 1, 9)"
    " WHEN 'micro' THEN parent_code IS NOT NULL AND parent_code = substr(code, 1, 12)"
    " ELSE parent_code IS NOT NULL AND length(parent_code) >= 15 AND length(parent_code) < length(code)"
    " AND parent_code = left(code, length(parent_code)) END"
)
LENGTH_RULE = (
    "length(code) = CASE level WHEN 'city' THEN 6 WHEN 'township' THEN 9 WHEN 'village' THEN 12"
    " WHEN 'micro' THEN 15 ELSE greatest(length(code), 16) END"
)
SERIAL_RULE = "level = 'city' OR right(code, 3) <> '000'"
BOX = "box(point(min_lon, min_lat), point(max_lon, max_lat))"
BOX_RULE = (
    "(boundary IS NULL) = (min_lon IS NULL) AND num_nulls(min_lon, min_lat, max_lon, max_lat) IN (0, 4)"
    " AND (min_lon IS NULL OR (min_lon <= max_lon AND min_lat <= max_lat))"
)
PLACE_RULE = (
    "(lat IS NULL) = (lon IS NULL) AND (lat IS NULL OR (lat BETWEEN -90 AND 90 AND lon BETWEEN -180 AND 180))"
)
LOCATABLE = sa.text("closed_at IS NULL AND boundary IS NOT NULL")


class Grid(Model, table=True):
    """An area with people answerable for it. Everything under it is one code prefix.

    `code` is cut to its level's length with its zeros kept: 430581101 is 湾头桥镇. Counts are as imported,
    null when unknown. `boundary` is a GeoJSON geometry in WGS-84, `lat` and `lon` a point inside it;
    `boundary_approximate` says that the area was derived, not surveyed. `demo` marks what the demo city made
    up. `abbr` begins the numbers people see; cities only.
    """

    __tablename__ = "grids"
    __table_args__ = (
        sa.CheckConstraint("code ~ '^[0-9]+$'", name="code_is_digits"),
        sa.CheckConstraint(LENGTH_RULE, name="length_fits_level"),
        sa.CheckConstraint(PARENT_RULE, name="parent_begins_code"),
        sa.CheckConstraint(SERIAL_RULE, name="serial_not_zero"),
        sa.CheckConstraint(
            "btrim(name) <> '' AND btrim(short_name) <> '' AND btrim(kind) <> ''", name="named"
        ),
        sa.CheckConstraint("abbr IS NULL OR (level = 'city' AND abbr ~ '^[A-Z]{2,4}$')", name="abbr_of_city"),
        sa.CheckConstraint(
            "coalesce(households, 0) >= 0 AND coalesce(population, 0) >= 0 AND coalesce(area_m2, 0) >= 0",
            name="counts_not_negative",
        ),
        sa.CheckConstraint(PLACE_RULE, name="place_is_whole"),
        sa.CheckConstraint(BOX_RULE, name="box_goes_with_boundary"),
        sa.CheckConstraint("closed_at IS NULL OR closed_at >= opened_at", name="closed_after_opened"),
        sa.Index("ix_grids_code_prefix", "code", postgresql_ops={"code": "text_pattern_ops"}),
        sa.Index("ix_grids_parent_code", "parent_code"),
        sa.Index("uq_grids_abbr", "abbr", unique=True, postgresql_where=sa.text("abbr IS NOT NULL")),
        sa.Index("ix_grids_box", sa.text(BOX), postgresql_using="gist", postgresql_where=LOCATABLE),
    )
    code: str = Field(primary_key=True, sa_type=sa.Text)
    parent_code: str | None = Field(default=None, foreign_key="grids.code", sa_type=sa.Text)
    level: str = Field(max_length=20)
    kind: str = Field(max_length=20)
    name: str = Field(max_length=60)
    short_name: str = Field(max_length=60)
    abbr: str | None = Field(default=None, max_length=4)
    households: int | None = None
    population: int | None = None
    area_m2: int | None = Field(default=None, sa_type=sa.BigInteger)
    lat: float | None = None
    lon: float | None = None
    boundary: dict[str, Any] | None = Field(default=None, sa_column=sa.Column(JSONB(none_as_null=True)))
    min_lon: float | None = None
    min_lat: float | None = None
    max_lon: float | None = None
    max_lat: float | None = None
    boundary_approximate: bool = False
    demo: bool = False
    opened_at: datetime = Field(sa_type=TZ)
    closed_at: datetime | None = Field(default=None, sa_type=TZ)


class GridChange(Model, table=True):
    """What an import did to one grid: the audit trail of the tree. Append-only.

    `was` and `now` hold the fields that changed; `source` is the file's name; `actor_id` is null for the
    command line.
    """

    __tablename__ = "grid_changes"
    __table_args__ = (
        sa.CheckConstraint(
            "kind IN ('added', 'renamed', 'updated', 'closed', 'reopened', 'drawn')", name="kind_known"
        ),
        sa.Index("ix_grid_changes_grid_code", "grid_code", "id"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=sa.BigInteger)
    grid_code: str = Field(foreign_key="grids.code", sa_type=sa.Text)
    kind: str = Field(max_length=10)
    was: dict[str, Any] | None = Field(default=None, sa_column=sa.Column(JSONB(none_as_null=True)))
    now: dict[str, Any] | None = Field(default=None, sa_column=sa.Column(JSONB(none_as_null=True)))
    source: str | None = Field(default=None, max_length=200)
    actor_id: UUID | None = None
    at: datetime = Field(sa_type=TZ)
