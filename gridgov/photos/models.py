"""The table of photos. The bytes are in the store; a row says what they are and whose."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import TZ, Field, Model, utcnow, uuid7

NOW = sa.text("app_now()")


class Photo(Model, table=True):
    """A photo as stored: upright JPEG without metadata. Rows are never changed.

    `sha256` is of the file as sent, `phash` of the picture; both serve to find the same photo used twice.
    `bytes`, `width` and `height` describe what is stored. `lat`, `lon` (WGS-84) and `taken_at` are what the
    page claimed: what the file itself said of place and time was removed with all its metadata. Without an owner it came with an
    anonymous report.
    """

    __tablename__ = "photos"
    __table_args__ = (
        sa.CheckConstraint("width > 0 AND height > 0", name="has_size"),
        sa.CheckConstraint("bytes > 0", name="has_bytes"),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256_in_hex"),
        sa.CheckConstraint(
            "(lat IS NULL) = (lon IS NULL)"
            " AND (lat IS NULL OR (lat BETWEEN -90 AND 90 AND lon BETWEEN -180 AND 180))",
            name="placed",
        ),
    )
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    owner_id: UUID | None = Field(default=None, foreign_key="persons.id", index=True)
    sha256: str = Field(max_length=64, index=True)
    phash: int | None = Field(default=None, sa_type=sa.BigInteger, index=True)
    width: int
    height: int
    bytes: int
    content_type: str = Field(default="image/jpeg", max_length=40)
    key: str = Field(max_length=200, unique=True)
    thumb_key: str = Field(max_length=200, unique=True)
    lat: float | None = None
    lon: float | None = None
    taken_at: datetime | None = Field(default=None, sa_type=TZ)
    created_at: datetime = Field(default_factory=utcnow, sa_type=TZ, sa_column_kwargs={"server_default": NOW})
