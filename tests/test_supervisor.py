"""`gridgov run` as a whole: what it starts, what it says when it cannot, what survives accidents."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from gridgov import prepared
from gridgov.address import Address
from gridgov.config import ROOT
from gridgov.errors import ConfigError

LIMIT_S = 90.0  # On a busy machine.
PARTS = {
    "postgres": "postgres",
    "redis": "redis-server",
    "web": "granian",
    "worker": "gridgov worker",
    "scheduler": "gridgov scheduler",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def heed_a_closed_terminal() -> None:
    """In a child: whether these tests run under nohup shall make no difference."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def wait_for(what: Callable[[], object], limit_s: float = LIMIT_S) -> None:
    end = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def descendants(pid: int) -> dict[int, str]:
    """All processes below one, with their command lines. Source: proc(5), fields 3 and 4 of /proc/[pid]/stat."""
    parents, lines = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (FileNotFoundError, ProcessLookupError):
                continue  # It ended while we looked.
            if state != "Z":
                parents[int(entry.name)], lines[int(entry.name)] = int(parent), line
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return {child: lines[child] for child in found - {pid}}


def alive(pids: dict[int, str]) -> dict[int, str]:
    """Those of the processes that still run."""
    left = {}
    for pid, line in pids.items():
        try:
            if (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                left[pid] = line
        except (FileNotFoundError, ProcessLookupError):
            continue  # Gone.
    return left


class Run:
    """A supervisor on a data folder of its own."""

    def __init__(self, var: Path, **settings: str) -> None:
        self.var, self.port = var, free_port()
        names = {"GRIDGOV_VAR": str(var), "GRIDGOV_PORT": str(self.port), "GRIDGOV_DEMO": "0", **settings}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GRIDGOV_")}
        self.environment = {**kept, **names}
        self.output = var.with_name(f"{var.name}.output")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Run":
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gridgov", "run", "--stop-with-parent"],
                cwd=ROOT, env=self.environment, stdout=output, stderr=output, start_new_session=True,
                preexec_fn=heed_a_closed_terminal,
            )  # fmt: skip
        wait_for(lambda: "gridgov runs at" in self.said() or self.process.poll() is not None)
        assert self.process.poll() is None, self.said()
        return self

    def refusal(self) -> tuple[int, str, dict[int, str]]:
        """(exit status, standard error, what is left running) of a run that ends by itself."""
        command = [sys.executable, "-m", "gridgov", "run", "--stop-with-parent"]
        options = {"cwd": ROOT, "env": self.environment, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, **options)
        seen: dict[int, str] = {}
        end = time.monotonic() + LIMIT_S
        while process.poll() is None and time.monotonic() < end:
            seen |= descendants(process.pid)
            time.sleep(0.02)
        error = process.communicate(timeout=5)[1].decode()
        return process.returncode, error, alive(seen)

    def said(self) -> str:
        return self.output.read_text()

    def status(self, path: str = "/healthz") -> int | None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def pids(self, name: str) -> set[int]:
        assert self.process is not None
        found = descendants(self.process.pid)
        return {pid for pid, line in found.items() if PARTS[name] in line.partition("-c ")[0]}

    def end(self, number: int = signal.SIGINT) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(LIMIT_S)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path / "the data 数据")
    yield made
    if made.process is not None:
        made.end()


pytestmark = pytest.mark.slow


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_it_serves_until_it_is_told_to_stop_and_leaves_nothing_running(run, number):
    run.start()
    assert f"http://127.0.0.1:{run.port}" in run.said()
    assert run.status() == 200
    wait_for(lambda: all(run.pids(name) for name in PARTS))
    assert run.process is not None
    everything = descendants(run.process.pid)
    sockets = [Path(note.read_text()) for note in run.var.glob("*.sockets")]
    assert run.end(number) == 0
    assert run.said().endswith("Stopping …\nStopped.\n")
    assert alive(everything) == {}
    assert [folder.exists() for folder in sockets] == [False, False]
    assert run.status() is None


def test_what_dies_is_started_again_and_said_so(run):
    run.start()
    for name in PARTS:
        wait_for(lambda name=name: run.pids(name))
        old = run.pids(name)
        os.kill(min(old), signal.SIGKILL)
        wait_for(lambda name=name, old=old: (now := run.pids(name)) and not now & old)
        wait_for(lambda: run.status() == 200)
        called = {"postgres": "PostgreSQL", "redis": "Redis"}.get(name, name)
        wait_for(lambda called=called: f"The {called} process ended (signal SIGKILL)" in run.said())
    assert run.end() == 0


def test_a_killed_supervisor_takes_everything_with_it_and_the_next_start_recovers(run):
    run.start()
    assert run.process is not None
    wait_for(lambda: all(run.pids(name) for name in PARTS))
    everything = descendants(run.process.pid)
    run.end(signal.SIGKILL)
    wait_for(lambda: alive(everything) == {}, 20.0)
    run.start()
    assert run.status() == 200
    assert run.end() == 0


def test_a_second_run_on_the_same_data_says_so_and_the_first_goes_on(run):
    run.start()
    second = Run(run.var)
    status, error, left = second.refusal()
    assert (status, left) == (1, {})
    assert error == (
        f"gridgov: {run.var} is in use by another run (process {run.process.pid}): "
        "stop that, or set GRIDGOV_VAR.\n"
    )
    assert run.status() == 200


def test_a_command_works_with_the_servers_of_a_run_and_otherwise_with_its_own(run):
    def command() -> SimpleNamespace:
        begin = [sys.executable, "-m", "gridgov", "migrate"]
        return subprocess.run(
            begin, cwd=ROOT, env=run.environment, capture_output=True, text=True, check=False
        )

    assert command().returncode == 0
    assert not list(run.var.glob("*.sockets"))
    run.start()
    assert command().returncode == 0
    assert run.status() == 200


def test_a_port_in_use_is_one_line_and_status_1(run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", run.port))
        taken.listen()
        status, error, left = run.refusal()
    assert (status, left) == (1, {})
    assert error == (
        f"gridgov: The web server cannot listen on 127.0.0.1:{run.port} (Address already in use); "
        "set GRIDGOV_HOST or GRIDGOV_PORT to another.\n"
    )


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ({"GRIDGOV_PORT": "abc"}, "GRIDGOV_PORT: 'abc' is not a whole number from 1 to 65535"),
        ({"GRIDGOV_HOST": "192.0.2.1"}, "Cannot assign requested address"),
        ({"GRIDGOV_LANGUAGE": "xx"}, "GRIDGOV_LANGUAGE: zh or en"),
        ({"GRIDGOV_VAR": "/proc/nowhere"}, "The data folder cannot be written"),
        ({"GRIDGOV_WORKFLOWS": "/nowhere"}, "/nowhere"),
        ({"GRIDGOV_DATABASE_URL": "postgresql://127.0.0.1:1/none"}, "The database cannot be reached"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_setting_is_one_line_and_status_1(tmp_path, setting, reason):
    status, error, left = Run(tmp_path / "var", **setting).refusal()
    assert (status, left) == (1, {})
    assert reason in error
    assert error.startswith("gridgov: ")
    assert error.count("\n") == 1


def test_a_database_that_will_not_start_is_one_line_and_status_1(run):
    run.start()
    assert run.end() == 0
    os.truncate(run.var / "postgres" / "global" / "pg_control", 100)
    status, error, left = run.refusal()
    assert (status, left) == (1, {})
    assert error.startswith("gridgov: PostgreSQL does not start: ")
    assert error.count("\n") == 1


def test_a_set_up_that_still_holds_is_not_run_again_but_another_database_is_noticed(run, monkeypatch):
    run.start()
    [address] = [note.read_text() for note in run.var.glob("postgres.sockets")]
    monkeypatch.setenv("GRIDGOV_DATABASE_URL", f"postgresql://gridgov@/gridgov?host={address}")
    monkeypatch.setenv("GRIDGOV_DEMO", "0")
    assert prepared.logins(run.var) == ""
    monkeypatch.setenv("GRIDGOV_DEMO", "1")
    assert prepared.logins(run.var) is None
    monkeypatch.setenv("GRIDGOV_DEMO", "0")
    monkeypatch.setenv("GRIDGOV_DATABASE_URL", f"postgresql://postgres@/postgres?host={address}")
    assert prepared.logins(run.var) is None


def test_an_address_for_all_is_shown_as_one_that_a_browser_here_reaches(monkeypatch):
    assert Address("0.0.0.0", 80).url == "http://127.0.0.1:80"
    assert Address("::", 80).url == "http://[::1]:80"
    monkeypatch.setenv("GRIDGOV_PORT", "70000")
    with pytest.raises(ConfigError, match="GRIDGOV_PORT"):
        Address.from_env()
