"""What is drawn beforehand for one issue of the demo city."""

import random
from dataclasses import dataclass

LATE_LEVELS = ("micro", "village", "township", "city", "department", "department", "verify")


@dataclass
class Plan:
    """What will be the matter with one issue: who solves it in the end, and what goes wrong on the way."""

    solved: str
    department: str | None
    late: str | None = None
    accepts_first: bool = False
    returned: bool = False
    reworked: bool = False
    contested: bool = False
    declined: bool = False
    refused: bool = False
    withdrawn: bool = False
    silent: bool = False
    by_phone: bool = False
    extended: bool = False
    suspended: bool = False

    @classmethod
    def draw(cls, solved: str, rng: random.Random) -> "Plan":
        """A plan by chance, for a problem that is usually solved at `solved`, e.g. "village" or
        "department:water".
        """
        level, _colon, department = solved.partition(":")
        chance = rng.random
        return cls(
            level,
            department or None,
            late=rng.choice(LATE_LEVELS) if chance() < 0.16 else None,
            accepts_first=chance() < 0.5,
            returned=chance() < 0.12,
            reworked=chance() < 0.1,
            contested=chance() < 0.07,
            declined=chance() < 0.12,
            refused=chance() < 0.025,
            withdrawn=chance() < 0.03,
            silent=chance() < 0.35,
            by_phone=chance() < 0.15,
            extended=chance() < 0.14,
            suspended=chance() < 0.06,
        )
