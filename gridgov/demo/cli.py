"""`gridgov demo …`: filling an empty installation with the demo city."""

import time
from collections.abc import Callable
from typing import Any

import click
import sqlalchemy as sa

from gridgov import db, demo as demo_city
from gridgov.db import session
from gridgov.demo import city, issues, people, story
from gridgov.errors import Conflict
from gridgov.grids.models import Grid, Level
from gridgov.grids.queries import under
from gridgov.i18n import _, pick
from gridgov.issues.models import Issue
from gridgov.people.models import Person

SEED = 430581


@click.group()
def demo() -> None:
    """The demo city."""


@demo.command()
@click.option("--seed", default=SEED, show_default=True, help="Another number makes another city.")
@click.option("--issues", "count", default=issues.COUNT, show_default=True, help="How many issues to play.")
def load(seed: int, count: int) -> None:
    """Load grids, people and sixty days of issues, unless they are there.

    Each part is loaded whole or not at all.
    """
    for line in run(seed, count):
        click.echo(line)


@demo.command("logins")
def show_logins() -> None:
    """Say whom one can sign in as."""
    for label, name, phone, password in demo_city.logins():
        click.echo(f"{phone}  {password}  {name}  {pick(label)}")


def run(seed: int = SEED, count: int = issues.COUNT, tell: Callable[[str], None] = click.echo) -> list[str]:
    """Load what is not there yet, a transaction for each part. Returns a line for each; `tell` hears of
    progress.

    Raises Conflict, having changed nothing, in a database that holds anything but the demo city.
    """
    lines = []
    with db.transaction():
        _refuse_foreign_rows()
    stages: list[tuple[str, type[Any], Any, Callable[[], Any]]] = [
        (_("grids"), Grid, Grid.demo.is_(True), lambda: _grids(seed)),
        (_("people"), Person, sa.true(), lambda: people.load(seed)),
        (_("issues"), Issue, sa.true(), lambda: issues.load(seed, count, tell)),
    ]
    for name, table, mine, stage in stages:
        began = time.monotonic()
        with db.transaction():
            if session.scalar(sa.select(sa.exists().where(mine).select_from(table))):
                lines.append(_("Demo %(stage)s: there already.", stage=name))
                continue
            tell(_("Demo %(stage)s …", stage=name))
            made = stage()
        numbers = ", ".join(f"{kind} {number}" for kind, number in made.items())
        words = {"stage": name, "numbers": numbers, "seconds": f"{time.monotonic() - began:.1f}"}
        lines.append(_("Demo %(stage)s: %(numbers)s (%(seconds)s s).", **words))
    return lines


def _grids(seed: int) -> dict[str, int]:
    for report in city.load(seed):
        if report.closed:
            raise _not_empty()  # A newer tree of the same county, for instance.
    rows = session.execute(
        sa.select(Grid.level, sa.func.count())
        .where(under(Grid.code, story.CITY))
        .group_by(Grid.level)
    )
    counts = {str(level): count for level, count in rows}
    return {level.value: counts.get(level.value, 0) for level in Level}


def _refuse_foreign_rows() -> None:
    """Made-up people must not come among real ones, nor made-up grids close real ones."""
    real_grids = sa.exists().where(Grid.level == Level.micro, Grid.demo.is_(False))
    first = story.LOGINS[0].phone
    strangers = sa.and_(
        sa.exists().where(sa.true()).select_from(Person),
        ~sa.exists().where(Person.phone == first).select_from(Person),
    )
    if session.scalar(sa.select(sa.or_(real_grids, strangers))):
        raise _not_empty()


def _not_empty() -> Conflict:
    words = _("This database holds a real city. The demo city needs an empty one.")
    return Conflict(words, code="not_empty")
