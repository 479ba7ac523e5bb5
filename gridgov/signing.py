"""Signatures written with the finger: what a canvas sends is looked at, drawn anew in grey and kept small.

Nothing of the file that was sent survives but its strokes. Limits: MAX_BYTES sent, MAX_SIDE pixels a side.
"""

import base64
import binascii
import io
import warnings

from PIL import Image, ImageOps

from gridgov.errors import Invalid
from gridgov.i18n import _

MAX_BYTES = 300_000
MAX_SIDE = 3000
KEPT = (600, 240)  # Pixels; some 5 cm on paper at 300 dpi.
INK = 128  # Darker than this is ink.
MARGIN = 12
LEAST_SIDE, LEAST_INK = 24, 60  # Pixels. A dot or a slip of the finger is no signature.
PREFIX = "data:image/png;base64,"


def from_data_url(text: str) -> bytes:
    """The kept PNG of what a canvas gave as a data URL. Raises Invalid."""
    if not text.startswith(PREFIX) or len(text) > MAX_BYTES * 4 // 3 + 100:
        raise _refused()
    try:
        sent = base64.b64decode(text[len(PREFIX) :], validate=True)
    except (binascii.Error, ValueError):
        raise _refused() from None
    return clean(sent)


def clean(sent: bytes) -> bytes:
    """A small grey PNG of the strokes alone, on white. Raises Invalid for what is no PNG, too large, or blank."""
    if not sent or len(sent) > MAX_BYTES:
        raise _refused()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(sent), formats=["PNG"]) as found:
                if max(found.size) > MAX_SIDE or getattr(found, "is_animated", False):
                    raise _refused()
                drawn = found.convert("RGBA")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _refused() from None
    page = Image.new("RGBA", drawn.size, "white")
    page.alpha_composite(drawn)
    grey = page.convert("L")
    ink = grey.point(lambda value: 255 if value < INK else 0)
    box = ink.getbbox()
    if box is None or max(box[2] - box[0], box[3] - box[1]) < LEAST_SIDE or ink.histogram()[255] < LEAST_INK:
        raise Invalid(
            _("The field is empty. Please write your name in it."), code="signature_blank", field="image"
        )
    kept = ImageOps.expand(grey.crop(box), MARGIN, fill=255)
    kept.thumbnail(KEPT, Image.Resampling.LANCZOS)
    out = io.BytesIO()
    kept.save(out, "PNG", optimize=True)
    return out.getvalue()


def _refused() -> Invalid:
    return Invalid(
        _("This signature could not be read. Please sign again."), code="signature_broken", field="image"
    )
