"""The issues of the demo city: sixty days of reports and what became of them, played through the real
actions.

A virtual clock is moved from event to event inside one transaction, so nobody else ever sees it moved;
deadlines fire as they would have, and what is told to people is delivered at its hour. What lies after the
present moment does not happen.
"""

import heapq
import io
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any
from uuid import UUID

import shapely
import sqlalchemy as sa

from gridgov import db, timers
from gridgov.db import session, utcnow
from gridgov.demo import beside, known, names, news, scenes, sealed, story, texts
from gridgov.demo.darkroom import Darkroom
from gridgov.demo.ids import uuid7_at
from gridgov.demo.lives import Life, Step
from gridgov.demo.plans import Plan
from gridgov.demo.roster import SHANGHAI, Roster
from gridgov.grids.models import Grid, Level
from gridgov.grids.queries import under
from gridgov.issues import actions
from gridgov.people import queries as people
from gridgov.people.models import Person, Post, Role
from gridgov.photos import actions as photos

COUNT = 200
DAYS = 60
# Where reports come from: the story's village, its township, everywhere.
PLACES = {story.VILLAGE: 0.1, story.TOWNSHIP: 0.28, story.CITY: 0.62}
OWN = 0.6  # Of the village's, by the people one can sign in as.
REPORTERS = {Role.WORKER: 45, Role.RESIDENT: 35, Role.MICRO_CHIEF: 20}
# How long ago it was reported, in days, and how often: the last days have more, so that there is work on
# every desk.
AGES = {(12.0, DAYS): 52, (3.0, 12.0): 30, (0.05, 3.0): 18}
AGES_OF_STORY = {(12.0, DAYS): 34, (3.0, 12.0): 33, (0.05, 3.0): 33}
# Minutes ago, in the story's micro grid, so that its chief finds something nobody has taken up yet.
FRESH = {9: Role.RESIDENT, 4: Role.WORKER}
PHOTO_OF_REPORT = 0.25  # Of those that need none.
TELLING_SCENE = "house"  # What is photographed when the matter has no look of its own.


Place = tuple[float | None, float | None]
Shot = Callable[[], bytes]
MOVE_CLOCK = sa.text("UPDATE virtual_clock SET at = :at")


@dataclass(order=True)
class Wake:
    """The next thing that happens in one life: a step, a timer that runs out, or the report itself."""

    at: datetime
    n: int
    run: Callable[[], None] = None  # type: ignore[assignment]


class Stage:
    """The city while its past is played."""

    def __init__(self, seed: int, now: datetime, tell: Callable[[str], None], darkroom: Darkroom) -> None:
        self.seed, self.now, self.tell, self.darkroom = seed, now, tell, darkroom
        self.heap: list[Wake] = []
        self.order = itertools.count()
        self.roster = Roster()
        self.looks: dict[UUID, str] = {}
        self.issues = self.events = self.taken = 0

    def play(self) -> None:
        """Let everything happen that lies before now, in the order of time."""
        day = None
        db.set_clock(self.now)
        while self.heap:
            wake = heapq.heappop(self.heap)
            if wake.at.astimezone(SHANGHAI).date() != day:
                day = wake.at.astimezone(SHANGHAI).date()
                people.forget_posts()  # Posts run out by the day.
            session.execute(MOVE_CLOCK, {"at": wake.at})
            db.remember_now(wake.at)
            wake.run()
            self.events += 1
            if self.events % 400 == 0:
                self.tell(f"{wake.at.astimezone(SHANGHAI):%Y-%m-%d} {self.issues}")

    def at(self, moment: datetime, run: Callable[[], None]) -> None:
        """Have something happen, unless it lies in the future."""
        if moment <= self.now:
            heapq.heappush(self.heap, Wake(moment, next(self.order), run))

    def follow(self, at: datetime, tale: Iterator[datetime]) -> None:
        """Let a story begin, and go on at each moment that it names."""

        def on() -> None:
            later = next(tale, None)
            if utcnow() > self.now - news.TOLD_FOR:
                news.deliver(self.now - news.TOLD_FOR)
            if later is not None:
                self.at(later, on)

        self.at(at, on)

    def foresee(self, at: datetime, micro: Any, reporter: Person, look: str) -> None:
        """Somebody will report something; what it shows is drawn until then."""
        rng = random.Random(look)
        subject = texts.subject(micro.short_name, micro.code[9:12] < "200", rng)
        kind = actions.flow.rules().categories[subject.category]
        many = 0
        if subject.scene and (kind.photos or rng.random() < PHOTO_OF_REPORT):
            many = rng.choice((1, 1, 1, 1, 2))
        shots = self.have_drawn(subject, True, look, many)
        self.at(at, lambda: self.report(micro, reporter, subject, look, shots, rng))

    def report(
        self,
        micro: Any,
        reporter: Person,
        subject: texts.Subject,
        look: str,
        shots: list[Shot],
        rng: random.Random,
    ) -> None:
        """Somebody reports something, and its life begins."""
        lat, lon = inside(micro.geojson, rng)
        issue_id = uuid7_at(utcnow(), rng)
        taken = [self.take_photo(shot, reporter, (lat, lon), rng) for shot in shots]
        issue, _new = actions.report(
            actor=reporter,
            category=subject.category,
            text=subject.report,
            id=issue_id,
            grid_code=micro.code,
            lat=lat,
            lon=lon,
            accuracy_m=rng.randint(5, 40),
            address=subject.address,
            photos=taken,
            answers=known.answers(subject.category, look),
        )
        self.issues += 1
        self.looks[issue.id] = look
        self.go_on(Life(issue, subject, Plan.draw(subject.solved, rng), reporter, self.roster, rng))

    def go_on(self, life: Life) -> None:
        """Deliver what was told and plan what comes next: a step, unless a timer runs out before."""
        if utcnow() > self.now - news.TOLD_FOR:
            news.deliver(self.now - news.TOLD_FOR)
        if life.issue.ended_at is not None:
            return
        timer = session.execute(
            sa.select(timers.Timer.id, timers.Timer.due_at)
            .where(timers.Timer.subject_id == life.issue.id, timers.Timer.state == "open")
            .order_by(timers.Timer.due_at)
            .limit(1)
        ).first()
        step = life.next_step(utcnow())
        if step is not None and (timer is None or step.at < timer.due_at):
            many = step.photos if step.at <= self.now else 0
            shots = self.have_drawn(life.subject, False, self.looks[life.issue.id], many)
            self.at(step.at, lambda: self.take(life, step, shots))
        elif timer is not None:
            self.at(timer.due_at, lambda: self.run_out(life, timer.id))

    def take(self, life: Life, step: Step, shots: list[Shot]) -> None:
        """Somebody makes a move."""
        data, issue = dict(step.data), life.issue
        if shots:
            place = (issue.lat, issue.lon)
            data["proof"] = [self.take_photo(shot, step.actor, place, life.rng) for shot in shots]
        actions.act(issue, step.name, actor=step.actor, data=data)
        self.go_on(life)

    def run_out(self, life: Life, timer_id: int) -> None:
        """A deadline passes, and what the workflow prescribes happens."""
        timers.fire(timer_id, "issue", life.issue.id)
        session.refresh(life.issue)
        self.go_on(life)

    def after_work(self, owner: Person, rng: random.Random) -> UUID:
        """Somebody takes a photo of what is done, of a matter without a look of its own."""
        return self.take_photo(self.darkroom.order(TELLING_SCENE, False, f"{self.seed}/scene", self.taken), owner, (None, None), rng)

    def have_drawn(self, subject: texts.Subject, bad: bool, look: str, many: int) -> list[Shot]:
        """Have pictures of the matter drawn, before or after."""
        scene = subject.scene or TELLING_SCENE
        return [self.darkroom.order(scene, bad, look, n) for n in range(many)]

    def take_photo(self, shot: Shot, owner: Person, place: Place, rng: random.Random) -> UUID:
        """Somebody takes a photo where the matter is."""
        self.taken += 1
        lat, lon = place
        photo_id = uuid7_at(utcnow(), rng)
        return photos.take(
            io.BytesIO(shot()), actor=owner, id=photo_id, lat=lat, lon=lon, taken_at=utcnow()
        ).id


def load(seed: int, count: int = COUNT, tell: Callable[[str], None] = lambda _line: None) -> dict[str, int]:
    """Play the past of the demo city, whose grids and people are there. Returns how many there are of what.

    Runs inside the caller's transaction and leaves the clock as it was: not moved.
    """
    actions.seed_categories()
    now = utcnow()
    rng = random.Random(f"{seed}/issues")
    micro = _micro_grids()
    reporters = _reporters()
    reported: list[tuple[datetime, Any, Person, str]] = []
    for n in range(count):
        prefix = rng.choices(list(PLACES), list(PLACES.values()))[0]
        grid, reporter = _scene(prefix, micro, reporters, rng)
        ages = AGES if prefix == story.CITY else AGES_OF_STORY
        reported.append((_when(now, ages, rng), grid, reporter, f"{seed}/issue/{n}"))
    fresh = next(grid for grid in micro if grid.code == story.MICRO)
    for minutes, role in FRESH.items():
        first = min(reporters[fresh.code][role], key=lambda person: person.phone)
        reported.append((now - timedelta(minutes=minutes), fresh, first, f"{seed}/fresh/{minutes}"))
    with Darkroom() as darkroom:
        stage = Stage(seed, now, tell, darkroom)
        for at, grid, reporter, look in sorted(reported, key=itemgetter(0)):  # What is needed first is drawn first.
            stage.foresee(at, grid, reporter, look)
        scenes.foresee(now, random.Random(f"{seed}/scenes"), stage.at, stage.after_work)
        sealed.foresee(stage.at, now)
        there, spot = reporters[fresh.code], inside(fresh.geojson, random.Random(f"{seed}/known"))
        stage.issues += known.plan(stage.at, now, spot, there, there[Role.MICRO_CHIEF][0], random.Random(f"{seed}/known/ids"))
        for at, tale in beside.stories(now, random.Random(f"{seed}/beside")):
            stage.follow(at, tale)
        try:
            stage.play()
        finally:
            db.set_clock(None)
    news.settle_old(now)
    return {"issues": stage.issues + len(scenes.SCENES) + sealed.COUNT, "steps": stage.events, "photos": stage.taken}


def inside(geojson: str, rng: random.Random) -> tuple[float, float]:
    """A point (lat, lon) inside an area given as GeoJSON text."""
    area = shapely.from_geojson(geojson)
    west, south, east, north = area.bounds
    while True:
        lon, lat = rng.uniform(west, east), rng.uniform(south, north)
        if shapely.contains_xy(area, lon, lat):
            return round(lat, 6), round(lon, 6)


def _micro_grids() -> list[Any]:
    rows = session.execute(
        sa.select(Grid.code, Grid.short_name, sa.cast(Grid.boundary, sa.Text).label("geojson"))
        .where(under(Grid.code, story.CITY), Grid.level == Level.micro)
        .where(Grid.closed_at.is_(None), Grid.kind != names.DEDICATED_KIND)
        .order_by(Grid.code)
    )
    return list(rows)


def _reporters() -> dict[str, dict[Role, list[Person]]]:
    """Who may report in each micro grid, by role."""
    found: dict[str, dict[Role, list[Person]]] = {}
    rows = session.execute(
        sa.select(Post.grid_code, Post.role, Person)
        .join(Person, Person.id == Post.person_id)
        .where(Post.role.in_([role.value for role in REPORTERS]))
        .order_by(Person.phone, Post.grid_code)
    )
    for code, role, person in rows:
        found.setdefault(code or "", {}).setdefault(Role(role), []).append(person)
    return found


def _scene(
    prefix: str, micro: Sequence[Any], reporters: dict[str, dict[Role, list[Person]]], rng: random.Random
) -> tuple[Any, Person]:
    """A micro grid under `prefix` and somebody there who reports."""
    role = rng.choices(list(REPORTERS), list(REPORTERS.values()))[0]
    if prefix == story.VILLAGE and rng.random() < OWN:
        here = next(grid for grid in micro if grid.code == story.MICRO)
        role = rng.choice((Role.RESIDENT, Role.RESIDENT, Role.WORKER, Role.MICRO_CHIEF))
        return here, min(reporters[here.code][role], key=lambda person: person.phone)  # The story's people come first.
    fitting = [grid for grid in micro if grid.code.startswith(prefix) and reporters.get(grid.code, {}).get(role)]
    grid = rng.choice(fitting)
    return grid, rng.choice(reporters[grid.code][role])


def _when(now: datetime, ages: dict[tuple[float, float], int], rng: random.Random) -> datetime:
    """A moment by day in the last sixty days."""
    least, most = rng.choices(list(ages), list(ages.values()))[0]
    at = (now - timedelta(days=rng.uniform(least, most))).astimezone(SHANGHAI)
    moved = at.replace(hour=rng.randint(7, 20), minute=rng.randint(0, 59), second=rng.randint(0, 59))
    return min(moved.astimezone(UTC), now - timedelta(minutes=rng.randint(5, 90)))
