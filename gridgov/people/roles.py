"""workflows/roles.yaml: what each role is called, where it is held, what it lets one see. Checked at boot."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from gridgov import policy
from gridgov.config import ROOT
from gridgov.grids.models import Level
from gridgov.people.models import Role
from gridgov.yamlfile import YamlFile

KEYS = {"label", "scope", "levels", "sees", "handles", "desk", "alone"}
_folder = ROOT / "workflows"


class Sees(StrEnum):
    """How far a post lets its holder see."""

    SUBTREE = "subtree"
    DEPARTMENT = "department"
    LINE = "line"
    OWN = "own"
    NONE = "none"


@dataclass(frozen=True)
class RoleRule:
    """One role of roles.yaml; the file says what each field means."""

    role: Role
    label: Mapping[str, str]
    on_grid: bool
    levels: tuple[str, ...]
    sees: Sees
    handles: bool
    desk: bool
    alone: bool


@dataclass(frozen=True)
class Roles:
    """All roles, and what the lines of work are called."""

    rules: Mapping[Role, RoleRule]
    lines: Mapping[str, Mapping[str, str]]

    def __getitem__(self, role: str) -> RoleRule:
        return self.rules[Role(role)]

    @property
    def handling(self) -> frozenset[Role]:
        """Roles that count as being on duty."""
        return frozenset(rule.role for rule in self.rules.values() if rule.handles)


def use(folder: Path) -> Roles:
    """Take the roles from this folder from now on. Raises PolicyError: file, line, reason."""
    global _folder
    found = load(folder)
    policy.use(folder)
    _folder = folder
    return found


def current() -> Roles:
    """The roles in use."""
    return load(_folder)


@functools.cache
def load(folder: Path) -> Roles:
    """Read and check roles.yaml. Raises PolicyError: file, line, reason."""
    file = YamlFile(folder / "roles.yaml")
    data = file.need((), {"roles", "lines"})
    file.need(("roles",), {str(role) for role in Role})
    file.need(("lines",), set(policy.LINES))
    rules = {Role(name): _rule(file, name) for name in data["roles"]}
    rules = _with_finer_levels(policy.load(folder), rules)
    _check_levels(policy.load(folder), rules)
    return Roles(rules, {name: file.words(("lines", name)) for name in data["lines"]})


def _with_finer_levels(rules: policy.Policy, roles: Mapping[Role, RoleRule]) -> dict[Role, RoleRule]:
    """A level that levels.yaml adds below another may be led by roles that are held there: no second file says so again."""
    found = dict(roles)
    for level in rules.levels.values():
        for name in () if level.name in list(Level) else (level.chief, level.office, *level.workers):
            rule = next((rule for rule in found.values() if rule.role == name), None)
            if rule is not None and level.parent in rule.levels:
                found[rule.role] = replace(rule, levels=(*rule.levels, level.name))
    return found


def _check_levels(rules: policy.Policy, roles: Mapping[Role, RoleRule]) -> None:
    """Every role that levels.yaml names for a level is one that is held there, and acts if it is to act."""
    for level in rules.levels.values():
        for key, names in (("chief", [level.chief]), ("office", [level.office] * bool(level.office)), ("workers", level.workers)):
            for name in names:
                rule = next((rule for rule in roles.values() if rule.role == name), None)
                if rule is None or level.name not in rule.levels:
                    raise rules.file.fail(("levels", level.name, key), f"{name!r} is no role held on a {level.name} grid")
                if name in level.handlers and not rule.handles:
                    raise rules.file.fail(("levels", level.name, key), f"{name!r} does not handle issues, says roles.yaml")


def _rule(file: YamlFile, name: str) -> RoleRule:
    at = ("roles", name)
    raw = file.need(at, KEYS)
    for key in ("handles", "desk", "alone"):
        if not isinstance(raw[key], bool):
            raise file.fail((*at, key), "must be true or false")
    if raw["scope"] not in ("grid", "department"):
        raise file.fail((*at, "scope"), "must be grid or department")
    if raw["sees"] not in list(Sees):
        raise file.fail((*at, "sees"), f"must be one of {', '.join(Sees)}")
    on_grid = raw["scope"] == "grid"
    if not isinstance(raw["levels"], list) or any(level not in list(Level) for level in raw["levels"]):
        raise file.fail((*at, "levels"), f"must be a list out of {', '.join(Level)}")
    if on_grid != bool(raw["levels"]):
        raise file.fail((*at, "levels"), "a role on a grid names its levels, a role in a department has none")
    if (raw["sees"] == Sees.DEPARTMENT) is on_grid:
        raise file.fail((*at, "sees"), "department is what roles in a department see, and they alone")
    return RoleRule(
        Role(name), file.words((*at, "label")), on_grid, tuple(raw["levels"]),
        Sees(raw["sees"]), raw["handles"], raw["desk"], raw["alone"],
    )  # fmt: skip
