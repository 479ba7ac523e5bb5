"""Cursor pagination: the next page begins after the last row seen, so rows that arrive meanwhile shift nothing."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from gridgov.errors import Invalid
from gridgov.i18n import _

T = TypeVar("T")
LIMIT = 50
LIMIT_MAX = 200


@dataclass(frozen=True)
class Page:
    """Rows, and the cursor of the page after them (None on the last)."""

    rows: Sequence[Any]
    next: str | None


def encode(*parts: Any) -> str:
    """An opaque cursor from the sort key of the last row."""
    plain = [
        p.isoformat() if isinstance(p, datetime) else str(p) if isinstance(p, UUID) else p for p in parts
    ]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def decode(cursor: str, *kinds: type) -> list[Any]:
    """The parts of a cursor, as the given kinds (datetime, UUID, str, int). Raises Invalid for anything else."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(parts, list) or len(parts) != len(kinds):
            raise ValueError
        return [_read(part, kind) for part, kind in zip(parts, kinds, strict=True)]
    except (ValueError, TypeError):
        raise Invalid(
            _("This page address is not valid any more."), code="bad_cursor", field="cursor"
        ) from None


def _read(part: Any, kind: type) -> Any:
    if kind is datetime:
        at = datetime.fromisoformat(part)
        if at.tzinfo is None:
            raise ValueError
        return at
    if not isinstance(part, int if kind is int else str):
        raise ValueError
    return kind(part)


FAR = datetime(9999, 1, 1, tzinfo=UTC)
"""Stands for "no time" where rows are ordered by a time that some lack."""
