"""Who leads a line of work where: the chief of a river, a forest, roads or farmland (河长、林长、路长、田长).

A post carries its lines beside its role, for one person is chief of many things (多长合一): the village's secretary may hold a
post of their own as river chief, or lead a group and carry the river with it. Both are told.
"""

from collections.abc import Collection
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import session
from gridgov.grids.queries import ancestor_codes
from gridgov.people.models import Person, Post
from gridgov.people.queries import enabled, in_force


def led(places: Collection[tuple[str, str]]) -> dict[tuple[str, str], list[UUID]]:
    """Who leads a line of work where, for each (grid code, line): everybody whose post carries the line on that grid or above."""
    codes = {above for code, _line in places for above in ancestor_codes(code)}
    query = sa.select(Post.grid_code, Post.lines, Post.person_id).join(Person, Post.person_id == Person.id)
    lines = sorted({line for _code, line in places})
    held = session.execute(
        query.where(Post.grid_code.in_(codes), Post.lines.overlap(lines), in_force(), enabled())
    ).all()
    return {
        (code, line): list(
            dict.fromkeys(
                person for at, carried, person in held if at and line in carried and code.startswith(at)
            )
        )
        for code, line in places
    }
