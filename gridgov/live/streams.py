"""`GET /live`: the stream of one open page, as server-sent events, in the event loop of the web server."""

import asyncio
import json
from typing import Any

from flask import Flask
from itsdangerous import BadSignature
from werkzeug.http import parse_cookie

from gridgov.live.hub import Away, Hub, News, Stream
from gridgov.people import security, sessions

HEARTBEAT_S = 20.0
AGE_MAX_S = 86_400.0
HEADERS = [
    ("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-store, no-transform"),
    ("x-accel-buffering", "no"), ("x-content-type-options", "nosniff"),
]  # fmt: skip


class Streams:
    """Answers /live: 200 and a stream, 401 for nobody, 403 for other sites, 503 when none can be given now."""

    path = "/live"

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._cookies = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
        self.hub = Hub(app.app_context, app.extensions["gridgov_delays"].late)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """The server begins."""
        self.hub.start(loop)

    def stop(self) -> None:
        """The server ends."""
        self.hub.stop()

    async def serve(self, scope: Any, protocol: Any) -> None:
        """One request: a stream until the page or the right to it is gone."""
        if scope.method != "GET" or scope.headers.get("sec-fetch-site") not in (None, "same-origin"):
            return _refuse(protocol, 403)
        token = self._token(scope.headers.get("cookie") or "")
        try:
            stream = token and await self.hub.enter(security.token_hash(token), _age(scope.query_string))
        except Away:
            return _refuse(protocol, 503)
        if not stream:
            return _refuse(protocol, 401)
        gone = asyncio.ensure_future(_gone(protocol))
        gone.add_done_callback(lambda _done: stream.end("gone"))
        try:
            await _run(stream, protocol.response_stream(200, HEADERS))
        finally:
            self.hub.leave(stream)
            gone.cancel()
        return None

    def _token(self, header: str) -> str | None:
        value = parse_cookie(header).get(self._app.config["SESSION_COOKIE_NAME"])
        try:
            found = self._cookies.loads(
                value, max_age=int(self._app.permanent_session_lifetime.total_seconds())
            )
        except (BadSignature, TypeError):
            return None
        token = found.get(sessions.TOKEN)
        return token if isinstance(token, str) else None


async def _run(stream: Stream, transport: Any) -> None:
    """Send what there is, else a sign of life. The first word comes at once, so that the page knows that it is heard."""
    said: bool | None = None
    try:
        await transport.send_str("retry: 60000\n\n")
        while not stream.ended:
            news, stream.news = stream.news, News()
            body = news.body()
            if stream.late != said:
                said = body["late"] = stream.late
            stream.wake.clear()
            await transport.send_str(
                f"data: {json.dumps(body, separators=(',', ':'))}\n\n" if body else ": \n\n"
            )
            try:
                await asyncio.wait_for(stream.wake.wait(), HEARTBEAT_S)
            except TimeoutError:
                continue
        if stream.ended != "gone":
            await transport.send_str(f"event: end\ndata: {stream.ended}\n\n")
    except (RuntimeError, OSError):
        return  # The page is gone: nobody is left to be told.


async def _gone(protocol: Any) -> None:
    await protocol.client_disconnect()


def _refuse(protocol: Any, status: int) -> None:
    protocol.response_empty(status, [("cache-control", "no-store"), ("retry-after", "30")])


def _age(query: str) -> float:
    """How old the page says it is, in seconds: ?age=<milliseconds>."""
    text = query.removeprefix("age=")
    return (
        min(int(text) / 1000, AGE_MAX_S)
        if text.isascii() and text.isdecimal() and len(text) < 12
        else AGE_MAX_S
    )
