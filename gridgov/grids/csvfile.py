"""Reading a table that somebody exported from a spreadsheet, and saying everything that is wrong with it at
once.

A file may be UTF-8 with or without a mark, UTF-16 or GBK; with commas, tabs or semicolons; its columns in any
order, with English or Chinese heads. Row numbers are a spreadsheet's: the head is row 1.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gridgov.errors import DomainError
from gridgov.i18n import _, ngettext

SHOWN = 50
MAX_BYTES = 64 * 1024 * 1024
Row = dict[str, str]


@dataclass(frozen=True)
class Problem:
    """One thing wrong.

    `row` is a spreadsheet's row, or null for the file as a whole; `column` is the column's head.
    """

    file: str
    row: int | None
    column: str | None
    message: str

    def __str__(self) -> str:
        place = [self.file]
        if self.row is not None:
            place.append(_("row %(row)s", row=self.row))
        if self.column is not None:
            place.append(_("column %(column)s", column=self.column))
        return ", ".join(place) + ": " + self.message


class ImportRefused(DomainError):
    """A file that cannot be taken as it is; nothing of it was.

    `problems` holds all, the message the first 50.
    """

    code = "import_refused"

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        lines = [str(problem) for problem in problems[:SHOWN]]
        if len(problems) > SHOWN:
            more = len(problems) - SHOWN
            lines.append(ngettext("… and %(num)d more problem.", "… and %(num)d more problems.", more))
        super().__init__("\n".join(lines), problems=lines)


@dataclass
class Problems:
    """Collects what is wrong with one file."""

    file: str
    found: list[Problem] = field(default_factory=list)

    def add(self, row: int | None, column: str | None, message: str) -> None:
        """Note a problem at a row and column."""
        self.found.append(Problem(self.file, row, column, message))

    def raise_if_any(self) -> None:
        """Raise ImportRefused when something was noted."""
        if self.found:
            raise ImportRefused(sorted(self.found, key=lambda p: p.row or 0))


def read_bytes(path: str | Path) -> bytes:
    """The file's bytes. Raises ImportRefused when it cannot be read or is absurdly large."""
    path = Path(path)
    problems = Problems(path.name)
    try:
        if path.stat().st_size > MAX_BYTES:
            problems.add(None, None, _("The file is larger than 64 MB."))
            problems.raise_if_any()
        return path.read_bytes()
    except OSError as error:
        problems.add(
            None, None, _("The file cannot be read: %(reason)s", reason=error.strerror or str(error))
        )
        raise ImportRefused(problems.found) from None


def decode(data: bytes, file: str) -> str:
    """The text of a file in UTF-8, UTF-16 with a mark, or GBK. Raises ImportRefused for anything else."""
    problems = Problems(file)
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        problems.add(None, None, _("This is a workbook, not a text file. Save the sheet as CSV first."))
        problems.raise_if_any()
    encodings = ("utf-16",) if data.startswith((b"\xff\xfe", b"\xfe\xff")) else ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    problems.add(None, None, _("The text is neither UTF-8 nor GBK."))
    raise ImportRefused(problems.found)


def read(
    text: str, problems: Problems, *, required: set[str], names: Mapping[str, str]
) -> Iterator[tuple[int, Row]]:
    """Yield (row number, {column: value}) for each row that is not empty.

    names: what each known head is called in the program, lower case, e.g. {"代码": "code"}; other columns are
    passed over. Raises ImportRefused when a required column is missing, a head occurs twice or there is no
    row at all.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        columns = _columns(next(reader, []), problems, required, names)
        for number, cells in enumerate(reader, start=2):
            row = {name: clean(cells[at]) if at < len(cells) else "" for name, at in columns.items()}
            if any(row.values()):
                yield number, row
    except csv.Error as error:
        problems.add(reader.line_num, None, _("The row cannot be read: %(reason)s", reason=str(error)))
        problems.raise_if_any()


def clean(cell: str) -> str:
    """A cell without outer blanks (full-width ones too), invisible marks or the apostrophe that keeps a
    number text.
    """
    text = "".join(c for c in cell if unicodedata.category(c) not in {"Cc", "Cf"} or c == "\t")
    return text.strip().removeprefix("'").strip()


def digits(cell: str) -> str | None:
    """The cell as ASCII digits, full-width digits included; None when it is anything else."""
    text = unicodedata.normalize("NFKC", cell)
    return text if re.fullmatch(r"[0-9]+", text) else None


def whole_number(cell: str) -> int | None:
    """A count, 0 or more; "1,234" and "80.0" are what spreadsheets make of one. Raises ValueError for
    anything else.
    """
    if cell == "":
        return None
    text = unicodedata.normalize("NFKC", cell).replace(",", "").replace(" ", "")
    if not re.fullmatch(r"[0-9]{1,12}(\.0*)?", text):
        raise ValueError(cell)
    return int(text.partition(".")[0])


def looks_spoiled(cell: str) -> bool:
    """Whether a spreadsheet turned a long code into a rounded number such as 4.30581E+11."""
    return bool(re.fullmatch(r"[0-9.]+[eE]\+?[0-9]+", cell))


def _delimiter(text: str) -> str:
    head = text.partition("\n")[0]
    return max(",\t;", key=head.count)


def _columns(
    cells: list[str], problems: Problems, required: set[str], names: Mapping[str, str]
) -> dict[str, int]:
    heads = [clean(cell).lower() for cell in cells]
    if not any(heads):
        problems.add(None, None, _("The file is empty."))
        problems.raise_if_any()
    columns: dict[str, int] = {}
    for at, head in enumerate(heads):
        name = names.get(head)
        if name in columns:
            problems.add(1, head, _("This column occurs twice."))
        elif name is not None:
            columns[name] = at
    if missing := sorted(required - set(columns)):
        words = {"missing": ", ".join(missing), "found": ", ".join(h for h in heads if h) or "–"}
        problems.add(1, None, _("Missing columns: %(missing)s. The file has: %(found)s.", **words))
    problems.raise_if_any()
    return columns
