"""`gridgov city …`: taking in a county's files."""

from pathlib import Path

import click
import sqlalchemy as sa

from gridgov import db
from gridgov.db import session
from gridgov.grids import actions, boundaries, divisions, micro
from gridgov.grids.actions import Report
from gridgov.grids.csvfile import ImportRefused
from gridgov.grids.models import LENGTH, Grid, Level
from gridgov.i18n import _

FILE = click.Path(exists=False, dir_okay=False, path_type=Path)
LISTED = 20


@click.group()
def city() -> None:
    """The tree of grids."""


@city.command("import")
@click.argument("file", type=FILE)
@click.option(
    "--grids",
    "grids_file",
    type=FILE,
    help="CSV of micro grids: code, name, kind, households, population, area.",
)
@click.option("--boundaries", "boundary_file", type=FILE, help="GeoJSON with the areas of grids.")
@click.option("--abbr", help="2 to 4 letters that begin the numbers of issues, e.g. WG.")
@click.option("--dry-run", is_flag=True, help="Say what would change and change nothing.")
def import_city(
    file: Path, grids_file: Path | None, boundary_file: Path | None, abbr: str | None, dry_run: bool
) -> None:
    """Take in a county's divisions from the CSV FILE, and if given its micro grids and areas.

    All in one transaction: a file with mistakes changes nothing. Importing the same file again changes
    nothing; a newer file renames, adds and closes.
    """
    try:
        reports = run(file, grids_file, boundary_file, abbr=abbr, dry_run=dry_run)
    except ImportRefused as refusal:
        click.echo(refusal.message, err=True)
        click.echo(_("Nothing was imported."), err=True)
        raise SystemExit(1) from None
    for name, report in reports:
        _show(name, report)
    if dry_run:
        click.echo(_("Dry run: nothing was saved."))


def run(
    file: Path, grids_file: Path | None = None, boundary_file: Path | None = None, *, abbr: str | None = None,
    dry_run: bool = False,
) -> list[tuple[str, Report]]:  # fmt: skip
    """Import the files in one transaction; (file name, report) for each.

    Raises ImportRefused, having changed nothing.
    """
    try:
        with db.transaction():
            reports = _import(file, grids_file, boundary_file, abbr)
            if dry_run:
                raise _DryRun(reports)
    except _DryRun as dry:
        reports = dry.reports
    return reports


class _DryRun(Exception):
    """Rolls the import back and carries out what it did."""

    def __init__(self, reports: list[tuple[str, Report]]) -> None:
        super().__init__()
        self.reports = reports


def _import(
    file: Path, grids_file: Path | None, boundary_file: Path | None, abbr: str | None
) -> list[tuple[str, Report]]:
    units = divisions.read(file)
    if abbr is not None:
        units = divisions.with_abbr(units, abbr, file.name)
    reports = [(file.name, actions.import_divisions(units, source=file.name))]
    if grids_file is not None:
        parents = session.scalars(
            sa.select(Grid.code).where(sa.func.length(Grid.code) >= LENGTH[Level.village], Grid.closed_at.is_(None))
        )
        rows = micro.read(grids_file, set(parents))
        reports.append((grids_file.name, actions.import_micro(rows, source=grids_file.name)))
    if boundary_file is not None:
        areas = boundaries.read(boundary_file, set(session.scalars(sa.select(Grid.code))))
        reports.append((boundary_file.name, actions.import_boundaries(areas, source=boundary_file.name)))
    return reports


def _show(name: str, report: Report) -> None:
    words = {
        "added": _("added"), "renamed": _("renamed"), "updated": _("updated"), "reopened": _("reopened"),
        "closed": _("closed"), "drawn": _("areas drawn"), "unchanged": _("unchanged"),
    }  # fmt: skip
    counts = [f"{words[kind]} {count}" for kind, count in report.counts.items() if kind != "drawn" or count]
    click.echo(f"{name}: " + ", ".join(counts))
    for kind in ("added", "renamed", "updated", "reopened", "closed"):
        changes = getattr(report, kind)
        for change in changes[:LISTED]:
            was = f"{change.was} → " if change.was else ""
            click.echo(f"  {words[kind]}: {change.code} {was}{change.name}")
        if len(changes) > LISTED:
            click.echo("  " + _("%(kind)s: … and %(num)d more", kind=words[kind], num=len(changes) - LISTED))
    for warning in report.warnings:
        click.echo(_("Warning: %(warning)s", warning=warning))
