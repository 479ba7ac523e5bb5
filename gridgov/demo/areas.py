"""Where the demo's grids lie: Voronoi cells inside the real boundary. Nobody surveyed them; all are marked
approximate.

Townships keep their rough places. Village seeds are scattered in each township's part and evened out, the
cells of all seeds are cut by the boundary, and a township is the union of its villages, so borders zigzag and
townships hang together.
"""

import math
import random
from collections.abc import Mapping, Sequence

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gridgov.grids import geometry

CITY_CENTRE = (110.632, 26.727)
SQUEEZE = math.cos(math.radians(26.75))  # A degree of longitude is this much of a degree of latitude.
TOWN_KM = (
    2.2  # Seeds lie denser within about this distance of the city's centre: communities are small there.
)
DENSER = 14.0
KM_PER_DEGREE = 111.32
SAMPLES_PER_CELL = 90
ROUNDS = 8
DEDICATED_DEG = 90.0 / 1000 / KM_PER_DEGREE  # Ninety metres, in degrees of latitude.
Point = tuple[float, float]


def village_areas(
    boundary: BaseGeometry,
    townships: Mapping[str, Point],
    villages: Mapping[str, Sequence[str]],
    rng: random.Random,
) -> dict[str, BaseGeometry]:
    """An area for every village. townships: centre (lon, lat) by code; villages: codes by township, nearest
    the centre first.
    """
    codes = list(townships)
    parts = _cells(boundary, np.array([townships[code] for code in codes]))
    seeds: list[np.ndarray] = []
    order: list[str] = []
    for code, part in zip(codes, parts, strict=True):
        points = _spread(part, len(villages[code]), rng, centre=np.array(CITY_CENTRE))
        # Communities come first in each list: they get the seeds nearest the seat, in a subdistrict nearest
        # the city's centre.
        seat = CITY_CENTRE if code[6:] < "100" else townships[code]
        points = points[np.argsort(_square_distance(points, np.array([seat]))[:, 0])]
        seeds.append(points)
        order.extend(villages[code])
    cells = _cells(boundary, np.concatenate(seeds))
    return dict(zip(order, cells, strict=True))


def micro_areas(
    village: BaseGeometry, ordinary: int, dedicated: int, rng: random.Random
) -> list[BaseGeometry]:
    """Areas of a village's micro grids: first the ordinary ones, which fill it, then the dedicated ones, cut
    out of them.
    """
    cells = _cells(village, _spread(village, ordinary, rng))
    small = []
    for at in rng.sample(range(ordinary), dedicated):
        spot = cells[at].representative_point()
        ring = [
            (spot.x + math.cos(turn) * DEDICATED_DEG / SQUEEZE, spot.y + math.sin(turn) * DEDICATED_DEG)
            for turn in (math.pi / 8 + step * math.pi / 4 for step in range(8))
        ]
        yard = geometry.areas_of(shapely.intersection(shapely.Polygon(ring), cells[at]))
        cells[at] = geometry.areas_of(shapely.difference(cells[at], yard))
        small.append(yard)
    return cells + small


def _cells(area: BaseGeometry, points: np.ndarray) -> list[BaseGeometry]:
    """The Voronoi cell of each point, cut by the area, in the points' order.

    Distances are true: longitude is squeezed.
    """
    flat = points * [SQUEEZE, 1.0]
    if len(points) == 1:
        return [area]
    wide = shapely.transform(area, lambda xy: xy * [SQUEEZE, 1.0])
    cells = shapely.get_parts(
        shapely.voronoi_polygons(shapely.multipoints(flat), extend_to=wide, ordered=True)
    )
    back = shapely.transform(cells, lambda xy: xy / [SQUEEZE, 1.0])
    return [geometry.areas_of(cell) for cell in shapely.intersection(back, area)]


def _spread(
    area: BaseGeometry, count: int, rng: random.Random, centre: np.ndarray | None = None
) -> np.ndarray:
    """`count` points spread evenly over an area (Lloyd's method on random samples); denser near `centre`."""
    samples = _scatter(area, count * SAMPLES_PER_CELL, rng)
    weights = np.ones(len(samples))
    if centre is not None:
        away = np.sqrt(_square_distance(samples, centre[None, :])[:, 0]) * KM_PER_DEGREE
        weights += DENSER * np.exp(-((away / TOWN_KM) ** 2))
    points = samples[rng.sample(range(len(samples)), count)]
    for _round in range(ROUNDS):
        nearest = np.argmin(_square_distance(samples, points), axis=1)
        mass = np.bincount(nearest, weights, count)
        sums = np.stack([np.bincount(nearest, weights * samples[:, axis], count) for axis in (0, 1)], axis=1)
        points = np.where(mass[:, None] > 0, sums / np.maximum(mass, 1e-9)[:, None], points)
    return points


def _scatter(area: BaseGeometry, count: int, rng: random.Random) -> np.ndarray:
    """Random points inside an area."""
    west, south, east, north = area.bounds
    shapely.prepare(area)
    found = np.empty((0, 2))
    while len(found) < count:
        flat = np.array([rng.random() for _ in range(4 * count)]).reshape(-1, 2)
        tried = flat * [east - west, north - south] + [west, south]
        found = np.concatenate([found, tried[shapely.contains_xy(area, tried[:, 0], tried[:, 1])]])
    return found[:count]


def _square_distance(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Squared distances in degrees of latitude, a row for each point, a column for each other."""
    gaps: np.ndarray = (points[:, None, :] - others[None, :, :]) * [SQUEEZE, 1.0]
    return (gaps**2).sum(axis=2)
