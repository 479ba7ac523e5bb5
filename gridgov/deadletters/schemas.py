"""Shapes of dead letters in the API."""

from marshmallow import Schema, fields


class LetterSchema(Schema):
    """A deadline (`timer`) or a message that failed for good. Names and words of reports are never in it."""

    id = fields.String()
    kind = fields.String(metadata={"description": "timer or message"})
    what = fields.String(metadata={"description": "the deadline's kind, or the message's topic"})
    subject_id = fields.UUID(allow_none=True)
    number = fields.String(allow_none=True)
    attempts = fields.Integer()
    error = fields.String()
    due_at = fields.DateTime(format="iso")
    died_at = fields.DateTime(format="iso", allow_none=True)


class LettersSchema(Schema):
    """The latest dead letters of each kind, and how many there are in all."""

    items = fields.List(fields.Nested(LetterSchema))
    timers = fields.Integer()
    messages = fields.Integer()


class RetriedSchema(Schema):
    """What became of it: `open`, it is tried again; `void`, there is nothing left to do."""

    state = fields.String()
