"""Servers that alertgate calls and that answer without end: little is read, with one deadline for all of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiosmtplib
import httpx
import pytest

from alertgate.clock import SystemClock
from alertgate.notify.channels.base import AttemptFailed, Reason
from alertgate.notify.channels.connect import Connector
from alertgate.notify.channels.oauth import MOST_BYTES, AccessTokens
from alertgate.outbound import ask
from alertgate.prove.heartbeat import Heartbeat, open_client
from tests.conftest import serving
from tests.fakes import tcp_server

LITTLE = 8 * 2**20
"""Bytes that the systems' own buffers may take of an answer before its connection is closed."""
ENDLESS = {
    "a body": b"HTTP/1.1 200 OK\r\n\r\n",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a length": b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n",
    "a failure": b"HTTP/1.1 500 Oh\r\n\r\n",
}
MAIL = {"smtp_email": "me@example.com", "recipient_email": "me@example.com"}
OAUTH = {
    **MAIL,
    "smtp_host": "127.0.0.1",
    "smtp_oauth_client_id": "client-1",
    "smtp_oauth_refresh_token": "refresh-token-0123456789abcdef",
}
CHUNK = b"10000\r\n" + b"x" * 65536 + b"\r\n"


class Endless:
    """Sends a beginning, then the same again and again until its caller leaves."""

    def __init__(self, beginning: bytes, again: bytes = CHUNK) -> None:
        self.beginning, self.again = beginning, again
        self.sent = 0
        self.left = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(self.beginning)
        try:
            while self.sent < 10 * LITTLE:
                writer.write(self.again)
                await writer.drain()
                self.sent += len(self.again)
        except OSError:
            self.left.set()


@asynccontextmanager
async def _endless(beginning: bytes) -> AsyncIterator[tuple[str, Endless]]:
    server = Endless(beginning)
    async with tcp_server(server) as port:
        yield f"http://127.0.0.1:{port}/ping", server


async def _little_was_read(server: Endless) -> None:
    async with asyncio.timeout(20):
        await server.left.wait()
    assert server.sent < LITTLE


@pytest.mark.parametrize("beginning", ENDLESS.values(), ids=ENDLESS)
async def test_a_heartbeats_answer_is_not_read(make_settings, beginning):
    """Its status counts; then the connection is closed."""
    async with (
        serving(make_settings()) as service,
        _endless(beginning) as (url, server),
        open_client(url) as client,
    ):
        await Heartbeat(client, service.gate.auditor, url).beat()
        await _little_was_read(server)


@pytest.mark.parametrize("beginning", [ENDLESS["a body"], ENDLESS["chunks"], ENDLESS["a length"]])
async def test_of_a_token_endpoints_answer_64_kb_are_read(make_settings, beginning):
    """It isn't a token then, and the channel waits."""
    async with _endless(beginning) as (url, server):
        tokens = AccessTokens(make_settings(**OAUTH, smtp_oauth_token_url=url), SystemClock())
        with pytest.raises(AttemptFailed) as failed:
            await tokens.current()
        assert failed.value.outcome.reason is Reason.TRY_LATER
        await _little_was_read(server)


async def test_what_was_asked_for_is_cut_to_the_byte():
    """Whatever pieces it comes in."""
    async with _endless(ENDLESS["a body"]) as (url, server), httpx.AsyncClient(trust_env=False) as client:
        answer = await ask(client, "GET", url, within=20, most=MOST_BYTES)
        assert (answer.status, len(answer.body)) == (200, MOST_BYTES)
        await _little_was_read(server)


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a header now and then, each well before any time-out of a single read."""
    await reader.read(1)
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def test_an_answer_that_drips_ends_at_the_deadline():
    """One for all of it, not one for each read."""
    async with tcp_server(_drip) as port, httpx.AsyncClient(trust_env=False, timeout=20) as client:
        with pytest.raises(httpx.TimeoutException, match=r"no whole answer within 0\.2 s"):
            await ask(client, "GET", f"http://127.0.0.1:{port}/", within=0.2)


async def test_a_mail_servers_reply_without_end_is_a_failure(make_settings):
    """Aiosmtplib reads a bounded part of it."""
    server = Endless(b"", b"220-x\r\n" * 10_000)

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        some = asyncio.StreamReader()
        some.feed_data(b"x")
        await server(some, writer)

    async with tcp_server(greet) as port:
        settings = make_settings(**MAIL, smtp_host="127.0.0.1", smtp_port=port, smtp_security="none")
        with pytest.raises((AttemptFailed, aiosmtplib.SMTPException)):
            await Connector(settings, SystemClock()).open()
        await _little_was_read(server)
