"""Areas on the map: GeoJSON in, shapely shapes and GeoJSON out.

WGS-84, degrees; five decimals, about one metre.
"""

import json
import math
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

DECIMALS = 5
METRES_PER_DEGREE = (
    111_320.0  # Of latitude, on a sphere of mean radius; a county's areas come out within 0.5 %.
)
Geometry = dict[str, Any]


def shape(geometry: Geometry) -> BaseGeometry:
    """The shapely shape of a GeoJSON polygon or multipolygon, mended where it crosses itself.

    Raises ValueError when it is no area, lies outside the world or is empty.
    """
    if not isinstance(geometry, dict) or geometry.get("type") not in {"Polygon", "MultiPolygon"}:
        raise ValueError("neither a Polygon nor a MultiPolygon")
    try:
        found = shapely.from_geojson(json.dumps(geometry))
    except (shapely.errors.GEOSException, TypeError, ValueError):
        raise ValueError("its coordinates cannot be read") from None
    found = areas_of(found if found.is_valid else shapely.make_valid(found))
    if found.is_empty:
        raise ValueError("it has no area")
    west, south, east, north = found.bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise ValueError("longitude is -180 to 180 and latitude -90 to 90, in this order")
    return found


def areas_of(found: BaseGeometry) -> BaseGeometry:
    """Only the areas of a shape: what mending or cutting left of lines and points is dropped."""
    if found.geom_type in {"Polygon", "MultiPolygon"}:
        return found
    parts = [
        part
        for part in shapely.get_parts(found, return_index=False)
        if part.geom_type in {"Polygon", "MultiPolygon"}
    ]
    return shapely.union_all(parts) if parts else shapely.Polygon()


def geojson(found: BaseGeometry) -> Geometry:
    """The shape as a GeoJSON geometry with five decimals."""
    rounded = shapely.transform(found, lambda xy: xy.round(DECIMALS))
    result: Geometry = json.loads(shapely.to_geojson(rounded))
    return result


def fields(found: BaseGeometry) -> dict[str, Any]:
    """What a grid keeps of its area: the geometry, its box, and a point that is surely inside."""
    geometry = geojson(found)
    west, south, east, north = shapely.from_geojson(json.dumps(geometry)).bounds
    inside = found.representative_point()
    return {
        "boundary": geometry,
        "min_lon": west, "min_lat": south, "max_lon": east, "max_lat": north,
        "lat": round(inside.y, DECIMALS), "lon": round(inside.x, DECIMALS),
    }  # fmt: skip


def covers(text: str, lat: float, lon: float) -> bool:
    """Whether the point lies in the area, given as GeoJSON text, or on its edge."""
    return bool(shapely.covers(shapely.from_geojson(text), shapely.Point(lon, lat)))


def distance_m(text: str, lat: float, lon: float) -> float:
    """Metres from the point to the area, given as GeoJSON text; 0 inside. Good within a county."""
    squeeze = math.cos(math.radians(lat))
    area = shapely.transform(shapely.from_geojson(text), lambda xy: xy * [squeeze, 1.0])
    return float(shapely.distance(area, shapely.Point(lon * squeeze, lat))) * METRES_PER_DEGREE


def area_m2(found: BaseGeometry) -> int:
    """The area in whole square metres."""
    squeeze = math.cos(math.radians(found.centroid.y))
    return round(found.area * squeeze * METRES_PER_DEGREE**2)
