"""Lead and assisting, joint handling: other units have a part of an issue, and the whole is done when all parts are.

One unit stays answerable for the whole. Each part has a deadline of its own, a clock beside the state called `part:2`. A part
can be declined once, with a reason; whoever gave it, or the lead, drops it or insists, and then it stands.
Source: DOMAIN "The closed loop", several departments: one leads, others assist; the whole is done when all parts are.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from gridgov import timers
from gridgov.db import TZ, session
from gridgov.errors import Invalid
from gridgov.i18n import _
from gridgov.issues import accused, asks, clocks, flow, hops, part_models, part_words
from gridgov.issues.models import Issue
from gridgov.issues.part_models import ASSIST, DECLINED, DONE, JOINT, OPEN, WITHDRAWN, Part
from gridgov.limits import Limit
from gridgov.people import queries as people
from gridgov.people.models import Department
from gridgov.workflow import Move

CLOCK = "part"
FOLLOW = sa.text(
    """
    UPDATE issue_parts SET due_at = m.due_at, due_provisional = m.provisional
    FROM unnest(:id, :clock, :due_at, :provisional) AS m (id, clock, due_at, provisional)
    WHERE issue_id = m.id AND 'part:' || n = m.clock
    """
).bindparams(
    sa.bindparam("id", type_=sa.ARRAY(sa.Uuid)), sa.bindparam("clock", type_=sa.ARRAY(sa.Text)),
    sa.bindparam("due_at", type_=sa.ARRAY(TZ)), sa.bindparam("provisional", type_=sa.ARRAY(sa.Boolean)),
)  # fmt: skip


# Guards ---------------------------------------------------------------------------------------------------------------


def _own(move: Move) -> Part | None:
    """The part that the actor's own unit has to do."""
    found = [part for part in part_models.unsettled(move.subject) if part.state == OPEN]
    posts = people.live_posts(move.actor) if found and move.actor else ()
    return next((part for part in found if any(part_models.held_by(part, post) for post in posts)), None)


def _may_decline_part(move: Move) -> bool:
    part = _own(move)
    return part is not None and part.declined_at is None


def _part_decline_in_time(move: Move) -> bool:
    """As for declining a whole: within the time for it, counted from when it was given."""
    part, limit = _own(move), flow.rules().limit("decline", level=None, grade="C")
    return part is not None and move.at <= hops.calendar(move.subject).due(part.opened_at, limit).due_at


def _office_can_assist(move: Move) -> bool:
    """Departments belong to grids with an office. What a chief's grid has is not for a department to assist."""
    code = move.subject.unit_code
    return code is None or flow.rules().level_of(code).office is not None


def _beside_others(move: Move) -> bool:
    code = move.subject.unit_code
    return code is not None and flow.rules().level_of(code).parent is not None


def _parts_done(move: Move) -> bool:
    return move.subject.parts_open == 0


_parts_done.details = lambda move: {"missing": part_words.missing(move.subject)}  # type: ignore[attr-defined]

flow.GUARDS |= {
    "parts_done": _parts_done,
    "parts_unsettled": lambda move: move.subject.parts_open > 0,
    "part_is_open": lambda move: _own(move) is not None,
    "part_not_declined_before": _may_decline_part,
    "part_decline_in_time": _part_decline_in_time,
    "part_declined": lambda move: any(part.state == DECLINED for part in part_models.unsettled(move.subject)),
    "office_can_assist": _office_can_assist,
    "beside_others": _beside_others,
}


# Effects --------------------------------------------------------------------------------------------------------------


def _refuse(field: str, words: str) -> Invalid:
    return Invalid(words, errors={field: [words]})


def _limit(issue: Issue, part: Part) -> Limit:
    """How long a unit has for its part: what it would have for the whole."""
    name, level = flow.current().clocks[CLOCK].limit or "resolve", None
    if part.unit_code is not None:
        level = flow.rules().level_of(part.unit_code).name
    elif issue.complex and "complex" in flow.rules().department_limits:
        name = "complex"
    return flow.rules().limit(name, level=level, grade=issue.grade)


def _start(move: Move, part: Part) -> None:
    """Open a part, with its deadline from now."""
    issue, limit = move.subject, _limit(move.subject, part)
    due = hops.calendar(issue).due(move.at, limit)
    part.state, part.due_at, part.due_provisional, part.late_at = OPEN, due.due_at, due.provisional, None
    timers.start(
        "issue", issue.id, part.clock, generation=issue.generation, at=move.at, due_at=due.due_at, limit=limit,
        provisional=due.provisional,
    )  # fmt: skip
    issue.clocks = sorted({*issue.clocks, part.clock})
    _concerns(move, part)


def _concerns(move: Move, *parts: Part) -> None:
    """The event says which parts it is about."""
    move.data["parts"] = sorted({*move.data.get("parts", ()), *(part.n for part in parts)})


def _give(move: Move, kind: str, *, unit: str | None = None, department: Department | None = None) -> None:
    issue = move.subject
    accused.refuse(issue, unit, department.id if department else None)
    issue.parts += 1
    issue.parts_open += 1
    at_unit = any(":" not in name for name in move.transition.by & move.actors)
    giver = part_words.office(issue) if department is not None or at_unit else flow.parent_unit(issue)
    part = Part(
        issue_id=issue.id, n=issue.parts, unit_code=unit, department_id=department.id if department else None, kind=kind,
        task=move.data.get("task"), giver_code=giver or part_words.office(issue), opened_at=move.at, opened_by=move.actor.id,
        due_at=move.at,
    )  # fmt: skip
    _start(move, part)
    session.add(part)


def _share(move: Move) -> None:
    """Give a part to each department named. In a dispatch the lead has it already."""
    codes, issue = list(dict.fromkeys(move.data.get("assisting", ()))), move.subject
    for part in part_models.unsettled(issue):  # Whoever leads now has no part beside that.
        if part.department_id is not None and part.department_id == issue.department_id:
            _stop(move, part, WITHDRAWN)
    if not codes:
        return
    able = dict(part_words.assistants(issue))
    if not set(codes) <= set(able):
        words = _("Choose other departments of this office: not the lead, and none that has a part already.")
        raise _refuse("assisting", words)
    found = session.scalars(
        sa.select(Department).where(Department.code.in_(codes)).order_by(Department.code)
    ).all()
    for department in found:
        _give(move, ASSIST, department=department)


def _join(move: Move) -> None:
    issue, code = move.subject, move.data["partner"]
    if code not in dict(asks.siblings(issue)) or not flow.on_duty(issue, code, None):
        words = _("Choose a neighbouring grid at the same level with somebody on duty.")
        raise _refuse("partner", words)
    if any(part.unit_code == code for part in part_models.unsettled(issue)):
        raise _refuse("partner", _("This grid has a part of it already."))
    _give(move, JOINT, unit=code)


def _stop(move: Move, part: Part, state: str) -> None:
    """A part is not to be done any more, for now or for good."""
    issue, part.state = move.subject, state
    clocks.end(issue, [part.clock], move.at)
    if part.settled:
        issue.parts_open -= 1
    _concerns(move, part)


def _finish(move: Move) -> None:
    part = _own(move)
    if part is None:
        raise AssertionError("guard part_is_open must stand before finish_part")
    part.done_at, part.done_by, part.result = move.at, move.actor.id, move.data["result"]
    _stop(move, part, DONE)


def _decline(move: Move) -> None:
    part = _own(move)
    if part is None:
        raise AssertionError("guard part_not_declined_before must stand before decline_part")
    part.declined_at, part.reason = move.at, move.data["reason"]
    _stop(move, part, DECLINED)


def _chosen(move: Move, *states: str) -> Part:
    found = {part.n: part for part in part_models.unsettled(move.subject) if part.state in states}
    if move.data["part"] not in found:
        raise _refuse("part", _("Choose one of the parts that wait for this."))
    return found[move.data["part"]]


def _insist(move: Move) -> None:
    _start(move, _chosen(move, DECLINED))


def _end_all(move: Move) -> None:
    """The issue leaves who answers for it, or ends: what others were asked beside is over too."""
    for part in part_models.unsettled(move.subject):
        _stop(move, part, WITHDRAWN)


def _open_again(move: Move) -> None:
    """Of what was finished, open again what has to be done anew, if anything was named."""
    wanted = set(move.data.pop("parts_again", ()))
    if not wanted:
        return
    able = {int(n) for n, _name in part_words.finished_options(move.subject)}
    if not wanted <= able:
        raise _refuse("parts_again", _("Choose one of the parts that wait for this."))
    for part in part_models.of(move.subject):
        if part.n in wanted:
            move.subject.parts_open += 1
            _start(move, part)


def _note_late(move: Move) -> None:
    """Those whose deadline has just passed; the event names them, and so their units are told, once for all of them."""
    late = [
        part for part in part_models.unsettled(move.subject) if part.state == OPEN and part.late_at is None
    ]
    for part in late:
        if part.due_at <= move.at:
            part.late_at = move.at
            clocks.end(move.subject, [part.clock], move.at)
            _concerns(move, part)


flow.EFFECTS |= {
    "share": _share,
    "join": _join,
    "finish_part": _finish,
    "decline_part": _decline,
    "drop_part": lambda move: _stop(move, _chosen(move, OPEN, DECLINED), WITHDRAWN),
    "insist_part": _insist,
    "end_parts": _end_all,
    "open_parts_again": _open_again,
    "note_late_parts": _note_late,
    "set_complex": lambda move: setattr(move.subject, "complex", bool(move.data.get("complex"))),
}
flow.AUDIENCES |= {"parts", "givers"}


# The calendar -----------------------------------------------------------------------------------------------------------


def follow(moved: Iterable[Any]) -> None:
    """Set what parts show as their deadlines when the calendar has changed (worktime.reckoning.Moved)."""
    rows = [m.timer for m in moved if m.timer.state == "open" and m.timer.kind.startswith(f"{CLOCK}:")]
    if rows:
        values = {
            "id": [t.subject_id for t in rows], "clock": [t.kind for t in rows], "due_at": [t.due_at for t in rows],
            "provisional": [t.provisional for t in rows],
        }  # fmt: skip
        session.connection().execute(FOLLOW, values)
