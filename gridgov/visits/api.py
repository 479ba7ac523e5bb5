"""Visits as JSON."""

from typing import Any
from uuid import UUID

from flask import Blueprint

from gridgov.issues.schemas import CursorSchema
from gridgov.people.scopes import scope
from gridgov.visits import actions, queries, schemas
from gridgov.visits.schemas import RecordSchema, VisitPageSchema, VisitSchema
from gridgov.web import current_user, gives, takes

bp = Blueprint("visits", __name__)


@bp.get("/visits")
@gives(VisitPageSchema)
@takes(CursorSchema, location="query")
def list_visits(cursor: str | None) -> Any:
    """Visits in your sight, the newest first."""
    page = queries.page(current_user, cursor=cursor)
    return {"items": [schemas.as_dict(row) for row in page.rows], "next": page.next}


@bp.post("/visits")
@scope("act")
@gives(VisitSchema, 201)
@takes(RecordSchema)
def record(**given: Any) -> Any:
    """Record a visit in your own grid. Answers 200 with the first one when you send the same `id` again.

    Codes of refusal: not_permitted (403), id_taken (409), signature_blank, signature_broken, invalid (422).
    """
    visit, new = actions.record(actor=current_user, **given)
    return schemas.as_dict(queries.rows([visit])[0]), 201 if new else 200


@bp.get("/visits/<uuid:visit_id>")
@gives(VisitSchema)
def show(visit_id: UUID) -> Any:
    """One visit."""
    return schemas.as_dict(queries.rows([queries.visible(current_user, visit_id)])[0])


@bp.post("/visits/<uuid:visit_id>/withdrawal")
@scope("act")
@gives(VisitSchema, 201)
def withdraw(visit_id: UUID) -> Any:
    """Withdraw consent: what is of the person is blanked for ever. Code of refusal: nothing_kept (409)."""
    visit = actions.withdraw(queries.visible(current_user, visit_id, lock=True))
    return schemas.as_dict(queries.rows([visit])[0])
