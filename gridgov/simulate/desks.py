"""The people of a unit and what waits for them: everybody does one thing at a time, grade A first, then what is quickly
looked at or checked, then the work itself; each in the order in which it came.

Work at hand keeps somebody busy; of their working time only a share goes to the grid, so an hour of work fills more than
one of theirs. What is of grade A is begun at any hour.
"""

import heapq
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from gridgov.calendars import Calendar
from gridgov.limits import Clock, Limit

BY_DAY = Calendar([(time(7), time(21, 30))], ZoneInfo("Asia/Shanghai"), lambda _day: True)
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass
class Task:
    """One thing that somebody of a unit has to do for an issue. `token` tells whether it still has to be done."""

    case: Any
    kind: str
    token: int
    seconds: float
    since: datetime
    long: bool = False
    avoid: frozenset[UUID] = frozenset()


@dataclass
class Worker:
    """Somebody of a unit."""

    id: UUID
    free_at: datetime = NEVER
    busy: bool = False
    busy_s: float = 0.0


@dataclass
class Desk:
    """A unit with its people and its queue."""

    level: str
    workers: list[Worker]
    share: float
    calendar: Calendar
    queue: list[tuple[bool, bool, datetime, int, Task]] = field(default_factory=list)

    def offer(self, task: Task) -> None:
        """Something more to do."""
        heapq.heappush(self.queue, (not task.case.urgent, task.long, task.since, task.case.n, task))

    def take_up(self, until: datetime) -> list[tuple[datetime, Worker, Task]]:
        """Let everybody who is free take up what waits. Returns who does what, and when it will be done."""
        aside, begun = [], []
        while self.queue and (free := [worker for worker in self.workers if not worker.busy]):
            entry = heapq.heappop(self.queue)
            task = entry[-1]
            if task.token != task.case.token:
                continue  # It has gone elsewhere.
            able = [worker for worker in free if worker.id not in task.avoid]
            if not able:
                aside.append(entry)
                continue
            worker = min(able, key=lambda w: w.free_at)
            begins = max(task.since, worker.free_at)
            ends = self._ends(begins, task)
            worker.busy, worker.free_at = True, ends
            worker.busy_s += self.calendar.spent(begins, min(ends, until), Clock.work_hour) if begins < until else 0
            begun.append((ends, worker, task))
        for entry in aside:
            heapq.heappush(self.queue, entry)
        return begun

    def ready(self, at: datetime, wait_s: float) -> datetime:
        """The moment when so many seconds of the unit's working time have passed."""
        return self.calendar.due(at, Limit(max(1, round(wait_s)), Clock.work_hour)).due_at if wait_s else at

    def available_s(self, begin: datetime, end: datetime) -> float:
        """How long its people work in that time, all together."""
        return len(self.workers) * self.calendar.spent(begin, end, Clock.work_hour)

    def _ends(self, begins: datetime, task: Task) -> datetime:
        if task.case.urgent:  # Everything else can wait.
            return begins + timedelta(seconds=round(task.seconds))
        return self.calendar.due(begins, Limit(max(1, round(task.seconds / self.share)), Clock.work_hour)).due_at
