"""HEIC decoded in a process of its own: a damaged file can crash libheif, but no web process.

This file is both ends: `decode` starts it as a program, which knows neither our settings nor our modules.
(Found with pi-heif 1.4.0: one byte of a metadata item's type, no longer UTF-8, is enough.)
"""

import io
import json
import subprocess
import sys

from PIL import Image

TIMEOUT_S = 15
CPU_S = 15
MEMORY_BYTES = 2_000_000_000  # Of addresses, not all of it used: 50 million pixels take about 0.4 GB.
TOO_MANY_PIXELS, BROKEN = 3, 4
MODES = {"L", "LA", "RGB", "RGBA"}


def decode(data: bytes, *, max_pixels: int, max_side: int) -> Image.Image:
    """The picture, upright and at most `max_side` pixels a side, with its colour profile in `info`.

    Raises DecompressionBombError above `max_pixels`; ValueError for all else that is wrong, a crash included.
    """
    argv = [sys.executable, "-I", __file__, str(max_pixels), str(max_side)]
    try:
        done = subprocess.run(argv, input=data, capture_output=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise ValueError(f"HEIC not decoded within {TIMEOUT_S} s") from None
    if done.returncode == TOO_MANY_PIXELS:
        raise Image.DecompressionBombError(f"HEIC of more than {max_pixels} pixels")
    if done.returncode != 0:
        raise ValueError(
            f"HEIC decoder ended with {done.returncode}: {done.stderr[-300:].decode(errors='replace')}"
        )
    header, _newline, body = done.stdout.partition(b"\n")
    mode, width, height, profile_bytes = json.loads(header)
    image = Image.frombytes(mode, (width, height), body[profile_bytes:])
    if profile_bytes:
        image.info["icc_profile"] = body[:profile_bytes]
    return image


def main(max_pixels: int, max_side: int) -> int:
    """Read a file; write a line [mode, width, height, bytes of profile], then the profile and the pixels."""
    import resource  # Here, as pi_heif: the web process has no use for either.

    import pi_heif

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    try:
        image: Image.Image = Image.open(io.BytesIO(sys.stdin.buffer.read()), formats=["HEIF"])
        if image.width * image.height > max_pixels:
            return TOO_MANY_PIXELS
        profile = image.info.get("icc_profile") or b""
        image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS, reducing_gap=2.0)
        image = image.convert("RGB") if image.mode not in MODES else image
        pixels = image.tobytes()  # A small picture is decoded only here.
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return TOO_MANY_PIXELS
    except (OSError, SyntaxError, ValueError, RuntimeError, EOFError, MemoryError, LookupError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return BROKEN
    header = json.dumps([image.mode, image.width, image.height, len(profile)])
    sys.stdout.buffer.write(header.encode() + b"\n" + profile + pixels)
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
