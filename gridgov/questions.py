"""Further questions of a category, as workflows/categories.yaml writes them: read and proven at boot, kept as plain data.

A question has a name, a kind and its words in both languages. What is kept with an issue carries these words along, so
that an answer can still be read when its question has left the file.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gridgov.workflow import Words
from gridgov.yamlfile import Path, YamlFile

KINDS = ("text", "choice", "yesno", "number")
# What each kind may have besides label, kind, needed and help.
MORE = {"text": {"max"}, "choice": {"options"}, "yesno": set(), "number": {"low", "high", "unit"}}
NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
TEXT_MAX, QUESTIONS_MOST = 200, 8
NUMBER_MOST = 1_000_000_000


@dataclass(frozen=True)
class QuestionSpec:
    """One question. `low` and `high` bound a number (both included), `unit` is said behind it; `options` are a choice's."""

    name: str
    kind: str
    label: Words
    needed: bool = False
    help: Words | None = None
    max: int = TEXT_MAX
    low: int = 0
    high: int = NUMBER_MOST
    unit: Words | None = None
    options: Mapping[str, Words] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """As the table of categories keeps it: the options as a list, for JSONB does not keep keys in their order."""
        plain = {
            key: dict(value) if isinstance(value, Mapping) else value for key, value in vars(self).items()
        }
        return plain | {
            "options": [{"value": value, "label": dict(words)} for value, words in self.options.items()]
        }

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "QuestionSpec":
        """From what the table keeps."""
        return cls(**{**row, "options": {one["value"]: one["label"] for one in row["options"]}})


def read(file: YamlFile, at: Path) -> tuple[QuestionSpec, ...]:
    """The questions of the category at `at`, in the file's order; none where it has none. Raises PolicyError."""
    if "questions" not in file.get(at):
        return ()
    at = (*at, "questions")
    names = file.names(at)
    if len(names) > QUESTIONS_MOST:
        raise file.fail(at, f"at most {QUESTIONS_MOST} questions: nobody fills in more on a phone")
    return tuple(_question(file, (*at, name), name) for name in names)


def _question(file: YamlFile, at: Path, name: Any) -> QuestionSpec:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise file.fail(at, f"{name!r}: a question's name is small letters, digits and _, at most 30")
    kind = file.get(at).get("kind") if isinstance(file.get(at), dict) else None
    if kind not in KINDS:
        raise file.fail((*at, "kind"), f"unknown kind of question {kind!r}; known: {', '.join(KINDS)}")
    raw = file.need(
        at, {"label", "kind"} | ({"options"} if kind == "choice" else set()), {"needed", "help"} | MORE[kind]
    )
    if type(raw.get("needed", False)) is not bool:
        raise file.fail((*at, "needed"), "must be true or false")
    numbers: dict[str, int] = {key: raw[key] for key in ("max", "low", "high") if key in raw}
    for key, value in numbers.items():
        if type(value) is not int or not 0 <= value <= NUMBER_MOST:
            raise file.fail((*at, key), f"must be a whole number from 0 to {NUMBER_MOST}")
    if not 1 <= numbers.get("max", TEXT_MAX) <= TEXT_MAX:
        raise file.fail((*at, "max"), f"must be from 1 to {TEXT_MAX}")
    if numbers.get("low", 0) > numbers.get("high", NUMBER_MOST):
        raise file.fail((*at, "high"), "must not be below low")
    options: dict[str, Words] = {}
    if kind == "choice":
        for key in file.names((*at, "options")):
            if not isinstance(key, str) or not NAME.fullmatch(key):
                raise file.fail(
                    (*at, "options", key),
                    f"{key!r}: an option's name is small letters, digits and _, at most 30",
                )
            options[key] = file.words((*at, "options", key))
    more = {key: file.words((*at, key)) for key in ("help", "unit") if key in raw}
    label = file.words((*at, "label"))
    return QuestionSpec(
        name, kind, label, raw.get("needed", False), more.get("help"), numbers.get("max", TEXT_MAX), numbers.get("low", 0),
        numbers.get("high", NUMBER_MOST), more.get("unit"), options,
    )  # fmt: skip
