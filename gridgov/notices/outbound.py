"""Calls to the outside by HTTP, watched: only to public addresses, without redirects, and with the answer kept.

apprise calls `requests`, follows redirects unless told not to, and takes any 200 for success, although WeCom, DingTalk and
Feishu answer 200 to what they refuse. So while a watch is on, each connection is resolved, checked and made to the very
address that was checked (a name that changes its mind in between gains nothing), and the answers can be read afterwards.
"""

import ipaddress
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from gridgov.notices.settings import Network

CONNECT_S, READ_S = 5.0, 15.0
ANSWER_BYTES = 65_536
# Public by their number, and a way to private addresses all the same: NAT64, 6to4, Teredo.
TUNNELS = tuple(ipaddress.ip_network(n) for n in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))


class Forbidden(OSError):
    """The address is not one that may be called."""


@dataclass
class Watch:
    """What was answered while it was on: (status, beginning of the body). `error` says why there was no answer.

    `private`: networks that may be called although they are not public; None: all, for what the operator configured.
    """

    private: tuple[Network, ...] | None
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    error: str = ""


_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watched(private: tuple[Network, ...] | None) -> Iterator[Watch]:
    """Watch every call that this thread makes through `requests` within the block."""
    watch = Watch(private)
    token = _watch.set(watch)
    try:
        yield watch
    finally:
        _watch.reset(token)


def checked(host: str, port: int, private: tuple[Network, ...] | None) -> str:
    """The address that `host` stands for now. Raises Forbidden if any of them may not be called, gaierror if there is none."""
    found = [info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if private is not None:
        for address in found:
            if not _allowed(str(address), private):
                raise Forbidden(f"{host} is not a public address")
    return str(found[0])


def _allowed(text: str, private: Iterable[Network]) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if any(address in network for network in private):
        return True
    tunnel = any(address in network for network in TUNNELS)
    return address.is_global and not address.is_multicast and not address.is_reserved and not tunnel


class _Pinned:
    """Connects to the address that was checked, while TLS and the Host header keep the name."""

    def _new_conn(self: Any) -> socket.socket:
        watch = _watch.get()
        if watch is None:
            return super()._new_conn()  # type: ignore[misc]
        name = self._dns_host
        try:
            self._dns_host = checked(name, self.port, watch.private)
            return super()._new_conn()  # type: ignore[misc]
        except OSError as error:
            watch.error = str(error) if isinstance(error, Forbidden) else f"no connection: {type(error).__name__}"
            raise
        finally:
            self._dns_host = name


class _Http(_Pinned, HTTPConnection):
    pass


class _Https(_Pinned, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


class _Adapter(HTTPAdapter):
    """What `requests` sends through. Without a watch it behaves as ever."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        manager: PoolManager = self.poolmanager
        manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def send(self, request: Any, stream: bool = False, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        watch = _watch.get()
        if watch is None:
            return super().send(request, stream=stream, **kwargs)
        kwargs["timeout"] = (CONNECT_S, READ_S)
        kwargs["proxies"] = {}  # A proxy would look the name up itself, unchecked.
        try:
            answer = super().send(request, stream=True, **kwargs)
            # No more than this is read, however long the answer is, or however far it would unpack.
            body = answer.raw.read(ANSWER_BYTES, decode_content=True) or b""
        except (requests.RequestException, OSError) as error:
            watch.error = watch.error or f"no answer: {type(error).__name__}"
            raise
        answer._content, answer._content_consumed = body, True
        answer.close()
        watch.answers.append((answer.status_code, body))
        return answer


requests.sessions.HTTPAdapter = _Adapter  # type: ignore[misc]
