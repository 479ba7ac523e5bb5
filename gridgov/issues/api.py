"""Issues as JSON. One resource for every move: POST /issues/<id>/events."""

from typing import Any
from uuid import UUID

from flask import Blueprint

from gridgov.issues import actions, choices, followers, move_schema, near, queries, queues, schemas, suspended
from gridgov.issues.known_schemas import FollowSchema, KnownListSchema, NearSchema, known_dict
from gridgov.issues.schemas import (
    CategoryListSchema,
    CursorSchema,
    EventListSchema,
    IssuePageSchema,
    IssueSchema,
    ListSchema,
    ReportSchema,
    SuspendedPageSchema,
    TransitionListSchema,
)
from gridgov.people.limits import limited
from gridgov.people.scopes import scope
from gridgov.web import current_user, gives, public, takes

bp = Blueprint("issues", __name__)


@bp.post("/issues")
@scope("report")
@limited("intake_rate")
@gives(IssueSchema, 201)
@takes(ReportSchema)
def report(**given: Any) -> Any:
    """Report a problem. Answers 200 with the first one when the same person sends the same `id` again.

    Codes of refusal: category_unknown, place_unknown, grid_unknown, photo_unknown, invalid (422), id_taken (409).
    """
    issue, new = actions.report(actor=current_user, **given)
    return schemas.brief(issue, current_user), 201 if new else 200


@bp.get("/issues")
@gives(IssuePageSchema)
@takes(ListSchema, location="query")
def list_issues(view: str, sort: str, cursor: str | None, limit: int, **narrowed: Any) -> Any:
    """Issues in your sight. `view`: all, mine (your units have them now), todo (the same, most urgent first), reported, followed."""
    if view == "reported":
        page = queries.mine(current_user, cursor=cursor, limit=limit)
    elif view == "todo":
        page = queries.todo(current_user, cursor=cursor, limit=limit)
    elif view == "followed":
        page = followers.followed(current_user, cursor=cursor, limit=limit)
    else:
        page = queues.issues(
            current_user, queues.Filter(view=view, sort=sort, **narrowed), cursor=cursor, limit=limit
        )
    shown = [schemas.issue_dict(row, current_user) | followers.as_read_by(current_user, row.issue) for row in page.rows]
    return {"items": shown, "next": page.next}


@bp.get("/issues/near")
@limited("near_rate")
@gives(KnownListSchema)
@takes(NearSchema, location="query")
def list_near(**given: Any) -> Any:
    """What is known near by of this category, before you report it too: never who reported it, nothing confidential."""
    return {"items": [known_dict(one) for one in near.offers(current_user, **given)]}


@bp.post("/issues/<uuid:issue_id>/follow")
@scope("report")
@limited("intake_rate")
@gives(FollowSchema, 201)
def follow(issue_id: UUID) -> Any:
    """Follow an issue that somebody else reported: you see it and are told of every step. Twice is as good as once.

    Codes of refusal: not_found (404), own_report, not_followed (409).
    """
    return followers.follow(current_user, issue_id)


@bp.delete("/issues/<uuid:issue_id>/follow")
@scope("report")
def leave(issue_id: UUID) -> Any:
    """Follow it no longer."""
    followers.leave(current_user, issue_id)
    return "", 204


@bp.get("/issues/<uuid:issue_id>")
@gives(IssueSchema)
def show(issue_id: UUID) -> Any:
    """One issue, with the moves open to you."""
    issue = queries.visible(current_user, issue_id)
    shown = schemas.issue_dict(queries.rows([issue])[0], current_user, queries.transitions(current_user, issue))
    return shown | followers.as_read_by(current_user, issue)


@bp.get("/issues/<uuid:issue_id>/transitions")
@gives(TransitionListSchema)
def transitions(issue_id: UUID) -> Any:
    """The moves open to you now, and what each takes."""
    issue = queries.visible(current_user, issue_id)
    return {"items": queries.transitions(current_user, issue), "generation": issue.generation}


@bp.get("/issues/<uuid:issue_id>/events")
@gives(EventListSchema)
def events(issue_id: UUID) -> Any:
    """The whole story of an issue, oldest first."""
    issue = queries.visible(current_user, issue_id)
    return {"items": schemas.event_dicts(followers.story_for(current_user, issue))}


@bp.post("/issues/<uuid:issue_id>/events")
@scope("act")
@gives(IssueSchema, 201)
def act(issue_id: UUID) -> Any:
    """Make a move of workflows/issue.yaml. Answers with the issue as it is afterwards.

    Codes of refusal: not_permitted (403), illegal_transition, guard_… and changed (409), invalid (422).
    """
    issue = queries.visible(current_user, issue_id, lock=True)
    data = _move()
    name, expected = data.pop("name"), data.pop("generation")
    actions.act(issue, name, actor=current_user, data=data, expected=expected, locked=True)
    return schemas.brief(issue, current_user)


@bp.get("/public/suspended")
@public
@gives(SuspendedPageSchema)
@takes(CursorSchema, location="query")
def list_suspended(cursor: str | None) -> Any:
    """What is suspended now, newest first. Needs no sign-in; confidential reports are left out."""
    page = suspended.page(cursor)
    return {"items": page.rows, "next": page.next}


@bp.get("/categories")
@gives(CategoryListSchema)
def categories() -> Any:
    """What an issue can be about."""
    return {"items": [c for major, minors in choices.categories() for c in (major, *minors)]}


def _move() -> dict[str, Any]:
    """The body of a move. Its shape belongs to the workflow, which is known only once the app has booted."""

    @takes(move_schema.act_schema())
    def loaded(**data: Any) -> Any:
        return data

    return loaded()  # type: ignore[return-value]


act.takes_later = (move_schema.act_schema, "json")
