"""Pages of what somebody else has reported already: what lies near by is offered, and can be followed."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gridgov.i18n import _
from gridgov.issues import followers, near
from gridgov.issues.known_schemas import NearSchema
from gridgov.people.limits import limited
from gridgov.people.models import Person
from gridgov.web import current_user, takes

bp = Blueprint("known", __name__, template_folder="templates")
ANYWAY = "anyway"
WHERE = ("lat", "lon", "grid_code")


@bp.get("/issues/near")
@limited("near_rate")
@takes(NearSchema, location="query")
def list_near(**given: Any) -> ResponseReturnValue:
    """A part of the report form: what is known near by of this category; nothing when there is nothing."""
    return render_template("issues/_known.html", known=near.offers(current_user, **given))


@bp.post("/issues/<uuid:issue_id>/follow")
@limited("intake_rate")
def follow(issue_id: UUID) -> ResponseReturnValue:
    """Follow an issue that somebody else reported. Raises NotFound or Conflict as `followers.follow` does."""
    issue = followers.follow(current_user, issue_id)
    flash(_("You follow this now and are told of every step."), "success")
    return redirect(url_for("issues.show", issue_id=issue.id), 303)


@bp.post("/issues/<uuid:issue_id>/unfollow")
def leave(issue_id: UUID) -> ResponseReturnValue:
    """Follow it no longer."""
    followers.leave(current_user, issue_id)
    flash(_("You do not follow it any more."), "success")
    return redirect(url_for("issues.mine"), 303)


def known(person: Person, given: Mapping[str, Any]) -> Sequence[near.Alike]:
    """What the sender of a report form is to be shown before it becomes an issue; nothing once they have said that it is another."""
    if ANYWAY in request.form:
        return ()
    return near.offers(person, given["category"], **{name: given[name] for name in WHERE})
