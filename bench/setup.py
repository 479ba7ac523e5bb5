"""The `setup` figures: from a fresh clone, and from a stopped installation, to the first served page.

Work: the files that git knows or would take are copied to a new folder, as a clone has them; there `make run` is started
and the first page is asked for until it comes: `setup_cold_s`, with the package caches of pip and npm as they are (run it
twice when they are cold). Then it is stopped and started again three times: `start_warm_s` is the median. Neither has a
baseline: both are waiting times of a person.
"""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 900.0
WARM_ROUNDS = 3


def figures() -> Iterator[tuple[str, float, str]]:
    """Measure and yield (name, value, unit)."""
    with tempfile.TemporaryDirectory(prefix="gridgov-bench-", ignore_cleanup_errors=True) as folder:
        clone = Path(folder) / "a fresh clone"
        _clone(clone)
        yield "setup_cold_s", _served(clone), "s"
        yield "start_warm_s", median(_served(clone) for _ in range(WARM_ROUNDS)), "s"


def _clone(target: Path) -> None:
    names = subprocess.check_output(["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT)
    for name in filter(None, names.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def _served(clone: Path) -> float:
    """Seconds from `make run` to the first page; it is stopped again afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GRIDGOV_", "MAKE"))}
    begin = time.monotonic()
    process = subprocess.Popen(
        ["make", "--no-print-directory", "run"],
        cwd=clone, env={**kept, "GRIDGOV_PORT": str(port)}, stdout=sys.stderr, start_new_session=True,
    )  # fmt: skip
    try:
        while not _page(port):
            if process.poll() is not None or time.monotonic() - begin > LIMIT_S:
                raise RuntimeError("make run served nothing")
            time.sleep(0.02)
        return time.monotonic() - begin
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        process.wait(60)


def _page(port: int, path: str = "/") -> bool:
    """Whether a page is served, at the end of its redirections."""
    for _ in range(5):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            if answer.status == 200:
                return b"</html>" in answer.read()
            path = answer.headers.get("Location", "")
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
    return False
