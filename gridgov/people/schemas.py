"""The shapes of people, tokens and preferences, coming in and going out."""

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from gridgov.i18n import _, _l, pick
from gridgov.people import roles as role_policy
from gridgov.people.models import PHONE, Scope
from gridgov.people.tokens import DEFAULT_DAYS, MAX_DAYS

SCOPES_MESSAGE = _l("Choose what the token may do.")
DAYS_MESSAGE = _l("From 1 to %(most)s days.", most=MAX_DAYS)
NEEDED = _l("Please fill this in.")
PHONE_MESSAGE = _l("A mobile number has 11 digits and begins with 1.")


def text(most: int, **metadata: str) -> fields.String:
    """A required field of a form, at most so many characters, with its refusals in words."""
    length = [
        validate.Length(min=1, error=NEEDED),
        validate.Length(max=most, error=_l("At most %(most)s characters.", most=most)),
    ]
    return fields.String(
        required=True, validate=length, error_messages={"required": NEEDED}, metadata=metadata
    )


def phone() -> fields.String:
    """A mobile number in a form."""
    shape = validate.Regexp(PHONE, error=PHONE_MESSAGE)
    return fields.String(required=True, validate=shape, error_messages={"required": NEEDED})


class SignInSchema(Schema):
    """The sign-in form. `next` is checked by the page, which drops what is not a local path."""

    phone = phone()
    password = text(128)
    next = fields.String(load_default="")


class PhoneSchema(Schema):
    """A form that asks for a phone number."""

    phone = phone()


class PasswordSchema(Schema):
    """The form for a new password of one's own."""

    present = text(128)
    new = text(128)
    again = text(128)

    @validates_schema
    def same_twice(self, data: dict[str, str], **_rest: object) -> None:
        """The new password is entered twice, because nobody sees it."""
        if data["new"] != data["again"]:
            raise ValidationError(_("The two are not the same."), "again")


class PostSchema(Schema):
    """A post held today."""

    id = fields.UUID(attribute="post.id")
    role = fields.String(attribute="post.role")
    role_label = fields.Function(lambda placed: pick(role_policy.current()[placed.post.role].label))
    grid_code = fields.String(attribute="post.grid_code", allow_none=True)
    department = fields.Function(lambda placed: placed.department and placed.department.code)
    place = fields.Function(lambda placed: pick(placed.place))
    title = fields.String(attribute="post.title", allow_none=True)
    lines = fields.List(fields.String(), attribute="post.lines")
    starts_on = fields.Date(attribute="post.starts_on")
    ends_on = fields.Date(attribute="post.ends_on", allow_none=True)


class MeSchema(Schema):
    """Oneself."""

    id = fields.UUID()
    name = fields.String()
    phone = fields.String()
    language = fields.String()
    elder_view = fields.Boolean()
    posts = fields.List(fields.Nested(PostSchema))


class PreferencesSchema(Schema):
    """How somebody wants to see the pages; what is left out stays."""

    language = fields.String(validate=validate.OneOf(["zh", "en"]))
    elder_view = fields.Boolean()


class DepartmentSchema(Schema):
    """A department that issues can be dispatched to."""

    id = fields.UUID()
    code = fields.String()
    name = fields.Function(lambda department: pick(department.label))
    grid_code = fields.String()


class CsrfSchema(Schema):
    """A CSRF token for this session, to be sent as X-CSRFToken."""

    token = fields.String()


class TokenSchema(Schema):
    """A token without the token."""

    id = fields.UUID()
    name = fields.String()
    hint = fields.String()
    scopes = fields.List(fields.String())
    created_at = fields.AwareDateTime(format="iso")
    expires_at = fields.AwareDateTime(format="iso")
    last_used_at = fields.AwareDateTime(format="iso", allow_none=True)


class TokensSchema(Schema):
    """One's tokens that still work."""

    items = fields.List(fields.Nested(TokenSchema))


class NewTokenSchema(Schema):
    """What a new token shall be for, what it may do, and for how many days."""

    name = text(60)
    scopes = fields.List(
        fields.String(validate=validate.OneOf([str(scope) for scope in Scope], error=SCOPES_MESSAGE)),
        required=True,
        validate=validate.Length(min=1, error=SCOPES_MESSAGE),
        error_messages={"required": SCOPES_MESSAGE},
    )
    days = fields.Integer(
        load_default=DEFAULT_DAYS,
        validate=validate.Range(1, MAX_DAYS, error=DAYS_MESSAGE),
        error_messages={"invalid": DAYS_MESSAGE},
    )


class MadeTokenSchema(TokenSchema):
    """A new token with the token itself: the only time it is shown."""

    token = fields.String()


class DepartmentsSchema(Schema):
    """Departments, by code."""

    items = fields.List(fields.Nested(DepartmentSchema))


class LogQuerySchema(Schema):
    """Which part of the log of sign-ins: lines with the number of the line `like`, older than the line
    `before`.
    """

    like = fields.UUID(load_default=None)
    before = fields.UUID(load_default=None)
