"""`gridgov people …`: the first administrator, and what must work when no administrator can sign in."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from gridgov import db
from gridgov.errors import DomainError
from gridgov.i18n import _
from gridgov.people import actions, queries
from gridgov.people.models import Person, Role

PASSWORD = click.option(
    "--password", prompt=True, hide_input=True, confirmation_prompt=True, envvar="GRIDGOV_NEW_PASSWORD",
    help="Asked for when not given.",
)  # fmt: skip


@click.group()
def people() -> None:
    """People and their posts. All is recorded in the log of administrative acts, as done by the system."""


@people.command()
@click.argument("phone")
@click.argument("name")
@click.option("--grid", "grid_code", required=True, help="The six digits of the city, e.g. 430581.")
@PASSWORD
def administrator(phone: str, name: str, grid_code: str, password: str) -> None:
    """Enter the administrator NAME with PHONE for a city. A new installation needs one."""
    with _told():
        person = queries.by_phone(phone) or actions.create_person(name, phone, actor=None, password=password)
        actions.appoint(person, Role.ADMINISTRATOR, actor=None, grid_code=grid_code)
    click.echo(_("%(name)s is an administrator of %(grid)s.", name=person.name, grid=grid_code))


@people.command()
@click.argument("phone")
@click.argument("role", type=click.Choice([str(role) for role in Role]))
@click.option("--grid", "grid_code", help="The code of the grid; for every role but department.")
@click.option("--department", help="The code of the department; for the role department.")
@click.option("--line", "lines", multiple=True, help="A line of work of the post; may be given several times.")
@click.option("--title", help="What the post is called.")
def appoint(phone: str, role: str, grid_code: str | None, department: str | None, lines: tuple[str, ...], title: str | None) -> None:
    """Give the person with PHONE the post ROLE, from today. The chief of a line (line_chief) needs --line."""
    with _told():
        person = _known(phone)
        where = queries.department(department).id if department else None
        actions.appoint(
            person, Role(role), actor=None, grid_code=grid_code, department_id=where, lines=lines, title=title
        )
    click.echo(_("%(name)s holds the post from today.", name=person.name))


@people.command()
@click.argument("phone")
@PASSWORD
def password(phone: str, password: str) -> None:
    """Give the person with PHONE a new password; all their sessions end."""
    with _told():
        actions.set_password(_known(phone), password, actor=None)
    click.echo(_("The password is changed."))


@people.command()
@click.argument("phone")
def disable(phone: str) -> None:
    """Shut the person with PHONE out at once."""
    with _told():
        actions.disable(_known(phone), actor=None)
    click.echo(_("Shut out. Sessions and tokens are ended."))


@people.command()
@click.argument("phone")
def show(phone: str) -> None:
    """Show who has PHONE, and the posts held today."""
    with _told():
        person = _known(phone)
        state = _("shut out") if person.disabled_at else _("may sign in")
        click.echo(f"{person.name} {person.phone} ({state})")
        for placed in queries.placed_posts(person):
            where = placed.grid.code if placed.grid else placed.department and placed.department.code
            click.echo(f"  {placed.post.role} {where} {placed.post.starts_on} – {placed.post.ends_on or ''}")


@contextmanager
def _told() -> Iterator[None]:
    """One transaction; a refusal is one line and exit status 1."""
    try:
        with db.transaction():
            yield
    except DomainError as refusal:
        click.echo(refusal.message, err=True)
        raise SystemExit(1) from None


def _known(phone: str) -> Person:
    person = queries.by_phone(phone)
    if person is None:
        raise DomainError(_("Nobody has this phone number."))
    return person
