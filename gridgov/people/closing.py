"""What an import is told when grids close on which people still hold posts."""

from collections.abc import Sequence

import sqlalchemy as sa

from gridgov.db import session
from gridgov.i18n import ngettext
from gridgov.people.models import Person, Post
from gridgov.people.queries import enabled, in_force

NAMED = 10


def posts_on(codes: Sequence[str]) -> list[str]:
    """A sentence about the posts held today on these grids, with the first few places."""
    rows = session.execute(
        sa.select(Post.grid_code, sa.func.count())
        .join(Person, Person.id == Post.person_id)
        .where(Post.grid_code.in_(codes), in_force(), enabled())
        .group_by(Post.grid_code)
        .order_by(Post.grid_code)
    ).all()
    if not rows:
        return []
    number = sum(count for _code, count in rows)
    places = ", ".join(code or "" for code, _count in rows[:NAMED]) + (" …" if len(rows) > NAMED else "")
    words = ngettext(
        "%(num)d post is still held on closed grids: %(places)s",
        "%(num)d posts are still held on closed grids: %(places)s",
        number,
        places=places,
    )
    return [words]
