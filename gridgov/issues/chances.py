"""Second chances: what was closed is reopened within a time, what was not accepted is appealed once.

Each result of a callback stays as it was said: on time, really solved and satisfied are never worked out from one another.
Source: DOMAIN "The closed loop": not really solved is reopened within a window after closing; appeal against "not accepted".
"""

from datetime import datetime

import sqlalchemy as sa

from gridgov import events
from gridgov.db import session
from gridgov.i18n import _, dt
from gridgov.issues import clocks, flow, hops
from gridgov.issues.models import Hop, Issue, IssueEvent
from gridgov.people.models import Role
from gridgov.workflow import Move

APPEALED, UPHELD, ADMITTED = "open", "upheld", "admitted"
LEADERS = (Role.CITY_CHIEF, Role.CITY_LEADER)
WINDOWS = {"reopen_window": "reopen", "appeal_window": "appeal"}
REFUSED = (
    sa.select(IssueEvent)
    .where(IssueEvent.issue_id == sa.bindparam("issue"), IssueEvent.name == "not_accept")
    .order_by(IssueEvent.seq.desc())
    .limit(sa.literal_column("1"))
)


# Until when -----------------------------------------------------------------------------------------------------------


def until(issue: Issue, limit: str) -> datetime:
    """The moment up to which an issue that has ended can be taken up again."""
    if issue.ended_at is None:
        raise AssertionError("it has not ended")
    return hops.calendar(issue).due(issue.ended_at, flow.rules().after[limit]).due_at


def sentence(issue: Issue, now: datetime) -> str:
    """What can still be done about an issue that has ended, until when, and what then; nothing for others."""
    if issue.appeal == ADMITTED:
        return _("Admitted on appeal: it cannot be refused again.")
    if issue.appeal == UPHELD:
        return _("The reporter appealed, and the refusal was upheld. That is final.")
    if issue.appeal == APPEALED and led(issue, refusal(issue)):
        return _("Its own office refused it, so the city's leaders decide on the appeal.")
    for step in flow.current().transitions.values():
        for guard in step.guard:
            if issue.ended_at is not None and guard in WINDOWS and issue.state in step.sources:
                return _in_window(guard, until(issue, WINDOWS[guard]), now)
    return ""


def _in_window(guard: str, end: datetime, now: datetime) -> str:
    if guard == "reopen_window":
        if now <= end:
            return _(
                "If the problem is back, the reporter can have it reopened until %(time)s.", time=dt(end)
            )
        return _(
            "It could be reopened until %(time)s. If the problem is back, please report it anew.",
            time=dt(end),
        )
    if now <= end:
        return _("If the reporter does not agree, they can appeal once, until %(time)s.", time=dt(end))
    return _("It could be appealed until %(time)s.", time=dt(end))


# Who decides on an appeal -----------------------------------------------------------------------------------------------


def refusal(issue: Issue) -> IssueEvent:
    """The event with which an issue was refused last; its unit is the one that did."""
    return session.scalars(REFUSED, {"issue": issue.id}).one()


def led(issue: Issue, refused: IssueEvent) -> bool:
    """Whether the refusing unit itself has the appeal, for none is above it: then its leaders decide, not its office."""
    return issue.unit_code == refused.unit_code


def _judges(move: Move) -> bool:
    """One level up from who refused it, and never the same person."""
    refused = refusal(move.subject)
    if move.actor is None or move.actor.id == refused.actor_id:
        return False
    roles = {
        str(role)
        for role in (LEADERS if led(move.subject, refused) else flow.handler_roles(move.subject.unit_code))
    }
    return bool(roles & move.actors)


# Guards and effects -----------------------------------------------------------------------------------------------------


def _within(guard: str) -> None:
    """Register the guard of a window, which says when it ended."""
    limit = WINDOWS[guard]

    def open_still(move: Move) -> bool:
        return move.at <= until(move.subject, limit)

    open_still.details = lambda move: {"until": dt(until(move.subject, limit))}  # type: ignore[attr-defined]
    flow.GUARDS[guard] = open_still


for _guard in WINDOWS:
    _within(_guard)
flow.GUARDS |= {
    "not_appealed_before": lambda move: move.subject.appeal is None,
    "not_admitted": lambda move: move.subject.appeal != ADMITTED,
    "judges": _judges,
}


def _reopen(move: Move) -> None:
    """Back to the unit that handled it. What the reporter said of the earlier result stays in the events."""
    issue = move.subject
    hop = session.get_one(Hop, (issue.id, issue.handling_hop))
    hops.enter(move, unit_code=hop.unit_code, department_id=hop.department_id)
    issue.ended_at = issue.solved = issue.satisfaction = None
    issue.supervisor_id = issue.instructor_id = None  # Of what ended before that was cleared at the end.
    issue.reopen_count += 1


def _open_appeal(move: Move) -> None:
    """To the office one level up, or further where nobody is; at the top it stays, and the leaders decide."""
    issue = move.subject
    above = flow.parent_unit(issue)
    while (
        above is not None
        and not flow.on_duty(issue, above, None)
        and (parent := flow.rules().level_of(above).parent)
    ):
        above = above[: flow.rules().levels[parent].length]
    hops.enter(move, unit_code=above or issue.unit_code)
    issue.ended_at, issue.appeal = None, APPEALED
    issue.supervisor_id = issue.instructor_id = None


def _admit(move: Move) -> None:
    issue, code = move.subject, refusal(move.subject).unit_code
    issue.appeal = ADMITTED
    if code != issue.unit_code:
        hops.move(move, unit_code=code)


flow.EFFECTS |= {
    "reopen": _reopen,
    "open_appeal": _open_appeal,
    "uphold": lambda move: setattr(move.subject, "appeal", UPHELD),
    "admit": _admit,
}
flow.AUDIENCES |= {"judges"}


@events.subscribe("issue.reopened")
@events.subscribe("issue.admitted")
def _of_its_grade(*, issue: Issue, event: IssueEvent) -> None:
    """What runs because of its grade ended with the issue, and begins again with it."""
    entry = flow.current().grades.get(issue.grade)
    if entry is not None:
        clocks.run(issue, entry.starts, event.at, {})
