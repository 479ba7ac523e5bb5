"""What is proven of a workflow file at boot. A file that fails is refused with file, line and reason."""

from gridgov.workflow import BACK, SAME, Transition, Workflow

SYSTEM, REPORTER = "system", "reporter"


def prove(
    flow: Workflow, *, guards: set[str], effects: set[str], actors: set[str], audiences: set[str], limits: set[str],
    clock_limits: set[str],
) -> None:  # fmt: skip
    """Raise PolicyError unless every name is known, every state can be reached and left, and nothing waits for ever."""
    file = flow.file
    if flow.start not in flow.states:
        raise file.fail(("start",), f"unknown state {flow.start!r}")
    for name, words in flow.reasons.items():
        if name not in guards:
            raise file.fail(("guards", name), f"unknown guard {name!r}: {words['en']}")
    for t in flow.transitions.values():
        at = ("transitions", t.name)
        known = [
            ("from", t.sources, set(flow.states), "state"),
            ("to", (t.to,), {*flow.states, SAME, BACK}, "state"),
            ("by", sorted(t.by), actors, "actor"),
            ("guard", t.guard, set(flow.reasons), "guard (give its words under guards)"),
            ("do", t.do, effects, "effect"),
            ("needs", t.needs, set(flow.fields), "field"),
            ("may", t.may, set(flow.fields), "field"),
            ("tells", t.tells, audiences, "audience"),
            ("starts", t.starts, set(flow.clocks), "clock"),
            ("stops", t.stops, set(flow.clocks), "clock"),
        ]
        for key, names, allowed, what in known:
            for i, name in enumerate(names):
                if name not in allowed:
                    where = (*at, key, i) if key not in ("to", "by") else (*at, key)
                    raise file.fail(where, f"unknown {what} {name!r} in {t.name}.{key}")
        if not t.sources:
            raise file.fail((*at, "from"), f"{t.name} starts from no state")
        if not t.by:
            raise file.fail((*at, "by"), f"nobody may fire {t.name}")
        for source in t.sources:
            if not flow.states[source].open and t.to != BACK and not _reopens(flow, t):
                why = "only somebody can, under a condition, and back into an open state"
                raise file.fail((*at, "from"), f"{t.name} leaves {source!r}, which is an end: {why}")
    _prove_what_reporters_read(flow)
    _prove_warnings(flow, audiences)
    _prove_time(flow, limits)
    _prove_clocks(flow)
    _prove_parking(flow)
    _prove_side_clocks(flow, audiences, clock_limits)
    _prove_paths(flow)


def _reopens(flow: Workflow, t: Transition) -> bool:
    """Whether a move may leave an end: a person's, guarded, from ends alone, to where a deadline begins anew."""
    ends = not any(flow.states[name].open for name in t.sources)
    back = t.to != SAME and flow.states[t.to].open
    return ends and back and bool(t.guard) and SYSTEM not in t.by and t.clock == "restart"


def _prove_what_reporters_read(flow: Workflow) -> None:
    """What is internal is not the reporter's, and what a decision recalls are fields."""
    for t in flow.transitions.values():
        at = ("transitions", t.name)
        if t.internal and (REPORTER in t.by or REPORTER in t.tells):
            why = f"{t.name} is internal: the reporter can neither make it nor be told of it"
            raise flow.file.fail((*at, "internal"), why)
        for i, name in enumerate(t.recalls):
            if name not in flow.fields:
                raise flow.file.fail((*at, "recalls", i), f"unknown field {name!r} in {t.name}.recalls")


def _prove_warnings(flow: Workflow, audiences: set[str]) -> None:
    """Who is warned is somebody."""
    for state in flow.states.values():
        for i, name in enumerate(state.warns):
            if name not in audiences:
                why = f"unknown audience {name!r} in {state.name}.warns"
                raise flow.file.fail(("states", state.name, "warns", i), why)


def _prove_time(flow: Workflow, limits: set[str]) -> None:
    """Every open state has a deadline, and something the system can always do when it passes."""
    file = flow.file
    for state in flow.states.values():
        at = ("states", state.name)
        if not state.open:
            if state.due or state.overdue or state.always or state.warns:
                raise file.fail(at, f"{state.name!r} is an end and can have no deadline")
            continue
        if not state.due:
            raise file.fail(at, f"open state {state.name!r} has no deadline")
        if state.due not in limits:
            raise file.fail((*at, "due"), f"unknown limit {state.due!r}")
        if not state.overdue:
            raise file.fail(
                at, f"open state {state.name!r} does not say what happens when its deadline passes"
            )
        for key, names in (("overdue", state.overdue), ("always", state.always)):
            for i, name in enumerate(names):
                t = flow.transitions.get(name)
                if t is None or state.name not in t.sources or SYSTEM not in t.by or t.needs:
                    why = (
                        "unknown"
                        if t is None
                        else "not one the system can fire from here without being asked anything"
                    )
                    raise file.fail((*at, key, i), f"{key} of {state.name!r}: {name!r} is {why}")
                if key == "always" and (not t.guard or t.to == SAME):
                    raise file.fail(
                        (*at, key, i), f"{name!r} would fire for ever: it needs a guard and another state"
                    )
        last = flow.transitions[state.overdue[-1]]
        if last.guard:
            raise file.fail(
                (*at, "overdue"), f"the last of overdue must always be possible; {last.name!r} has a guard"
            )
        if any(flow.transitions[n].to == SAME for n in state.overdue) and state.again is None:
            raise file.fail(at, f"{state.name!r} stays where it is when overdue: say when `again`")


def _prove_side_clocks(flow: Workflow, audiences: set[str], limits: set[str]) -> None:
    """What a clock beside the state fires can be fired by the system wherever the clock may run."""
    file, open_states = flow.file, {name for name, state in flow.states.items() if state.open}
    for clock in flow.clocks.values():
        at = ("clocks", clock.name)
        if clock.name in {state.due for state in flow.states.values()}:
            raise file.fail(at, f"{clock.name!r} is the deadline of a state already")
        if not clock.due:
            raise file.fail(at, f"{clock.name} does not say what happens when it has passed")
        if clock.limit is not None and clock.limit not in limits:
            raise file.fail((*at, "limit"), f"unknown limit {clock.limit!r}")
        if clock.date is not None and (clock.date not in flow.fields or flow.fields[clock.date].kind != "date"):
            raise file.fail((*at, "date"), f"{clock.date!r} is no field with a date")
        for i, name in enumerate(clock.due):
            t = flow.transitions.get(name)
            if t is None or SYSTEM not in t.by or t.needs or t.guard or t.to != SAME or set(t.sources) != open_states:
                raise file.fail((*at, "due", i), f"{name!r} is not a move that the system can make in every open state")
        for t in flow.transitions.values():
            if clock.name in t.starts and clock.date is not None and clock.date not in t.needs:
                raise file.fail(("transitions", t.name, "starts"), f"{t.name} starts {clock.name}, so it needs {clock.date}")
    for where, entry in [(("report",), flow.report), *((("grades", k), e) for k, e in flow.grades.items())]:
        for key, names, known in (("tells", entry.tells, audiences), ("starts", entry.starts, set(flow.clocks))):
            for i, name in enumerate(names):
                if name not in known or (key == "starts" and flow.clocks[name].limit is None):
                    raise file.fail((*where, key, i), f"unknown {key} {name!r}")


def _prove_clocks(flow: Workflow) -> None:
    """A clock that is held runs on where it was held: there is one state with a clock to stop, and one to wait in."""
    held = {s for t in flow.transitions.values() if t.clock == "hold" for s in t.sources}
    waits = {t.to for t in flow.transitions.values() if t.clock == "hold"}
    for t in flow.transitions.values():
        at = ("transitions", t.name, "clock")
        if t.clock == "anew" and (t.to != SAME or any(s in waits for s in t.sources)):
            raise flow.file.fail(at, f"{t.name} begins a deadline anew: it must stay in a state whose clock runs")
        if t.clock == "hold" and (t.to == SAME or len(held) != 1 or len(waits) != 1):
            raise flow.file.fail(at, f"{t.name} holds the clock: all that do lead from one state to one other")
        if t.clock == "go_on" and ({t.to} != held or set(t.sources) != waits):
            raise flow.file.fail(at, f"{t.name} lets a clock go on: it must lead back to where it was held")
        if t.clock == "restart" and t.to not in (SAME, *waits) and set(t.sources) & waits and flow.states[t.to].open:
            raise flow.file.fail(at, f"{t.name} leaves a held clock behind")
        if t.clock == "restart" and t.to != SAME and t.to in waits:
            raise flow.file.fail(at, f"{t.name} leads to {t.to!r}, where a clock is held, without holding one")


def _prove_parking(flow: Workflow) -> None:
    """What is parked waits in one end of its own, from which every way leads back to where it was, all of its clocks with it."""
    parks = [t for t in flow.transitions.values() if t.clock == "park"]
    parked = {t.to for t in parks}
    waits = {t.to for t in flow.transitions.values() if t.clock == "hold"}
    for t in parks:
        at = ("transitions", t.name, "clock")
        if len(parked) != 1 or t.to in (SAME, BACK) or flow.states[t.to].open or set(t.sources) & waits:
            raise flow.file.fail(at, f"{t.name} parks its clocks: all that do lead from states whose clock runs to one end")
    for t in flow.transitions.values():
        at = ("transitions", t.name, "clock")
        if t.clock != "park" and t.to in parked:
            raise flow.file.fail(at, f"{t.name} leads to {t.to!r}, where clocks are parked, without parking any")
        if (t.clock == "unpark") != (t.to == BACK) or (t.to == BACK and set(t.sources) != parked):
            raise flow.file.fail(at, f"{t.name} goes back: it must unpark, and leave where clocks are parked")


def _prove_paths(flow: Workflow) -> None:
    """Every state can be reached from the start, and from every open state an end can be reached."""
    ahead = {
        name: {t.to for t in flow.transitions.values() if name in t.sources and t.to not in (SAME, BACK)}
        for name in flow.states
    }
    reached, front = {flow.start}, [flow.start]
    while front:
        for nxt in ahead[front.pop()] - reached:
            reached.add(nxt)
            front.append(nxt)
    for name in flow.states:
        if name not in reached:
            raise flow.file.fail(("states", name), f"state {name!r} can never be reached")
    ends = {name for name, state in flow.states.items() if not state.open}
    while more := {name for name in flow.states if name not in ends and ahead[name] & ends}:
        ends |= more
    for name in flow.states:
        if name not in ends:
            raise flow.file.fail(("states", name), f"from state {name!r} no end can be reached")


def diagram(flow: Workflow, language: str = "zh") -> str:
    """The workflow as a Mermaid state diagram; system moves are marked."""
    lines = ["stateDiagram-v2", "    direction TB"]
    for state in flow.states.values():
        lines.append(f'    state "{state.label[language]}" as {state.name}')
    lines.append(f"    [*] --> {flow.start}")
    for t in flow.transitions.values():
        mark = " ⏱" if t.by == {SYSTEM} else ""
        for source in t.sources:
            if t.to == BACK:
                lines += [f"    {source} --> {name}: {t.label[language]}" for name in parked_from(flow)]
            elif t.to != SAME:
                lines.append(f"    {source} --> {t.to}: {t.label[language]}{mark}")
    lines += [f"    {name} --> [*]" for name, state in flow.states.items() if not state.open]
    return "\n".join(lines)


def parked_from(flow: Workflow) -> list[str]:
    """The states that a move back may lead to, in the file's order."""
    sources = {source for t in flow.transitions.values() if t.clock == "park" for source in t.sources}
    return [name for name in flow.states if name in sources]
