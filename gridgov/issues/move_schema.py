"""The shape of a move in the API and in forms: its fields come from workflows/issue.yaml."""

import functools
from typing import Any

from marshmallow import Schema, fields, validate

from gridgov.issues import flow
from gridgov.workflow import FieldSpec, Workflow

LISTS = {"photos", "departments", "parts"}  # Kinds of fields that take several values.
PARTS_MOST = 10


class DayField(fields.Date):
    """A day, kept as text (2026-11-30), for what was given with a move is kept as JSON."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return super()._deserialize(value, *args, **kwargs).isoformat()


def act_schema() -> type[Schema]:
    """The body of a move: its name, the generation seen, and every field that a move of the workflow can take."""
    return _act_schema(flow.current())


@functools.cache
def _act_schema(workflow: Workflow) -> type[Schema]:
    members: dict[str, Any] = {
        "name": fields.String(required=True, validate=validate.Length(max=30)),
        "generation": fields.Integer(load_default=None, validate=validate.Range(0)),
        "__doc__": "A move to make: `name` from the list of transitions, its fields, and the `generation` you saw.",
    }
    members |= {spec.name: _field(spec) for spec in workflow.fields.values()}
    return type("ActSchema", (Schema,), members)


def _field(spec: FieldSpec) -> fields.Field:
    if spec.kind == "photos":
        return fields.List(fields.UUID(), validate=validate.Length(max=spec.max))
    if spec.kind == "departments":
        return fields.List(fields.String(validate=validate.Length(max=40)), validate=validate.Length(max=PARTS_MOST))
    if spec.kind in ("part", "parts"):
        one = fields.Integer(validate=validate.Range(1, 10_000))
        return one if spec.kind == "part" else fields.List(one, validate=validate.Length(max=PARTS_MOST))
    if spec.kind == "scale":
        return fields.Integer(validate=validate.Range(spec.low, spec.high))
    if spec.kind == "yesno":
        return fields.Boolean()
    if spec.kind == "issue":
        return fields.String(validate=validate.Length(max=spec.max), metadata={"description": "a number, or an id"})
    if spec.kind == "date":
        return DayField()
    if spec.kind == "choice":
        return fields.String(validate=validate.OneOf(list(spec.options)))
    return fields.String(validate=validate.Length(max=spec.max))
