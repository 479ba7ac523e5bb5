"""Moves and reports as forms send them: files become photos, texts are checked by the same schemas as the API's."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import marshmallow
from flask import request

from gridgov.issues import answers, flow, move_schema, schemas
from gridgov.people.models import Person
from gridgov.photos import actions as photos, uploads
from gridgov.web import load

Take = Callable[[str], list[UUID]]


def read_move(actor: Person | None, take: Take | None = None) -> tuple[str, dict[str, Any], int | None]:
    """(name, data, generation seen) of a move sent as a form. Photos are files, or ids of photos sent before.

    Raises Invalid with messages by field; photos are taken last, when all else is right. `take` gives the photos
    of a field instead, for a page that took them first.
    """
    take = take or (lambda field: take_files(field, actor))
    given = _load(move_schema.act_schema()(), {f.name for f in flow.current().fields.values() if f.kind in move_schema.LISTS})
    name, expected = given.pop("name"), given.pop("generation")
    transition = flow.current().transitions.get(name)
    takes = {*transition.needs, *transition.may} if transition else set()
    # A form shows only the fields of its own move, but a browser without script may send empty ones of others.
    data = {key: value for key, value in given.items() if key in takes}
    for spec in flow.current().fields.values():
        if spec.kind == "photos" and spec.name in takes:
            taken = [*data.get(spec.name, []), *take(spec.name)]
            if taken:
                data[spec.name] = taken
    return name, data, expected


def entered() -> dict[str, Any]:
    """What the posted form holds, to be shown again: of what takes several values all, of all else the one."""
    several = {f.name for f in flow.current().fields.values() if f.kind in move_schema.LISTS}
    form = request.form
    return {key: form.getlist(key) if key in several else form[key] for key in form if key != "csrf_token"}


def read_report(actor: Person, take: Take | None = None) -> dict[str, Any]:
    """The keywords of `actions.report` from the report form. `take` as in `read_move`."""
    take = take or (lambda field: take_files(field, actor))
    data = _load(schemas.ReportSchema(), {"photos"})
    data["photos"] = [*data["photos"], *take("photos")]
    data["answers"] = answers.of_form(request.form)
    return data


def take_files(field: str, actor: Person | None) -> list[UUID]:
    """Take the files sent under a field as photos of the actor. Raises the photo's own refusal, naming the field."""
    taken = []
    for file in uploads.received(field):
        taken.append(photos.take(file.stream, actor=actor).id)
    return taken


def _load(schema: marshmallow.Schema, lists: set[str]) -> dict[str, Any]:
    payload: dict[str, Any] = {}
    for key in request.form:
        if key == "csrf_token" or key not in schema.fields:
            continue
        values = [value for value in request.form.getlist(key) if value.strip()]
        if values:
            payload[key] = values if key in lists else values[0].replace("\r\n", "\n")
    return load(schema, payload)
