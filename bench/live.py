"""The `live` figures: 500 open pages, what they learn and when, and what that costs everybody else.

Work: the test city, one web server of two processes (granian, as in production), fsync on. 500 streams of one person's
sessions are opened and stay. `live_delay_p95_s`: from the commit of a report, made one at a time at uneven moments, until
each of the 500 has heard of it (95 % of all pairs of report and stream). `live_request_vs_alone`: to-do pages per second
from 8 clients, streams open ÷ none open, rounds in turn, the median of the rounds.
"""

import asyncio
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from flask import Flask

from bench import load
from gridgov import db, embedded, migrate
from gridgov.app import create_app
from gridgov.config import Config
from gridgov.live.hub import PER_SESSION
from tests import granian_server, seed

PAGES = 500
REPORTS = 20
ROUNDS = 3
SECONDS = 4.0
Figures = Iterator[tuple[str, float, str]]


class Pages:
    """Open pages in a thread of their own. `heard` holds what each heard of, and when."""

    def __init__(self, port: int, cookies: list[str]) -> None:
        self._port, self._cookies = port, cookies
        self._loop = asyncio.new_event_loop()
        self._writers: list[asyncio.StreamWriter] = []
        self.heard: list[tuple[float, bytes]] = []
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def open(self) -> int:
        """Open all. Returns how many have a stream."""
        return sum(asyncio.run_coroutine_threadsafe(self._open_all(), self._loop).result(120))

    def close(self) -> None:
        """Close all."""
        asyncio.run_coroutine_threadsafe(self._close_all(), self._loop).result(60)

    async def _open_all(self) -> list[bool]:
        return [await self._open(cookie) for cookie in self._cookies]

    async def _close_all(self) -> None:
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    async def _open(self, cookie: str) -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(load.http("GET", "/live?age=0", {"Cookie": cookie}))
        status = (await reader.readuntil(b"\r\n\r\n"))[9:12]
        self._writers.append(writer)
        self._reading = asyncio.ensure_future(self._read(reader))
        return status == b"200"

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            if line.startswith(b'data: {"issues"'):
                self.heard.append((time.monotonic(), line))


def figures() -> Figures:
    """Measure and yield (name, value, unit)."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gg-live-", ignore_cleanup_errors=True)))
        folder.chmod(0o755)
        app = _app(stack, folder)
        port = granian_server.free_port()
        stack.enter_context(granian_server.serving(app, port, workers=2))
        cookies = ["=".join(granian_server.sign_in_as(app, "city_office")) for _ in range(PAGES // PER_SESSION)]
        pages = Pages(port, cookies * PER_SESSION)
        todo = load.http("GET", "/todo", {"Cookie": cookies[0]})
        load.run(port, lambda _i: todo, clients=8, seconds=1.0)
        ratios, delays, opened = [], [], 0
        for _ in range(ROUNDS):
            alone, _n = load.run(port, lambda _i: todo, clients=8, seconds=SECONDS)
            opened = pages.open()
            beside, _n = load.run(port, lambda _i: todo, clients=8, seconds=SECONDS)
            again = REPORTS // ROUNDS
            delays += _delays(app, pages, again)
            pages.close()
            after, _n = load.run(port, lambda _i: todo, clients=8, seconds=SECONDS)
            if alone.failed or beside.failed or after.failed:
                raise RuntimeError("an ordinary request was refused")
            ratios.append(beside.rate / ((alone.rate + after.rate) / 2))
            print(f"  {opened} pages: {beside.rate:.0f}/s, alone {alone.rate:.0f}/s, {after.rate:.0f}/s", file=sys.stderr)
        yield "live_pages", opened, "count"
        yield "live_delay_p95_s", sorted(delays)[int(0.95 * len(delays))], "s"
        yield "live_delay_p50_s", median(delays), "s"
        yield "live_request_vs_alone", median(ratios), "ratio"


def _delays(app: Flask, pages: Pages, reports: int) -> list[float]:
    """How long each page took to hear of each report, after its commit."""
    found: list[float] = []
    for n in range(reports):
        time.sleep(random.Random(n).uniform(0.5, 1.5))
        with app.app_context(), db.transaction():
            issue = str(seed.City().report(text=f"第{n}件").id).encode()
        at = time.monotonic()
        while sum(issue in line for _at, line in pages.heard) < PAGES and time.monotonic() < at + 20:
            time.sleep(0.05)
        heard = [when - at for when, line in pages.heard if issue in line]
        if len(heard) < PAGES:
            raise RuntimeError(f"{PAGES - len(heard)} pages did not hear")
        found += heard
        pages.heard.clear()
    return found


def _app(stack: ExitStack, folder: Path) -> Flask:
    pg = stack.enter_context(embedded.Postgres(folder / "pg"))
    red = stack.enter_context(embedded.Redis(folder / "redis"))
    config = Config.from_env(
        {}, database_url=pg.url, redis_url=red.url, var=folder, secret_key=os.urandom(24).hex(), rate_limits=False
    )
    app = create_app(config)
    migrate.upgrade(app.extensions["engine"])
    with app.app_context(), db.transaction():
        seed.small_city()
    return app
