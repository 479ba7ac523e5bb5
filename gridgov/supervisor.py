"""`gridgov run`: servers, web server, worker and scheduler under one process, until it is told to stop.

What dies is started again, at growing intervals. Nothing outlives the supervisor: its children are stopped in
order when it is asked to end, and by the kernel when it is killed.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from gridgov import local, prepared
from gridgov.address import Address
from gridgov.config import ROOT
from gridgov.processes import (
    POLL_S,
    Server,
    ServerError,
    adopt_orphans,
    last_words,
    lock,
    open_log,
    spawn,
)

PARTS = ("web", "worker", "scheduler")
WEB_STARTING_S = 120.0
PORT_LINGERS_S = 10.0
GRACE_S = 10.0  # For a request or a job in hand.
BACKOFF_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
STABLE_S = 60.0
LOOK_S = 5.0  # A child's end wakes us at once; this is for one that ended while we waited for another.


class Stop(BaseException):
    """Raised out of any waiting when the supervisor is told to end."""


@dataclass
class Part:
    """One of our own processes, or a server, and when it is to be started again."""

    name: str
    server: Server | None = None
    process: subprocess.Popen[bytes] | None = None
    failures: int = 0
    started_at: float = 0.0
    again_at: float | None = None


@dataclass
class Supervisor:
    """Runs everything on one data folder, the web server at an address."""

    address: Address
    folder: Path = Path()
    parts: list[Part] = field(default_factory=list)
    stopping: bool = False
    signals: set[signal.Signals] = field(default_factory=set)

    def run(self) -> None:
        """Start everything, keep it running, return when told to stop. Raises ServerError or ConfigError."""
        self._watch_signals()
        adopt_orphans()
        self.folder = local.settle(local=True)
        with (self.folder / "run.lock").open("a+") as mark:
            clean = self._claim(mark)
            try:
                self._take_port(0.0 if clean else PORT_LINGERS_S)
                self._start()
                while True:
                    self._look_after()
                    self.pause(self._until_next())
            except Stop:
                say("Stopping …")
            finally:
                self.stopping = True
                self._stop()
                mark.truncate(0)
        say("Stopped.")

    def pause(self, seconds: float) -> None:
        """Wait so long, or until a child ends. Raises Stop when we are told to end."""
        got = signal.sigtimedwait(self.signals, max(seconds, 0.0))
        if got is not None and got.si_signo != signal.SIGCHLD and not self.stopping:
            raise Stop

    def _watch_signals(self) -> None:
        self.signals = {signal.SIGINT, signal.SIGTERM, signal.SIGCHLD}
        if (
            signal.getsignal(signal.SIGHUP) != signal.SIG_IGN
        ):  # As under nohup, where a closed terminal shall not matter.
            self.signals.add(signal.SIGHUP)
        signal.pthread_sigmask(signal.SIG_BLOCK, self.signals)

    def _claim(self, mark: IO[str]) -> bool:
        """Make this data folder ours. Returns whether the last run ended in order."""
        mark.seek(0)
        previous = mark.read().strip()
        if not lock(mark.fileno()):
            raise ServerError(
                f"{self.folder} is in use by another run (process {previous}): stop that, or set GRIDGOV_VAR."
            )
        mark.truncate(0)
        mark.write(str(os.getpid()))
        mark.flush()
        return not previous

    def _take_port(self, patience_s: float) -> None:
        """Make sure that the port is free. A killed run's web server may need a moment to let go of it."""
        end = time.monotonic() + patience_s
        while (refusal := self.address.refusal()) and time.monotonic() < end:
            self.pause(POLL_S * 5)
        if refusal:
            raise ServerError(f"{refusal}; set GRIDGOV_HOST or GRIDGOV_PORT to another.")

    def _start(self) -> None:
        for variable, server in local.embedded_servers(self.folder, self.pause):
            if not server.directory.exists():
                say(f"Setting up {server.name} in {server.directory} …")
            self.parts.append(
                Part(server.name, server)
            )  # First noted, so that it is stopped whatever happens.
            server.start()
            os.environ[variable] = server.url
            self.parts[-1].process, self.parts[-1].started_at = server.process, time.monotonic()
        logins = prepared.logins(self.folder)
        if logins is None:
            logins = self._prepare()
        for name in PARTS:
            self.parts.append(part := Part(name))
            self._launch(part)
            if name == "web":
                self._await(part)  # The first page comes sooner when the others do not start beside it.
        say(f"gridgov runs at {self.address.url}  (Ctrl-C stops it; logs are in {self.folder}/*.log)")
        if logins:
            say(logins)

    def _prepare(self) -> str:
        """Bring the database up to date and load the demo city once. Returns the demo's logins, for print."""
        process = spawn(command("setup", "--without-logins"), cwd=ROOT)
        self.parts.append(Part("setup", process=process))
        while (status := process.poll()) is None:
            self.pause(POLL_S)
        self.parts.pop()
        if status:  # It said itself why, unless it was killed.
            raise ServerError(f"The set-up was ended by {_how(status)}." if status < 0 else "")
        return prepared.logins(self.folder) or ""

    def _launch(self, part: Part) -> None:
        part.again_at, part.started_at = None, time.monotonic()
        if part.server is not None:
            part.server.restart()
            part.process = part.server.process
            return
        with open_log(self._log(part)) as log:
            part.process = spawn(command(part.name), cwd=ROOT, stdout=log, stderr=log)

    def _log(self, part: Part) -> Path:
        return self.folder / f"{part.name}.log"

    def _await(self, web: Part) -> None:
        begin = self._log(web).stat().st_size
        end = time.monotonic() + WEB_STARTING_S
        while not self.address.answers():
            assert web.process is not None
            if web.process.poll() is not None or time.monotonic() > end:
                raise ServerError(f"The web server does not start: {last_words(self._log(web), begin)}")
            self.pause(POLL_S * 2)

    def _until_next(self) -> float:
        due = [part.again_at for part in self.parts if part.again_at is not None]
        return min([LOOK_S, *(at - time.monotonic() for at in due)])

    def _look_after(self) -> None:
        """Notice what ended, and start what is due."""
        self._reap_orphans()
        for part in self.parts:
            if part.again_at is None and part.process is not None and part.process.poll() is not None:
                self._died(part, f"ended ({_how(part.process.returncode)})")
            if part.again_at is not None and part.again_at <= time.monotonic():
                try:
                    self._launch(part)
                except (ServerError, OSError) as error:
                    self._died(part, f"could not be started: {error}")

    def _died(self, part: Part, what: str) -> None:
        now = time.monotonic()
        if part.process is not None:
            _signal_group(part.process.pid, signal.SIGKILL)  # A web server's workers must not keep the port.
        part.failures = 0 if now - part.started_at > STABLE_S else part.failures
        delay_s = BACKOFF_S[min(part.failures, len(BACKOFF_S) - 1)]
        part.failures += 1
        part.again_at = now + delay_s
        log = part.server.log if part.server else self._log(part)
        say(
            f"The {part.name} process {what}; starting it again in {delay_s:.0f} s. Its log is {log}.",
            error=True,
        )

    def _reap_orphans(self) -> None:
        """Bury adopted grandchildren that ended, leaving our own children to those who hold them."""
        own = {part.process.pid for part in self.parts if part.process is not None}
        for pid, state in _children():
            if state == "Z" and pid not in own:
                os.waitpid(pid, os.WNOHANG)

    def _stop(self) -> None:
        """Stop our processes, then the servers they used, the last started first; then what is left over."""
        held = [part.process for part in self.parts if part.server is None and part.process is not None]
        ours = [process for process in held if process.poll() is None]
        for process in ours:
            process.send_signal(signal.SIGTERM)
        end = time.monotonic() + GRACE_S
        while any(process.poll() is None for process in ours) and time.monotonic() < end:
            self._nap(end - time.monotonic())
        for process in ours:
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()
        for part in reversed(self.parts):
            if part.server is not None:
                part.server.stop()
        while left := _children():
            for pid, _state in left:
                _kill(pid)
                os.waitpid(pid, 0)

    def _nap(self, seconds: float) -> None:
        """Wait for a child to end; being told once more to stop means: at once."""
        got = signal.sigtimedwait(self.signals, max(seconds, 0.0))
        if got is not None and got.si_signo != signal.SIGCHLD:
            for part in self.parts:
                if part.server is None and part.process is not None and part.process.poll() is None:
                    _signal_group(part.process.pid, signal.SIGKILL)


def command(*arguments: str) -> Sequence[str]:
    """The command line of one of our own commands."""
    return [sys.executable, "-m", "gridgov", *arguments]


def say(text: str, *, error: bool = False) -> None:
    """Tell the person at the terminal, if there still is one."""
    try:
        print(text, file=sys.stderr if error else sys.stdout, flush=True)
    except OSError:
        # The terminal is closed: nobody is left to be told.
        sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115


def _how(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    return f"signal {signal.Signals(-status).name}"


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        pass  # All of the group have ended.


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # It ended by itself.


def _children() -> list[tuple[int, str]]:
    """Our children and their states, adopted ones too. Source: proc(5), /proc/[pid]/stat, fields 3 and 4."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except (FileNotFoundError, ProcessLookupError):
                continue  # It ended while we looked.
            if int(parent) == os.getpid():
                found.append((int(entry.name), state))
    return found
