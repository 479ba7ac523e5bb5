"""What is not taken as a photo, in which words, and for how much memory."""

import io
import json
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings as hypothesis_settings, strategies as st
from PIL import Image

from gridgov.errors import Unavailable
from gridgov.photos import heif, images
from gridgov.photos.images import Picture
from tests import photo_files as files
from tests.photo_files import HEIC, encode, scene, two_halves

MAX = 50_000_000


def prepare(data: bytes, max_pixels: int = MAX) -> Picture:
    return images.prepare(data, max_pixels=max_pixels)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=["JPEG"])


def refusal_of(data: bytes, max_pixels: int = MAX) -> str:
    with pytest.raises(images.PhotoRefused) as refusal:
        prepare(data, max_pixels)
    assert refusal.value.status == 422
    assert refusal.value.errors == {"photo": [refusal.value.message]}, "said beside the field"
    return refusal.value.code


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("evil.class", "x")
    return out.getvalue()


NOT_PHOTOS = {
    "text": "这不是照片".encode(),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "svg with a declaration": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
    "html": b"<!doctype html><script>alert(1)</script>",
    "pdf": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF",
    "zip": zipped(),
    "program": b"\x7fELF" + b"\0" * 64,
    "gif": encode(two_halves("P"), "GIF"),
    "bmp": encode(two_halves(), "BMP"),
    "tiff": encode(two_halves(), "TIFF"),
    "avif": encode(two_halves(), "AVIF"),
    "jpeg 2000": encode(two_halves(), "JPEG2000"),
    "video": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0" * 64,
    "gif and javascript": b"GIF89a=1;alert(1)//" + b"\0" * 64,
}


@pytest.mark.parametrize("what", NOT_PHOTOS)
def test_what_is_not_a_photo_is_refused_by_its_content(what: str) -> None:
    assert refusal_of(NOT_PHOTOS[what]) == "photo_type"


POLYGLOTS = {
    "jpeg and zip": files.phone_jpeg() + zipped(),
    "png and zip": encode(two_halves(), "PNG") + zipped(),
    "jpeg and html": encode(two_halves(), "JPEG", comment=b"<HTML><body onload=alert(1)>"),
    "jpeg and php": encode(two_halves(), "JPEG", comment=b"<?php system($_GET[0]); ?>"),
    "jpeg and pdf": encode(two_halves(), "JPEG", comment=b"%PDF-1.4 1 0 obj"),
}


@pytest.mark.parametrize("what", POLYGLOTS)
def test_a_photo_that_is_something_else_as_well_is_refused(what: str) -> None:
    assert Image.open(io.BytesIO(POLYGLOTS[what])).load(), "a picture it is"
    assert refusal_of(POLYGLOTS[what]) == "photo_type"


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_moving_picture_is_refused(kind: str) -> None:
    moving = encode(two_halves(), kind, save_all=True, append_images=[scene((64, 48))])
    assert refusal_of(moving) == "photo_type"


def test_an_empty_file_is_refused() -> None:
    assert refusal_of(b"") == "photo_broken"


WHOLE = {kind: encode(scene((320, 240)), kind) for kind in ("JPEG", "PNG", "WEBP")} | {
    "progressive JPEG": encode(scene((320, 240)), "JPEG", progressive=True), "HEIC": HEIC,
}  # fmt: skip


@pytest.mark.parametrize("part", [0.05, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("kind", WHOLE)
def test_a_file_that_was_cut_off_is_refused_as_damaged(kind: str, part: float) -> None:
    data = WHOLE[kind]
    assert refusal_of(data[: max(16, int(len(data) * part))]) == "photo_broken"


@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from(sorted(WHOLE)),
    changes=st.lists(st.tuples(st.integers(12, 2**20), st.integers(0, 255)), min_size=1, max_size=12),
    cut=st.sampled_from([1, 1, 1, 0.99, 0.7]),
)
@example(kind="PNG", changes=[(24, 16)], cut=1)
def test_damaged_files_are_taken_or_refused_and_nothing_else(kind, changes, cut) -> None:
    data = bytearray(WHOLE[kind])
    for place, value in changes:
        data[place % len(data)] = value
    try:
        made = prepare(bytes(data[: int(len(data) * cut)]), max_pixels=2_000_000)
    except images.PhotoRefused as refusal:
        assert refusal.code in {"photo_type", "photo_broken", "photo_too_many_pixels"}
    else:
        assert opened(made.jpeg).size == (made.width, made.height)


def test_a_file_that_says_it_is_larger_or_smaller_than_it_is_is_refused() -> None:
    """The sizes in HEIC's ispe box are held against the coded picture by libheif, before it is decoded."""
    stored = b"ispe\0\0\0\0" + struct.pack(">II", 64, 64)
    assert stored in HEIC
    for side, code in ((30_000, "photo_too_many_pixels"), (16, "photo_broken")):
        lying = HEIC.replace(stored, stored[:8] + struct.pack(">II", side, side))
        assert refusal_of(re.sub(b"(?s)clap.{32}", b"free" + b"\0" * 32, lying)) == code
    row = encode(scene((64, 48)), "PNG").replace(struct.pack(">II", 64, 48), struct.pack(">II", 6000, 4800))
    assert refusal_of(row) == "photo_broken"


def test_a_heic_that_crashes_its_decoder_is_refused_and_costs_no_process(caplog) -> None:
    caplog.set_level("INFO")
    crashing = HEIC.replace(b"\x01\x00\x02\x00\x00Exif", b"\x01\x00\x02\x00\x00E\xb8if")
    assert crashing != HEIC
    assert refusal_of(crashing) == "photo_broken"
    assert "ended with -11" in caplog.text, "a segmentation fault; if it is none any more, so much the better"


def test_a_heic_that_takes_too_long_is_given_up(monkeypatch) -> None:
    monkeypatch.setattr(heif, "TIMEOUT_S", 0.001)
    assert refusal_of(HEIC) == "photo_broken"


def test_a_jpeg_of_endless_scans_is_refused_before_it_costs_minutes() -> None:
    good = encode(scene((320, 240)), "JPEG", progressive=True)
    last_scan = good[good.rfind(b"\xff\xda") : -2]
    assert prepare(good).width == 320
    assert refusal_of(good[:-2] + last_scan * 200 + b"\xff\xd9") == "photo_broken"


@pytest.mark.parametrize(
    ("width", "height", "code"), [(8000, 6250, None), (8000, 6251, "photo_too_many_pixels")]
)
def test_fifty_million_pixels_are_taken_and_one_row_more_is_not(
    width: int, height: int, code: str | None
) -> None:
    data = encode(Image.new("L", (width, height)), "JPEG", quality=5)
    assert (refusal_of(data) if code else prepare(data).width) == (code or 2560)


def test_what_takes_more_memory_a_pixel_may_have_half_as_many() -> None:
    image = Image.new("RGB", (400, 300))
    assert refusal_of(encode(image, "WEBP"), 200_000) == "photo_too_many_pixels"
    assert refusal_of(encode(image.convert("RGBA"), "PNG"), 200_000) == "photo_too_many_pixels"
    assert prepare(encode(image, "PNG"), 200_000).width == 400


GROWTH = """
import json, sys
from pathlib import Path
from gridgov.errors import DomainError
from gridgov.photos import images

def peak_kb():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

data = Path(sys.argv[1]).read_bytes()
before = peak_kb()
try:
    code = f"taken {images.prepare(data, max_pixels=50_000_000).width}"
except DomainError as refusal:
    code = refusal.code
print(json.dumps([code, (peak_kb() - before) / 1024]))
"""


def growth_mb(data: bytes, folder: Path) -> tuple[str, float]:
    """What becomes of the file, and by how much the peak memory of a fresh process grows meanwhile."""
    (folder / "file").write_bytes(data)
    argv = [sys.executable, "-c", GROWTH, str(folder / "file")]
    return json.loads(subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout)


def test_a_decompression_bomb_is_refused_for_next_to_no_memory(tmp_path: Path) -> None:
    bomb = files.png(30_000, 30_000)
    assert len(bomb) < 130_000
    code, grown = growth_mb(bomb, tmp_path)
    assert code == "photo_too_many_pixels"
    assert grown < 10


def test_a_webp_bomb_of_38_bytes_is_refused_for_next_to_no_memory(tmp_path: Path) -> None:
    # A lossless WebP of one colour, 15,000 pixels a side.
    bomb = encode(Image.new("RGB", (64, 64), "grey"), "WEBP", lossless=True)
    at = bomb.index(b"VP8L") + 9
    bits = int.from_bytes(bomb[at : at + 4], "little") & ~0xFFFFFFF | 14_999 << 14 | 14_999
    code, grown = growth_mb(bomb[:at] + bits.to_bytes(4, "little") + bomb[at + 4 :], tmp_path)
    assert code == "photo_too_many_pixels"
    assert grown < 10


@pytest.mark.parametrize("progressive", [False, True])
def test_the_largest_photo_taken_stays_within_bounds(progressive: bool, tmp_path: Path) -> None:
    data = encode(scene((8064, 6048)), "JPEG", quality=60, progressive=progressive)
    code, grown = growth_mb(data, tmp_path)
    assert code == "taken 2560"
    assert grown < 250


def test_only_one_picture_is_decoded_at_a_time_and_waiting_has_an_end(monkeypatch) -> None:
    monkeypatch.setattr(images, "WAIT_S", 0.05)
    data = encode(two_halves(), "PNG")
    with images._decoding, pytest.raises(Unavailable) as refusal:
        prepare(data)
    assert refusal.value.code == "photos_busy"
    assert prepare(data).width == 64


def test_reading_stops_at_the_limit() -> None:
    class Endless(io.RawIOBase):
        served = 0

        def read(self, size: int = -1) -> bytes:
            self.served += size
            return b"x" * size

    stream = Endless()
    with pytest.raises(images.PhotoTooLarge) as refusal:
        images.read(stream, 1000)  # type: ignore[arg-type]
    assert (refusal.value.status, refusal.value.code, stream.served) == (413, "photo_too_large", 1001)
    assert images.read(io.BytesIO(b"x" * 1000), 1000) == b"x" * 1000
