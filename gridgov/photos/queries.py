"""Who sees which photo: its owner, and whoever another package vouches for."""

from collections.abc import Callable
from uuid import UUID

from gridgov.db import session
from gridgov.errors import NotFound
from gridgov.i18n import _
from gridgov.people.models import Person
from gridgov.photos.models import Photo

# A package that hangs photos on something of its own adds a function that says whether a person may see it
# there. Nobody vouching means nobody but the owner.
viewers: list[Callable[[Person, Photo], bool]] = []


def find(photo_id: UUID) -> Photo | None:
    """The photo with this id, whoever may see it; None if there is none. For checks, never for showing."""
    return session.get(Photo, photo_id)


def visible(person: Person, photo_id: UUID) -> Photo:
    """The photo, if `person` may see it. Raises NotFound for one not there and one out of sight alike."""
    photo = find(photo_id)
    if photo is None or not (
        photo.owner_id == person.id or any(may_see(person, photo) for may_see in viewers)
    ):
        raise NotFound(_("There is no such photo, or it is not yours to see."))
    return photo
