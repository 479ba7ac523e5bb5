"""The bulletin for people with a desk: as JSON, as CSV, and as a page to print. Everybody sees the own area only."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from flask import Blueprint, Response, render_template, url_for
from flask.typing import ResponseReturnValue
from marshmallow import Schema, fields, validate

from gridgov.db import utcnow
from gridgov.grids import queries as grids
from gridgov.issues import accused, bulletin, bulletin_cli, queries
from gridgov.issues.board import require_desk, roots
from gridgov.issues.bulletin import BY, COUNTS, MEASURES, Area
from gridgov.people import queries as people
from gridgov.people.models import Person
from gridgov.web import current_user, gives, takes

api = Blueprint("bulletin", __name__)
bp = Blueprint("bulletin", __name__, template_folder="templates", url_prefix="/desk/bulletin")


class BulletinQuerySchema(Schema):
    """Which bulletin: days of Asia/Shanghai, `to` not included; without them last month. `under` is a grid in your area."""

    first = fields.Date(data_key="from", load_default=None)
    until = fields.Date(data_key="to", load_default=None)
    under = fields.String(load_default=None, validate=validate.Length(max=15))
    by = fields.String(load_default="", validate=validate.OneOf(["", *BY]))


def _figures(name: str) -> type[Schema]:
    """The shape of one set of figures: counts, and rates that are null with nothing below the line."""
    shapes: Mapping[str, Any] = {
        **{count: fields.Integer() for count in COUNTS[name]},
        **{measure: fields.Float(allow_none=True) for measure in MEASURES[name]},
    }
    return type(
        f"Bulletin{name.title()}Schema", (Schema,), {"__doc__": f"docs/bulletin.md, `{name}`.", **shapes}
    )


class BulletinLineSchema(Schema):
    """The figures of one group, or of the whole (`key` null)."""

    key = fields.String(allow_none=True)
    name = fields.String()
    stages = fields.Nested(_figures("stages"))
    timeliness = fields.Nested(_figures("timeliness"))
    quality = fields.Nested(_figures("quality"))
    results = fields.Nested(_figures("results"))


class BulletinSchema(Schema):
    """A bulletin. Rates lie between 0 and 1; what each figure is stands in docs/bulletin.md."""

    first = fields.Date(data_key="from")
    until = fields.Date(data_key="to")
    under = fields.List(fields.String(), attribute="area.codes")
    by = fields.String(allow_none=True)
    lines = fields.List(fields.Nested(BulletinLineSchema))
    whole = fields.Nested(BulletinLineSchema, data_key="total")


@api.get("/bulletin")
@gives(BulletinSchema)
@takes(BulletinQuerySchema, location="query")
def show(**given: Any) -> Any:
    """Stages, timeliness, quality and results of a period, in your area. A department sees what it was given itself."""
    return _plain(_read(current_user, **given))


@bp.get("")
@takes(BulletinQuerySchema, location="query")
def page(**given: Any) -> ResponseReturnValue:
    """The bulletin as tables, to be looked at and printed."""
    found = _read(current_user, **given)
    tops = roots(current_user)
    names = grids.short_names({*tops, *found.area.codes})
    places = [(code, names[code]) for code in tops if code in names]
    for code in tops if len(tops) == 1 else ():
        places += [(grid.code, grid.short_name) for grid in grids.children(code)]
    here = [(code, names[code]) for code in found.area.codes if code in names]
    places += [place for place in here if place not in places]
    params = {
        "from": found.first.isoformat(),
        "to": found.until.isoformat(),
        "under": given["under"],
        "by": found.by or None,
    }
    return render_template(
        "issues/bulletin.html", found=found, places=places, chosen=given["under"] or "", here=here,
        csv_url=url_for("bulletin.table", **params), today=utcnow().astimezone(bulletin.SHANGHAI).date(),
    )  # fmt: skip


@bp.get("/table.csv")
@takes(BulletinQuerySchema, location="query")
def table(**given: Any) -> Response:
    """The bulletin as a file for a spreadsheet."""
    found = _read(current_user, **given)
    answer = Response("\ufeff" + bulletin_cli.as_table(found), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f"attachment; filename=bulletin-{found.first}-{found.until}.csv"
    return answer


def _read(
    person: Person, first: date | None, until: date | None, under: str | None, by: str
) -> bulletin.Bulletin:
    """The bulletin within somebody's area. Raises NotPermitted without a desk, NotFound for a grid out of sight."""
    require_desk(person)
    before, after = bulletin.last_month(utcnow().astimezone(bulletin.SHANGHAI).date())
    if first is not None and until is None:
        until = bulletin.month_after(first)
    area = _area(person, under)
    return bulletin.read(first or before, until or after, area, by)


def _area(person: Person, under: str | None) -> Area:
    tops, reach = roots(person), people.reach(person)
    if under and (not any(under.startswith(top) for top in tops) or not grids.short_names([under])):
        raise queries.out_of_sight()
    covered = under is not None and under != "" and reach.covers(under)
    codes = (under,) if under else tuple(sorted(reach.grids)) or tuple(tops)
    # Who sits in a department and nowhere above it sees what the department was given, and nothing of the others.
    own_only = bool(reach.departments) and not (covered if under else reach.grids)
    return Area(codes, tuple(sorted(reach.departments)) if own_only else None, *accused.barred_from(reach))


def _plain(found: bulletin.Bulletin) -> dict[str, Any]:
    lines = [{"key": line.key, "name": line.name, **line.figures} for line in (*found.lines, found.whole)]
    return {
        "first": found.first, "until": found.until, "area": found.area, "by": found.by or None, "lines": lines[:-1], "whole": lines[-1],
    }  # fmt: skip
