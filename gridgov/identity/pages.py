"""Pages of identities: looking at one, once and on record, and the auditor's list of looks."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, make_response, render_template, request
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from gridgov.errors import Invalid, TooMany
from gridgov.i18n import _
from gridgov.identity import looks
from gridgov.identity.schemas import LookSchema
from gridgov.issues import drafts, flow, queries
from gridgov.issues.models import Issue
from gridgov.issues.schemas import CursorSchema
from gridgov.people import limits
from gridgov.people.actions import require
from gridgov.people.csrf import redraw
from gridgov.people.models import Role
from gridgov.people.pages import read
from gridgov.people.scopes import no_tokens
from gridgov.web import current_user, takes

bp = Blueprint("identity", __name__, template_folder="templates")


@bp.record_once
def names(state: BlueprintSetupState) -> None:
    """Let issues' own pages say who may look, and who has looked."""
    state.app.jinja_env.globals.update(
        may_look=looks.may_look,
        looks_at=looks.of_issue,
        purpose_words=purpose_words,
        post_words=flow.role_label,
    )


def purpose_words(purpose: str) -> str:
    """What somebody looks for, in words."""
    return {
        "verify": _("To check the facts with the reporter"),
        "feedback": _("To tell the reporter the result, or ask about it"),
        "protect": _("To protect the reporter"),
        "other": _("Something else"),
    }[purpose]


@bp.after_request
def not_kept(answer: Response) -> Response:
    """Nothing here is for a cache, nor for the memory of a shared computer."""
    answer.headers["Cache-Control"] = "no-store"
    return answer


@bp.get("/issues/<uuid:issue_id>/identity")
@no_tokens
def ask(issue_id: UUID) -> ResponseReturnValue:
    """The form that asks what for."""
    issue = queries.visible(current_user, issue_id)
    looks.require(current_user, issue)
    return _form(issue)


@bp.post("/issues/<uuid:issue_id>/identity")
@no_tokens
@redraw(lambda issue_id: ask(issue_id))
def look(issue_id: UUID) -> ResponseReturnValue:
    """The identity, in the answer to this very request alone."""
    issue = queries.visible(current_user, issue_id)
    looks.require(current_user, issue)
    try:
        given = read(LookSchema)
        limits.hit("look_rate", str(current_user.id))
    except Invalid as error:
        return _form(issue, status=422, errors=drafts.plain(error.errors))
    except TooMany as error:
        answer = _form(issue, status=429, notice=error.message)
        answer.headers["Retry-After"] = str(error.details["retry_after_s"])
        return answer
    seen = looks.look(issue, actor=current_user, **given)
    return render_template("identity/seen.html", issue=issue, seen=seen)


def _form(
    issue: Issue, *, status: int = 200, errors: dict[str, Any] | None = None, notice: str = ""
) -> Response:
    purposes = [(purpose, purpose_words(purpose)) for purpose in looks.PURPOSES]
    page = render_template(
        "identity/look.html",
        issue=issue,
        purposes=purposes,
        values=request.form,
        errors=errors or {},
        notice=notice,
    )
    return make_response(page, status)


@bp.get("/admin/identity-looks")
@no_tokens
@takes(CursorSchema, location="query")
def listing(cursor: str | None) -> ResponseReturnValue:
    """All looks, for auditors."""
    require(current_user, Role.AUDITOR)
    return render_template("identity/looks.html", page=looks.listing(cursor=cursor))
