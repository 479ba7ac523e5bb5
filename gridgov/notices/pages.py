"""The inbox: what I was told, newest first. Opening an issue marks as read what was told of it."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gridgov import events
from gridgov.issues import words
from gridgov.issues.models import Issue
from gridgov.notices import actions, queries, texts
from gridgov.notices.queries import Told
from gridgov.people.models import Person
from gridgov.web import current_user

bp = Blueprint("notices", __name__, template_folder="templates")


@bp.get("/inbox")
def inbox() -> ResponseReturnValue:
    """What I was told."""
    page = queries.inbox(current_user, cursor=request.args.get("cursor"))
    return render_template(
        "notices/inbox.html", page=page, unread_now=queries.unread(current_user), sentence=sentence
    )


@bp.post("/inbox/read")
def read_all() -> ResponseReturnValue:
    """Mark everything as read."""
    actions.mark_read(current_user)
    return redirect(url_for("notices.inbox"), 303)


@events.subscribe("issue.opened")
def opened(*, issue: Issue, person: Person) -> None:
    """Whoever opens an issue has read what was told of it."""
    actions.mark_issue_read(person, issue.id)


def sentence(told: Told) -> str:
    """What a notice says, without a word of the report itself: 您上报的“路面坑洼”：已受理。"""
    about: dict[str, Any] = {"category": words.category(told.category), "step": told.title}
    return texts.sentence(told.notice.audience, about)
