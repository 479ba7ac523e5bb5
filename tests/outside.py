"""The world outside, for real: an HTTP server that remembers what it was sent and answers as told, and a mail server."""

import email
import email.policy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.controller import Controller


@dataclass
class Received:
    """One request that came in."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which must be JSON."""
        return json.loads(self.body)


@dataclass
class World:
    """What came in, and what is answered: `answers` in turn, then `usual`. `gate`: requests wait for it when it is set."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: list[tuple[int, bytes, dict[str, str]]] = field(default_factory=list)
    usual: tuple[int, bytes, dict[str, str]] = (200, b'{"errcode": 0, "errmsg": "ok"}', {})
    gate: threading.Event | None = None
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def answer(self, status: int, body: bytes = b"{}", **headers: str) -> None:
        """Answer the next request so."""
        self.answers.append((status, body, headers))


@contextmanager
def world() -> Iterator[World]:
    """The HTTP server, on a port of its own."""
    there = World()

    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            there.received.append(Received(self.command, parts.path, parse_qs(parts.query), dict(self.headers), body))
            status, answer, headers = there.answers.pop(0) if there.answers else there.usual
            there.arrived.release()
            if there.gate is not None:
                there.gate.wait(10)
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
            except BrokenPipeError:
                self.close_connection = True  # Whoever asked has gone; that is what the test wanted.

        do_POST = do_GET = _take

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    there.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield there
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Post:
    """The mail server: what it took, and what it says to a recipient."""

    url: str = ""
    mails: list[EmailMessage] = field(default_factory=list)
    answer: str = "250 OK"

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        """Take the recipient, or say what the test wants said."""
        if self.answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """Keep the mail."""
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        mail["X-To"] = envelope.rcpt_tos[0]
        self.mails.append(mail)  # type: ignore[arg-type]
        return "250 OK"


@contextmanager
def post() -> Iterator[Post]:
    """The mail server, on a port of its own."""
    there = Post()
    controller = Controller(there, hostname="127.0.0.1", port=0)
    controller.port = _free_port()
    controller.start()
    there.url = f"mailto://127.0.0.1:{controller.port}/?from=grid@wugang.example&mode=insecure"
    try:
        yield there
    finally:
        controller.stop()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
