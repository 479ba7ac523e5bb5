"""What is made of a photo: upright, in sRGB, without anything of the original's metadata."""

import hashlib
import io
from collections.abc import Iterator

import pytest
from PIL import Image, ImageOps, PngImagePlugin

from gridgov.photos import images
from gridgov.photos.images import Picture
from tests import photo_files as files
from tests.photo_files import BLUE, HEIC, RED, WHITE, encode, scene, two_halves

MAX = 50_000_000


def prepare(data: bytes, max_pixels: int = MAX) -> Picture:
    return images.prepare(data, max_pixels=max_pixels)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=["JPEG"])


def near(pixel: tuple[int, ...], colour: tuple[int, ...], by: int = 30) -> bool:
    return all(abs(a - b) <= by for a, b in zip(pixel, colour, strict=True))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_every_kind_becomes_a_jpeg_with_a_thumbnail(kind: str) -> None:
    made = prepare(encode(scene((900, 600)), kind))
    assert (made.width, made.height) == (900, 600)
    assert opened(made.jpeg).size == (900, 600)
    assert opened(made.thumb).size == (480, 320)
    assert len(made.thumb) <= images.THUMB_BYTES


def test_a_heic_of_a_phone_becomes_an_upright_jpeg() -> None:
    made = prepare(HEIC)
    picture = opened(made.jpeg)
    assert picture.size == (48, 64)
    assert near(picture.getpixel((24, 8)), RED)  # type: ignore[arg-type]
    assert near(picture.getpixel((24, 56)), BLUE)  # type: ignore[arg-type]
    assert made.sha256 == hashlib.sha256(HEIC).hexdigest()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_is_turned_upright_as_its_exif_says(orientation: int) -> None:
    data = files.phone_jpeg(orientation)
    made = opened(prepare(data).jpeg)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    assert made.size == expected.size
    for place in ((5, 5), (expected.width - 6, 5), (5, expected.height - 6)):
        assert near(made.getpixel(place), expected.getpixel(place))  # type: ignore[arg-type]


def test_an_orientation_that_does_not_exist_is_taken_as_upright() -> None:
    assert prepare(files.phone_jpeg(77)).width == 64


@pytest.mark.parametrize("source", ["phone_jpeg", "heic", "png", "webp"])
def test_nothing_of_the_original_s_metadata_is_left(source: str) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "comment-SECRET")
    data = {
        "phone_jpeg": files.phone_jpeg,
        "heic": lambda: HEIC,
        "png": lambda: encode(two_halves(), "PNG", exif=files.exif(6), pnginfo=text),
        "webp": lambda: encode(two_halves(), "WEBP", exif=files.exif(6), xmp=b"GPS-SECRET"),
    }[source]()
    assert any(secret in data for secret in files.SECRETS), "the sample must have something to lose"
    made = prepare(data)
    for kept in (made.jpeg, made.thumb):
        assert not [secret for secret in files.SECRETS if secret in kept]
        assert set(opened(kept).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi"}
        assert not dict(opened(kept).getexif())
        # Application segments besides JFIF's, and comments, have no place in it.
        assert set(segments(kept)) <= {0xE0, 0xDB, 0xC0, 0xC4, 0xDA}


def segments(jpeg: bytes) -> Iterator[int]:
    at = 2
    while jpeg[at + 1] != 0xDA:
        yield jpeg[at + 1]
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")


def test_a_large_photo_is_shrunk_to_2560_on_its_longest_side() -> None:
    made = prepare(encode(scene((3000, 4000)), "JPEG"))
    assert (made.width, made.height) == (1920, 2560)
    assert opened(made.thumb).size == (360, 480)


def test_a_small_photo_is_not_blown_up() -> None:
    assert opened(prepare(encode(scene((40, 30)), "PNG")).thumb).size == (40, 30)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("L", "PNG"), ("1", "PNG"), ("P", "PNG"), ("RGBA", "PNG"), ("LA", "PNG"), ("I;16", "PNG"),
     ("RGBA", "WEBP"), ("L", "JPEG"), ("CMYK", "JPEG")],
)  # fmt: skip
def test_every_colour_mode_is_drawn_rightly(mode: str, kind: str) -> None:
    source = Image.new("RGB", (64, 48), "black")
    source.paste(WHITE, (32, 0, 64, 48))
    if mode == "I;16":
        image = Image.new("I;16", (64, 48), 0)
        image.paste(65535, (32, 0, 64, 48))
    else:
        image = source.convert(mode)
    made = opened(prepare(encode(image, kind)).jpeg)
    assert near(made.getpixel((8, 24)), (0, 0, 0))  # type: ignore[arg-type]
    assert near(made.getpixel((56, 24)), WHITE)  # type: ignore[arg-type]


def test_what_is_transparent_becomes_white() -> None:
    image = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
    image.paste((*RED, 255), (32, 0, 64, 48))
    made = opened(prepare(encode(image, "PNG")).jpeg)
    assert near(made.getpixel((8, 24)), WHITE)  # type: ignore[arg-type]
    assert near(made.getpixel((56, 24)), RED)  # type: ignore[arg-type]


def test_colours_of_a_wide_gamut_come_out_as_srgb() -> None:
    image = Image.new("RGB", (64, 48), (120, 200, 120))
    plain = opened(prepare(encode(image, "JPEG", quality=95)).jpeg).getpixel((9, 9))
    managed = opened(prepare(encode(image, "JPEG", quality=95, icc_profile=files.wide_gamut_profile())).jpeg)
    red, green, _blue = managed.getpixel((9, 9))  # type: ignore[misc]
    assert near(plain, (120, 200, 120), by=4)  # type: ignore[arg-type]
    assert red < 100, "the same green needs less red in sRGB"
    assert near((green,), (201,), by=6)


def test_a_broken_colour_profile_does_not_cost_the_photo() -> None:
    assert prepare(encode(two_halves(), "JPEG", icc_profile=b"nonsense" * 40)).width == 64


def test_a_jpeg_of_several_pictures_gives_the_first() -> None:
    first, second = scene((64, 48), 1), scene((32, 32), 2)
    made = prepare(encode(first, "MPO", save_all=True, append_images=[second]))
    assert (made.width, made.height) == (64, 48)


def test_a_motion_photo_with_its_video_appended_is_taken() -> None:
    video = b"\0\0\0\x18ftypmp42" + b"\xff\xda\0\x08" * 500
    assert prepare(files.phone_jpeg() + video).height == 64


def test_like_pictures_have_like_hashes_and_others_do_not() -> None:
    one = prepare(encode(scene((1600, 1200), 1), "JPEG")).phash
    again = prepare(encode(scene((800, 600), 1), "WEBP", quality=40)).phash
    other = prepare(encode(scene((1600, 1200), 5), "JPEG")).phash
    assert one is not None and again is not None and other is not None
    assert all(-(2**63) <= value < 2**63 for value in (one, again, other))
    assert bin((one ^ again) & 2**64 - 1).count("1") <= 4
    assert bin((one ^ other) & 2**64 - 1).count("1") >= 12


def test_a_plain_surface_has_no_hash() -> None:
    assert prepare(encode(Image.new("RGB", (64, 64), "grey"), "PNG")).phash is None
