"""Random walks over all moves of workflows/issue.yaml, by everybody, with time passing and people coming and going.

Whatever happens, an issue has exactly one owner, exactly one deadline and a way out until it ends; who owns it when adds up
to all the time it took; a stopped clock goes on with exactly what was left; and a move that is refused changes nothing.
The time used is reckoned by tests/slow_clock.py, which knows nothing of gridgov.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import seed as hypothesis_seed, strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test

from gridgov import db, timers
from gridgov.errors import IllegalTransition, Invalid, NotPermitted
from gridgov.issues import actions, asks, audit, flow, queries
from gridgov.issues.models import Hop, Issue, IssueEvent
from gridgov.issues.part_models import Part
from gridgov.people import actions as people, queries as people_queries
from gridgov.people.models import Post
from gridgov.workflow import BACK, SAME, FieldSpec, Move, Transition
from tests import seed, slow_clock
from tests.factories import photo_of
from tests.machines import RolledBack, patient
from tests.office import at

EXAMPLES, STEPS = 24, 30
FIRST = at("2026-11-16 09:00")
WALKERS = [
    "resident", "worker", "micro_chief", "village_chief", "township_chief", "township_office", "township_office_2", "city_chief",
    "city_office", "city_office_2", "city_leader", "department", "department_2", "other_department", "sibling_micro_chief", "sibling_village_chief",
    "foreign_micro_chief", "foreign_village_chief", "foreign_township_office",
]  # fmt: skip
COME_AND_GO = ["micro_chief", "village_chief", "township_chief", "township_office", "township_office_2", "department"]
BACK_FROM_AN_END = {"reopen", "appeal", "unmerge"}
MADE_ELSEWHERE = {"mediation_begun", "mediation_signed", "mediation_failed"}  # By the mediation of a dispute.
CALENDAR = slow_clock.SlowCalendar()
LIVE = sa.select(timers.Timer).where(timers.Timer.state.in_(["open", "paused"]), timers.Timer.subject_id == sa.bindparam("issue"))


@dataclass
class Clock:
    """What the model knows of the deadline that runs in a state which can be suspended: given, used, since when it runs."""

    total_s: int
    kind: str
    used_s: int = 0
    since: int | None = None
    generation: int = 0


class Walk(RolledBack):
    """Two issues, everybody who could touch them, and the clock."""

    made: ClassVar[set[str]] = set()

    def __init__(self) -> None:
        super().__init__(FIRST)
        self.issues: list[UUID] = []
        self.clocks: dict[UUID, Clock] = {}
        self.away: dict[str, tuple[Any, ...]] = {}
        self.done: set[str] = set()
        self.able: dict[UUID, dict[str, list[Transition]]] = {}

    @initialize(grave=st.booleans(), place=st.sampled_from([seed.MICRO, seed.VILLAGE, seed.TOWNSHIP]))
    def begin(self, grave: bool, place: str) -> None:
        for category in ("0204" if grave else "0203", "0203"):
            with db.transaction():
                self.issues.append(self.city.report("resident", grid_code=place, category=category).id)

    # What can happen ------------------------------------------------------------------------------------------------

    @rule(which=st.integers(0, 1), steps=st.integers(1, 6), data=st.data())
    def steps(self, which: int, steps: int, data: Any) -> None:
        """Some moves, one after the other, each one of those that are open to somebody; an end is not often among them."""
        still = {SAME, BACK, *(name for name, state in flow.current().states.items() if state.open)}
        for _n in range(steps):
            issue = db.session.get_one(Issue, self.issues[which])
            able = self.able[issue.id]
            if not any(able.values()):
                return
            moves = {move.name: move for mine in able.values() for move in mine}
            ends = {name for name, move in moves.items() if move.to not in still}
            names = sorted(moves) if data.draw(st.integers(0, 9)) == 0 else sorted(set(moves) - ends) or sorted(moves)
            if (new := sorted(set(moves) - ends - self.done)) and data.draw(st.integers(0, 3)):
                names = new  # Else the moves that need others before them would hardly ever be made.
            move = moves[data.draw(st.sampled_from(names))]
            who = [key for key, mine in able.items() if move in mine]
            self._make(issue.id, data.draw(st.sampled_from(who)), move, data)
            self._check(which)

    @rule(which=st.integers(0, 1), key=st.sampled_from(WALKERS), data=st.data())
    def overstep(self, which: int, key: str, data: Any) -> None:
        """Somebody tries a move that is not open to them: refused, and nothing is changed."""
        issue = db.session.get_one(Issue, self.issues[which])
        person = self.city.person(key)
        mine = {move.name for move in queries.transitions(person, issue)}
        move = data.draw(st.sampled_from([m for m in flow.current().transitions.values() if m.name not in mine]))
        before = self._picture(issue.id)
        given = self._given(issue, person, move, data)
        with pytest.raises((NotPermitted, IllegalTransition)), db.transaction():
            actions.act(issue, move.name, actor=person, data=given)
        assert self._picture(issue.id) == before

    @rule(minutes=st.one_of(st.integers(1, 600), st.integers(1, 14).map(lambda days: days * 1440)))
    def wait(self, minutes: int) -> None:
        """Time passes, and the sweep does what is due, hour by hour at least."""
        until = self.now + minutes
        while self.now < until:
            due = db.session.scalar(sa.select(sa.func.min(timers.Timer.run_at)).where(timers.Timer.state == "open"))
            soonest = until if due is None else -(-int((due - slow_clock.ZERO).total_seconds()) // 60)
            self.set_minute(min(until, max(self.now + 1, soonest)))
            before = {issue_id: self._state(issue_id) for issue_id in self.issues}
            while timers.sweep():
                pass
            for issue_id in self.issues:
                self._followed(issue_id, before[issue_id], None)

    @rule(key=st.sampled_from(COME_AND_GO))
    def come_or_go(self, key: str) -> None:
        """A post ends, or whoever left is appointed again."""
        self._turn(key)

    @rule(which=st.integers(0, 1))
    def empty(self, which: int) -> None:
        """Everybody at the unit above whoever has it now leaves."""
        issue = db.session.get_one(Issue, self.issues[which])
        above = flow.parent_unit(issue) if issue.ended_at is None else None
        for key in COME_AND_GO:
            if above is not None and seed.PEOPLE[key][2] == above and key not in self.away:
                self._turn(key)

    def _turn(self, key: str) -> None:
        with db.transaction():
            person = self.city.person(key)
            if key in self.away:
                role, grid_code, department_id = self.away.pop(key)
                people.appoint(person, role, actor=None, grid_code=grid_code, department_id=department_id)
            else:
                post = db.session.scalars(sa.select(Post).where(Post.person_id == person.id)).all()[-1]
                self.away[key] = (post.role, post.grid_code, post.department_id)
                people.end_post(post, actor=None, last_day=people.today() - timedelta(days=1))
        people_queries.forget_posts()

    # What must hold -------------------------------------------------------------------------------------------------

    @invariant()
    def one_owner_one_deadline_and_a_way_out(self) -> None:
        for which in range(len(self.issues)):
            self._check(which)

    def _check(self, which: int) -> None:
        db.session.expire_all()
        issue = db.session.get_one(Issue, self.issues[which])
        state = flow.current().states[issue.state]
        self._adds_up(issue)
        self.able[issue.id] = self._open(issue)
        live = db.session.scalars(LIVE, {"issue": issue.id}).all()
        if not state.open:
            parked = issue.state == "merged"  # Its clocks stand, so that the merging can be undone.
            assert {timer.state for timer in live} <= ({"paused"} if parked else set()), issue.state
            assert (issue.due_at, issue.asked_kind) == (None, None)
            assert bool(live) == parked
            return
        assert (issue.unit_code is None) != (issue.department_id is None)
        self._one_deadline(issue, state.due or "", live)
        assert self._way_out(issue), f"{issue.state} at {issue.unit_code or issue.department_id} has no way out"

    def _adds_up(self, issue: Issue) -> None:
        """Its units follow one another without a gap or an overlap, from the report to the end or to now."""
        way = db.session.scalars(sa.select(Hop).where(Hop.issue_id == issue.id).order_by(Hop.n)).all()
        assert [hop.n for hop in way] == list(range(1, issue.hop_n + 1))
        assert way[0].entered_at == issue.reported_at
        for earlier, later in itertools.pairwise(way):
            if later.entered_by in BACK_FROM_AN_END:
                assert earlier.left_at is not None and earlier.left_at <= later.entered_at
            else:
                assert earlier.left_at == later.entered_at
                assert (earlier.unit_code, earlier.department_id) != (later.unit_code, later.department_id)
        assert way[-1].left_at == issue.ended_at
        assert (way[-1].unit_code, way[-1].department_id) == (issue.unit_code, issue.department_id)
        for hop in way:
            if hop.left_at is not None:
                begun, over = (slow_clock.minute(moment) for moment in (hop.entered_at, hop.left_at))
                assert hop.worked_s == slow_clock.spent(CALENDAR, seed.TOWNSHIP, "work_hour", begun, over)

    def _one_deadline(self, issue: Issue, due: str, live: Any) -> None:
        running = {timer.kind: timer for timer in live if timer.state == "open"}
        held = [timer for timer in live if timer.state == "paused"]
        assert set(running) == {due, *issue.clocks}
        assert {timer.generation for timer in running.values()} == {issue.generation}
        assert len(held) == (issue.state == "suspended")
        own = running[due]
        assert issue.due_at is not None and own.due_at > self.moment()
        assert own.due_at == issue.due_at if issue.due_at > self.moment() else own.due_at > issue.due_at
        clock = self.clocks.get(issue.id)
        if clock is not None and issue.due_at > self.moment():
            timer = held[0] if held else own
            left_s = timer.left_s if held else timer.budget_s
            assert (left_s, timer.total.amount_s) == (clock.total_s - clock.used_s, clock.total_s)
            if not held:
                ends = slow_clock.due(CALENDAR, seed.TOWNSHIP, clock.kind, clock.since or 0, left_s)
                assert issue.due_at == slow_clock.moment(ends)

    def _way_out(self, issue: Issue) -> bool:
        """Somebody can move it out of its state, or the system will when its time is over."""
        if any(move.to != SAME for moves in self.able[issue.id].values() for move in moves):
            return True
        for name in flow.current().states[issue.state].overdue:
            move = Move(issue, flow.current().transitions[name], None, frozenset({flow.SYSTEM}), self.moment())
            if move.transition.to != SAME and flow.current().holds(move.transition.guard, move):
                return True
        return False

    # Odds and ends --------------------------------------------------------------------------------------------------

    def _open(self, issue: Issue) -> dict[str, list[Transition]]:
        return {key: queries.transitions(self.city.person(key), issue) for key in WALKERS}

    def _make(self, issue_id: UUID, key: str, move: Transition, data: Any) -> None:
        person, issue = self.city.person(key), db.session.get_one(Issue, issue_id)
        given, before, picture = self._given(issue, person, move, data), self._state(issue_id), self._picture(issue_id)
        try:
            with db.transaction():
                actions.act(issue, move.name, actor=person, data=given)
        except Invalid:  # What was entered may be wrong for this issue: then nothing has happened.
            assert self._picture(issue_id) == picture
            return
        self.done.add(move.name)
        self._followed(issue_id, before, move)

    def _given(self, issue: Issue, person: Any, move: Transition, data: Any) -> dict[str, Any]:
        names = [*move.needs, *(name for name in move.may if data.draw(st.booleans()))]
        given = {name: self._value(issue, person, flow.current().fields[name], data) for name in names}
        return {name: value for name, value in given.items() if value is not None}

    def _value(self, issue: Issue, person: Any, spec: FieldSpec, data: Any) -> Any:
        fill: dict[str, Callable[[], Any]] = {
            "text": lambda: "情况属实",
            "photos": lambda: [photo_of(person)],
            "department": lambda: "transport",
            "departments": lambda: ["police"],
            "part": lambda: data.draw(st.sampled_from(self._parts(issue))),
            "parts": lambda: self._parts(issue)[:1],
            "yesno": lambda: data.draw(st.booleans()),
            "issue": lambda: str(next(each for each in self.issues if each != issue.id)),
            "unit": lambda: data.draw(st.sampled_from(asks.siblings(issue) or [(seed.SIBLING_MICRO, "")]))[0],
            "date": lambda: str((self.moment() + timedelta(days=data.draw(st.integers(1, 40)))).date()),
            "choice": lambda: data.draw(st.sampled_from(list(spec.options))),
            "scale": lambda: data.draw(st.integers(spec.low, spec.high)),
        }
        return fill[spec.kind]()

    def _parts(self, issue: Issue) -> list[str]:
        """The parts that others have of an issue, as a form names them; one that does not exist when there are none."""
        numbers = db.session.scalars(sa.select(Part.n).where(Part.issue_id == issue.id).order_by(Part.n)).all()
        return [str(n) for n in numbers] or ["1"]

    def _state(self, issue_id: UUID) -> tuple[str, str, int]:
        issue = db.session.get_one(Issue, issue_id)
        return issue.state, issue.grade, issue.generation

    def teardown(self) -> None:
        """What was made is read from the record itself; its chains are whole."""
        self.made.update(db.session.scalars(sa.text("SELECT DISTINCT name FROM issue_events")))
        found = audit.verify().findings
        super().teardown()
        assert found == []

    def _followed(self, issue_id: UUID, before: tuple[str, str, int], move: Transition | None) -> None:
        """Bring the model of the suspendable clock up to date: given anew, extended, stopped, gone on, or over."""
        db.session.expire_all()
        issue = db.session.get_one(Issue, issue_id)
        name = move.name if move else ""
        clock = self.clocks.get(issue_id)
        if name == "grant_time" and clock:
            clock.total_s += flow.limit(issue).amount_s * int(self._asked(issue)) // 100
        elif (name == "suspend" and clock) or (name == "merge" and before[0] == "accepted" and clock):
            clock.used_s += slow_clock.spent(CALENDAR, seed.TOWNSHIP, clock.kind, clock.since or 0, self.now)
            clock.since = None
        elif name in ("resume", "unmerge") and clock:
            clock.since = self.now
        elif issue.state == "accepted" and (before[0] != "accepted" or before[1] != issue.grade):
            limit = flow.limit(issue)
            if before[0] == "accepted" and limit == flow.limit(issue, grade=before[1]):
                return
            self.clocks[issue_id] = Clock(limit.amount_s, str(limit.clock), since=self.now)
        elif issue.state not in ("accepted", "suspended", "merged"):
            self.clocks.pop(issue_id, None)

    def _asked(self, issue: Issue) -> str:
        """The share that the latest request asked for."""
        asked = sa.select(IssueEvent).where(IssueEvent.issue_id == issue.id, IssueEvent.name == "ask_time")
        return db.session.scalars(asked.order_by(IssueEvent.seq.desc())).first().data["extra"]

    def _picture(self, issue_id: UUID) -> list[Any]:
        """Everything that is written of an issue."""
        wanted = {
            "issues": "id", "hops": "issue_id", "issue_events": "issue_id", "issue_photos": "issue_id", "timers": "subject_id",
        }  # fmt: skip
        rows = []
        for table, column in wanted.items():
            query = sa.text(f"SELECT to_jsonb({table}) FROM {table} WHERE {column} = :id ORDER BY 1")
            rows += db.session.connection().execute(query, {"id": issue_id}).scalars().all()
        return rows


@pytest.fixture
def walk(app: Any) -> type[Walk]:
    """The machine on the shared database; each of its runs is rolled back."""
    Walk.engine = app.extensions["engine"]
    return Walk


def test_no_walk_loses_owner_deadline_or_way_out(walk: type[Walk]) -> None:
    run_state_machine_as_test(hypothesis_seed(20261122)(walk), settings=patient(EXAMPLES, STEPS))
    never = set(flow.current().transitions) - walk.made - MADE_ELSEWHERE
    assert len(never) <= len(walk.made) / 3, f"the walks hardly walked: {never}"
