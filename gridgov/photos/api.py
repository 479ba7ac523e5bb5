"""Photos for programs: send one, ask about one. The pictures themselves are under `url` and `thumb_url`."""

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint

from gridgov.errors import Invalid
from gridgov.i18n import _
from gridgov.people.limits import limited
from gridgov.people.scopes import scope
from gridgov.photos import actions, queries, uploads
from gridgov.photos.schemas import PhotoSchema, TakeSchema
from gridgov.web import current_user, gives, takes

bp = Blueprint("photos", __name__, url_prefix="/photos")


@bp.post("")
@scope("report")
@limited("upload_rate")
@gives(PhotoSchema, 201)
@takes(TakeSchema, location="form")
def create(id: UUID | None, lat: float | None, lon: float | None, taken_at: datetime | None) -> Any:
    """Send a photo (multipart/form-data, part `photo`): JPEG, PNG, WebP or HEIC. Answers 200 with the first
    one when the same person sends the same `id` again.

    Codes of refusal: photo_missing, photo_type, photo_broken, photo_too_many_pixels (422), photo_too_large
    (413), photo_id_taken (409), storage_unavailable, photos_busy (503; nothing was recorded, send it again).
    """
    known = id is not None and queries.find(id) is not None
    files = uploads.received("photo")
    if len(files) != 1:
        raise Invalid(
            _("Send exactly one photo, as the part named photo."), code="photo_missing", field="photo"
        )
    photo = actions.take(files[0].stream, actor=current_user, id=id, lat=lat, lon=lon, taken_at=taken_at)
    return photo, 200 if known else 201


create.takes_file = "photo"


@bp.get("/<uuid:photo_id>")
@gives(PhotoSchema)
def show(photo_id: UUID) -> Any:
    """What is known of a photo, for those who may see it."""
    return queries.visible(current_user, photo_id)
