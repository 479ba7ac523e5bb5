"""The virtual city: a tree of made-up grids of the wanted size, and the people who handle what is reported in it.

Written in a few large statements, past the actions; identities and codes are the same every time for the same seed.
"""

import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import session
from gridgov.grids.models import Grid, Level
from gridgov.issues import flow
from gridgov.people.models import Department, Person, Post, Role
from gridgov.simulate.model import Model

CODE = "430581"
ROLES = {"micro": Role.MICRO_CHIEF, "village": Role.VILLAGE_CHIEF, "township": Role.TOWNSHIP_OFFICE, "city": Role.CITY_OFFICE,
         "department": Role.DEPARTMENT}  # fmt: skip
MOST_TOWNSHIPS, MOST_VILLAGES, MOST_MICRO = 199, 199, 899  # What the codes have room for.
Unit = str | UUID  # A grid's code, or a department's identity.


@dataclass
class City:
    """What there is. `micro` are the codes of micro grids with their households, `reporters` who reports from there.

    `staff` are the people of each unit who handle issues.
    """

    micro: list[tuple[str, int]] = field(default_factory=list)
    reporters: dict[str, UUID] = field(default_factory=dict)
    staff: dict[Unit, list[UUID]] = field(default_factory=dict)
    departments: dict[str, UUID] = field(default_factory=dict)

    @property
    def households(self) -> int:
        """How many live in it."""
        return sum(homes for _code, homes in self.micro)


class _Rows:
    """Rows on their way to the database."""

    def __init__(self, seed: int, begins: datetime) -> None:
        self.rng, self.begins = random.Random(f"{seed}/city"), begins  # noqa: S311 – reproducible, and nothing secret.
        self.grids: list[dict[str, Any]] = []
        self.persons: list[dict[str, Any]] = []
        self.posts: list[dict[str, Any]] = []
        self.made = 0

    def id(self) -> UUID:
        """The next identity: UUIDv7 of before the first day, in order."""
        self.made += 1
        return identity(self.begins - timedelta(days=30), self.made)

    def grid(self, code: str, level: Level, name: str, **more: Any) -> None:
        parent = {Level.city: None, Level.township: code[:6], Level.village: code[:9], Level.micro: code[:12]}[level]
        self.grids.append(
            {"code": code, "parent_code": parent, "level": level, "kind": "模拟", "name": name, "short_name": name, "abbr": None,
             "households": None, "demo": True, "opened_at": self.begins, "boundary_approximate": False, **more}
        )  # fmt: skip

    def person(self, role: Role, *, grid_code: str | None = None, department_id: UUID | None = None) -> UUID:
        """Somebody with one post."""
        id = self.id()
        phone = f"199{len(self.persons):08d}"
        self.persons.append({"id": id, "name": f"模拟{len(self.persons)}", "phone": phone, "language": "zh", "elder_view": False})
        self.posts.append(
            {"id": self.id(), "person_id": id, "role": role.value, "grid_code": grid_code, "department_id": department_id,
             "starts_on": self.begins.date(), "lines": []}
        )  # fmt: skip
        return id


def identity(at: datetime, n: int) -> UUID:
    """A UUIDv7 of a moment whose other bits are a running number."""
    return UUID(int=int(at.timestamp() * 1000) << 80 | 0x7 << 76 | 0b10 << 62 | n)


def build(model: Model, seed: int, micro_grids: int) -> City:
    """Write the city into an empty database, inside the caller's transaction."""
    begins = datetime.combine(model.start, datetime.min.time(), UTC) - timedelta(days=30)
    rows, city = _Rows(seed, begins), City()
    counts = {level: staff.count(micro_grids) for level, staff in model.staff.items()}
    rows.grid(CODE, Level.city, "模拟市", abbr="SIM")
    city.staff[CODE] = [rows.person(ROLES["city"], grid_code=CODE) for _n in range(counts["city"])]
    below = Counter[str]()
    for village in _villages(model, micro_grids):
        township = village[:9]
        if township not in city.staff:
            rows.grid(township, Level.township, f"模拟镇{township[6:]}")
            city.staff[township] = [rows.person(ROLES["township"], grid_code=township) for _n in range(counts["township"])]
        rows.grid(village, Level.village, f"模拟村{village[9:]}")
        _chief(rows, city, model, village, "village", counts["village"])
    villages = [row["code"] for row in rows.grids if row["level"] is Level.village]
    for n in range(micro_grids):
        village = villages[n % len(villages)]
        below[village] += 1
        code, homes = f"{village}{below[village]:03d}", rows.rng.randint(*model.households)
        rows.grid(code, Level.micro, f"{below[village]}组", households=homes)
        city.micro.append((code, homes))
        city.reporters[code] = rows.person(Role.RESIDENT, grid_code=code)
        _chief(rows, city, model, code, "micro", counts["micro"])
    _departments(rows, city, counts["department"])
    session.execute(sa.insert(Person), rows.persons)
    session.execute(sa.insert(Post), rows.posts)
    return city


def _villages(model: Model, micro_grids: int) -> Iterator[str]:
    """The codes of as many villages as so many micro grids need, township by township."""
    count = max(1, round(micro_grids / model.micro_per_village))
    townships = min(MOST_TOWNSHIPS, max(1, round(count / model.villages_per_township)))
    for n in range(min(count, townships * MOST_VILLAGES)):
        yield f"{CODE}{100 + n % townships:03d}{200 + n // townships:03d}"


def _chief(rows: _Rows, city: City, model: Model, code: str, level: str, people: int) -> None:
    """The chief of a village or micro grid, and who shares the post; nobody where it is vacant."""
    vacant = rows.rng.random() < model.vacant[level]
    city.staff[code] = [] if vacant else [rows.person(ROLES[level], grid_code=code) for _n in range(people)]


def _departments(rows: _Rows, city: City, people: int) -> None:
    """The departments that the policy's categories name. They need their city's grid, so all grids are written first."""
    session.execute(sa.insert(Grid), rows.grids)
    codes = sorted({c.department for c in flow.rules().categories.values() if c.department})
    made: list[dict[str, Any]] = [{"id": rows.id(), "code": code, "name": code, "name_en": code, "grid_code": CODE} for code in codes]
    if made:
        session.execute(sa.insert(Department), made)
    for row in made:
        city.departments[row["code"]] = row["id"]
        city.staff[row["id"]] = [rows.person(Role.DEPARTMENT, department_id=row["id"]) for _n in range(people)]


def check_size(model: Model, micro_grids: int) -> bool:
    """Whether the codes have room for so many micro grids."""
    villages = sum(1 for _code in _villages(model, micro_grids))
    return math.ceil(micro_grids / villages) <= MOST_MICRO
