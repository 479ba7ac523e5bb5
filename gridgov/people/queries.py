"""Shared reads of people: who holds which post today, who is on duty, and how far somebody sees.

Today is the database's day in Asia/Shanghai. A post that has ended or not begun, and any post of a disabled
person, is as good as none.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session, defer

from gridgov.db import session
from gridgov.errors import NotFound
from gridgov.grids.models import Grid
from gridgov.i18n import _
from gridgov.people import roles as policy
from gridgov.people.models import Department, Person, Post, Role, SignInSession
from gridgov.people.roles import Sees

TODAY = sa.select(sa.cast(sa.func.timezone("Asia/Shanghai", sa.func.app_now()), sa.Date)).scalar_subquery()
"""The day it is for posts, in SQL. A scalar subquery, so that it is worked out once and not for every row."""


@dataclass(frozen=True)
class Reach:
    """How far somebody sees by their posts: everything under these grids, what these departments were given, and
    under the grid of a pair in `lines` what belongs to its line of work.
    """

    grids: frozenset[str]
    departments: frozenset[UUID]
    lines: frozenset[tuple[str, str]] = frozenset()

    @property
    def places(self) -> frozenset[str]:
        """Every grid on which a post is held that lets one see anything."""
        return self.grids | {code for code, _line in self.lines} if self.lines else self.grids

    def covers(self, grid_code: str) -> bool:
        """Whether the grid is, or lies under, one of these grids."""
        return any(grid_code.startswith(code) for code in self.grids)


@dataclass(frozen=True)
class PlacedPost:
    """A post with the names of where it is held."""

    post: Post
    grid: Grid | None
    department: Department | None

    @property
    def place(self) -> Any:
        """The name of the grid, or the department's label in both languages, for `i18n.pick`."""
        return self.grid.name if self.grid else self.department and self.department.label


def in_force() -> sa.ColumnElement[bool]:
    """The SQL condition that a row of `posts` is in force today. Join `persons` and add `enabled()` to it."""
    return sa.and_(
        Post.starts_on <= TODAY, sa.or_(Post.ends_on.is_(None), Post.ends_on >= TODAY)
    )


def enabled() -> sa.ColumnElement[bool]:
    """The SQL condition that a row of `persons` is not disabled."""
    return Person.disabled_at.is_(None)


def _duty(unit: Any) -> Any:
    roles = sa.bindparam("roles", type_=sa.ARRAY(sa.String))
    held = sa.select(sa.literal(1)).select_from(Post).join(Person, Post.person_id == Person.id)
    held = held.where(unit == sa.bindparam("unit"), Post.role == sa.any_(roles), in_force(), enabled())
    return sa.select(held.exists())


def _posts_of(query: Any) -> Any:
    held = query.join(Person, Post.person_id == Person.id)
    held = held.where(Post.person_id == sa.bindparam("person_id"), in_force(), enabled())
    return held.order_by(Post.starts_on, Post.id)


# Built once: nearly every request runs one of them, and building costs as much as running.
DUTY_AT_GRID, DUTY_IN_DEPARTMENT = _duty(Post.grid_code), _duty(Post.department_id)
LIVE_POSTS = _posts_of(sa.select(Post))
PLACED_POSTS = _posts_of(
    sa.select(Post, Grid, Department)
    .options(defer(Grid.boundary))
    .outerjoin(Grid, Post.grid_code == Grid.code)
    .outerjoin(Department, Post.department_id == Department.id)
)


def live_posts(person: Person) -> list[Post]:
    """The posts this person holds today, oldest first. One query per person and request; later calls are
    free.
    """
    known = _known_posts()
    if person.id not in known:
        known[person.id] = list(session.scalars(LIVE_POSTS, {"person_id": person.id}))
    return known[person.id]


def learn_posts(posts: Mapping[UUID, list[Post]]) -> None:
    """Take it from the caller who holds which posts today; for the rest of the transaction `live_posts` of each is free."""
    _known_posts().update(posts)


def placed_posts(person: Person) -> list[PlacedPost]:
    """The posts held today with their places, for pages. Answers `live_posts` of this person too."""
    found = [PlacedPost(*row) for row in session.execute(PLACED_POSTS, {"person_id": person.id})]
    _known_posts()[person.id] = [placed.post for placed in found]
    return found


def roles(person: Person) -> set[Role]:
    """The roles held today, anywhere."""
    return {Role(post.role) for post in live_posts(person)}


def roles_over(
    person: Person, *, grid_code: str | None = None, department_id: UUID | None = None
) -> set[Role]:
    """The roles held today on this grid or one above it, or in this department."""
    return {
        Role(post.role)
        for post in live_posts(person)
        if (grid_code and post.grid_code and grid_code.startswith(post.grid_code))
        or (department_id and post.department_id == department_id)
    }


def roles_at(person: Person, *, grid_code: str | None = None, department_id: UUID | None = None) -> set[Role]:
    """The roles held today at exactly this unit: the grid, or the department."""
    return {
        Role(post.role)
        for post in live_posts(person)
        if (grid_code and post.grid_code == grid_code)
        or (department_id and post.department_id == department_id)
    }


def reach(person: Person) -> Reach:
    """How far this person sees today. What people reported themselves they see besides."""
    return _reach(live_posts(person))


def reaches(person_ids: Collection[UUID]) -> dict[UUID, Reach]:
    """How far each of these people sees today, in one query; nobody who is disabled."""
    query = sa.select(Person.id, Post).outerjoin(Post, sa.and_(Post.person_id == Person.id, in_force()))
    held: dict[UUID, list[Post]] = {}
    for person_id, post in session.execute(query.where(Person.id.in_(person_ids), enabled())):
        held.setdefault(person_id, []).extend([post] if post else [])
    return {person_id: _reach(posts) for person_id, posts in held.items()}


def _reach(held: Iterable[Post]) -> Reach:
    rules = policy.current()
    posts = [(post, rules[post.role].sees) for post in held]
    return Reach(
        frozenset(post.grid_code for post, sees in posts if sees == Sees.SUBTREE and post.grid_code),
        frozenset(
            post.department_id for post, sees in posts if sees == Sees.DEPARTMENT and post.department_id
        ),
        frozenset(
            (post.grid_code, line) for post, sees in posts if sees == Sees.LINE and post.grid_code for line in post.lines
        ),
    )


def on_duty(
    *, grid_code: str | None = None, department_id: UUID | None = None, roles: Collection[str] | None = None
) -> bool:
    """Whether somebody is there to act for a unit: holds one of `roles` at it today (default: the handling
    roles).
    """
    _one_unit(grid_code, department_id)
    given = {"unit": grid_code or department_id, "roles": _role_names(roles)}
    return session.connection().execute(DUTY_AT_GRID if grid_code else DUTY_IN_DEPARTMENT, given).scalar_one()


def on_duty_among(grid_codes: Iterable[str], roles: Collection[str] | None = None) -> set[str]:
    """Those of these grids where somebody is on duty today, in one query: for finding who is next on the way
    up.
    """
    query = sa.select(Post.grid_code).distinct().join(Person, Post.person_id == Person.id)
    query = query.where(Post.grid_code.in_(list(grid_codes)), _one_of(roles), in_force(), enabled())
    return {code for code in session.scalars(query) if code}


def holders(
    *, grid_code: str | None = None, department_id: UUID | None = None, roles: Collection[str] | None = None
) -> Sequence[Person]:
    """The people who hold one of `roles` at exactly this unit today (default: the handling roles)."""
    held = _held_at(sa.select(Post.person_id), grid_code, department_id, roles)
    return session.scalars(sa.select(Person).where(Person.id.in_(held)).order_by(Person.id)).all()


def holders_among(grid_codes: Collection[str], department_ids: Collection[UUID]) -> list[tuple[str | None, UUID | None, Role, UUID]]:
    """(grid_code, department_id, role, person_id) of everybody with a post at one of these units today, in one query."""
    query = sa.select(Post.grid_code, Post.department_id, Post.role, Post.person_id).join(Person, Post.person_id == Person.id)
    there = sa.or_(Post.grid_code.in_(grid_codes), Post.department_id.in_(department_ids))
    found = session.execute(query.where(there, in_force(), enabled()).order_by(Post.person_id))
    return [(code, department, role, person_id) for code, department, role, person_id in found]


def by_phone(phone: str) -> Person | None:
    """The person with this phone number, disabled or not."""
    return session.scalar(sa.select(Person).where(Person.phone == phone))


def get(person_id: UUID) -> Person:
    """The person with this id, disabled or not. Raises NotFound."""
    person = session.get(Person, person_id)
    if person is None:
        raise NotFound(_("There is no such person."))
    return person


def departments(*, under: str | None = None) -> Sequence[Department]:
    """Open departments by code: all, or those of a grid and of what lies under it."""
    query = sa.select(Department).where(Department.closed_at.is_(None)).order_by(Department.code)
    if under:
        query = query.where(Department.grid_code.startswith(under))
    return session.scalars(query).all()


def department(code: str) -> Department:
    """The open department with this code. Raises NotFound."""
    found = session.scalar(
        sa.select(Department).where(Department.code == code, Department.closed_at.is_(None))
    )
    if found is None:
        raise NotFound(_("There is no such department."))
    return found


def lasting() -> sa.ColumnElement[bool]:
    """The SQL condition that a row of `sessions` has neither idled out nor reached its end."""
    idle = sa.func.make_interval(0, 0, 0, 0, 0, 0, SignInSession.idle_s)
    return sa.and_(
        SignInSession.last_seen_at + idle > sa.func.app_now(),
        SignInSession.expires_at > sa.func.app_now(),
    )


def forget_posts() -> None:
    """Drop the posts remembered for this transaction, because one of them was changed."""
    session.info.pop("live_posts", None)


def _held_at(
    query: Any, grid_code: str | None, department_id: UUID | None, roles: Collection[str] | None
) -> Any:
    _one_unit(grid_code, department_id)
    place = Post.grid_code == grid_code if grid_code else Post.department_id == department_id
    held = query.select_from(Post).join(Person, Post.person_id == Person.id)
    return held.where(place, _one_of(roles), in_force(), enabled())


def _one_unit(grid_code: str | None, department_id: UUID | None) -> None:
    if (grid_code is None) == (department_id is None):
        raise ValueError("name one unit: a grid or a department")


def _one_of(roles: Collection[str] | None) -> sa.ColumnElement[bool]:
    return Post.role.in_(_role_names(roles))


def _role_names(roles: Collection[str] | None) -> list[str]:
    return sorted(policy.current().handling if roles is None else roles)


def _known_posts() -> dict[UUID, list[Post]]:
    """What was read in this transaction at this reading of the clock; nothing before the clock was read.

    Signing in reads it along, so a request always remembers. When tests or simulations move it, posts are
    read anew.
    """
    known, then = session.info.get("live_posts", ({}, None))
    now = session.info.get("now")
    if now is None or then is not now:
        known = {}
        session.info["live_posts"] = (known, now)
    return known


@event.listens_for(Session, "after_commit")
@event.listens_for(Session, "after_soft_rollback")
def _forget(target: Session, *_: Any) -> None:
    target.info.pop("live_posts", None)
