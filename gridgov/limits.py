"""A limit: so much time on such a clock, as the policy files write it. gridgov/calendars.py reckons with it.

`urgent_hour` and `natural_day` run always; `work_hour` and `work_day` run in office hours on working days,
make-up days included. A work_day is one day's office hours, however long these are.
Why: docs/decisions/0003-working-time.md.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

# One day on the clock work_day, in its seconds; with the default office hours they are real ones.
WORK_DAY_S = 7 * 3600
LONGEST_DAYS = 3660  # A limit above that is a slip of the pen.


class Clock(StrEnum):
    """What makes a limit run; the names are those of the policy files."""

    urgent_hour = "urgent_hour"
    work_hour = "work_hour"
    work_day = "work_day"
    natural_day = "natural_day"

    @property
    def working(self) -> bool:
        """Whether nights, holidays and the lunch break stop this clock."""
        return self in (Clock.work_hour, Clock.work_day)


# A unit that a clock lacks is refused: 24h of work_day would be over three days, and nobody means that.
HOURS = {"s": 1, "m": 60, "h": 3600}
UNITS = {
    Clock.urgent_hour: HOURS | {"d": 86400},
    Clock.natural_day: HOURS | {"d": 86400},
    Clock.work_hour: HOURS,
    Clock.work_day: {"d": WORK_DAY_S},
}


@dataclass(frozen=True)
class Limit:
    """A budget of `amount_s` seconds on `clock`; one work_day is WORK_DAY_S. May be below zero: overspent."""

    amount_s: int
    clock: Clock

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))  # The clock may come as text from a column.

    def __sub__(self, spent_s: int) -> "Limit":
        """What is left after `spent_s` seconds of the same clock."""
        return replace(self, amount_s=self.amount_s - spent_s)

    @classmethod
    def parse(cls, text: str, clock: str) -> "Limit":
        """A limit as policy files write it: ("24h", "natural_day"), ("1d", "work_day"), ("4h", "work_hour").

        Raises ValueError with the reason: unknown clock, not a duration, a unit the clock lacks, too much.
        """
        if str(clock) not in UNITS:
            raise ValueError(f"unknown clock {clock!r}; known: {', '.join(UNITS)}")
        if not (match := re.fullmatch(r"([0-9]{1,9})([smhd])", str(text))):
            raise ValueError(f"{text!r} is not a duration; write a number and a unit, like 30m, 24h or 7d")
        units = UNITS[Clock(clock)]
        if match[2] not in units:
            raise ValueError(f"{text!r}: the clock {clock} counts in {', '.join(units)}, not in {match[2]}")
        if not 0 < (amount_s := int(match[1]) * units[match[2]]) <= LONGEST_DAYS * units.get("d", 86400):
            raise ValueError(f"{text!r}: a limit is more than nothing and at most {LONGEST_DAYS} days")
        return cls(amount_s, Clock(clock))
