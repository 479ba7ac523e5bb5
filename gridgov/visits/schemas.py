"""Shapes of visits."""

from typing import Any

from marshmallow import Schema, fields, validate

from gridgov.visits.models import Consent, Giver
from gridgov.visits.queries import Row

GIVING = [Consent.NONE, Consent.SPOKEN, Consent.SIGNED]


class RecordSchema(Schema):
    """A visit. `id` is minted by the sender: sent again it gives the same visit. Without consent nothing personal is kept.

    `signature` is a PNG as data URL, for `consent` signed.
    """

    id = fields.UUID(load_default=None)
    grid_code = fields.String(required=True, validate=validate.Regexp(r"^[0-9]{12,15}$"))
    visited_on = fields.Date(required=True)
    purpose = fields.String(required=True, validate=validate.Length(max=30))
    consent = fields.Enum(Consent, by_value=True, required=True, validate=validate.OneOf(GIVING))
    kind = fields.String(load_default=None, validate=validate.Length(max=30))
    minor = fields.Boolean(load_default=False)
    name = fields.String(load_default=None, validate=validate.Length(max=60))
    address = fields.String(load_default=None, validate=validate.Length(max=120))
    consent_by = fields.Enum(Giver, by_value=True, load_default=None)
    signature = fields.String(load_default=None, validate=validate.Length(max=500_000))
    done = fields.String(load_default=None, validate=validate.Length(max=1000))
    next_on = fields.Date(load_default=None)


class VisitSchema(Schema):
    """A visit. What is of the person is null without consent, or when it was withdrawn."""

    id = fields.UUID()
    grid_code = fields.String()
    place = fields.String()
    visitor = fields.String()
    visited_on = fields.Date()
    purpose = fields.String()
    consent = fields.String()
    consent_by = fields.String(allow_none=True)
    kind = fields.String(allow_none=True)
    minor = fields.Boolean(allow_none=True)
    name = fields.String(allow_none=True)
    address = fields.String(allow_none=True)
    done = fields.String(allow_none=True)
    next_on = fields.Date(allow_none=True)
    withdrawn_at = fields.DateTime(format="iso", allow_none=True)


class VisitPageSchema(Schema):
    """A page of visits; `next` is the cursor of the following one, null on the last."""

    items = fields.List(fields.Nested(VisitSchema))
    next = fields.String(allow_none=True)


def as_dict(row: Row) -> dict[str, Any]:
    """A visit for the API."""
    visit = row.visit
    plain = (
        "id",
        "grid_code",
        "visited_on",
        "purpose",
        "kind",
        "minor",
        "name",
        "address",
        "done",
        "next_on",
        "withdrawn_at",
    )
    return {
        **{name: getattr(visit, name) for name in plain},
        "place": row.place,
        "visitor": row.visitor,
        "consent": str(visit.consent),
        "consent_by": visit.consent_by and str(visit.consent_by),
    }
