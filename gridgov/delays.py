"""Whether messages wait because Redis is away, known without asking it: a thread of the process looks every few seconds."""

import threading

from flask import Flask, current_app

from gridgov.health import OK, Probe

EVERY_S = 5.0


class Delays:
    """What the last look found. Looking begins when somebody first wants to know, so each process has a thread of its own."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._late = False

    def late(self) -> bool:
        """Whether messages are late, as of a few seconds ago; False before the first look."""
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._watch, name="delays", daemon=True)
                    self._thread.start()
        return self._late

    def look(self) -> None:
        """Ask Redis now."""
        self._late = self._probe.redis() != OK

    def _watch(self) -> None:
        pause = threading.Event()
        while True:
            self.look()
            pause.wait(EVERY_S)


def init_app(app: Flask) -> None:
    """Make it known to the app; nothing is asked yet."""
    app.extensions["gridgov_delays"] = Delays(app.extensions["gridgov_health"])


def late() -> bool:
    """Whether messages are late, for the app in hand."""
    delays: Delays = current_app.extensions["gridgov_delays"]
    return delays.late()
