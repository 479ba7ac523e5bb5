"""`gridgov calendar …`: the yearly notice, single days, office hours, and having all deadlines reckoned anew."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click

from gridgov import db
from gridgov.errors import DomainError
from gridgov.grids import csvfile
from gridgov.grids.csvfile import ImportRefused
from gridgov.i18n import _
from gridgov.worktime import actions, notice, queries, recompute
from gridgov.worktime.actions import Report

FILE = click.Path(exists=False, dir_okay=False, path_type=Path)
LISTED = 40


@click.group()
def calendar() -> None:
    """Working days and office hours."""


@calendar.command("import")
@click.argument("file", type=FILE)
@click.option("--year", type=int, help="The year of the notice, when the file does not show it.")
@click.option("--single", is_flag=True, help="These are single days, not a whole year's notice: leave all others as they are.")
@click.option("--dry-run", is_flag=True, help="Say what would change and change nothing.")
def import_file(file: Path, year: int | None, single: bool, dry_run: bool) -> None:
    """Take in a year's notice from FILE: CSV with date, kind (work or rest) and name, or holiday-cn's JSON.

    A file with mistakes changes nothing. Afterwards every running deadline is reckoned anew; if that is interrupted the
    scheduler goes on with it.
    """
    with _told():
        found = notice.read(csvfile.read_bytes(file), file.name, year=year, single=single)
        with db.transaction():
            report = actions.import_notice(found, actor=None, dry_run=dry_run)
    _show(report, dry_run)
    if report.change is not None:
        _follow()


@calendar.command()
@click.argument("year", type=int)
def show(year: int) -> None:
    """List the days of YEAR that differ from the weekends."""
    with _told(), db.transaction():
        found = queries.year(year)
    state = _("official (%(source)s)", source=found["source"]) if found["published"] else _("provisional: no notice yet")
    click.echo(f"{year}: {state}")
    for day in found["days"]:
        click.echo(f"  {day['date']} {_('rest') if day['isOffDay'] else _('work')} {day['name']}".rstrip())


@calendar.command()
@click.argument("grid")
@click.argument("text", default="")
@click.option("--from", "valid_from", type=click.DateTime(["%Y-%m-%d"]), help="The first day; today when not given.")
def hours(grid: str, text: str, valid_from: datetime | None) -> None:
    """Set the office hours of GRID (6 or 9 digits) to TEXT, like "08:00-12:00, 15:00-18:00"; without TEXT as those above it."""
    with _told(), db.transaction():
        change = actions.set_hours(grid, text, valid_from.date() if valid_from else None, actor=None)
    if change is None:
        click.echo(_("Nothing had to be changed."))
    else:
        _follow()


@calendar.command("recompute")
def recompute_all() -> None:
    """Reckon every running deadline anew, after calendars.yaml or the package of official days was changed."""
    with _told(), db.transaction():
        actions.reckon_all(actor=None)
    _follow()


def _show(report: Report, dry_run: bool) -> None:
    if report.published:
        click.echo(_("%(year)s becomes official.", year=report.year))
    for change in report.days[:LISTED]:
        click.echo(f"  {change.day}: {_('work') if change.working else _('rest')} {change.name}".rstrip())
    if len(report.days) > LISTED:
        click.echo("  " + _("… and %(n)s more days", n=len(report.days) - LISTED))
    for words in report.notes:
        click.echo(_("Note: %(words)s", words=words))
    if not report.changed:
        click.echo(_("Nothing had to be changed."))
    elif dry_run:
        click.echo(_("Dry run: nothing was saved."))


def _follow() -> None:
    """See the deadlines through, and say how many moved."""
    try:
        recompute.finish()
    except TimeoutError:
        click.echo(_("Somebody is still working with the older calendar; the scheduler sees to the last deadlines."))
    with db.transaction():
        change = queries.changes(1)[0]
        click.echo(
            _("%(moved)s deadlines moved, %(confirmed)s are no longer provisional.", moved=change.moved, confirmed=change.confirmed)
        )


@contextmanager
def _told() -> Iterator[None]:
    """A refusal is said in words and ends with status 1; nothing was imported."""
    try:
        yield
    except ImportRefused as refusal:
        click.echo(refusal.message, err=True)
        click.echo(_("Nothing was imported."), err=True)
        raise SystemExit(1) from None
    except DomainError as refusal:
        click.echo(refusal.message, err=True)
        raise SystemExit(1) from None
