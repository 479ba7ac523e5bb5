"""Everything that happens at one mark of the clock, in one transaction: read together, moved by the real actions, written together."""

import hashlib
from collections.abc import Hashable
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gridgov import batches
from gridgov.db import session
from gridgov.errors import DomainError
from gridgov.grids.models import Grid
from gridgov.issues import actions, flow
from gridgov.issues.models import Hop, Issue
from gridgov.people import queries as people
from gridgov.people.models import Person, Post
from gridgov.photos.models import Photo
from gridgov.simulate.arrivals import Arrival
from gridgov.simulate.city import identity
from gridgov.simulate.habits import WORDS, Case, Habits, Step

Born = tuple[Case, Arrival]
ADD_PHOTO = sa.insert(Photo).inline()


class Crew:
    """Everybody in the city with their posts, read once: nobody comes or goes while it is played."""

    def __init__(self) -> None:
        self.persons = {person.id: person for person in session.scalars(sa.select(Person))}
        self.posts: dict[UUID, list[Post]] = {id: [] for id in self.persons}
        self.known: dict[Hashable, Any] = {}
        held = sa.select(Post).join(Person, Post.person_id == Person.id).where(people.in_force(), people.enabled())
        for post in session.scalars(held.order_by(Post.starts_on, Post.id)):
            self.posts[post.person_id].append(post)
        codes: dict[str, list[str]] = {}
        for code in session.scalars(sa.select(Grid.code)):
            codes.setdefault(flow.rules().level_of(code).name, []).append(code)
        for level in codes.values():
            there = people.on_duty_among(level, flow.handler_roles(level[0]))
            self.known |= {("on_duty", code): code in there for code in level}

    def brief(self, batch: batches.Batch, steps: list[Step]) -> None:
        """Tell the batch and the transaction what is known, and read since when each unit has its issue."""
        batch.known |= self.known
        people.learn_posts({step.actor: self.posts[step.actor] for step in steps})
        ids = [step.case.id for step in steps]
        if ids:
            opened = sa.select(Hop.issue_id, Hop.entered_at).where(Hop.issue_id.in_(ids), Hop.left_at.is_(None))
            for issue_id, entered_at in session.execute(opened):
                batches.learn(("entered_at", issue_id), entered_at)


def carry_out(mark: datetime, born: list[Born], steps: list[Step], habits: Habits, crew: Crew) -> list[Step]:
    """Report and move. Returns the steps that the engine refused: with a policy of other rules people may try in vain."""
    shots = _Photos(mark)
    before = {case.id: shots.take(case.reporter) for case, _a in born if flow.rules().categories[case.kind.code].photos}
    after = {id(step): {name: shots.take(step.actor) for name in habits.photos(step)} for step in steps}
    shots.write()
    refused = []
    with batches.batch() as opened:
        crew.brief(opened, steps)
        for case, arrival in born:
            actions.report(
                actor=crew.persons[case.reporter], category=case.kind.code, text=WORDS, id=case.id, grid_code=arrival.micro,
                photos=[before[case.id]] if case.id in before else [],
            )  # fmt: skip
        issues = _locked([step.case.id for step in steps])
        for step in steps:
            data = step.data | {name: [photo] for name, photo in after[id(step)].items()}
            try:
                actions.act(issues[step.case.id], step.name, actor=crew.persons[step.actor], data=data, locked=True)
            except DomainError:
                refused.append(step)
    return refused


def _locked(ids: list[UUID]) -> dict[UUID, Issue]:
    if not ids:
        return {}
    query = sa.select(Issue).where(Issue.id.in_(ids)).order_by(Issue.id).with_for_update()
    return {issue.id: issue for issue in session.scalars(query.execution_options(populate_existing=True))}


class _Photos:
    """Rows of photos that show nothing: the workflow asks for them, and there is no camera."""

    def __init__(self, mark: datetime) -> None:
        self.mark = mark
        self.rows: list[dict[str, Any]] = []

    def take(self, owner: UUID) -> UUID:
        """One more photo of somebody's."""
        id = identity(self.mark, len(self.rows))
        self.rows.append(
            {"id": id, "owner_id": owner, "sha256": hashlib.sha256(id.bytes).hexdigest(), "width": 1, "height": 1, "bytes": 1,
             "content_type": "image/jpeg", "key": str(id), "thumb_key": f"{id}t"}
        )  # fmt: skip
        return id

    def write(self) -> None:
        """Write them all."""
        if self.rows:
            session.connection().execute(ADD_PHOTO, self.rows)
