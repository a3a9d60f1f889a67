"""A mail server that says what a test wants, and a token endpoint: real sockets, and every command is kept."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs

REFUSED = "535 5.7.8 Error: authentication failed"
CHALLENGE = base64.b64encode(json.dumps({"status": "400", "schemes": "Bearer"}).encode()).decode()
"""What Gmail and Microsoft 365 say about a token that they don't take, before their 535."""


Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def speaking(speak: Speak, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve connections on a local port, and end those that are left at the end."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await speak(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class ScriptedServer:
    """An SMTP server that offers the logins `auth`; `judge` gets a mechanism and what it was given, and replies."""

    auth: str = "CRAM-MD5 PLAIN LOGIN"
    judge: Callable[[str, str], str] = lambda _mechanism, _given: REFUSED
    greeting: str = "220 mail.test ESMTP"
    mail_from: str = "250 2.1.0 OK"
    """The reply to MAIL."""
    pause: Callable[[], Awaitable[object]] | None = None
    """Awaited before the reply to a login, if given."""
    connections: int = 0
    commands: list[str] = field(default_factory=list)
    mails: int = 0
    port: int = 0

    def said(self, command: str) -> list[str]:
        return [line for line in self.commands if line.upper().startswith(command)]

    async def speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await self._converse(reader, writer)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(text: str) -> None:
            writer.write(f"{text}\r\n".encode())
            await writer.drain()

        async def hear() -> str:
            return (await reader.readline()).decode().rstrip("\r\n")

        await say(self.greeting)
        while line := await hear():
            self.commands.append(line)
            verb = line.upper().partition(" ")[0]
            if verb == "EHLO":
                await say(
                    "250-mail.test\r\n250-8BITMIME" + (f"\r\n250 AUTH {self.auth}" if self.auth else "\r\n250 OK")
                )
            elif verb == "AUTH":
                given = await self._given(line, say, hear)
                if self.pause:
                    await self.pause()
                reply = self.judge(line.split()[1].upper(), given)
                if reply.startswith("334"):
                    await say(reply)
                    assert await hear() == ""  # the client's answer to a challenge of XOAUTH2
                    reply = REFUSED
                await say(reply)
            elif verb == "DATA":
                await say("354 go on")
                while await hear() != ".":
                    pass
                self.mails += 1
                await say("250 2.0.0 queued")
            else:
                await say({"QUIT": "221 bye", "MAIL": self.mail_from}.get(verb, "250 2.0.0 OK"))

    async def _given(self, line: str, say, hear) -> str:
        """Return what a login gives as proof, decoded."""
        _, mechanism, *initial = line.split()
        if mechanism.upper() == "LOGIN":
            await say(f"334 {base64.b64encode(b'Password:').decode()}")
            return base64.b64decode(await hear()).decode()
        if mechanism.upper() == "CRAM-MD5":
            await say(f"334 {base64.b64encode(b'<1@mail.test>').decode()}")
            return base64.b64decode(await hear()).decode()
        return base64.b64decode(initial[0]).decode()


@asynccontextmanager
async def scripted_server(*given, **options) -> AsyncIterator[ScriptedServer]:
    """Run a scripted mail server on a local port."""
    server = ScriptedServer(*given, **options)
    async with speaking(server.speak) as server.port:
        yield server


@dataclass
class TokenEndpoint:
    """A token endpoint that gives `token-1`, `token-2`, …, or what `answers` holds, in order."""

    answers: list[tuple[int, bytes]] = field(default_factory=list)
    expires_in: object = 3600
    rotates: bool = False
    headers: str = ""
    hangs: bool = False
    forms: list[dict[str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/token"

    async def speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        form = parse_qs((await reader.readexactly(length)).decode())
        self.forms.append({name: values[0] for name, values in form.items()})
        if self.hangs:
            await reader.read()
        status, body = self.answers.pop(0) if self.answers else (200, self._granted())
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{self.headers}\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    def _granted(self) -> bytes:
        number = len(self.forms)
        rotated = {"refresh_token": f"refresh-{number + 1}"} if self.rotates else {}
        token = {"access_token": f"token-{number}", "token_type": "Bearer", "expires_in": self.expires_in, **rotated}
        return json.dumps(token).encode()


@asynccontextmanager
async def token_endpoint(**options) -> AsyncIterator[TokenEndpoint]:
    """Run a token endpoint on a local port."""
    tls = options.pop("tls", None)
    endpoint = TokenEndpoint(**options)
    async with speaking(endpoint.speak, tls) as endpoint.port:
        yield endpoint
