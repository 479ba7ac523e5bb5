"""The desk: an office's queue beside the issue in hand. What is narrowed, chosen and opened stands in the address.

With htmx only the part that changes is sent: `HX-Target` says which. Without scripts every link is a whole page.
After a move the next issue of the list opens, and the list is brought up to date in place.
"""

import json
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from marshmallow import Schema, fields, validate

from gridgov import events
from gridgov.errors import NotFound
from gridgov.grids import queries as grids
from gridgov.i18n import _
from gridgov.issues import actions, board, moving, queries, queues, words
from gridgov.issues.board import Place, has_desk
from gridgov.issues.models import Issue
from gridgov.photos import uploads
from gridgov.web import current_user, takes

__all__ = ["bp", "has_desk"]
bp = Blueprint("desk", __name__, template_folder="templates", url_prefix="/desk")
uploads.expected |= {"desk.act": actions.MAX_PHOTOS}
# A letter for each of the usual moves; one that is new in the workflow has none until it is given one here.
KEYS = {
    "accept": "a", "resolve": "f", "verify": "v", "rework": "w", "escalate": "u", "return": "b", "dispatch": "d",
    "not_accept": "x", "note": "n", "rate": "s", "contest": "c", "withdraw": "z",
}  # fmt: skip


class QueueSchema(Schema):
    """The desk's address: what the list is narrowed to, the issue that is open, the move whose form is open.

    `seen` and `listed` are what the page knows of the list when it asks for news.
    """

    view = fields.String(load_default=None, validate=validate.OneOf(queries.VIEWS))
    state = fields.String(load_default=None, validate=validate.Length(max=30))
    colour = fields.String(load_default=None, validate=validate.OneOf(queries.COLOURS))
    category = fields.String(load_default=None, validate=validate.Length(max=4))
    grade = fields.String(load_default=None, validate=validate.Length(max=1))
    grid = fields.String(load_default=None, validate=validate.Length(max=30))
    found = fields.String(load_default=None, validate=validate.Length(max=8))
    q = fields.String(load_default=None, validate=validate.Length(max=60))
    sort = fields.String(load_default="due", validate=validate.OneOf(queries.SORTS))
    issue = fields.UUID(load_default=None)
    move = fields.String(load_default=None, validate=validate.Length(max=30))
    cursor = fields.String(load_default=None, validate=validate.Length(max=200))
    seen = fields.String(load_default="", validate=validate.Length(max=60))
    listed = fields.String(load_default="", validate=validate.Length(max=60))


@bp.get("")
@takes(QueueSchema, location="query")
def queue(**given: Any) -> ResponseReturnValue:
    """The queue with the issue in hand, or the one part of it that htmx asks for."""
    board.require_desk(current_user)
    place, target = Place(current_user, given), _target()
    if target == "rows":
        return render_template("issues/desk_more.html", place=place, **board.list_context(place))
    if target == "queue":
        return _list(place)
    if place.issue is None:
        return _page(place, {})
    issue = queries.visible(current_user, place.issue)
    opened = board.open_move(current_user, issue, place.move)
    detail = board.detail_context(place, issue, opened=opened)
    if target == "moves":
        return render_template("issues/_moves.html", place=place, **detail)
    events.publish("issue.opened", issue=issue, person=current_user)
    if target == "detail":
        return render_template("issues/desk_detail.html", place=place, **detail)
    return _page(place, detail)


@bp.post("/issues/<uuid:issue_id>")
@takes(QueueSchema, location="query")
def act(issue_id: UUID, **given: Any) -> ResponseReturnValue:
    """Make a move; then the next issue of the list opens, or this one again while it is still in the list."""
    board.require_desk(current_user)
    place, issue = Place(current_user, given), queries.visible(current_user, issue_id)
    before = queues.line(current_user, place.listed, issue_id)
    made = moving.attempt(current_user, issue)
    if made.status != 200:
        return _refused(place, issue, made)
    line = queues.line(current_user, place.listed, issue_id)
    following = issue_id if line or before is None else _following(place, before)
    if _target() is None:
        flash(_("%(number)s: %(step)s.", number=issue.number, step=words.happened(made.name)), "success")
        return redirect(place.at(issue=following), 303)
    return _next(place, issue, made.name, line, following)


@bp.get("/issues/<uuid:issue_id>")
@takes(QueueSchema, location="query")
def acted(issue_id: UUID, **given: Any) -> ResponseReturnValue:
    """Where a form was sent to, opened as a page: the desk with this issue."""
    board.require_desk(current_user)
    return redirect(Place(current_user, given).at(issue=queries.visible(current_user, issue_id).id), 303)


@bp.get("/news")
@takes(QueueSchema, location="query")
def news(seen: str, listed: str, **given: Any) -> ResponseReturnValue:
    """Nothing (204) while the list is as it was; else the counts as they are now, and a line that offers to show it."""
    board.require_desk(current_user)
    place = Place(current_user, given)
    context = board.counts_context(place)
    if seen == board.stamp(context["counts"]):
        return "", 204
    more = board.more_than(context["counts"], listed)
    return render_template("issues/desk_fresh.html", place=place, listed=listed, more=more, **context)


news.unattended = True  # type: ignore[attr-defined]


@bp.get("/grids/<code>")
@takes(QueueSchema, location="query")
def branch(code: str, **given: Any) -> ResponseReturnValue:
    """What lies directly under a grid, for the tree. Raises NotFound for a grid outside one's own area."""
    board.require_desk(current_user)
    if not any(code.startswith(root) for root in board.roots(current_user)):
        raise NotFound(_("There is no grid with this code."))
    place = Place(current_user, given)
    _name, below = queues.branches(current_user, place.filter, code)
    nodes = [each._asdict() for each in below]
    if not nodes:
        grids.get(code)  # Raises NotFound for one that is not there; a micro grid has nothing under it.
    return render_template("issues/desk_branch.html", place=place, nodes=nodes, **board.tree_addresses(place))


@bp.get("/grids")
@takes(QueueSchema, location="query")
def tree(**given: Any) -> ResponseReturnValue:
    """The tree of grids as a page of its own, for screens without room beside the list."""
    board.require_desk(current_user)
    place = Place(current_user, given)
    return render_template("issues/desk_grids.html", place=place, **board.tree_context(place))


def _target() -> str | None:
    """The part of the page that htmx wants; None for a whole page."""
    return request.headers.get("HX-Target", "") if "HX-Request" in request.headers else None


def _page(place: Place, detail: dict[str, Any]) -> str:
    return render_template("issues/desk.html", place=place, keys=KEYS, **board.page_context(place), **detail)


def _list(place: Place) -> Response:
    """The list with the numbers above it. The browser's address becomes the plain one."""
    context = board.list_context(place) | board.counts_context(place)
    answer = make_response(render_template("issues/desk_list.html", place=place, swapped=True, **context))
    answer.headers["HX-Push-Url"] = place.at(issue=place.issue)
    return answer


def _refused(place: Place, issue: Issue, made: moving.Attempt) -> Response:
    """The form again with what was entered, or the issue as it is now when the move is not open any more."""
    still = any(move.name == made.name for move in queries.transitions(current_user, issue))
    detail = board.detail_context(
        place,
        issue,
        opened=made.name if still else None,
        errors=made.errors,
        values=made.values,
        notice=made.notice,
    )
    if _target() is None:
        detail["address"] = place.at(issue=issue.id)
        return make_response(_page(place, detail), made.status)
    answer = make_response(render_template("issues/desk_detail.html", place=place, **detail), made.status)
    answer.headers["HX-Replace-Url"] = place.at(
        issue=issue.id
    )  # Else the browser keeps where the form was sent to.
    return answer


def _following(place: Place, before: queues.Line) -> UUID | None:
    """The issue that stands next on the screen if it is still in the list, else the next one in the list's order."""
    try:
        shown = UUID(request.form.get("next", ""))
    except ValueError:
        shown = None
    if shown and queues.line(current_user, place.listed, shown):
        return shown
    return queues.following(current_user, place.listed, before)


def _next(
    place: Place, moved: Issue, step: str, line: queues.Line | None, following: UUID | None
) -> Response:
    """The next issue in the detail, and beside it the moved row as it is now (or gone) and the numbers."""
    detail: dict[str, Any] = {}
    if following:
        issue = queries.visible(current_user, following)
        events.publish("issue.opened", issue=issue, person=current_user)
        detail = board.detail_context(place, issue)
    answer = make_response(
        render_template(
            "issues/desk_next.html", place=place, moved=moved, step=step, line=line, row_address=place.at(issue=""),
            **board.counts_context(place), **detail,
        )
    )  # fmt: skip
    told: dict[str, Any] = {"badges": {"desk.queue": queries.todo_count(current_user)}}
    if line is None:
        told["left"] = {"grid": moved.grid_code}
    answer.headers["HX-Trigger"] = json.dumps(told)
    answer.headers["HX-Replace-Url"] = place.at(issue=following)
    return answer
