"""Shapes of addresses, preferences and deliveries, coming in and going out."""

from typing import Any

from marshmallow import Schema, fields, validate

from gridgov.i18n import _l
from gridgov.notices.models import GROUP, PERSONAL, State, Urgency

NEEDED = _l("Please fill this in.")
CHOOSE = _l("Please choose one of these.")
MAILBOX = _l("This is no e-mail address.")
CLOCK = _l("Hours and minutes, such as 21:00.")
HOUR = _l("An hour from 0 to 23.")
LONG = _l("This is too long.")


def _channels(**more: Any) -> fields.List:
    return fields.List(
        fields.String(validate=validate.OneOf([str(c) for c in PERSONAL], error=CHOOSE)),
        validate=validate.Length(max=4),
        **more,
    )


def _clock() -> fields.Time:
    errors = {"required": NEEDED, "invalid": CLOCK, "format": CLOCK}
    return fields.Time(required=True, format="%H:%M", error_messages=errors)


def _hour() -> fields.Integer:
    return fields.Integer(
        required=True, validate=validate.Range(0, 23, error=HOUR), error_messages={"required": NEEDED, "invalid": HOUR}
    )


class WantedSchema(Schema):
    """How somebody wants to be told outside: channels by urgency, hours of rest in Asia/Shanghai, daily digest."""

    high = _channels(required=True)
    normal = _channels(required=True)
    low = _channels(required=True)
    quiet_from = _clock()
    quiet_until = _clock()
    digest = fields.Boolean(required=True)
    digest_hour = _hour()


class WantedFormSchema(WantedSchema):
    """The same from a form, where what is not ticked is not sent."""

    high = _channels(load_default=list)
    normal = _channels(load_default=list)
    low = _channels(load_default=list)
    digest = fields.Boolean(load_default=False)


class AddressSchema(Schema):
    """An address without the address. `bad_since`: since when nothing is sent there, because it kept failing."""

    id = fields.UUID()
    channel = fields.String()
    hint = fields.String()
    verified = fields.Function(lambda address: address.verified_at is not None)
    bad_since = fields.AwareDateTime(format="iso", allow_none=True)
    error = fields.String(allow_none=True)
    created_at = fields.AwareDateTime(format="iso")


class MineSchema(Schema):
    """How I am told outside: what I want, where, and which ways this installation offers to people."""

    wanted = fields.Nested(WantedSchema)
    addresses = fields.List(fields.Nested(AddressSchema))
    offered = fields.List(fields.String())


class NewAddressSchema(Schema):
    """A new address of one's own: `target` is the mailbox; a text message goes to the number one signs in with."""

    channel = fields.String(
        required=True, validate=validate.OneOf([str(c) for c in PERSONAL], error=CHOOSE), error_messages={"required": CHOOSE}
    )
    target = fields.String(
        load_default="",
        validate=[
            validate.Length(max=200, error=LONG),
            lambda text: validate.Email(error=str(MAILBOX))(text.strip()) if text else None,
        ],
    )


class CodeSchema(Schema):
    """The code that came to a mailbox."""

    code = fields.String(load_default="", validate=validate.Length(max=20, error=LONG))


class GroupSchema(AddressSchema):
    """The address of a unit's group."""

    unit_code = fields.String(allow_none=True)
    department_id = fields.UUID(allow_none=True)
    least = fields.String()


class GroupsSchema(Schema):
    """All groups' addresses."""

    items = fields.List(fields.Nested(GroupSchema))


class NewGroupSchema(Schema):
    """A robot of a unit's group, or a webhook of its program. `least`: from which urgency on it is told."""

    channel = fields.String(
        required=True, validate=validate.OneOf([str(c) for c in GROUP], error=CHOOSE), error_messages={"required": CHOOSE}
    )
    target = fields.String(
        required=True, error_messages={"required": NEEDED},
        validate=[validate.Length(min=1, error=NEEDED), validate.Length(max=500, error=LONG)],
    )  # fmt: skip
    unit_code = fields.String(load_default=None, validate=validate.Regexp(r"^\d{6,30}$", error=CHOOSE))
    department = fields.String(load_default=None, validate=validate.Length(max=32, error=LONG))
    least = fields.Enum(Urgency, by_value=True, load_default=Urgency.NORMAL)


class TroubleQuerySchema(Schema):
    """Which deliveries: of one state, or all that are in trouble."""

    state = fields.String(load_default=None, validate=validate.OneOf([State.DEAD, State.FAILED, State.HELD]))
    cursor = fields.String(load_default=None, validate=validate.Length(max=200))


class DeliverySchema(Schema):
    """A delivery that is in trouble."""

    id = fields.UUID(attribute="delivery.id")
    state = fields.String(attribute="delivery.state")
    channel = fields.String(attribute="address.channel")
    to = fields.String(
        attribute="hint", allow_none=True, metadata={"description": "null for the reporter of a confidential report"}
    )
    urgency = fields.String(attribute="delivery.urgency")
    number = fields.String(allow_none=True)
    attempts = fields.Integer(attribute="delivery.attempts")
    error = fields.String(attribute="delivery.error", allow_none=True)
    created_at = fields.AwareDateTime(format="iso", attribute="delivery.created_at")
    due_at = fields.AwareDateTime(format="iso", attribute="delivery.due_at", allow_none=True)


class DeliveryPageSchema(Schema):
    """A page of deliveries in trouble, newest first, and how many there are by state."""

    items = fields.List(fields.Nested(DeliverySchema))
    next = fields.String(allow_none=True)
    counts = fields.Dict(keys=fields.String(), values=fields.Integer())
