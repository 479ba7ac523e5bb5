"""Logs: one line for each thing that happened, on standard error, as JSON for machines or as text for people.

No personal data. A line holds what stands in FIELDS and nothing else that a caller gives along; long numbers in words,
such as telephone numbers, are masked, and of a database's error only what kind it is, never the row it was about.
"""

import json
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from traceback import extract_tb
from types import TracebackType
from typing import Any

from gridgov.failures import describe, masked

KINDS = ("text", "json")
FIELDS = (
    "request_id",
    "route",
    "method",
    "status",
    "duration_ms",
    "job",
    "timer_id",
    "outbox_id",
    "topic",
    "issue_id",
)
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
ECHO = "exception raised while executing"  # RQ tells again, with everything, what gridgov.jobs has logged already.
_bound: ContextVar[str | None] = ContextVar("request_id", default=None)


def bind(request_id: str | None) -> None:
    """From here on, lines of this thread name the request that they belong to."""
    _bound.set(request_id)


def request_id() -> str | None:
    """The request that is being worked on, also by a job it caused."""
    return _bound.get()


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, then what is known of FIELDS, error and traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        return json.dumps(_line(record), ensure_ascii=False, default=str)


class TextLines(logging.Formatter):
    """The same for people: time, level, words, then name=value; a traceback on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        line = _line(record)
        frames = line.pop("traceback", [])
        head = [line.pop(name) for name in ("time", "level", "logger", "message")]
        return "\n  ".join([" ".join([*head, *(f"{name}={value}" for name, value in line.items())]), *frames])


def formatter(*_args: Any, **_more: Any) -> logging.Formatter:
    """The formatter that GRIDGOV_LOG asks for; the web server's own lines take it too, by granian.json."""
    return JsonLines() if os.environ.get("GRIDGOV_LOG") == "json" else TextLines()


def setup(kind: str, level: str) -> None:
    """Send everything this process logs to standard error in one form; of others' packages only warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if kind == "json" else TextLines())
    handler.addFilter(lambda record: ECHO not in str(record.msg))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("gridgov").setLevel(level)
    for name in ("_granian", "granian.access", "rq.worker"):
        other = logging.getLogger(name)
        other.handlers.clear()
        other.propagate = True
    logging.captureWarnings(True)
    sys.excepthook = _crashed
    threading.excepthook = lambda args: _crashed(args.exc_type, args.exc_value, args.exc_traceback)


def _crashed(kind: type[BaseException], error: BaseException | None, where: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt) or error is None:
        sys.__excepthook__(kind, error or kind(), where)
        return
    logging.getLogger("gridgov").critical("crashed", exc_info=(kind, error, where))


def _line(record: logging.LogRecord) -> dict[str, Any]:
    line: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname,
        "logger": record.name,
        "message": masked(record.getMessage()),
    }
    if request := _bound.get():
        line["request_id"] = request
    line |= {name: record.__dict__[name] for name in FIELDS if name in record.__dict__}
    if record.exc_info and record.exc_info[1] is not None:
        line["error"] = describe(record.exc_info[1])
        line["traceback"] = list(_frames(record.exc_info[1]))
    return line


def _frames(error: BaseException) -> Iterator[str]:
    """Where it came from, the first cause first: file, line, function; no values."""
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None:
        yield from _frames(earlier)
        yield f"then, after {describe(earlier)}:"
    for frame in extract_tb(error.__traceback__):
        yield f"{frame.filename}:{frame.lineno} {frame.name}"
