"""Single POSTs: one on its own connection, and many at once, each on its own."""

import asyncio
import json
import math
import resource
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torture.load import TOKEN

FILES_BESIDE = 100
"""Open files that this process needs besides its connections."""
WITHIN = 60.0
"""Time limit for the answers to a burst, in seconds."""


def request(path: str, body: Any, header: str = "") -> bytes:
    """Return a POST of JSON; `header` holds whole lines."""
    content = json.dumps(body)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{header}"
    return f"{head}Content-Length: {len(content)}\r\n\r\n{content}".encode()


def alert(**fields: str) -> bytes:
    """Return a POST of one alert, as Particle sends it."""
    return request("/webhook/particle", fields, f"Authorization: Bearer {TOKEN}\r\n")


async def post(port: int, sent: bytes, expected: int = 202) -> None:
    """Send one request on its own connection. Raises RuntimeError for a status other than `expected`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        answer = b""
        while status(answer) is None:
            received = await reader.read(65_536)
            if not received:
                raise ConnectionResetError(f"the connection ended after {answer!r}")
            answer += received
        if status(answer) != expected:
            raise RuntimeError(f"answered {answer[:200]!r}, not {expected}")
    finally:
        writer.close()


def status(answer: bytes) -> int | None:
    """Return an answer's status, None while it is incomplete. It must have a Content-Length."""
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return None
    length = int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
    return int(head[9:12]) if len(body) >= length else None


@dataclass(frozen=True)
class Burst:
    """Answers to requests that were sent at once."""

    begun: float
    """When the first one was sent, by the monotonic clock."""
    seconds: Sequence[float]
    """From then to each answer, sorted."""


async def at_once(port: int, requests: Sequence[bytes]) -> Burst:
    """Open a connection for each request, then send all of them. Raises RuntimeError unless each is answered 202."""
    _allow_files(len(requests))
    connect = asyncio.get_running_loop().create_connection
    callers: list[_Caller] = []
    try:
        for sent in requests:
            _, caller = await connect(partial(_Caller, sent), "127.0.0.1", port)
            callers.append(caller)
        begun = time.monotonic()
        for caller in callers:
            caller.send()
        await asyncio.wait([caller.answer for caller in callers], timeout=WITHIN)
    finally:
        for caller in callers:
            caller.close()
    answers = [caller.answer.result() for caller in callers if caller.answer.done()]
    statuses = Counter(status for _, status in answers)
    if statuses != {202: len(requests)}:
        raise RuntimeError(f"{len(requests):,} alerts at once were answered {dict(statuses)} (0: incompletely)")
    return Burst(begun, sorted(at - begun for at, _ in answers))


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value that this share of the sorted values doesn't exceed (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class _Caller(asyncio.Protocol):
    """One device's connection: `send` sends its request; `answer` gets the time when the answer is complete."""

    def __init__(self, sent: bytes) -> None:
        self._sent = sent
        self._received = b""
        self.answer: asyncio.Future[tuple[float, int]] = asyncio.get_running_loop().create_future()
        """The time (monotonic clock) and the status; 0 if the connection ended first."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send(self) -> None:
        self._transport.write(self._sent)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if found := status(self._received):
            self._end(found)

    def connection_lost(self, _: Exception | None) -> None:
        self._end(0)

    def close(self) -> None:
        self._transport.close()

    def _end(self, found: int) -> None:
        if not self.answer.done():
            self.answer.set_result((time.monotonic(), found))


def _allow_files(connections: int) -> None:
    """Let this process open so many connections. Raises RuntimeError if the system's hard limit is too low."""
    needed = connections + FILES_BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise RuntimeError(f"{connections:,} connections need {needed:,} open files; the hard limit is {hard:,}")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
