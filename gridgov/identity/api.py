"""Identities as JSON: looking at one, and the auditor's list of looks."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response

from gridgov.identity import looks
from gridgov.identity.schemas import LookSchema, LooksSchema, SeenSchema
from gridgov.issues import queries
from gridgov.issues.schemas import CursorSchema
from gridgov.people.actions import require
from gridgov.people.limits import limited
from gridgov.people.models import Role
from gridgov.people.scopes import scope
from gridgov.web import current_user, gives, takes

bp = Blueprint("identity", __name__)


@bp.after_request
def not_kept(answer: Response) -> Response:
    """Nothing here is for a cache."""
    answer.headers["Cache-Control"] = "no-store"
    return answer


@bp.post("/issues/<uuid:issue_id>/identity")
@scope("act")
@limited("look_rate")
@gives(SeenSchema)
def look(issue_id: UUID) -> Any:
    """Look at who made a sealed report, at the unit that answers for it now or above. It is written down, and they are told.

    Codes of refusal: not_permitted (403), not_sealed and anonymous (409), invalid (422), too_many (429).
    """
    issue = queries.visible(
        current_user, issue_id
    )  # First: what is out of sight is not there, whatever was sent.
    looks.require(current_user, issue)
    return _look(issue)


@takes(LookSchema)
def _look(issue: Any, purpose: str, words: str) -> Any:
    return looks.look(issue, actor=current_user, purpose=purpose, words=words)


look.takes_later = (lambda: LookSchema, "json")


@bp.get("/identity-looks")
@gives(LooksSchema)
@takes(CursorSchema, location="query")
def listing(cursor: str | None) -> Any:
    """All looks at sealed identities, newest first. For auditors; the identities themselves are not in it."""
    require(current_user, Role.AUDITOR)
    page = looks.listing(cursor=cursor)
    return {"items": page.rows, "next": page.next}
