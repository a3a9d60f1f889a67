"""Which address of a mail server is connected to, on real sockets; black holes are listeners whose backlog is full."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress

import httpx
import pytest
import uvloop

from alertgate.model import ChannelName
from alertgate.notify.channels.base import AttemptFailed, Message, Reason, Sent
from alertgate.notify.channels.connect import Connector
from alertgate.notify.channels.dial import dial, shown
from alertgate.notify.channels.smtp import MailChannel, MailServer
from tests.fakes import LATER, START, FakeClock, mail_sink

V4, V6 = socket.AF_INET, socket.AF_INET6
MESSAGE = Message("me@example.com", "text", "id@x", "thread@x", START, "subject", "<p>html</p>")
LONG = 30.0
"""Seconds that no test waits: what takes as long as this has waited for the black hole."""


def found(*addresses: tuple[str, int]):
    """The answer of a resolver."""
    infos = [
        (V6 if ":" in host else V4, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))
        for host, port in addresses
    ]

    async def resolve(_host: str, _port: int):
        return infos

    return resolve


@pytest.fixture(params=[pytest.param("127.0.0.2", id="IPv4"), pytest.param("::1", id="IPv6")])
def black_hole(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """An address at which the kernel drops every SYN: its listener accepts nobody and its backlog is full."""
    family = V6 if ":" in request.param else V4
    if family == V6 and not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    with ExitStack() as stack:
        listener = stack.enter_context(closing(socket.socket(family)))
        listener.bind((request.param, 0))
        listener.listen(0)
        address = listener.getsockname()[:2]
        for _ in range(3):
            filler = stack.enter_context(closing(socket.socket(family)))
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect(address)
        yield address


def _has_ipv6() -> bool:
    with suppress(OSError), closing(socket.socket(V6)) as probe:
        probe.bind(("::1", 0))
        return True
    return False


@pytest.fixture
def dead() -> tuple[str, int]:
    """An address at which nobody listens."""
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_an_address_whose_packets_vanish_does_not_hold_up_a_mail(make_settings, black_hole, new_loop):
    """The first address of the mail server is a black hole, the second one works: the mail arrives over that."""

    async def sending():
        async with mail_sink() as sink:
            settings = _settings(make_settings, sink.port, smtp_timeout=LONG)
            resolve = found(black_hole, ("127.0.0.1", sink.port))
            server = MailServer(settings, Connector(settings, FakeClock(), resolve))
            channel = MailChannel(ChannelName.EMAIL, server, settings)
            async with asyncio.timeout(LONG / 2):
                outcome = await channel.send(MESSAGE, LATER)
            await channel.close()
            return outcome, len(sink.messages)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        outcome, arrived = runner.run(sending())
    assert (type(outcome), arrived) == (Sent, 1)


def _settings(make_settings, port: int, **changes):
    mail = {"smtp_security": "none", "smtp_email": "a@x.net", "recipient_email": "m@x.net", **changes}
    return make_settings(smtp_host="mail.test", smtp_port=port, **mail)


async def _failure(*addresses: tuple[str, int], within: float = LONG) -> tuple[Reason, str]:
    with pytest.raises(AttemptFailed) as caught:
        await dial("mail.test", 25, within, found(*addresses))
    return caught.value.outcome.reason, caught.value.outcome.reply


async def test_the_next_address_is_tried_at_once_if_one_refuses(dead):
    """A refused connection costs no wait."""
    async with mail_sink() as sink:
        with closing(await dial("mail.test", 25, LONG, found(dead, ("127.0.0.1", sink.port)))) as connected:
            assert connected.getpeername() == ("127.0.0.1", sink.port)


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_failure_names_all_addresses(dead, new_loop):
    """Both loops have errors of their own, of which uvloop's name no address."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        reason, text = runner.run(_failure(dead, ("127.0.0.2", dead[1])))
    assert reason is Reason.CONNECTION
    assert text.startswith(f"can't connect to mail.test (tried {shown(dead)}, 127.0.0.2:{dead[1]}): ")
    assert "refused" in text.lower() or "connect call failed" in text.lower()


async def test_an_address_without_a_route_leaves_the_others_their_turn():
    """The kernel says at once that it has no way to the first: here, that a broadcast address can't be connected to."""
    async with mail_sink() as sink:
        unreachable = ("255.255.255.255", sink.port)
        with closing(await dial("mail.test", 25, LONG, found(unreachable, ("127.0.0.1", sink.port)))) as connected:
            assert connected.getpeername() == ("127.0.0.1", sink.port)
    reason, text = await _failure(unreachable)
    assert (reason, "unreachable" in text) == (Reason.CONNECTION, True)


async def test_only_black_holes_are_a_timeout_that_names_them(black_hole):
    """Nobody answers within SMTP_TIMEOUT."""
    reason, text = await _failure(black_hole, black_hole, within=0.3)
    assert (reason, f"(tried {shown(black_hole)})" in text) == (Reason.TIMEOUT, True)


async def test_a_resolver_that_hangs_is_a_timeout_that_says_so():
    """No address was tried at all."""

    async def resolve(_host: str, _port: int):
        await asyncio.Event().wait()

    with pytest.raises(AttemptFailed, match=r"name mail\.test wasn't resolved within 0\.1 s: check the DNS") as caught:
        await dial("mail.test", 25, 0.1, resolve)
    assert caught.value.outcome.reason is Reason.TIMEOUT


@pytest.mark.parametrize(
    "name", ["no-such-name.invalid", "a..b", f"{'a' * 70}.example", " ", "mail.example.org:587", "a b"]
)
async def test_what_is_no_host_name_is_a_failed_connection(name):
    """It says nothing about the recipient, whatever error the resolver raises."""
    with pytest.raises(AttemptFailed, match=r"can't be resolved .* check SMTP_HOST") as caught:
        await dial(name, 25, LONG)
    assert caught.value.outcome.reason is Reason.CONNECTION


def test_http_clients_pass_a_black_hole_too(black_hole):
    """httpx, for heartbeats and token endpoints, goes on to the next address as well; this holds it to that."""

    class Loop(asyncio.SelectorEventLoop):
        async def getaddrinfo(self, host, port, **_options):
            return await found(black_hole, ("127.0.0.1", port))(host, port)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK")
        writer.close()

    async def asking() -> str:
        async with (
            await asyncio.start_server(answer, "127.0.0.1", black_hole[1]),
            httpx.AsyncClient(timeout=LONG, trust_env=False) as client,
            asyncio.timeout(LONG / 2),
        ):
            return (await client.get(f"http://hc.test:{black_hole[1]}/ping")).text

    with asyncio.Runner(loop_factory=Loop) as runner:
        assert runner.run(asking()) == "OK"


def test_addresses_are_shown_as_people_write_them():
    """IPv6 in brackets."""
    assert [shown(("192.0.2.1", 25)), shown(("2001:db8::1", 587, 0, 0))] == ["192.0.2.1:25", "[2001:db8::1]:587"]
