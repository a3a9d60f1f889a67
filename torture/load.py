"""A simulated Particle Cloud: many devices, deliberate duplicates, and retries of what wasn't answered 2xx."""

import asyncio
import json
import random
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from alertgate.accept import repeats
from alertgate.id_kind import IdKind

TOKEN = "particle-token-0123456789abcdef"  # noqa: S105  (made up)
ANSWER_WITHIN = 30.0
"""Seconds; Particle itself gives up after 20."""
DUPLICATES = 0.05
RETRIES = 0.3
CYCLE = 4
"""A device that flaps ends its incident with each fourth event."""
SHORT = 8
"""Events in the life of a device that tells of one problem and its end."""


def mark(number: int) -> str:
    """Return the text that identifies an event in a mail."""
    return f"mark-{number}."


@dataclass
class Answer:
    """When a request was sent (monotonic clock), the seconds until its answer, and the status; 0 without an answer."""

    at: float
    seconds: float
    status: int


@dataclass
class Load:
    """Posts distinct events at a steady rate to one or more gates, and records the answers.

    Every `lifetime` seconds new devices take the place of the old ones. Updates about one incident grow apart, so old
    devices alone would soon leave nothing to send.

    `acked` maps each event that was answered 2xx to its alert id. `changed` lists the events whose later answers
    contradict the first: an event that is accepted a second time, or under another id, wasn't kept.
    """

    ports: Sequence[int]
    rate: float
    devices: int = 24
    connections: int = 12
    lifetime: float = 6.0
    run: str = field(default_factory=lambda: f"{random.getrandbits(48):012x}")
    acked: dict[int, str] = field(default_factory=dict)
    changed: list[int] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    answers: list[Answer] = field(default_factory=list)
    unanswered: deque[int] = field(default_factory=deque)
    paused: bool = False
    _born: float = field(default_factory=time.time)
    _published: list[float] = field(default_factory=list)
    """When each event was published; its repeats and retries have the same time."""
    _by_key: dict[str, int] = field(default_factory=dict)
    """The events by their repeat keys, kept: an oracle that makes them anew keeps the mail server waiting."""
    _slot: float = 0.0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _stopping: bool = False

    def start(self) -> None:
        """Start posting."""
        self._stopping = False
        self._slot = time.monotonic()
        self._tasks = [asyncio.create_task(self._work(number)) for number in range(self.connections)]

    async def stop(self) -> None:
        """Issue no new events, and retry until every issued one is answered 2xx."""
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def abandon(self) -> None:
        """Stop at once, without waiting for answers."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def issued(self) -> int:
        """How many distinct events were issued."""
        return len(self._published)

    def repeat_key(self, number: int) -> str:
        """Return an event's repeat key in the store."""
        return repeats.repeat_key(IdKind.EVENT_ID, self._device(number), self._event_id(number))

    def numbers(self, keys: Iterable[str]) -> list[int]:
        """Return the events that have these keys, without those of other runs."""
        return [self._by_key[key] for key in keys if key in self._by_key]

    def _device(self, number: int) -> str:
        """Return the id of the device that published an event."""
        turn, device = divmod(number, self.devices)
        age = (self._published[number] - self._born) / self.lifetime
        return f"{turn // SHORT if device % 3 == 2 else int(age):016x}{device:08x}"

    def _status(self, number: int) -> str:
        """Return an event's `status`: a third of the devices only fire, a third flap, a third fire once and end it."""
        turn, device = divmod(number, self.devices)
        over = (False, (turn + device // 3) % CYCLE == 0, turn % SHORT > 0)
        return "resolved" if over[device % 3] else "firing"

    def _event_id(self, number: int) -> str:
        return f"{self.run}-{number}"

    async def _work(self, number: int) -> None:
        """Keep one connection busy; reconnect when it breaks."""
        while not self._done():
            port = self.ports[number % len(self.ports)]
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                number += 1  # another replica may be up
                await asyncio.sleep(0.02)
                continue
            try:
                while not self._done():
                    await self._pace()
                    await self._post(reader, writer)
            except (OSError, asyncio.IncompleteReadError, TimeoutError):
                number += 1
            finally:
                writer.close()

    def _done(self) -> bool:
        return self._stopping and not self.unanswered

    async def _pace(self) -> None:
        now = time.monotonic()
        self._slot = max(self._slot + 1 / self.rate, now - 0.2)  # don't catch up after a pause
        await asyncio.sleep(max(0.0, self._slot - now))
        while self.paused:
            await asyncio.sleep(0.01)

    def _next(self) -> int | None:
        """Return the number of the event to send now."""
        if self.unanswered and (self._stopping or random.random() < RETRIES):
            return self.unanswered.popleft()
        if self._stopping:
            return None
        if self.issued and random.random() < DUPLICATES:
            return random.randrange(max(0, self.issued - 500), self.issued)
        self._published.append(time.time())
        number = self.issued - 1
        self._by_key[self.repeat_key(number)] = number
        return number

    async def _post(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = self._next()
        if number is None:
            return
        start = time.monotonic()
        known = number in self.acked  # answered before this request, not by one in flight at the same time
        status, body = 0, b""
        try:
            writer.write(self._request(number))
            async with asyncio.timeout(ANSWER_WITHIN):
                head = await reader.readuntil(b"\r\n\r\n")
                status = int(head[9:12])
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                body = await reader.readexactly(length)
        finally:
            self._note(number, status, body, known=known)
            self.answers.append(Answer(start, time.monotonic() - start, status))
        if status >= 500:
            await asyncio.sleep(0.05)

    def _request(self, number: int) -> bytes:
        event = {
            "event": "alarm/motion",
            "coreid": self._device(number),
            "data": mark(number),
            "status": self._status(number),
            "published_at": datetime.fromtimestamp(self._published[number], UTC).isoformat(timespec="milliseconds"),
            "event_id": self._event_id(number),
        }
        body = json.dumps(event).encode()
        return (
            f"POST /webhook/particle HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    def _note(self, number: int, status: int, body: bytes, *, known: bool) -> None:
        self.statuses[status] += 1
        if not 200 <= status < 300:
            self.unanswered.append(number)
            return
        try:
            answer = json.loads(body)
        except ValueError:  # the gate died while it sent the body: the 2xx counts
            self.acked.setdefault(number, "")
            return
        before = self.acked.get(number)
        if (before and before != answer["id"]) or (known and answer["status"] == "accepted"):
            self.changed.append(number)
        self.acked[number] = answer["id"]
