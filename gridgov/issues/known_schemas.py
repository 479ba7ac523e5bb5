"""Shapes of what is known near by, and of following it."""

from typing import Any

from marshmallow import Schema, fields, validate

from gridgov.i18n import pick
from gridgov.issues import flow
from gridgov.issues.near import Alike
from gridgov.issues.schemas import ReportSchema


class NearSchema(Schema):
    """What somebody is about to report, and where: a position (WGS-84 degrees), a grid, or both."""

    category = fields.String(required=True, validate=validate.Length(max=4))
    lat = fields.Float(load_default=None, allow_nan=False, validate=validate.Range(-90, 90))
    lon = fields.Float(load_default=None, allow_nan=False, validate=validate.Range(-180, 180))
    grid_code = fields.String(load_default=None, validate=validate.Regexp(r"^[0-9]{6,30}$"))
    whole_place = ReportSchema.whole_place


class KnownSchema(Schema):
    """An issue that may be the same, as a stranger may see it: nothing of who reported it, one line of what they wrote.

    `metres` is null where one of the two has no position. `followers` counts who reported it besides the first.
    """

    id = fields.UUID()
    number = fields.String()
    category = fields.String(attribute="category_code")
    place = fields.String()
    state = fields.String()
    state_label = fields.String()
    line = fields.String()
    metres = fields.Integer(allow_none=True)
    followers = fields.Integer()
    mine = fields.Boolean(metadata={"description": "whether you reported it yourself"})
    reported_at = fields.DateTime(format="iso")


class KnownListSchema(Schema):
    """What is known near by, the nearest first; at most five."""

    items = fields.List(fields.Nested(KnownSchema))


class FollowSchema(Schema):
    """The issue that is followed now: the one asked for, or the one that was merged into."""

    id = fields.UUID()
    number = fields.String()
    followers = fields.Integer()


def known_dict(one: Alike) -> dict[str, Any]:
    """What KnownSchema shows."""
    issue = one.issue
    label = pick(flow.current().states[issue.state].label)
    return {
        "id": issue.id, "number": issue.number, "category_code": issue.category_code, "place": one.place, "state": issue.state,
        "state_label": label, "line": one.line, "metres": one.metres, "followers": issue.followers, "mine": one.mine,
        "reported_at": issue.reported_at,
    }  # fmt: skip
