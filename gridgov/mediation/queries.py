"""Who sees a mediation file, and what stands in it.

Seen by its mediators; by the people of the unit that answers for the issue now, and of the levels above; by parties who use
the system, from the moment the text is laid out, and then the text alone. Not by neighbours, workers, or the reporter as such.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gridgov import paging
from gridgov.db import session
from gridgov.errors import NotFound
from gridgov.grids import queries as grids
from gridgov.i18n import _
from gridgov.issues import accused, flow
from gridgov.issues.models import Issue
from gridgov.issues.names import unit_names
from gridgov.mediation.models import Attempt, FollowUp, Mediation, Mediator, Paper, Party, Signature, State
from gridgov.people import queries as people, roles
from gridgov.people.models import Department, Person, Post, Role
from gridgov.people.roles import Sees

LAID_OUT = (State.SIGNING, State.CONCLUDED)
MEDIATE = (Role.WORKER, Role.MICRO_CHIEF, Role.VILLAGE_CHIEF, Role.TOWNSHIP_CHIEF, Role.TOWNSHIP_OFFICE)
"""Who of the area can be asked to mediate: those who are known where the dispute is."""


def in_sight(person: Person) -> sa.ColumnElement[bool]:
    """The SQL condition that this person sees a file, joined to its issue."""
    mine = sa.select(Mediator.mediation_id).where(Mediator.person_id == person.id)
    party = sa.select(Party.mediation_id).where(Party.person_id == person.id)
    others = sa.and_(accused.unseen_by(people.reach(person)), sa.or_(Mediation.id.in_(mine), *_by_post(person)))
    return sa.or_(sa.and_(Mediation.id.in_(party), Mediation.state.in_(LAID_OUT)), others)


def _by_post(person: Person) -> list[sa.ColumnElement[bool]]:
    """By posts at the unit that has the issue now, or above it."""
    ways: list[sa.ColumnElement[bool]] = []
    for post in people.live_posts(person):
        if post.department_id:
            ways.append(Issue.department_id == post.department_id)
        elif post.grid_code and _oversees(post):
            here = sa.select(Department.id).where(grids.under(Department.grid_code, post.grid_code))
            ways += [grids.under(Issue.unit_code, post.grid_code), Issue.department_id.in_(here)]
    return ways


def _oversees(post: Post) -> bool:
    """Whether a post oversees what lies under its grid; a worker sees problems there, and not what people agree in private."""
    return roles.current()[post.role].sees == Sees.SUBTREE and post.role != Role.WORKER


def visible(person: Person, mediation_id: UUID, *, lock: bool = False) -> Mediation:
    """The file, if this person may see it; with `lock` FOR UPDATE. Raises NotFound."""
    query = (
        sa.select(Mediation)
        .join(Issue, Issue.id == Mediation.issue_id)
        .where(Mediation.id == mediation_id, in_sight(person))
    )
    if lock:
        query = query.with_for_update(of=Mediation).execution_options(populate_existing=True)
    found = session.scalar(query)
    if found is None:
        raise NotFound(_("There is nothing here, or it is not yours to see."))
    return found


def handles(person: Person, issue: Issue) -> bool:
    """Whether this person acts for the unit that answers for the issue now."""
    actors = flow.actors(person, issue, people.live_posts(person))
    return bool(actors & {str(role) for role in flow.handler_roles(issue.unit_code)})


def of_issue(issue: Issue) -> Sequence[Mediation]:
    """The files of an issue, the newest first: at most one that lives, and those that came to nothing before."""
    return session.scalars(
        sa.select(Mediation).where(Mediation.issue_id == issue.id).order_by(Mediation.id.desc())
    ).all()


def seen_of(person: Person, issue: Issue) -> set[UUID]:
    """Which files of an issue this person sees."""
    query = sa.select(Mediation.id).join(Issue, Issue.id == Mediation.issue_id)
    return set(session.scalars(query.where(Mediation.issue_id == issue.id, in_sight(person))))


def parties(mediation: Mediation) -> Sequence[Party]:
    """Its parties in order."""
    return session.scalars(sa.select(Party).where(Party.mediation_id == mediation.id).order_by(Party.n)).all()


def mediators(mediation: Mediation) -> list[tuple[Mediator, Person]]:
    """Its mediators in order, the opener first."""
    query = (
        sa.select(Mediator, Person)
        .join(Person, Person.id == Mediator.person_id)
        .where(Mediator.mediation_id == mediation.id)
    )
    return [(row[0], row[1]) for row in session.execute(query.order_by(Mediator.n))]


def candidates(issue: Issue) -> list[tuple[UUID, str]]:
    """Who of the area may be asked to mediate, as (person, name), by name: the chain over the place and its workers."""
    codes = [code for code in grids.ancestor_codes(issue.grid_code) if len(code) > 6]
    held = people.holders_among(codes, [issue.department_id] if issue.department_id else [])
    ids = {person for _code, department, role, person in held if department or role in MEDIATE}
    if issue.accused_code or issue.accused_department_id:
        ids = {person for person, reach in people.reaches(ids).items() if not accused.barred(issue, reach)}
    found = session.execute(sa.select(Person.id, Person.name).where(Person.id.in_(ids)).order_by(Person.name))
    return [(row.id, row.name) for row in found]


@dataclass(frozen=True)
class File:
    """Everything of a file that its page, paper and API show. `standing`: what the reader is towards it."""

    mediation: Mediation
    issue: Issue
    parties: Sequence[Party]
    mediators: list[tuple[Mediator, Person]]
    attempts: Sequence[Attempt]
    papers: Sequence[Paper]
    signatures: Sequence[Signature]
    follow_ups: Sequence[FollowUp]
    place: str
    names: dict[UUID, str]
    standing: frozenset[str]

    @property
    def paper(self) -> Paper | None:
        """The text that is laid out now."""
        return next(
            (p for p in self.papers if p.version == self.mediation.version and p.voided_at is None), None
        )

    @property
    def signed(self) -> dict[UUID, Signature]:
        """What each party and mediator did with the present version, by their id in the file."""
        now = [s for s in self.signatures if s.version == self.mediation.version]
        return {s.party_id or s.mediator_id: s for s in now}  # type: ignore[misc]

    @property
    def works(self) -> bool:
        """Whether the reader works on it: mediates, or handles the issue now."""
        return bool(self.standing & {"mediator", "handler"})


def file(person: Person | None, mediation: Mediation) -> File:
    """The whole of one file, in a fixed number of statements. person None is the system."""
    issue = session.get_one(Issue, mediation.issue_id)
    of = {name: session.scalars(sa.select(model).where(model.mediation_id == mediation.id).order_by(*by)).all()
          for name, model, by in _PARTS}  # fmt: skip
    people_of = mediators(mediation)
    known = {p.id: p.name for _m, p in people_of}
    ids = (
        {a.recorded_by for a in of["attempts"]}
        | {s.recorded_by for s in of["signatures"]}
        | {mediation.opened_by}
    )
    ids |= {f.done_by for f in of["follow_ups"] if f.done_by} | {
        p.voided_by for p in of["papers"] if p.voided_by
    }
    missing = ids - set(known)
    if missing:
        known |= dict(session.execute(sa.select(Person.id, Person.name).where(Person.id.in_(missing))).all())
    place = unit_names([issue]).place(issue.grid_code)
    return File(mediation, issue, of["parties"], people_of, of["attempts"], of["papers"], of["signatures"], of["follow_ups"],
                place, known, _standing(person, issue, of["parties"], people_of))  # fmt: skip


_PARTS: list[tuple[str, Any, tuple[Any, ...]]] = [
    ("parties", Party, (Party.n,)), ("attempts", Attempt, (Attempt.id,)), ("papers", Paper, (Paper.version,)),
    ("signatures", Signature, (Signature.id,)), ("follow_ups", FollowUp, (FollowUp.due_on,)),
]  # fmt: skip


def _standing(
    person: Person | None, issue: Issue, of: Sequence[Party], mediate: list[tuple[Mediator, Person]]
) -> frozenset[str]:
    if person is None:
        return frozenset()
    found = {"mediator"} if any(p.id == person.id for _m, p in mediate) else set()
    if any(party.person_id == person.id for party in of):
        found.add("party")
    if handles(person, issue):
        found.add("handler")
    at = issue.unit_code or session.get_one(Department, issue.department_id).grid_code
    if any(
        post.grid_code and at.startswith(post.grid_code) and _oversees(post)
        for post in people.live_posts(person)
    ):
        found.add("above")
    return frozenset(found)


@dataclass(frozen=True)
class Row:
    """A file in a list."""

    mediation: Mediation
    issue: Issue
    place: str
    parties: str


def page(person: Person, *, cursor: str | None = None, limit: int = paging.LIMIT) -> paging.Page:
    """Files this person sees, the newest first, in a fixed number of statements. Raises Invalid for a broken cursor."""
    query = sa.select(Mediation, Issue).join(Issue, Issue.id == Mediation.issue_id).where(in_sight(person))
    if cursor:
        query = query.where(Mediation.id < paging.decode(cursor, UUID)[0])
    found = session.execute(query.order_by(Mediation.id.desc()).limit(limit + 1)).all()
    shown = found[:limit]
    names = unit_names([issue for _m, issue in shown])
    who: dict[UUID, list[str]] = {}
    wanted = sa.select(Party.mediation_id, Party.name).where(
        Party.mediation_id.in_([m.id for m, _i in shown])
    )
    for mediation_id, name in session.execute(wanted.order_by(Party.n)):
        who.setdefault(mediation_id, []).append(name)
    rows = [Row(m, i, names.place(i.grid_code), "、".join(who.get(m.id, []))) for m, i in shown]
    return paging.Page(rows, paging.encode(shown[-1][0].id) if len(found) > limit else None)
