"""The issue workflow as loaded from workflows/issue.yaml, and what stands behind the names in it.

Guards say whether a move is possible, effects what it changes, actors who somebody is towards an issue.
Source: DOMAIN "The closed loop".
"""

import importlib
from collections.abc import Callable, Iterable
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa

from gridgov import policy
from gridgov.config import ROOT
from gridgov.db import session
from gridgov.errors import Invalid
from gridgov.i18n import _, pick
from gridgov.issues import accused, duty, hops, part_models
from gridgov.issues.models import Hop, Issue, IssueEvent
from gridgov.limits import Limit
from gridgov.people import queries as people, roles as people_roles
from gridgov.people.models import Department, Person, Post, Role
from gridgov.workflow import Move, State, Workflow

REPORTER, SYSTEM = "reporter", "system"
AUDIENCES = {
    "reporter", "unit", "handler", "left", "decider", "alarmed", "supervisor", "instructor", "above", "checkers", "followers",
    "line",
}  # fmt: skip
HANDLED = sa.select(IssueEvent.actor_id).where(
    IssueEvent.issue_id == sa.bindparam("issue"), IssueEvent.hop_n == sa.bindparam("hop"),
    IssueEvent.name.in_(("accept", "resolve")), IssueEvent.actor_id.is_not(None),
)  # fmt: skip
_folder = ROOT / "workflows"
_loaded: dict[Path, Workflow] = {}


def use(folder: Path) -> Workflow:
    """Take policy and workflow from this folder from now on. Raises PolicyError: file, line, reason."""
    global _folder
    found = load(folder)
    policy.use(folder)
    _folder = folder
    return found


def current() -> Workflow:
    """The workflow in use."""
    return load(_folder)


def rules() -> policy.Policy:
    """Levels, limits and categories in use."""
    return policy.current()


def load(folder: Path) -> Workflow:
    """The proven workflow of a folder, read once."""
    if folder not in _loaded:
        limits = policy.load(folder).always()
        roles = [str(role) for role in Role]
        for module in ("asks", "parts", "chances", "merging"):  # They register guards and effects, and need this module whole.
            importlib.import_module(f"gridgov.issues.{module}")
        places = ("area", "above", "decider", "part")
        actors = {REPORTER, SYSTEM, *roles, *(f"{where}:{r}" for where in places for r in roles)}
        _loaded[folder] = Workflow.load(
            folder / "issue.yaml", guards=GUARDS, effects=EFFECTS, actors=actors, audiences=AUDIENCES,
            limits=limits, clock_limits=policy.load(folder).somewhere(),
        )  # fmt: skip
    return _loaded[folder]


def actors(person: Person | None, issue: Issue, posts: Iterable[Post]) -> frozenset[str]:
    """What this person is towards the issue now: reporter, ROLE at the answerable unit, area:ROLE, above:ROLE, decider:ROLE, part:ROLE."""
    if person is None:
        return frozenset({SYSTEM})
    names = {REPORTER} if person.id == issue.reporter_id else set()
    if duty.about_somebody(issue) and accused.barred(issue, people.reach(person)):
        return frozenset(names)  # Whom it is about decides nothing in it, whatever other posts they hold.
    parts = part_models.fresh(issue)
    for post in posts:
        names |= {f"part:{post.role}" for part in parts if part_models.held_by(part, post)}
        if post.department_id is not None:
            if post.department_id == issue.department_id:
                names.add(str(post.role))
        elif post.grid_code is not None:
            if post.role == Role.LINE_CHIEF and issue.line not in post.lines:
                continue
            if issue.grid_code.startswith(post.grid_code):
                names.add(f"area:{post.role}")
            if issue.decides_code == post.grid_code:
                names.add(f"decider:{post.role}")
            if issue.unit_code == post.grid_code:
                names.add(str(post.role))
            elif (issue.unit_code or _dispatcher(issue)).startswith(post.grid_code):
                names.add(f"above:{post.role}")
    return frozenset(names)


def acting_role(move: Move) -> str:
    """The role in which the actor makes this move; the file's order of roles decides between several."""
    # Where it is held, at the unit or above it, is in the event's unit; the role is what people read.
    fitting = {name.rpartition(":")[2] for name in move.transition.by & move.actors}
    for name in (REPORTER, SYSTEM, *map(str, Role)):
        if name in fitting:
            return name
    return min(fitting)


def _dispatcher(issue: Issue) -> str:
    """The grid whose office a department answers to."""
    return session.get_one(Department, issue.department_id).grid_code


def parent_unit(issue: Issue) -> str | None:
    """The grid one level above the answerable unit; above a department stands whoever dispatched to it."""
    if issue.unit_code is None:
        return _dispatcher(issue)
    return issue.unit_code[: rules().levels[parent].length] if (parent := _level(issue).parent) else None


def _level(issue: Issue) -> policy.LevelSpec:
    if issue.unit_code is None:
        raise AssertionError("a department has no level")
    return rules().level_of(issue.unit_code)


def limit(issue: Issue, name: str | None = None, grade: str | None = None) -> Limit:
    """How long the answerable unit has in the present state, or the limit of another name, or for another grade."""
    name = name or current().states[issue.state].due
    if name is None:
        raise AssertionError("open states have a deadline: proven at boot")
    level = rules().level_of(issue.unit_code).name if issue.unit_code else None
    if issue.complex and name == "resolve" and level is None and "complex" in rules().department_limits:
        name = "complex"
    return rules().limit(name, level=level, grade=grade or issue.grade)


def warning(state: State, limit: Limit) -> int | None:
    """How many seconds of the limit are left when the state's unit is warned; None where nobody is."""
    return round(limit.amount_s * rules().yellow_share) if state.warns else None


def on_duty(issue: Issue, unit_code: str | None, department_id: UUID | None) -> bool:
    """Whether anybody could act for the unit today, with this issue."""
    return duty.somebody(issue, unit_code, department_id, handler_roles(unit_code))


def handler_roles(unit_code: str | None) -> tuple[Role, ...]:
    """The roles that act for a grid of this level, or for a department (None)."""
    if unit_code is None:
        return (Role.DEPARTMENT,)
    return tuple(Role(name) for name in rules().level_of(unit_code).handlers)


def role_label(name: str) -> str:
    """What a role is called, in the language spoken now."""
    return pick(people_roles.current()[name].label)


def handlers(issue: Issue) -> set[UUID]:
    """Everybody who accepted or resolved it where it was handled last, or did a part: they may not verify it, in any post."""
    found = part_models.doers(issue)
    found |= {issue.handler_id} if issue.handler_id else set()
    if issue.handling_hop is not None:
        rows = session.connection().execute(HANDLED, {"issue": issue.id, "hop": issue.handling_hop})
        found |= {actor_id for (actor_id,) in rows if actor_id}
    return found


def nobody_can_verify(issue: Issue) -> bool:
    """Whether all who act for the unit have handled it themselves."""
    return not duty.able(issue, issue.unit_code, issue.department_id, handler_roles(issue.unit_code)) - handlers(issue)


# Guards ---------------------------------------------------------------------------------------------------------------


def _has_parent(move: Move) -> bool:
    return parent_unit(move.subject) is not None


def _below_on_duty(move: Move) -> bool:
    below = hops.below(move.subject)
    return below is not None and on_duty(move.subject, below.unit_code, below.department_id)


GUARDS: dict[str, Callable[[Move], bool]] = {
    "has_parent": _has_parent,
    "came_from_below": lambda move: hops.below(move.subject) is not None,
    "not_returned_before": lambda move: not hops.returned(move.subject),
    "below_on_duty": _below_on_duty,
    "nobody_on_duty": lambda move: not on_duty(move.subject, move.subject.unit_code, move.subject.department_id),
    "not_handler": lambda move: move.actor is None or move.actor.id not in handlers(move.subject),
    "nobody_can_verify": lambda move: nobody_can_verify(move.subject),
}


# Effects --------------------------------------------------------------------------------------------------------------


def _claim(move: Move) -> None:
    issue = move.subject
    issue.accepted_at = issue.accepted_at or move.at
    hops.accept(issue, move.at)


def _move_up(move: Move) -> None:
    parent = parent_unit(move.subject)
    if parent is None:
        raise AssertionError("guard has_parent must stand before move_up")
    hops.move(move, unit_code=parent)


def _move_back(move: Move) -> None:
    below = hops.below(move.subject)
    if below is None:
        raise AssertionError("guard came_from_below must stand before move_back")
    hops.move(move, unit_code=below.unit_code)


def _to_department(move: Move) -> None:
    issue, code = move.subject, move.data["department"]
    department = session.scalar(
        sa.select(Department).where(Department.code == code, Department.closed_at.is_(None))
    )
    if department is None or department.grid_code != issue.unit_code:
        words = _("This office cannot dispatch to that department.")
        raise Invalid(words, errors={"department": [words]})
    hops.move(move, department_id=department.id)


def _take_result(move: Move) -> None:
    issue = move.subject
    issue.handler_id, issue.handling_hop = move.actor.id, issue.hop_n
    issue.verifier_id = None
    issue.resolved_at = move.at
    issue.on_time = issue.due_at is None or move.at <= issue.due_at


def _to_verifier(move: Move) -> None:
    """To whoever checks it: the dispatching office for a department, else as levels.yaml says."""
    issue = move.subject
    if issue.unit_code is None or _level(issue).verified_by == "parent":
        _move_up(move)


def _to_handler(move: Move) -> None:
    """Back to the unit that handled it, unless that is the one that has it."""
    issue = move.subject
    hop = session.get_one(Hop, (issue.id, issue.handling_hop))
    if (hop.unit_code, hop.department_id) != (issue.unit_code, issue.department_id):
        hops.move(move, unit_code=hop.unit_code, department_id=hop.department_id)


def _count_rework(move: Move) -> None:
    move.subject.rework_count += 1


def _take_verdict(move: Move) -> None:
    issue = move.subject
    issue.verifier_id, issue.verified_at = move.actor.id, move.at


def _take_rating(move: Move) -> None:
    issue = move.subject
    issue.solved, issue.satisfaction = True, move.data["satisfaction"]


def _take_contest(move: Move) -> None:
    issue = move.subject
    issue.solved, issue.satisfaction = False, move.data.get("satisfaction")


def _archive(move: Move) -> None:
    issue = move.subject
    hops.leave(move)
    issue.ended_at, issue.due_at, issue.warn_at = move.at, None, None


EFFECTS: dict[str, Callable[[Move], None]] = {
    "claim": _claim,
    "move_up": _move_up,
    "move_back": _move_back,
    "to_department": _to_department,
    "take_result": _take_result,
    "to_verifier": _to_verifier,
    "to_handler": _to_handler,
    "count_rework": _count_rework,
    "take_verdict": _take_verdict,
    "take_rating": _take_rating,
    "take_contest": _take_contest,
    "archive": _archive,
}
