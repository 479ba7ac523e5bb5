"""Shared reads of issues: who sees which, one's own work, an office's queue, the story of one.

Lists read a fixed number of statements however long they are.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gridgov import paging
from gridgov.db import session, utcnow
from gridgov.errors import Invalid, NotFound
from gridgov.grids import queries as grids
from gridgov.i18n import _
from gridgov.issues import accused, flow, part_models, sight, telling
from gridgov.issues.models import Category, Hop, Issue, IssueEvent, IssuePhoto
from gridgov.issues.names import Names, unit_names
from gridgov.people import queries as people
from gridgov.people.models import Department, Person, Role
from gridgov.photos.models import Photo
from gridgov.workflow import Transition

COLOURS = ("red", "yellow", "green")
SORTS = ("due", "newest")
VIEWS = ("mine", "all")


def in_sight(person: Person) -> sa.ColumnElement[bool]:
    """The SQL condition that this person may see an issue: reported it, follows it, or a post reaches it today. A post on a grid
    reaches what lies under it, and what a unit or department under it answers for, has a part of or is to decide; a department
    what it was given, whole or in part. Nobody's post reaches what is about their own unit.
    """
    return within(people.reach(person), Issue.reporter_id == person.id, sight.followed_by(person.id))


def visible(person: Person, issue_id: UUID, *, lock: bool = False) -> Issue:
    """The issue, if this person may see it; with `lock` FOR UPDATE. Raises NotFound for what is not there and what is
    out of sight alike.
    """
    issue = session.scalar(_one(people.reach(person), lock), {"wanted": issue_id, "me": person.id})
    if issue is None:
        raise out_of_sight()
    return issue


def within(reach: people.Reach, *own: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """The SQL condition that a post of this reach, or one of somebody's `own` ways, leads to an issue."""
    ways: list[sa.ColumnElement[bool]] = []
    for code in sorted(reach.grids):
        ways += [grids.under(column, code) for column in (Issue.grid_code, Issue.unit_code, Issue.decides_code)]
        here = sa.select(Department.id).where(grids.under(Department.grid_code, code))
        ways.append(Issue.department_id.in_(here))
    ways += [sa.and_(Issue.line == line, grids.under(Issue.grid_code, code)) for code, line in sorted(reach.lines)]
    if reach.departments:
        given = sa.select(Hop.issue_id).where(Hop.department_id.in_(reach.departments))
        ways.append(Issue.id.in_(given))
    if reach.grids or reach.departments:
        ways.append(part_models.seen(reach))
    return sa.or_(sa.and_(accused.unseen_by(reach), sa.or_(sa.false(), *ways)), *own)


@functools.lru_cache(maxsize=2_000)
def _one(reach: people.Reach, lock: bool) -> Any:
    """The statement for one issue within a reach. Kept, for building it costs as much as running it."""
    own = (Issue.reporter_id == sa.bindparam("me"), sight.followed_by(sa.bindparam("me")))
    query = sa.select(Issue).where(Issue.id == sa.bindparam("wanted"), within(reach, *own))
    return query.with_for_update().execution_options(populate_existing=True) if lock else query


def out_of_sight() -> NotFound:
    """The one answer for what is not there and for what may not be seen."""
    return NotFound(_("There is nothing here, or it is not yours to see."))


def may_see_photo(person: Person, photo: Photo) -> bool:
    """Whether a photo hangs on an issue that this person may see: of a confidential one not as a follower alone."""
    hung = sa.select(IssuePhoto.issue_id).where(IssuePhoto.photo_id == photo.id)
    own = within(people.reach(person), Issue.reporter_id == person.id, sa.and_(sight.followed_by(person.id), ~Issue.confidential))
    # Of what was merged into another, whoever is to see to that one sees the photos too.
    into = sa.select(Issue.merged_into_id).where(Issue.id.in_(hung), Issue.merged_into_id.is_not(None))
    there = sa.and_(Issue.id.in_(into.correlate(None)), within(people.reach(person)))
    found = sa.select(Issue.id).where(sa.or_(sa.and_(Issue.id.in_(hung), own), there))
    return bool(session.scalar(sa.select(found.exists())))


def sees_reporter(person: Person | None, issue: Issue) -> bool:
    """Whether the reporter's name may be shown: never to followers. A sealed one is shown to themselves; all others must look,
    on record.
    """
    if person is not None and person.id == issue.reporter_id:
        return True
    return not issue.confidential and not (person is not None and sight.only_follows(person, issue))


def transitions(person: Person, issue: Issue) -> list[Transition]:
    """What this person may do with the issue now, in the workflow's order."""
    actors = flow.actors(person, issue, people.live_posts(person))
    return flow.current().available(issue, person, actors, utcnow())


# Lists ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """An issue as a list shows it, with the names that belong to it."""

    issue: Issue
    category: Category
    place: str
    unit: str
    thumb: UUID | None

    @property
    def colour(self) -> str:
        """green, yellow in the last part of the time, red past the deadline, grey when it has ended."""
        return colour(self.issue, utcnow())


def colour(issue: Any, now: datetime) -> str:
    """The warning colour of anything with due_at and warn_at. Green normal, yellow in the last 20 % of the time, red overdue."""
    if issue.due_at is None:
        return "grey"
    if now > issue.due_at:
        return "red"
    return "yellow" if issue.warn_at and now >= issue.warn_at else "green"


def mine(person: Person, *, cursor: str | None = None, limit: int = paging.LIMIT) -> paging.Page:
    """What this person reported, newest first."""
    return page(Issue.reporter_id == person.id, sort="newest", cursor=cursor, limit=limit)


def todo(person: Person, *, cursor: str | None = None, limit: int = paging.LIMIT) -> paging.Page:
    """Open issues that wait for this person's units, most urgent first; for a worker those of the own grid."""
    return page(waits(person), sort="due", cursor=cursor, limit=limit)


def todo_count(person: Person, *, most: int = 100) -> int:
    """How many issues wait for this person, counted up to `most`. On every page, so it is plain SQL."""
    codes, reach = handled_codes(person), people.reach(person)
    departments, unseen = sorted(reach.departments), accused.unseen(reach) or "true"
    at_grids = ["unit_code = ANY(:codes)", "decides_code = ANY(:codes)", part_models.WAITS_AT_GRID]
    ways = at_grids * bool(codes) + ["department_id = ANY(:departments)", part_models.WAITS_IN_DEPARTMENT] * bool(departments)
    if not ways:
        return 0
    some = f"SELECT 1 FROM issues WHERE ended_at IS NULL AND ({' OR '.join(ways)}) AND {unseen} LIMIT :most"  # noqa: S608 – constants of this function.
    given = {"codes": codes, "departments": departments, "most": most}
    wanted = {k: v for k, v in given.items() if f":{k}" in some}
    return session.connection().execute(sa.text(f"SELECT count(*) FROM ({some}) AS waiting"), wanted).scalar_one()  # noqa: S608


def handles(person: Person) -> bool:
    """Whether this person has work of their own to do: a handling post, or a worker's."""
    return bool(handled_codes(person) or people.reach(person).departments)


def handled_codes(person: Person) -> list[str]:
    """Grids this person acts for today."""
    return sorted(
        {
            post.grid_code
            for post in people.live_posts(person)
            if post.grid_code
            and (post.role == Role.WORKER or post.role in flow.handler_roles(post.grid_code))
        }
    )


def own_units(person: Person) -> dict[str, Any]:
    """Grids and departments this person acts for, as the SQL of part_models.DUE takes them."""
    return {"own_codes": handled_codes(person), "own_departments": sorted(people.reach(person).departments)}


def waits(person: Person) -> sa.ColumnElement[bool]:
    """The SQL condition that an issue is open and a unit of this person's has it, has a part to do, or is to decide."""
    codes, reach = handled_codes(person), people.reach(person)
    belongs = sa.or_(sa.false(), *_belongs(codes, reach.departments))
    return sa.and_(belongs, Issue.ended_at.is_(None), accused.unseen_by(reach))


def _belongs(codes: Sequence[str], departments: frozenset[UUID]) -> list[sa.ColumnElement[bool]]:
    ways: list[sa.ColumnElement[bool]] = []
    if codes:
        ways += [Issue.unit_code.in_(codes), Issue.decides_code.in_(codes)]
    if departments:
        ways.append(Issue.department_id.in_(departments))
    return [*ways, part_models.waiting(codes, departments)] if ways else ways


def page(condition: Any, *, sort: str, cursor: str | None, limit: int) -> paging.Page:
    """A page of the issues that fulfil a condition, as rows. Raises Invalid for an unknown order or a broken cursor."""
    limit = max(1, min(limit, paging.LIMIT_MAX))
    query = sa.select(Issue).where(condition).limit(limit + 1)
    if sort == "newest":
        query = query.order_by(Issue.id.desc())
        if cursor:
            query = query.where(Issue.id < paging.decode(cursor, UUID)[0])
    elif sort == "due":
        last = sa.literal(paging.FAR, type_=Issue.reported_at.type)
        due = sa.func.coalesce(Issue.due_at, last)
        query = query.order_by(Issue.due_at.asc().nulls_last(), Issue.id)
        if cursor:
            at, last_id = paging.decode(cursor, datetime, UUID)
            query = query.where(sa.tuple_(due, Issue.id) > (at, last_id))
    else:
        raise Invalid(_("There is no such order."), field="sort")
    found = list(session.scalars(query))
    more = found[limit:]
    found = found[:limit]
    after = None
    if more:
        end = found[-1]
        after = paging.encode(end.id) if sort == "newest" else paging.encode(end.due_at or paging.FAR, end.id)
    return paging.Page(rows(found), after)


def rows(issues: Sequence[Issue]) -> list[Row]:
    """Names, places and thumbnails for a list of issues, in four statements however many there are."""
    if not issues:
        return []
    names = unit_names(issues)
    about = sa.select(Category).where(Category.code.in_({i.category_code for i in issues}))
    kinds = {c.code: c for c in session.scalars(about)}
    first = sa.select(IssuePhoto.issue_id, sa.func.min(sa.cast(IssuePhoto.photo_id, sa.Text)))
    first = first.where(IssuePhoto.issue_id.in_([i.id for i in issues]), IssuePhoto.stage == "before")
    thumbs = dict(session.execute(first.group_by(IssuePhoto.issue_id)).all())
    return [
        Row(i, kinds[i.category_code], names.place(i.grid_code), names.unit(i.unit_code, i.department_id),
            UUID(thumbs[i.id]) if i.id in thumbs else None)
        for i in issues
    ]  # fmt: skip


# One issue ------------------------------------------------------------------------------------------------------------


# Built once: every page of an issue runs them all.
OF_ISSUE: Any = sa.bindparam("issue_id")
EVENTS = sa.select(IssueEvent).where(IssueEvent.issue_id == OF_ISSUE).order_by(IssueEvent.seq)
HOPS = sa.select(Hop).where(Hop.issue_id == OF_ISSUE).order_by(Hop.n)
HUNG = sa.select(IssuePhoto.seq, IssuePhoto.photo_id, IssuePhoto.stage).where(IssuePhoto.issue_id == OF_ISSUE)
HUNG = HUNG.order_by(IssuePhoto.seq, IssuePhoto.photo_id)
ACTORS = sa.select(Person).where(Person.id.in_(sa.bindparam("ids", expanding=True)))


@dataclass(frozen=True)
class Story:
    """Everything an issue's page shows: its events with actors and photos, its hops, its names."""

    row: Row
    events: Sequence[IssueEvent]
    hops: Sequence[Hop]
    actors: dict[UUID, Person]
    names: Names
    photos: dict[int, list[UUID]]
    stages: dict[str, list[UUID]]
    reporter: str
    sealed: bool
    plain: bool

    def actor(self, event: IssueEvent) -> Person | None:
        """Whoever did it, if their name may be shown. Somebody sealed has a name in what they did in a post of theirs."""
        hidden = self.sealed and event.actor_role == flow.REPORTER
        return self.actors.get(event.actor_id) if event.actor_id and not hidden else None


def story(person: Person | None, issue: Issue) -> Story:
    """The whole of one issue as `person` may see it (None: who has its follow-up code), in a fixed number of statements.

    Who only reported it (`plain`) reads it without what offices say to each other.
    """
    of_issue = {"issue_id": issue.id}
    events: Sequence[IssueEvent] = session.scalars(EVENTS, of_issue).all()
    hops = session.scalars(HOPS, of_issue).all()
    if plain := telling.alone(person, issue):
        events = telling.events(events)
        if issue.confidential and person is not None and person.id != issue.reporter_id:
            events = telling.without_words(events)
    ids = {by for by in (issue.reporter_id, *(e.actor_id for e in events)) if by}
    actors = {p.id: p for p in session.scalars(ACTORS, {"ids": list(ids)})}
    names = unit_names([issue, *events, *hops])
    photos: dict[int, list[UUID]] = {}
    stages: dict[str, list[UUID]] = {}
    for seq, photo_id, stage in session.connection().execute(HUNG, of_issue):
        photos.setdefault(seq, []).append(photo_id)
        stages.setdefault(stage, []).append(photo_id)
    category = session.get_one(Category, issue.category_code)
    row = Row(issue, category, names.place(issue.grid_code), names.unit(issue.unit_code, issue.department_id),
              next(iter(stages.get("before", [])), None))  # fmt: skip
    sealed = not sees_reporter(person, issue)
    by = actors[issue.reporter_id].name if issue.reporter_id and not sealed else None
    reporter = by or (_("Confidential") if issue.reporter_id else _("Anonymous"))
    return Story(row, events, hops, actors, names, photos, stages, reporter, sealed, plain)
