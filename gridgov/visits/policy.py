"""workflows/visits.yaml: who is visited and what for. Checked at boot."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gridgov.config import ROOT
from gridgov.i18n import pick
from gridgov.yamlfile import YamlFile

Labels = Mapping[str, Mapping[str, str]]
NAME_MAX = 30
_folder = ROOT / "workflows"


@dataclass(frozen=True)
class Rules:
    """Kinds of households and purposes of visits, with what they are called."""

    kinds: Labels
    purposes: Labels


def use(folder: Path) -> Rules:
    """Take the rules from this folder from now on. Raises PolicyError: file, line, reason."""
    global _folder
    found = load(folder)
    _folder = folder
    return found


def current() -> Rules:
    """The rules in use."""
    return load(_folder)


@functools.cache
def load(folder: Path) -> Rules:
    """Read and check visits.yaml. Raises PolicyError."""
    file = YamlFile(folder / "visits.yaml")
    file.need((), {"kinds", "purposes"})
    return Rules(_labels(file, "kinds"), _labels(file, "purposes"))


def options(labels: Labels) -> list[tuple[str, str]]:
    """(name, words) for a select."""
    return [(name, pick(label)) for name, label in labels.items()]


def label(labels: Labels, name: str | None) -> str:
    """What a name is called; one that the file does not know any more is shown as it is."""
    return pick(labels[name]) if name is not None and name in labels else name or ""


def _labels(file: YamlFile, section: str) -> Labels:
    found = {}
    for name in file.names((section,)):
        if not isinstance(name, str) or not name.isidentifier() or len(name) > NAME_MAX:
            raise file.fail((section, name), f"{name!r} must be a short name")
        found[name] = file.words((section, name))
    return found
