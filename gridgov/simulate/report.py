"""The report of a simulation: a table for the terminal, tables as CSV, and a page for reading, policies side by side."""

import csv
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gridgov.i18n import _, pick
from gridgov.issues import flow
from gridgov.simulate.model import LEVELS

Played = dict[str, Any]
COUNT, SHARE, NUMBER, HOURS, DAYS = "count", "share", "number", "hours", "days"
Words = Callable[[], str]


@dataclass(frozen=True)
class Figure:
    """Something that was counted: its name in the results and in the CSV, what it is called, how it is written."""

    name: str
    label: Words
    kind: str

    def text(self, value: Any) -> str:
        """A value as people read it; a dash where there was nothing to count."""
        if value is None:
            return "–"
        if self.kind == SHARE:
            return f"{value * 100:.1f}%"
        return f"{value:,.0f}" if self.kind == COUNT else f"{value:,.1f}"


TOTALS = (
    Figure("reported", lambda: _("Reported"), COUNT),
    Figure("ended", lambda: _("Came to an end"), COUNT),
    Figure("open", lambda: _("Still open"), COUNT),
    Figure("closing_rate", lambda: _("Closing rate"), SHARE),
    Figure("on_time_rate", lambda: _("Closed, no deadline missed on the way"), SHARE),
    Figure("rework_rate", lambda: _("Rework rate"), SHARE),
    Figure("solved_rate", lambda: _("Really solved, of those who answered"), SHARE),
    Figure("satisfaction", lambda: _("Satisfied, of those who rated"), SHARE),
    Figure("days_median", lambda: _("Days until resolved, median"), DAYS),
    Figure("days_p90", lambda: _("Days until resolved, 90 % within"), DAYS),
)
LEVEL = (
    Figure("came", lambda: _("Came in"), COUNT),
    Figure("accepted", lambda: _("Accepted"), COUNT),
    Figure("settled", lambda: _("Settled there"), COUNT),
    Figure("settled_share", lambda: _("Settled of accepted"), SHARE),
    Figure("settled_of_all", lambda: _("Share of all settled"), SHARE),
    Figure("up_by_hand", lambda: _("Passed up by hand"), COUNT),
    Figure("up_by_deadline", lambda: _("Passed up by deadline"), COUNT),
    Figure("up_vacant", lambda: _("Passed up, nobody on duty"), COUNT),
    Figure("dispatched", lambda: _("Dispatched on"), COUNT),
    Figure("returned", lambda: _("Returned down"), COUNT),
    Figure("still", lambda: _("Still being handled"), COUNT),
    Figure("on_time_share", lambda: _("Within the time"), SHARE),
    Figure("hours_median", lambda: _("Hours, median"), HOURS),
    Figure("hours_p90", lambda: _("Hours, 90 % within"), HOURS),
    Figure("open_mean", lambda: _("Open, mean"), NUMBER),
    Figure("waiting_mean", lambda: _("Queue, mean"), NUMBER),
    Figure("waiting_most", lambda: _("Queue, longest"), COUNT),
    Figure("load", lambda: _("Load"), SHARE),
)
SHOWN = ("came", "settled", "settled_share", "settled_of_all", "up_by_hand", "up_by_deadline", "on_time_share", "hours_median",
         "waiting_mean", "waiting_most", "load")  # fmt: skip
BY_NAME = {figure.name: figure for figure in (*TOTALS, *LEVEL)}


def names(played: Sequence[Played]) -> list[str]:
    """What the policies are called: their folders' names, with a number where two are the same."""
    found = [one["policy"] for one in played]
    return [name if found.count(name) == 1 else f"{name} {n}" for n, name in enumerate(found, 1)]


def level_label(level: str) -> str:
    """What a level is called in the policy."""
    rules = flow.rules()
    return pick(rules.levels[level].label if level in rules.levels else rules.file.words(("department", "label")))


def write_tables(folder: Path, played: Sequence[Played]) -> list[Path]:
    """Write levels.csv, totals.csv and days.csv: a line for each policy and level, figure, or day."""
    titles = names(played)
    levels = [[title, level, *(one["levels"][level].get(f.name) for f in LEVEL)]
              for title, one in zip(titles, played, strict=True) for level in LEVELS]  # fmt: skip
    totals = [[title, f.name, one["totals"][f.name]] for title, one in zip(titles, played, strict=True) for f in TOTALS]
    days = [[title, *day.values()] for title, one in zip(titles, played, strict=True) for day in one["days"]]
    return [
        _csv(folder / "levels.csv", ["policy", "level", *(f.name for f in LEVEL)], levels),
        _csv(folder / "totals.csv", ["policy", "figure", "value"], totals),
        _csv(folder / "days.csv", ["policy", *(played[0]["days"][0] if played[0]["days"] else ())], days),
    ]


def table(played: Sequence[Played]) -> str:
    """What the terminal shows."""
    lines = [subject(played[0]), ""]
    for title, one in zip(names(played), played, strict=True):
        rows = [[level_label(level), *(BY_NAME[n].text(one["levels"][level].get(n)) for n in SHOWN)] for level in LEVELS]
        lines += [title, *_columns([_("Level"), *(BY_NAME[n].label() for n in SHOWN)], rows), ""]
    rows = [[f.label(), *(f.text(one["totals"][f.name]) for one in played)] for f in TOTALS]
    lines += _columns([_("All levels"), *names(played)], rows)
    for title, one in zip(names(played), played, strict=True):
        if one["refused"]:
            moves = ", ".join(f"{name} {count}" for name, count in one["refused"].items())
            lines.append(_("%(policy)s: tried and not allowed by the workflow: %(moves)s", policy=title, moves=moves))
    return "\n".join(lines)


def subject(one: Played) -> str:
    """What was played, in a line."""
    return _(
        "%(grids)s micro grids, %(days)s days from %(start)s, %(per_day).1f reports a day, seed %(seed)s: assumed, not measured.",
        grids=one["order"]["micro_grids"], days=one["order"]["days"], start=one["start"], per_day=one["per_day"],
        seed=one["order"]["seed"],
    )  # fmt: skip


def _csv(path: Path, head: Iterable[str], rows: Iterable[Sequence[Any]]) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # With a mark, so that Excel reads Chinese.
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows([[_plain(value) for value in row] for row in rows])
    return path


def _plain(value: Any) -> Any:
    return "" if value is None else round(value, 6) if isinstance(value, float) else value


def _columns(head: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of a table; Chinese signs are two columns wide."""
    widths = [max(_width(row[n]) for row in (head, *rows)) for n in range(len(head))]
    return ["  ".join(_pad(text, widths[n], left=n == 0) for n, text in enumerate(row)) for row in (head, *rows)]


def _pad(text: str, width: int, *, left: bool) -> str:
    gap = " " * (width - _width(text))
    return text + gap if left else gap + text


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
