"""`gridgov simulate`: play a virtual city under one or more policies, and compare what becomes of its issues."""

import gc
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, time as clock, timedelta
from pathlib import Path
from typing import Any

import click

from gridgov import db, migrate
from gridgov.config import ROOT
from gridgov.i18n import forced
from gridgov.issues import actions, flow
from gridgov.people import roles
from gridgov.processes import spawn
from gridgov.simulate import model as assumed, scratch

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
TEXT = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(invoke_without_command=True)
@click.option("--days", type=click.IntRange(1, 3660), default=90, show_default=True, help="How many virtual days.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another number makes other reports.")
@click.option("--policy", "policies", type=FOLDER, multiple=True,
              help="A folder with issue.yaml and the files beside it. Give it again to compare.  [default: workflows/]")  # fmt: skip
@click.option("--micro-grids", type=click.IntRange(1, 100_000), default=4000, show_default=True, help="Size of the city.")
@click.option("--issues-per-day", type=click.FloatRange(0, 100_000, min_open=True),
              help="Reports a day in the mean of a year.  [default: by households]")  # fmt: skip
@click.option("--model", "assumptions", type=TEXT, default=assumed.FILE, help="Other assumptions; docs/simulation.md.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("simulation"), show_default=True,
              help="Where the report and the tables go.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON instead of the table.")
@click.option("--lang", type=click.Choice(["zh", "en"]), default=None, help="Language of the report.")
@click.option("--on-server", is_flag=True, help="New databases on the server of GRIDGOV_DATABASE_URL, dropped afterwards.")
@click.pass_context
def simulate(ctx: click.Context, /, **given: Any) -> None:
    """Play a virtual city under one or more policies, and compare.

    It runs in a scratch database through the real engine, and never touches a city's own data. How the city behaves is
    assumed, not measured: docs/simulation.md.
    """
    if ctx.invoked_subcommand is None:
        _simulate(**given)


@dataclass(frozen=True)
class Order:
    """What is to be played, as the child processes are told."""

    days: int
    seed: int
    micro_grids: int
    per_day: float | None
    assumptions: str

    @classmethod
    def read(cls, path: Path) -> "Order":
        """An order as it was written."""
        return cls(**json.loads(path.read_text("utf-8")))


def _simulate(
    days: int, seed: int, policies: tuple[Path, ...], micro_grids: int, issues_per_day: float | None, assumptions: Path,
    out: Path, as_json: bool, lang: str | None, on_server: bool,
) -> None:  # fmt: skip
    from gridgov.simulate import city, habits

    model = assumed.load(assumptions.resolve())
    folders = [folder.resolve() for folder in policies or (ROOT / "workflows",)]
    if len(set(folders)) < len(folders):
        raise click.UsageError("--policy names the same folder twice.")
    for folder in folders:
        roles.load(folder)
        workflow = flow.use(folder)
        habits.prove(workflow, model)
    if not city.check_size(model, micro_grids):
        raise click.BadParameter("the codes have no room for so many", param_hint="--micro-grids")
    server = os.environ.get("GRIDGOV_DATABASE_URL") if on_server else None
    if on_server and not server:
        raise click.UsageError("--on-server needs GRIDGOV_DATABASE_URL.")
    out.mkdir(parents=True, exist_ok=True)
    language = lang or os.environ.get("GRIDGOV_LANGUAGE") or "zh"
    order = Order(days, seed, micro_grids, issues_per_day, str(assumptions.resolve()))
    with scratch.databases(len(folders), server) as (place, urls):
        (place / "order.json").write_text(json.dumps(vars(order)), "utf-8")
        children = [_Child(n, url, folder, place, language) for n, (url, folder) in enumerate(zip(urls, folders, strict=True))]
        try:
            _wait(children, days)
        finally:
            for child in children:
                child.end()
        results = [str(place / f"result-{n}.json") for n in range(len(folders))]
        argv = [sys.executable, "-m", "gridgov", "simulate", "write", "--to", str(out.resolve()), *(["--json"] if as_json else [])]
        told = scratch.environment(urls[0], folders[0], place, language)
        done = subprocess.run([*argv, *results], env=told, cwd=ROOT, check=False)
        if done.returncode:
            raise click.exceptions.Exit(done.returncode)


class _Child:
    """A process that plays one policy on one database."""

    def __init__(self, n: int, url: str, policy: Path, place: Path, language: str) -> None:
        argv = [sys.executable, "-m", "gridgov", "simulate", "play", str(place / "order.json"), str(place / f"result-{n}.json")]
        told = scratch.environment(url, policy, place, language)
        self.policy, self.day, self.issues = policy, 0, 0
        self.process = spawn(argv, env=told, cwd=ROOT, stdout=subprocess.PIPE)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        for line in self.process.stdout or ():
            self.day, self.issues = map(int, line.split())

    def end(self) -> None:
        """Stop it if it still runs."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._listener.join()


def _wait(children: list[_Child], days: int) -> None:
    """Wait for all of them, and say how far they are. Raises Exit when one failed: it has said why."""
    begin, said = time.monotonic(), -1
    on_screen = sys.stderr.isatty()
    while any(child.process.poll() is None for child in children):
        time.sleep(0.2)
        if any(child.process.poll() for child in children):
            break
        day = min(child.day for child in children)
        if day > said and (on_screen or day >= said + days / 10):
            issues = " + ".join(f"{child.issues}" for child in children)
            line = f"  day {day}/{days}: {issues} issues, {time.monotonic() - begin:.0f} s"
            click.echo(f"\r{line}   " if on_screen else line, err=True, nl=not on_screen)
            said = day
    if on_screen:
        click.echo("", err=True)
    failed = [child for child in children if child.process.poll()]
    if failed:
        click.echo(f"gridgov: the simulation of {failed[0].policy} failed", err=True)
        raise click.exceptions.Exit(1)


@simulate.command(hidden=True)
@click.argument("order", type=TEXT)
@click.argument("result", type=click.Path(path_type=Path))
def play(order: Path, result: Path) -> None:
    """Play one policy on the configured database, which must be empty. `simulate` calls this."""
    from gridgov.simulate import arrivals, city as cities, habits, measure, run

    given = Order.read(order)
    model, began = assumed.load(Path(given.assumptions)), time.monotonic()
    migrate.upgrade(db.session.get_bind())  # type: ignore[arg-type]
    midnight = datetime.combine(model.start, clock(), arrivals.SHANGHAI).astimezone(UTC)
    with db.transaction():
        actions.seed_categories()
        db.set_clock(midnight)
        city = cities.build(model, given.seed, given.micro_grids)
    per_day = given.per_day or arrivals.daily(model, city.households)
    played = run.Run(model, given.seed, city, habits.Habits(model, given.seed, flow.current(), city), midnight,
                     midnight + timedelta(days=given.days))  # fmt: skip
    stream = arrivals.stream(model, given.seed, city.micro, given.days, per_day)
    gc.collect()
    gc.freeze()  # The city stays to the end: looking through it for garbage again and again took a twelfth of the time.
    gc.set_threshold(50_000, 20, 20)
    playing = time.monotonic()
    played.play(stream, lambda at, issues: print((at - midnight).days, issues, flush=True))
    played_s = time.monotonic() - playing
    with db.transaction():
        levels, means, load = measure.levels(), played.series.means(), played.load()
        found = {
            "policy": flow.current().file.path.parent.name, "folder": str(flow.current().file.path.parent),
            "order": vars(given), "start": model.start.isoformat(), "per_day": per_day, "households": city.households,
            "staff": {level: sum(len(p) for u, p in city.staff.items() if habits.level_of(u) == level) for level in levels},
            "levels": {level: row | means[level] | {"load": load[level]} for level, row in levels.items()},
            "totals": measure.totals(), "moves": measure.moves(), "refused": dict(sorted(played.refused.items())),
            "days": played.series.days, "limits": _limits(), "played_s": round(played_s, 3), "took_s": round(time.monotonic() - began, 1),
        }  # fmt: skip
    result.write_text(json.dumps(found, ensure_ascii=False), "utf-8")
    print(given.days, played.series.reported, flush=True)


@simulate.command(hidden=True)
@click.option("--to", "folder", type=click.Path(path_type=Path), required=True)
@click.option("--json", "as_json", is_flag=True)
@click.argument("results", nargs=-1, type=TEXT)
def write(folder: Path, as_json: bool, results: tuple[Path, ...]) -> None:
    """Write the report of what was played. `simulate` calls this."""
    from gridgov.simulate import page, report

    played = [json.loads(path.read_text("utf-8")) for path in results]
    with forced(os.environ["GRIDGOV_LANGUAGE"]):
        written = page.write(folder, played)
        click.echo(json.dumps(played, ensure_ascii=False, indent=1) if as_json else report.table(played))
        if not as_json:
            click.echo(str(written))


def _limits() -> dict[str, Any]:
    """The policy's limits, for the report."""
    rules = flow.rules()
    units = {level.name: level.limits for level in rules.levels.values()} | {"department": rules.department_limits}
    return {name: {key: [limit.amount_s, str(limit.clock)] for key, limit in limits.items()} for name, limits in units.items()}
