"""Where photos' bytes are kept: one interface over a local folder or any S3-compatible store.

    file:///var/lib/gridgov/photos    a folder; the default is photos/ in GRIDGOV_VAR
    s3://bucket/prefix?endpoint=https://s3.example.cn&region=cn-south-1    Ali OSS, Tencent COS, MinIO, AWS …

Keys of an S3 store come from GRIDGOV_S3_ACCESS_KEY and GRIDGOV_S3_SECRET_KEY, never from the address.
Every failure is Unavailable, code storage_unavailable, so the request rolls back and nothing is recorded.
"""

import logging
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import opendal
from opendal import exceptions, layers

from gridgov.errors import ConfigError, NotFound, Unavailable
from gridgov.i18n import _

log = logging.getLogger("gridgov.photos")

KEY = re.compile(r"[0-9]{4}/[0-9]{2}/[0-9]{2}/[0-9a-f]{32}(?:\.[a-z]+)+")
CHUNK_BYTES = 65_536
# A phone waits through one slow answer and two short retries, not longer: 3 x 5 s.
TIMEOUT_S = 5.0
RETRIES = 2
UNFINISHED = ".unfinished"
# The library's errors have no common base.
FAILURES: tuple[type[Exception], ...] = (
    OSError,
    *(kind for kind in vars(exceptions).values() if isinstance(kind, type)),
)


class Store:
    """A place for objects by key. Opened at first use, in the process that uses it."""

    def __init__(self, url: str, *, access_key: str = "", secret_key: str = "") -> None:
        """url: file:///… or s3://…, see the module. Raises ConfigError with the reason; opens nothing."""
        self.service, self._options = _options(url, access_key, secret_key)
        self._operator: opendal.Operator | None = None
        self._opened_by = 0

    def put(self, key: str, data: bytes, *, content_type: str) -> None:
        """Keep `data` under `key`, whole and durably when this returns. A key is never written twice."""
        with _refusing("put", key):
            # A folder keeps no content type; the photo's row does.
            self._open().write(_safe(key), data, content_type=content_type if self.service == "s3" else None)

    def get(self, key: str) -> bytes:
        """The object's bytes. Raises NotFound if it is not there."""
        with _refusing("get", key):
            return bytes(self._open().read(_safe(key)))

    def stream(self, key: str) -> Iterator[bytes]:
        """The object's bytes in chunks of 64 KB. The first is read at once, so a refusal comes first."""
        with _refusing("get", key):
            file = self._open().open(_safe(key), "rb")
            first = file.read(CHUNK_BYTES)

        def chunks() -> Iterator[bytes]:
            with file:
                chunk = first
                while chunk:
                    yield bytes(chunk)
                    with _refusing("get", key):
                        chunk = file.read(CHUNK_BYTES)

        return chunks()

    def exists(self, key: str) -> bool:
        """Whether an object is there."""
        with _refusing("exists", key):
            return bool(self._open().exists(_safe(key)))

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        with _refusing("delete", key):
            self._open().delete(_safe(key))

    def listing(self) -> Iterator[tuple[str, datetime]]:
        """Every key with the time its object was written (aware UTC), in no order, other files left out."""
        with _refusing("list", ""):
            for entry in self._open().list("", recursive=True):
                if KEY.fullmatch(entry.path) and entry.metadata.last_modified is not None:
                    yield entry.path, entry.metadata.last_modified

    def _open(self) -> opendal.Operator:
        """The operator. The library's threads do not survive a fork and a child would wait for them for ever,
        so a child of a process that has used the store is told at once."""
        if self._opened_by not in (0, os.getpid()):
            raise RuntimeError(
                "the photo store was used before this process was forked: open it after the fork"
            )
        if self._operator is None:
            operator = opendal.Operator(self.service, **self._options)
            if self.service == "s3":
                operator = operator.layer(layers.TimeoutLayer(timeout=TIMEOUT_S, io_timeout=TIMEOUT_S))
                operator = operator.layer(
                    layers.RetryLayer(max_times=RETRIES, min_delay=0.2, max_delay=1.0, jitter=True)
                )
            self._operator, self._opened_by = operator, os.getpid()
        return self._operator


def new_key(at: datetime, ending: str) -> str:
    """An unguessable key in a folder of its day, so that no folder grows without end: 2026/11/21/5f….jpg."""
    return f"{at:%Y/%m/%d}/{secrets.token_hex(16)}.{ending}"


def _safe(key: str) -> str:
    """The key, if it has the form that `new_key` gives; so none leads out of the store. Raises ValueError."""
    if not KEY.fullmatch(key):
        raise ValueError(f"not a storage key: {key!r}")
    return key


@contextmanager
def _refusing(what: str, key: str) -> Iterator[None]:
    """Turn the library's errors into ours; the address and the reason go to the log only."""
    try:
        yield
    except FAILURES as error:
        log.error("photo storage: %s %s failed: %s", what, key, str(error).partition("\n\nBacktrace")[0])
        # An opened file raises every failure as OSError, with the library's own name of it in front.
        if isinstance(error, exceptions.NotFound) or str(error).startswith("NotFound "):
            raise NotFound(_("The file of this photo is missing."), code="photo_lost") from None
        message = _(
            "Photos cannot be stored or fetched at this moment. Nothing was recorded; please try again soon."
        )
        raise Unavailable(message, code="storage_unavailable") from None


def _options(url: str, access_key: str, secret_key: str) -> tuple[str, dict[str, str]]:
    """The service's name and its options from the address. Raises ConfigError."""
    parts = urlsplit(url)
    wrong = "GRIDGOV_STORAGE_URL: "
    if parts.scheme == "file":
        root = unquote(parts.path)
        if parts.netloc or parts.query or not root.startswith("/"):
            raise ConfigError(wrong + "a folder is written file:///path/to/folder")
        return "fs", {"root": root, "atomic_write_dir": str(Path(root) / UNFINISHED)}
    if parts.scheme != "s3":
        raise ConfigError(wrong + "must begin with file:/// or s3://")
    given = dict(parse_qsl(parts.query))
    if unknown := set(given) - {"endpoint", "region", "virtual_host"}:
        raise ConfigError(
            f"{wrong}unknown {', '.join(sorted(unknown))}; known: endpoint, region, virtual_host"
        )
    if not parts.hostname or "@" in parts.netloc or parts.port:
        raise ConfigError(wrong + "s3://bucket/prefix?endpoint=…&region=…, without keys in it")
    if not access_key or not secret_key:
        raise ConfigError(wrong + "an s3 store needs GRIDGOV_S3_ACCESS_KEY and GRIDGOV_S3_SECRET_KEY")
    options = {
        "bucket": parts.netloc,
        "root": "/" + unquote(parts.path).strip("/"),
        "region": given.get("region", "us-east-1"),
        "access_key_id": access_key,
        "secret_access_key": secret_key,
        # Nothing is taken from AWS_* variables, ~/.aws or a cloud's metadata address: the configuration is
        # all here.
        "disable_config_load": "true",
        "disable_ec2_metadata": "true",
    }
    if "endpoint" in given:
        options["endpoint"] = given["endpoint"]
    if given.get("virtual_host") in {"1", "true", "yes"}:
        options["enable_virtual_host_style"] = "true"
    return "s3", options
