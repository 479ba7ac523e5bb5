"""The grid tree as JSON.

Everybody signed in may read it: it says where things are, not what is the matter there.
"""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from gridgov.errors import NotFound
from gridgov.grids import queries
from gridgov.grids.models import Grid
from gridgov.grids.schemas import (
    FeatureSchema,
    GridDetailSchema,
    GridListSchema,
    GridSchema,
    ParentSchema,
    PointSchema,
)
from gridgov.i18n import _
from gridgov.web import gives, takes

bp = Blueprint("grids", __name__, url_prefix="/grids")
BOUNDARY_MAX_AGE_S = 86_400


@bp.get("")
@gives(GridListSchema)
@takes(ParentSchema, location="query")
def list_grids(parent: str | None, closed: bool) -> Any:
    """The grids directly under one grid, or the roots of the tree."""
    if parent is None:
        return {"items": queries.cities()}
    queries.get(parent)
    return {"items": queries.children(parent, closed=closed)}


@bp.get("/locate")
@gives(GridDetailSchema)
@takes(PointSchema, location="query")
def locate(lat: float, lon: float) -> Any:
    """The deepest open grid that contains a place. 404 with code `outside_city` when none does."""
    grid = queries.locate(lat, lon)
    if grid is None:
        raise NotFound(_("This place is outside the city."), code="outside_city")
    return _detail(grid)


@bp.get("/<code>")
@gives(GridDetailSchema)
def show(code: str) -> Any:
    """One grid, open or closed."""
    return _detail(queries.get(code))


@bp.get("/<code>/children")
@gives(GridListSchema)
def children(code: str) -> Any:
    """The open grids directly under one grid."""
    queries.get(code)
    return {"items": queries.children(code)}


@bp.get("/<code>/boundary")
@gives(FeatureSchema)
def boundary(code: str) -> Any:
    """A grid's area as a GeoJSON feature.

    Areas change with an import only, so the browser keeps them for a day.
    """
    geometry = queries.boundary(code)
    grid = queries.get(code)
    answer: Response = jsonify(
        type="Feature", id=code, geometry=geometry,
        properties={"code": code, "name": grid.short_name, "approximate": grid.boundary_approximate},
    )  # fmt: skip
    answer.mimetype = "application/geo+json"
    answer.cache_control.private = True
    answer.cache_control.max_age = BOUNDARY_MAX_AGE_S
    answer.add_etag()
    return answer.make_conditional(request)


boundary.gives_type = "application/geo+json"  # type: ignore[attr-defined]


def _detail(grid: Grid) -> dict[str, Any]:
    fields = {name: getattr(grid, name) for name in GridSchema().fields}
    return fields | {"path": queries.path_names(grid.code)}
