"""What the mail server hears when alertgate connects: its name, one login at a time, and what each failure says."""

import asyncio
import ssl
import threading

import pytest
from aiosmtplib import SMTPAuthenticationError, SMTPConnectResponseError

from alertgate.clock import SystemClock
from alertgate.notify.channels.base import AttemptFailed, Reason, Sent
from alertgate.notify.channels.connect import REFUSED_FOR, Connector, helo_name
from alertgate.notify.channels.login import choose
from alertgate.notify.channels.smtp import MailServer
from tests.fakes import LATER, FakeClock, mail_sink
from tests.mail_script import REFUSED, ScriptedServer, scripted_server, speaking

MAIL = b"Subject: x\r\n\r\nx\r\n"
PASSWORD = {"smtp_username": "u", "smtp_password": "wrong"}


def settings_for(make_settings, server: ScriptedServer, **changes):
    """Settings for a scripted server."""
    mail = {"smtp_security": "none", "smtp_email": "a@example.net", "recipient_email": "m@example.net", **changes}
    return make_settings(smtp_host="127.0.0.1", smtp_port=server.port, **mail)


def connector_for(make_settings, server: ScriptedServer, clock: FakeClock | None = None, **changes) -> Connector:
    """A connector for a scripted server, by a clock that stands still."""
    return Connector(settings_for(make_settings, server, **changes), clock or FakeClock())


async def refusal(connector: Connector) -> AttemptFailed:
    """Return why a connection can't be opened."""
    with pytest.raises(AttemptFailed) as caught:
        await connector.open()
    return caught.value


# --- The name in EHLO ---


@pytest.mark.parametrize(
    ("own", "name"),
    [
        ("gate.example.org", "gate.example.org"),
        ("Gate.Example.Org", "gate.example.org"),
        ("gate.home.arpa", "gate.home.arpa"),
        ("3f9c1d2e8a77", "example.net"),
        ("localhost", "example.net"),
        ("localhost.localdomain", "example.net"),
        ("alertgate-1.alertgate_default", "example.net"),
        ("192.0.2.1", "example.net"),
        ("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", "example.net"),
        ("", "example.net"),
    ],
)
def test_the_default_name_has_a_dot_and_is_one(own, name):
    """A container's id, what a resolver makes of it, and localhost are names that mail servers refuse."""
    assert helo_name(own, "alerts@example.net") == name


@pytest.mark.parametrize(
    ("changes", "name"),
    [({}, "gate.example.org"), ({"smtp_helo_name": "[192.0.2.1]"}, "[192.0.2.1]"), ({"smtp_helo_name": "a.b"}, "a.b")],
)
async def test_the_server_hears_the_name(make_settings, changes, name):
    """SMTP_HELO_NAME, or else this machine's own."""
    async with scripted_server() as server:
        settings = settings_for(make_settings, server, **changes)
        mails = MailServer(settings, Connector(settings, FakeClock(), own_name=lambda: "gate.example.org"))
        assert isinstance(await mails.send_mail("a@example.net", "m@example.net", MAIL, LATER), Sent)
        await mails.close()
    assert server.said("EHLO") == [f"EHLO {name}"]


async def test_a_resolver_that_takes_long_over_our_own_name_blocks_nothing(make_settings):
    """It is asked in a thread, and once for all connections."""
    asked, free = threading.Event(), threading.Event()
    was_freed = []

    def own_name() -> str:
        asked.set()
        was_freed.append(free.wait(10))
        return "gate.example.org"

    async with scripted_server() as server:
        connector = Connector(settings_for(make_settings, server), FakeClock(), own_name=own_name)
        opening = [asyncio.create_task(connector.open()) for _ in range(2)]
        while not asked.is_set():
            await asyncio.sleep(0.001)  # the loop runs meanwhile
        free.set()
        for connection in await asyncio.gather(*opening):
            await connection.quit()
    assert was_freed == [True]


# --- The login ---


@pytest.mark.parametrize(
    ("offered", "encrypted", "chosen"),
    [
        ("cram-md5 plain login", True, "plain"),
        ("login cram-md5", True, "login"),
        ("cram-md5 gssapi", True, "cram-md5"),
        ("plain login cram-md5", False, "cram-md5"),
        ("login plain", False, "plain"),
        ("gssapi ntlm xoauth2", True, None),
        ("", True, None),
    ],
)
def test_one_mechanism_is_chosen(offered, encrypted, chosen):
    """PLAIN over TLS; without TLS the one that doesn't show the password."""
    assert choose(offered.split(), encrypted=encrypted) == chosen


@pytest.mark.parametrize(
    ("auth", "given"),
    [("PLAIN LOGIN", "PLAIN \0u\0right"), ("LOGIN", "LOGIN right"), ("CRAM-MD5 PLAIN", "CRAM-MD5 u ")],
)
async def test_each_mechanism_logs_in(make_settings, auth, given):
    """As the server understands it."""
    heard = []

    def judge(mechanism: str, proof: str) -> str:
        heard.append(f"{mechanism} {proof}")
        return "235 2.7.0 welcome"

    async with scripted_server(auth=auth, judge=judge) as server:
        connector = connector_for(make_settings, server, smtp_username="u", smtp_password="right")
        await (await connector.open()).quit()
    [login] = heard
    assert login.startswith(given)


async def test_a_wrong_password_is_tried_once(make_settings):
    """The server offers three mechanisms, and gets one command."""
    async with scripted_server() as server:
        with pytest.raises(SMTPAuthenticationError, match="authentication failed"):
            await connector_for(make_settings, server, **PASSWORD).open()
    assert (len(server.said("AUTH")), server.connections) == (1, 1)


async def test_who_waits_for_a_login_that_is_refused_does_not_try_as_well(make_settings):
    """Ten connections are wanted at once: the first one's refusal answers for all."""
    async with scripted_server() as server:
        connector = connector_for(make_settings, server, **PASSWORD)
        failures = await asyncio.gather(*(connector.open() for _ in range(10)), return_exceptions=True)
    assert {(type(failure), str(failure)) for failure in failures} == {
        (SMTPAuthenticationError, str(SMTPAuthenticationError(535, REFUSED[4:])))
    }
    assert (len(server.said("AUTH")), server.connections) == (1, 1)


async def test_a_refused_login_answers_for_a_while_and_is_tried_again_then(make_settings):
    """Email and SMS share the account: the other channel's message comes a moment later."""
    clock = FakeClock()
    async with scripted_server() as server:
        connector = connector_for(make_settings, server, clock, **PASSWORD)
        for seconds, logins in ((0, 1), (REFUSED_FOR - 1, 1), (1, 2), (REFUSED_FOR, 3)):
            clock.move(seconds=seconds)
            with pytest.raises(SMTPAuthenticationError):
                await connector.open()
            assert len(server.said("AUTH")) == logins


async def test_a_login_that_is_refused_for_the_moment_is_tried_again_at_once(make_settings):
    """454 isn't about the password."""
    replies = ["454 4.7.0 Temporary authentication failure", "235 2.7.0 welcome"]
    async with scripted_server(judge=lambda *_: replies.pop(0)) as server:
        connector = connector_for(make_settings, server, **PASSWORD)
        with pytest.raises(SMTPAuthenticationError):
            await connector.open()
        await (await connector.open()).quit()
    assert len(server.said("AUTH")) == 2


async def test_who_waits_shares_a_failure_and_the_next_one_tries_again(make_settings):
    """A server that is away isn't asked by each of those that wait for it."""
    async with scripted_server(greeting="421 4.3.2 shutting down") as server:
        connector = Connector(settings_for(make_settings, server), SystemClock())
        failures = await asyncio.gather(*(connector.open() for _ in range(5)), return_exceptions=True)
        assert {str(failure) for failure in failures} == {str(SMTPConnectResponseError(421, "4.3.2 shutting down"))}
        assert server.connections == 1
        with pytest.raises(SMTPConnectResponseError):
            await connector.open()
        assert server.connections == 2


async def test_who_waits_gets_a_connection_after_one_that_was_opened(make_settings):
    """Only failures are shared."""
    async with scripted_server(judge=lambda *_: "235 2.7.0 welcome") as server:
        connector = connector_for(make_settings, server, **PASSWORD)
        connections = await asyncio.gather(*(connector.open() for _ in range(3)))
        for connection in connections:
            await connection.quit()
    assert (len(server.said("AUTH")), server.connections) == (3, 3)


async def test_a_login_that_is_given_up_leaves_the_next_one_its_turn(make_settings):
    """A deadline that passes while the server thinks isn't a refusal."""
    thinking = asyncio.Event()
    async with scripted_server("PLAIN", lambda *_: "235 2.7.0 welcome", pause=thinking.wait) as server:
        connector = connector_for(make_settings, server, **PASSWORD)
        given_up = asyncio.create_task(connector.open())
        while not server.said("AUTH"):
            await asyncio.sleep(0.001)
        waiting = asyncio.create_task(connector.open())
        await asyncio.sleep(0)
        given_up.cancel()
        thinking.set()
        await (await waiting).quit()
    assert given_up.cancelled()


@pytest.mark.parametrize(
    ("auth", "words"),
    [
        ("", "offers no login (AUTH) without encryption: set SMTP_SECURITY to starttls or tls; if the server needs no"),
        ("GSSAPI NTLM", "offers the logins GSSAPI NTLM only; alertgate knows PLAIN, LOGIN, CRAM-MD5 and XOAUTH2"),
        (
            "XOAUTH2",
            "offers the logins XOAUTH2 only; it takes no password: log in by OAuth (SMTP_OAUTH_..., docs/mail.md)",
        ),
    ],
)
async def test_a_server_without_a_fitting_login_is_told_with_its_remedy(make_settings, auth, words):
    """It is the channel's credentials, and nothing was tried."""
    async with scripted_server(auth=auth) as server:
        outcome = (await refusal(connector_for(make_settings, server, **PASSWORD))).outcome
    assert (outcome.reason, words in outcome.reply) == (Reason.CREDENTIALS, True)
    assert server.said("AUTH") == []


async def test_an_encrypted_connection_without_a_login_is_told_another_port(make_settings, authority, authority_file):
    """Port 25 of many servers takes mail from other servers, and has no login."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    async with mail_sink(tls=tls, exclude=["LOGIN", "PLAIN"]) as sink:
        settings = settings_for(make_settings, sink, smtp_security="starttls", smtp_ca_file=authority_file, **PASSWORD)
        outcome = (await refusal(Connector(settings, FakeClock()))).outcome
    assert (outcome.reason, "try SMTP_PORT 587 or 465" in outcome.reply) == (Reason.CREDENTIALS, True)


# --- What else may go wrong ---


@pytest.mark.parametrize(
    ("greeting", "security", "reason", "words"),
    [
        (
            "HTTP/1.1 400 Bad Request",
            "none",
            Reason.CONNECTION,
            "doesn't speak SMTP, check SMTP_HOST and SMTP_PORT: Malformed SMTP response line: HTTP/1.1",
        ),
        ("220 mail.test", "starttls", Reason.TLS, "offers no STARTTLS, so nothing was sent"),
        ("220 mail.test", "tls", Reason.TLS, "WRONG_VERSION_NUMBER"),
    ],
)
async def test_a_server_that_is_not_what_the_settings_say_is_told(make_settings, greeting, security, reason, words):
    """The server's name and address, and what it did."""
    async with scripted_server(greeting=greeting) as server:
        outcome = (await refusal(connector_for(make_settings, server, smtp_security=security))).outcome
    assert outcome.reply.startswith(f"127.0.0.1 (127.0.0.1:{server.port}): ")
    assert (outcome.reason, words in outcome.reply.replace(" ", "_") or words in outcome.reply) == (reason, True)


async def test_a_server_that_hangs_up_is_a_failed_connection(make_settings):
    """Without a greeting."""

    async def hang_up(_reader, _writer) -> None:
        pass

    async with speaking(hang_up) as port:
        outcome = (await refusal(connector_for(make_settings, ScriptedServer(port=port)))).outcome
    assert (outcome.reason, "closed the connection" in outcome.reply) == (Reason.CONNECTION, True)


async def test_a_server_that_says_nothing_is_a_timeout(make_settings):
    """As one that waits for TLS where SMTP_SECURITY says STARTTLS."""

    async def say_nothing(reader, _writer) -> None:
        await reader.read()

    async with speaking(say_nothing) as port:
        outcome = (await refusal(connector_for(make_settings, ScriptedServer(port=port), smtp_timeout=0.2))).outcome
    assert (outcome.reason, "no answer in time" in outcome.reply) == (Reason.TIMEOUT, True)


async def test_an_authority_that_vanished_after_the_start_is_told(make_settings, authority_file):
    """The settings were right when they were read."""
    async with scripted_server() as server:
        connector = connector_for(make_settings, server, smtp_security="starttls", smtp_ca_file=authority_file)
        authority_file.unlink()
        outcome = (await refusal(connector)).outcome
    problem = f"SMTP_CA_FILE {authority_file} is not a file: correct the path"
    assert (outcome.reason, outcome.reply) == (Reason.TLS, problem)
