"""The hub of a process: one thread that looks into the database once a second for all streams of the process.

It also lets people in, all that wait with one query, and looks again every little while whether those inside may stay: a
session that was ended, a person who was disabled, a post that has expired.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager

from gridgov import db
from gridgov.live import changes
from gridgov.live.changes import Look, News, Viewer

log = logging.getLogger("gridgov.live")
LOOK_EVERY_S = 0.8
RECHECK_EVERY_S = 20.0
REPLAY_S = (
    90.0  # What happened while a page was being drawn, or while its connection was lost, is told afterwards.
)
PER_SESSION = 4
MOST_STREAMS = 5_000
PATIENCE_S = (
    5.0  # Without the database nothing can be told: the streams end, and the pages ask slowly themselves.
)


class Away(Exception):
    """No stream can be given now: the database does not answer, or there are too many already."""


class Stream:
    """One open page. Touched in the event loop alone, but for `viewer`, which the hub's thread replaces."""

    def __init__(self, token_hash: bytes, age_s: float) -> None:
        self.token_hash, self.age_s = token_hash, age_s
        self.viewer: Viewer | None = None
        self.news = News()
        self.late: bool | None = None
        self.ended = ""
        self.wake = asyncio.Event()

    def end(self, why: str) -> None:
        """Have the stream close. why: signed_out, crowded, away, stopping."""
        self.ended = self.ended or why
        self.wake.set()


class Hub:
    """All streams of one process. `late` says whether messages are delayed."""

    def __init__(
        self, context: Callable[[], AbstractContextManager[object]], late: Callable[[], bool]
    ) -> None:
        self._context, self._late = context, late
        self._loop: asyncio.AbstractEventLoop
        self._streams: dict[Stream, None] = {}
        self._entering: list[tuple[Stream, asyncio.Future[bool]]] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._recent: deque[tuple[float, Look]] = deque()
        self._since: str | None = None
        self._began_at = 0.0
        self._stopping = False
        self._good_at = self._checked_at = time.monotonic()
        self.looks = 0

    # In the event loop -----------------------------------------------------------------------------------------------

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to look."""
        self._loop = loop
        threading.Thread(target=self._run, name="live", daemon=True).start()

    def stop(self) -> None:
        """End all streams and the thread."""
        self._stopping = True
        for stream in list(self._streams):
            stream.end("stopping")
        self._wake.set()

    async def enter(self, token_hash: bytes, age_s: float) -> Stream | None:
        """A stream for whoever is signed in with this token; None for nobody. age_s: how long ago the page was true.

        Raises Away.
        """
        if (
            self._stopping
            or len(self._streams) >= MOST_STREAMS
            or time.monotonic() - self._good_at > PATIENCE_S
        ):
            raise Away
        stream, answer = Stream(token_hash, age_s), self._loop.create_future()
        with self._lock:
            self._entering.append((stream, answer))
        self._wake.set()
        try:
            may = await asyncio.wait_for(answer, PATIENCE_S)
        except TimeoutError:
            raise Away from None
        return stream if may else None

    def leave(self, stream: Stream) -> None:
        """The page is gone."""
        self._streams.pop(stream, None)

    def _enter(
        self, stream: Stream, answer: "asyncio.Future[bool]", recent: list[Look] | None, late: bool
    ) -> None:
        if answer.done():  # It was tired of waiting.
            return
        if viewer := stream.viewer:
            stream.news = News(all=True) if recent is None else changes.news(recent, viewer)
            stream.late = late
            self._streams[stream] = None
            own = [s for s in self._streams if s.viewer and s.viewer.session_id == viewer.session_id]
            for oldest in own[:-PER_SESSION]:
                oldest.end("crowded")
        answer.set_result(stream.viewer is not None)

    def _tell(self, look: Look | None, late: bool) -> None:
        for stream in self._streams:
            if look and stream.viewer:
                stream.news.add(look, stream.viewer)
            if stream.late != late:
                stream.late = late
                stream.wake.set()
            if stream.news.body():
                stream.wake.set()

    def _keep(self, known: dict[bytes, Viewer]) -> None:
        for stream in self._streams:
            stream.viewer = known.get(stream.token_hash)
            if stream.viewer is None:
                stream.end("signed_out")

    def _lose(self) -> None:
        for stream in self._streams:
            stream.end("away")

    # In the hub's thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        next_at = time.monotonic()
        while not self._stopping:
            try:
                with self._context():
                    if time.monotonic() >= next_at:
                        next_at = time.monotonic() + LOOK_EVERY_S
                        self._look()
                    self._let_in()
                self._good_at = time.monotonic()
            except Exception as error:  # noqa: BLE001  # It tries again; meanwhile nobody is told that all is well.
                log.warning("no look: %s", type(error).__name__)
                if time.monotonic() - self._good_at > PATIENCE_S:
                    self._loop.call_soon_threadsafe(self._lose)
                self._wake.clear()
                self._wake.wait(LOOK_EVERY_S)
            self._wake.wait(max(0.0, next_at - time.monotonic()))
            self._wake.clear()

    def _look(self) -> None:
        self.looks += 1
        with db.transaction():
            if self._since is None:
                self._since, self._began_at = changes.here(), time.monotonic()
            found = changes.look(self._since)
        self._since = found.seen
        now = time.monotonic()
        if found:
            self._recent.append((now, found))
        while self._recent and self._recent[0][0] < now - REPLAY_S:
            self._recent.popleft()
        self._loop.call_soon_threadsafe(self._tell, found, self._late())
        if now - self._checked_at >= RECHECK_EVERY_S:
            self._checked_at = now
            self._recheck()

    def _recheck(self) -> None:
        hashes = {stream.token_hash for stream in list(self._streams)}
        if hashes:
            with db.transaction():
                known = changes.viewers(hashes)
            self._loop.call_soon_threadsafe(self._keep, known)

    def _let_in(self) -> None:
        with self._lock:
            entering, self._entering = self._entering, []
        if not entering:
            return
        with db.transaction():
            known = changes.viewers({stream.token_hash for stream, _answer in entering})
        now, late = time.monotonic(), self._late()
        for stream, answer in entering:
            stream.viewer = known.get(stream.token_hash)
            true_at = now - stream.age_s - LOOK_EVERY_S  # What happened before is on the page.
            missed = [look for at, look in self._recent if at >= true_at]
            recent = missed if true_at >= max(self._began_at, now - REPLAY_S) else None
            self._loop.call_soon_threadsafe(self._enter, stream, answer, recent, late)
