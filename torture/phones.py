"""A push service that hangs, refuses and dies, beside a mail server that works, and kills meanwhile.

ntfy stands for all of them: its messages carry an id of ours, so it is known which of them came twice.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from torture.books import Books
from torture.gate import Gate, free_port
from torture.load import TOKEN
from torture.mailbox import Door, Ledger
from torture.oracle import drained, unsent
from torture.table import Row

TOPIC = "house"
BEHAVIOURS = ("works", "hangs", "refuses", "forbids", "takes and hangs", "is down", "works")
"""What the service does, one after the other: `takes and hangs` has the message, and doesn't say so."""
RATE = 8.0
EACH = 4.0
"""Seconds of each behaviour."""


@dataclass
class PushService:
    """A fake of ntfy on loopback."""

    port: int = field(default_factory=free_port)
    behaviour: str = "works"
    answered: Counter[str] = field(default_factory=Counter)
    """How often a message with an id of ours was answered with 200."""
    taken: Counter[str] = field(default_factory=Counter)
    """How often it was taken, answered or not."""
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether the present behaviour is over."""

    async def open(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def close(self) -> None:
        """Refuse connections, and break those that are open."""
        if self._server:
            self._server.close()
            self._server = None
        self._over.set()
        for writer in tuple(self._open):
            writer.transport.abort()

    async def behave(self, behaviour: str) -> None:
        """Do something else from now on."""
        self.behaviour = behaviour
        self._over.set()
        self._over = asyncio.Event()
        for writer in tuple(self._open):
            writer.transport.abort()  # what hung is over
        if behaviour == "is down":
            await self.close()
        elif self._server is None:
            await self.open()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                lengths = [line.split(":")[1] for line in lines if line.lower().startswith("content-length:")]
                body = await reader.readexactly(int(lengths[0])) if lengths else b""
                await self._answer(lines[0], body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, request: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        said = json.loads(body) if request.startswith("POST / ") else {}
        sequence = str(said.get("sequence_id", ""))
        status, answer = {
            "refuses": ("503 Service Unavailable", {}),
            "forbids": ("429 Too Many Requests", {"code": 42901, "http": 429, "error": "limit reached: too many"}),
        }.get(self.behaviour, ("200 OK", {"id": f"id{len(self.taken)}", "event": "message"}))
        if self.behaviour == "hangs":
            await self._over.wait()
            return
        if status.startswith("200") and sequence:
            self.taken[sequence] += 1
        if self.behaviour == "takes and hangs":
            await self._over.wait()
            return
        text = json.dumps(answer).encode()
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text)
        await writer.drain()
        if status.startswith("200") and sequence:
            self.answered[sequence] += 1


async def phones(directory: Path, rounds: int) -> Row:
    """Raise incidents while the service misbehaves and the gate is killed; in the end each was told, none twice."""
    row = Row("push service fails")
    directory.mkdir(exist_ok=True)
    service, door = PushService(), Door(Ledger())
    await service.open()
    await door.open()
    given = {
        "smtp_port": door.port,
        "recipient_push": f"ntfy:{TOPIC}",
        "ntfy_url": f"http://127.0.0.1:{service.port}",
        "channels_private": "true",
    }
    gate = Gate(directory, given)
    books, allowed, raised = Books(gate.database), set[str](), list[str]()
    row.recovered.append(await gate.start())
    try:
        for _ in range(rounds):
            for behaviour in BEHAVIOURS:
                await service.behave(behaviour)
                await _raise(gate, raised, EACH)
                if random.random() < 0.5:
                    await gate.kill()
                    allowed |= books.in_flight()
                    row.recovered.append(await gate.start())
            row.rounds += 1
        if await drained(books, 600.0) is None:
            row.lost += unsent(books, 600)
        row.lost += _untold(books, raised)
    finally:
        await gate.stop()
        await door.close()
        await service.close()
    row.accepted = len(raised)
    again = [sequence for sequence, times in service.answered.items() if times > 1 and sequence not in allowed]
    row.twice = len(again)
    repeated = sum(times > 1 for times in service.taken.values())
    row.said = f"{len(service.taken)} messages, {repeated} of them repeated, as nobody could know that they had come"
    return row


async def _raise(gate: Gate, raised: list[str], seconds: float) -> None:
    """Raise an incident of a device of its own again and again."""
    until = time.monotonic() + seconds
    async with httpx.AsyncClient(timeout=10) as client:
        while time.monotonic() < until:
            body = {"event": "leak", "coreid": f"{len(raised):024x}", "data": "water"}
            answer = await client.post(
                f"http://127.0.0.1:{gate.port}/webhook/particle",
                json=body,
                headers={"Authorization": f"Bearer {TOKEN}"},
            )
            answer.raise_for_status()
            raised.append(answer.json()["incident"])
            await asyncio.sleep(1 / RATE)


def _untold(books: Books, raised: Sequence[str]) -> list[str]:
    """Return a line for each incident of which nothing was sent to the phone, or to the mailbox."""
    told: dict[str, set[str]] = {}
    for incident, channel in books.ask("SELECT incident_id, channel FROM notifications WHERE status = 'sent'"):
        told.setdefault(incident, set()).add(channel)
    return [
        f"incident {incident} was told by {sorted(told.get(incident, ()))} alone"
        for incident in raised
        if not {"ntfy", "email"} <= told.get(incident, set())
    ]
