"""`gridgov audit` and `gridgov workflow`: prove the record of issues, and check or draw the workflow file."""

from pathlib import Path

import click

from gridgov import db
from gridgov.config import ROOT
from gridgov.errors import PolicyError
from gridgov.issues import audit as chains, flow, handbook
from gridgov.people import roles

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def audit() -> None:
    """The record of issues, which nobody can change unseen."""


@audit.command()
def verify() -> None:
    """Work out every issue's chain of events anew. Exit status 1 when anything is not as it was written."""
    with db.transaction():
        report = chains.verify()
    click.echo(f"{report.issues} issues, {report.events} events.")
    if not report.findings:
        click.echo("Every chain is whole.")
        return
    click.echo(f"First: {report.findings[0]}", err=True)
    for finding in report.findings[1:]:
        click.echo(f"Also: {finding}", err=True)
    click.echo(f"{report.wrong} things are not as they were written.", err=True)
    raise SystemExit(1)


@click.group()
def workflow() -> None:
    """The life of an issue: workflows/issue.yaml and the files beside it."""


@workflow.command()
@click.argument("folder", type=FOLDER, default=ROOT / "workflows")
def check(folder: Path) -> None:
    """Prove the policy files of FOLDER as at boot. Exit status 1 with file, line and reason when one is wrong."""
    try:
        found = flow.load(folder.resolve())
        held = roles.load(folder.resolve())
    except PolicyError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None
    click.echo(
        f"{folder}: {len(found.states)} states, {len(found.transitions)} transitions, {len(held.rules)} roles; all proven."
    )


@workflow.command()
@click.option("--write", is_flag=True, help="Write it to docs/workflows.md.")
@click.option(
    "--check", is_flag=True, help="Write nothing; exit with 1 when docs/workflows.md is out of date."
)
def diagram(write: bool, check: bool) -> None:
    """The workflow as a diagram and tables."""
    fresh = handbook.text()
    name = handbook.FILE.relative_to(ROOT)
    if check and (not handbook.FILE.exists() or handbook.FILE.read_text("utf-8") != fresh):
        click.echo(f"{name} is out of date: run `python -m gridgov workflow diagram --write`.", err=True)
        raise SystemExit(1)
    if write:
        handbook.FILE.parent.mkdir(exist_ok=True)
        handbook.FILE.write_text(fresh, "utf-8")
        click.echo(f"{name} written.")
    elif not check:
        click.echo(fresh)


# Policy files and documents need no servers.
check.offline = diagram.offline = True  # type: ignore[attr-defined]
