"""The assumptions of a simulation, read from a YAML file and checked; and the draws that are made by them.

Every draw is keyed by what it is about and by nothing else: the same issue is as hard, and the same handler at the same try
as quick, whatever the policy did before. So a difference between two policies is due to the policies.
"""

import functools
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from statistics import NormalDist
from typing import Any

from gridgov.yamlfile import YamlFile

LEVELS = ("micro", "village", "township", "city", "department")
FILE = Path(__file__).resolve().parent / "assumptions.yaml"
NORMAL = NormalDist()
SMALLEST = 2.0**-54
Spread = tuple[float, float]  # Median and spread of a lognormal time.


@dataclass(frozen=True)
class Staff:
    """Who is at a unit of one level; assumptions.yaml says what each field means."""

    people: int
    share: float
    hours: str
    micro_grids_each: int | None = None

    def count(self, micro_grids: int) -> int:
        """How many people a unit has in a city of that size."""
        each = self.micro_grids_each
        return max(self.people, math.ceil(micro_grids / each)) if each else self.people


@dataclass(frozen=True)
class Handling:
    """How a level handles what comes to it."""

    overlooks: float
    overlooked_h: Spread
    look_min: Spread
    wait_h: Spread
    work_min: Spread
    fails: float


@dataclass(frozen=True)
class After:
    """What happens once somebody says that it is resolved, and the ways that lead elsewhere."""

    verify_min: Spread
    found_bad: float
    declines: float
    returns: float
    not_accepted: float
    answers: float
    answer_h: Spread
    contests: float
    satisfied_on_time: tuple[float, ...]
    satisfied_late: tuple[float, ...]


@dataclass(frozen=True)
class Kind:
    """A category: how often it is reported, by month, and how many of it each level can settle."""

    code: str
    mix: float
    settles: tuple[float, ...]
    season: tuple[float, ...]


@dataclass(frozen=True)
class Model:
    """All assumptions."""

    start: date
    step_min: int
    micro_per_village: float
    villages_per_township: float
    households: tuple[int, int]
    vacant: Mapping[str, float]
    per_household_year: float
    weekday: tuple[float, ...]
    hour: tuple[float, ...]
    staff: Mapping[str, Staff]
    handling: Mapping[str, Handling]
    after: After
    kinds: tuple[Kind, ...]


def draw(*key: object) -> float:
    """A number above 0 and below 1 that belongs to this key, whatever was drawn before."""
    digest = hashlib.blake2b("/".join(map(str, key)).encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) * 2.0**-53 + SMALLEST


def lognormal(spread: Spread, *key: object) -> float:
    """A time of this median and spread, in its unit."""
    median, sigma = spread
    return median * math.exp(sigma * NORMAL.inv_cdf(draw(*key)))


def pick(weights: Sequence[float], *key: object) -> int:
    """An index, with these weights."""
    at = draw(*key) * sum(weights)
    for index, weight in enumerate(weights):
        at -= weight
        if at < 0:
            return index
    return len(weights) - 1


@functools.cache
def load(path: Path = FILE) -> Model:
    """Read assumptions. Raises PolicyError: file, line, reason."""
    return _Reader(YamlFile(path)).model()


class _Reader:
    """Takes the values out of the file, each checked."""

    def __init__(self, file: YamlFile) -> None:
        self.file = file

    def model(self) -> Model:
        need = self.file.need
        top = need((), {"start", "step_min", "city", "reports", "staff", "handling", "after", "seasons", "categories"})
        try:
            start = date.fromisoformat(str(top["start"]))
        except ValueError:
            raise self.file.fail(("start",), "must be a day, such as 2026-03-02") from None
        need(("city",), {"micro_per_village", "villages_per_township", "households", "vacant"})
        need(("city", "vacant"), {"micro", "village"})
        need(("reports",), {"per_household_year", "weekday", "hour"})
        need(("staff",), set(LEVELS))
        need(("handling",), set(LEVELS))
        low, high = self._numbers(("city", "households"), 2)
        return Model(
            start=start,
            step_min=self._whole(("step_min",), 1, 60),
            micro_per_village=self._number(("city", "micro_per_village"), 1),
            villages_per_township=self._number(("city", "villages_per_township"), 1),
            households=(int(low), max(int(low), int(high))),
            vacant={name: self._share(("city", "vacant", name)) for name in ("micro", "village")},
            per_household_year=self._number(("reports", "per_household_year")),
            weekday=self._numbers(("reports", "weekday"), 7),
            hour=self._numbers(("reports", "hour"), 24),
            staff={level: self._staff(level) for level in LEVELS},
            handling={level: Handling(**self._record(("handling", level), Handling)) for level in LEVELS},
            after=After(**self._record(("after",), After)),
            kinds=self._kinds(),
        )

    def _staff(self, level: str) -> Staff:
        at = ("staff", level)
        raw = self.file.need(at, {"people", "share", "hours"}, {"micro_grids_each"})
        if raw["hours"] not in ("office", "day"):
            raise self.file.fail((*at, "hours"), "must be office or day")
        share = self._share((*at, "share"))
        if share == 0:
            raise self.file.fail((*at, "share"), "must be above 0")
        each = self._whole((*at, "micro_grids_each"), 1, 10**6) if "micro_grids_each" in raw else None
        return Staff(self._whole((*at, "people"), 1, 1000), share, raw["hours"], each)

    def _record(self, at: tuple[str, ...], kind: type[Any]) -> dict[str, Any]:
        names = [field.name for field in fields(kind)]
        self.file.need(at, set(names))
        found: dict[str, Any] = {}
        for name in names:
            if name.startswith("satisfied"):
                found[name] = self._numbers((*at, name), 5)
            elif name.endswith(("_min", "_h")):
                found[name] = self._numbers((*at, name), 2)
            else:
                found[name] = self._share((*at, name))
        return found

    def _kinds(self) -> tuple[Kind, ...]:
        seasons = {name: self._numbers(("seasons", name), 12) for name in self.file.names(("seasons",))}
        kinds = []
        for code in self.file.names(("categories",)):
            at = ("categories", code)
            raw = self.file.need(at, {"mix", "settles", "season"})
            if raw["season"] not in seasons:
                raise self.file.fail((*at, "season"), f"unknown season {raw['season']!r}")
            settles = self._numbers((*at, "settles"), 4)
            if sum(settles) > 1 + 1e-9:
                raise self.file.fail((*at, "settles"), "these shares come to more than 1")
            kinds.append(Kind(str(code), self._number((*at, "mix")), settles, seasons[raw["season"]]))
        if not sum(kind.mix for kind in kinds):
            raise self.file.fail(("categories",), "nothing is ever reported")
        return tuple(kinds)

    def _number(self, at: tuple[str, ...], least: float = 0) -> float:
        value = self.file.get(at)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < 1e9:
            raise self.file.fail(at, f"must be a number, {least} or above")
        return float(value)

    def _whole(self, at: tuple[str, ...], low: int, high: int) -> int:
        value = self.file.get(at)
        if type(value) is not int or not low <= value <= high:
            raise self.file.fail(at, f"must be a whole number from {low} to {high}")
        return value

    def _share(self, at: tuple[str, ...]) -> float:
        value = self._number(at)
        if value > 1:
            raise self.file.fail(at, "must be a share between 0 and 1")
        return value

    def _numbers(self, at: tuple[str, ...], count: int) -> tuple[Any, ...]:
        value = self.file.get(at)
        if not isinstance(value, list) or len(value) != count:
            raise self.file.fail(at, f"must be a list of {count} numbers")
        for item in value:
            if isinstance(item, bool) or not isinstance(item, int | float) or not 0 <= item < 1e9:
                raise self.file.fail(at, f"{item!r} is not a number, 0 or above")
        if not any(value) and at[-1] != "settles":
            raise self.file.fail(at, "is nothing but zeros")
        return tuple(value)
