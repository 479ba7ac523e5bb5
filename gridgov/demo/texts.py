"""What people write in the demo's issues, from data/texts.yaml, with places and numbers filled in."""

import functools
import random
from dataclasses import dataclass
from typing import Any

import yaml

from gridgov.demo import names
from gridgov.demo.city import DATA

WHO = ("老{}", "{}某", "{}师傅", "{}大爷", "{}家老屋主")
FILE = DATA / "texts.yaml"


@dataclass(frozen=True)
class Subject:
    """One problem in words: its minor category, what was seen, how it ends, who usually solves it, what it
    looks like.
    """

    category: str
    report: str
    result: str
    solved: str
    scene: str | None
    address: str


@functools.cache
def texts() -> dict[str, Any]:
    """The whole file."""
    text = FILE.read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.load(text, yaml.CSafeLoader)  # As safe, and ten times as fast.
    return found


def subject(place: str, urban: bool, rng: random.Random) -> Subject:
    """A problem at a place, drawn by weight."""
    kinds = texts()["kinds"]
    category = rng.choices(list(kinds), [kind["weight"] for kind in kinds.values()])[0]
    kind = kinds[category]
    words: dict[str, Any] = {
        "place": place,
        "who": rng.choice(WHO[:4]).format(rng.choice(names.SURNAMES)),
        "n": rng.randint(2, 9) * 10,
        "d": rng.randint(2, 9),
        "k": rng.randint(2, 8),
        "cm": rng.randint(3, 9) * 5,
    }
    words["spot"] = rng.choice(texts()["urban_spots" if urban else "spots"]).format(**words)
    return Subject(
        category,
        rng.choice(kind["reports"]).format(**words),
        rng.choice(kind["results"]).format(**words),
        rng.choice(kind["solved"]),
        kind["scene"],
        words["spot"],
    )


def pick(name: str, rng: random.Random, *more: str) -> Any:
    """One of the sentences of a list, e.g. pick("escalate", rng, "micro")."""
    found = texts()[name]
    for key in more:
        found = found[key]
    return rng.choice(found)
