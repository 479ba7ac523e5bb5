"""Shapes of photos in the API."""

from typing import Any

from flask import url_for
from marshmallow import Schema, fields, validate

from gridgov.photos.models import Photo


class TakeSchema(Schema):
    """What may come with the file, the part named `photo`. Place and time are what the sender claims."""

    id = fields.UUID(
        load_default=None,
        metadata={"description": "minted by the sender; sent again it gives the same photo"},
    )
    lat = fields.Float(load_default=None, allow_nan=False, validate=validate.Range(-90, 90))
    lon = fields.Float(load_default=None, allow_nan=False, validate=validate.Range(-180, 180))
    taken_at = fields.AwareDateTime(load_default=None, format="iso")


class PhotoSchema(Schema):
    """A photo as stored: `bytes`, `width` and `height` are of the picture behind `url`. Times are UTC.

    Whose it is stands not here: the reporter of a confidential issue is not to be read from its photos.
    """

    id = fields.UUID()
    sha256 = fields.String(metadata={"description": "of the file as it was sent"})
    content_type = fields.String()
    width = fields.Integer()
    height = fields.Integer()
    bytes = fields.Integer()
    lat = fields.Float(allow_none=True)
    lon = fields.Float(allow_none=True)
    taken_at = fields.DateTime(format="iso", allow_none=True)
    created_at = fields.DateTime(format="iso")
    url = fields.Function(
        lambda photo: address(photo), metadata={"type": "string", "format": "uri-reference"}
    )
    thumb_url = fields.Function(
        lambda photo: address(photo, thumb=True), metadata={"type": "string", "format": "uri-reference"}
    )


def address(photo: Photo | Any, *, thumb: bool = False) -> str:
    """Where the picture, or its thumbnail, is shown."""
    return url_for("photos.thumb" if thumb else "photos.full", photo_id=photo.id)
