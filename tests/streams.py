"""Open streams of a running server, read by a thread each, so that a test can wait for what is told."""

import http.client
import json
import socket
import threading
from typing import Any

PATIENCE_S = 30.0


class Listener:
    """One stream. `status` is the answer's; what was told adds up in `issues`, `inbox`, `late`, `all` and `ended`."""

    def __init__(
        self, port: int, cookie: tuple[str, str] | None, query: str = "?age=0", **headers: str
    ) -> None:
        self.issues: dict[str, int] = {}
        self.inbox = self.all = False
        self.late: bool | None = None
        self.ended = ""
        self.raw: list[str] = []
        self._changed = threading.Condition()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        sent = dict(headers) | ({"Cookie": "=".join(cookie)} if cookie else {})
        self._connection.request("GET", f"/live{query}", headers=sent)
        self._answer = self._connection.getresponse()
        self.status = self._answer.status
        if self.status == 200:
            threading.Thread(target=self._read, daemon=True).start()
            self.until(lambda: self.late is not None)

    def until(self, done: Any) -> None:
        """Wait until this is so. Fails after a long while."""
        with self._changed:
            assert self._changed.wait_for(done, PATIENCE_S), self.raw

    def close(self) -> None:
        """The page is closed."""
        if sock := self._connection.sock:
            sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _read(self) -> None:
        event = ""
        try:
            for raw in self._answer:
                line = raw.decode().rstrip("\n")
                with self._changed:
                    self.raw.append(line)
                    if line.startswith("event: "):
                        event = line[7:]
                    elif line.startswith("data: ") and event:
                        self.ended = line[6:]
                    elif line.startswith("data: "):
                        self._take(json.loads(line[6:]))
                    self._changed.notify_all()
        except (OSError, ValueError, http.client.HTTPException, AttributeError):
            pass  # Closed from this side, or cut off.
        with self._changed:
            self.ended = self.ended or "cut"
            self._changed.notify_all()

    def _take(self, body: dict[str, Any]) -> None:
        self.issues |= body.get("issues", {})
        self.inbox |= body.get("inbox", False)
        self.all |= body.get("all", False)
        self.late = body.get("late", self.late)
