"""The rules of a division file: one county's (or several counties') units down to villages and communities.

Codes are the statistical division codes: 6 digits county, 3 township (001–099 subdistrict, 100–199 town,
200–399 township, 400–599 units such as farms and mills), 3 village (001–199 neighbourhood committee, 200–399
villagers' committee, 400–599 units of the like). They come padded to 12 digits or cut to their level's
length; zeros are never stripped.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from gridgov import policy
from gridgov.grids import csvfile
from gridgov.grids.csvfile import Problems, Row
from gridgov.grids.models import LENGTH, Level
from gridgov.i18n import _

COLUMNS = {
    "code": "code", "代码": "code", "编码": "code", "区划代码": "code", "统计用区划代码": "code",
    "parent": "parent", "parent_code": "parent", "上级": "parent", "上级代码": "parent",
    "level": "level", "级别": "level", "层级": "level",
    "kind": "kind", "type": "kind", "类型": "kind", "类别": "kind",
    "name": "name", "名称": "name",
    "short_name": "short_name", "简称": "short_name",
    "abbr": "abbr", "缩写": "abbr",
}  # fmt: skip
LEVELS = {
    word: level
    for level, words in {
        Level.city: "city county district 市 县 区 旗 县级",
        Level.township: "township town subdistrict street 街道 镇 乡 乡级",
        Level.village: "village community 村 社区 村级",
    }.items()
    for word in words.split()
}
SUFFIXES = ("社区居民委员会", "居民委员会", "村民委员会", "居委会", "村委会")
NAME_LENGTH = 60


@dataclass(frozen=True)
class Unit:
    """One row of a file, checked: a grid as it should be. What the file does not say is null."""

    row: int
    code: str
    level: str
    kind: str
    name: str
    short_name: str
    abbr: str | None = None
    households: int | None = None
    population: int | None = None
    area_m2: int | None = None


def level_of(code: str) -> str:
    """The level whose codes have this length. Raises KeyError when there is none."""
    return policy.current().level_of(code).name


def parent_code(code: str) -> str | None:
    """The code one level up, null for a city: 430581101222 → 430581101."""
    return None if len(code) <= LENGTH[Level.city] else code[:-3]


def read(path: str | Path) -> list[Unit]:
    """Read and check a division file. Raises ImportRefused naming every problem by row and column."""
    path = Path(path)
    text = csvfile.decode(csvfile.read_bytes(path), path.name)
    return parse(text, path.name)


def parse(text: str, file: str) -> list[Unit]:
    """Check a division table given as text; see `read`."""
    problems = Problems(file)
    units = []
    for number, row in csvfile.read(text, problems, required={"code", "name"}, names=COLUMNS):
        if unit := _unit(number, row, problems):
            units.append(unit)
    if not units and not problems.found:
        problems.add(None, None, _("The file has no rows below its head."))
    _check_tree(units, problems)
    problems.raise_if_any()
    return units


def with_abbr(units: list[Unit], abbr: str, file: str) -> list[Unit]:
    """The units with an abbreviation given by hand.

    Raises ImportRefused unless there is one city and it is 2 to 4 letters.
    """
    problems = Problems(file)
    if sum(unit.level is Level.city for unit in units) != 1:
        problems.add(
            None, "abbr", _("An abbreviation can be given for one city only; add a column abbr instead.")
        )
    if not _is_abbr(abbr.upper()):
        problems.add(
            None, "abbr", _("Only a city has an abbreviation, of 2 to 4 letters: %(value)s.", value=abbr)
        )
    problems.raise_if_any()
    return [replace(unit, abbr=abbr.upper()) if unit.level is Level.city else unit for unit in units]


def _unit(number: int, row: Row, problems: Problems) -> Unit | None:
    name = check_name(number, "name", row["name"], problems)
    place = _code_and_level(number, row, problems)
    if place is None:
        return None
    code, level = place
    _check_parent(number, row.get("parent", ""), code, problems)
    abbr = row.get("abbr", "").upper() or None
    if abbr and (level is not Level.city or not _is_abbr(abbr)):
        problems.add(
            number, "abbr", _("Only a city has an abbreviation, of 2 to 4 letters: %(value)s.", value=abbr)
        )
    kind = row.get("kind", "") or _kind(code, level, row["name"])
    if len(kind) > 20:
        problems.add(number, "kind", _("Longer than %(limit)s characters.", limit=20))
    short = row.get("short_name", "") or _shorten(row["name"])
    if len(short) > NAME_LENGTH:
        problems.add(number, "short_name", _("Longer than %(limit)s characters.", limit=NAME_LENGTH))
    return Unit(number, code, level, kind, name, short, abbr)


def check_name(number: int, column: str, name: str, problems: Problems) -> str:
    """The name itself; notes a problem when it is empty or too long."""
    if not name:
        problems.add(number, column, _("The name is empty."))
    elif len(name) > NAME_LENGTH:
        problems.add(number, column, _("Longer than %(limit)s characters.", limit=NAME_LENGTH))
    return name


def check_digits(number: int, column: str, cell: str, problems: Problems) -> str | None:
    """The cell's digits; notes a problem, and what a spreadsheet did to it, when it is no code."""
    if not cell:
        problems.add(number, column, _("The code is empty."))
        return None
    code = csvfile.digits(cell)
    if code is None and csvfile.looks_spoiled(cell):
        words = _(
            "%(value)s was rounded by a spreadsheet. Format the column as text and export again.", value=cell
        )
        problems.add(number, column, words)
    elif code is None:
        problems.add(number, column, _("%(value)s is not a code: digits only.", value=cell))
    return code


def _code_and_level(number: int, row: Row, problems: Problems) -> tuple[str, Level] | None:
    """The code cut to its level, the level from its column or from the code."""
    digits = check_digits(number, "code", row["code"], problems)
    said = row.get("level", "")
    told = LEVELS.get(said.lower())
    if said and told is None:
        problems.add(number, "level", _("Unknown level: %(value)s.", value=said))
    if digits is None:
        return None
    if len(digits) not in (6, 9, 12):
        words = _(
            "%(value)s has %(count)s digits; a code has 12, or 6, 9 or 12 by level.",
            value=digits,
            count=len(digits),
        )
        problems.add(number, "code", words)
        return None
    found = _level_by_zeros(digits)
    if told is not None and told is not found:
        words = _(
            "%(value)s is a code of level %(found)s, not %(told)s.", value=digits, found=found, told=told
        )
        problems.add(number, "level", words)
        return None
    code = digits[: LENGTH[found]]
    return (code, found) if _check_serial(number, code, found, problems) else None


def _level_by_zeros(digits: str) -> Level:
    """A padded code's level: …000000 is a county, …000 a township.

    Three zeros are padding, one or two are not.
    """
    if digits[6:].strip("0") == "":
        return Level.city
    if digits[9:].strip("0") == "":
        return Level.township
    return Level.village


def _check_serial(number: int, code: str, level: Level, problems: Problems) -> bool:
    if level is Level.city:
        if code.endswith("0000"):
            problems.add(
                number, "code", _("%(value)s is a province; the tree begins with the county.", value=code)
            )
            return False
        return True
    if not "001" <= code[-3:] <= "599" or code[6:9] == "000":
        problems.add(number, "code", _("%(value)s: a serial is 001 to 599.", value=code))
        return False
    return True


def _is_abbr(text: str) -> bool:
    return text.isascii() and text.isalpha() and 2 <= len(text) <= 4


def _check_parent(number: int, cell: str, code: str, problems: Problems) -> None:
    """A parent, when the file names one, must be what the code says.

    Above a county it may name the prefecture.
    """
    if not cell:
        return
    given = csvfile.digits(cell)
    above = parent_code(code)
    if given is None:
        problems.add(number, "parent", _("%(value)s is not a code: digits only.", value=cell))
    elif above is None:
        if given.rstrip("0") != code[: len(given.rstrip("0"))] or given[:6] == code:
            problems.add(number, "parent", _("%(value)s is not above %(code)s.", value=given, code=code))
    elif given != above and given != above.ljust(12, "0"):
        words = _(
            "%(value)s is not the parent of %(code)s; by its code that is %(above)s.",
            value=given,
            code=code,
            above=above,
        )
        problems.add(number, "parent", words)


def _check_tree(units: list[Unit], problems: Problems) -> None:
    """No code twice, every parent in the file, no prefecture."""
    first: dict[str, int] = {}
    for unit in units:
        if unit.code in first:
            words = _("%(code)s stands in row %(row)s already.", code=unit.code, row=first[unit.code])
            problems.add(unit.row, "code", words)
        first.setdefault(unit.code, unit.row)
    parents = {above for unit in units if (above := parent_code(unit.code))}
    told = set()
    for unit in units:
        above = parent_code(unit.code)
        if above and above not in first and above not in told:
            told.add(above)
            words = _(
                "The file has no row for %(above)s, the parent of %(code)s.", above=above, code=unit.code
            )
            problems.add(unit.row, "code", words)
        if unit.level is Level.city and unit.code.endswith("00") and unit.code not in parents:
            words = _("%(value)s is a prefecture; the tree begins with the county.", value=unit.code)
            problems.add(unit.row, "code", words)


def _kind(code: str, level: Level, name: str) -> str:
    """What a unit is, by the serial ranges of the code rule, when the file does not say."""
    serial = code[-3:]
    if level is Level.city:
        return name[-1:] if name[-1:] in "市县区旗" else "县"
    if level is Level.township:
        return (
            "街道"
            if serial < "100"
            else "镇"
            if serial < "200"
            else "乡"
            if serial < "400"
            else "类似乡级单位"
        )
    return "居委会" if serial < "200" else "村委会" if serial < "400" else "类似村级单位"


def _shorten(name: str) -> str:
    """绿洲社区居委会 → 绿洲社区, 清水村委会 → 清水村: what people say, when the file does not."""
    for suffix in SUFFIXES:
        stem = name.removesuffix(suffix)
        if stem != name and stem:
            if suffix.startswith("社区"):
                return stem + "社区"
            if suffix.startswith("村"):
                return stem + "村"
            return stem if stem.endswith(("社区", "村")) else name
    return name
