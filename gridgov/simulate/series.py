"""How many issues are where, and how many wait for somebody: means over time, highest values, and a line for each day."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from gridgov.simulate.model import LEVELS

SHANGHAI = ZoneInfo("Asia/Shanghai")


class Series:
    """Counters with their past. `until` must be called before anything changes at a moment."""

    def __init__(self, first: datetime) -> None:
        self.first = self.last = first
        self.reported = self.ended = self.missed = 0
        self.open, self.waiting, self.most = Counter[str](), Counter[str](), Counter[str]()
        self._open_s, self._waiting_s = Counter[str](), Counter[str]()
        self.days: list[dict[str, Any]] = []
        self._before = (0, 0, 0)
        self._midnight = first + timedelta(days=1)

    def until(self, moment: datetime) -> None:
        """Let time go on to this moment, with a line for every day that ends."""
        while self._midnight <= moment:
            self._pass(self._midnight)
            day = (self._midnight - timedelta(days=1)).astimezone(SHANGHAI).date()
            counts = (self.reported, self.ended, self.missed)
            new = (a - b for a, b in zip(counts, self._before, strict=True))
            line = {"day": day.isoformat(), **dict(zip(("reported", "ended", "missed"), new, strict=True))}
            line |= {"open": self.reported - self.ended}
            line |= {f"open_{level}": self.open[level] for level in LEVELS}
            self.days.append(line | {f"waiting_{level}": self.waiting[level] for level in LEVELS})
            self._before, self._midnight = counts, self._midnight + timedelta(days=1)
        self._pass(moment)

    def enter(self, level: str) -> None:
        """An issue has come to a level."""
        self.open[level] += 1

    def leave(self, level: str) -> None:
        """An issue has left a level, or is at its end."""
        self.open[level] -= 1

    def waits(self, before: str | None, now: str | None) -> None:
        """An issue waited for somebody at one level and does so at another; None: it does not."""
        if before == now:
            return
        if before is not None:
            self.waiting[before] -= 1
        if now is not None:
            self.waiting[now] += 1

    def means(self) -> dict[str, dict[str, float]]:
        """For each level how many were open and how many waited, on average over time, and the most that waited."""
        whole = (self.last - self.first).total_seconds() or 1.0
        return {
            level: {"open_mean": self._open_s[level] / whole, "waiting_mean": self._waiting_s[level] / whole,
                    "waiting_most": self.most[level]}
            for level in LEVELS
        }  # fmt: skip

    def _pass(self, moment: datetime) -> None:
        seconds = int((moment - self.last).total_seconds())
        for level in LEVELS:
            self._open_s[level] += self.open[level] * seconds
            self._waiting_s[level] += self.waiting[level] * seconds
            self.most[level] = max(self.most[level], self.waiting[level])
        self.last = moment
