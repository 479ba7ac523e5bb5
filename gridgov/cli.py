"""`python -m gridgov …`: the command line. Everything heavy is imported by the command that needs it."""

import ast
import functools
import importlib
import importlib.util
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from gridgov.address import Address, number
from gridgov.errors import ConfigError, DomainError, PolicyError
from gridgov.processes import ServerError, describe, die_with_parent

STREAMS = 8_192  # Open pages and requests that one web process may have at once; the hub bounds the pages.


class Root(click.Group):
    """Our own commands, and those of the domain packages, which are loaded when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return [*super().list_commands(ctx), *_addresses()]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of that name, loaded."""
        own = super().get_command(ctx, name)
        if own is not None or name not in _addresses():
            return own
        module, _, attribute = _addresses()[name].partition(":")
        return _with_app(getattr(importlib.import_module(module), attribute))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading the packages: their modules' first lines say what they do."""
        own = [
            (name, command.get_short_help_str())
            for name, command in sorted(self.commands.items())
            if not command.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(own + [(name, _first_line(address)) for name, address in _addresses().items()])


@click.group(cls=Root)
def gridgov() -> None:
    """Four-level grid governance for a county city. Settings are GRIDGOV_* variables: docs/configure.md."""


@gridgov.command()
@click.option(
    "--stop-with-parent", is_flag=True, hidden=True, help="Stop when the process that started us ends."
)
def run(stop_with_parent: bool) -> None:
    """Run everything under one supervisor, until Ctrl-C."""
    from gridgov.supervisor import Supervisor

    if stop_with_parent:
        die_with_parent(os.getppid(), signal.SIGTERM)
    Supervisor(Address.from_env()).run()


@gridgov.command()
@click.option(
    "--without-logins", is_flag=True, hidden=True, help="Leave the demo's logins to the caller to print."
)
def setup(without_logins: bool) -> None:
    """Prepare the data folder and the database, and load the demo city once."""
    from gridgov import prepared

    with application() as app:
        _migrate(app, "head")
        logins = _load_demo() if prepared.wants_demo() else ""
        prepared.note(app.config["GRIDGOV"].var, logins)
    if logins and not without_logins:
        click.echo(logins)


def _load_demo() -> str:
    from gridgov import demo
    from gridgov.demo.cli import demo as commands
    from gridgov.i18n import pick

    commands.main(["load"], standalone_mode=False)
    rows = [f"  {phone}  {password}  {name}  {pick(label)}" for label, name, phone, password in demo.logins()]
    return "\n".join(["Demo logins (phone, password, name, role):", *rows])


@gridgov.command()
@click.argument("revision", default="head")
@click.option("--down", is_flag=True, help='Go back to REVISION instead; "base" removes everything.')
def migrate(revision: str, down: bool) -> None:
    """Bring the database's schema to REVISION, by default the newest."""
    with application() as app:
        _migrate(app, revision, down=down)


@gridgov.command()
def web() -> None:
    """Serve the pages and the API."""
    from gridgov.config import Config

    config = Config.from_env()  # One clear line here instead of a traceback from each of the server's processes.
    address = Address.from_env()
    options = {
        "--interface": "rsgi", "--loop": "uvloop", "--host": address.host, "--port": str(address.port), "--log-level": "warning",
        "--workers": str(number("GRIDGOV_WEB_WORKERS", 2, 64)),
        "--backpressure": str(STREAMS), "--backlog": "1024",
        "--workers-kill-timeout": "10", "--log-config": str(Path(__file__).with_name("granian.json")),
    }  # fmt: skip
    from gridgov import metrics

    os.environ[metrics.FOLDER] = str(metrics.fresh_folder(config.var, address.port))
    argv = [sys.executable, "-m", "granian", *(part for pair in options.items() for part in pair)]
    number("GRIDGOV_WEB_THREADS", 8, 64)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # Each open page is a file to the system.
    os.chdir(Path(__file__).resolve().parent.parent)
    os.execv(sys.executable, [*argv, "--no-ws", "--respawn-failed-workers", "wsgi:server"])  # noqa: S606


@gridgov.command()
def worker() -> None:
    """Work off the queues."""
    app = _logging_app()
    from rq import SimpleWorker
    from rq.serializers import JSONSerializer

    from gridgov import jobs

    # No fork for each job: three times as fast, and database connections stay. A job may run twice anyway.
    queues = [jobs.queue(name) for name in jobs.QUEUES]
    with app.app_context():
        SimpleWorker(queues, connection=jobs.connection(), serializer=JSONSerializer).work(
            logging_level="WARNING"
        )


@gridgov.command()
def scheduler() -> None:
    """Watch deadlines and hand out what waits in the outbox. Several may run."""
    app = _logging_app()
    from gridgov import schedule

    stop = threading.Event()
    for told in (signal.SIGTERM, signal.SIGINT):
        signal.signal(told, lambda *_: stop.set())
    with app.app_context():
        schedule.run_forever(stop)


def _logging_app() -> Any:
    """The application of a process that logs, as the web server's processes do."""
    from gridgov import logs
    from gridgov.app import config_of, create_app

    app = create_app()
    logs.setup(config_of(app).log, config_of(app).log_level)
    return app


@contextmanager
def application() -> Iterator[Any]:
    """The application with its servers and its context, for as long as a command needs them."""
    from gridgov import local

    with ExitStack() as stack:
        stack.enter_context(local.servers(local.settle()))
        from gridgov.app import create_app

        app = create_app()
        stack.callback(app.extensions["engine"].dispose)
        stack.enter_context(app.app_context())
        yield app


def main() -> None:
    """Run a command. A refusal is one line on standard error and exit status 1."""
    try:
        left = gridgov.main(prog_name="gridgov", standalone_mode=False)
        if isinstance(left, int):  # The status of a command that left by `Exit`.
            sys.exit(left)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except (ServerError, ConfigError, PolicyError, DomainError) as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(describe(error))


def _refuse(reason: str) -> None:
    if reason:
        print(f"gridgov: {' '.join(reason.split())}", file=sys.stderr)
    sys.exit(1)


def _migrate(app: Any, revision: str, *, down: bool = False) -> None:
    from sqlalchemy.exc import OperationalError

    from gridgov import db, migrate as migration

    try:
        (migration.downgrade if down else migration.upgrade)(app.extensions["engine"], revision)
    except OperationalError as error:
        raise ServerError(f"The database cannot be reached: {str(error.orig).strip()}") from error
    if revision == "head" and not down:
        with db.transaction():
            for seed in app.extensions["gridgov_seeds"]:
                seed()


@functools.cache
def _addresses() -> dict[str, str]:
    """The domain packages' commands: name and `module:object`."""
    from gridgov.app import COMMANDS

    return COMMANDS


def _first_line(address: str) -> str:
    """What a package's commands are for, without importing it."""
    found = importlib.util.find_spec(address.partition(":")[0])
    if found is None or found.origin is None:
        raise ImportError(f"The command's module is missing: {address}")
    text = ast.get_docstring(ast.parse(Path(found.origin).read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].partition(": ")[2]


def _with_app(command: click.Command) -> click.Command:
    """Let every command in it run inside the application; parsing, --help and what is marked `offline` do without."""
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _with_app(inner)
    elif command.callback is not None and not getattr(command, "offline", False):
        command.callback = _in_application(command.callback)
    return command


def _in_application(callback: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(callback)
    def inside(*args: Any, **kwargs: Any) -> Any:
        with application():
            return callback(*args, **kwargs)

    return inside
