"""What a page asks when it has no stream: once a minute, whether anything happened since it last asked. And its numbers."""

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from gridgov import delays
from gridgov.live import changes
from gridgov.live.changes import News, Viewer
from gridgov.people import queries as people, sessions
from gridgov.web import current_user

bp = Blueprint("live", __name__)


@bp.get("/live")
def stream() -> ResponseReturnValue:
    """Under a server that has no streams: none here (204). gridgov/live/streams.py answers this address before us."""
    return _fresh(Response(status=204))


@bp.get("/live/now")
def now() -> ResponseReturnValue:
    """204 when nothing in sight has changed since the state named by If-None-Match, else what did. The ETag is the state now."""
    known = request.if_none_match
    since = (next(iter(known.as_set()), None) if not known.star_tag else None) or ""
    late = delays.late()
    if not changes.known(since):
        answer, seen = jsonify(all=True, late=late), changes.here()
    else:
        signed_in = sessions.present()
        viewer = Viewer(signed_in.id, current_user.id, people.reach(current_user)) if signed_in else None
        found = changes.look(since)
        told = changes.news([found], viewer) if viewer else News()
        answer, seen = (
            jsonify(**told.body(), late=late) if told.body() or late else Response(status=204),
            found.seen,
        )
    answer.set_etag(seen)
    return _fresh(answer)


for view in (stream, now):
    view.unattended = True  # type: ignore[attr-defined]  # A page that asks by itself keeps nobody signed in.


def _fresh(answer: Response) -> Response:
    answer.headers["Cache-Control"] = "no-store"
    return answer
