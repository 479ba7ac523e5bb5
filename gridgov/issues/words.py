"""What the pages say of an issue: who has it, until when, what happened, what can be done. Reads nothing.

Templates of every package get this module as `say`.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from flask import url_for

from gridgov.grids import queries as grid_tree
from gridgov.i18n import _, day, dt, pick
from gridgov.issues import flow, patrols, queries
from gridgov.issues.models import Category, Issue, IssueEvent
from gridgov.issues.names import title as title  # For templates: say.title(issue).
from gridgov.people.models import Post
from gridgov.workflow import FieldSpec, State, Transition

GRADE_TONES = {"A": "red", "B": "amber"}
# The city edits its categories; a major one without a sign of its own gets three dots.
CATEGORY_ICONS = {
    "01": "shield", "02": "car", "03": "helmet", "04": "virus", "05": "plant", "06": "ripple", "07": "trees",
    "08": "road", "09": "trash", "10": "heart-handshake", "11": "storm",
}  # fmt: skip
STEPS_SHOWN = 6
LATE_EVENTS = {"remind", "overdue_up", "situation_late", "answer_late", "supervision_due", "urge_late", "part_late", "appeal_late"}
# What somebody gave with a step, in the order it is told. Photos stand below; who has it now stands beside.
TOLD_FIELDS = tuple(
    "issue grade instruction report_on extra review_on called reason route result satisfaction way task complex note".split()
)


class Asked(NamedTuple):
    """A field that a move asks for, and whether it must be given."""

    spec: FieldSpec
    needed: bool


class Grade(NamedTuple):
    """How grave an issue is, in words and as a tone."""

    label: str
    tone: str


# Where it stands --------------------------------------------------------------------------------------------


def state(issue: Issue) -> State:
    """The present state, as the workflow file describes it."""
    return flow.current().states[issue.state]


def states() -> dict[str, State]:
    """All states by name, in the file's order."""
    return flow.current().states


def explain(issue: Issue, unit: str) -> str:
    """One sentence: who has it now, until when, and what happens then. `unit` names who answers for it."""
    return pick(state(issue).explain).format(unit=unit, due=dt(issue.due_at))


def asked(kind: str | None) -> str:
    """What a handler asks of the level above, in words; nothing when nothing is asked."""
    words = {"extension": _("Asks for more time"), "suspension": _("Asks to be suspended")}
    return words.get(kind or "", "")


def category(kind: Category) -> str:
    """What it is about."""
    return pick({"zh": kind.name, "en": kind.name_en})


def category_icon(code: str) -> str:
    """The sign of a category, which is that of its major one."""
    return CATEGORY_ICONS.get(code[:2], "dots")


def grade(issue: Issue) -> Grade:
    """Its grade."""
    return Grade(pick(flow.rules().grades[issue.grade][0]), GRADE_TONES.get(issue.grade, "grey"))


def results(issue: Issue) -> list[tuple[str, str]]:
    """The three separate results, as far as they are known: on time, really solved, satisfied."""
    found = []
    if issue.on_time is not None:
        found.append((_("Done on time"), _("yes") if issue.on_time else _("no, too late")))
    if issue.solved is not None:
        found.append((_("Really solved"), _("yes") if issue.solved else _("no, the reporter says")))
    if issue.satisfaction is not None:
        found.append((_("Satisfaction"), satisfaction(issue.satisfaction)))
    if issue.ended_at is not None and issue.resolved_at is not None and issue.solved is None:
        found += [(_("Really solved"), _("the reporter did not answer")), (_("Satisfaction"), _("not known"))]
    if issue.reopen_count:
        found.append((_("Reopened"), _("%(n)s times", n=issue.reopen_count)))
    if issue.rework_count:
        found.append((_("Sent back"), _("%(n)s times", n=issue.rework_count)))
    return found


def satisfaction(degree: int) -> str:
    """How satisfied, in words. 1 to 5."""
    return [_("Very dissatisfied"), _("Dissatisfied"), _("So-so"), _("Satisfied"), _("Very satisfied")][
        degree - 1
    ]


def stops(story: queries.Story) -> list[tuple[str, str]]:
    """The way from the grid where it is up to the city and into a department: (name, done | now | ahead).

    When it has ended, only the stations that had it.
    """
    issue = story.row.issue
    visited = {(hop.unit_code, hop.department_id) for hop in story.hops}
    present = (issue.unit_code, issue.department_id)
    ended = issue.ended_at is not None
    departments = list(dict.fromkeys(hop.department_id for hop in story.hops if hop.department_id))
    grids: list[tuple[str | None, UUID | None]] = [(code, None) for code in reversed(grid_tree.ancestor_codes(issue.grid_code))]
    found = []
    for unit in grids + [(None, each) for each in departments]:
        code = unit[0]
        name = story.names.grids.get(code, code) if code else story.names.unit(*unit)
        if unit == present and not ended:
            found.append((name, "now"))
        elif unit in visited or (not ended and code and _passed(code, issue)):
            found.append((name, "done"))
        elif not ended:
            found.append((name, "ahead"))
    if not departments and not ended:
        found.append((_("Dept."), "ahead"))
    return found


def _passed(code: str, issue: Issue) -> bool:
    """Whether a grid on the way lies below who has it now: it is behind, even if it was jumped over."""
    return issue.unit_code is None or len(code) > len(issue.unit_code)


# What happened ----------------------------------------------------------------------------------------------


def happened(name: str) -> str:
    """What a step is called."""
    step = flow.current().transitions.get(name)
    return pick(step.label) if step else _("Reported")


def event_icon(name: str) -> str:
    """The sign of a step."""
    step = flow.current().transitions.get(name)
    return step.icon if step else "camera"


def event_tone(event: IssueEvent) -> str:
    """The colour of a step: that of the state it led to; red for what was late."""
    if event.name in LATE_EVENTS:
        return "red"
    if event.name == "note":
        return "grey"
    return flow.current().states[event.to_state].tone


def who(story: queries.Story, event: IssueEvent) -> str:
    """Who did it, and in which role: 肖建国（微网格长）. A sealed reporter has no name."""
    if event.actor_role == flow.SYSTEM:
        return _("The system, by itself")
    actor = story.actor(event)
    if event.actor_role == flow.REPORTER:
        return _("%(name)s (reporter)", name=actor.name if actor else story.reporter)
    label = flow.role_label(event.actor_role)
    return _("%(name)s (%(role)s)", name=actor.name, role=label) if actor else label


def moved_to(story: queries.Story, event: IssueEvent) -> str:
    """Who has had it since this step, when that changed; otherwise nothing."""
    before = next((e for e in reversed(story.events) if e.seq < event.seq), None)
    unit = (event.unit_code, event.department_id)
    if before is not None and unit == (before.unit_code, before.department_id):
        return ""
    return _("now with %(unit)s", unit=story.names.unit(*unit))


def said(event: IssueEvent) -> str:
    """What was given with a step, line by line; a lone reason or note needs no heading."""
    lines = []
    for name in TOLD_FIELDS:
        value = event.data.get(name)
        if value in (None, ""):
            continue
        spec = flow.current().fields[name]
        lines.append((pick(spec.label), _told(spec, value)))
    if len(lines) == 1 and lines[0][0] not in _headed():
        return lines[0][1]
    return "\n".join(_("%(word)s: %(text)s", word=word, text=text) for word, text in lines)


def _told(spec: FieldSpec, value: Any) -> str:
    if spec.kind == "scale":
        return satisfaction(value)
    if spec.kind == "yesno":
        return _("yes")
    if spec.kind == "choice":
        return pick(spec.options.get(str(value), str(value)))
    return day(date.fromisoformat(value)) if spec.kind == "date" else str(value)


def _headed() -> set[str]:
    """Fields whose value says nothing without its name."""
    return {
        pick(spec.label)
        for spec in flow.current().fields.values()
        if spec.kind in ("scale", "date", "choice", "yesno", "issue") or spec.name in ("route", "task")
    }


# What can be done -------------------------------------------------------------------------------------------


found_options = patrols.options


def fields(move: Transition) -> list[Asked]:
    """What a move asks for: first what it needs, then what it may take."""
    known = flow.current().fields
    return [Asked(known[n], True) for n in move.needs] + [Asked(known[n], False) for n in move.may]


def options(spec: FieldSpec) -> list[tuple[str, str]]:
    """What a choice offers, as (value, words)."""
    return [(value, pick(words)) for value, words in spec.options.items()]


def labels(asked: Iterable[Asked]) -> dict[str, str]:
    """What the fields of a form are called, by name."""
    return {spec.name: pick(spec.label) for spec, _needed in asked}


def can_do(issue: Issue, posts: Iterable[Post]) -> list[str]:
    """What the holder of these posts can do now, in words, for a list: without asking the database.

    Only the main moves, without those whose guard needs to look further; the issue's own page knows exactly.
    """
    held = set()
    for post in posts:
        if post.department_id is not None:
            held |= {str(post.role)} if post.department_id == issue.department_id else set()
        elif post.grid_code == issue.unit_code:
            held |= {str(post.role), f"area:{post.role}"}
        elif post.grid_code and issue.grid_code.startswith(post.grid_code):
            held.add(f"area:{post.role}")
    moves = [
        move
        for move in flow.current().transitions.values()
        if issue.state in move.sources and move.by & held and set(move.guard) <= {"not_handler", "" if issue.parts_open else "parts_done"}
    ]
    main = [move for move in moves if move.button == "primary"] or moves
    return [pick(move.label) for move in main]


def asks_reporter(issue: Issue) -> bool:
    """Whether it waits for the reporter's word."""
    return issue.state in reporter_states()


def reporter_states() -> frozenset[str]:
    """The states in which the reporter has the next word: where their own main move stands open."""
    found: set[str] = set()
    for move in flow.current().transitions.values():
        if flow.REPORTER in move.by and move.button == "primary":
            found |= set(move.sources)
    return frozenset(found)


def photos(ids: Sequence[UUID], caption: str = "") -> list[dict[str, Any]]:
    """Photos as the macro photo_grid takes them."""
    return [
        {
            "id": str(each),
            "url": url_for("photos.full", photo_id=each),
            "thumb_url": url_for("photos.thumb", photo_id=each),
            "alt": f"{caption} {n}".strip() if caption else _("Photo %(n)s", n=n),
            "caption": caption,
        }
        for n, each in enumerate(ids, 1)
    ]


def seconds(amount_s: int | None) -> timedelta:
    """A length of time that was kept as seconds."""
    return timedelta(seconds=amount_s or 0)


def thumb(photo_id: UUID | None) -> str:
    """The address of a thumbnail; nothing for none."""
    return url_for("photos.thumb", photo_id=photo_id) if photo_id else ""
