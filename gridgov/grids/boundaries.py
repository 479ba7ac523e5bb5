"""The rules of a boundary file: a GeoJSON FeatureCollection whose features carry the code of a grid.

The code stands in `id` or in the property `code` or `adcode`, cut or padded to 12 digits. Coordinates are
WGS-84. The property `approximate: true` says that an area was derived, not surveyed.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gridgov import policy
from gridgov.grids import csvfile, geometry
from gridgov.grids.csvfile import Problems
from gridgov.i18n import _


@dataclass(frozen=True)
class Area:
    """One feature, checked. `fields` are the columns of a grid that come from its area."""

    code: str
    fields: dict[str, Any]


def read(path: str | Path, codes: Collection[str]) -> list[Area]:
    """Read and check a file of areas of the grids `codes`. Raises ImportRefused naming every feature at
    fault.

    The number of a feature, counted from 1, stands where a table has its row.
    """
    path = Path(path)
    problems = Problems(path.name)
    try:
        data = json.loads(csvfile.decode(csvfile.read_bytes(path), path.name))
        features = data["features"]
        if data.get("type") != "FeatureCollection" or not isinstance(features, list):
            raise KeyError("features")
    except (ValueError, KeyError, TypeError):
        problems.add(None, None, _("This is not a GeoJSON FeatureCollection."))
        problems.raise_if_any()
    areas = [
        area
        for number, feature in enumerate(features, start=1)
        if (area := _area(number, feature, codes, problems))
    ]
    seen: set[str] = set()
    for area in areas:
        if area.code in seen:
            problems.add(None, "code", _("%(code)s has two areas.", code=area.code))
        seen.add(area.code)
    problems.raise_if_any()
    return areas


def _area(number: int, feature: Any, codes: Collection[str], problems: Problems) -> Area | None:
    if not isinstance(feature, dict):
        problems.add(number, None, _("This is not a GeoJSON feature."))
        return None
    properties = feature.get("properties") or {}
    given = str(properties.get("code") or properties.get("adcode") or feature.get("id") or "")
    code = _cut(given, codes)
    if code is None:
        problems.add(number, "code", _("There is no grid %(code)s.", code=given or "–"))
    try:
        shape = geometry.shape(feature.get("geometry"))  # type: ignore[arg-type]
    except ValueError as error:
        problems.add(number, "geometry", _("The area is wrong: %(reason)s.", reason=str(error)))
        return None
    if code is None:
        return None
    return Area(
        code, {**geometry.fields(shape), "boundary_approximate": properties.get("approximate") is True}
    )


def _cut(given: str, codes: Collection[str]) -> str | None:
    """The grid's code in a padded one: 430581000000 is 430581 when that is a grid."""
    if given in codes:
        return given
    if len(given) == 12:
        for length in policy.lengths():
            if given[length:].strip("0") == "" and given[:length] in codes:
                return given[:length]
    return None
