"""The application as it is served in production, on the database of a test: granian's processes, with streams."""

import contextlib
import dataclasses
import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from flask import Flask

from gridgov import db
from gridgov.cli import STREAMS
from gridgov.config import ROOT
from gridgov.people import sessions, sign_in
from tests import seed

PATIENCE_S = 60.0


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(app: Flask) -> dict[str, str]:
    """The variables with which another process makes the same application."""
    config = dataclasses.asdict(app.config["GRIDGOV"])
    texts = {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in config.items()
    }
    return os.environ | {f"GRIDGOV_{name.upper()}": text for name, text in texts.items() if text}


@contextlib.contextmanager
def serving(
    app: Flask, port: int, *, workers: int = 1, log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Granian with the application on this port, until the block ends. It is asked to end, and must."""
    process = start(app, port, workers=workers, log=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def start(app: Flask, port: int, *, workers: int = 1, log: Path | None = None) -> "subprocess.Popen[bytes]":
    """Start granian as `gridgov web` does. Returns when it answers."""
    argv = [
        sys.executable, "-m", "granian", "--interface", "rsgi", "--loop", "uvloop", "--host", "127.0.0.1", "--port", str(port),
        "--workers", str(workers), "--backpressure", str(STREAMS), "--backlog", "1024", "--no-ws", "--log-level", "warning",
        "--workers-kill-timeout", "10", "wsgi:server",
    ]  # fmt: skip
    with (log or Path(os.devnull)).open("ab") as out:
        process = subprocess.Popen(argv, cwd=ROOT, env=environment(app), stdout=out, stderr=out)
    end = time.monotonic() + PATIENCE_S
    while not answers(port):
        assert process.poll() is None and time.monotonic() < end, log and log.read_text()
        time.sleep(0.1)
    return process


def answers(port: int) -> bool:
    """Whether something alive is there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def cookie_of(app: Flask, token: str) -> tuple[str, str]:
    """The cookie of a session with this token, as (name, value). Outside a transaction: asking the client ends one."""
    browser = app.test_client()
    with browser.session_transaction() as cookie:
        cookie[sessions.TOKEN] = token
        cookie.permanent = True
    value = browser.get_cookie(app.config["SESSION_COOKIE_NAME"])
    assert value is not None
    return value.key, value.value


def sign_in_as(app: Flask, key: str) -> tuple[str, str]:
    """The cookie of a new session of somebody of the test city."""
    with app.app_context(), db.transaction():
        client = sign_in.Client(ip="127.0.0.1", agent="test")
        token = sign_in.open_session(seed.City().person(key), client=client, config=app.config["GRIDGOV"])
    return cookie_of(app, token)
