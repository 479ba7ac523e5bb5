"""A small closed-loop load generator: so many keep-alive connections, each sends its next request when the last is answered."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

Request = Callable[[int], bytes]


@dataclass
class Load:
    """What a run measured. Times are seconds; `failed` counts answers outside 2xx and 3xx."""

    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    failed: int = 0
    first_failure: str = ""

    @property
    def rate(self) -> float:
        """Answered requests per second."""
        return len(self.times) / self.seconds

    def quantile(self, share: float) -> float:
        """The time within which this share of requests was answered, in seconds."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def http(
    method: str, path: str, headers: dict[str, str], body: bytes = b"", kind: str = "application/json"
) -> bytes:
    """One HTTP/1.1 request as bytes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{k}: {v}" for k, v in headers.items())]
    if body or method == "POST":
        lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def run(
    port: int, request: Request, *, clients: int = 16, seconds: float = 4.0, start: int = 0
) -> tuple[Load, int]:
    """Keep `clients` requests under way for `seconds`. `request(i)` makes the i-th. Returns the load and the next i."""
    return asyncio.run(_run(port, request, clients, seconds, start))


async def _run(port: int, request: Request, clients: int, seconds: float, start: int) -> tuple[Load, int]:
    load, counter = Load(), iter(range(start, 10**9))
    begin = time.perf_counter()
    await asyncio.gather(*(_client(port, request, counter, begin + seconds, load) for _ in range(clients)))
    load.seconds = time.perf_counter() - begin
    return load, next(counter)


async def _client(port: int, request: Request, counter, until: float, load: Load) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while time.perf_counter() < until:
            sent = time.perf_counter()
            writer.write(request(next(counter)))
            status, body = await _answer(reader)
            load.times.append(time.perf_counter() - sent)
            if not 200 <= status < 400:
                load.failed += 1
                load.first_failure = load.first_failure or f"{status} {body[:300]!r}"
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    length, chunked = 0, False
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        elif name.lower() == b"transfer-encoding":
            chunked = b"chunked" in value.lower()
    if not chunked:
        return status, await reader.readexactly(length)
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size + 2)
    await reader.readline()
    return status, body
