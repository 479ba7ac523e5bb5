"""Reads of the grid tree that everybody shares."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import defer

from gridgov import policy
from gridgov.db import session
from gridgov.errors import NotFound
from gridgov.grids import geometry
from gridgov.grids.divisions import level_of, parent_code
from gridgov.grids.models import BOX, LOCATABLE, Grid, Level
from gridgov.i18n import _

__all__ = [
    "ancestor_codes", "ancestors", "boundary", "children", "get", "level_of", "locate", "nearest",
    "parent_code", "path_name", "path_names", "place", "short_names", "under",
]  # fmt: skip
NEAREST_TRIED = 8
BOUNDARY_LATER = defer(Grid.boundary)
PATH = (
    sa.select(Grid.code, Grid.short_name, Grid.abbr, Grid.closed_at)
    .where(Grid.code.in_(sa.bindparam("codes", expanding=True)))
    .order_by(Grid.code)
)
TEXT = sa.cast(Grid.boundary, sa.Text).label(
    "geojson"
)  # As text it goes straight into a shape, without Python objects.


def get(code: str) -> Grid:
    """The grid with this code, open or closed. Raises NotFound."""
    grid = session.get(Grid, code, options=[BOUNDARY_LATER])
    if grid is None:
        raise NotFound(_("There is no grid with this code."))
    return grid


@dataclass(frozen=True)
class Place:
    """An open grid with what a report needs of it: the names from the city down, and the letters of the
    city's numbers.
    """

    code: str
    city: str
    abbr: str | None
    names: tuple[str, ...]


def place(code: str) -> Place | None:
    """The open grid with this code, read with all above it in one statement; None when closed or unknown."""
    rows = session.connection().execute(PATH, {"codes": ancestor_codes(code)}).all()
    if not rows or rows[-1].code != code or rows[-1].closed_at is not None:
        return None
    return Place(code, rows[0].code, rows[0].abbr, tuple(row.short_name for row in rows))


def short_names(codes: Iterable[str]) -> dict[str, str]:
    """The short names of these grids, open or closed, by code; unknown ones are left out. One statement."""
    rows = session.connection().execute(PATH, {"codes": sorted(codes)})
    return {row.code: row.short_name for row in rows}


def children(code: str, *, closed: bool = False) -> Sequence[Grid]:
    """The grids directly under `code`, by code; open ones only unless `closed`."""
    query = _rows().where(Grid.parent_code == code).order_by(Grid.code)
    if not closed:
        query = query.where(Grid.closed_at.is_(None))
    return session.scalars(query).all()


def cities() -> Sequence[Grid]:
    """The open roots of the tree, by code."""
    query = _rows().where(Grid.level == Level.city, Grid.closed_at.is_(None))
    return session.scalars(query.order_by(Grid.code)).all()


def ancestor_codes(code: str) -> list[str]:
    """Codes from the city down to the grid itself, from the code alone."""
    return [code[:length] for length in policy.lengths() if length <= len(code)]


def ancestors(code: str) -> Sequence[Grid]:
    """The grids from the city down to the grid itself. Raises NotFound when there is no such grid."""
    found = session.scalars(
        _rows().where(Grid.code.in_(ancestor_codes(code))).order_by(Grid.code)
    ).all()
    if not found or found[-1].code != code:
        raise NotFound(_("There is no grid with this code."))
    return found


def path_names(code: str) -> list[str]:
    """Names from the city down: ["武冈市", "湾头桥镇", "泻油村"]. Raises NotFound."""
    return [grid.short_name for grid in ancestors(code)]


def path_name(code: str) -> str:
    """The path as one text without the city, which everybody knows: 湾头桥镇 泻油村."""
    names = path_names(code)
    return " ".join(names[1:] or names)


def under(column: Any, code: str) -> sa.ColumnElement[bool]:
    """The condition that a column's code lies in the subtree of `code`, itself included.

    A prefix match; an index with text_pattern_ops serves it.
    """
    if not (code.isascii() and code.isdigit()):
        raise AssertionError("a grid code is digits")
    return sa.and_(column.like(f"{code}%"))


def boundary(code: str) -> geometry.Geometry | None:
    """The grid's area as GeoJSON, null when nobody gave one. Raises NotFound."""
    row = session.execute(sa.select(Grid.code, Grid.boundary).where(Grid.code == code)).first()
    if row is None:
        raise NotFound(_("There is no grid with this code."))
    return row[1]


def locate(lat: float, lon: float) -> Grid | None:
    """The deepest open grid whose area contains the point (WGS-84), null outside every known area.

    Areas drawn by hand leave gaps: where the point lies in a wider grid but in none of its parts, the nearest
    part is it.
    """
    finest, *wider = reversed(policy.lengths())
    for length in (finest, *wider):
        code = _containing(length, lat, lon)
        if code is not None:
            return get(code if length == finest else nearest(code, lat, lon))
    return None


def nearest(code: str, lat: float, lon: float) -> str:
    """The code of the open grid under `code`, without parts of its own, that is nearest to the point; else
    `code` itself.
    """
    part = sa.orm.aliased(Grid)
    has_parts = sa.exists().where(part.parent_code == Grid.code, part.closed_at.is_(None))
    # Longitude shrinks with latitude; squared degrees order points as distances do.
    away = sa.func.power(Grid.lat - lat, 2) + sa.func.power((Grid.lon - lon) * sa.func.cosd(lat), 2)
    rows = session.execute(
        sa.select(Grid.code, Grid.lat, Grid.lon, TEXT)
        .where(
            under(Grid.code, code),
            Grid.code != code,
            Grid.closed_at.is_(None),
            Grid.lat.is_not(None),
            ~has_parts,
        )
        .order_by(away, Grid.code)
        .limit(NEAREST_TRIED)
    ).all()
    if not rows:
        return code
    return min(rows, key=lambda row: geometry.distance_m(row.geojson or _point(row), lat, lon)).code


def _containing(length: int, lat: float, lon: float) -> str | None:
    """The smallest open grid of a level whose area contains the point.

    The box index leaves a handful of candidates.
    """
    point = sa.bindparam("lon", lon, sa.Float), sa.bindparam("lat", lat, sa.Float)
    spot = sa.func.box(sa.func.point(*point), sa.func.point(*point))
    rows = session.execute(
        sa.select(Grid.code, TEXT)
        .where(LOCATABLE, sa.func.length(Grid.code) == length, sa.literal_column(BOX).op("@>", is_comparison=True)(spot))
        .order_by(
            (Grid.max_lon - Grid.min_lon) * (Grid.max_lat - Grid.min_lat), Grid.code
        )
    )
    return next((row.code for row in rows if geometry.covers(row.geojson, lat, lon)), None)


def _point(row: Any) -> str:
    return f'{{"type": "Point", "coordinates": [{row.lon}, {row.lat}]}}'


def _rows() -> sa.Select[Grid]:
    """Grids without their areas, which are large and rarely wanted."""
    return sa.select(Grid).options(BOUNDARY_LATER)
