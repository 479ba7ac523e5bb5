"""The bounds of an upload's body, and the files in it.

A view that takes photos says how many in `expected`; what is larger is refused before it is read to the end.
"""

from typing import Any

from flask import Flask, request
from werkzeug.datastructures import FileStorage

from gridgov.photos import settings
from gridgov.photos.images import PhotoTooLarge

# Endpoint → how many photos one request to it may carry. A package adds its own views in its init_app.
expected: dict[str, int] = {"api.photos.create": 1}
# The form's other fields and the borders between the parts.
REST_BYTES = 262_144


def init_app(app: Flask) -> None:
    """Bound the body of every view in `expected`. Runs before all other checks: some read the form."""
    app.url_value_preprocessor(bound)


def bound(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """Set how much of this request is read at most. Raises PhotoTooLarge if it says itself that it has more.

    A body without a stated length is cut off by werkzeug: also 413, with the general code too_large.
    """
    count = expected.get(endpoint or "")
    if count is None:
        return
    max_bytes = settings.current().max_bytes
    request.max_content_length = count * max_bytes + REST_BYTES
    if (request.content_length or 0) > request.max_content_length:
        raise PhotoTooLarge(max_bytes)


def received(field: str) -> list[FileStorage]:
    """The files sent under `field`, without the empty choices of a form."""
    return [file for file in request.files.getlist(field) if file.filename]
