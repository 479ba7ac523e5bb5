"""What a workflow file is made of, once read. gridgov/workflow.py reads it and is the name under which others know all of this."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gridgov.limits import Limit

Words = Mapping[str, str]
SAME = "same"
BACK = "back"


@dataclass(frozen=True)
class FieldSpec:
    """Something a transition asks for. `options` are those of a choice, by value."""

    name: str
    kind: str
    label: Words
    help: Words | None = None
    max: int = 500
    low: int = 1
    high: int = 5
    options: Mapping[str, Words] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """A place in the life of a subject. `due` names the limit that runs there, `warns` who hears when it runs short."""

    name: str
    label: Words
    explain: Words
    open: bool
    tone: str
    icon: str
    due: str | None = None
    overdue: tuple[str, ...] = ()
    again: Limit | None = None
    always: tuple[str, ...] = ()
    warns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Transition:
    """A move. `by` are actors (see `Workflow.load`), `needs` and `may` the fields it takes.

    `clock`: what becomes of the deadline of the state it leaves. restart: it is over; hold: it stops; go_on: the one that
    was stopped before runs on with what was left; anew: the state stays and its deadline begins again; park and unpark: all of
    its clocks stop with the issue, and run on when that is undone (`to: back`, the state it was in). `starts` and `stops`
    name clocks that run beside it. An `internal` move is not shown to who only reported it; `recalls`: what they read with
    this one of the request that it decides.
    """

    name: str
    label: Words
    sources: tuple[str, ...]
    to: str
    by: frozenset[str]
    guard: tuple[str, ...] = ()
    do: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    emits: str | None = None
    tells: tuple[str, ...] = ()
    urgency: str = "normal"
    button: str = "plain"
    icon: str = "arrow-right"
    explain: Words | None = None
    clock: str = "restart"
    starts: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
    internal: bool = False
    recalls: tuple[str, ...] = ()


@dataclass(frozen=True)
class SideClock:
    """A deadline beside that of the state. It runs for the limit named, or to the end of the day given in field `date`.

    `due` are the system's moves when it has passed. It outlives a change of state unless `with_state`.
    """

    name: str
    limit: str | None
    date: str | None
    due: tuple[str, ...]
    with_state: bool


@dataclass(frozen=True)
class Entry:
    """What happens when an issue comes in, or gets a grade: who is told, which clocks start."""

    tells: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()


@dataclass
class Move:
    """One transition being fired on one subject. `actor` None is the system; `data` holds the fields given."""

    subject: Any
    transition: Transition
    actor: Any
    actors: frozenset[str]
    at: datetime
    data: dict[str, Any] = field(default_factory=dict)
