"""Shapes of notices in the API."""

from marshmallow import Schema, fields, validate

from gridgov import paging


class InboxSchema(Schema):
    """Where to go on in the inbox."""

    cursor = fields.String(load_default=None, validate=validate.Length(max=200))
    limit = fields.Integer(load_default=paging.LIMIT, validate=validate.Range(1, paging.LIMIT_MAX))


class NoticeSchema(Schema):
    """One notice: an event of an issue. `read_at` is null while it is unread."""

    id = fields.UUID(attribute="notice.id")
    issue_id = fields.UUID(attribute="notice.issue_id")
    number = fields.String()
    seq = fields.Integer(attribute="notice.seq")
    event = fields.String(attribute="event.name")
    title = fields.String()
    created_at = fields.DateTime(format="iso", attribute="notice.created_at")
    read_at = fields.DateTime(format="iso", allow_none=True, attribute="notice.read_at")


class NoticePageSchema(Schema):
    """A page of notices, newest first, and how many are unread (counted up to 100)."""

    items = fields.List(fields.Nested(NoticeSchema))
    next = fields.String(allow_none=True)
    unread = fields.Integer()


class ReadSchema(Schema):
    """Which notices were read: the given ones, or all."""

    ids = fields.List(fields.UUID(), load_default=None, validate=validate.Length(max=200))


class UnreadSchema(Schema):
    """How many notices are unread."""

    unread = fields.Integer()
