"""`gridgov photos …`: clearing away files that no photo names."""

from datetime import timedelta

import click

from gridgov import db
from gridgov.i18n import _
from gridgov.photos import actions


@click.group()
def photos() -> None:
    """The store of photos."""


@photos.command()
@click.option(
    "--days", default=7, show_default=True, type=click.IntRange(1), help="Only files older than that."
)
@click.option("--delete", is_flag=True, help="Remove them; without it they are only counted.")
def sweep(days: int, delete: bool) -> None:
    """Find files that no photo names: requests that failed after writing them leave them behind.

    After going back to an older backup of the database, wait: the newer photos' files are orphans to it, and
    all that is left of them.
    """
    with db.transaction():
        seen, orphans = actions.sweep_orphans(timedelta(days=days), dry_run=not delete)
    if delete:
        click.echo(_("%(seen)s files seen, %(orphans)s without a photo removed.", seen=seen, orphans=orphans))
    else:
        click.echo(
            _(
                "%(seen)s files seen, %(orphans)s without a photo. Nothing removed.",
                seen=seen,
                orphans=orphans,
            )
        )
