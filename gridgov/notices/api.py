"""One's own inbox as JSON."""

from typing import Any
from uuid import UUID

from flask import Blueprint

from gridgov.notices import actions, queries
from gridgov.notices.schemas import InboxSchema, NoticePageSchema, ReadSchema, UnreadSchema
from gridgov.people.scopes import scope
from gridgov.web import current_user, gives, takes

bp = Blueprint("notices", __name__, url_prefix="/notices")


@bp.get("")
@gives(NoticePageSchema)
@takes(InboxSchema, location="query")
def inbox(cursor: str | None, limit: int) -> Any:
    """What you were told, newest first."""
    page = queries.inbox(current_user, cursor=cursor, limit=limit)
    return {"items": page.rows, "next": page.next, "unread": queries.unread(current_user)}


@bp.post("/read")
@scope("act")
@gives(UnreadSchema)
@takes(ReadSchema)
def read(ids: list[UUID] | None) -> Any:
    """Mark notices of yours as read; other people's are not touched."""
    actions.mark_read(current_user, ids)
    return {"unread": queries.unread(current_user)}
