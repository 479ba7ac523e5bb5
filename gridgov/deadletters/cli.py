"""`gridgov timers …`: how deadlines and messages stand, and trying again what failed for good."""

import click
import sqlalchemy as sa

from gridgov import db
from gridgov.deadletters import actions, queries

WAITING = sa.text(
    "SELECT (SELECT count(*) FROM timers WHERE state = 'open'),"
    " (SELECT count(*) FROM timers WHERE state = 'open' AND run_at <= app_now()),"
    " (SELECT coalesce(extract(epoch FROM app_now() - min(run_at)), 0) FROM timers"
    "  WHERE state = 'open' AND run_at <= app_now()),"
    " (SELECT count(*) FROM outbox WHERE done_at IS NULL AND dead_at IS NULL)"
)


@click.group()
def timers() -> None:
    """Deadlines and messages."""


@timers.command()
def status() -> None:
    """Print how many wait, how late the oldest is, and what is dead."""
    with db.transaction():
        waiting, due, late_s, messages = db.session.execute(WAITING).one()
        dead_timers, dead_messages = queries.counts()
        click.echo(f"open {waiting}, due {due}, oldest due for {float(late_s):.0f} s, messages waiting {messages}")
        click.echo(f"dead: {dead_timers} deadlines, {dead_messages} messages")
        for letter in queries.dead(20):
            click.echo(f"  {letter.id}  {letter.what}  {letter.number or '-'}  {letter.attempts} attempts  {letter.error}")


@timers.command()
@click.argument("letters", nargs=-1, required=True)
def retry(letters: tuple[str, ...]) -> None:
    """Try LETTERS again (timer-12, message-<uuid>), as done by the system."""
    for letter in letters:
        with db.transaction():
            click.echo(f"{letter}: {actions.retry(letter, actor=None)}")
