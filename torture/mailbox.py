"""A mail server that can fail at every stage, and a ledger of the mails that it accepted."""

import asyncio
import re
import ssl
import time
from collections import Counter
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from torture.gate import SETTINGS

_MARKS = re.compile(r"mark-(\d+)\.")


@dataclass(frozen=True)
class Taken:
    """A mail that was answered 250: when (monotonic clock), by which door, to whom, and what it says."""

    at: float
    door: str
    message_id: str
    to: str
    marks: frozenset[int]
    """The events that it names."""
    incident: str
    says: str
    """Its first word: the incident's severity, or RESOLVED or ACKNOWLEDGED."""
    late: bool = False
    """Whether it was answered after the time for which a gate waits: then it must be sent again."""

    @property
    def told_by(self) -> str:
        """The id of the notification that it tells, or of the digest; what follows stands for its words."""
        return self.message_id.partition("@")[0].partition(".")[0]

    @property
    def says_over(self) -> bool:
        """Whether it says that the incident is resolved."""
        return self.says == "RESOLVED"


@dataclass
class Ledger:
    """Every mail that any door accepted."""

    mails: list[Taken] = field(default_factory=list)

    def twice(self, allowed: set[str]) -> list[Taken]:
        """Return every copy after the first of a message to one address, except of the notifications that may repeat.

        What was answered late may be sent once more: on a busy machine this server takes longer than a gate waits.
        """
        before: dict[tuple[str, str], Taken] = {}
        copies = []
        for mail in self.mails:
            key = (mail.message_id, mail.to)
            if key in before and not before[key].late and mail.told_by not in allowed:
                copies.append(mail)
            before[key] = mail
        return copies

    def last_words(self) -> dict[tuple[str, str], Taken]:
        """Return the last mail about each incident to each address."""
        return {(mail.incident, mail.to): mail for mail in self.mails}

    def copies(self) -> int:
        """Return how many mails are copies of an earlier one."""
        return sum(count - 1 for count in Counter((mail.message_id, mail.to) for mail in self.mails).values())

    def told(self) -> dict[str, set[int]]:
        """Return the events that mails named, by address."""
        told: dict[str, set[int]] = {}
        for mail in self.mails:
            told.setdefault(mail.to, set()).update(mail.marks)
        return told


class Gone(Exception):
    """The session ends here."""


@dataclass
class Door:
    """One listening address of the mail server.

    `mood` is `ok`, or a fault: `hang:STAGE`, `drop:STAGE`, `say:STAGE:REPLY`, `greylist`, `trickle`.
    The stages are connect, ehlo, mail, rcpt, data, middle (in the content) and end (after it, before the answer).
    """

    ledger: Ledger
    name: str = "door"
    mood: str = "ok"
    slow: float = 0.0
    """Seconds before a mail's content is answered."""
    patience: float = float(SETTINGS["smtp_timeout"])
    """Seconds for which a gate waits for an answer."""
    tls: ssl.SSLContext | None = None
    """Offers STARTTLS with this; MAIL without it is still answered."""
    port: int = 0
    plain_mails: int = 0
    """MAIL commands that came without TLS."""
    commands: Counter[str] = field(default_factory=Counter)
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _greylisted: dict[str, float] = field(default_factory=dict)

    async def open(self) -> None:
        """Listen; a door that opens again keeps its port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=2**20)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, and close every connection."""
        if self._server:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            await _Talk(self, reader, writer).run()
        except (OSError, Gone, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ssl.SSLError):
            pass
        except asyncio.CancelledError:
            if self._server:
                raise
        finally:
            self._open.discard(writer)
            writer.close()

    def greylisted(self, to: str) -> bool:
        """Return whether a recipient must wait: for three seconds after it was first seen while greylisting."""
        return time.monotonic() - self._greylisted.setdefault(to, time.monotonic()) < 3


class _Talk:
    """One SMTP session."""

    def __init__(self, door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._door = door
        self._reader = reader
        self._writer = writer
        self._to = ""
        self._safe = False

    async def run(self) -> None:
        await self._stage("connect", "220 mail.test ESMTP")
        while line := await self._reader.readline():
            verb = line.decode("latin-1").strip().partition(" ")[0].upper()
            self._door.commands[verb] += 1
            await self._command(verb, line.decode("latin-1").strip())

    async def _command(self, verb: str, line: str) -> None:
        if verb in {"EHLO", "HELO"}:
            offers = ["STARTTLS"] if self._door.tls and not self._safe else []
            lines = ["mail.test", *offers, "8BITMIME", "SIZE 10000000"]
            await self._stage("ehlo", "\r\n".join(f"250-{each}" for each in lines[:-1]) + f"\r\n250 {lines[-1]}")
        elif verb == "STARTTLS" and self._door.tls:
            await self._say("220 2.0.0 go ahead")
            await self._writer.start_tls(self._door.tls)
            self._safe = True
        elif verb == "MAIL":
            self._door.plain_mails += not self._safe
            await self._stage("mail", "250 2.1.0 OK")
        elif verb == "RCPT":
            self._to = line.partition("<")[2].partition(">")[0]
            if self._door.mood == "greylist" and self._door.greylisted(self._to):
                await self._say("451 4.7.1 greylisted, try again later")
            else:
                await self._stage("rcpt", "250 2.1.5 OK")
        elif verb == "DATA":
            asked = time.monotonic()
            if await self._stage("data", "354 go on"):
                await self._content(asked)
        elif verb == "QUIT":
            await self._say("221 2.0.0 bye")
            raise Gone
        else:
            await self._say("250 2.0.0 OK")

    async def _content(self, asked: float) -> None:
        """Take a mail. `asked` is when it was asked for: the gate waits for the answer since then, or later."""
        if self._door.mood == "drop:middle":
            await self._reader.readexactly(100)
            raise Gone
        if self._door.mood == "hang:middle":
            await self._reader.readexactly(100)
            self._writer.transport.pause_reading()
            await asyncio.sleep(3600)
        content = await self._reader.readuntil(b"\r\n.\r\n")
        if self._door.slow:
            await asyncio.sleep(self._door.slow)
        mood = self._door.mood
        if mood.split(":")[1:2] == ["end"]:
            await self._stage("end", "")
            return
        if self._writer.transport.is_closing():
            raise Gone
        mail = message_from_bytes(content[:-3].replace(b"\r\n..", b"\r\n."), policy=policy.default)
        assert isinstance(mail, EmailMessage)
        body = mail.get_body(("plain",))
        text = body.get_content() if body else ""
        taken = Taken(
            at=time.monotonic(),
            door=self._door.name,
            message_id=mail["Message-ID"].strip("<> "),
            to=self._to,
            marks=frozenset(int(number) for number in _MARKS.findall(text)),
            incident=mail["References"].partition("incident.")[2].partition("@")[0],
            says=text.partition(" ")[0],
            late=time.monotonic() - asked >= self._door.patience,
        )
        self._door.ledger.mails.append(taken)
        await self._say("250 2.0.0 OK queued")

    async def _stage(self, stage: str, usual: str) -> bool:
        """Give the usual answer, or the fault of the mood; return whether it was the usual answer."""
        kind, _, rest = self._door.mood.partition(":")
        where, _, words = rest.partition(":")
        if where == stage and kind == "hang":
            await asyncio.sleep(3600)
        if where == stage and kind == "drop":
            raise Gone
        if where == stage and kind == "say":
            await self._say(words)
            return False
        await self._say(usual)
        return True

    async def _say(self, line: str) -> None:
        data = line.encode() + b"\r\n"
        if self._door.mood == "trickle":
            for at in range(len(data)):
                self._writer.write(data[at : at + 1])
                await asyncio.sleep(0.005)
        else:
            self._writer.write(data)
        await self._writer.drain()
