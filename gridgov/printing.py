"""Paper: PDF documents set by typst, with their Chinese font inside, so that they read the same on any phone and printer.

A package keeps its layouts beside its templates (`<package>/print/name.typ`) and hands over plain data; what people wrote
is never read as markup. The same data and moment give the same bytes. Why typst: docs/decisions/0020-pdf.md.
"""

import functools
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from gridgov.config import ROOT

BASE = ROOT / "gridgov" / "print" / "base.typ"
# A name in a text is a name: typst must find no end of a string, and no control sign has a glyph.
UNPRINTABLE = {code: None for code in range(32) if chr(code) != "\n"} | {0x7F: None}


def pdf(
    layout: Path, data: Mapping[str, Any], *, at: datetime, images: Mapping[str, bytes] | None = None
) -> bytes:
    """Set a layout with this data. In it `data.key` is the text, number, list or dict given, `picture("name", …)` an image.

    `at` is the moment the document says it was made at. Raises RuntimeError with typst's words for a faulty layout.
    """
    import typst  # Loads a large library; most processes never print.

    given = {"data": _clean(data), "images": {name: list(image) for name, image in (images or {}).items()}}
    source = f"{BASE.read_text(encoding='utf-8')}\n{layout.read_text(encoding='utf-8')}"
    return typst.compile(
        source.encode(), font_paths=_fonts(), sys_inputs={"given": json.dumps(given, ensure_ascii=False)},
        format="pdf", timestamp=int(at.timestamp()), ignore_system_fonts=True,
    )  # fmt: skip


@functools.cache
def _fonts() -> Any:
    """The fonts of the package and no others, so that every machine sets alike."""
    import pylopdf_fonts_zh_cn
    import typst

    folder = str(Path(pylopdf_fonts_zh_cn.serif_path()).parent)
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[folder])


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\r\n", "\n").translate(UNPRINTABLE)
    if isinstance(value, Mapping):
        return {str(key): _clean(part) for key, part in value.items()}
    return [_clean(part) for part in value] if isinstance(value, list | tuple) else value
