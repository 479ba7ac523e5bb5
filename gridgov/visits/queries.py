"""Who sees visits: whoever made them, the chiefs of the grid and of those above, and the offices above. Nobody else."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from gridgov import paging
from gridgov.db import session
from gridgov.errors import NotFound
from gridgov.grids import queries as grids
from gridgov.i18n import _
from gridgov.people import queries as people
from gridgov.people.models import Person, Role
from gridgov.visits.models import Visit

VISIT = (Role.WORKER, Role.MICRO_CHIEF, Role.VILLAGE_CHIEF)
"""Whose work it is to visit, in the own grid."""
OVERSEE = (Role.MICRO_CHIEF, Role.VILLAGE_CHIEF, Role.TOWNSHIP_CHIEF, Role.TOWNSHIP_OFFICE, Role.CITY_OFFICE)


def in_sight(person: Person) -> sa.ColumnElement[bool]:
    """The SQL condition that this person sees a visit."""
    over = [post.grid_code for post in people.live_posts(person) if post.role in OVERSEE and post.grid_code]
    return sa.or_(
        Visit.visitor_id == person.id, *(grids.under(Visit.grid_code, code) for code in sorted(over))
    )


def visible(person: Person, visit_id: UUID, *, lock: bool = False) -> Visit:
    """The visit, if this person may see it; with `lock` FOR UPDATE. Raises NotFound."""
    query = sa.select(Visit).where(Visit.id == visit_id, in_sight(person))
    found = session.scalar(
        query.with_for_update().execution_options(populate_existing=True) if lock else query
    )
    if found is None:
        raise NotFound(_("There is nothing here, or it is not yours to see."))
    return found


def places(person: Person) -> list[str]:
    """The grids in which this person's work is to visit."""
    held = {post.grid_code for post in people.live_posts(person) if post.role in VISIT and post.grid_code}
    return sorted(held)


def place_options(person: Person) -> list[tuple[str, str]]:
    """The own grids and the micro grids under them, as (code, name)."""
    codes = {code for own in places(person) for code in (own, *(grid.code for grid in grids.children(own)))}
    names = grids.short_names({above for code in codes for above in grids.ancestor_codes(code)})
    return [
        (code, " ".join(names[part] for part in grids.ancestor_codes(code)[2:])) for code in sorted(codes)
    ]


@dataclass(frozen=True)
class Row:
    """A visit in a list, with the names that belong to it."""

    visit: Visit
    place: str
    visitor: str


def page(person: Person, *, cursor: str | None = None, limit: int = paging.LIMIT) -> paging.Page:
    """Visits this person sees, the newest first, in a fixed number of statements. Raises Invalid for a broken cursor."""
    query = sa.select(Visit).where(in_sight(person))
    if cursor:
        query = query.where(Visit.id < paging.decode(cursor, UUID)[0])
    found = session.scalars(query.order_by(Visit.id.desc()).limit(limit + 1)).all()
    return paging.Page(
        rows(found[:limit]), paging.encode(found[limit - 1].id) if len(found) > limit else None
    )


def rows(visits: Sequence[Visit]) -> list[Row]:
    """Names and places for visits, in two statements however many there are."""
    names = grids.short_names({above for v in visits for above in grids.ancestor_codes(v.grid_code)})
    ids = {v.visitor_id for v in visits}
    who = {
        row.id: row.name
        for row in session.execute(sa.select(Person.id, Person.name).where(Person.id.in_(ids)))
    }
    return [
        Row(v, " ".join(names[code] for code in grids.ancestor_codes(v.grid_code)[1:]), who[v.visitor_id])
        for v in visits
    ]
