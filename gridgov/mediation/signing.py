"""Laying a text out, signing it, taking it back. What is signed is the text whose hash stands beside the signature."""

import hashlib
import json
from typing import Any
from uuid import UUID

from gridgov import events, signing
from gridgov.db import session, utcnow
from gridgov.errors import Conflict, IllegalTransition, Invalid, NotPermitted
from gridgov.i18n import _
from gridgov.mediation import queries
from gridgov.mediation.actions import _working, tell_issue
from gridgov.mediation.models import Mark, Mediation, Paper, Signature, State
from gridgov.people.models import Person

LEAST_PARTIES = 2


def canonical(words: dict[str, Any]) -> bytes:
    """The one form of a text of which the hash is taken: JSON with sorted keys, without spaces, in UTF-8."""
    return json.dumps(words, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def lay_out(mediation: Mediation, *, actor: Person) -> Paper:
    """Freeze the text and lay it before everybody to sign. Raises Invalid with what is missing, by field."""
    file = _working(mediation, actor, State.DRAFTING)
    missing = {
        name: [_("This is needed.")]
        for name in ("facts", "agreement")
        if not getattr(mediation, name).strip()
    }
    if len(file.parties) < LEAST_PARTIES:
        missing["parties"] = [_("A dispute has at least two parties.")]
    if missing:
        raise Invalid(_("Please complete the draft first."), errors=missing)
    words = {
        "number": mediation.number, "version": mediation.version, "place": file.place, "facts": mediation.facts,
        "agreement": mediation.agreement, "performance": mediation.performance,
        "parties": [{"name": p.name, "side": str(p.side), "group": p.group_name or "", "phone": p.phone or ""} for p in file.parties],
        "mediators": [person.name for _m, person in file.mediators],
    }  # fmt: skip
    paper = Paper(
        mediation_id=mediation.id,
        version=mediation.version,
        words=words,
        hash=hashlib.sha256(canonical(words)).digest(),
        at=utcnow(),
    )
    mediation.state = State.SIGNING
    session.add(paper)
    session.flush()
    return paper


def take_back(mediation: Mediation, *, actor: Person, reason: str) -> None:
    """Take the text back to change it: what was signed under it is kept, and counts no more."""
    file = _working(mediation, actor, State.SIGNING)
    paper = file.paper
    if paper is None:
        raise AssertionError("a file that is being signed has its text")
    paper.voided_at, paper.voided_by, paper.why = utcnow(), actor.id, reason.strip()
    session.flush()  # While the text is still laid out.
    mediation.state, mediation.version = State.DRAFTING, mediation.version + 1
    session.flush()


def sign(mediation: Mediation, signer: UUID, *, actor: Person, image: str, hash: str) -> Signature:
    """Take a signature of a party or mediator, by their id in the file. `image`: a PNG as data URL; `hash`: of what they saw.

    A party who uses the system may sign on their own phone; everybody else on that of whoever works on the file. When all
    have signed the file is concluded, and `mediation.concluded` published. Raises Conflict when the text has changed.
    """
    file = _may_mark(mediation, signer, actor)
    paper = file.paper
    if paper is None or hash != paper.hash.hex():
        raise Conflict(
            _("The text has been changed meanwhile. Please read it again before you sign."),
            code="text_changed",
        )
    made = _mark(file, signer, actor, Mark.SIGNED, image=signing.from_data_url(image))
    signed = {s.party_id or s.mediator_id for s in [*file.signed.values(), made] if s.mark == Mark.SIGNED}
    if signed >= {p.id for p in file.parties} | {m.id for m, _person in file.mediators}:
        mediation.state, mediation.ended_at = State.CONCLUDED, utcnow()
        session.flush()
        tell_issue(file.issue, "mediation_signed")
        mediators = [person.id for _m, person in file.mediators]
        events.publish("mediation.concluded", mediation=mediation, issue=file.issue, mediators=mediators)
    return made


def refuse(mediation: Mediation, signer: UUID, *, actor: Person, reason: str) -> Signature:
    """Record that somebody will not sign this version, and why. The text must then be changed, or the file given up."""
    return _mark(_may_mark(mediation, signer, actor), signer, actor, Mark.REFUSED, note=reason.strip())


def _may_mark(mediation: Mediation, signer: UUID, actor: Person) -> queries.File:
    file = queries.file(actor, mediation)
    own = any(p.id == signer and p.person_id == actor.id for p in file.parties)
    if not (file.works or own):
        raise NotPermitted(_("Its mediators and whoever handles the issue now work on this file."))
    if mediation.state != State.SIGNING:
        raise IllegalTransition(
            _("This is not possible any more: the file has moved on."), state=str(mediation.state)
        )
    return file


def _mark(
    file: queries.File, signer: UUID, actor: Person, mark: Mark, *, image: bytes | None = None, note: str = ""
) -> Signature:
    parties, mediators = {p.id: p.name for p in file.parties}, {m.id: p.name for m, p in file.mediators}
    name, paper = (parties | mediators).get(signer), file.paper
    if name is None or paper is None:
        raise Invalid(_("There is nobody of this kind in the file."), field="signer")
    if signer in file.signed:
        raise Conflict(_("%(name)s has signed or refused already.", name=name), code="signed_already")
    made = Signature(
        mediation_id=file.mediation.id, version=paper.version, party_id=signer if signer in parties else None,
        mediator_id=signer if signer in mediators else None, name=name, mark=mark, image=image, hash=paper.hash, note=note,
        recorded_by=actor.id, at=utcnow(),
    )  # fmt: skip
    session.add(made)
    session.flush()
    return made
