"""Every write on issues: reporting one, and making a move on one. Source of who and what: workflows/issue.yaml."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import make_transient_to_detached

from gridgov import batches, events
from gridgov.db import JSONB, TZ, session, utcnow, uuid7
from gridgov.errors import Conflict, Invalid
from gridgov.grids import queries as grids
from gridgov.i18n import _
from gridgov.issues import answers as answers_of, clocks, flow, intake, patrols
from gridgov.issues.accused import named
from gridgov.issues.models import Category, Issue, IssueEvent, IssuePhoto
from gridgov.people import queries as people
from gridgov.people.models import Person
from gridgov.photos.models import Photo
from gridgov.workflow import Entry, Move

SHANGHAI = ZoneInfo("Asia/Shanghai")
PHOTO_FIELDS = {"photos": "note", "proof": "after"}
MAX_PHOTOS = 9
MAX_AUTOMATIC = 8
NOTHING = Entry()
APPEND = sa.text(
    """
    INSERT INTO issue_events (issue_id, seq, name, from_state, to_state, actor_id, actor_role, hop_n, unit_code,
        department_id, data, due_at, at)
    VALUES (:issue_id, :seq, :name, :from_state, :to_state, :actor_id, :actor_role, :hop_n, :unit_code, :department_id,
        :data, :due_at, :at)
    """
).bindparams(
    *(sa.bindparam(name, type_=sa.Uuid) for name in ("issue_id", "actor_id", "department_id")),
    *(sa.bindparam(name, type_=sa.Text) for name in ("name", "from_state", "to_state", "actor_role", "unit_code")),
    *(sa.bindparam(name, type_=TZ) for name in ("due_at", "at")),
    *(sa.bindparam(name, type_=sa.Integer) for name in ("seq", "hop_n")), sa.bindparam("data", type_=JSONB),
)  # fmt: skip

FREE_PHOTOS = sa.select(sa.func.count()).where(
    Photo.id == sa.any_(sa.bindparam("ids", type_=sa.ARRAY(sa.Uuid))),
    Photo.owner_id.is_not_distinct_from(sa.bindparam("owner", type_=sa.Uuid)),
    ~sa.exists().where(IssuePhoto.photo_id == Photo.id),
)  # fmt: skip
ADD_PHOTO = sa.insert(IssuePhoto).inline()


def report(
    *, actor: Person | None, category: str, text: str, id: UUID | None = None, grid_code: str | None = None,
    lat: float | None = None, lon: float | None = None, accuracy_m: int | None = None, address: str | None = None,
    photos: Sequence[UUID] = (), confidential: bool = False, accused: str | None = None, follow_up_hash: bytes | None = None,
    found_by: str = "resident", answers: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[Issue, bool]:  # fmt: skip
    """Record a problem and make the grid it lies in answerable. Returns (issue, whether it is new).

    The grid is the one chosen, else the one that contains the position (WGS-84 degrees). The same `id` sent again by
    the same reporter gives the issue as it is; by another, Conflict. Raises Invalid, having changed nothing.
    `accused` is the code of the grid or department it is about: it begins one level above. actor None is whoever has the
    code of `follow_up_hash` (gridgov/identity). Both are sealed.
    """
    kind = intake.known(category, id)
    if id is not None and (kind is None or kind.taken_by is not None) and (before := _replayed(id, actor)):
        return before, False
    if kind is None or kind.closed_at is not None or kind.grade is None:
        raise Invalid(_("Please choose what it is about."), code="category_unknown", field="category")
    if kind.photos_required and not photos:
        raise Invalid(_("This category needs a photo."), code="photo_needed", field="photos")
    if found_by == patrols.PATROL and not patrols.may(actor):
        raise Invalid(_("Only whoever patrols can report a finding of a patrol."), field="found_by")
    answered = answers_of.take(kind.questions, answers)
    place, about, now = _place(grid_code, lat, lon), named(accused) if accused else None, utcnow()
    issue = Issue(
        id=id or uuid7(), number="", grid_code=place.code, category_code=kind.code, line=kind.line, grade=kind.grade,
        text=text.strip(), lat=lat, lon=lon, accuracy_m=accuracy_m, address=address, reporter_id=actor and actor.id,
        follow_up_hash=follow_up_hash, confidential=confidential or kind.confidential or bool(about) or actor is None,
        accused_code=about and about.code, accused_department_id=about and about.department_id,
        state=flow.current().start, found_by=found_by, unit_code=about.above if about else place.code, reported_at=now,
        answers=answered,
    )  # fmt: skip
    _due, limit = clocks.deadline(issue, now)
    state = flow.current().states[issue.state]
    day = now.astimezone(SHANGHAI).date()
    # The short number people see, WG-20261121-0042: the city's letters, the day, a running number of the day.
    event = intake.write(
        issue, prefix=f"{place.abbr or place.city}-{day:%Y%m%d}-", day=day, role=flow.REPORTER,
        timer=state.due or "", limit=limit, warn_s=flow.warning(state, limit), looks=kind.duplicates,
    )  # fmt: skip
    if event is None:  # The same report came twice at the same time, and the other was first.
        return _replayed(issue.id, actor), False  # type: ignore[return-value]
    _attach(issue, photos, actor=actor, seq=1, stage="before", field="photos")
    entry = flow.current().grades.get(issue.grade, NOTHING)
    clocks.run(issue, (*flow.current().report.starts, *entry.starts), now, {})
    events.publish("issue.told", issue=issue, event=event, audiences=(*flow.current().report.tells, *entry.tells))
    events.publish("issue.reported", issue=issue, event=event)
    _automatic(issue, now)
    return issue, True


def act(
    issue: Issue, name: str, *, actor: Person | None, data: dict[str, Any] | None = None, expected: int | None = None,
    locked: bool = False, anonymous: bool = False,
) -> IssueEvent:  # fmt: skip
    """Make the move `name` on `issue` and record who did it. actor None is the system, or the reporter without a name
    when `anonymous`: the caller has checked their code.

    `expected` is the generation the person saw: if somebody moved it meanwhile, Conflict. `locked`: the caller read it
    FOR UPDATE just now. Raises NotPermitted, IllegalTransition or Invalid, having changed nothing.
    Source: workflows/issue.yaml.
    """
    if not locked:
        session.refresh(issue, with_for_update=True)  # Two may press at once; the second sees the new state.
    if expected is not None and expected != issue.generation:
        words = _("Somebody has just moved this on. Please look at it again before you decide.")
        raise Conflict(words, code="changed", state=issue.state)
    posts = people.live_posts(actor) if actor else []
    now = utcnow()
    actors = frozenset({flow.REPORTER}) if anonymous else flow.actors(actor, issue, posts)
    move = flow.current().check(issue, name, actor=actor, actors=actors, at=now, data=data or {})
    event = _make(move)
    _automatic(issue, now)
    return event


def deadline_passed(issue: Issue) -> IssueEvent:
    """Do what the present state prescribes when its time is over: the first move of `overdue` that is possible.

    The caller has read the issue FOR UPDATE just now.
    """
    workflow, now = flow.current(), utcnow()
    for name in workflow.states[issue.state].overdue:
        move = Move(issue, workflow.transitions[name], None, frozenset({flow.SYSTEM}), now)
        if workflow.holds(move.transition.guard, move):
            return act(issue, name, actor=None, locked=True)
    raise AssertionError("the proof at boot lets the last of overdue have no guard")


def clock_passed(issue: Issue, name: str) -> None:
    """Do what the workflow prescribes when a clock beside the state has run out. The issue is locked, as above."""
    clock = clocks.side(name)
    if clock is None:
        raise AssertionError("only clocks that the workflow knows are swept")
    issue.clocks = [other for other in issue.clocks if other != name]
    for move in clock.due:
        act(issue, move, actor=None, locked=True)


def seed_categories() -> int:
    """Fill the table of categories from policy where a code is not there yet. Returns how many were added."""
    rows = [
        {
            "code": c.code, "parent_code": c.parent, "name": c.label["zh"], "name_en": c.label["en"], "line": c.line,
            "grade": c.grade, "department_code": c.department, "photos_required": c.photos,
            "confidential": c.confidential, "duplicates": c.duplicates, "questions": [q.row() for q in c.questions],
            "mediation": c.mediation,
        }
        for c in sorted(flow.rules().categories.values(), key=lambda c: len(c.code))
    ]  # fmt: skip
    return len(
        session.scalars(insert(Category).values(rows).on_conflict_do_nothing().returning(Category.code)).all()
    )


def _make(move: Move) -> IssueEvent:
    """Carry out a checked move: state, deadline, event, and what it announces."""
    issue, transition, workflow = move.subject, move.transition, flow.current()
    before, grade, left = issue.state, issue.grade, (issue.unit_code, issue.department_id)
    batches.changing(issue.id)
    with session.no_autoflush:  # One UPDATE when all is decided, and never a half-changed row.
        workflow.carry_out(move)
        clocks.turn(move, before, grade)
        clocks.end(issue, transition.stops, move.at)
        entry = workflow.grades.get(issue.grade, NOTHING) if issue.grade != grade else NOTHING
        clocks.run(issue, (*transition.starts, *entry.starts), move.at, move.data)
    issue.last_seq += 1
    batches.flush_changes()
    data = {key: value for key, value in move.data.items() if key not in PHOTO_FIELDS}
    event = _record(
        issue, transition.name, before, actor=move.actor, role=flow.acting_role(move), data=data, at=move.at
    )
    for field, stage in PHOTO_FIELDS.items():
        _attach(issue, move.data.get(field, ()), actor=move.actor, seq=event.seq, stage=stage, field=field)
    audiences = dict.fromkeys((*transition.tells, *entry.tells))
    events.publish("issue.told", issue=issue, event=event, audiences=tuple(audiences), left=left)
    if transition.emits:
        events.publish(transition.emits, issue=issue, event=event)
    return event


def _automatic(issue: Issue, now: datetime) -> None:
    """Fire what the new state does at once, such as passing up from where nobody is on duty."""
    workflow = flow.current()
    for _round in range(MAX_AUTOMATIC):
        for name in workflow.states[issue.state].always:
            move = Move(issue, workflow.transitions[name], None, frozenset({flow.SYSTEM}), now)
            if workflow.holds(move.transition.guard, move):
                _make(move)
                break
        else:
            return
    raise AssertionError(f"issue {issue.id} keeps moving by itself")


def _record(
    issue: Issue,
    name: str,
    before: str,
    *,
    actor: Person | None,
    role: str,
    data: dict[str, Any],
    at: datetime,
) -> IssueEvent:
    """Append to the issue's chain. The caller holds the issue's row, so the numbers have no rival."""
    values: dict[str, Any] = {
        "issue_id": issue.id, "seq": issue.last_seq, "name": name, "from_state": before, "to_state": issue.state,
        "actor_id": actor and actor.id, "actor_role": role, "hop_n": issue.hop_n, "unit_code": issue.unit_code,
        "department_id": issue.department_id, "data": data, "due_at": issue.due_at, "at": at,
    }  # fmt: skip
    batches.write(APPEND, values)
    event = IssueEvent(**values, hash=b"")
    if batches.current() is None:
        make_transient_to_detached(event)
        session.add(event)
    return event


def _attach(
    issue: Issue, photos: Sequence[UUID], *, actor: Person | None, seq: int, stage: str, field: str
) -> None:
    """Put photos into the issue's file. They must be the actor's own, and in no other issue's file."""
    if not photos:
        return
    wanted = list(dict.fromkeys(photos))
    if len(wanted) > MAX_PHOTOS:
        raise Invalid(_("At most %(n)s photos.", n=MAX_PHOTOS), field=field)
    given = {"ids": wanted, "owner": actor and actor.id}
    if session.connection().execute(FREE_PHOTOS, given).scalar_one() != len(wanted):
        raise Invalid(
            _("A photo is missing or already used. Please take it again."), code="photo_unknown", field=field
        )
    for photo_id in wanted:
        batches.write(ADD_PHOTO, {"issue_id": issue.id, "photo_id": photo_id, "seq": seq, "stage": stage})


def _replayed(id: UUID, actor: Person | None) -> Issue | None:
    before = session.get(Issue, id)
    if before is not None and before.reporter_id != (actor and actor.id):
        raise Conflict(_("This report number is already taken."), code="id_taken")
    return before


def _place(code: str | None, lat: float | None, lon: float | None) -> grids.Place:
    """The open grid that was chosen, else the deepest one that contains the position."""
    if code:
        place = grids.place(code)
        if place is None:
            raise Invalid(_("This grid does not exist any more."), code="grid_unknown", field="grid_code")
        return place
    found = grids.locate(lat, lon) if lat is not None and lon is not None else None
    if found is None or (place := grids.place(found.code)) is None:
        words = _("Please choose the place: the position lies in no known grid.")
        raise Invalid(words, code="place_unknown", field="grid_code")
    return place
