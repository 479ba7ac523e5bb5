"""The simulation itself: a virtual clock moved from mark to mark, moves through `issues.actions`, deadlines through the sweep.

At each mark everything that people did since the last one happens, in one transaction; then deadlines fire. Two runs with the
same seed and policy do the same things in the same order.
"""

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gridgov import db, events, timers
from gridgov.db import session
from gridgov.issues import flow
from gridgov.issues.models import Issue, IssueEvent
from gridgov.simulate import batch
from gridgov.simulate.arrivals import SHANGHAI, Arrival
from gridgov.simulate.city import City, Unit, identity
from gridgov.simulate.desks import BY_DAY, Desk, Task, Worker
from gridgov.simulate.habits import ASK, CHECK, LOOK, WORK, Case, Habits, Step, level_of
from gridgov.simulate.model import LEVELS, Model
from gridgov.simulate.series import Series
from gridgov.worktime import inforce

SWEPT = 500
NEXT_DUE = sa.text("SELECT min(run_at) FROM timers WHERE state = 'open'")
Told = tuple[Issue, set[str]]


class Run:
    """One policy's city while it is played."""

    def __init__(self, model: Model, seed: int, city: City, habits: Habits, first: datetime, end: datetime) -> None:
        self.model, self.seed, self.city, self.habits = model, seed, city, habits
        self.first, self.end, self.step = first, end, timedelta(minutes=model.step_min)
        self.heap: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self.order = itertools.count()
        self.cases: dict[UUID, Case] = {}
        self.steps: list[Step] = []
        self.told: dict[UUID, Told] = {}
        self.due: datetime | None = None
        self.stirred: dict[Unit, None] = {}
        self.refused, self.automatic = Counter[str](), set[str]()
        self.overdue = {name for state in flow.current().states.values() for name in state.overdue}
        self.series = Series(first)
        office = inforce.calendar(None)
        self.desks = {
            unit: Desk(level, [Worker(id) for id in people], model.staff[level].share,
                       BY_DAY if model.staff[level].hours == "day" else office)
            for unit, people in city.staff.items() for level in [level_of(unit)]
        }  # fmt: skip

    def play(self, arrivals: Iterator[Arrival], tell: Callable[[datetime, int], None]) -> None:
        """Let everything happen that lies before the end. `tell` hears of each new day and of how many issues there are."""
        with db.transaction():
            self.crew = batch.Crew()
        events.subscribe("issue.told")(self._hear)
        events.subscribe("issue.warned")(self._hear_warning)
        coming, mark, day = next(arrivals, None), self.first, None
        while (mark := self._next_mark(mark, coming)) <= self.end:
            if (today := mark.astimezone(SHANGHAI).date()) != day:
                day = today
                tell(mark, self.series.reported)
            self.series.until(mark)
            while self.heap and self.heap[0][0] <= mark:
                at, _n, happens = heapq.heappop(self.heap)
                happens(at)
            fresh = []
            while coming is not None and coming.at <= mark:
                fresh.append(coming)
                coming = next(arrivals, None)
            if fresh or self.steps or (self.due is not None and self.due <= mark):
                self._move(mark, fresh)
            self._begin_work()
        self.series.until(self.end)

    def _next_mark(self, last: datetime, coming: Arrival | None) -> datetime:
        """The first mark after the last at which something happens; past the end when nothing does."""
        ahead = [self.heap[0][0]] if self.heap else []
        ahead += [moment for moment in (self.due, coming and coming.at) if moment]
        if not ahead:
            return self.end + self.step
        marks = max(1, -((self.first - min(ahead)) // self.step) - (last - self.first) // self.step)
        return last + marks * self.step

    def _move(self, mark: datetime, fresh: list[Arrival]) -> None:
        """Everything that is reported and done at a mark; then what is due fires, as the scheduler does it."""
        steps, self.steps = self.steps, []
        born = [self._born(arrival) for arrival in fresh]
        with db.transaction():
            db.set_clock(mark)
            db.remember_now(mark)
            if born or steps:
                for step in batch.carry_out(mark, born, steps, self.habits, self.crew):
                    self.refused[step.name] += 1
                self._look_ahead()
        while self.due is not None and self.due <= mark:
            timers.sweep(SWEPT)
            with db.transaction():
                self._look_ahead()
        self._follow(mark)

    def _look_ahead(self) -> None:
        due = session.execute(NEXT_DUE).scalar()
        self.due = due and due.astimezone(UTC)

    def _born(self, arrival: Arrival) -> tuple[Case, Arrival]:
        kind = next(k for k in self.model.kinds if k.code == arrival.category)
        spec = flow.rules().categories[kind.code]
        case = Case(
            arrival.n, identity(arrival.at, arrival.n), kind, spec.department, self.city.reporters[arrival.micro],
            spec.grade == "A", self.habits.lowest(kind, arrival.n, spec.department),
        )  # fmt: skip
        self.cases[case.id] = case
        self.series.reported += 1
        return case, arrival

    def _hear(self, *, issue: Issue, event: IssueEvent, **_more: Any) -> None:
        """The engine says that something happened to an issue."""
        self.told.setdefault(issue.id, (issue, set()))[1].add(event.name)
        case = self.cases[issue.id]
        if event.name in ("accept", "resolve") and event.actor_id:
            case.handlers.add((case.hop, event.actor_id))
        if event.name == "resolve":
            case.late, case.handled = issue.on_time is False, case.hop
        if event.name in self.overdue and issue.ended_at is None:
            self.series.missed += 1

    def _hear_warning(self, *, issue: Issue, **_more: Any) -> None:
        self.told.setdefault(issue.id, (issue, set()))[1].add("warned")

    def _follow(self, mark: datetime) -> None:
        """See where the issues are now, and plan what is done about each next."""
        told, self.told = self.told, {}
        for issue, names in sorted(told.values(), key=lambda pair: self.cases[pair[0].id].n):
            case = self.cases[issue.id]
            unit: Unit = issue.unit_code or issue.department_id or ""
            if issue.ended_at is not None:
                self._leave(case)
                self.series.ended += 1
                case.state = ""
                del self.cases[issue.id]
            elif (case.state, case.hop) != (issue.state, issue.hop_n):
                self._leave(case)
                level = level_of(unit)
                case.by_deadline = bool(names & self.overdue)
                case.state, case.unit, case.level, case.hop = issue.state, unit, level, issue.hop_n
                case.tries[level] += 1
                self.series.enter(level)
                self._plan(case, mark)
            elif case.overlooked:  # A warning or a reminder: now they look.
                self._offer(case, LOOK, self.model.handling[case.level].look_min, mark)

    def _leave(self, case: Case) -> None:
        """It is not there any more; what was planned is void."""
        if case.state:
            self.series.leave(case.level)
        self._waits(case, None)
        case.token += 1
        case.overlooked = False

    def _plan(self, case: Case, now: datetime) -> None:
        stage, habits = self.habits.stages.get(case.state), self.habits
        if stage == LOOK:
            handling = self.model.handling[case.level]
            self._waits(case, case.level)
            if not case.urgent and habits.chance(case, handling.overlooks, "overlooks"):
                case.overlooked = True
                seen = now + timedelta(seconds=habits.hours_s(case, handling.overlooked_h, "overlooked_h"))
                self._later(seen, case, lambda at: self._offer(case, LOOK, handling.look_min, at))
            else:
                self._offer(case, LOOK, handling.look_min, now)
        elif stage == WORK:
            handling = self.model.handling[case.level]
            wait = 0.0 if case.urgent else habits.hours_s(case, handling.wait_h, "wait_h")
            ready = self.desks[case.unit].ready(now, wait)
            self._later(ready, case, lambda at: self._offer(case, WORK, handling.work_min, at))
        elif stage == CHECK:
            self._offer(case, CHECK, self.model.after.verify_min, now)
        elif stage == ASK:
            case.tries["ask"] += 1
            step = habits.answer(case)
            if step is not None:
                at = now + timedelta(seconds=habits.answers_after_s(case))
                self._later(at, case, lambda _at: self.steps.append(step))

    def _offer(self, case: Case, stage: str, spread: tuple[float, float], at: datetime) -> None:
        """Lay it on the desk of its unit."""
        case.overlooked = False
        self._waits(case, case.level)
        seconds = self.habits.minutes_s(case, spread, f"{stage}_min")
        avoid = case.may_not_check if stage == CHECK else frozenset()
        self.desks[case.unit].offer(Task(case, stage, case.token, seconds, at, stage == WORK, avoid))
        self.stirred[case.unit] = None

    def _begin_work(self) -> None:
        """Whoever is free takes up what waits, at every unit where something changed."""
        stirred, self.stirred = self.stirred, {}
        for unit in stirred:
            for ends, worker, task in self.desks[unit].take_up(self.end):
                self._started(ends, worker, task, unit)

    def _started(self, ends: datetime, worker: Worker, task: Task, unit: Unit) -> None:
        self._waits(task.case, None)
        heapq.heappush(self.heap, (ends, next(self.order), lambda _at: self._finish(worker, task, unit)))

    def _finish(self, worker: Worker, task: Task, unit: Unit) -> None:
        worker.busy = False
        self.stirred[unit] = None
        if task.token == task.case.token:
            after = {LOOK: self.habits.after_look, WORK: self.habits.after_work, CHECK: self.habits.after_check}[task.kind]
            self.steps.append(after(task.case, worker.id))

    def _later(self, at: datetime, case: Case, happens: Callable[[datetime], None]) -> None:
        """Have something happen, unless the issue has gone elsewhere by then."""
        token = case.token

        def still(moment: datetime) -> None:
            if case.token == token:
                happens(moment)

        heapq.heappush(self.heap, (at, next(self.order), still))

    def _waits(self, case: Case, level: str | None) -> None:
        self.series.waits(case.waiting, level)
        case.waiting = level

    def load(self) -> dict[str, float]:
        """The share of their working time that the people of each level were busy with the grid's issues."""
        found = {}
        for level in LEVELS:
            desks = [desk for desk in self.desks.values() if desk.level == level]
            there = sum(desk.available_s(self.first, self.end) for desk in desks)
            found[level] = sum(w.busy_s for desk in desks for w in desk.workers) / there if there else 0.0
        return found
