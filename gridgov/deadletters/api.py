"""Dead letters as JSON, for administrators."""

from typing import Any

from flask import Blueprint

from gridgov.deadletters import actions, queries
from gridgov.deadletters.schemas import LettersSchema, RetriedSchema
from gridgov.people import actions as people
from gridgov.people.models import Role
from gridgov.people.scopes import scope
from gridgov.web import current_user, gives

bp = Blueprint("deadletters", __name__, url_prefix="/dead-letters")


@bp.get("")
@gives(LettersSchema)
def listing() -> Any:
    """What failed for good, newest first. Administrators only."""
    people.require(current_user, Role.ADMINISTRATOR)
    timers, messages = queries.counts()
    return {"items": queries.dead(), "timers": timers, "messages": messages}


@bp.post("/<letter_id>/retry")
@scope("act")
@gives(RetriedSchema)
def retry(letter_id: str) -> Any:
    """Try one again, from the beginning. Administrators only; recorded in the log of administrative acts."""
    return {"state": actions.retry(letter_id, actor=current_user)}
