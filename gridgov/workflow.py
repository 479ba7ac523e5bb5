"""The interpreter of workflows/*.yaml: proven at boot, then it says what may be done and what a move does.

The file names guards, effects, actors and audiences; Python registers what stands behind the names. There are no
expressions in YAML. A subject is any object with a `state`; this module knows nothing of issues or databases.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from gridgov.errors import IllegalTransition, Invalid, NotPermitted
from gridgov.i18n import _, pick
from gridgov.limits import Limit
from gridgov.workflow_parts import BACK, SAME, Entry, FieldSpec, Move, SideClock, State, Transition, Words
from gridgov.yamlfile import YamlFile

__all__ = ["BACK", "SAME", "Entry", "FieldSpec", "Move", "SideClock", "State", "Transition", "Words", "Workflow", "parse_limit"]
FIELD_KINDS = {"text", "photos", "department", "unit", "issue", "date", "choice", "yesno", "scale", "departments", "part", "parts"}
STATE_TONES = {"blue", "teal", "violet", "amber", "red", "green", "grey"}
BUTTONS = {"primary", "soft", "danger", "plain"}
URGENCIES = ("low", "normal", "high")
CLOCKS = ("restart", "hold", "go_on", "anew", "park", "unpark")


Guard = Callable[[Move], bool]
Effect = Callable[[Move], None]


class Workflow:
    """One proven workflow file."""

    def __init__(self, file: YamlFile, guards: Mapping[str, Guard], effects: Mapping[str, Effect]) -> None:
        self.file, self._guards, self._effects = file, guards, effects
        sections = {"workflow", "label", "start", "report", "fields", "guards", "states", "transitions"}
        data = file.need((), sections, {"clocks", "grades"})
        file.texts((), "workflow", "start")
        self.name, self.start = data["workflow"], data["start"]
        self.label = file.words(("label",))
        self.fields = {name: self._field(name) for name in self._names("fields")}
        self.reasons = {name: file.words(("guards", name)) for name in self._names("guards")}
        self.states = {name: self._state(name) for name in self._names("states")}
        self.transitions = {name: self._transition(name) for name in self._names("transitions")}
        self.clocks = {name: self._clock(name) for name in self._names("clocks")} if "clocks" in data else {}
        self.report = self._entry(("report",))
        self.grades = {name: self._entry(("grades", name)) for name in self._names("grades")} if "grades" in data else {}

    @classmethod
    def load(
        cls, path: Path, *, guards: Mapping[str, Guard], effects: Mapping[str, Effect],
        actors: Iterable[str], audiences: Iterable[str], limits: Iterable[str], clock_limits: Iterable[str] = (),
    ) -> "Workflow":  # fmt: skip
        """Read and prove a file against every name that Python knows. Raises PolicyError: file, line, reason."""
        flow = cls(YamlFile(path), guards, effects)
        from gridgov.workflow_proof import prove

        prove(flow, guards=set(guards), effects=set(effects), actors=set(actors), audiences=set(audiences),
              limits=set(limits), clock_limits={*limits, *clock_limits})  # fmt: skip
        return flow

    def available(self, subject: Any, actor: Any, actors: frozenset[str], at: datetime) -> list[Transition]:
        """What this actor may do with the subject now, in the file's order."""
        found = []
        for transition in self.transitions.values():
            if subject.state in transition.sources and transition.by & actors:
                move = Move(subject, transition, actor, actors, at)
                if all(self._guards[name](move) for name in transition.guard):
                    found.append(transition)
        return found

    def check(
        self,
        subject: Any,
        name: str,
        *,
        actor: Any,
        actors: frozenset[str],
        at: datetime,
        data: dict[str, Any],
    ) -> Move:
        """Prove one move, changing nothing. Raises NotPermitted, IllegalTransition or Invalid, in that order."""
        transition = self.transitions.get(name)
        if transition is None:
            raise Invalid(_("There is no such step."), code="unknown_transition", field="name")
        if not transition.by & actors:
            raise NotPermitted(_("Your post does not allow “%(step)s” here.", step=pick(transition.label)))
        if subject.state not in transition.sources:
            state = pick(self.states[subject.state].label)
            raise IllegalTransition(
                _(
                    "“%(step)s” is not possible any more: it is now “%(state)s”.",
                    step=pick(transition.label),
                    state=state,
                ),
                state=subject.state,
            )
        move = Move(subject, transition, actor, actors, at, self._take(transition, data))
        for guard in transition.guard:
            if not self._guards[guard](move):
                raise IllegalTransition(self._why(guard, move), code=f"guard_{guard}", state=subject.state)
        return move

    def carry_out(self, move: Move) -> None:
        """Run the effects of a checked move, then set the state."""
        for effect in move.transition.do:
            self._effects[effect](move)
        if move.transition.to not in (SAME, BACK):
            move.subject.state = move.transition.to

    def holds(self, guards: Iterable[str], move: Move) -> bool:
        """Whether all the named guards hold for a move."""
        return all(self._guards[name](move) for name in guards)

    def _why(self, guard: str, move: Move) -> str:
        """Why a guard refuses: its words, with what a function `details` of the guard says of this move filled in."""
        words, details = pick(self.reasons[guard]), getattr(self._guards[guard], "details", None)
        return words.format(**details(move)) if details else words

    def _take(self, transition: Transition, data: dict[str, Any]) -> dict[str, Any]:
        given = {key: value for key, value in data.items() if not _is_blank(value)}
        errors = {name: [_("This is needed.")] for name in transition.needs if name not in given}
        for name in set(given) - set(transition.needs) - set(transition.may):
            errors[name] = [_("This step does not take it.")]
        if errors:
            raise Invalid(_("Please check what you entered."), errors=errors)
        return given

    def _names(self, section: str) -> list[str]:
        value = self.file.get((section,))
        if not isinstance(value, dict) or (not value and section != "guards"):
            raise self.file.fail((section,), f"{section} must be a mapping with entries")
        return list(value)

    def _field(self, name: str) -> FieldSpec:
        at = ("fields", name)
        raw = self.file.need(at, {"kind", "label"}, {"help", "max", "low", "high", "options"})
        self.file.texts(at, "kind")
        if raw["kind"] not in FIELD_KINDS:
            raise self.file.fail((*at, "kind"), f"unknown kind {raw['kind']!r}")
        numbers = {key: raw[key] for key in ("max", "low", "high") if key in raw}
        for key, value in numbers.items():
            if type(value) is not int or value < 1:
                raise self.file.fail((*at, key), "must be a whole number above 0")
        words = self.file.words((*at, "help")) if "help" in raw else None
        if (raw["kind"] == "choice") != bool(raw.get("options")):
            raise self.file.fail(at, f"{name}: a choice has options, and nothing else has")
        options = {str(key): self.file.words((*at, "options", key)) for key in raw.get("options", ())}
        return FieldSpec(name, raw["kind"], self.file.words((*at, "label")), words, options=options, **numbers)

    def _state(self, name: str) -> State:
        at = ("states", name)
        raw = self.file.need(
            at, {"label", "explain", "kind", "tone", "icon"}, {"due", "overdue", "again", "always", "warns"}
        )
        self.file.texts(at, "kind", "tone", "icon", "due")
        if raw["kind"] not in ("open", "done"):
            raise self.file.fail((*at, "kind"), "must be open or done")
        if raw["tone"] not in STATE_TONES:
            raise self.file.fail((*at, "tone"), f"must be one of {', '.join(sorted(STATE_TONES))}")
        again = None
        if "again" in raw:
            again = parse_limit(self.file, (*at, "again"))
        return State(
            name, self.file.words((*at, "label")), self.file.words((*at, "explain")), raw["kind"] == "open",
            raw["tone"], raw["icon"], raw.get("due"), self._list((*at, "overdue")), again, self._list((*at, "always")),
            self._list((*at, "warns")),
        )  # fmt: skip

    def _transition(self, name: str) -> Transition:
        at = ("transitions", name)
        lists = {"guard", "do", "needs", "may", "tells", "starts", "stops", "recalls"}
        more = {"internal", "emits", "urgency", "button", "icon", "explain", "clock"}
        raw = self.file.need(at, {"label", "from", "to", "by"}, lists | more)
        self.file.texts(at, "to", "button", "icon", "emits", "urgency", "clock")
        if raw.get("clock", "restart") not in CLOCKS:
            raise self.file.fail((*at, "clock"), f"must be one of {', '.join(CLOCKS)}")
        if raw.get("urgency", "normal") not in URGENCIES:
            raise self.file.fail((*at, "urgency"), f"must be one of {', '.join(URGENCIES)}")
        if raw.get("button", "plain") not in BUTTONS:
            raise self.file.fail((*at, "button"), f"must be one of {', '.join(sorted(BUTTONS))}")
        if type(raw.get("internal", False)) is not bool:
            raise self.file.fail((*at, "internal"), "must be true or false")
        return Transition(
            name, self.file.words((*at, "label")), self._sources(at, raw["from"]), raw["to"],
            frozenset(self._list((*at, "by"))),
            guard=self._list((*at, "guard")), do=self._list((*at, "do")), needs=self._list((*at, "needs")),
            may=self._list((*at, "may")), tells=self._list((*at, "tells")), emits=raw.get("emits"),
            urgency=raw.get("urgency", "normal"), button=raw.get("button", "plain"), icon=raw.get("icon", "arrow-right"),
            explain=self.file.words((*at, "explain")) if "explain" in raw else None, clock=raw.get("clock", "restart"),
            starts=self._list((*at, "starts")), stops=self._list((*at, "stops")),
            internal=raw.get("internal", False), recalls=self._list((*at, "recalls")),
        )  # fmt: skip

    def _sources(self, at: tuple[str | int, ...], given: Any) -> tuple[str, ...]:
        """The states a move starts from; `from: open` means every open one, those added later too."""
        if given == "open":
            return tuple(name for name, state in self.states.items() if state.open)
        return self._list((*at, "from"))

    def _clock(self, name: str) -> SideClock:
        at = ("clocks", name)
        raw = self.file.need(at, {"due"}, {"limit", "date", "with_state"})
        self.file.texts(at, "limit", "date")
        if ("limit" in raw) == ("date" in raw):
            raise self.file.fail(at, f"{name} needs either a limit or the date of a field")
        if type(raw.get("with_state", False)) is not bool:
            raise self.file.fail((*at, "with_state"), "must be true or false")
        due = self._list((*at, "due"))
        return SideClock(name, raw.get("limit"), raw.get("date"), due, raw.get("with_state", False))

    def _entry(self, at: tuple[str | int, ...]) -> Entry:
        self.file.need(at, set(), {"tells", "starts"})
        return Entry(self._list((*at, "tells")), self._list((*at, "starts")))

    def _list(self, at: tuple[str | int, ...]) -> tuple[str, ...]:
        parent = self.file.get(at[:-1])
        value = parent.get(at[-1], [])
        if not isinstance(value, list) or any(not isinstance(item, str) for item in value):
            raise self.file.fail(at, f"{at[-1]} must be a list of names")
        return tuple(value)


def _is_blank(value: Any) -> bool:
    """Nothing, no photos, or a text without a letter."""
    return value in (None, []) or (isinstance(value, str) and not value.strip())


def parse_limit(file: YamlFile, at: tuple[str | int, ...]) -> Limit:
    """A length of time with its clock, `{within: 1d, clock: work_day}`."""
    raw = file.need(at, {"within", "clock"})
    try:
        return Limit.parse(str(raw["within"]), raw["clock"])
    except ValueError as error:
        raise file.fail(at, str(error)) from None
