"""The rehearsal of `alertgate check`, against real SMTP servers: all recipients asked for, and no mail."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from alertgate.notify.channels import smtp
from alertgate.notify.channels.base import Finding, Level
from alertgate.notify.channels.registry import targets
from alertgate.notify.channels.rehearsal import MOST_LOST, PER_CONNECTION
from tests.fakes import mail_sink, tcp_server

MANY = [f"p{number}@example.com" for number in range(2 * PER_CONNECTION + 1)]


@dataclass
class Log:
    """What a server was told, and on how many connections."""

    port: int = 0
    commands: list[str] = field(default_factory=list)
    connections: int = 0


@asynccontextmanager
async def server(answer: Callable[[str], str | None]) -> AsyncIterator[Log]:
    """Run a server that gives `answer(command)`, hangs for None, and closes the connection after a 421."""
    log = Log()

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        log.connections += 1
        writer.write(b"220 mail.test\r\n")
        reply = ""
        while not reply.startswith(("221", "421")) and (line := await reader.readline()):
            log.commands.append(line.decode().strip())
            reply = answer(log.commands[-1]) or ""
            if reply:
                writer.write(f"{reply}\r\n".encode())

    async with tcp_server(speak) as log.port:
        yield log


def usual(command: str) -> str:
    """Answer as a server does that takes everything."""
    return "221 bye" if command == "QUIT" else "250 2.0.0 OK"


@pytest.fixture
def check(make_settings):
    """Check these recipients at a server on a port of this machine."""

    async def run(port: int, *recipients: str, **changes) -> list[Finding]:
        usual = {"smtp_security": "none", "smtp_email": "a@example.net", "recipient_email": ",".join(recipients)}
        settings = make_settings(smtp_host="127.0.0.1", smtp_port=port, **{**usual, **changes})
        return await smtp.check(settings, targets(settings))

    return run


def levels(findings: list[Finding]) -> dict[str, Level]:
    """Return how bad each finding about a recipient is."""
    return {each.what: each.level for each in findings if each.what.startswith("recipient")}


async def test_the_server_hears_all_but_a_mail(check):
    """Login, then MAIL, RCPT and RSET for each recipient as a mail would, and QUIT; never DATA."""
    async with server(usual) as log:
        found = await check(log.port, "one@example.com", "two@example.com", recipient_sms="5@sms.example.net")
    talk = [command for command in log.commands if not command.startswith(("EHLO", "NOOP"))]
    each = [["MAIL FROM:<a@example.net>", f"RCPT TO:<{to}>", "RSET"] for to in ("one@example.com", "two@example.com")]
    assert talk == [*each[0], *each[1], "MAIL FROM:<a@example.net>", "RCPT TO:<5@sms.example.net>", "RSET", "QUIT"]
    assert [each.level for each in found] == [Level.OK] * 4 + [Level.NOTE]
    assert "only the phone shows" in found[3].text


@pytest.mark.parametrize(
    ("reply", "level"),
    [
        ("550 5.1.1 no such user", Level.FAIL),
        ("554 5.7.1 Relay access denied", Level.FAIL),
        ("553 5.7.1 Sender address rejected: not owned by user", Level.FAIL),
        ("552 5.2.2 over quota", Level.FAIL),
        ("450 4.2.0 greylisted", Level.WARN),
        ("452 4.2.2 over quota", Level.WARN),
        ("421 4.7.0 too many errors", Level.WARN),
    ],
)
async def test_a_refused_recipient_is_judged_by_the_servers_reply(check, reply, level):
    """Fail for good, warn for now; the server's words stand there, and the others are asked for all the same."""
    async with server(lambda command: reply if "<bad@" in command else usual(command)) as log:
        found = await check(log.port, "one@example.com", "bad@example.com", "two@example.com")
    assert levels(found) == {
        "recipient one@example.com": Level.OK,
        "recipient bad@example.com": level,
        "recipient two@example.com": Level.OK,
    }
    [refused] = [each for each in found if each.what == "recipient bad@example.com"]
    assert refused.text.endswith(f": {reply})")


@pytest.mark.parametrize(
    ("reply", "level"),
    [
        ("553 5.7.1 not owned by user", Level.FAIL),
        ("530 5.7.0 Authentication required", Level.FAIL),
        ("451 4.3.0 later", Level.WARN),
    ],
)
async def test_a_refused_sender_ends_the_rehearsal(check, reply, level):
    """It is one finding; the recipients weren't asked for, and it says so."""
    async with server(lambda command: reply if command.startswith("MAIL") else usual(command)) as log:
        found = await check(log.port, "one@example.com", "two@example.com")
    [sender] = [each for each in found if each.what == "sender a@example.net"]
    assert (sender.level, reply in sender.text) == (level, True)
    assert set(levels(found).values()) == {Level.WARN}
    assert sum(command.startswith("MAIL") for command in log.commands) == 1


async def test_many_recipients_are_spread_over_connections(check):
    """Each is asked for once, and no connection has so many transactions that the server closes it."""
    async with server(usual) as log:
        found = await check(log.port, *MANY)
    assert (len(levels(found)), set(levels(found).values()), log.connections) == (len(MANY), {Level.OK}, 3)
    assert [command for command in log.commands if command.startswith("RCPT")] == [f"RCPT TO:<{to}>" for to in MANY]


async def test_a_recipient_that_breaks_the_connection_costs_no_other(check):
    """The server hangs at one; the next is asked for over a new connection."""
    async with server(lambda command: None if "<slow@" in command else usual(command)) as log:
        found = await check(log.port, "one@example.com", "slow@example.com", "two@example.com", smtp_timeout=0.3)
    assert list(levels(found).values()) == [Level.OK, Level.FAIL, Level.OK]
    assert log.connections == 2


async def test_a_server_that_always_breaks_is_given_up(check):
    """After a few lost connections the rest isn't asked for, and says so."""
    async with server(lambda command: None if command.startswith("RCPT") else usual(command)) as log:
        found = await check(log.port, *MANY[:10], smtp_timeout=0.1)
    assert (log.connections, set(levels(found).values()), len(levels(found))) == (MOST_LOST, {Level.FAIL}, 10)
    assert found[-2].text.startswith("wasn't asked for: the server stopped answering")


async def test_without_a_login_nobody_is_asked_for(check):
    """The one finding is about the server, with what to change."""
    async with mail_sink(user="u", password="right") as sink:
        [found] = await check(sink.port, "one@example.com", smtp_username="u", smtp_password="wrong")
        assert (found.level, found.what, sink.recipients_seen) == (Level.FAIL, f"mail server 127.0.0.1:{sink.port}", [])
        assert "check SMTP_USERNAME" in found.text
