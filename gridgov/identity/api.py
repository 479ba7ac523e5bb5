"""Identities as JSON: looking at one, and the auditor's list of looks."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request

from gridgov.errors import NotFound
from gridgov.i18n import _
from gridgov.identity import anonymous, looks
from gridgov.identity.schemas import (
    AnonymousReportSchema,
    FollowedSchema,
    FollowUpCodeSchema,
    LookSchema,
    LooksSchema,
    ReceiptSchema,
    SeenSchema,
    follow_up_act_schema,
)
from gridgov.issues import queries, words as say
from gridgov.issues.models import Issue
from gridgov.issues.schemas import CursorSchema
from gridgov.people import limits
from gridgov.people.actions import require
from gridgov.people.limits import limited
from gridgov.people.models import Role
from gridgov.people.scopes import no_tokens, scope
from gridgov.web import current_user, gives, problem, public, takes

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


# Without a name -------------------------------------------------------------------------------------------------------


@bp.post("/anonymous-reports")
@public
@no_tokens
@gives(ReceiptSchema, 201)
@takes(AnonymousReportSchema)
def report(**given: Any) -> Any:
    """Report without a name; needs no sign-in, but a CSRF token. Photos are taken by the page /anonymous alone.

    Codes of refusal: as for reports with a name, and too_many (429) by network address.
    """
    limits.hit("anonymous_rate", request.remote_addr or "")
    issue, code = anonymous.report(**given)
    return {"number": issue.number, "code": code}


@bp.post("/anonymous-reports/look")
@public
@no_tokens
@gives(FollowedSchema)
@takes(FollowUpCodeSchema)
def follow(code: str) -> Any:
    """Where the report of a code stands. A wrong code is code_unknown (404), and so is every code after too many wrong ones."""
    limits.hit("code_rate", request.remote_addr or "")
    issue = anonymous.find(code, address=request.remote_addr or "")
    return _followed(issue) if issue else _unknown()


@bp.post("/anonymous-reports/act")
@public
@no_tokens
@gives(FollowedSchema, 201)
def follow_act() -> Any:
    """Make a move as the reporter: rate, contest, note, urge, withdraw. Refusals as for moves with a name, and code_unknown."""
    limits.hit("code_rate", request.remote_addr or "")
    data = _move()
    code, name, expected = data.pop("code"), data.pop("name"), data.pop("generation")
    issue = anonymous.find(code, address=request.remote_addr or "")
    if issue is None:
        return _unknown()
    anonymous.act(issue, name, data=data, expected=expected)
    return _followed(issue)


follow_act.takes_later = (follow_up_act_schema, "json")  # type: ignore[attr-defined]


def _move() -> dict[str, Any]:
    @takes(follow_up_act_schema())
    def loaded(**data: Any) -> Any:
        return data

    return loaded()  # type: ignore[return-value]


def _unknown() -> Response:
    """Returned and not raised: that it was wrong is to be counted."""
    words = _("No report has this code. After many wrong ones, please wait an hour.")
    return problem(NotFound(words, code="code_unknown"))


def _followed(issue: Issue) -> dict[str, Any]:
    """What FollowedSchema shows."""
    outcome = anonymous.outcome(issue)
    shown = _told(queries.story(None, issue)) | {"outcome": _told(outcome) if outcome else None}
    return shown | {"transitions": [move.name for move in anonymous.moves(issue)]}


def _told(story: queries.Story) -> dict[str, Any]:
    issue = story.row.issue
    steps = [
        {"seq": event.seq, "name": event.name, "label": say.happened(event.name), "words": say.said(event), "at": event.at,
         "unit": story.names.unit(event.unit_code, event.department_id)}
        for event in story.events
    ]  # fmt: skip
    return dict(issue.__dict__, explained=say.explain(issue, story.row.unit), events=steps)
