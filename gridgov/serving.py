"""The web server's way in: granian's RSGI, where ordinary requests go to the WSGI application in a few threads, and streams
stay in the event loop, so that an open page costs a coroutine and no thread. Why: docs/decisions/0013-live-pages.md.
"""

import asyncio
import io
import logging
import queue
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

log = logging.getLogger("gridgov.serving")
THREADS = 8  # As many as the database pool has connections.
SMALL_BYTES = 65_536  # A body up to this is there before a thread is asked; a longer one is read while the thread waits.
WHOLE_BYTES = 4 * 1_048_576  # An answer up to this is sent in one piece.
ENVIRON: dict[str, Any] = {
    "GATEWAY_INTERFACE": "CGI/1.1", "SCRIPT_NAME": "", "SERVER_SOFTWARE": "granian", "wsgi.version": (1, 0),
    "wsgi.input_terminated": True, "wsgi.multiprocess": True, "wsgi.multithread": True, "wsgi.run_once": False,
}  # fmt: skip


class Streams(Protocol):
    """What answers one path in the event loop itself."""

    path: str

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """The server begins."""

    def stop(self) -> None:
        """The server ends: open streams must."""

    async def serve(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""


class Server:
    """An RSGI application made of a WSGI application and one path of streams."""

    def __init__(self, wsgi: Any, streams: Streams, *, threads: int) -> None:
        self._wsgi, self._streams, self._threads = wsgi, streams, threads
        self._waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._streams.start(loop)
        self._hear(signal.SIGTERM, signal.SIGINT)
        for n in range(self._threads):
            threading.Thread(target=self._work, name=f"web-{n}", daemon=True).start()

    def _hear(self, *signals: signal.Signals) -> None:
        """End the streams when the server is told to stop: it waits for every answer that is not finished.

        The event loop hears of a signal by its file descriptor; the handler beside that, which does nothing, is free for us.
        """
        for number in signals:
            signal.signal(number, lambda *_told: self._loop.call_soon_threadsafe(self._streams.stop))
            signal.siginterrupt(number, False)

    def __rsgi_del__(self, _loop: asyncio.AbstractEventLoop) -> None:
        self._streams.stop()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""
        if scope.path == self._streams.path:
            await self._streams.serve(scope, protocol)
            return
        done = self._loop.create_future()
        body = await self._body(scope, protocol)
        self._waiting.put((scope, protocol, body, done))
        await done

    async def _body(self, scope: Any, protocol: Any) -> Any:
        length = scope.headers.get("content-length")
        if length is None and scope.headers.get("transfer-encoding") is None and scope.http_version == "1.1":
            return io.BytesIO()
        if length is not None and length.isdecimal() and int(length) <= SMALL_BYTES:
            return io.BytesIO(await protocol())
        return io.BufferedReader(_Arriving(aiter(protocol), self._loop), SMALL_BYTES)

    def _work(self) -> None:
        while True:
            scope, protocol, body, done = self._waiting.get()
            try:
                self._answer(scope, protocol, body)
            except Exception:  # Whatever it was: this thread answers the next request.
                log.exception("a request was not answered")
            finally:
                self._loop.call_soon_threadsafe(_end, done)

    def _answer(self, scope: Any, protocol: Any, body: Any) -> None:
        answer = _Answer()
        parts = self._wsgi(environ(scope, body), answer.start)
        try:
            length = next((int(v) for k, v in answer.headers if k.lower() == "content-length"), None)
            if isinstance(parts, list | tuple) or (length is not None and length <= WHOLE_BYTES):
                protocol.response_bytes(answer.status, answer.headers, b"".join(parts))
            else:
                self._stream(protocol.response_stream(answer.status, answer.headers), parts)
        finally:
            if close := getattr(parts, "close", None):
                close()

    def _stream(self, transport: Any, parts: Iterable[bytes]) -> None:
        async def send(part: bytes) -> None:
            await transport.send_bytes(part)

        for part in parts:
            asyncio.run_coroutine_threadsafe(send(part), self._loop).result()


class _Answer:
    """What WSGI calls start_response."""

    status = 500
    headers: list[tuple[str, str]] = []  # noqa: RUF012

    def start(self, status: str, headers: list[tuple[str, str]], _error: Any = None) -> Any:
        self.status, self.headers = int(status[:3]), headers


class _Arriving(io.RawIOBase):
    """A body that is still arriving, read by a thread while the event loop receives it."""

    def __init__(self, chunks: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._chunks, self._loop, self._rest = chunks, loop, b""

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        if not self._rest:
            self._rest = asyncio.run_coroutine_threadsafe(self._more(), self._loop).result()
        part, self._rest = self._rest[: len(into)], self._rest[len(into) :]
        into[: len(part)] = part
        return len(part)

    async def _more(self) -> bytes:
        async for chunk in self._chunks:
            if chunk:
                return bytes(chunk)
        return b""


def environ(scope: Any, body: Any) -> dict[str, Any]:
    """The request as WSGI has it (PEP 3333). A header whose name holds an underscore could pass for another one: left out."""
    host, _, port = scope.server.rpartition(":")
    found = ENVIRON | {
        "REQUEST_METHOD": scope.method, "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string, "SERVER_PROTOCOL": f"HTTP/{scope.http_version}", "SERVER_NAME": host,
        "SERVER_PORT": port, "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"), "wsgi.url_scheme": scope.scheme,
        "wsgi.input": body, "wsgi.errors": sys.stderr,
    }  # fmt: skip
    if scope.authority:  # HTTP/2 names the host there.
        found["HTTP_HOST"] = scope.authority
    for name, value in _plain(scope.headers.items()):
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        before = found.get(key) if key not in ("HTTP_HOST", "CONTENT_TYPE", "CONTENT_LENGTH") else None
        found[key] = value if before is None else f"{before}{'; ' if key == 'HTTP_COOKIE' else ','}{value}"
    return found


def _plain(headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in headers if "_" not in name)


def _end(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
