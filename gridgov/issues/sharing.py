"""Pages beside a report: the questions of its category, what somebody else has reported near by, and following that.

With scripts both stand in the form itself; without, each is a page of its own between the form and its issue.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gridgov.db import session
from gridgov.errors import Invalid
from gridgov.i18n import _
from gridgov.issues import answers, followers, near, report_form
from gridgov.issues.known_schemas import NearSchema
from gridgov.issues.models import Category
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


def first_asked(person: Person, given: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """The page that comes between a form without scripts and its issue: the category's questions, then what is known near by.

    Nothing when the form has shown both. `values` is the form as it was sent: the page carries all of it on.
    """
    if values.get(report_form.ASKED) != given["category"] and (asked := _questions(given["category"])):
        return _ask(asked, values, {})
    if ANYWAY in request.form:
        return ""
    known = near.offers(person, given["category"], **{name: given[name] for name in WHERE})
    return render_template("issues/known.html", known=known, values=values) if known else ""


def asked_again(values: Mapping[str, Any], error: Invalid) -> Response | None:
    """The page with the questions once more, when answers alone were refused and the form has shown them."""
    wrong = [name for name in error.errors if not name.startswith(answers.FIELD)]
    if wrong or not error.errors or not (asked := _questions(values["category"])):
        return None
    return make_response(_ask(asked, values, error.errors), error.status)


def _questions(code: str) -> list[dict[str, Any]]:
    category = session.get(Category, code)
    return category.questions if category is not None and category.closed_at is None else []


def _ask(asked: Sequence[Mapping[str, Any]], values: Mapping[str, Any], errors: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in values.items() if not name.startswith(answers.FIELD)} | {
        report_form.ASKED: values["category"]
    }
    return render_template("issues/questions.html", asked=asked, kept=kept, values=values, errors=errors)
