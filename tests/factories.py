"""Small things that tests need many of."""

import io
from uuid import UUID

from PIL import Image

from gridgov.people.models import Person
from gridgov.photos import actions as photos

_count = 0


def picture(width: int = 64, height: int = 48) -> io.BytesIO:
    """A small JPEG, each time of another colour."""
    global _count
    _count += 1
    out = io.BytesIO()
    Image.new("RGB", (width, height), (_count * 37 % 256, _count * 91 % 256, _count * 17 % 256)).save(
        out, "JPEG"
    )
    out.seek(0)
    return out


def photo_of(owner: Person) -> UUID:
    """A photo taken by somebody, through the real action."""
    return photos.take(picture(), actor=owner).id
