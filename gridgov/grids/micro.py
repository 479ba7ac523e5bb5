"""The rules of a micro-grid file: `code, name, kind, households, population, area`.

A code is the 12-digit village code and a 3-digit serial: 001–899 for ordinary grids (a villagers' group, a
courtyard, an estate), 901–999 for dedicated ones (a school, a market, a factory). Source: published practice
of Jinan and Beijing (DB11). `area` is in square metres. A finer level that levels.yaml adds is read the same way: the code
of the grid it lies in and a serial.
"""

from collections.abc import Collection
from pathlib import Path

from gridgov import policy
from gridgov.grids import csvfile
from gridgov.grids.csvfile import Problems, Row
from gridgov.grids.divisions import Unit, check_digits, check_name, level_of
from gridgov.grids.models import LENGTH, Level
from gridgov.i18n import _

COLUMNS = {
    "code": "code", "代码": "code", "编码": "code", "网格编码": "code",
    "name": "name", "名称": "name", "网格名称": "name",
    "kind": "kind", "类型": "kind", "类别": "kind",
    "households": "households", "户数": "households",
    "population": "population", "人口": "population", "人口数": "population",
    "area": "area", "area_m2": "area", "面积": "area",
}  # fmt: skip
REQUIRED = {"code", "name", "kind", "households", "population", "area"}
DEDICATED_FROM = "901"
ORDINARY_TO = "899"
DEDICATED = "专属"
ORDINARY = {"村民小组", "居民小组", "小区", "楼栋", "院落", "庭院", "大院", "网格"}
LIMITS = {"households": 20_000, "population": 100_000, "area": 1_000_000_000}


def read(path: str | Path, villages: Collection[str]) -> list[Unit]:
    """Read and check a file of micro grids under `villages`, the codes of the open grids they may lie in.

    Raises ImportRefused naming every problem by row and column.
    """
    path = Path(path)
    return parse(csvfile.decode(csvfile.read_bytes(path), path.name), path.name, villages)


def parse(text: str, file: str, villages: Collection[str]) -> list[Unit]:
    """Check a table of micro grids given as text; see `read`."""
    problems = Problems(file)
    units: list[Unit] = []
    first: dict[str, int] = {}
    for number, row in csvfile.read(text, problems, required=REQUIRED, names=COLUMNS):
        unit = _unit(number, row, villages, problems)
        if unit is None:
            continue
        if unit.code in first:
            words = _("%(code)s stands in row %(row)s already.", code=unit.code, row=first[unit.code])
            problems.add(number, "code", words)
        first.setdefault(unit.code, number)
        units.append(unit)
    if not units and not problems.found:
        problems.add(None, None, _("The file has no rows below its head."))
    problems.raise_if_any()
    return units


def _unit(number: int, row: Row, villages: Collection[str], problems: Problems) -> Unit | None:
    name = check_name(number, "name", row["name"], problems)
    kind = row["kind"]
    if not kind:
        problems.add(number, "kind", _("The kind is empty."))
    elif len(kind) > 20:
        problems.add(number, "kind", _("Longer than %(limit)s characters.", limit=20))
    counts = {column: _count(number, column, row[column], problems) for column in LIMITS}
    code = check_digits(number, "code", row["code"], problems)
    if code is None or not _check_code(number, code, kind, villages, problems):
        return None
    return Unit(
        number, code, level_of(code), kind, name, name,
        households=counts["households"], population=counts["population"], area_m2=counts["area"],
    )  # fmt: skip


def _count(number: int, column: str, cell: str, problems: Problems) -> int | None:
    try:
        count = csvfile.whole_number(cell)
    except ValueError:
        words = _("%(value)s is not a whole number, 0 or more.", value=cell)
        if column == "area":
            words = _("%(value)s is not a whole number of square metres.", value=cell)
        problems.add(number, column, words)
        return None
    if count is not None and count > LIMITS[column]:
        problems.add(number, column, _("%(value)s is more than %(limit)s.", value=cell, limit=LIMITS[column]))
        return None
    return count


def _check_code(number: int, code: str, kind: str, villages: Collection[str], problems: Problems) -> bool:
    if len(code) != LENGTH[Level.micro] and (len(code) < LENGTH[Level.micro] or len(code) not in policy.lengths()):
        words = _("%(value)s has %(count)s digits; a micro grid has 15.", value=code, count=len(code))
        problems.add(number, "code", words)
        return False
    village, serial = code[:-3], code[-3:]
    right = True
    if village not in villages:
        words = _("%(value)s: there is no open village %(village)s.", value=code, village=village)
        problems.add(number, "code", words)
        right = False
    if not ("001" <= serial <= ORDINARY_TO or serial >= DEDICATED_FROM):
        words = _("%(value)s: a serial is 001 to 899, or 901 to 999 for a dedicated grid.", value=code)
        problems.add(number, "code", words)
        right = False
    elif (serial >= DEDICATED_FROM and kind in ORDINARY) or (
        serial <= ORDINARY_TO and kind.startswith(DEDICATED)
    ):
        words = _(
            "%(kind)s does not go with serial %(serial)s: dedicated grids are 901 to 999.",
            kind=kind,
            serial=serial,
        )
        problems.add(number, "kind", words)
        right = False
    return right
