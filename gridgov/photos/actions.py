"""Taking photos in, and clearing away files that no photo names."""

from datetime import datetime, timedelta
from typing import IO
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gridgov.db import session, utcnow, uuid7
from gridgov.errors import Conflict, Invalid
from gridgov.i18n import _
from gridgov.people.models import Person
from gridgov.photos import images, queries, settings
from gridgov.photos.models import Photo
from gridgov.photos.storage import new_key

YOUNGEST_ORPHAN = timedelta(hours=1)
BATCH = 500


def take(
    stream: IO[bytes], *, actor: Person | None, id: UUID | None = None,
    lat: float | None = None, lon: float | None = None, taken_at: datetime | None = None,
) -> Photo:  # fmt: skip
    """Check the file in `stream`, keep it as an upright JPEG without metadata, and a thumbnail; record it.

    actor None: it comes with an anonymous report. `id` may be minted by the sender: sent again by the same person it gives
    the first photo, whatever comes with it. `lat`, `lon` (WGS-84) and `taken_at` (aware) are the sender's claim. The files
    are written before the row: when anything fails after that, no row names them and `sweep_orphans` removes them later.
    Raises PhotoRefused, PhotoTooLarge, Conflict (`id` is somebody else's photo), Invalid, or Unavailable.
    """
    if id is not None and (first := _taken_before(id, actor)):
        return first
    if (lat is None) != (lon is None):
        raise Invalid(_("A place has both latitude and longitude."), field="lat" if lat is None else "lon")
    here = settings.current()
    picture = images.prepare(images.read(stream, here.max_bytes), max_pixels=here.max_pixels)
    id, now = id or uuid7(), utcnow()
    key, thumb_key = new_key(now, "jpg"), new_key(now, "thumb.jpg")
    here.store.put(key, picture.jpeg, content_type=images.CONTENT_TYPE)
    here.store.put(thumb_key, picture.thumb, content_type=images.CONTENT_TYPE)
    row = {
        "id": id, "owner_id": actor and actor.id, "created_at": now, "key": key, "thumb_key": thumb_key,
        "sha256": picture.sha256, "phash": picture.phash, "width": picture.width, "height": picture.height,
        "bytes": len(picture.jpeg), "content_type": images.CONTENT_TYPE,
        "lat": lat, "lon": lon, "taken_at": taken_at,
    }  # fmt: skip
    # Sent twice at once, the second waits here for the first and then finds its row.
    unless_there = insert(Photo).values(row).on_conflict_do_nothing(index_elements=["id"])
    photo = session.scalar(unless_there.returning(Photo)) or _taken_before(id, actor)
    assert photo is not None, "photos are never deleted"
    return photo


def sweep_orphans(older_than: timedelta, *, dry_run: bool = False) -> tuple[int, int]:
    """Remove files that no photo names, written longer ago than `older_than`. Gives (files seen, orphans).

    They are left by requests that failed after writing them. An upload may be under way, so less than an hour
    is refused with ValueError. With `dry_run` nothing is removed. Run it against the database that belongs to
    the store: to any other, all files are orphans.
    """
    if older_than < YOUNGEST_ORPHAN:
        raise ValueError(f"younger than {YOUNGEST_ORPHAN}: an upload may still be under way")
    # The store's clock is the real one, and so is now(), whatever app_now() was moved to.
    before = session.scalars(sa.select(sa.func.now())).one() - older_than
    store = settings.current().store
    seen, orphans, batch = 0, 0, list[str]()
    for key, written_at in store.listing():
        seen += 1
        if written_at < before:
            batch.append(key)
        if len(batch) >= BATCH:
            orphans += _remove_orphans(batch, dry_run)
            batch.clear()
    return seen, orphans + _remove_orphans(batch, dry_run)


def _taken_before(id: UUID, actor: Person | None) -> Photo | None:
    """This person's photo of that id, None if there is none at all. Raises Conflict if it is another's."""
    photo = queries.find(id)
    if photo is not None and photo.owner_id != (actor and actor.id):
        raise Conflict(_("This photo was already sent by somebody else."), code="photo_id_taken", field="id")
    return photo


def _remove_orphans(keys: list[str], dry_run: bool) -> int:
    """Remove those of `keys` that no photo names; how many these are."""
    named = sa.union_all(
        sa.select(Photo.key).where(Photo.key.in_(keys)),
        sa.select(Photo.thumb_key).where(Photo.thumb_key.in_(keys)),
    )
    orphans = set(keys) - set(session.scalars(named))
    for key in orphans if not dry_run else ():
        settings.current().store.delete(key)
    return len(orphans)
