"""`gridgov bulletin`: the figures of a period, as a table, as CSV or as JSON."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime

import click

from gridgov import db
from gridgov.errors import NotFound
from gridgov.grids import queries as grids
from gridgov.i18n import _
from gridgov.issues import bulletin as figures
from gridgov.issues.bulletin import BY, COUNTS, MEASURES, Area, Bulletin, Line

DAY = click.DateTime(["%Y-%m-%d"])
SETS = tuple(COUNTS)


@click.command()
@click.option("--from", "first", type=DAY, help="First day, in China. Without days: last month.")
@click.option("--to", "until", type=DAY, help="The day after the last.")
@click.option("--under", help="The code of a grid: only places in it. Without: everywhere.")
@click.option("--by", type=click.Choice(BY), help="A line for each of these.")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV, one line for each group.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def bulletin(
    first: datetime | None,
    until: datetime | None,
    under: str | None,
    by: str | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Print the bulletin of a period: stages, timeliness, quality and results, as docs/bulletin.md explains them."""
    if as_csv and as_json:
        raise click.UsageError("--csv or --json, not both.")
    if (first is None) != (until is None):
        raise click.UsageError("--from and --to go together.")
    with db.transaction():
        days = (
            (first.date(), until.date())
            if first and until
            else figures.last_month(db.utcnow().astimezone(figures.SHANGHAI).date())
        )
        codes = (under,) if under else tuple(grid.code for grid in grids.cities())
        if under and not grids.short_names([under]):
            raise NotFound(_("There is no grid with this code."))
        found = figures.read(*days, Area(codes), by or "")
    if as_json:
        click.echo(json.dumps(as_dict(found), ensure_ascii=False, indent=1))
    elif as_csv:
        click.echo(as_table(found), nl=False)
    else:
        click.echo("\n".join(_words(found)))


def as_dict(found: Bulletin) -> dict[str, object]:
    """The bulletin as plain data, with the names of the API."""
    return {
        "from": found.first.isoformat(), "to": found.until.isoformat(), "under": list(found.area.codes), "by": found.by or None,
        "lines": [_line(line) for line in found.lines], "total": _line(found.whole),
    }  # fmt: skip


def as_table(found: Bulletin) -> str:
    """The bulletin as CSV: a column for each figure, named as in docs/bulletin.md; empty where there is nothing below the line."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = [(name, figure) for name in SETS for figure in (*COUNTS[name], *MEASURES[name])]
    writer.writerow(["key", "name", *(f"{name}.{figure}" for name, figure in columns)])
    for line in (*found.lines, found.whole):
        writer.writerow(
            [line.key or "", line.name, *(line.figures[name][figure] for name, figure in columns)]
        )
    return out.getvalue()


def _line(line: Line) -> dict[str, object]:
    return {"key": line.key, "name": line.name, **line.figures}


def _words(found: Bulletin) -> Iterator[str]:
    yield f"{found.first} – {found.until}  {' '.join(found.area.codes)}"
    for line in (*found.lines, found.whole):
        yield ""
        yield line.name if line.key is None else f"{line.name} ({line.key})"
        for name in SETS:
            known = {
                k: v for k, v in line.figures[name].items() if v is not None and (v or k in COUNTS[name][:5])
            }
            yield f"  {name}: " + ", ".join(f"{k} {v:g}" for k, v in known.items())
