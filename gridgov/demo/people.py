"""The people of the demo city: chiefs at four levels, offices, departments, workers, some households. All
made up.

Written past the actions, in a few large statements: a thousand people a second instead of fifty. What the
database checks of posts it checks here too.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import session, utcnow
from gridgov.demo import names, story
from gridgov.demo.ids import uuid7_at
from gridgov.grids.models import Grid, Level
from gridgov.grids.queries import under
from gridgov.people import actions, security
from gridgov.people.models import Department, Household, Person, Post, Role

PHONE_PREFIX = "1990000"  # Nobody's: the demo's numbers are 1990000 and four digits.
PHONE_FIRST = 100  # Below it are the people of the story.
SERVED = timedelta(days=400)  # How long ago posts began, so that the past sixty days have people in them.
# One worker looks after about three micro grids; the statute of practice is one for each 200 to 300
# households.
GRIDS_PER_WORKER = 3
HOUSEHOLDS_PER_GRID = 3  # Of the villages that have households at all; see SAMPLED.
SAMPLED = 2  # So many villages of each township, and the story's village, have households with residents.
VACANT_VILLAGES = 4  # Without a chief, so that one sees reports passed up at once.
VACANT_MICRO = 0.01
LINES = ("river", "forest", "road", "farmland")
MICRO_TITLES = {"村民小组": "组长", "小区": "小区网格长", "院落": "院落长", "专属": "专属网格长"}
TOWNSHIP_STAFF = ("网格办主任", "网格办专干", "网格办专干")
CITY_STAFF = ("网格办主任", "网格办干部")


@dataclass
class People:
    """Rows on their way to the database."""

    rng: random.Random
    starts_on: date
    password_hash: str
    persons: list[dict[str, Any]] = field(default_factory=list)
    posts: list[dict[str, Any]] = field(default_factory=list)
    households: list[dict[str, Any]] = field(default_factory=list)

    def person(
        self, name: str | None = None, phone: str | None = None, household_id: UUID | None = None
    ) -> UUID:
        """Another person; the telephone number is the next free one."""
        row: dict[str, Any] = {
            "id": self.id(),
            "name": name or names.person(self.rng),
            "password_hash": self.password_hash,
            "phone": phone or f"{PHONE_PREFIX}{PHONE_FIRST + len(self.persons):04d}",
            "language": "zh",
            "elder_view": False,
            "household_id": household_id,
        }
        self.persons.append(row)
        found: UUID = row["id"]
        return found

    def post(
        self,
        person_id: UUID,
        role: Role,
        *,
        grid_code: str | None = None,
        department_id: UUID | None = None,
        title: str | None = None,
        lines: Sequence[str] = (),
        ends_on: date | None = None,
    ) -> None:
        """Another post of somebody, since `starts_on`."""
        self.posts.append(
            {
                "id": self.id(),
                "person_id": person_id,
                "role": role.value,
                "grid_code": grid_code,
                "department_id": department_id,
                "title": title,
                "lines": list(lines),
                "starts_on": self.starts_on,
                "ends_on": ends_on,
            }
        )

    def household(self, grid_code: str, number: int, place: str) -> UUID:
        """Another household in a micro grid, with one or two people who may sign in."""
        head = names.person(self.rng)
        row: dict[str, Any] = {
            "id": self.id(),
            "code": f"{grid_code}{number:04d}",
            "grid_code": grid_code,
            "head_name": head,
            "address": f"{place}{number}号",
        }
        self.households.append(row)
        for name in (head, names.person(self.rng))[: self.rng.choice((1, 1, 2))]:
            self.post(self.person(name, household_id=row["id"]), Role.RESIDENT, grid_code=grid_code)
        found: UUID = row["id"]
        return found

    def id(self) -> UUID:
        """The next identity."""
        return uuid7_at(utcnow() - SERVED, self.rng)

    def write(self) -> None:
        """All rows, in the order their keys need."""
        session.execute(sa.insert(Household), self.households)
        session.execute(sa.insert(Person), self.persons)
        session.execute(sa.insert(Post), self.posts)


def load(seed: int) -> dict[str, int]:
    """Write the people of the demo city, whose grids are there. Returns how many there are of what."""
    rng = random.Random(f"{seed}/people")
    # One password, hashed once: a hash takes 70 ms by design, and five thousand of them would take six
    # minutes.
    today = actions.today()
    people = People(rng, today - SERVED, security.hash_password(story.PASSWORD))
    departments = _departments(rng)
    grids = session.execute(
        sa.select(Grid.code, Grid.level, Grid.kind, Grid.short_name)
        .where(under(Grid.code, story.CITY), Grid.closed_at.is_(None))
        .order_by(Grid.code)
    ).all()
    _story(people, departments)
    told = {login.place for login in story.LOGINS if login.role in (Role.MICRO_CHIEF, Role.VILLAGE_CHIEF)}
    villages = [grid for grid in grids if grid.level == Level.village]
    vacant = set(rng.sample([v.code for v in villages if v.code not in told], VACANT_VILLAGES))
    _city(people, departments)
    for grid in grids:
        if grid.level == Level.township:
            _township(people, grid.code)
    chiefs = {v.code: _village_chief(people, v.code, vacant, today) for v in villages if v.code not in told}
    micro = [grid for grid in grids if grid.level == Level.micro]
    for grid in micro:
        if grid.code not in told and rng.random() >= VACANT_MICRO:
            _micro_chief(people, grid, chiefs.get(grid.code[:12]))
    _workers(people, micro)
    _households(people, villages, micro)
    people.write()
    return {
        "departments": len(departments),
        "persons": len(people.persons),
        "posts": len(people.posts),
        "households": len(people.households),
    }


def _departments(rng: random.Random) -> dict[str, UUID]:
    rows: list[dict[str, Any]] = [
        {
            "id": uuid7_at(utcnow() - SERVED, rng),
            "code": code,
            "name": zh,
            "name_en": en,
            "grid_code": story.CITY,
        }
        for code, (zh, en) in story.DEPARTMENTS.items()
    ]
    session.execute(sa.insert(Department), rows)
    return {row["code"]: row["id"] for row in rows}


def _story(people: People, departments: dict[str, UUID]) -> None:
    for login in story.LOGINS:
        household = None
        if login.role is Role.RESIDENT:
            household = people.id()
            people.households.append(
                {
                    "id": household,
                    "code": f"{login.place}0001",
                    "grid_code": login.place,
                    "head_name": login.name,
                    "address": "泻油村1号",
                }
            )
        person = people.person(login.name, login.phone, household)
        if login.role is Role.DEPARTMENT:
            people.post(person, login.role, department_id=departments[login.place], title=login.title)
            continue
        lines = {Role.MICRO_CHIEF: ("river", "forest"), Role.LINE_CHIEF: ("river", "road")}.get(login.role, ())
        places = [login.place]
        if login.role is Role.WORKER:
            places += [f"{login.place[:12]}{serial:03d}" for serial in range(2, GRIDS_PER_WORKER + 1)]
        for place in places:
            people.post(person, login.role, grid_code=place, title=login.title, lines=lines)
        if login.role is Role.VILLAGE_CHIEF:  # One person in two posts, as is usual; told once of what concerns both.
            people.post(person, Role.LINE_CHIEF, grid_code=login.place, title="村级河长", lines=("river",))


def _city(people: People, departments: dict[str, UUID]) -> None:
    for title in CITY_STAFF:
        people.post(people.person(), Role.CITY_OFFICE, grid_code=story.CITY, title=title)
    people.post(people.person(), Role.CITY_LEADER, grid_code=story.CITY, title="市委副书记、市长")
    people.post(people.person(), Role.ADMINISTRATOR, grid_code=story.CITY)
    people.post(people.person(), Role.LINE_CHIEF, grid_code=story.CITY, title="市级河长", lines=("river",))
    for code, department_id in departments.items():
        told = sum(login.place == code for login in story.LOGINS)
        for title in ("办公室主任", "业务股干部")[told:]:
            people.post(people.person(), Role.DEPARTMENT, department_id=department_id, title=title)


def _township(people: People, code: str) -> None:
    told = [login.role for login in story.LOGINS if login.place == code]
    if Role.TOWNSHIP_CHIEF not in told:
        people.post(people.person(), Role.TOWNSHIP_CHIEF, grid_code=code, title="党委书记")
    for title in TOWNSHIP_STAFF[told.count(Role.TOWNSHIP_OFFICE) :]:
        people.post(people.person(), Role.TOWNSHIP_OFFICE, grid_code=code, title=title)


def _village_chief(people: People, code: str, vacant: set[str], today: date) -> UUID | None:
    """A village's chief.

    Where the place is vacant, the last one's post ran out a month ago and grants nothing.
    """
    person = people.person()
    gone = today - timedelta(days=30) if code in vacant else None
    lines = people.rng.sample(LINES, people.rng.choice((0, 1, 2)))
    people.post(
        person, Role.VILLAGE_CHIEF, grid_code=code, title="党支部书记", lines=sorted(lines), ends_on=gone
    )
    return None if gone else person


def _micro_chief(people: People, grid: Any, village_chief: UUID | None) -> None:
    """A micro grid's chief; one in five carries other lines as well, and some village chiefs lead a group
    themselves.
    """
    rng = people.rng
    person = (
        village_chief
        if village_chief and grid.code.endswith("001") and rng.random() < 0.1
        else people.person()
    )
    lines = sorted(rng.sample(LINES, rng.choice((1, 2)))) if rng.random() < 0.2 else ()
    people.post(person, Role.MICRO_CHIEF, grid_code=grid.code, title=MICRO_TITLES.get(grid.kind), lines=lines)


def _workers(people: People, micro: Sequence[Any]) -> None:
    """Workers, each for a few neighbouring micro grids of one village."""
    told = {login.place for login in story.LOGINS if login.role is Role.WORKER}
    taken = {f"{code[:12]}{serial:03d}" for code in told for serial in range(1, GRIDS_PER_WORKER + 1)}
    in_village: dict[str, list[str]] = {}
    for grid in micro:
        if grid.code not in taken:
            in_village.setdefault(grid.code[:12], []).append(grid.code)
    for codes in in_village.values():
        for at in range(0, len(codes), GRIDS_PER_WORKER):
            person = people.person()
            for code in codes[at : at + GRIDS_PER_WORKER]:
                people.post(person, Role.WORKER, grid_code=code, title="网格员")


def _households(people: People, villages: Sequence[Any], micro: Sequence[Any]) -> None:
    """Households of the story's village and of two villages in each township, with a store clerk for the
    township.
    """
    sampled = {story.VILLAGE}
    townships: dict[str, list[str]] = {}
    for village in villages:
        townships.setdefault(village.code[:9], []).append(village.code)
    for township, codes in townships.items():
        sampled.update(people.rng.sample(codes, SAMPLED))
        people.post(people.person(), Role.STORE_CLERK, grid_code=township, title="积分超市管理员")
    for grid in micro:
        if grid.code[:12] in sampled and grid.kind != names.DEDICATED_KIND:
            for number in range(2, 2 + HOUSEHOLDS_PER_GRID):
                people.household(grid.code, number, grid.short_name)
