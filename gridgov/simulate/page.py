"""The page of a simulation's report: a document that opens without a server. Its charts are drawn in the template, as SVG."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from gridgov.i18n import _, gettext, language, ngettext
from gridgov.limits import WORK_DAY_S, Clock, Limit
from gridgov.simulate import report
from gridgov.simulate.model import LEVELS
from gridgov.simulate.report import BY_NAME, Figure, Played

PAGE = "report.html"
FOLDER = Path(__file__).resolve().parent / "documents"
SIGNS = "ABCDEFGH"
LIMITS = ("accept", "resolve")


def write(folder: Path, played: Sequence[Played]) -> Path:
    """Write the page and the tables. Speaks the language spoken now."""
    report.write_tables(folder, played)
    text = _templates().get_template(PAGE).render(
        html_lang={"zh": "zh-CN"}.get(language(), "en"), subject=report.subject(played[0]), policies=_policies(played),
        limits=_limits(played), totals=_totals(played), levels=_levels(played), bars=_bars(played), lines=_lines(played),
        first=played[0],
    )  # fmt: skip
    path = folder / PAGE
    path.write_text(text, "utf-8")
    return path


def _templates() -> Environment:
    """Not the application's: this is no page of it."""
    found = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, extensions=["jinja2.ext.i18n"])
    found.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
    return found


def _policies(played: Sequence[Played]) -> list[dict[str, Any]]:
    return [
        {"sign": SIGNS[n % len(SIGNS)], "name": name, "refused": one["refused"]}
        for n, (name, one) in enumerate(zip(report.names(played), played, strict=True))
    ]


def _limits(played: Sequence[Played]) -> list[dict[str, Any]]:
    """The limits of each level; `differs` where the policies do not agree."""
    names = {"accept": _("accept"), "resolve": _("resolve")}
    rows = []
    for level in LEVELS:
        for limit in LIMITS:
            texts = [_limit(one["limits"].get(level, {}).get(limit)) for one in played]
            rows.append({"label": f"{report.level_label(level)} · {names[limit]}", "texts": texts, "differs": len(set(texts)) > 1})
    return rows


def _limit(given: list[Any] | None) -> str:
    if given is None:
        return "–"
    limit = Limit(given[0], given[1])
    if limit.clock is Clock.work_day:
        return _("%(n)g working days", n=limit.amount_s / WORK_DAY_S)
    if limit.clock is Clock.work_hour:
        return _("%(n)g office hours", n=limit.amount_s / 3600)
    if limit.amount_s % 86_400:
        return _("%(n)g hours", n=limit.amount_s / 3600)
    return _("%(n)g days", n=limit.amount_s / 86_400)


def _totals(played: Sequence[Played]) -> list[dict[str, Any]]:
    return [
        {"label": figure.label(), "texts": [figure.text(one["totals"][figure.name]) for one in played],
         "change": _change(figure, [one["totals"][figure.name] for one in played])}
        for figure in report.TOTALS
    ]  # fmt: skip


def _change(figure: Figure, values: list[Any]) -> str:
    """How the second differs from the first."""
    if len(values) != 2 or None in values:
        return ""
    by = values[1] - values[0]
    if figure.kind == report.SHARE:
        return _("%(n)+.1f points", n=by * 100)
    return f"{by:+,.0f}" if figure.kind == report.COUNT else f"{by:+,.1f}"


def _levels(played: Sequence[Played]) -> list[dict[str, Any]]:
    """The whole table of levels, one for each policy."""
    return [
        {"name": name, "rows": [
            {"label": figure.label(), "texts": [figure.text(one["levels"][level].get(figure.name)) for level in LEVELS]}
            for figure in report.LEVEL
        ]}
        for name, one in zip(report.names(played), played, strict=True)
    ]  # fmt: skip


def _bars(played: Sequence[Played]) -> list[dict[str, Any]]:
    """Charts of one figure by level; each with the same numbers as a table."""
    about = {
        "settled_of_all": _("Of all issues that were closed: who settled them."),
        "settled_share": _("Of what a level accepted: how much it settled itself."),
        "on_time_share": _("Of what came to a level: how much it settled or passed on before a deadline passed."),
        "up_by_deadline": _("How often a deadline passed and the issue went up by itself."),
        "waiting_mean": _("How many issues waited for somebody to begin, on average over the whole time."),
        "load": _("The share of their time for the grid that the people were busy. Above 85 % queues grow quickly."),
    }
    charts = []
    for name, words in about.items():
        figure = BY_NAME[name]
        values = [[one["levels"][level].get(name) for one in played] for level in LEVELS]
        known = [value for row in values for value in row if value is not None]
        top = max([1.0 if figure.kind == report.SHARE else 0.0, *known]) or 1.0
        rows = [
            {"label": report.level_label(level), "cells": [
                {"text": figure.text(value), "width": 0 if value is None else round(value / top * 100, 2)} for value in row
            ]}
            for level, row in zip(LEVELS, values, strict=True)
        ]  # fmt: skip
        charts.append({"title": figure.label(), "about": words, "rows": rows})
    return charts


def _lines(played: Sequence[Played]) -> list[dict[str, Any]]:
    """Charts over time: what is open, and what waits at each level."""
    wanted = [("open", _("Open issues, day by day")), ("reported", _("Reported each day"))]
    for level in LEVELS:
        title = _("Queue at the end of the day: %(level)s", level=report.level_label(level))
        wanted.append((f"waiting_{level}", title))
    charts = []
    for name, title in wanted:
        series = [[day[name] for day in one["days"]] for one in played]
        if name == "reported":
            series = series[:1]  # All policies see the same reports.
        top = _round_up(max((value for one in series for value in one), default=0))
        charts.append(
            {"title": title, "top": top, "days": [day["day"] for day in played[0]["days"]],
             "series": [{"points": _points(one, top), "last": one[-1] if one else 0, "most": max(one, default=0),
                         "mean": sum(one) / len(one) if one else 0} for one in series]}
        )  # fmt: skip
    return charts


def _points(values: Sequence[float], top: float) -> str:
    """A line in a box of 600 by 160."""
    step = 600 / max(1, len(values) - 1)
    return " ".join(f"{n * step:.1f},{160 - value / top * 160:.1f}" for n, value in enumerate(values))


def _round_up(value: float) -> float:
    """A round number not below it, for the top of an axis."""
    size = 1.0
    while size * 10 <= value:
        size *= 10
    return next((size * k for k in (1, 2, 3, 4, 5, 6, 8, 10) if size * k >= value), 1.0)
