"""Reads of what could not be brought, and of the addresses of groups: for administrators. Each is one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import load_only

from gridgov import paging
from gridgov.db import session
from gridgov.grids.models import Grid
from gridgov.issues.models import Issue
from gridgov.notices.models import Address, Delivery, Preference, State
from gridgov.people.models import Department, Person


@dataclass(frozen=True)
class Owned:
    """An address with whom it belongs to."""

    address: Address
    person: str | None
    grid: Grid | None
    department: Department | None


@dataclass(frozen=True)
class Trouble(Owned):
    """A delivery that did not arrive, or waits for its address to work."""

    delivery: Delivery
    number: str | None
    sealed: bool

    @property
    def hint(self) -> str | None:
        """What the address looks like; nothing where it would tell whose a sealed report is."""
        return None if self.sealed else self.address.hint


TO_REPORTER = ("reporter", "looked")
# Held until a time is no trouble: it is the night, or a digest. Written out, so that the partial index serves.
TROUBLED = sa.and_(
    sa.text("deliveries.state IN ('failed', 'held', 'dead')"),
    sa.or_(Delivery.state != State.HELD, Delivery.due_at.is_(None)),
)


def deliveries(*, state: str | None = None, cursor: str | None = None, limit: int = paging.LIMIT) -> paging.Page:
    """What is in trouble, newest first: of one state, or all."""
    # The number of a sealed report beside its reporter's name would break the seal.
    sealed = sa.func.coalesce(sa.and_(Issue.confidential, Delivery.audience.in_(TO_REPORTER)), sa.false())
    name = sa.case((sealed, None), else_=Person.name)
    query = _owned(sa.select(Address, name, Grid, Department, Delivery, Issue.number, sealed).join_from(
        Delivery, Address, Address.id == Delivery.address_id
    )).outerjoin(Issue, Issue.id == Delivery.issue_id)  # fmt: skip
    query = query.where(TROUBLED).order_by(Delivery.id.desc()).limit(limit + 1)
    if state:
        query = query.where(Delivery.state == state)
    if cursor:
        query = query.where(Delivery.id < paging.decode(cursor, UUID)[0])
    rows = [Trouble(*row) for row in session.execute(query)]
    after = paging.encode(rows[limit - 1].delivery.id) if len(rows) > limit else None
    return paging.Page(rows[:limit], after)


def counts() -> dict[str, int]:
    """How many are in trouble, by state."""
    query = sa.select(Delivery.state, sa.func.count()).where(TROUBLED).group_by(Delivery.state)
    found = {str(state): n for state, n in session.execute(query)}
    return {str(state): found.get(state, 0) for state in (State.DEAD, State.FAILED, State.HELD)}


def bad(limit: int = paging.LIMIT) -> Sequence[Owned]:
    """Addresses that are marked as not working, those marked last first."""
    query = _owned(sa.select(Address, Person.name, Grid, Department).select_from(Address))
    query = query.where(sa.text("addresses.bad_since IS NOT NULL AND addresses.removed_at IS NULL"))
    return [Owned(*row) for row in session.execute(query.order_by(Address.bad_since.desc()).limit(limit))]


def groups(limit: int = 500) -> Sequence[Owned]:
    """The addresses of all units' groups, by unit."""
    query = _owned(sa.select(Address, Person.name, Grid, Department).select_from(Address))
    query = query.where(Address.person_id.is_(None), Address.removed_at.is_(None))
    query = query.order_by(Address.unit_code.nulls_last(), Address.id).limit(limit)
    return [Owned(*row) for row in session.execute(query)]


def wanted(person: Person) -> Preference:
    """How this person wants to be told; the defaults when they never said."""
    return session.get(Preference, person.id) or Preference(person_id=person.id)


def _owned(query: sa.Select) -> sa.Select:
    return (
        query.outerjoin(Person, Person.id == Address.person_id)
        .outerjoin(Grid, Grid.code == Address.unit_code)
        .outerjoin(Department, Department.id == Address.department_id)
        .options(load_only(Grid.code, Grid.name, Grid.level))
    )
