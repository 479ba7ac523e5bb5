"""Where the web server listens: GRIDGOV_HOST and GRIDGOV_PORT."""

import http.client
import os
import socket
from dataclasses import dataclass
from typing import Self

from gridgov.errors import ConfigError
from gridgov.processes import describe

ALL = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # Listening on all, one reaches it here.


@dataclass(frozen=True)
class Address:
    """A host, by name or number, and a port."""

    host: str = "127.0.0.1"
    port: int = 8000

    @classmethod
    def from_env(cls) -> Self:
        """As configured. Raises ConfigError."""
        return cls(os.environ.get("GRIDGOV_HOST") or cls.host, number("GRIDGOV_PORT", cls.port, 65535))

    @property
    def url(self) -> str:
        """Where a browser on this machine reaches it."""
        host = ALL.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def refusal(self) -> str | None:
        """Why nothing could listen there; None when something could."""
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except socket.gaierror as error:
            return f"{self.host} is no address of this machine ({error.strerror})"
        family, kind, protocol, _name, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                return f"The web server cannot listen on {self.host}:{self.port} ({describe(error)})"
        return None

    def answers(self) -> bool:
        """Whether gridgov answers there."""
        connection = http.client.HTTPConnection(ALL.get(self.host, self.host), self.port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def number(variable: str, default: int, most: int) -> int:
    """A whole number from 1 to `most` out of the environment. Raises ConfigError."""
    text = os.environ.get(variable) or str(default)
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise ConfigError(f"{variable}: {text!r} is not a whole number from 1 to {most}")
    return int(text)
