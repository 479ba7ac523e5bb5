"""The administrator's page of what failed for good."""

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from gridgov.deadletters import actions, queries
from gridgov.i18n import _
from gridgov.people import actions as people
from gridgov.people.models import Role
from gridgov.people.scopes import no_tokens
from gridgov.web import current_user

bp = Blueprint("deadletters", __name__, template_folder="templates")


@bp.get("/admin/dead-letters")
@no_tokens
def listing() -> ResponseReturnValue:
    """What failed for good, with its errors."""
    people.require(current_user, Role.ADMINISTRATOR)
    timers, messages = queries.counts()
    return render_template("deadletters/list.html", letters=queries.dead(), timers=timers, messages=messages)


@bp.post("/admin/dead-letters/<letter_id>/retry")
@no_tokens
def retry(letter_id: str) -> ResponseReturnValue:
    """Try one again."""
    if actions.retry(letter_id, actor=current_user) == "open":
        flash(_("It will be tried again within a minute."), "success")
    else:
        flash(_("Nothing was left to do: there is a newer deadline."), "info")
    return redirect(url_for("deadletters.listing"), 303)
