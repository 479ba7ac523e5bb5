"""What a local installation supplies when nothing is configured: data folder, secret key, servers."""

import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from gridgov.config import ROOT, Config
from gridgov.embedded import AlreadyRunning, Postgres, Redis, ServerError
from gridgov.processes import Server, describe

Pause = Callable[[float], None]


def data_folder() -> Path:
    """The data folder, made when absent and proven writable. Raises ServerError."""
    folder = Path(os.environ.get("GRIDGOV_VAR") or ROOT / "var").absolute()
    probe = folder / f".probe-{os.getpid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ServerError(
            f"The data folder cannot be written ({describe(error)}); set GRIDGOV_VAR to one that can."
        ) from error
    os.environ["GRIDGOV_VAR"] = str(folder)
    return folder


def secret_key(folder: Path) -> str:
    """The key that signs sessions: made once and kept in the data folder, readable by its owner alone."""
    kept = folder / "secret_key"
    try:
        return kept.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        fresh = folder / f".secret_key-{os.getpid()}"
        with os.fdopen(
            os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii"
        ) as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(fresh, kept)  # Whoever is second takes the first one's key.
        except FileExistsError:
            pass  # The other process has just made it, complete.
        finally:
            fresh.unlink()
        return kept.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ServerError(
            f"The secret key cannot be read ({describe(error)}); run as the owner of {folder}."
        ) from error


def settle(*, local: bool = False) -> Path:
    """Complete the environment, all but the servers' addresses, check it, and return the data folder.

    local: also when both addresses are given, as `gridgov run` does. Without it, and with both given, every
    process must be told the same secret key. Raises ServerError or ConfigError.
    """
    folder = data_folder()
    embedded = not (os.environ.get("GRIDGOV_DATABASE_URL") and os.environ.get("GRIDGOV_REDIS_URL"))
    if not os.environ.get("GRIDGOV_SECRET_KEY") and (local or embedded or (folder / "secret_key").exists()):
        os.environ["GRIDGOV_SECRET_KEY"] = secret_key(folder)
    given: dict[str, Any] = (
        {} if os.environ.get("GRIDGOV_DATABASE_URL") else {"database_url": "postgresql:///to-be-started"}
    )
    given |= {} if os.environ.get("GRIDGOV_REDIS_URL") else {"redis_url": "unix:///to-be-started"}
    Config.from_env(**given)
    return folder


def embedded_servers(folder: Path, pause: Pause = time.sleep) -> list[tuple[str, Postgres | Redis]]:
    """The servers to run ourselves, not started, each with the variable that would name another instead."""
    known: list[tuple[str, Postgres | Redis]] = [
        ("GRIDGOV_DATABASE_URL", Postgres(folder / "postgres", pause=pause)),
        ("GRIDGOV_REDIS_URL", Redis(folder / "redis", pause=pause)),
    ]
    return [(variable, server) for variable, server in known if not os.environ.get(variable)]


@contextmanager
def servers(folder: Path) -> Iterator[None]:
    """Have both servers' addresses in the environment: as configured, else of those running on the data
    folder, else of servers started for as long as this lasts.
    """
    with ExitStack() as stack:
        users = stack.enter_context((folder / "users.lock").open("w"))
        fcntl.flock(users, fcntl.LOCK_SH)
        for variable, server in embedded_servers(folder):
            stack.callback(os.environ.pop, variable, None)
            if _join_or_start(server):
                stack.callback(_stop_after_others, server, users.fileno())
            os.environ[variable] = server.url
        yield


def _join_or_start(server: Server) -> bool:
    """Whether it was started here."""
    while True:
        if server.join():
            return False
        try:
            server.start()
            return True
        except AlreadyRunning:
            continue  # Another command was faster; its server is the one to join.


def _stop_after_others(server: Server, users: int) -> None:
    """Stop a server we started, once no other command works with it."""
    fcntl.flock(users, fcntl.LOCK_EX)
    server.stop()
