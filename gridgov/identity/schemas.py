"""Shapes of looks at identities, and of reports without a name, in the API and in forms."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from gridgov.i18n import _
from gridgov.identity.looks import PURPOSES

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
