"""What people do about an issue: look at it, settle it, pass it on, check it, answer when asked. Knows no database.

Which states are looked at, worked on, checked and asked about follows from the workflow's own moves, so another policy may
have other states; the moves it must have are NEEDED.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from gridgov.errors import PolicyError
from gridgov.issues import flow
from gridgov.simulate import model as assumed
from gridgov.simulate.city import City, Unit
from gridgov.simulate.model import LEVELS, Kind, Model
from gridgov.workflow import Workflow

NEEDED = ("accept", "resolve", "verify", "rework", "rate", "contest", "escalate")
CITY, DEPARTMENT = LEVELS.index("city"), LEVELS.index("department")
LOOK, WORK, CHECK, ASK = "look", "work", "check", "ask"
BY = {LOOK: "accept", WORK: "resolve", CHECK: "verify", ASK: "rate"}
WORDS = "模拟"


@dataclass
class Case:
    """An issue as the people see it. `token` changes whenever it goes elsewhere: what was planned before is then void.

    `settles` is the lowest level that can settle it, as an index of LEVELS.
    """

    n: int
    id: UUID
    kind: Kind
    department: str | None
    reporter: UUID
    urgent: bool
    settles: int
    state: str = ""
    unit: Unit = ""
    level: str = "micro"
    hop: int = 0
    token: int = 0
    by_deadline: bool = False
    declined: bool = False
    late: bool = False
    waiting: str | None = None
    overlooked: bool = False
    tries: Counter[str] = field(default_factory=Counter)
    handlers: set[tuple[int, UUID]] = field(default_factory=set)
    handled: int = 0

    @property
    def may_not_check(self) -> frozenset[UUID]:
        """Whoever took it on or resolved it where it was handled last."""
        return frozenset(id for hop, id in self.handlers if hop == self.handled)


@dataclass(frozen=True)
class Step:
    """A move that somebody makes."""

    case: Case
    name: str
    actor: UUID
    data: dict[str, Any]


class Habits:
    """How the people of one simulation behave: a draw for everything, keyed by issue, level and try."""

    def __init__(self, model: Model, seed: int, workflow: Workflow, city: City) -> None:
        self.model, self.seed, self.workflow, self.city = model, seed, workflow, city
        self.stages = {state: stage for stage, move in BY.items() for state in workflow.transitions[move].sources}

    def chance(self, case: Case, share: float, what: str) -> bool:
        """Whether something that happens so often happens now, at this level and try."""
        return self._draw(case, what) < share

    def hours_s(self, case: Case, spread: assumed.Spread, what: str) -> float:
        """Seconds of a time given in hours."""
        return 3600 * assumed.lognormal(spread, self.seed, case.n, what, case.level, case.tries[case.level])

    def minutes_s(self, case: Case, spread: assumed.Spread, what: str) -> float:
        """Seconds of a time given in minutes."""
        return self.hours_s(case, spread, what) / 60

    def lowest(self, kind: Kind, n: int, department: str | None) -> int:
        """The lowest level that can settle the n-th issue."""
        shares = (*kind.settles, max(0.0, 1 - sum(kind.settles)))
        found = assumed.pick(shares, self.seed, n, "settles")
        return CITY if found == DEPARTMENT and department not in self.city.departments else found

    def after_look(self, case: Case, actor: UUID) -> Step:
        """What somebody does who has looked at something new."""
        after, level = self.model.after, LEVELS.index(case.level)
        if level in (CITY - 1, CITY) and self._knows("not_accept") and self._once(case, after.not_accepted, "not_accepted"):
            return self.step(case, "not_accept", actor)
        if level == DEPARTMENT and not case.declined and self._once(case, after.declines, "declines"):
            case.declined = True
            return self.step(case, "escalate", actor)
        if case.by_deadline and case.settles < level < DEPARTMENT and self._knows("return"):
            if self.chance(case, after.returns, "returns"):
                return self.step(case, "return", actor)
        if case.settles <= level:
            return self.step(case, "accept", actor)
        if level == CITY:
            return self.step(case, "dispatch" if self._knows("dispatch") else "accept", actor)
        return self.step(case, "escalate", actor)

    def after_work(self, case: Case, actor: UUID) -> Step:
        """What somebody does whose work is at its end: it is settled, or they see that they cannot."""
        level = LEVELS.index(case.level)
        if level < CITY and self.chance(case, self.model.handling[case.level].fails, "fails"):
            case.settles = max(case.settles, level + 1)
            return self.step(case, "escalate", actor)
        return self.step(case, "resolve", actor)

    def after_check(self, case: Case, actor: UUID) -> Step:
        """What somebody does who has checked it."""
        return self.step(case, "rework" if self.chance(case, self.model.after.found_bad, "found_bad") else "verify", actor)

    def answer(self, case: Case) -> Step | None:
        """What the reporter says when asked, or None: nothing at all."""
        after = self.model.after
        if not self.chance(case, after.answers, "answers"):
            return None
        if self.chance(case, after.contests, "contests"):
            return self.step(case, "contest", case.reporter)
        weights = after.satisfied_late if case.late else after.satisfied_on_time
        stars = 1 + assumed.pick(weights, self.seed, case.n, "stars", case.tries["ask"])
        return self.step(case, "rate", case.reporter, scale=stars)

    def answers_after_s(self, case: Case) -> float:
        """Seconds until the reporter answers."""
        return self.hours_s(case, self.model.after.answer_h, "answer_h")

    def step(self, case: Case, name: str, actor: UUID, scale: int = 1) -> Step:
        """A move with what the workflow asks for it; photos are left to who writes them."""
        transition, data = self.workflow.transitions[name], dict[str, Any]()
        for wanted in transition.needs:
            kind = self.workflow.fields[wanted].kind
            if kind == "scale":
                data[wanted] = min(max(scale, self.workflow.fields[wanted].low), self.workflow.fields[wanted].high)
            elif kind != "photos":
                first = next(iter(self.workflow.fields[wanted].options), None)
                data[wanted] = {"text": WORDS, "yesno": True, "department": case.department, "choice": first}[kind]
        return Step(case, name, actor, data)

    def photos(self, step: Step) -> list[str]:
        """The fields of a step that need a photo."""
        return [name for name in self.workflow.transitions[step.name].needs if self.workflow.fields[name].kind == "photos"]

    def _knows(self, move: str) -> bool:
        return move in self.workflow.transitions

    def _once(self, case: Case, share: float, what: str) -> bool:
        """A chance that an issue has once, wherever it is."""
        return assumed.draw(self.seed, case.n, what) < share

    def _draw(self, case: Case, what: str) -> float:
        return assumed.draw(self.seed, case.n, what, case.level, case.tries[case.level])


def level_of(unit: Unit) -> str:
    """The level of a unit."""
    return flow.rules().level_of(unit).name if isinstance(unit, str) else "department"


def prove(workflow: Workflow, model: Model) -> None:
    """Refuse a policy that the virtual people do not understand. Raises PolicyError: file, line, reason."""
    for name in NEEDED:
        if name not in workflow.transitions:
            raise workflow.file.fail(("transitions",), f"a simulation needs the transition {name!r}, which is missing")
    categories = flow.rules().categories
    for kind in model.kinds:
        if kind.code not in categories or categories[kind.code].parent is None:
            where = workflow.file.path.parent / "categories.yaml"
            raise PolicyError(where, 1, f"category {kind.code} of the simulation's assumptions is missing")
