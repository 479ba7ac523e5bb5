"""Any order of reports, pauses, resumptions, extensions, imports of calendars, changes of hours, sweeps and clock movement
leaves exactly the deadlines that a slow, obvious model computes (tests/slow_clock.py), on a real PostgreSQL.

Two kinds of subjects: real issues, which the real workflow passes up or reminds of, and plain ones with any limit on any
clock. What has fired stays fired.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from hypothesis import seed as hypothesis_seed, strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gridgov import db, deadlines, timers
from gridgov.issues.models import Issue
from gridgov.limits import Clock, Limit
from gridgov.timers import Timer
from gridgov.worktime import actions, inforce, notice, reckoning, recompute
from tests import seed, slow_clock
from tests.machines import RolledBack, patient
from tests.office import at
from tests.slow_clock import SlowCalendar

EXAMPLES, STEPS = 25, 25
FIRST = at("2026-12-28 09:00")
PLACES = [seed.TOWNSHIP, seed.FOREIGN_TOWNSHIP, seed.CITY]
HOURS = {
    "08:00-12:00, 15:00-18:00": [(480, 720), (900, 1080)],
    "09:00-12:00, 13:00-18:00": [(540, 720), (780, 1080)],  # Eight hours: a work day is not the sum of its seconds.
    "07:30-13:10": [(450, 790)],
    "": None,
}
REST = [date(2027, 1, 1), date(2027, 1, 4), date(2027, 1, 5), *(date(2027, 2, n) for n in range(8, 13))]
NOTICES = {
    "early": dict.fromkeys(REST, False) | {date(2027, 1, 9): True},
    "late": dict.fromkeys([*REST[:1], *REST[3:], date(2027, 1, 6), date(2027, 1, 7)], False)
    | {date(2027, 1, 10): True, date(2026, 12, 31): False},
}
LIMITS = {
    "work_day": st.integers(1, 8).map(lambda n: n * 12_600),
    "work_hour": st.integers(1, 300).map(lambda n: n * 420),
    "natural_day": st.integers(1, 200).map(lambda n: n * 3_600),
    "urgent_hour": st.integers(1, 90).map(lambda n: n * 60),
}
CLOCKS = ["work_day", "work_hour", "work_day", "natural_day"]


class Tables(DeclarativeBase):
    """Tables of this test alone."""


class Probe(Tables):
    """A subject that has a deadline and nothing else."""

    __tablename__ = "probes"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    generation: Mapped[int]
    place: Mapped[str]
    fired: Mapped[int]


@dataclass
class Item:
    """What the model knows of one deadline: what was given, when it ran, and what has come of it."""

    id: UUID
    place: str
    clock: str
    total_s: int
    start: int | None
    warn_s: int | None
    issue: bool = False
    level: int = 0
    runs: list[tuple[int, int]] = field(default_factory=list)
    warned: bool = False
    fired: int = 0
    over: bool = False


def probe_fired(probe: Probe, _due: timers.Due) -> None:
    probe.fired += 1


class Machine(RolledBack):
    """Does everything twice: through gridgov, and on a list of items."""

    def __init__(self) -> None:
        super().__init__(FIRST)
        Tables.metadata.create_all(self.connection)
        self.calendar, self.items = SlowCalendar(), list[Item]()

    # What can happen ------------------------------------------------------------------------------------------------

    @initialize(minutes=st.integers(0, 60).map(lambda n: n * 61), budgets=st.lists(st.integers(2, 8), min_size=4, max_size=4))
    def begin(self, minutes: int, budgets: list[int]) -> None:
        """A few deadlines to begin with, so that whatever comes first meets some."""
        self.set_minute(self.now + minutes)
        for place, clock, half_days in zip(PLACES + PLACES[:1], CLOCKS, budgets, strict=True):
            self._start(place, clock, half_days * 12_600, warns=bool(half_days % 2))
        for place in (seed.TOWNSHIP, seed.CITY):
            self.report(place)

    @rule(place=st.sampled_from(PLACES), clock=st.sampled_from(CLOCKS), data=st.data(), warns=st.booleans())
    def start(self, place: str, clock: str, data: Any, warns: bool) -> None:
        self._start(place, clock, data.draw(LIMITS[clock]), warns=warns)

    def _start(self, place: str, clock: str, budget_s: int, *, warns: bool) -> None:
        warn_s = budget_s // 5 if warns else None
        probe = Probe(id=uuid4(), generation=0, place=place, fired=0)
        with db.transaction():
            db.session.add(probe)
            db.session.flush()
            limit, calendar = Limit(budget_s, Clock(clock)), inforce.calendar(place)
            due = calendar.due(self.moment(), limit)
            warn_at = max(calendar.due(self.moment(), limit - warn_s).due_at, self.moment()) if warn_s is not None else None
            timers.start("probe", probe.id, "test", generation=0, at=self.moment(), due_at=due.due_at, limit=limit,
                         provisional=due.provisional, warn_s=warn_s, warn_at=warn_at)  # fmt: skip
        self.items.append(Item(probe.id, place, clock, budget_s, self.now, warn_s))

    @rule(place=st.sampled_from(PLACES))
    def report(self, place: str) -> None:
        with db.transaction():
            issue = self.city.report("resident", grid_code=place)
        level = 1 if place == seed.CITY else 0
        self.items.append(Item(issue.id, place, "work_day", 25_200, self.now, 5_040, issue=True, level=level))

    @precondition(lambda self: self._some(running=True))
    @rule(which=st.integers(0, 20))
    def pause(self, which: int) -> None:
        item = self._pick(which, running=True)
        with db.transaction():
            assert len(timers.pause(item.id, at=self.moment())) == 1
        assert item.start is not None
        item.runs.append((item.start, self.now))
        item.start = None

    @precondition(lambda self: self._some(running=False))
    @rule(which=st.integers(0, 20))
    def resume(self, which: int) -> None:
        item = self._pick(which, running=False)
        with db.transaction():
            generation = db.session.scalars(sa.select(Timer.generation).where(Timer.subject_id == item.id, Timer.state == "paused"))
            assert len(timers.resume(item.id, at=self.moment(), generation=generation.one())) == 1
        item.start = self.now

    @precondition(lambda self: self._some())
    @rule(which=st.integers(0, 20), extra_s=st.integers(1, 6).map(lambda n: n * 4_200))
    def extend(self, which: int, extra_s: int) -> None:
        item = self._pick(which)
        with db.transaction():
            kind = "accept" if item.issue else "test"
            timers.extend(item.id, kind, Limit(extra_s, Clock(item.clock)), at=self.moment())
        item.total_s += extra_s
        if item.warn_s is not None:
            ahead = self._left(item) > item.warn_s if item.start is None else self._warning(item) > self.now * 60
            item.warned = item.warned and not ahead

    @rule(which=st.sampled_from(list(NOTICES)))
    def import_notice(self, which: str) -> None:
        days = NOTICES[which]
        self.calendar.notice(2027, days)
        self._import(notice.Notice(tuple(notice.Day(day, works, "") for day, works in sorted(days.items())), 2027, which))

    @rule(ahead=st.integers(-2, 5), again=st.booleans())
    def change_day(self, ahead: int, again: bool) -> None:
        day = slow_clock.day_of(self.now) + timedelta(days=ahead)
        works = self.calendar.works(day) is again  # Mostly the other way round than it was.
        self.calendar.single(day, works)
        self._import(notice.Notice((notice.Day(day, works, ""),), None, "single"))

    @rule(place=st.sampled_from([seed.TOWNSHIP, seed.CITY]), text=st.sampled_from(list(HOURS)), ahead=st.integers(0, 4))
    def change_hours(self, place: str, text: str, ahead: int) -> None:
        day = slow_clock.day_of(self.now) + timedelta(days=ahead)
        with db.transaction():
            actions.set_hours(place, text, day, actor=None)
        self.calendar.open_from(place, day, HOURS[text])
        recompute.finish(patience_s=10)

    @rule(minutes=st.integers(1, 40).map(lambda n: n * 97))
    def time_passes(self, minutes: int) -> None:
        self.set_minute(self.now + minutes)

    @rule()
    def sweep(self) -> None:
        while timers.sweep():
            db.session.expire_all()
        for item in list(self.items):
            if item.start is None or item.over:
                continue
            if self._due(item) <= self.now * 60:
                self._fire(item)
            elif item.warn_s is not None and not item.warned and self._warning(item) <= self.now * 60:
                item.warned = True

    # What must hold -------------------------------------------------------------------------------------------------

    @invariant()
    def every_deadline_is_the_models(self) -> None:
        db.session.expire_all()
        live = {t.subject_id: t for t in db.session.scalars(sa.select(Timer).where(Timer.state.in_(["open", "paused"])))}
        assert set(live) == {item.id for item in self.items if not item.over}
        for item in self.items:
            if item.over:
                continue
            timer = live[item.id]
            assert (timer.state == "paused", timer.warned_at is not None) == (item.start is None, item.warned)
            if item.start is None:
                assert timer.left_s == self._left(item)
                continue
            due = self._due(item)
            waits = item.warn_s is not None and not item.warned
            assert timer.due_at == slow_clock.moment(due)
            assert timer.run_at == slow_clock.moment(self._warning(item) if waits else due)
            assert timer.provisional == self._provisional(item, due)

    @invariant()
    def what_has_fired_has_fired_as_often_as_the_model_says(self) -> None:
        found = {row.id: row.fired for row in db.session.execute(sa.select(Probe.id, Probe.fired))}
        assert found == {item.id: item.fired for item in self.items if not item.issue}
        units = {row.id: row.unit_code for row in db.session.execute(sa.select(Issue.id, Issue.unit_code))}
        assert all(units[item.id] == item.place for item in self.items if item.issue)

    @invariant()
    def issues_show_the_deadline_of_their_state(self) -> None:
        for item in self.items:
            # A reminder is no deadline; and what the page shows of a pause or an extension is the workflow's to set.
            if item.issue and not item.runs and item.total_s == 25_200 and item.level < 2:
                issue = db.session.get_one(Issue, item.id)
                assert issue.due_at == slow_clock.moment(self._due(item))
                assert issue.due_provisional == self._provisional(item, self._due(item))

    # The model ------------------------------------------------------------------------------------------------------

    def _left(self, item: Item) -> int:
        return item.total_s - sum(slow_clock.spent(self.calendar, item.place, item.clock, a, b) for a, b in item.runs)

    def _due(self, item: Item) -> int:
        assert item.start is not None
        return slow_clock.due(self.calendar, item.place, item.clock, item.start, self._left(item))

    def _warning(self, item: Item) -> int:
        assert item.start is not None and item.warn_s is not None
        begins = slow_clock.due(self.calendar, item.place, item.clock, item.start, self._left(item) - item.warn_s)
        return max(begins, min(item.start * 60, self._due(item)))

    def _provisional(self, item: Item, due: int) -> bool:
        if item.clock in ("natural_day", "urgent_hour"):
            return False
        assert item.start is not None
        years = sorted((slow_clock.day_of(item.start).year, slow_clock.day_of(due // 60).year))
        return any(not self.calendar.published(year) for year in range(years[0], years[1] + 1))

    def _fire(self, item: Item) -> None:
        """A plain one is over. An issue goes up to the city; there somebody is reminded, again and again."""
        item.fired += 1
        if not item.issue:
            item.over = True
            return
        item.place, item.level = seed.CITY, item.level + 1
        item.total_s, item.start, item.runs, item.warned = 25_200, self.now, [], False
        item.warn_s = 5_040 if item.level < 2 else None

    # Odds and ends --------------------------------------------------------------------------------------------------

    def _import(self, given: notice.Notice) -> None:
        with db.transaction():
            actions.import_notice(given, actor=None)
        recompute.finish(patience_s=10)

    def _some(self, running: bool | None = None) -> list[Item]:
        return [item for item in self.items if not item.over and running in (None, item.start is not None)]

    def _pick(self, which: int, running: bool | None = None) -> Item:
        found = self._some(running)
        return found[which % len(found)]


@pytest.fixture
def machine(app: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Machine]]:
    """The machine on the shared database; each of its runs is rolled back."""
    monkeypatch.setattr(inforce, "CHECK_S", 0.0)
    monkeypatch.setattr(recompute, "MARGIN_S", 0.0)
    monkeypatch.setattr(recompute, "WAIT_S", 0.0)
    monkeypatch.setitem(deadlines._subjects, "probe", timers.Subject(
        Probe, probe_fired, lambda *_given: None, calendar=lambda id: inforce.calendar(db.session.get_one(Probe, id).place)
    ))  # fmt: skip
    monkeypatch.setitem(reckoning._followers, "probe", reckoning.Follower(sa.type_coerce(Probe.place, sa.Text), lambda _moved: None))
    Machine.engine = app.extensions["engine"]
    yield Machine


def test_any_order_of_events_leaves_the_deadlines_of_the_slow_model(machine: type[Machine]) -> None:
    run_state_machine_as_test(hypothesis_seed(20261121)(machine), settings=patient(EXAMPLES, STEPS))
    assert db.session.get_bind() is machine.engine
