"""Who is on duty where, read once: playing the past asks for it thousands of times."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from gridgov.db import session
from gridgov.issues import flow
from gridgov.issues.models import Issue
from gridgov.people import queries as people
from gridgov.people.models import Person, Post, Role

SHANGHAI = ZoneInfo("Asia/Shanghai")
ROLES = (
    Role.MICRO_CHIEF,
    Role.VILLAGE_CHIEF,
    Role.TOWNSHIP_CHIEF,
    Role.TOWNSHIP_OFFICE,
    Role.CITY_OFFICE,
    Role.DEPARTMENT,
    Role.CITY_CHIEF,
    Role.CITY_LEADER,
)


@dataclass(frozen=True)
class Duty:
    """Somebody holds a handling role at a unit, from a day to a day."""

    person: Person
    role: Role
    starts_on: date
    ends_on: date | None


class Roster:
    """The posts of everybody who may handle an issue, by unit."""

    def __init__(self) -> None:
        """Read all posts of handling roles, past ones too."""
        self._at: dict[str | UUID | None, list[Duty]] = {}
        rows = session.execute(
            sa.select(Post, Person)
            .join(Person, Person.id == Post.person_id)
            .where(Post.role.in_(ROLES), people.enabled())
            .order_by(Person.phone)
        )
        for post, person in rows:
            duty = Duty(person, Role(post.role), post.starts_on, post.ends_on)
            self._at.setdefault(post.grid_code or post.department_id, []).append(duty)

    def there(self, issue: Issue, at: datetime) -> list[Duty]:
        """Who may act for the issue's unit on that day."""
        return self._among(issue.unit_code or issue.department_id, set(flow.handler_roles(issue.unit_code)), at)

    def deciders(self, issue: Issue, at: datetime) -> list[Duty]:
        """Who may decide on that day what its handler asks for: the unit one level up, over the city's office its leaders."""
        own = issue.unit_code == issue.decides_code
        roles = {Role.CITY_CHIEF, Role.CITY_LEADER} if own else set(flow.handler_roles(issue.decides_code))
        return self._among(issue.decides_code, roles, at)

    def _among(self, unit: str | UUID | None, roles: set[Role], at: datetime) -> list[Duty]:
        day = at.astimezone(SHANGHAI).date()
        return [
            duty
            for duty in self._at.get(unit, [])
            if duty.role in roles and duty.starts_on <= day and (duty.ends_on is None or day <= duty.ends_on)
        ]
