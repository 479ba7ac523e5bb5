"""Files that the photo tests send, drawn when asked for, and a client that sends them."""

import base64
import io
import struct
import zlib
from typing import Any
from uuid import UUID

from flask import Flask
from PIL import Image, ImageCms
from werkzeug.test import TestResponse

from gridgov.db import session
from gridgov.people import tokens
from gridgov.people.models import Person

RED, BLUE, WHITE = (200, 30, 30), (30, 30, 200), (255, 255, 255)
SECRETS = (
    b"TestMaker",
    b"Exif",
    b"GPS-SECRET",
    b"http://ns.adobe.com",
    b"Photoshop 3.0",
    b"comment-SECRET",
    b"acsp",
)
# A phone's HEIC: stored 64 x 48, red left and blue right, to be turned by 90 degrees, with EXIF (maker,
# orientation 6, GPS). Made once with pillow-heif 1.8.1 in an environment thrown away, for pi-heif only
# decodes: two_halves().save("phone.heic", exif=exif(6).tobytes(), quality=60)
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAchtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
    "ADRpbG9jAAAAAERAAAIAAQAAAAAB7AABAAAAAAAAAHUAAgAAAAACYQABAAAAAAAAAKwAAAA4aWluZgAAAAAAAgAAABVpbmZlAgAA"
    "AAABAABodmMxAAAAABVpbmZlAgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAABB2lwcnAAAADmaXBjbwAAAHZodmNDAQNwAAAA"
    "kAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq"
    "5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xh"
    "cAAAAEAAAAABAAAAMAAAAAEAAAAAAAAAAv////AAAAACAAAAEHBpeGkAAAAAAwgICAAAAAlpcm90AwAAABlpcG1hAAAAAAAAAAEA"
    "AQaBAgMFhIYAAAAaaXJlZgAAAAAAAAAOY2RzYwACAAEAAQAAASltZGF0AAAAcSgBrwngOSMkv//6Mb//+EaeQ/a5hcF//g8Wff4V"
    "/n/+ze9RXZWFbILbD0Opm8R2/qm/EqRhs0lk1uPxAzLY2gjY37MO7eK5BhNXY9wvM5r6IBgHij0hse84jiQ9+d7o0P4za2n34T+L"
    "/A4yy2T7lHcCAAAABkV4aWYAAE1NACoAAAAIAAMBDwACAAAACgAAADIBEgADAAAAAQAGAACIJQAEAAAAAQAAADwAAAAAVGVzdE1h"
    "a2VyAAAEAAEAAgAAAAJOAAAAAAIABQAAAAMAAAByAAMAAgAAAAJFAAAAAAQABQAAAAMAAACKAAAAAAAAABoAAAABAAAAKwAAAAEA"
    "AAAeAAAAAQAAAG4AAAABAAAAJgAAAAEAAAAAAAAAAQ=="
)


def two_halves(mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Red left, blue right: shows which way up a picture is."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    return image.convert(mode)


def scene(size: tuple[int, int] = (640, 480), seed: int = 1) -> Image.Image:
    """Something with shapes and shades, different for each seed."""
    small = Image.new("L", (9, 7))
    small.putdata([(x * 37 + seed * 101 * (x % (seed + 2)) + seed * 29) % 256 for x in range(63)])
    return small.resize(size, Image.Resampling.BICUBIC).convert("RGB")


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The image as a file of that kind."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def exif(orientation: int = 1) -> Image.Exif:
    """EXIF as a phone writes it: orientation, maker, a place and a note about it."""
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010F] = "TestMaker"
    place = tags.get_ifd(0x8825)
    place.update({1: "N", 2: (26.0, 43.0, 30.0), 3: "E", 4: (110.0, 38.0, 0.0), 27: b"GPS-SECRET"})
    return tags


def phone_jpeg(orientation: int = 6, size: tuple[int, int] = (64, 48)) -> bytes:
    """A JPEG with everything a phone and an image editor leave in it: EXIF, XMP, IPTC, profile, comment."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description GPS-SECRET="1"/></x:xmpmeta>'
    plain = encode(
        two_halves(size=size),
        "JPEG",
        exif=exif(orientation),
        icc_profile=srgb,
        xmp=xmp,
        comment=b"comment-SECRET",
    )
    iptc = b"Photoshop 3.0\x008BIM\x04\x04\x00\x00\x00\x00\x00\x0b\x1c\x02\x78\x00\x06SECRET\x00"
    return plain[:2] + b"\xff\xed" + struct.pack(">H", len(iptc) + 2) + iptc + plain[2:]


def png(width: int, height: int, *, bits: int = 1) -> bytes:
    """A black grey-scale PNG of any size, written without ever holding its pixels."""
    row = b"\0" * (1 + (width * bits + 7) // 8)
    packer, body = zlib.compressobj(9), b""
    for _row in range(height):
        body += packer.compress(row)
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", body + packer.flush()), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def wide_gamut_profile() -> bytes:
    """A small ICC profile with the primaries of Adobe RGB (1998) and a gamma of 2.2."""

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    gamma = b"curv\0\0\0\0" + struct.pack(">IH", 1, 563) + b"\0\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"wide\0" + b"\0" * 79
    tags = {
        b"desc": text, b"cprt": b"text\0\0\0\0none\0\0\0\0", b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.60974, 0.31111, 0.01947), b"gXYZ": xyz(0.20528, 0.62567, 0.06087),
        b"bXYZ": xyz(0.14919, 0.06322, 0.74457), b"rTRC": gamma, b"gTRC": gamma, b"bTRC": gamma,
    }  # fmt: skip
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data
    size = at + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"\0\0\0\0", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += b"\0" * 12 + b"acsp" + b"\0" * 28 + struct.pack(">iii", 63190, 65536, 54061) + b"\0" * 48
    return head + struct.pack(">I", len(tags)) + table + body


class Sender:
    """Requests with a bearer token that stays good when a request is refused and rolled back."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._tokens: dict[UUID, str] = {}

    def sign_in(self, *people: Person) -> None:
        """Give each a token, and keep it and everything before."""
        for person in people:
            self._tokens[person.id] = tokens.create("test", ["read", "report"], actor=person)[1]
        session.commit()

    def get(self, url: str, person_id: UUID | None, **headers: str) -> TestResponse:
        """GET as somebody, or as nobody."""
        return self._app.test_client().get(url, headers=self._headers(person_id) | headers)

    def photo(
        self, data: bytes, person_id: UUID | None, *, name: str = "photo.jpg", **fields: Any
    ) -> TestResponse:
        """Send a photo to the API."""
        body = {"photo": (io.BytesIO(data), name), **fields}
        return self._app.test_client().post("/api/v1/photos", data=body, headers=self._headers(person_id))

    def _headers(self, person_id: UUID | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._tokens[person_id]}"} if person_id else {}
