"""The pictures themselves, for the owner and for whoever may see what they hang on."""

from uuid import UUID

from flask import Blueprint, Response, request

from gridgov.people.scopes import scope
from gridgov.photos import queries, settings
from gridgov.photos.models import Photo
from gridgov.web import current_user

bp = Blueprint("photos", __name__, url_prefix="/photos")
# A picture never changes, but the right to see it may end: the browser asks again after a day.
MAX_AGE_S = 86_400


@bp.get("/<uuid:photo_id>")
@scope("read")
def full(photo_id: UUID) -> Response:
    """The picture, at most 2560 pixels a side."""
    photo = queries.visible(current_user, photo_id)
    if _known(photo, "full"):
        return _with_headers(Response(status=304), photo, "full")
    answer = Response(settings.current().store.stream(photo.key), content_type=photo.content_type)
    answer.content_length = photo.bytes
    return _with_headers(answer, photo, "full")


@bp.get("/<uuid:photo_id>/thumb")
@scope("read")
def thumb(photo_id: UUID) -> Response:
    """The thumbnail, at most 480 pixels a side."""
    photo = queries.visible(current_user, photo_id)
    if _known(photo, "thumb"):
        return _with_headers(Response(status=304), photo, "thumb")
    answer = Response(settings.current().store.get(photo.thumb_key), content_type=photo.content_type)
    return _with_headers(answer, photo, "thumb")


def _known(photo: Photo, size: str) -> bool:
    """Whether the browser has this picture already; asked once it is known that the person may see it."""
    return request.if_none_match.contains(_etag(photo, size))


def _etag(photo: Photo, size: str) -> str:
    return f"{photo.id.hex}-{size}"


def _with_headers(answer: Response, photo: Photo, size: str) -> Response:
    """Kept by this person's browser alone, never sniffed, without rights should it be opened as a page."""
    answer.set_etag(_etag(photo, size))
    answer.headers["Cache-Control"] = f"private, max-age={MAX_AGE_S}, immutable"
    answer.headers["Vary"] = "Cookie, Authorization"
    answer.headers["Content-Disposition"] = "inline"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return answer
