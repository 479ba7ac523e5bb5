"""What the people of the demo city do about an issue next, and when: a habit for every state, nothing fixed
beforehand.

Deadlines are kept mostly. Where they are missed the real timers fire, and the next step is chosen from where
that left it.
"""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gridgov.demo import story, texts
from gridgov.demo.plans import Plan
from gridgov.demo.roster import SHANGHAI, Duty, Roster
from gridgov.issues import flow, hops
from gridgov.issues.models import Issue
from gridgov.limits import Clock, Limit
from gridgov.people.models import Person, Role

Hours = dict[str, tuple[float, float]]
LEVELS = ("micro", "village", "township", "city", "department")
# Hours until a step is made, by level: natural hours for the chiefs of micro grids, office hours for all
# others.
ACCEPT_H: Hours = {
    "micro": (0.2, 2.8),
    "village": (0.4, 4.5),
    "township": (0.3, 4.0),
    "city": (0.3, 3.5),
    "department": (0.6, 5.0),
}
RESOLVE_H: Hours = {
    "micro": (2, 18),
    "village": (3, 17),
    "township": (5, 28),
    "city": (5, 26),
    "department": (8, 42),
}
ESCALATE_H: Hours = {
    "micro": (0.3, 3.0),
    "village": (0.6, 5.0),
    "township": (0.6, 6.0),
    "city": (0.6, 5.0),
    "department": (2, 5),
}
DECLINE_H: Hours = {"department": (0.5, 5.0)}
VERIFY_H = (1, 10)
LATE_H = (2, 20)
PROMPT = 0.8  # How often a micro chief who would be late answers before the time is up after all.
CALLERS = {Role.VILLAGE_CHIEF, Role.TOWNSHIP_OFFICE, Role.CITY_OFFICE}


@dataclass
class Step:
    """One thing somebody will do: the move's name, who, and what they say.

    `photos` is how many pictures they take.
    """

    at: datetime
    name: str
    actor: Person
    data: dict[str, Any] = field(default_factory=dict)
    photos: int = 0


@dataclass
class Life:
    """An issue on its way through the city."""

    issue: Issue
    subject: texts.Subject
    plan: Plan
    reporter: Person
    roster: Roster
    rng: random.Random
    noted: int = 0

    def next_step(self, now: datetime) -> Step | None:
        """What happens next, or None when nobody will do anything more (a timer still may)."""
        if (
            self.plan.withdrawn
            and self.issue.state in ("reported", "accepted")
            and self.issue.generation >= 1
        ):
            return Step(
                self._natural(now, 1, 20),
                "withdraw",
                self.reporter,
                {"reason": texts.pick("withdraw", self.rng)},
            )
        if self.issue.asked_kind:
            return self._decide(now)
        step = getattr(self, f"_{self.issue.state}", None)
        return step(now) if step else None

    @property
    def level(self) -> str:
        """The level of the unit that is answerable now, or department."""
        return flow.rules().level_of(self.issue.unit_code).name if self.issue.unit_code else "department"

    def _reported(self, now: datetime) -> Step | None:
        level, plan = self.level, self.plan
        if plan.refused and level in ("township", "city"):
            return self._by_unit(now, ESCALATE_H, "not_accept", texts.pick("not_accept", self.rng))
        if self._due_here(level):
            plan.solved = level
            return self._by_unit(
                now, ACCEPT_H, "accept", {"note": texts.pick("accept_notes", self.rng)}, late=True
            )
        if plan.returned and level == "township" and self.issue.hop_n > 1:
            plan.returned, plan.solved = False, "village"
            return self._by_unit(now, ESCALATE_H, "return", {"reason": texts.pick("return", self.rng)})
        if plan.accepts_first and level in ("micro", "village"):
            return self._by_unit(now, ACCEPT_H, "accept", {"note": None}, late=True)
        return self._onward(now, level)

    def _accepted(self, now: datetime) -> Step | None:
        level = self.level
        if not self._due_here(level):
            return self._onward(now, level)
        if self.plan.suspended and self.subject.scene and level != "micro":
            self.plan.suspended = False
            until = (now + timedelta(days=self.rng.randint(20, 70))).astimezone(SHANGHAI).date()
            data = {"reason": texts.pick("ask_suspension", self.rng), "review_on": str(until)}
            return self._by_unit(now, ESCALATE_H, "ask_suspension", data)
        if self.plan.extended and level != "micro":
            self.plan.extended = False
            data = {"extra": self.rng.choice(("25", "50")), "reason": texts.pick("ask_time", self.rng)}
            return self._by_unit(now, ESCALATE_H, "ask_time", data)
        if self.noted < 2 and self.rng.random() < 0.3:
            self.noted += 1
            return self._by_unit(now, ESCALATE_H, "note", {"note": self._words("progress_notes")})
        data = {"result": self.subject.result}
        return self._by_unit(now, RESOLVE_H, "resolve", data, late=True, photos=1)

    def _decide(self, now: datetime) -> Step | None:
        """The level above grants it, mostly; in time or not at all."""
        able = self.roster.deciders(self.issue, now)
        at = self._office(now, 0.5, 5)
        if not able or self.issue.due_at is None or at >= self.issue.due_at:
            return None
        grant = {"extension": "grant_time", "suspension": "suspend"}[self.issue.asked_kind or ""]
        if self.rng.random() < 0.2:
            return Step(at, "refuse", self.rng.choice(able).person, {"reason": texts.pick("refuse", self.rng)})
        return Step(at, grant, self.rng.choice(able).person)

    def _suspended(self, now: datetime) -> Step | None:
        """Work goes on when the weather lets it, or on the review date."""
        if self.rng.random() < 0.5 or self.issue.due_at is None:
            return None
        at = now + (self.issue.due_at - now) * self.rng.uniform(0.3, 0.9)
        actor = self._somebody(at)
        return Step(self._office(at, 0, 3), "resume", actor.person, {"note": texts.pick("resume", self.rng)}) if actor else None

    def _dispatched(self, now: datetime) -> Step | None:
        if self.plan.declined:
            self.plan.declined = False
            return self._by_unit(now, DECLINE_H, "decline", {"reason": texts.pick("escalate", self.rng, "department")})
        return self._by_unit(
            now, ACCEPT_H, "accept", {"note": texts.pick("accept_notes", self.rng)}, late=True
        )

    def _resolved(self, now: datetime) -> Step | None:
        actor = self._somebody(now, but_handlers=True)
        if actor is None:
            return None
        at = self._office(now, *VERIFY_H)
        if self.plan.late == "verify" and self.issue.due_at:
            self.plan.late, at = None, self._office(self.issue.due_at, *LATE_H)
        if self.plan.reworked:
            self.plan.reworked = False
            return Step(at, "rework", actor.person, {"reason": self._words("rework")})
        return Step(at, "verify", actor.person, {"way": self._way(), "note": self._words("verify_notes")})

    def _callback(self, now: datetime) -> Step | None:
        mine = self.reporter.id not in flow.handlers(self.issue)
        if self.plan.contested and mine:
            self.plan.contested = False
            return Step(
                self._natural(now, 3, 40), "contest", self.reporter, {"reason": self._words("contest")}
            )
        if self.plan.silent or not (mine or self.plan.by_phone):
            return None
        rating = {
            "satisfaction": self.rng.choices((5, 4, 3, 2), (52, 32, 12, 4))[0],
            "note": texts.pick("rate_notes", self.rng),
        }
        caller = self._somebody(now, but_handlers=True) if self.plan.by_phone else None
        if caller and caller.role in CALLERS:
            asked = {"called": self.rng.choice(("phone", "phone", "visit"))}
            return Step(self._office(now, 2, 14), "record_solved", caller.person, asked | rating)
        return Step(self._natural(now, 2, 60), "rate", self.reporter, rating) if mine else None

    def _onward(self, now: datetime, level: str) -> Step | None:
        """Up, or from the city's desk to a department."""
        if level == "city":
            others = sorted(set(story.DEPARTMENTS) - {self.plan.department})
            wanted = self.rng.choice(others) if self.plan.declined else self.plan.department
            data = {"department": wanted, "note": texts.pick("dispatch_notes", self.rng)}
            return self._by_unit(now, ESCALATE_H, "dispatch", data)
        return self._by_unit(
            now, ESCALATE_H, "escalate", {"reason": texts.pick("escalate", self.rng, level)}, late=True
        )

    def _way(self) -> str:
        """How it was checked: by the photo alone now and then, where there is something to see."""
        return "photo" if self.subject.scene and self.rng.random() < 0.3 else "spot"

    def _words(self, name: str) -> Any:
        """A sentence that goes with mending something, or with talking to people."""
        return texts.pick(name, self.rng, "works" if self.subject.scene else "people")

    def _due_here(self, level: str) -> bool:
        """Whether it will be solved here: at the level planned, or where a missed deadline took it above
        that.
        """
        if self.plan.department:
            return level == "department"
        return LEVELS.index(level) >= LEVELS.index(self.plan.solved)

    def _by_unit(
        self,
        now: datetime,
        hours: Hours,
        name: str,
        data: dict[str, Any],
        *,
        late: bool = False,
        photos: int = 0,
    ) -> Step | None:
        """A step by somebody of the answerable unit; once, and only if planned so, after its deadline."""
        actor, level = self._somebody(now), self.level
        if actor is None:
            return None
        if late and self.plan.late == level and self.issue.due_at:
            self.plan.late = None
            at = self._office(max(now, self.issue.due_at), *LATE_H)
        elif level == "micro":
            at = self._natural(now, *hours[level])
            if self.issue.due_at and at > self.issue.due_at and self.rng.random() < PROMPT:
                at = now + (self.issue.due_at - now) * self.rng.uniform(0.1, 0.9)
        else:
            at = self._office(now, *hours[level])
        return Step(
            at, name, actor.person, {key: value for key, value in data.items() if value is not None}, photos
        )

    def _somebody(self, now: datetime, *, but_handlers: bool = False) -> Duty | None:
        """Somebody on duty at the answerable unit; the office's staff rather than the chief."""
        gone = flow.handlers(self.issue) if but_handlers else ()
        able = [duty for duty in self.roster.there(self.issue, now) if duty.person.id not in gone]
        staff = [duty for duty in able if duty.role is not Role.TOWNSHIP_CHIEF]
        return self.rng.choice(staff or able) if able else None

    def _office(self, after: datetime, least: float, most: float) -> datetime:
        """A moment in office hours, so many working hours later."""
        wait = Limit(round(self.rng.uniform(least, most) * 3600), Clock.work_hour)
        return hops.calendar(self.issue).due(after, wait).due_at + timedelta(seconds=self.rng.randint(0, 240))

    def _natural(self, after: datetime, least: float, most: float) -> datetime:
        """A moment by day, so many hours later."""
        at = after + timedelta(hours=self.rng.uniform(least, most))
        local = at.astimezone(SHANGHAI)
        if not 6.5 <= local.hour + local.minute / 60 <= 21.5:
            morning = local.replace(hour=7, minute=self.rng.randint(0, 59), second=self.rng.randint(0, 59))
            at = (morning + timedelta(days=local.hour > 12)).astimezone(after.tzinfo)
        return at
