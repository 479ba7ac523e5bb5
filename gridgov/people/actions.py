"""Every administrative write about people: who there is, which posts they hold, who may no longer come in.

Each is recorded in `admin_log`. The right to do it is an administrator's post; `actor=None` is the system.
"""

import re
from collections.abc import Collection
from datetime import date, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from gridgov import policy
from gridgov.db import session, utcnow
from gridgov.errors import Conflict, Invalid, NotPermitted
from gridgov.grids import queries as grids
from gridgov.i18n import _
from gridgov.people import queries, roles as role_policy, security
from gridgov.people.models import (
    PHONE,
    AdminAct,
    ApiToken,
    Department,
    Household,
    Person,
    Post,
    Role,
    SignInSession,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")


def require(actor: Person | None, *roles: Role, grid_code: str | None = None) -> None:
    """Raise NotPermitted unless the actor holds one of these roles today, on `grid_code` or above it if that
    is given.
    """
    if actor is None:
        return
    held = queries.roles_over(actor, grid_code=grid_code) if grid_code else queries.roles(actor)
    if not held.intersection(roles):
        raise NotPermitted(_("Your posts do not allow this."))


def today() -> date:
    """The database's day in Asia/Shanghai."""
    return utcnow().astimezone(SHANGHAI).date()


def create_person(
    name: str,
    phone: str,
    *,
    actor: Person | None,
    password: str | None = None,
    language: str = "zh",
    household_id: UUID | None = None,
) -> Person:
    """Enter somebody. Without a password they cannot sign in yet. Raises Invalid, Conflict for a phone number
    in use.
    """
    require(actor, Role.ADMINISTRATOR)
    name = name.strip()
    if not name or len(name) > 60:
        raise Invalid(_("A name of 1 to 60 characters."), field="name")
    if not re.fullmatch(PHONE, phone):
        raise Invalid(_("A mobile number has 11 digits and begins with 1."), field="phone")
    if queries.by_phone(phone):
        raise Conflict(
            _("Somebody with this phone number is entered already."), code="phone_in_use", field="phone"
        )
    kept = None
    if password is not None:
        security.check_password(password, phone=phone)
        kept = security.hash_password(password)
    person = Person(name=name, phone=phone, password_hash=kept, language=language, household_id=household_id)
    session.add(person)
    session.flush()
    record("create_person", person, actor=actor)
    return person


def create_household(
    code: str, grid_code: str, head_name: str, *, address: str = "", actor: Person | None
) -> Household:
    """Enter a household in a micro grid."""
    require(actor, Role.ADMINISTRATOR, grid_code=grid_code)
    household = Household(code=code, grid_code=grid_code, head_name=head_name, address=address)
    session.add(household)
    session.flush()
    record("create_household", None, actor=actor, code=code, grid_code=grid_code)
    return household


def create_department(
    code: str, name: str, grid_code: str, *, name_en: str = "", actor: Person | None
) -> Department:
    """Enter a department of the city, or a township's station of one."""
    require(actor, Role.ADMINISTRATOR, grid_code=grid_code)
    department = Department(code=code, name=name, name_en=name_en, grid_code=grid_code)
    session.add(department)
    session.flush()
    record("create_department", None, actor=actor, code=code, grid_code=grid_code)
    return department


def appoint(
    person: Person,
    role: Role,
    *,
    actor: Person | None,
    grid_code: str | None = None,
    department_id: UUID | None = None,
    starts_on: date | None = None,
    ends_on: date | None = None,
    lines: Collection[str] = (),
    title: str | None = None,
) -> Post:
    """Give somebody a post, from `starts_on` (default today) to `ends_on` inclusive (default open-ended).

    Raises NotPermitted for anybody but an administrator above the place, and for appointing oneself; Invalid
    for a place that does not fit the role; Conflict when the same post is held already in that time, or the
    offices are kept apart.
    """
    require(actor, Role.ADMINISTRATOR)
    place = _check_place(role, grid_code, department_id)
    require(actor, Role.ADMINISTRATOR, grid_code=place)
    if actor is not None and actor.id == person.id:
        raise NotPermitted(
            _("Nobody appoints themselves: another administrator must do it."), code="own_appointment"
        )
    if not person.is_active:
        raise Conflict(_("This person is shut out; let them in first."), code="disabled")
    starts_on = starts_on or today()
    if ends_on and ends_on < starts_on:
        raise Invalid(_("The last day lies before the first."), field="ends_on")
    if unknown := set(lines) - set(policy.LINES):
        raise Invalid(_("Unknown line of work: %(line)s.", line=", ".join(sorted(unknown))), field="lines")
    if role == Role.LINE_CHIEF and not lines:
        raise Invalid(_("The chief of a line needs at least one line of work."), field="lines")
    post = Post(
        person_id=person.id, role=role, grid_code=grid_code, department_id=department_id, lines=sorted(lines),
        title=title, starts_on=starts_on, ends_on=ends_on,
    )  # fmt: skip
    _write(post)
    if role_policy.current()[role].desk:
        # New rights begin with a new sign-in, and a desk's session must not last as long as a phone's.
        end_sessions(person)
    record(
        "appoint", person, actor=actor, post_id=str(post.id), role=role, place=grid_code or str(department_id)
    )
    return post


def end_post(post: Post, *, actor: Person | None, last_day: date | None = None) -> None:
    """End a post after `last_day`; without one it grants nothing from this moment on."""
    department = session.get(Department, post.department_id) if post.department_id else None
    require(actor, Role.ADMINISTRATOR, grid_code=department.grid_code if department else post.grid_code)
    session.refresh(post, with_for_update=True)
    last = last_day or today() - timedelta(days=1)
    if post.ends_on and post.ends_on <= last:
        raise Conflict(_("This post has ended already."))
    post.ends_on, post.ended_at = max(last, post.starts_on - timedelta(days=1)), utcnow()
    session.flush()
    queries.forget_posts()
    person = queries.get(post.person_id)
    record(
        "end_post",
        person,
        actor=actor,
        post_id=str(post.id),
        role=post.role,
        last_day=post.ends_on.isoformat(),
    )


def disable(person: Person, *, actor: Person | None) -> None:
    """Shut somebody out from this moment on: sessions and tokens end, posts grant nothing. What they did
    stays.
    """
    require(actor, Role.ADMINISTRATOR)
    if actor is not None and actor.id == person.id:
        raise NotPermitted(_("Nobody shuts themselves out."), code="own_account")
    person.disabled_at = person.disabled_at or utcnow()
    end_sessions(person)
    session.execute(
        sa.update(ApiToken)
        .where(ApiToken.person_id == person.id, ApiToken.revoked_at.is_(None))
        .values(revoked_at=utcnow())
    )
    session.flush()
    queries.forget_posts()
    record("disable", person, actor=actor)


def enable(person: Person, *, actor: Person | None) -> None:
    """Let somebody in again, with the posts they still hold."""
    require(actor, Role.ADMINISTRATOR)
    person.disabled_at = None
    session.flush()
    queries.forget_posts()
    record("enable", person, actor=actor)


def set_password(person: Person, password: str, *, actor: Person | None) -> None:
    """Give somebody a new password, for one that was forgotten; all their sessions end."""
    require(actor, Role.ADMINISTRATOR)
    security.check_password(password, phone=person.phone)
    person.password_hash = security.hash_password(password)
    end_sessions(person)
    session.flush()
    record("set_password", person, actor=actor)


def set_preferences(person: Person, *, language: str | None = None, elder_view: bool | None = None) -> None:
    """Keep how somebody wants to see the pages."""
    if language is not None:
        person.language = language
    if elder_view is not None:
        person.elder_view = elder_view
    session.flush()


def end_sessions(person: Person, *, but: UUID | None = None) -> int:
    """Sign somebody out everywhere, except in the session `but`. Returns how many sessions ended."""
    gone = sa.delete(SignInSession).where(SignInSession.person_id == person.id)
    if but is not None:
        gone = gone.where(SignInSession.id != but)
    return session.execute(gone).rowcount  # type: ignore[attr-defined]


def record(act: str, person: Person | None, *, actor: Person | None, **detail: Any) -> None:
    """Write a line in the log of administrative acts."""
    session.add(AdminAct(act=act, person_id=person and person.id, actor_id=actor and actor.id, detail=detail))
    session.flush()


def _check_place(role: Role, grid_code: str | None, department_id: UUID | None) -> str:
    """The code of the grid that the place is, or that its department belongs to."""
    rule = role_policy.current()[role]
    if rule.on_grid != (grid_code is not None) or rule.on_grid == (department_id is not None):
        raise Invalid(
            _("This role is held on a grid, or in a department, not the other way round."), field="role"
        )
    if grid_code is None:
        department = session.get(Department, department_id)
        if department is None or department.closed_at is not None:
            raise Invalid(_("There is no such department."), field="department_id")
        return department.grid_code
    grid = grids.get(grid_code)
    if grid.level not in rule.levels:
        raise Invalid(
            _("This role is not held on a grid of this level."), code="wrong_level", field="grid_code"
        )
    if grid.closed_at is not None:
        raise Conflict(_("This grid is closed."), field="grid_code")
    return grid_code


def _write(post: Post) -> None:
    """Insert a post; the database's own rules become refusals in words."""
    reasons = {
        "posts_held_once": ("post_held", _("This person holds this post already in that time.")),
        "uq_posts_open_ended": ("post_held", _("This person holds this post already in that time.")),
        "posts_kept_apart": ("kept_apart", _("Administrators and auditors hold no other office.")),
    }
    try:
        with session.begin_nested():
            session.add(post)
    except IntegrityError as error:
        name = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        if name not in reasons:
            raise
        code, message = reasons[name]
        raise Conflict(message, code=code) from None
    queries.forget_posts()
