"""Levels, roles and categories from workflows/*.yaml, cross-checked by name at boot.

Source of the limits: DOMAIN "The closed loop" (default limits); they are configuration, never constants in code.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gridgov import questions
from gridgov.config import ROOT
from gridgov.limits import Limit
from gridgov.questions import QuestionSpec
from gridgov.workflow import Words, parse_limit
from gridgov.yamlfile import YamlFile

DEPARTMENT = "department"
GRADES = ("A", "B", "C")
LINES = ("safety", "public_order", "epidemic", "river", "forest", "road", "farmland")
LED_LINES = ("river", "forest", "road", "farmland")
"""Lines that have chiefs of their own (河长, 林长, 路长, 田长), who are told of their issues."""
LIMITS = ("accept", "resolve", "verify", "callback", "silent", "reopen", "report", "decline", "complex", "review", "answer", "urge",
          "appeal", "reconsider")  # fmt: skip
LEVEL_KEYS = set("length label place answers parent child chief office workers verified_by limits".split())
WITHIN_M_MOST = 5_000
Limits = Mapping[str, Limit]


@dataclass(frozen=True)
class LevelSpec:
    """One level of the grid tree. `length` is the digits of its codes; `handlers` the roles that act for its grids."""

    name: str
    length: int
    label: Words
    place: Words
    answers: Words
    parent: str | None
    child: str | None
    chief: str
    office: str | None
    workers: tuple[str, ...]
    verified_by: str
    limits: Limits

    @property
    def handlers(self) -> tuple[str, ...]:
        """Roles that can take on an issue for a grid of this level. City chiefs lead; their office handles."""
        if self.office and self.name == "city":
            return (self.office,)
        return (self.chief, self.office) if self.office else (self.chief,)


@dataclass(frozen=True)
class CategorySpec:
    """A category as seeded: minor ones have a parent."""

    code: str
    parent: str | None
    label: Words
    line: str
    grade: str | None
    department: str | None
    photos: bool
    confidential: bool
    duplicates: bool = True
    questions: tuple[QuestionSpec, ...] = ()
    mediation: bool = False


@dataclass(frozen=True)
class SameRule:
    """What is taken for the same problem: the same category, so near (metres) and reported within so long (seconds)."""

    within_m: int
    within_s: int


@dataclass(frozen=True)
class Policy:
    """All policy that is not a workflow."""

    levels: dict[str, LevelSpec]
    department_limits: Limits
    grades: dict[str, tuple[Words, Limits]]
    after: Limits
    yellow_share: float
    categories: dict[str, CategorySpec]
    same: SameRule
    file: YamlFile

    def limit(self, name: str, *, level: str | None, grade: str, own: Limits | None = None) -> Limit:
        """The limit called `name` at a level (None is a department), for a grade; a category's `own` comes first."""
        if own and name in own:
            return own[name]
        graded = self.grades[grade][1]
        if name in graded:
            return graded[name]
        if name in self.after:
            return self.after[name]
        return (self.levels[level].limits if level else self.department_limits)[name]

    def always(self) -> set[str]:
        """The limits that every unit has, whatever the grade: those that a workflow can count on."""
        own = set(self.department_limits).intersection(*(level.limits for level in self.levels.values()))
        graded = set.intersection(*(set(limits) for _label, limits in self.grades.values()))
        return own | graded | set(self.after)

    def somewhere(self) -> set[str]:
        """The limits that every unit has for some grade at least."""
        return self.always().union(*(limits for _label, limits in self.grades.values()))

    def level_of(self, code: str) -> LevelSpec:
        """The level of a grid code, by its length. Raises KeyError for a length that no level has."""
        return _by_length(self)[len(code)]


_folder = ROOT / "workflows"


def use(folder: Path) -> Policy:
    """Take levels, limits and categories from this folder from now on. Raises PolicyError: file, line, reason."""
    global _folder
    found = load(folder)
    _folder = folder
    return found


def current() -> Policy:
    """The policy in use."""
    return load(_folder)


def lengths() -> list[int]:
    """Digits of the codes of each level of grid, the widest first."""
    return sorted(_by_length(current()))


def _by_length(policy: Policy) -> dict[int, LevelSpec]:
    return {level.length: level for level in policy.levels.values()}


@functools.cache
def load(folder: Path) -> Policy:
    """Read and cross-check the policy files of a folder. Raises PolicyError: file, line, reason."""
    file = YamlFile(folder / "levels.yaml")
    file.need((), {"levels", "department", "grades", "after", "warning"})
    levels = {name: _level(file, name) for name in file.names(("levels",))}
    for level in levels.values():
        for key, other in (("parent", level.parent), ("child", level.child)):
            if other is not None and other not in levels:
                raise file.fail(("levels", level.name, key), f"unknown level {other!r}")
    lengths = [level.length for level in levels.values()]
    if len(set(lengths)) != len(lengths):
        raise file.fail(("levels",), "two levels have codes of the same length")
    department = file.need(("department",), {"label", "verified_by", "limits"})
    file.words(("department", "label"))
    if department["verified_by"] != "dispatcher":
        raise file.fail(("department", "verified_by"), "must be dispatcher")
    grades: dict[str, tuple[Words, Limits]] = {}
    for grade in file.names(("grades",)):
        if grade not in GRADES:
            raise file.fail(("grades", grade), f"unknown grade {grade!r}")
        raw = file.need(("grades", grade), {"label", "limits"})
        limits = _limits(file, ("grades", grade, "limits")) if raw["limits"] else {}
        grades[grade] = (file.words(("grades", grade, "label")), limits)
    for grade in GRADES:
        if grade not in grades:
            raise file.fail(("grades",), f"grade {grade} is missing")
    share = file.need(("warning",), {"yellow_share"})["yellow_share"]
    if not isinstance(share, float) or not 0 < share < 1:
        raise file.fail(("warning", "yellow_share"), "must be a share between 0 and 1")
    after = _limits(file, ("after",))
    for name in ("verify", "silent"):
        if name not in after:
            raise file.fail(("after",), f"{name!r} is missing")
    return Policy(levels, _limits(file, ("department", "limits"), "accept", "resolve"), grades, after, share,
                  *_categories(folder), file)  # fmt: skip


def _level(file: YamlFile, name: str) -> LevelSpec:
    at = ("levels", name)
    raw = file.need(at, LEVEL_KEYS)
    file.texts(at, "chief", "verified_by")
    file.texts(at, "parent", "child", "office", null=True)
    if type(raw["length"]) is not int or raw["length"] < 1:
        raise file.fail((*at, "length"), "must be a whole number above 0")
    if not isinstance(raw["workers"], list):
        raise file.fail((*at, "workers"), "must be a list of roles")
    if raw["verified_by"] not in ("parent", "self"):
        raise file.fail((*at, "verified_by"), "must be parent or self")
    if raw["verified_by"] == "parent" and raw["parent"] is None:
        raise file.fail((*at, "verified_by"), "has no parent to verify it")
    return LevelSpec(
        name, raw["length"], file.words((*at, "label")), file.words((*at, "place")), file.words((*at, "answers")),
        raw["parent"], raw["child"], raw["chief"], raw["office"], tuple(raw["workers"]), raw["verified_by"],
        _limits(file, (*at, "limits"), "accept", "resolve"),
    )  # fmt: skip


def _limits(file: YamlFile, at: tuple[str | int, ...], *needed: str) -> Limits:
    raw = file.need(at, set(needed), set(LIMITS))
    return {name: parse_limit(file, (*at, name)) for name in raw}


def _categories(folder: Path) -> tuple[dict[str, CategorySpec], SameRule]:
    file = YamlFile(folder / "categories.yaml")
    found: dict[str, CategorySpec] = {}
    file.need((), {"categories", "duplicates"})
    for major in file.names(("categories",)):
        at: tuple[str | int, ...] = ("categories", major)
        raw = file.need(at, {"label", "line", "department", "sub"})
        file.texts(at, "line")
        file.texts(at, "department", null=True)
        _known_line(file, at, raw["line"])
        if not isinstance(major, str) or len(major) != 2:
            raise file.fail(at, "a major category has a code of two digits, in quotes")
        found[major] = CategorySpec(
            major, None, file.words((*at, "label")), raw["line"], None, raw["department"], False, False
        )
        for code in file.names((*at, "sub")):
            found[code] = _minor(file, (*at, "sub", code), code, major, raw["line"])
    return found, _same(file)


def _same(file: YamlFile) -> SameRule:
    raw = file.need(("duplicates",), {"within_m", "within"})
    if type(raw["within_m"]) is not int or not 0 < raw["within_m"] <= WITHIN_M_MOST:
        raise file.fail(("duplicates", "within_m"), f"must be a whole number of metres from 1 to {WITHIN_M_MOST}")
    try:
        within = Limit.parse(str(raw["within"]), "natural_day")
    except ValueError as error:
        raise file.fail(("duplicates", "within"), str(error)) from None
    return SameRule(raw["within_m"], within.amount_s)


def _minor(file: YamlFile, at: tuple[str | int, ...], code: Any, major: str, line: str) -> CategorySpec:
    raw = file.need(
        at, {"label", "grade", "department", "photos", "confidential"}, {"clock", "questions", "line", "duplicates", "mediation"}
    )
    file.texts(at, "line", "grade")
    file.texts(at, "department", null=True)
    if not isinstance(code, str) or len(code) != 4 or not code.startswith(major):
        raise file.fail(at, f"{code!r} must be four digits that begin with {major}")
    if raw["grade"] not in GRADES:
        raise file.fail((*at, "grade"), f"unknown grade {raw['grade']!r}")
    _known_line(file, at, raw.get("line", line))
    for key, usual in (("photos", True), ("confidential", True), ("duplicates", True), ("mediation", False)):
        if not isinstance(raw.get(key, usual), bool):
            raise file.fail((*at, key), "must be true or false")
    return CategorySpec(
        code, major, file.words((*at, "label")), raw.get("line", line), raw["grade"], raw["department"], raw["photos"],
        raw["confidential"], raw.get("duplicates", True), questions.read(file, at), raw.get("mediation", False),
    )  # fmt: skip


def _known_line(file: YamlFile, at: tuple[str | int, ...], line: str) -> None:
    if line not in LINES:
        raise file.fail((*at, "line"), f"unknown line of work {line!r}")
