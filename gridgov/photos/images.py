"""From a file somebody sent to a clean picture: checked by content, turned upright, shrunk, without metadata.

Nothing of the original is kept but its SHA-256; what is stored was drawn anew by our own encoder. Neither the
file's name nor its declared type is ever looked at. Limits and memory: docs/decisions/0004-photos.md.
"""

import ctypes
import hashlib
import io
import logging
import re
import struct
import threading
import zlib
from dataclasses import dataclass
from typing import IO

from PIL import Image, ImageCms

from gridgov.errors import DomainError, Unavailable
from gridgov.i18n import _
from gridgov.photos import heif

log = logging.getLogger("gridgov.photos")

CONTENT_TYPE = "image/jpeg"
MAX_SIDE = 2560
THUMB_SIDE = 480
THUMB_BYTES = 25_000
QUALITY = 85
THUMB_QUALITIES = (75, 60, 45)
# A camera writes about ten scans; thousands of them are a known way to make a small file cost minutes.
MAX_SCANS = 100
MAX_ICC_BYTES = 2_000_000
WAIT_S = 10
# These modes take up to 8 bytes a pixel while they are decoded and shrunk. Transparency, palettes and 16 bits
# take up to 12, libwebp takes 16: they get half the pixels, so that the memory stays the same.
LIGHT_MODES = {"L", "RGB", "YCbCr", "CMYK"}
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
# What Pillow and its codecs raise on damaged bytes, found by reading and by feeding them mutated files.
DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, RuntimeError, ArithmeticError, LookupError, struct.error,
    zlib.error
)  # fmt: skip
ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
M_MMAP_THRESHOLD = -3
SRGB = ImageCms.createProfile("sRGB")

# glibc by and by keeps blocks of this size for a thread that asked once: 8 threads, 760 MB instead of 330.
if hasattr(ctypes.CDLL(None), "mallopt"):
    ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1_000_000)
# Decoding is what takes memory: one picture at a time in a process bounds it, however many people send.
_decoding = threading.BoundedSemaphore(1)


class PhotoRefused(DomainError):
    """The file is no photo we take. Codes: photo_type, photo_broken, photo_too_many_pixels; status 422."""

    code = "photo_broken"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message, code=code, field="photo")


class PhotoTooLarge(DomainError):
    """More bytes than `photo_max_bytes`; status 413."""

    status = 413
    code = "photo_too_large"

    def __init__(self, max_bytes: int) -> None:
        megabytes = f"{max_bytes / 1_048_576:g}"
        message = _("The photo is too large: at most %(limit)s MB are taken.", limit=megabytes)
        super().__init__(message, field="photo", max_bytes=max_bytes)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What is stored of a photo. `sha256` is the original file's, in hex; `phash` a signed 64-bit dHash, None
    for a picture too plain to be told from others."""

    jpeg: bytes
    thumb: bytes
    width: int
    height: int
    sha256: str
    phash: int | None


def read(stream: IO[bytes], max_bytes: int) -> bytes:
    """The whole of `stream`. Raises PhotoTooLarge after `max_bytes`, having read no further."""
    data = stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise PhotoTooLarge(max_bytes)
    return data


def prepare(data: bytes, *, max_pixels: int) -> Picture:
    """Decode a JPEG, PNG, WebP or HEIC file; draw it anew as JPEG (longest side 2560) with a thumbnail (480).

    Raises PhotoRefused, or Unavailable when the process is busy with other pictures for 10 s.
    """
    kind = _kind(data)
    if not _decoding.acquire(timeout=WAIT_S):
        message = _("Too many photos are arriving at this moment. Please try again.")
        raise Unavailable(message, code="photos_busy")
    try:
        image = _decode(data, kind, max_pixels)
    finally:
        _decoding.release()
    return Picture(
        jpeg=_jpeg(image, QUALITY),
        thumb=_thumb(image),
        width=image.width,
        height=image.height,
        sha256=hashlib.sha256(data).hexdigest(),
        phash=dhash(image),
    )


def dhash(image: Image.Image) -> int | None:
    """64 bits, each telling whether brightness rises between two neighbours of a 9 x 8 miniature; like
    pictures differ in few bits. Signed, for a bigint column. None if all are the same: that says nothing."""
    cells = image.convert("L").resize((9, 8), Image.Resampling.LANCZOS).tobytes()
    bits = 0
    for row in range(8):
        for left in range(row * 9, row * 9 + 8):
            bits = bits << 1 | (cells[left] < cells[left + 1])
    if bits in (0, (1 << 64) - 1):
        return None
    return bits - (1 << 64) if bits >> 63 else bits


def _kind(data: bytes) -> str:
    """Pillow's name of the format, from the file's own first bytes. Raises PhotoRefused."""
    if not data:
        raise PhotoRefused(_("The file is empty."))
    if data[:3] == b"\xff\xd8\xff":
        kind = "JPEG"
    elif data[:8] == b"\x89PNG\r\n\x1a\n":
        kind = "PNG"
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        kind = "WEBP"
    elif data[4:8] == b"ftyp" and data[8:12] in HEIF_BRANDS:
        kind = "HEIF"
    else:
        raise PhotoRefused(_("This is not a photo: JPEG, PNG, WebP and HEIC are taken."), code="photo_type")
    if _is_polyglot(data):
        message = _("This file is a photo and something else at once, and is not taken.")
        raise PhotoRefused(message, code="photo_type")
    if kind == "JPEG" and _scans(data) > MAX_SCANS:
        raise PhotoRefused(_broken())
    return kind


def _is_polyglot(data: bytes) -> bool:
    """Whether the file could also be opened as PDF, ZIP (JAR, DOCX) or a web page.

    Drawing it anew would disarm it; but no camera makes such a file, and whoever tries should be told no.
    """
    head = data[:1024].lower()
    if any(mark in head for mark in (b"%pdf-", b"<?php", b"<script", b"<html", b"<svg", b"<!doctype")):
        return True
    end = data.rfind(b"PK\x05\x06", max(0, len(data) - 65_557))  # A ZIP is read from its end, comment last.
    return end >= 0 and end + 22 + int.from_bytes(data[end + 20 : end + 22], "little") == len(data)


def _scans(data: bytes) -> int:
    """The number of scans up to the end of a JPEG's first image. Walks the markers, so that a video appended
    by the phone, or a preview inside a segment, is not counted."""
    scans, at = 0, 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xD9:
            break
        if marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD7:  # Padding, or a marker without length.
            at += 1 if marker == 0xFF else 2
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA:
            scans += 1
            following = _MARKER.search(data, at)
            if following is None or scans > MAX_SCANS:
                break
            at = following.start()
    return scans


_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


def _decode(data: bytes, kind: str, max_pixels: int) -> Image.Image:
    """An upright RGB image in sRGB of at most 2560 pixels a side, without metadata. Raises PhotoRefused."""
    try:
        if kind == "HEIF":
            image = heif.decode(data, max_pixels=max_pixels, max_side=MAX_SIDE)
        else:
            image = _shrunk(data, kind, max_pixels)
        return _bare(image, image.info.get("icc_profile"))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PhotoRefused(_too_many(max_pixels), code="photo_too_many_pixels") from None
    except DECODER_ERRORS as error:
        log.info("photo refused as broken: %s: %s", type(error).__name__, error)
        raise PhotoRefused(_broken()) from None


def _shrunk(data: bytes, kind: str, max_pixels: int) -> Image.Image:
    """A JPEG, PNG or WebP decoded, shrunk and upright. Raises PhotoRefused, or what Pillow raises."""
    image: Image.Image = Image.open(io.BytesIO(data), formats=[kind])  # Reads the header, no more.
    if kind == "WEBP" or image.mode not in LIGHT_MODES:
        max_pixels //= 2
    if image.width * image.height > max_pixels:
        raise PhotoRefused(_too_many(max_pixels), code="photo_too_many_pixels")
    if kind in {"PNG", "WEBP"} and getattr(image, "is_animated", False):
        raise PhotoRefused(_("Moving pictures are not taken: please send a photo."), code="photo_type")
    orientation = image.getexif().get(ORIENTATION)
    image.draft(None, (MAX_SIDE, MAX_SIDE))  # A JPEG is decoded at 1/2, 1/4 or 1/8 where that suffices.
    image = _plain_mode(image)
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def _plain_mode(image: Image.Image) -> Image.Image:
    """The image decoded, in a mode that can be resized smoothly (a palette or single bits cannot)."""
    image.load()
    if image.mode in {"P", "PA"}:
        return image.convert("RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB")
    if image.mode == "1":
        return image.convert("L")
    if image.mode.startswith(("I", "F")):  # 16-bit grey, from a scanner rather than a camera.
        return image.convert("I").point(lambda level: level / 256).convert("L")
    return image


def _bare(image: Image.Image, profile: bytes | None) -> Image.Image:
    """A new RGB image in sRGB, transparent parts white: comments, EXIF, XMP and profile stay behind."""
    alpha = image.getchannel("A") if image.mode in {"RGBA", "LA"} else None
    if image.mode in {"RGBA", "LA"}:
        image = image.convert("RGB" if image.mode == "RGBA" else "L")
    image = _to_srgb(image, profile).convert("RGB")
    bare = Image.new("RGB", image.size, "white")
    bare.paste(image, mask=alpha)
    return bare


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The colours as sRGB; unchanged when there is no usable profile or it is sRGB already."""
    if not profile or len(profile) > MAX_ICC_BYTES:
        return image
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if ImageCms.getProfileDescription(given).strip().startswith("sRGB"):
            return image
        return ImageCms.profileToProfile(image, given, SRGB, outputMode="RGB") or image
    except (ImageCms.PyCMSError, *DECODER_ERRORS) as error:
        log.info("colour profile ignored: %s", error)  # The picture is good, its colours may be a little off.
        return image


def _jpeg(image: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def _thumb(image: Image.Image) -> bytes:
    """A JPEG of at most 480 pixels a side; quality gives way until it has about 25 KB."""
    small = image.copy()
    small.thumbnail((THUMB_SIDE, THUMB_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    for quality in THUMB_QUALITIES:
        thumb = _jpeg(small, quality)
        if len(thumb) <= THUMB_BYTES:
            break
    return thumb


def _broken() -> str:
    return _("The photo is damaged or incomplete. Please take or choose it again.")


def _too_many(max_pixels: int) -> str:
    millions = f"{max_pixels / 1e6:g}"
    return _("The photo has too many pixels: at most %(limit)s million are taken.", limit=millions)
