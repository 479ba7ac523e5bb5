"""Every write on mediation files. The caller has read the file FOR UPDATE; the file is locked before its issue."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from gridgov import events, timers
from gridgov.db import session, utcnow
from gridgov.errors import Conflict, IllegalTransition, Invalid, NotPermitted
from gridgov.i18n import _
from gridgov.issues import actions as issues, flow
from gridgov.issues.models import Category, Issue, IssueEvent
from gridgov.limits import Clock, Limit
from gridgov.mediation import queries
from gridgov.mediation.models import Attempt, FollowUp, Mediation, Mediator, Outcome, Party, State
from gridgov.people import queries as people
from gridgov.people.models import Person

SHANGHAI = ZoneInfo("Asia/Shanghai")
REMINDED = time(8, 30)  # On the day of a follow-up, when the mediators begin their day.
FOLLOW_UP = "follow_up"
MOST = {"parties": 12, "mediators": 6, "follow_ups": 12}
LONGEST = timedelta(days=3 * 366)
WORKED_ON = (State.DRAFTING, State.SIGNING)


def open_file(issue: Issue, *, actor: Person) -> Mediation:
    """Open the file of a dispute; the actor is its first mediator. The caller has locked the issue.

    Raises NotPermitted for whoever does not handle it, IllegalTransition when it has ended, is no dispute or has a file.
    """
    if not queries.handles(actor, issue):
        raise NotPermitted(_("Whoever answers for the issue now opens its mediation file."))
    if issue.ended_at is not None:
        raise IllegalTransition(_("The issue has ended."))
    if not session.get_one(Category, issue.category_code).mediation:
        raise IllegalTransition(
            _("This category is no dispute, so there is nothing to mediate."), code="no_dispute"
        )
    before = queries.of_issue(issue)
    if standing(before):
        raise IllegalTransition(_("This issue has its mediation file already."), code="file_exists")
    number = f"{issue.number}-M{len(before) + 1}"
    mediation = Mediation(
        issue_id=issue.id, number=number, state=State.DRAFTING, opened_by=actor.id, opened_at=utcnow()
    )
    session.add(mediation)
    session.flush()
    session.add(Mediator(mediation_id=mediation.id, n=1, person_id=actor.id))
    session.flush()
    issues.act(issue, "mediation_begun", actor=None, locked=True)
    return mediation


def standing(files: Sequence[Mediation]) -> bool:
    """Whether one of an issue's files stands in the way of a new one. Asks the database where one is concluded alone."""
    return any(f.state in WORKED_ON or (f.state == State.CONCLUDED and not _reopened(f)) for f in files)


def _reopened(mediation: Mediation) -> bool:
    """Whether the issue was reopened after its file was concluded: what was agreed has not lasted."""
    later = (
        IssueEvent.issue_id == mediation.issue_id,
        IssueEvent.name == "reopen",
        IssueEvent.at > mediation.ended_at,
    )
    return bool(session.scalar(sa.select(sa.exists().where(*later))))


def against_merging(issue: Issue) -> str | None:
    """What stands against merging an issue into another: people work on its file. Asks the database of disputes alone."""
    if not session.get_one(Category, issue.category_code).mediation:
        return None
    if any(file.state in WORKED_ON for file in queries.of_issue(issue)):
        return _("It is being mediated: conclude its mediation file or give it up first.")
    return None


def revise(
    mediation: Mediation, *, actor: Person, facts: str, agreement: str, performance: str,
    parties: Sequence[Mapping[str, Any]], mediators: Sequence[UUID],
) -> None:  # fmt: skip
    """Write the draft anew: who is in it and what it says. Raises IllegalTransition once it is laid out to be signed."""
    file = _working(mediation, actor, State.DRAFTING)
    mediation.facts, mediation.agreement, mediation.performance = (
        facts.strip(),
        agreement.strip(),
        performance.strip(),
    )
    if len(parties) > MOST["parties"]:
        raise Invalid(_("At most %(n)s parties.", n=MOST["parties"]), field="parties")
    session.execute(sa.delete(Party).where(Party.mediation_id == mediation.id))
    for n, given in enumerate(parties, 1):
        name, phone = given["name"].strip(), (given.get("phone") or "").strip() or None
        known = people.by_phone(phone) if phone else None
        # The name too: a slip in a number must not show somebody else's quarrel to a stranger.
        person_id = known.id if known is not None and known.name == name else None
        group = (given.get("group_name") or "").strip() or None
        session.add(
            Party(
                mediation_id=mediation.id,
                n=n,
                name=name,
                side=given["side"],
                phone=phone,
                group_name=group,
                person_id=person_id,
            )
        )
    _set_mediators(file, mediators)
    session.flush()


def _set_mediators(file: queries.File, wanted: Sequence[UUID]) -> None:
    """The opener stays the first. Raises Invalid for somebody who is not of the area."""
    mediation = file.mediation
    ids = list(dict.fromkeys([mediation.opened_by, *wanted]))
    known = {person for person, _name in queries.candidates(file.issue)} | {p.id for _m, p in file.mediators}
    if len(ids) > MOST["mediators"] or set(ids) - known - {mediation.opened_by}:
        raise Invalid(
            _("Choose mediators from the list, at most %(n)s.", n=MOST["mediators"]), field="mediators"
        )
    session.execute(sa.delete(Mediator).where(Mediator.mediation_id == mediation.id))
    session.add_all(
        Mediator(mediation_id=mediation.id, n=n, person_id=person_id) for n, person_id in enumerate(ids, 1)
    )


def attempt(
    mediation: Mediation, *, actor: Person, held_on: date, place: str, outcome: Outcome, note: str = ""
) -> None:
    """Record a sitting. Raises Invalid for a day that lies ahead."""
    _working(mediation, actor, State.DRAFTING, State.SIGNING)
    if held_on > _today():
        raise Invalid(_("This day lies ahead."), field="held_on")
    if not place.strip():
        raise Invalid(_("This is needed."), field="place")
    session.add(
        Attempt(mediation_id=mediation.id, held_on=held_on, place=place.strip(), outcome=outcome, note=note.strip(),
                recorded_by=actor.id, at=utcnow())
    )  # fmt: skip
    session.flush()


def give_up(mediation: Mediation, *, actor: Person, failed: bool, reason: str) -> None:
    """Close the file without an agreement: it failed, or it ended for another reason."""
    file = _working(mediation, actor, State.DRAFTING, State.SIGNING)
    paper = file.paper
    if paper is not None:
        paper.voided_at, paper.voided_by, paper.why = utcnow(), actor.id, reason.strip()
        session.flush()
    mediation.reason, mediation.ended_at = reason.strip(), utcnow()
    mediation.state = State.FAILED if failed else State.ENDED
    _schedule(mediation)
    session.flush()
    tell_issue(file.issue, "mediation_failed")


def plan(mediation: Mediation, *, actor: Person, due_on: date) -> None:
    """Set a date on which somebody looks whether the agreement is kept. The mediators are reminded on its morning."""
    file = _working(mediation, actor, State.DRAFTING, State.SIGNING, State.CONCLUDED)
    if not _today() <= due_on <= _today() + LONGEST:
        raise Invalid(_("The date must lie ahead, within three years."), field="due_on")
    if len(file.follow_ups) >= MOST["follow_ups"] or any(f.due_on == due_on for f in file.follow_ups):
        raise Invalid(_("This date is there already, or there are too many."), field="due_on")
    session.add(FollowUp(mediation_id=mediation.id, due_on=due_on))
    session.flush()
    _schedule(mediation)


def found(mediation: Mediation, *, actor: Person, follow_up: UUID, kept: bool, found: str) -> None:
    """Record what was found on a follow-up, once. Raises Conflict when somebody has."""
    file = _working(mediation, actor, State.CONCLUDED)
    one = next((f for f in file.follow_ups if f.id == follow_up), None)
    if one is None:
        raise Invalid(_("There is no such date in this file."), field="follow_up")
    if one.done_at is not None:
        raise Conflict(_("What was found on this day is recorded already."), code="found_already")
    one.found, one.kept, one.done_by, one.done_at = found.strip(), kept, actor.id, utcnow()
    session.flush()
    _schedule(mediation)


def follow_up_due(mediation: Mediation, timer: timers.Due) -> None:
    """Remind the mediators on the morning of a follow-up, then wait for the next. Called by the sweep, with the file locked."""
    issue = session.get_one(Issue, mediation.issue_id)
    mediators = [person.id for _m, person in queries.mediators(mediation)]
    events.publish("issue.reminded", issue=issue, audience="mediator", people=mediators)
    _schedule(mediation, after=timer.due_at)


def tell_issue(issue: Issue, name: str) -> None:
    """Write into the issue's story what became of its file, if it is still open."""
    session.refresh(issue, with_for_update=True)
    if issue.state in flow.current().transitions[name].sources:
        issues.act(issue, name, actor=None, locked=True)


def _schedule(mediation: Mediation, after: datetime | None = None) -> None:
    """One timer, for the next date that nobody has looked at and of which nobody was reminded yet."""
    now = utcnow()
    timers.cancel(mediation.id, at=now, kind=FOLLOW_UP)
    mediation.generation += 1
    session.flush()
    if mediation.state in (State.FAILED, State.ENDED):
        return
    waiting = sa.select(FollowUp.due_on).where(
        FollowUp.mediation_id == mediation.id, FollowUp.done_at.is_(None)
    )
    for on in session.scalars(waiting.order_by(FollowUp.due_on)):
        due_at = datetime.combine(on, REMINDED, SHANGHAI)
        if due_at > max(now, after or now):
            limit = Limit(max(1, round((due_at - now).total_seconds())), Clock.urgent_hour)
            timers.start(
                "mediation",
                mediation.id,
                FOLLOW_UP,
                generation=mediation.generation,
                at=now,
                due_at=due_at,
                limit=limit,
            )
            return


def _working(mediation: Mediation, actor: Person, *states: State) -> queries.File:
    """The file, for somebody who works on it, in one of these states. Raises NotPermitted, IllegalTransition."""
    file = queries.file(actor, mediation)
    if not file.works:
        raise NotPermitted(_("Its mediators and whoever handles the issue now work on this file."))
    if mediation.state not in states:
        raise IllegalTransition(
            _("This is not possible any more: the file has moved on."), state=str(mediation.state)
        )
    return file


def _today() -> date:
    return utcnow().astimezone(SHANGHAI).date()
