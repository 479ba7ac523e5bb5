"""Shapes of looks at identities, and of reports without a name, in the API and in forms."""

import functools
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from gridgov.i18n import _
from gridgov.identity.looks import PURPOSES
from gridgov.issues.move_schema import act_schema
from gridgov.issues.schemas import ReportSchema

SOME_WORDS = validate.Regexp(r"(?s).*\S")


class LookSchema(Schema):
    """What an identity is looked at for: `verify`, `feedback`, `protect` or `other`, and in words. The reporter reads both."""

    purpose = fields.String(required=True, validate=validate.OneOf(PURPOSES))
    words = fields.String(required=True, validate=[validate.Length(min=4, max=300), SOME_WORDS])

    @validates_schema
    def real_words(self, data: dict[str, Any], **_more: Any) -> None:
        """Four blanks are no words."""
        if len(str(data.get("words", "")).strip()) < 4:
            raise ValidationError(_("Please say in a few words what for."), "words")


class SeenSchema(Schema):
    """Who reported it. This answer is the only place where it stands, and is never to be kept."""

    name = fields.String()
    phone = fields.String()


class LookLineSchema(Schema):
    """One look: who looked, in which post, at the reporter of which issue, and what for. Whose identity stands not here."""

    id = fields.UUID(attribute="look.id")
    issue_id = fields.UUID(attribute="look.issue_id")
    number = fields.String()
    who = fields.String()
    role = fields.String(attribute="look.role")
    unit = fields.String()
    purpose = fields.String(attribute="look.purpose")
    words = fields.String(attribute="look.words")
    at = fields.DateTime(format="iso", attribute="look.at")


class LooksSchema(Schema):
    """A page of looks, newest first; `next` is the cursor of the following one, null on the last."""

    items = fields.List(fields.Nested(LookLineSchema))
    next = fields.String(allow_none=True)


class AnonymousReportSchema(ReportSchema):
    """A problem reported by nobody. `ticket`: a secret of yours; sent again it gives the same report and code."""

    class Meta:
        """What only a person has."""

        exclude = ("id", "photos", "confidential")

    ticket = fields.String(load_default=None, validate=validate.Regexp(r"^[A-Za-z0-9_-]{22,64}$"))


class FollowUpCodeSchema(Schema):
    """A follow-up code; blanks, dashes and small letters do not matter."""

    code = fields.String(required=True, validate=validate.Length(min=1, max=40))


class ReceiptSchema(Schema):
    """What was recorded. `code` is shown here alone: without it nobody can follow the report up."""

    number = fields.String()
    code = fields.String()


class FollowedEventSchema(Schema):
    """A step that a reporter reads; people are not named."""

    seq = fields.Integer()
    name = fields.String()
    label = fields.String()
    unit = fields.String()
    words = fields.String()
    at = fields.DateTime(format="iso")


class OutcomeSchema(Schema):
    """Where an issue stands, in words too, and the steps, as whoever has a code may read them."""

    number = fields.String()
    state = fields.String()
    explained = fields.String()
    due_at = fields.DateTime(format="iso", allow_none=True)
    ended_at = fields.DateTime(format="iso", allow_none=True)
    on_time = fields.Boolean(allow_none=True)
    solved = fields.Boolean(allow_none=True)
    satisfaction = fields.Integer(allow_none=True)
    events = fields.List(fields.Nested(FollowedEventSchema))


class FollowedSchema(OutcomeSchema):
    """A report as its code shows it, and the moves open to you. `outcome`: the issue that it was merged into in the end."""

    category = fields.String(attribute="category_code")
    text = fields.String()
    generation = fields.Integer()
    reported_at = fields.DateTime(format="iso")
    transitions = fields.List(fields.String())
    outcome = fields.Nested(OutcomeSchema, allow_none=True)


@functools.cache
def follow_up_act_schema() -> type[Schema]:
    """A move as in the API of issues, with the code that allows it."""
    members = {
        "code": FollowUpCodeSchema._declared_fields["code"],
        "__doc__": "A move to make on the report of this code.",
    }
    return type("FollowUpActSchema", (act_schema(),), members)
