"""Shapes of mediation files, and the steps that can be made on one: their fields, and what carries them out."""

from collections.abc import Callable
from typing import Any

from marshmallow import Schema, fields, validate

from gridgov.mediation import actions, queries, signing
from gridgov.mediation.models import Mediation, Outcome, Side
from gridgov.people.models import Person

NUMBER = r"^[0-9+ -]{5,20}$"
WORDS = [validate.Length(min=1, max=1000), validate.Regexp(r"(?s).*\S")]
TEXT_MAX = 4000


class PartySchema(Schema):
    """A party. A phone number with the name links somebody who uses the system. No identity numbers."""

    name = fields.String(
        required=True, validate=[validate.Length(min=1, max=60), validate.Regexp(r"(?s).*\S")]
    )
    side = fields.Enum(Side, by_value=True, required=True)
    phone = fields.String(load_default=None, allow_none=True, validate=validate.Regexp(NUMBER))
    group_name = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=80))


class RevisionSchema(Schema):
    """The draft as a whole. `mediators` are persons of the area; whoever opened the file always is one."""

    facts = fields.String(load_default="", validate=validate.Length(max=TEXT_MAX))
    agreement = fields.String(load_default="", validate=validate.Length(max=TEXT_MAX))
    performance = fields.String(load_default="", validate=validate.Length(max=TEXT_MAX))
    parties = fields.List(fields.Nested(PartySchema), load_default=list, validate=validate.Length(max=12))
    mediators = fields.List(fields.UUID(), load_default=list, validate=validate.Length(max=12))


class ReasonSchema(Schema):
    """Why."""

    reason = fields.String(required=True, validate=WORDS)


class SignSchema(Schema):
    """A signature: who of the file, the PNG of a canvas as a data URL, and the hash of the text that was read."""

    signer = fields.UUID(required=True)
    image = fields.String(required=True, validate=validate.Length(max=500_000))
    hash = fields.String(required=True, validate=validate.Regexp("^[0-9a-f]{64}$"))


class RefuseSchema(ReasonSchema):
    """Who of the file will not sign, and why."""

    signer = fields.UUID(required=True)


class AttemptSchema(Schema):
    """A sitting."""

    held_on = fields.Date(required=True)
    place = fields.String(
        required=True, validate=[validate.Length(min=1, max=120), validate.Regexp(r"(?s).*\S")]
    )
    outcome = fields.Enum(Outcome, by_value=True, required=True)
    note = fields.String(load_default="", validate=validate.Length(max=1000))


class PlanSchema(Schema):
    """A day on which somebody looks whether the agreement is kept."""

    due_on = fields.Date(required=True)


class FoundSchema(Schema):
    """What was found on such a day."""

    follow_up = fields.UUID(required=True)
    kept = fields.Boolean(required=True)
    found = fields.String(required=True, validate=WORDS)


Run = Callable[..., Any]
STEPS: dict[str, tuple[type[Schema], Run]] = {
    "lay_out": (Schema, signing.lay_out),
    "take_back": (ReasonSchema, signing.take_back),
    "sign": (SignSchema, signing.sign),
    "refuse": (RefuseSchema, signing.refuse),
    "attempt": (AttemptSchema, actions.attempt),
    "plan": (PlanSchema, actions.plan),
    "found": (FoundSchema, actions.found),
    "fail": (
        ReasonSchema,
        lambda file, *, actor, reason: actions.give_up(file, actor=actor, failed=True, reason=reason),
    ),
    "end": (
        ReasonSchema,
        lambda file, *, actor, reason: actions.give_up(file, actor=actor, failed=False, reason=reason),
    ),
}
"""Every step after the draft, by name: what it takes and what carries it out."""


class StepSchema(Schema):
    """A step by name with its fields: lay_out; take_back, fail, end (reason); sign (signer, image, hash); refuse (signer,
    reason); attempt (held_on, place, outcome, note); plan (due_on); found (follow_up, kept, found).
    """

    name = fields.String(required=True, validate=validate.OneOf(list(STEPS)))
    signer = fields.UUID()
    image = fields.String(metadata={"description": "PNG as data URL"})
    hash = fields.String()
    reason = fields.String()
    held_on = fields.Date()
    place = fields.String()
    outcome = fields.Enum(Outcome, by_value=True)
    note = fields.String()
    due_on = fields.Date()
    follow_up = fields.UUID()
    kept = fields.Boolean()
    found = fields.String()


class SignerSchema(Schema):
    """Somebody who is asked to sign. `mark`: signed, refused, or null."""

    id = fields.UUID()
    name = fields.String()
    role = fields.String(metadata={"description": "the party's side, or mediator"})
    mark = fields.String(allow_none=True)
    at = fields.DateTime(format="iso", allow_none=True)


class SittingSchema(Schema):
    """A sitting as recorded."""

    held_on = fields.Date()
    place = fields.String()
    outcome = fields.String()
    note = fields.String()


class FollowUpSchema(Schema):
    """A follow-up; `found` is null until somebody has looked."""

    id = fields.UUID()
    due_on = fields.Date()
    found = fields.String(allow_none=True)
    kept = fields.Boolean(allow_none=True)


class FileSchema(Schema):
    """A mediation file. A party sees the text and the signatures alone: `attempts` and `follow_ups` are then empty."""

    id = fields.UUID()
    number = fields.String()
    issue_id = fields.UUID()
    state = fields.String()
    version = fields.Integer()
    hash = fields.String(allow_none=True, metadata={"description": "SHA-256 of the text that is laid out"})
    facts = fields.String()
    agreement = fields.String()
    performance = fields.String()
    reason = fields.String()
    signers = fields.List(fields.Nested(SignerSchema))
    attempts = fields.List(fields.Nested(SittingSchema))
    follow_ups = fields.List(fields.Nested(FollowUpSchema))
    opened_at = fields.DateTime(format="iso")
    ended_at = fields.DateTime(format="iso", allow_none=True)


class BriefSchema(Schema):
    """A file in a list."""

    id = fields.UUID()
    number = fields.String()
    issue_id = fields.UUID()
    state = fields.String()
    place = fields.String()
    parties = fields.String()


class FilePageSchema(Schema):
    """A page of files; `next` is the cursor of the following one, null on the last."""

    items = fields.List(fields.Nested(BriefSchema))
    next = fields.String(allow_none=True)


def as_dict(person: Person, mediation: Mediation) -> dict[str, Any]:
    """A file for the API, as this person may see it."""
    file = queries.file(person, mediation)
    whole = bool(file.standing - {"party"})
    signed = file.signed
    everybody = [(p.id, p.name, str(p.side)) for p in file.parties] + [
        (m.id, p.name, "mediator") for m, p in file.mediators
    ]
    return {
        **{name: getattr(mediation, name) for name in (
            "id", "number", "issue_id", "version", "facts", "agreement", "performance", "opened_at", "ended_at")},
        "state": str(mediation.state), "reason": mediation.reason if whole else "",
        "hash": file.paper.hash.hex() if file.paper else None,
        "signers": [
            {"id": i, "name": name, "role": role, "mark": signed[i].mark if i in signed else None,
             "at": signed[i].at if i in signed else None}
            for i, name, role in everybody
        ],
        "attempts": file.attempts if whole else [], "follow_ups": file.follow_ups if whole else [],
    }  # fmt: skip
