"""When what is reported where: drawn from the seed alone, so that every policy sees the same reports."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

from gridgov.simulate.model import Model

SHANGHAI = ZoneInfo("Asia/Shanghai")
DAYS_OF_YEAR = 365


@dataclass(frozen=True)
class Arrival:
    """One report; `n` is its number from the first day on."""

    n: int
    at: datetime
    category: str
    micro: str


def daily(model: Model, households: int) -> float:
    """How many reports a day there are in the mean of a year."""
    return households * model.per_household_year / DAYS_OF_YEAR


def stream(model: Model, seed: int, micro: list[tuple[str, int]], days: int, per_day: float) -> Iterator[Arrival]:
    """The reports of so many days in order of time; `micro` are codes with their households, `per_day` the year's mean."""
    codes, weights = [code for code, _homes in micro], list(accumulate(homes for _code, homes in micro))
    mix = sum(kind.mix for kind in model.kinds)
    hours, n = list(accumulate(model.hour)), 0
    for k in range(days):
        day = model.start + timedelta(days=k)
        rng = random.Random(f"{seed}/arrivals/{k}")  # noqa: S311 – reproducible, and nothing secret.
        found = []
        for kind in model.kinds:
            season = kind.season[day.month - 1] * 12 / sum(kind.season)
            mean = per_day * kind.mix / mix * season * model.weekday[day.weekday()] * 7 / sum(model.weekday)
            for _one in range(_poisson(mean, rng)):
                code = rng.choices(codes, cum_weights=weights)[0]
                found.append((_moment(day, rng.choices(range(24), cum_weights=hours)[0], rng), kind.code, code))
        for at, category, code in sorted(found):
            n += 1
            yield Arrival(n, at, category, code)


def _moment(day: date, hour: int, rng: random.Random) -> datetime:
    local = datetime.combine(day, time(hour, rng.randint(0, 59), rng.randint(0, 59)), SHANGHAI)
    return local.astimezone(UTC)


def _poisson(mean: float, rng: random.Random) -> int:
    """How often something happens that happens `mean` times on average: counted until the waiting times fill the day."""
    count, filled = 0, -math.log(1 - rng.random())
    while filled < mean:
        count += 1
        filled -= math.log(1 - rng.random())
    return count
