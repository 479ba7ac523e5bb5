"""Shapes of grids in the API."""

from marshmallow import Schema, fields, validate


class GridSchema(Schema):
    """A grid without its area. Times are UTC; counts are null when nobody gave them."""

    code = fields.String(
        metadata={"description": "6, 9, 12 or 15 digits; everything under it begins with it"}
    )
    parent_code = fields.String(allow_none=True)
    level = fields.String()
    kind = fields.String()
    name = fields.String()
    short_name = fields.String()
    abbr = fields.String(allow_none=True)
    households = fields.Integer(allow_none=True)
    population = fields.Integer(allow_none=True)
    area_m2 = fields.Integer(allow_none=True)
    lat = fields.Float(allow_none=True, metadata={"description": "a point inside, WGS-84"})
    lon = fields.Float(allow_none=True)
    boundary_approximate = fields.Boolean(metadata={"description": "the area was derived, not surveyed"})
    demo = fields.Boolean()
    opened_at = fields.DateTime(format="iso")
    closed_at = fields.DateTime(format="iso", allow_none=True)


class GridDetailSchema(GridSchema):
    """A grid with the names above it, from the city down to itself."""

    path = fields.List(fields.String())


class GridListSchema(Schema):
    """Grids by code. A parent has at most a few hundred, so there are no pages."""

    items = fields.List(fields.Nested(GridSchema))


class ParentSchema(Schema):
    """Which grids to list: those under `parent`, or the roots of the tree."""

    parent = fields.String(load_default=None, validate=validate.Regexp(r"^[0-9]{6,30}$"))
    closed = fields.Boolean(load_default=False, metadata={"description": "closed grids too"})


class PointSchema(Schema):
    """A place, WGS-84."""

    lat = fields.Float(required=True, allow_nan=False, validate=validate.Range(-90, 90))
    lon = fields.Float(required=True, allow_nan=False, validate=validate.Range(-180, 180))


class FeatureSchema(Schema):
    """A GeoJSON feature: the area of one grid; `geometry` is null when nobody gave one."""

    type = fields.String()
    id = fields.String()
    geometry = fields.Dict(allow_none=True)
    properties = fields.Dict()
