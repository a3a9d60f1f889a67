"""The client of a service: what it reads, what its failures mean, and what it never shows."""

import asyncio
import contextlib
import socket
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from starlette.responses import RedirectResponse, StreamingResponse

from alertgate.notify.channels.base import AttemptFailed, Reason
from alertgate.notify.channels.pinned import is_public
from alertgate.notify.channels.service import LONGEST_TEXT, MOST_BYTES, Service, read_retry_after
from tests.services.server import Asked, FakeService, serve

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)


def soon() -> float:
    """Return a deadline."""
    return asyncio.get_running_loop().time() + 5


@pytest.fixture
async def fake():
    """A service that sends its clients elsewhere."""
    async with serve(FakeService(lambda _: RedirectResponse("http://169.254.169.254/latest"))) as service:
        yield service


async def test_a_redirect_is_an_answer(make_settings, fake):
    """It isn't followed, least of all with a credential."""
    client = Service(make_settings(channels_private=True), "ntfy", url=fake.url)
    reply = await client.ask("POST", "/", soon(), json={})
    assert (reply.status, len(fake.asked)) == (307, 1)
    await client.close()


async def test_an_endless_answer_is_cut(make_settings, fake):
    """Of 500 MB as much is read as any service needs."""

    async def endless():
        for _ in range(5000):
            yield b"x" * 100_000

    fake.script.append(StreamingResponse(endless()))
    client = Service(make_settings(channels_private=True), "ntfy", url=fake.url)
    reply = await client.ask("GET", "/", soon())
    assert len(reply.body) == MOST_BYTES
    await client.close()


async def test_an_answer_that_does_not_come_ends_at_the_deadline(make_settings, fake):
    """Another process may send the message after that."""
    never = asyncio.Event()

    async def hang(_: Asked):
        await never.wait()

    fake.script.extend([hang, hang])
    client = Service(make_settings(channels_private=True), "ntfy", url=fake.url)
    found = []
    for method, seconds in (("POST", 0.2), ("GET", 0.2), ("POST", -1)):
        with pytest.raises(AttemptFailed) as failed:
            await client.ask(method, "/", asyncio.get_running_loop().time() + seconds)
        found.append((failed.value.outcome.reason, failed.value.outcome.is_unanswered))
    assert found == [(Reason.TIMEOUT, True), (Reason.TIMEOUT, False), (Reason.TIMEOUT, False)]
    assert len(fake.asked) == 2
    never.set()
    await client.close()


async def test_a_host_that_does_not_take_the_connection_has_got_nothing(make_settings):
    """It drops what comes, as one that is switched off: no repeat can be the second one."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with contextlib.ExitStack() as waiting:
            for _ in range(2):  # the queue of those that nobody lets in
                one = waiting.enter_context(socket.socket())
                one.setblocking(False)
                one.connect_ex(full.getsockname())
            client = Service(
                make_settings(channels_private=True), "slack", url=f"http://127.0.0.1:{full.getsockname()[1]}"
            )
            with pytest.raises(AttemptFailed) as failed:
                await client.ask("POST", "/", asyncio.get_running_loop().time() + 0.4, json={})
            await client.close()
    assert (failed.value.outcome.reason, failed.value.outcome.is_unanswered) == (Reason.TIMEOUT, False)


async def test_a_connection_that_breaks_before_the_answer_leaves_it_open(make_settings):
    """The service may have taken the message then; not so if there was no connection."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = Service(make_settings(channels_private=True), "ntfy", url=f"http://127.0.0.1:{port}")
    found = []
    for _ in range(2):
        with pytest.raises(AttemptFailed) as failed:
            await client.ask("POST", "/", soon(), json={})
        found.append((failed.value.outcome.reason, failed.value.outcome.is_unanswered))
        server.close()
        await server.wait_closed()
    assert found == [(Reason.CONNECTION, True), (Reason.CONNECTION, False)]
    await client.close()


async def test_a_secret_is_never_shown(make_settings, fake):
    """Neither the service's own nor an address that is one, whatever the service repeats."""
    client = Service(make_settings(channels_private=True), "telegram", ["123456:secret-of-bot"], url=fake.url)
    fake.answer(400, "no such bot 123456:secret-of-bot for topic-x7Kq9a")
    reply = await client.ask("GET", "/bot123456:secret-of-bot/getMe", soon(), secret="topic-x7Kq9a")
    assert reply.said() == "400 no such bot *** for ***"
    closed = Service(
        make_settings(channels_private=True), "telegram", ["123456:secret-of-bot"], url="http://127.0.0.1:9"
    )
    with pytest.raises(AttemptFailed) as failed:
        await closed.ask("GET", "/bot123456:secret-of-bot/getMe", soon())
    assert failed.value.outcome.reason is Reason.CONNECTION
    assert "secret" not in failed.value.outcome.reply
    await client.close()
    await closed.close()


async def test_what_is_no_http_is_told_in_a_line(make_settings):
    """Whoever answers may send much that isn't HTTP, and repeat a secret in it."""

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 ok\r\nsecret-of-bot" + b"\xff " * 20_000 + b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = Service(
        make_settings(channels_private=True), "telegram", ["secret-of-bot"], url=f"http://127.0.0.1:{port}"
    )
    with pytest.raises(AttemptFailed) as failed:
        await client.ask("GET", "/", soon())
    reply = failed.value.outcome.reply
    assert (len(reply) <= LONGEST_TEXT, "secret" in reply) == (True, False)
    await client.close()
    server.close()


async def test_a_proxy_that_cannot_be_used_is_named(make_settings, monkeypatch):
    """It is a mistake of the environment, not a defect."""
    monkeypatch.setenv("HTTPS_PROXY", "gopher://user:secret@127.0.0.1")
    client = Service(make_settings(http_proxy_for_channels=True), "Telegram", url="https://telegram.example.org")
    with pytest.raises(AttemptFailed) as failed:
        await client.ask("GET", "/", soon())
    assert "HTTPS_PROXY" in failed.value.outcome.reply
    assert "secret" not in failed.value.outcome.reply


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://localhost:9/", "http://[::1]:9/"])
async def test_private_networks_are_out_of_reach(make_settings, url):
    """Unless CHANNELS_PRIVATE says so."""
    client = Service(make_settings(), "webhook")
    with pytest.raises(AttemptFailed) as failed:
        await client.ask("POST", url, soon())
    assert "CHANNELS_PRIVATE" in failed.value.outcome.reply
    await client.close()


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.215.14", True),
        ("2606:2800:220:1::1", True),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
        ("::10.0.0.1", False),
        ("::ffff:0:a00:1", False),
        ("64:ff9b:1::a00:1", False),
        ("fec0::1", False),
    ],
)
def test_what_is_on_the_internet(address, expected):
    """Also in the forms of IPv6 that lead to an address of IPv4."""
    assert is_public(ip_address(address)) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("30", timedelta(seconds=30)),
        ("1.5", timedelta(seconds=1.5)),
        ("-1", None),
        ("0", None),
        ("1e99", timedelta(days=1)),
        ("nan", None),
        ("inf", timedelta(days=1)),
        ("-inf", None),
        ("-1e99", None),
        ("Mon, 99999999999999999999 Jan 2020 00:00:00 GMT", None),
        ("Wed, 25 Nov 2026 03:02:00 GMT", timedelta(minutes=2)),
        ("Wed, 25 Nov 2026 02:00:00 GMT", None),
        ("soon", None),
    ],
)
def test_how_long_a_service_asks_to_wait(value, expected):
    """Seconds, or a date; no more than a day."""
    assert read_retry_after(value, NOW) == expected
