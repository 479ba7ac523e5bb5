"""Shapes of issues in the API. That of a move stands in move_schema.py."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from gridgov import paging
from gridgov.db import utcnow
from gridgov.i18n import _, pick
from gridgov.issues import part_words, queries, telling
from gridgov.issues.models import Issue
from gridgov.issues.names import unit_names
from gridgov.people.models import Person

TEXT_MAX = 1000


class ReportSchema(Schema):
    """A problem as reported. `id` is minted by the sender: sent again it gives the same issue. Positions are WGS-84."""

    id = fields.UUID(load_default=None)
    category = fields.String(required=True, validate=validate.Length(max=4))
    text = fields.String(
        required=True, validate=[validate.Length(min=1, max=TEXT_MAX), validate.Regexp(r"(?s).*\S")]
    )
    grid_code = fields.String(load_default=None, validate=validate.Regexp(r"^[0-9]{6,30}$"))
    lat = fields.Float(load_default=None, allow_nan=False, validate=validate.Range(-90, 90))
    lon = fields.Float(load_default=None, allow_nan=False, validate=validate.Range(-180, 180))
    accuracy_m = fields.Integer(load_default=None, validate=validate.Range(0, 100_000))
    address = fields.String(load_default=None, validate=validate.Length(max=200))
    photos = fields.List(fields.UUID(), load_default=list, validate=validate.Length(max=9))
    confidential = fields.Boolean(load_default=False)
    accused = fields.String(
        load_default=None, validate=validate.Length(max=32),
        metadata={"description": "code of the grid or department that it is about; it is sealed then, and never goes there"},
    )  # fmt: skip
    answers = fields.Dict(
        keys=fields.String(validate=validate.Length(max=30)), load_default=dict, validate=validate.Length(max=20),
        metadata={"description": "to the questions of the category (GET /categories), by their names"},
    )  # fmt: skip
    found_by = fields.String(load_default="resident", validate=validate.OneOf(["resident", "patrol"]))

    @validates_schema
    def whole_place(self, data: dict[str, Any], **_more: Any) -> None:
        """A position is both numbers or neither."""
        for given, missing in (("lat", "lon"), ("lon", "lat")):
            if data.get(given) is not None and data.get(missing) is None:
                raise ValidationError(_("A position has two numbers."), missing)


class ListSchema(Schema):
    """Which issues to list, and where to go on."""

    view = fields.String(load_default="all", validate=validate.OneOf(["reported", "followed", "todo", *queries.VIEWS]))
    state = fields.String(load_default=None, validate=validate.Length(max=30))
    colour = fields.String(load_default=None, validate=validate.OneOf(queries.COLOURS))
    category = fields.String(load_default=None, validate=validate.Length(max=4))
    grade = fields.String(load_default=None, validate=validate.OneOf(["A", "B", "C"]))
    grid = fields.String(load_default=None, validate=validate.Length(max=30))
    found = fields.String(load_default=None, validate=validate.OneOf(["resident", "patrol"]))
    q = fields.String(load_default=None, validate=validate.Length(max=60))
    sort = fields.String(load_default="newest", validate=validate.OneOf(queries.SORTS))
    cursor = fields.String(load_default=None, validate=validate.Length(max=200))
    limit = fields.Integer(load_default=paging.LIMIT, validate=validate.Range(1, paging.LIMIT_MAX))


class UnitSchema(Schema):
    """Who answers for an issue: one grid, or one department."""

    grid_code = fields.String(attribute="unit_code", allow_none=True)
    department_id = fields.UUID(allow_none=True)
    name = fields.String()


class PartSchema(Schema):
    """What another unit does of an issue. `kind`: assist or joint; `state`: open, done, declined, withdrawn."""

    n = fields.Integer()
    unit = fields.Nested(UnitSchema)
    kind = fields.String()
    state = fields.String()
    task = fields.String(allow_none=True)
    opened_at = fields.DateTime(format="iso")
    due_at = fields.DateTime(format="iso")
    done_at = fields.DateTime(format="iso", allow_none=True)
    result = fields.String(allow_none=True)
    reason = fields.String(allow_none=True, metadata={"description": "why its unit declined it"})


class IssueSchema(Schema):
    """An issue. `due_at` belongs to the present state; `colour` is green, yellow, red, or grey when it has ended.

    `on_time`, `solved` and `satisfaction` (1 to 5) are separate results, null while unknown. `generation` goes up with
    every move: send it back with one, and you are told if somebody was faster.
    """

    id = fields.UUID()
    number = fields.String()
    state = fields.String()
    category = fields.String(attribute="category_code")
    line = fields.String()
    grade = fields.String()
    text = fields.String()
    grid_code = fields.String()
    place = fields.String()
    lat = fields.Float(allow_none=True)
    lon = fields.Float(allow_none=True)
    accuracy_m = fields.Integer(allow_none=True)
    address = fields.String(allow_none=True)
    confidential = fields.Boolean()
    found_by = fields.String()
    unit = fields.Nested(UnitSchema)
    generation = fields.Integer()
    due_at = fields.DateTime(format="iso", allow_none=True)
    due_provisional = fields.Boolean()
    colour = fields.String()
    asked = fields.String(
        attribute="asked_kind", allow_none=True,
        metadata={"description": "what its handler asks of the level above: extension, suspension, or null"},
    )  # fmt: skip
    parts_open = fields.Integer(metadata={"description": "parts of other units not settled; it is resolved when there are none"})
    parts = fields.List(fields.Nested(PartSchema), metadata={"description": "only where one issue is shown"})
    complex = fields.Boolean()
    appeal = fields.String(allow_none=True, metadata={"description": "of the refusal: open, upheld, admitted, or null"})
    answers = fields.List(fields.Dict(), metadata={"description": "name, kind, label, value and words of each answer"})
    followers = fields.Integer(metadata={"description": "how many others report it too"})
    merged_into = fields.UUID(attribute="merged_into_id", allow_none=True)
    rework_count = fields.Integer()
    reopen_count = fields.Integer()
    on_time = fields.Boolean(allow_none=True)
    solved = fields.Boolean(allow_none=True)
    satisfaction = fields.Integer(allow_none=True)
    reported_at = fields.DateTime(format="iso")
    accepted_at = fields.DateTime(format="iso", allow_none=True)
    resolved_at = fields.DateTime(format="iso", allow_none=True)
    verified_at = fields.DateTime(format="iso", allow_none=True)
    ended_at = fields.DateTime(format="iso", allow_none=True)
    transitions = fields.List(
        fields.String(), metadata={"description": "moves open to you now; with a single issue only"}
    )


class IssuePageSchema(Schema):
    """A page of issues; `next` is the cursor of the following one, null on the last."""

    items = fields.List(fields.Nested(IssueSchema))
    next = fields.String(allow_none=True)


class CursorSchema(Schema):
    """Where to go on in a list."""

    cursor = fields.String(load_default=None, validate=validate.Length(max=200))


class SuspendedSchema(Schema):
    """A suspended issue: since when, why, and when it is looked at again. Nothing about people."""

    number = fields.String()
    category = fields.String()
    place = fields.String()
    unit = fields.String()
    since = fields.DateTime(format="iso")
    reason = fields.String()
    review_at = fields.DateTime(format="iso")


class SuspendedPageSchema(Schema):
    """A page of suspended issues; `next` is the cursor of the following one, null on the last."""

    items = fields.List(fields.Nested(SuspendedSchema))
    next = fields.String(allow_none=True)


class EventSchema(Schema):
    """One thing that happened. `data` holds what was given with the move; `hash` is the chain's, in hexadecimal."""

    seq = fields.Integer()
    name = fields.String()
    from_state = fields.String(allow_none=True)
    to_state = fields.String()
    actor = fields.String(
        allow_none=True, metadata={"description": "a name; null for the system and for a sealed reporter"}
    )
    actor_role = fields.String()
    unit = fields.Nested(UnitSchema)
    data = fields.Dict()
    photos = fields.List(fields.UUID())
    due_at = fields.DateTime(format="iso", allow_none=True)
    at = fields.DateTime(format="iso")
    hash = fields.Function(
        lambda e: e["hash"] and e["hash"].hex(),
        metadata={"type": ["string", "null"], "description": "null where the reporter is sealed"},
    )


class EventListSchema(Schema):
    """The whole story, oldest first."""

    items = fields.List(fields.Nested(EventSchema))


class TransitionSchema(Schema):
    """A move open to you now, and what it takes."""

    name = fields.String()
    label = fields.Function(lambda t: pick(t.label), metadata={"type": "string"})
    to = fields.String()
    needs = fields.List(fields.String())
    may = fields.List(fields.String())


class TransitionListSchema(Schema):
    """The moves open to you now, in the workflow's order."""

    items = fields.List(fields.Nested(TransitionSchema))
    generation = fields.Integer()


class CategorySchema(Schema):
    """Something an issue can be about; minor ones have a parent, a grade and rules."""

    code = fields.String()
    parent = fields.String(attribute="parent_code", allow_none=True)
    name = fields.Function(lambda c: pick({"zh": c.name, "en": c.name_en}), metadata={"type": "string"})
    line = fields.String()
    grade = fields.String(allow_none=True)
    department = fields.String(attribute="department_code", allow_none=True)
    photos_required = fields.Boolean()
    questions = fields.List(fields.Dict(), metadata={"description": "what a report is asked besides"})
    confidential = fields.Boolean()


class CategoryListSchema(Schema):
    """All open categories, by code."""

    items = fields.List(fields.Nested(CategorySchema))


def brief(issue: Issue, person: Person) -> dict[str, Any]:
    """What IssueSchema shows of an issue just reported or moved: all but the moves, which need more reading."""
    names = unit_names([issue])
    unit = names.unit(issue.unit_code, issue.department_id)
    return _dict(issue, person, names.place(issue.grid_code), unit) | {"parts": part_words.dicts(person, issue)}


def _dict(issue: Issue, person: Person, place: str, unit: str) -> dict[str, Any]:
    shown = dict(issue.__dict__, place=place, colour=queries.colour(issue, utcnow()))
    shown.pop("parts", None)  # Their number; what they are takes more reading.
    shown["unit"] = {"unit_code": issue.unit_code, "department_id": issue.department_id, "name": unit}
    if issue.asked_kind and telling.alone(person, issue):
        shown["asked_kind"] = None
    return shown


def issue_dict(row: queries.Row, person: Person, moves: list[Any] | None = None) -> dict[str, Any]:
    """What IssueSchema shows of an issue to a person, with the moves open to them."""
    shown = _dict(row.issue, person, row.place, row.unit)
    if moves is not None:
        shown["transitions"] = [t.name for t in moves]
        shown["parts"] = part_words.dicts(person, row.issue)
    return shown


def event_dicts(story: queries.Story) -> list[dict[str, Any]]:
    """What EventSchema shows of each event."""
    found = []
    # A hash covers who did it and all before it: whoever knows somebody's id could try whether it fits.
    hidden = story.sealed and story.row.issue.reporter_id is not None
    for event in story.events:
        actor = story.actor(event)
        unit = story.names.unit(event.unit_code, event.department_id)
        found.append(
            event.model_dump()
            | {"actor": actor and actor.name, "photos": story.photos.get(event.seq, [])}
            | {"unit": {"unit_code": event.unit_code, "department_id": event.department_id, "name": unit}}
            | ({"hash": None} if hidden else {})
        )
    return found
