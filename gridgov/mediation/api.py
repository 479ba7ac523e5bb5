"""Mediation files as JSON. One resource for every step after the draft: POST /mediations/<id>/steps."""

from typing import Any
from uuid import UUID

from flask import Blueprint

from gridgov import web
from gridgov.issues import queries as issues
from gridgov.issues.schemas import CursorSchema
from gridgov.mediation import actions, queries, schemas
from gridgov.mediation.schemas import FilePageSchema, FileSchema, RevisionSchema, StepSchema
from gridgov.people.scopes import scope
from gridgov.web import current_user, gives, takes

bp = Blueprint("mediation", __name__)


@bp.get("/mediations")
@gives(FilePageSchema)
@takes(CursorSchema, location="query")
def list_files(cursor: str | None) -> Any:
    """Mediation files in your sight, the newest first."""
    page = queries.page(current_user, cursor=cursor)
    items = [
        {"id": row.mediation.id, "number": row.mediation.number, "issue_id": row.issue.id, "state": str(row.mediation.state),
         "place": row.place, "parties": row.parties}
        for row in page.rows
    ]  # fmt: skip
    return {"items": items, "next": page.next}


@bp.post("/issues/<uuid:issue_id>/mediations")
@scope("act")
@gives(FileSchema, 201)
def open_file(issue_id: UUID) -> Any:
    """Open the mediation file of a dispute that you handle. Codes of refusal: not_permitted (403), file_exists, no_dispute (409)."""
    issue = issues.visible(current_user, issue_id, lock=True)
    return schemas.as_dict(current_user, actions.open_file(issue, actor=current_user))


@bp.get("/mediations/<uuid:mediation_id>")
@gives(FileSchema)
def show(mediation_id: UUID) -> Any:
    """One mediation file."""
    return schemas.as_dict(current_user, queries.visible(current_user, mediation_id))


@bp.put("/mediations/<uuid:mediation_id>")
@scope("act")
@gives(FileSchema)
def revise(mediation_id: UUID) -> Any:
    """Write the draft anew. Codes of refusal: not_permitted (403), illegal_transition once it is laid out (409), invalid (422)."""
    file = queries.visible(current_user, mediation_id, lock=True)
    actions.revise(file, actor=current_user, **_body(RevisionSchema))
    return schemas.as_dict(current_user, file)


@bp.post("/mediations/<uuid:mediation_id>/steps")
@scope("act")
@gives(FileSchema, 201)
def step(mediation_id: UUID) -> Any:
    """Make a step. Answers with the file as it is afterwards.

    Codes of refusal: not_permitted (403); illegal_transition, text_changed, signed_already, found_already (409);
    signature_blank, signature_broken, invalid (422).
    """
    file = queries.visible(current_user, mediation_id, lock=True)
    given = _body(StepSchema, plain=True)
    kind, run = schemas.STEPS[given.pop("name")]
    run(file, actor=current_user, **web.load(kind(), given))
    return schemas.as_dict(current_user, file)


def _body(schema: type[Any], *, plain: bool = False) -> dict[str, Any]:
    """The body through a schema, once the file was found; `plain`: as it was sent, only checked."""

    @takes(schema)
    def loaded(**data: Any) -> Any:
        return data

    found: dict[str, Any] = loaded()  # type: ignore[assignment]
    return dict(web.request.get_json()) if plain else found


revise.takes_later = (lambda: RevisionSchema, "json")
step.takes_later = (lambda: StepSchema, "json")
