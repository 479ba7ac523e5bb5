"""What a handler asks of the level above, and moves to the side: more time, a stopped clock, a decline, a transfer, an urge.

An issue has at most one open request: `asked_kind` with the number of its event, and the grid whose office decides it. An
issue that moves on takes its request back. Source: DOMAIN "The closed loop": extension once on the next level's approval and
at most half the original time, a second by the city office; suspension approved a level up, with a review date; a wrong
dispatch declined once, with a reason; nobody urges more than once a day.
"""

from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from gridgov import timers
from gridgov.db import session
from gridgov.errors import Invalid
from gridgov.grids import queries as grids
from gridgov.i18n import _
from gridgov.issues import duty, flow, hops
from gridgov.issues.models import Hop, Issue, IssueEvent
from gridgov.limits import Clock, Limit
from gridgov.workflow import Move

SHANGHAI = ZoneInfo("Asia/Shanghai")
EXTENSION, SUSPENSION = "extension", "suspension"
EXTENSIONS_MOST = 2
SUPERVISED_LONGEST = timedelta(days=366)
LEADERS = {"decider:city_chief", "decider:city_leader"}
CLOSES = time(17, 30)  # A review date means the end of that day's office hours.
GRANTED = sa.select(sa.func.count()).where(
    IssueEvent.issue_id == sa.bindparam("issue"), IssueEvent.hop_n == sa.bindparam("hop"), IssueEvent.name == "grant_time"
)  # fmt: skip
LEFT_BY = sa.select(
    sa.exists().where(
        Hop.issue_id == sa.bindparam("issue"), Hop.left_by == sa.bindparam("by"),
        sa.func.length(sa.func.coalesce(Hop.unit_code, "")) == sa.bindparam("length"),
    )
)  # fmt: skip
URGED = sa.select(
    sa.exists().where(
        IssueEvent.issue_id == sa.bindparam("issue"), IssueEvent.name == "urge",
        IssueEvent.actor_id.is_not_distinct_from(sa.bindparam("by", type_=sa.Uuid)),  # Nobody: whoever reported it anonymously.
        IssueEvent.at >= sa.bindparam("since"),
    )
)  # fmt: skip


def forget(issue: Issue) -> None:
    """Take back what was asked: it was decided, or the issue has moved on."""
    issue.asked_kind = issue.asked_seq = issue.decides_code = None


def siblings(issue: Issue) -> list[tuple[str, str]]:
    """The open grids beside the answerable one, under the same parent, as (code, name)."""
    parent = flow.parent_unit(issue) if issue.unit_code else None
    if parent is None:
        return []
    return [(grid.code, grid.name) for grid in grids.children(parent) if grid.code != issue.unit_code]


def day_end(on: date) -> datetime:
    """The moment at which a day's office hours are over."""
    return datetime.combine(on, CLOSES, SHANGHAI)


def decides_at(issue: Issue, kind: str, asker: UUID | None) -> str:
    """The grid that decides: one level up, or further where nobody but the asker is; for a second extension the city."""
    city = (issue.unit_code or issue.grid_code)[: flow.rules().levels["city"].length]
    if kind == EXTENSION and _granted(issue):
        return city
    code = flow.parent_unit(issue)
    while code is not None and code != city:
        if duty.able(issue, code, None, flow.handler_roles(code)) - {asker}:
            return code
        parent = flow.rules().level_of(code).parent
        code = code[: flow.rules().levels[parent].length] if parent else None
    return city


def _granted(issue: Issue) -> int:
    given = {"issue": issue.id, "hop": issue.hop_n}
    return session.connection().execute(GRANTED, given).scalar_one()


# Guards ---------------------------------------------------------------------------------------------------------------


def _in_time(move: Move) -> bool:
    return move.subject.due_at is not None and move.at <= move.subject.due_at


def _one_above(move: Move) -> bool:
    """Whoever asked does not decide; where the city's own office asked, its leaders do."""
    issue = move.subject
    if issue.asked_seq is None or (move.actor and move.actor.id == _asker(issue)):
        return False
    return issue.unit_code != issue.decides_code or bool(LEADERS & move.actors)


def _asker(issue: Issue) -> object:
    asked = session.get(IssueEvent, (issue.id, issue.asked_seq))
    return asked and asked.actor_id


def _review_ahead(move: Move) -> bool:
    """The day it is to be looked at again has not passed while it waited for an answer."""
    issue = move.subject
    if issue.asked_kind != SUSPENSION:
        return False
    asked = session.get_one(IssueEvent, (issue.id, issue.asked_seq))
    return day_end(date.fromisoformat(asked.data["review_on"])) > move.at


def _may_decline(move: Move) -> bool:
    """Within the time for it, counted from the dispatch."""
    issue = move.subject
    hop = session.get_one(Hop, (issue.id, issue.hop_n))
    limit = flow.rules().limit("decline", level=None, grade="C")
    return move.at <= hops.calendar(issue).due(hop.entered_at, limit).due_at


def _left_by(issue: Issue, by: str) -> bool:
    given = {"issue": issue.id, "by": by, "length": len(issue.unit_code or "")}
    return session.connection().execute(LEFT_BY, given).scalar_one()


def _not_urged_today(move: Move) -> bool:
    midnight = datetime.combine(move.at.astimezone(SHANGHAI).date(), time(), SHANGHAI)
    given = {"issue": move.subject.id, "by": move.actor and move.actor.id, "since": midnight}
    return not session.connection().execute(URGED, given).scalar_one()


flow.GUARDS |= {
    "in_time": _in_time,
    "nothing_asked": lambda move: move.subject.asked_kind is None,
    "something_asked": lambda move: move.subject.asked_kind is not None,
    "extension_asked": lambda move: move.subject.asked_kind == EXTENSION,
    "suspension_asked": lambda move: move.subject.asked_kind == SUSPENSION,
    "one_above": _one_above,
    "extensions_left": lambda move: _granted(move.subject) < EXTENSIONS_MOST,
    "may_decline": _may_decline,
    "not_declined_before": lambda move: not _left_by(move.subject, "decline"),
    "not_transferred_before": lambda move: not _left_by(move.subject, "transfer"),
    "has_siblings": lambda move: bool(siblings(move.subject)),
    "not_urged_today": _not_urged_today,
    "not_instructed": lambda move: move.subject.instructor_id in (None, move.actor and move.actor.id),
    "review_ahead": _review_ahead,
    "grave": lambda move: move.subject.grade == "A",
    "instructed": lambda move: move.subject.instructor_id is not None,
    "supervised": lambda move: move.subject.supervisor_id is not None,
    "not_supervised": lambda move: move.subject.supervisor_id is None,
}


# Effects --------------------------------------------------------------------------------------------------------------


def _ask(move: Move, kind: str) -> None:
    issue = move.subject
    issue.asked_kind, issue.asked_seq = kind, issue.last_seq + 1
    issue.decides_code = move.data["decider"] = decides_at(issue, kind, move.actor and move.actor.id)


def _ask_suspension(move: Move) -> None:
    wanted = date.fromisoformat(move.data["review_on"])
    today = move.at.astimezone(SHANGHAI).date()
    most = flow.rules().limit("review", level=None, grade="C").amount_s
    if not today < wanted <= today + timedelta(seconds=most):
        days = most // 86_400
        words = _("The review date must lie within the next %(n)s days.", n=days)
        raise Invalid(words, errors={"review_on": [words]})
    _ask(move, SUSPENSION)


def _extend(move: Move) -> None:
    """Give the share of the original limit that was asked for; the present deadline moves by it."""
    issue, state = move.subject, flow.current().states[move.subject.state]
    asked = session.get_one(IssueEvent, (issue.id, issue.asked_seq))
    limit = flow.limit(issue)
    extra = Limit(limit.amount_s * int(asked.data["extra"]) // 100, limit.clock)
    follow(issue, timers.extend(issue.id, state.due or "", extra, at=move.at))
    forget(issue)


def _move_across(move: Move) -> None:
    issue, code = move.subject, move.data["unit"]
    if code not in dict(siblings(issue)) or not flow.on_duty(issue, code, None):
        words = _("It cannot be transferred there: the grid must be a neighbour at the same level with somebody on duty.")
        raise Invalid(words, errors={"unit": [words]})
    hops.move(move, unit_code=code)


def _grade(move: Move, *, raised: bool) -> None:
    issue, wanted = move.subject, move.data["grade"]
    if wanted == issue.grade or (wanted < issue.grade) != raised:  # A is the gravest.
        words = _("It is of grade %(grade)s now: choose a graver one.", grade=issue.grade)
        if not raised:
            words = _("It is of grade %(grade)s now: choose a lighter one.", grade=issue.grade)
        raise Invalid(words, errors={"grade": [words]})
    issue.grade = wanted


def _take_supervision(move: Move) -> None:
    ahead = day_end(date.fromisoformat(move.data["report_on"])) - move.at
    if not timedelta(0) < ahead <= SUPERVISED_LONGEST:
        words = _("The date must lie ahead, within a year.")
        raise Invalid(words, errors={"report_on": [words]})
    move.subject.supervisor_id = move.actor.id


def _drop(move: Move, name: str) -> None:
    """It is over; the event keeps whose it was, for they are told."""
    move.data[name] = str(getattr(move.subject, f"{name}_id"))
    setattr(move.subject, f"{name}_id", None)


flow.EFFECTS |= {
    "raise_grade": lambda move: _grade(move, raised=True),
    "lower_grade": lambda move: _grade(move, raised=False),
    "take_supervision": _take_supervision,
    "drop_supervision": lambda move: _drop(move, "supervisor"),
    "take_instruction": lambda move: setattr(move.subject, "instructor_id", move.actor.id),
    "drop_instruction": lambda move: _drop(move, "instructor"),
    "ask_extension": lambda move: _ask(move, EXTENSION),
    "ask_suspension": _ask_suspension,
    "extend": _extend,
    "drop_request": lambda move: forget(move.subject),
    "move_across": _move_across,
}


# The clock ------------------------------------------------------------------------------------------------------------


def hold(issue: Issue, kind: str, at: datetime) -> None:
    """Stop the clock `kind` of the state that was left; the review date becomes the deadline of the one it waits in."""
    asked = session.get_one(IssueEvent, (issue.id, issue.asked_seq))
    forget(issue)
    timers.pause(issue.id, at=at, kind=kind)
    review_at = day_end(date.fromisoformat(asked.data["review_on"]))
    state = flow.current().states[issue.state]
    limit = Limit(max(1, round((review_at - at).total_seconds())), Clock.urgent_hour)
    issue.due_at, issue.due_provisional = review_at, False
    issue.warn_at = review_at - (review_at - at) * flow.rules().yellow_share
    timers.start(
        "issue", issue.id, state.due or "", generation=issue.generation, at=at, due_at=review_at, limit=limit,
        warn_s=flow.warning(state, limit), warn_at=issue.warn_at,
    )  # fmt: skip


def go_on(issue: Issue, kind: str, at: datetime) -> bool:
    """Let the stopped clock run on, with exactly what was left. False when there was none to go on."""
    timers.cancel(issue.id, at=at, kind=kind)
    resumed = timers.resume(issue.id, at=at, generation=issue.generation)
    for timer in resumed:
        follow(issue, timer)
    return bool(resumed)


def follow(issue: Issue, timer: timers.Timer) -> None:
    """Make what the issue shows agree with its timer: when due, from when yellow, whether provisional."""
    issue.due_at, issue.due_provisional = timer.due_at, timer.provisional
    share = flow.rules().yellow_share
    yellow = hops.calendar(issue).due(timer.started_at, timer.limit - round(timer.total.amount_s * share)).due_at
    issue.warn_at = max(yellow, min(timer.started_at, timer.due_at))
