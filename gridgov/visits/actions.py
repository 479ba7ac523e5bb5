"""Recording a visit, and withdrawing consent to what was kept of it."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from gridgov import signing
from gridgov.db import session, utcnow, uuid7
from gridgov.errors import Conflict, Invalid, NotPermitted
from gridgov.grids import queries as grids
from gridgov.i18n import _
from gridgov.people.models import Person
from gridgov.visits import policy, queries
from gridgov.visits.models import GIVEN, PERSONAL, Consent, Giver, Visit

SHANGHAI = ZoneInfo("Asia/Shanghai")
LATE = timedelta(days=31)  # What is recorded later than this is no record any more.
AHEAD = timedelta(days=366)


def record(
    *, actor: Person, grid_code: str, visited_on: date, purpose: str, consent: Consent, id: UUID | None = None,
    kind: str | None = None, minor: bool = False, name: str | None = None, address: str | None = None,
    consent_by: Giver | None = None, signature: str | None = None, done: str | None = None, next_on: date | None = None,
) -> tuple[Visit, bool]:  # fmt: skip
    """Record a visit in the own grid. Returns (visit, whether it is new); the same `id` again gives the visit as it is.

    Without consent all that was given of the person is dropped, not refused: it must not be kept, and the visit was made.
    Raises NotPermitted outside the own grid, Invalid by field, Conflict for an id that is somebody else's.
    """
    if id is not None and (before := session.get(Visit, id)) is not None:
        if before.visitor_id != actor.id:
            raise Conflict(_("This number is already taken."), code="id_taken")
        return before, False
    if not any(grid_code.startswith(own) for own in queries.places(actor)):
        raise NotPermitted(_("Visits are recorded by workers and chiefs, in their own grid."))
    if grids.place(grid_code) is None:
        raise Invalid(_("This grid does not exist any more."), field="grid_code")
    _check_days(visited_on, next_on)
    if purpose not in policy.current().purposes:
        raise Invalid(_("This is needed."), field="purpose")
    visit = Visit(
        id=id or uuid7(), grid_code=grid_code, visitor_id=actor.id, visited_on=visited_on, purpose=purpose, consent=consent,
        created_at=utcnow(),
    )  # fmt: skip
    if consent in GIVEN:
        given: dict[str, Any] = {
            "kind": kind,
            "name": (name or "").strip(),
            "consent_by": consent_by,
            "done": (done or "").strip(),
        }
        _check_consent(given, minor=minor)
        given |= {"minor": minor, "address": (address or "").strip() or None, "next_on": next_on}
        if consent == Consent.SIGNED:
            given["signature"] = signing.from_data_url(signature or "")
        for field, value in given.items():
            setattr(visit, field, value)
    session.add(visit)
    session.flush()
    return visit, True


def withdraw(visit: Visit) -> Visit:
    """Blank what was kept of the person; that a visit was made stays. The caller has locked it. Raises Conflict twice."""
    if visit.consent not in GIVEN:
        raise Conflict(_("Nothing of the person is kept here."), code="nothing_kept")
    for field in PERSONAL:
        setattr(visit, field, None)
    visit.consent, visit.withdrawn_at = Consent.WITHDRAWN, utcnow()
    session.flush()
    return visit


def _check_days(visited_on: date, next_on: date | None) -> None:
    today = utcnow().astimezone(SHANGHAI).date()
    if not today - LATE <= visited_on <= today:
        raise Invalid(_("The day of the visit is today or within the last month."), field="visited_on")
    if next_on is not None and not visited_on < next_on <= today + AHEAD:
        raise Invalid(_("The next visit lies ahead, within a year."), field="next_on")


def _check_consent(given: dict[str, Any], *, minor: bool) -> None:
    errors = {field: [_("This is needed.")] for field, value in given.items() if not value}
    if given["kind"] and given["kind"] not in policy.current().kinds:
        errors["kind"] = [_("This is needed.")]
    if minor and given["consent_by"] != Giver.GUARDIAN:
        errors["consent_by"] = [_("For somebody under 14 the guardian must consent.")]
    if errors:
        raise Invalid(_("Please check what you entered."), errors=errors)
