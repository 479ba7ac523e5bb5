"""What pages and the API say of the parts that other units have of an issue. Templates get this module as `shares`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gridgov.i18n import _, dt, pick
from gridgov.issues import flow, names, part_models, sight, telling
from gridgov.issues.models import Issue, IssueEvent
from gridgov.issues.part_models import DECLINED, DONE, JOINT, OPEN, Part
from gridgov.people import queries as people
from gridgov.people.models import Person

TONES = {"open": "teal", "done": "green", "declined": "amber", "withdrawn": "grey"}
ICONS = {"open": "tool", "done": "circle-check", "declined": "arrow-back-up", "withdrawn": "circle-x"}


def unit_name(part: Part, known: names.Names) -> str:
    """What the unit of a part is called."""
    return known.unit(part.unit_code, part.department_id)


def names_of(parts: Sequence[Part]) -> names.Names:
    """What the units of these parts are called; without a statement where there are none."""
    return names.unit_names(parts) if parts else names.Names({}, {})


def missing(issue: Issue) -> str:
    """The units whose parts are not settled, in words."""
    found = part_models.unsettled(issue)
    known = names.unit_names(found)
    return _(", ").join(unit_name(part, known) for part in found)


def office(issue: Issue) -> str:
    """The grid whose departments can assist: that of the answerable unit, of a department the grid it belongs to."""
    return issue.unit_code or flow.parent_unit(issue) or ""


def assistants(issue: Issue) -> list[tuple[str, str]]:
    """Departments that can be asked to assist, as (code, name): of the office's own, without who has it or a part of it."""
    here = office(issue)
    busy = {issue.department_id} | {part.department_id for part in part_models.unsettled(issue)}
    return [
        (d.code, pick(d.label))
        for d in people.departments(under=here)
        if d.grid_code == here and d.id not in busy
    ]


def unsettled_options(issue: Issue) -> list[tuple[str, str]]:
    """The parts that can be dropped or insisted on, as (n, unit)."""
    return _options(part_models.unsettled(issue))


def finished_options(issue: Issue) -> list[tuple[str, str]]:
    """The parts that can be opened again, as (n, unit): of each unit the latest."""
    latest = {
        (part.unit_code, part.department_id): part for part in part_models.of(issue) if part.state == DONE
    }
    return _options(list(latest.values()))


def _options(found: Sequence[Part]) -> list[tuple[str, str]]:
    known = names.unit_names(found)
    return [(str(part.n), unit_name(part, known)) for part in found]


# What is said -----------------------------------------------------------------------------------------------------------


def kind(part: Part) -> str:
    """Assisting, or handling it jointly."""
    return _("Joint handling") if part.kind == JOINT else _("Assisting")


def state(part: Part, now: datetime) -> str:
    """Where a part stands, in a word or two."""
    if part.state == OPEN and now > part.due_at:
        return _("Overdue, not done")
    words = {
        "open": _("Not done yet"),
        "done": _("Done"),
        "declined": _("Declined"),
        "withdrawn": _("Dropped"),
    }
    return words[part.state]


def tone(part: Part, now: datetime) -> str:
    """The colour of where it stands; red for what is late."""
    return "red" if part.state == OPEN and now > part.due_at else TONES[part.state]


def explain(part: Part, now: datetime) -> str:
    """One sentence: until when it is to be done, or what became of it."""
    if part.state == DONE:
        return _("Finished %(time)s.", time=dt(part.done_at))
    if part.state == DECLINED:
        return _("It says that this is not its task; whoever gave it drops it or insists.")
    if part.state != OPEN:
        return _("It need not do this any more.")
    if now > part.due_at:
        return _(
            "It was to be done by %(time)s; its unit and whoever gave it have been told.",
            time=dt(part.due_at),
        )
    return _("To be done by %(time)s.", time=dt(part.due_at))


def whole(parts: Sequence[Part], known: names.Names) -> str:
    """One sentence on what the parts mean for the whole."""
    left = _(", ").join(unit_name(part, known) for part in parts if not part.settled)
    if left:
        return _("The whole can be resolved when all parts are done. Still missing: %(units)s.", units=left)
    return _("All parts are done or dropped.")


def can_do() -> list[str]:
    """What a unit can do in a list of what waits for it about a part of its own, in words."""
    return [pick(flow.current().transitions["finish_part"].label)]


def named(event: IssueEvent, parts: Sequence[Part], known: names.Names) -> str:
    """Whose parts an event is about, when it is about any."""
    about = set(event.data.get("parts", ()))
    found = [unit_name(part, known) for part in parts if part.n in about]
    return _("Part of: %(units)s", units=_(", ").join(found)) if found else ""


def shown(person: Person, issue: Issue) -> list[Part]:
    """The parts that this person reads of: all, but none of a confidential report that they only follow."""
    found = part_models.of(issue)
    return [] if found and issue.confidential and sight.only_follows(person, issue) else found


def dicts(person: Person, issue: Issue) -> list[dict[str, Any]]:
    """What PartSchema shows of each part of an issue. Why one was declined is between offices."""
    found = shown(person, issue)
    known = names_of(found)
    hidden = {"reason": None} if found and telling.alone(person, issue) else {}
    return [
        part.model_dump()
        | hidden
        | {
            "unit": {
                "unit_code": part.unit_code,
                "department_id": part.department_id,
                "name": unit_name(part, known),
            }
        }
        for part in found
    ]
