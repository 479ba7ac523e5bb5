"""The figures of a bulletin the slow and obvious way: walk each issue's events one by one and keep a tally. For tests only.

Knows nothing of gridgov's SQL. Times are compared as they are; an issue is a list of its events, in order.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

ENDED = {"closed": "closed", "not_accepted": "not_accepted", "withdrawn": "withdrawn", "merged": "merged"}
REACHED = {
    "accepted": "registered",
    "dispatched": "dispatched",
    "resolved": "resolved",
    "callback": "verified",
}
AT_WORK = {"accepted", "suspended", "merged"}
WHOLE = "whole"
LEVELS = {6: "city", 9: "township", 12: "village", 15: "micro"}


@dataclass
class Task:
    """What one unit was to do: its intervals of work, as (from, to, deadline, how it went on)."""

    unit: str
    work: list[tuple[datetime, datetime, datetime, str]] = field(default_factory=list)
    resolved_at: datetime | None = None

    def missed(self) -> datetime | None:
        """The first deadline that passed."""
        late = [due for _a, b, due, then in self.work if due < b or (due == b and then == "gone")]
        return min(late, default=None)

    def multiple(self, missed: datetime) -> float | None:
        """Time over the deadline, as a multiple of the time allowed."""
        zero = timedelta()
        before = sum((max(zero, min(b, missed) - a) for a, b, _d, _t in self.work), zero)
        after = sum((max(zero, b - max(a, missed)) for a, b, _d, _t in self.work), zero)
        return after / before if before else None


class Tally:
    """Lists of what was counted, for one group."""

    def __init__(self) -> None:
        self.hours: dict[str, list[float]] = defaultdict(list)
        self.facts: dict[str, list[Any]] = defaultdict(list)
        self.tasks: list[tuple[bool, bool, float | None]] = []
        self.results: list[tuple[bool, bool | None, bool]] = []


def unit_of(event: Any) -> str:
    """Who has it after the event."""
    return event.unit_code or str(event.department_id)


def tasks(story: list[Any], end: datetime) -> list[Task]:
    """The tasks of one issue, as they stood at a moment."""
    found: list[Task] = []
    present: Task | None = None
    for n, event in enumerate(story):
        if event.to_state not in AT_WORK:
            present = None
            continue
        if present is None or present.unit != unit_of(event):
            present = Task(unit_of(event))
            found.append(present)
        if event.to_state != "accepted":
            continue
        if n + 1 == len(story):
            present.work.append((event.at, end, event.due_at, "open"))
            continue
        after = story[n + 1]
        then = "gone"
        if after.to_state == "resolved":
            then, present.resolved_at = "resolved", after.at
        elif after.to_state in AT_WORK and unit_of(after) == present.unit:
            then = "on"
        present.work.append((event.at, after.at, event.due_at, then))
    return found


def reckon(
    stories: dict[Any, list[Any]], keys: dict[Any, Any], by: str, begin: datetime, end: datetime
) -> dict[Any, Any]:
    """Figures by group, WHOLE for the whole. `keys` gives the group of an issue; by "unit" it is that of each act."""
    tallies: dict[Any, Tally] = defaultdict(Tally)
    for issue, whole in stories.items():
        story = [event for event in whole if event.at < end]
        own = keys.get(issue)

        def groups(unit: Any, own: Any = own) -> list[Any]:
            return [WHOLE, unit if by == "unit" else own]

        for n, event in enumerate(story):
            if begin <= event.at:
                _one(story, n, event, groups, tallies, issue)
        for task in tasks(story, end):
            missed = task.missed()
            falls = missed or task.resolved_at
            if falls and begin <= falls:
                for group in groups(task.unit):
                    multiple = task.multiple(missed) if missed else None
                    tallies[group].tasks.append((missed is None, task.resolved_at is not None, multiple))
        if story and story[-1].to_state == "suspended":
            for group in groups(unit_of(story[-1])):
                tallies[group].facts["suspended"].append(issue)
    return {group: _figures(tally) for group, tally in tallies.items()}


def _one(story: list[Any], n: int, event: Any, groups: Any, tallies: dict[Any, Tally], issue: Any) -> None:
    """What one event of the period counts as."""
    before = story[n - 1] if n else None
    had = unit_of(before) if before else unit_of(event)
    has = unit_of(event)

    def count(name: str, unit: str) -> None:
        for group in groups(unit):
            tallies[group].facts[name].append(issue)

    def stage(name: str) -> None:
        for group in groups(had):
            tallies[group].hours[name].append((event.at - story[0].at).total_seconds() / 3600)

    if before is None:
        stage("reported")
        return
    if event.name == "decline":
        count("declined", had)
    if event.name == "grant_time":
        count("extended", has)
    if before.to_state == event.to_state:
        return
    state = event.to_state
    if state in REACHED and state not in [earlier.to_state for earlier in story[:n]]:
        stage(REACHED[state])
    stands = all(later.to_state == state for later in story[n:])
    if state in ENDED and stands:
        stage(ENDED[state])
    if state == "accepted" and before.to_state in ("reported", "dispatched"):
        count("accepted", has)
        if "accepted" not in [earlier.to_state for earlier in story[:n]]:
            count("registered", has)
    if state == "not_accepted" and stands:
        count("refused", had)
    if state == "dispatched":
        count("dispatched", has)
    if state == "resolved" and before.to_state == "accepted":
        count("resolved", had)
    if state == "accepted" and before.to_state in ("resolved", "callback"):
        count("reworked", has)
    if state == "accepted" and before.to_state == "closed":
        count("reopened", has)
    if state == "closed" and stands:
        _closed(story, n, groups, tallies, count)


def _closed(story: list[Any], n: int, groups: Any, tallies: dict[Any, Tally], count: Any) -> None:
    """What became of an issue that was closed with event n."""
    worked = [event for event in story[:n] if event.to_state == "accepted"]
    if worked:
        for taken in {unit_of(event) for event in worked}:
            count(f"{LEVELS[len(taken)] if taken.isdigit() else 'department'}_accepted", taken)
        unit = unit_of(worked[-1])
        count(f"{LEVELS[len(unit)] if unit.isdigit() else 'department'}_closed", unit)
    on_time, handler = False, None
    solved, satisfied = None, False
    for a, b in pairwise(story[: n + 1]):
        if (a.to_state, b.to_state) == ("accepted", "resolved"):
            on_time, handler = b.at <= a.due_at, unit_of(a)
        if b.actor_role == "system":
            continue
        answered = a.to_state == "callback" and b.to_state in ("closed", "accepted")
        if answered or (a.to_state, b.to_state) == ("closed", "accepted"):
            solved, satisfied = b.to_state == "closed", b.data.get("satisfaction", 0) >= 4
    for group in groups(handler):
        tallies[group].results.append((on_time, solved, satisfied))


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _figures(tally: Tally) -> dict[str, Any]:
    facts = tally.facts

    def many(name: str) -> int:
        return len(facts[name])

    stages = ["reported", *REACHED.values(), *ENDED.values()]
    found: dict[str, Any] = {f"stages.{name}": len(tally.hours[name]) for name in stages}
    found |= {
        f"stages.{name}_median_h": median(tally.hours[name]) if tally.hours[name] else None
        for name in stages[1:]
    }
    due, done = len(tally.tasks), sum(done for _on, done, _m in tally.tasks)
    on_time = sum(on for on, _done, _m in tally.tasks)
    multiples = [m for on, _done, m in tally.tasks if not on and m is not None]
    found |= {
        "timeliness.due": due, "timeliness.done": done, "timeliness.on_time": on_time, "timeliness.overdue": due - on_time,
        "timeliness.overdue_undone": sum(not on and not done for on, done, _m in tally.tasks),
        "timeliness.closing_rate": _rate(done, due), "timeliness.on_time_rate": _rate(on_time, due),
        "timeliness.overdue_multiple": sum(multiples) / len(multiples) if multiples else None,
        "timeliness.overdue_multiple_most": max(multiples, default=None),
    }  # fmt: skip
    judged = set(facts["registered"]) | set(facts["refused"])
    valid = judged - set(facts["refused"])
    for name in (
        "resolved",
        "reworked",
        "reopened",
        "dispatched",
        "declined",
        "accepted",
        "extended",
        "suspended",
    ):
        found[f"quality.{name}"] = many(name)
    found |= {
        "quality.judged": len(judged), "quality.valid": len(valid), "quality.valid_report_rate": _rate(len(valid), len(judged)),
        "quality.rework_rate": _rate(many("reworked"), many("resolved")),
        "quality.decline_rate": _rate(many("declined"), many("dispatched")),
        "quality.extension_rate": _rate(many("extended"), many("accepted")),
    }  # fmt: skip
    for level in (*LEVELS.values(), "department"):
        accepted, closed = (len(set(facts[f"{level}_{what}"])) for what in ("accepted", "closed"))
        found |= {f"quality.{level}_accepted": accepted, f"quality.{level}_closed": closed}
        found[f"quality.{level}_self_resolved_rate"] = _rate(closed, accepted)
    closed, answers = len(tally.results), [(s, good) for _on, s, good in tally.results if s is not None]
    numbers = (
        sum(on for on, _s, _g in tally.results),
        sum(s for s, _g in answers),
        sum(good for _s, good in answers),
    )
    found |= {
        "results.closed": closed, "results.answered": len(answers), "results.closed_on_time": numbers[0],
        "results.solved": numbers[1], "results.satisfied": numbers[2], "results.closed_on_time_rate": _rate(numbers[0], closed),
        "results.solved_rate": _rate(numbers[1], len(answers)), "results.satisfaction": _rate(numbers[2], len(answers)),
    }  # fmt: skip
    return found
