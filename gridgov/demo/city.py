"""The grids of the demo city: the real tree, made-up micro grids, made-up areas inside the real boundary."""

import csv
import json
import random
from dataclasses import dataclass, replace
from pathlib import Path

import shapely
from shapely.geometry.base import BaseGeometry

from gridgov.demo import areas, names
from gridgov.grids import actions, divisions, geometry
from gridgov.grids.actions import Report
from gridgov.grids.boundaries import Area
from gridgov.grids.divisions import Unit
from gridgov.grids.models import Level

DATA = Path(__file__).resolve().parent / "data"
DIVISIONS = DATA / "wugang_divisions.csv"
BOUNDARY = DATA / "wugang_boundary.geojson"
ABBR = "WG"
# 8 to 12 micro grids a village, 9.4 on average, of 50 to 80 households each: Wugang comes to about 3,000.
SIZES = {8: 3, 9: 3, 10: 2, 11: 1, 12: 1}
HOUSEHOLDS = (50, 80)
DEDICATED_SHARE = 0.3
SOURCE = "demo"


@dataclass(frozen=True)
class City:
    """What is imported: the units of the division file, the micro grids, and an area for each."""

    divisions: list[Unit]
    micro: list[Unit]
    areas: list[Area]


def build(seed: int) -> City:
    """Make up the demo city; the same for the same seed. Takes about two seconds."""
    units = divisions.with_abbr(divisions.read(DIVISIONS), ABBR, DIVISIONS.name)
    boundary = _boundary()
    villages = [unit for unit in units if unit.level is Level.village]
    # Communities first, so that they lie nearest the seat; the rest in the order of their codes.
    in_township = {code: [v.code for v in villages if v.code.startswith(code)] for code in _townships()}
    shapes = areas.village_areas(boundary, _townships(), in_township, random.Random(seed))
    micro: list[Unit] = []
    for village in villages:
        made, parts = _micro(village, shapes[village.code], random.Random(f"{seed}/{village.code}"))
        micro += made
        shapes |= {unit.code: part for unit, part in zip(made, parts, strict=True)}
    for township, codes in in_township.items():
        shapes[township] = geometry.areas_of(shapely.union_all([shapes[code] for code in codes]))
    city = next(unit.code for unit in units if unit.level is Level.city)
    shapes[city] = boundary
    drawn = [
        Area(code, {**geometry.fields(shape), "boundary_approximate": code != city})
        for code, shape in shapes.items()
    ]
    return City([_measured(unit, micro, shapes[unit.code]) for unit in units], micro, drawn)


def load(seed: int) -> list[Report]:
    """Import the demo city through the same actions as any other county's files.

    A second time changes nothing.
    """
    city = build(seed)
    return [
        actions.import_divisions(city.divisions, source=SOURCE),
        actions.import_micro(city.micro, source=SOURCE, demo=True),
        actions.import_boundaries(city.areas, source=SOURCE),
    ]


def _boundary() -> BaseGeometry:
    feature = json.loads(BOUNDARY.read_text(encoding="utf-8"))["features"][0]
    return geometry.shape(feature["geometry"])


def _townships() -> dict[str, areas.Point]:
    with (DATA / "townships.csv").open(encoding="utf-8", newline="") as file:
        return {row["code"]: (float(row["lon"]), float(row["lat"])) for row in csv.DictReader(file)}


def _micro(village: Unit, shape: BaseGeometry, rng: random.Random) -> tuple[list[Unit], list[BaseGeometry]]:
    """The micro grids of one village and their areas, in the same order."""
    count = rng.choices(list(SIZES), list(SIZES.values()))[0]
    dedicated = int(rng.random() < DEDICATED_SHARE)
    ordinary = count - dedicated
    parts = areas.micro_areas(shape, ordinary, dedicated, rng)
    community = village.code[9:] < "200"
    if community:
        titles = [
            (name, name, "小区" if name in names.ESTATES else "院落") for name in names.estates(ordinary, rng)
        ]
    elif rng.random() < 0.6:
        titles = [(f"第{n}村民小组", f"{n}组", "村民小组") for n in range(1, ordinary + 1)]
    else:
        titles = [(name, name, "村民小组") for name in names.places(ordinary, rng)]
    stem = village.short_name.removesuffix("居委会").removesuffix("社区").removesuffix("村")
    titles += [(stem + what, what, names.DEDICATED_KIND) for what in rng.sample(names.DEDICATED, dedicated)]
    units = []
    for at, ((name, short, kind), part) in enumerate(zip(titles, parts, strict=True)):
        serial = at + 1 if at < ordinary else 901 + at - ordinary
        homes = rng.randint(*HOUSEHOLDS) if at < ordinary else 0
        units.append(
            Unit(
                0,
                f"{village.code}{serial:03d}",
                Level.micro,
                kind,
                name,
                short,
                households=homes,
                population=round(homes * rng.uniform(2.7, 3.5)),
                area_m2=geometry.area_m2(part),
            )
        )
    return units, parts


def _measured(unit: Unit, micro: list[Unit], shape: BaseGeometry) -> Unit:
    below = [m for m in micro if m.code.startswith(unit.code)]
    return replace(
        unit,
        households=sum(m.households or 0 for m in below),
        population=sum(m.population or 0 for m in below),
        area_m2=geometry.area_m2(shape),
    )
