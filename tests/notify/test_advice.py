"""What to change, for failures of real servers with one mistake each."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import trustme
import uvloop

from alertgate.container import in_container
from alertgate.model import ChannelName
from alertgate.notify.channels.advice import _MISTAKES, Mistake, advice, find_mistake, on_this_machine, restates
from alertgate.notify.channels.base import Message, Outcome, Permanent, Reason, Sent, Transient
from alertgate.notify.channels.providers import APP_PASSWORDS, HOSTS, SERVICE_LOGINS
from alertgate.notify.channels.replies import Stage, classify
from alertgate.notify.channels.smtp import MailChannel, MailServer, findings
from tests.fakes import LATER, START, mail_sink, tcp_server
from tests.mail_script import scripted_server

MESSAGE = Message("me@example.com", "text", "id@x", "thread@x", START, "subject")
MAIL = {"smtp_host": "localhost", "smtp_email": "a@example.net", "recipient_email": "me@example.com"}
PASSWORD = {"smtp_password": "secret"}
OAUTH = {
    "smtp_oauth_client_id": "gate",
    "smtp_oauth_refresh_token": "refresh",
    "smtp_oauth_token_url": "https://login.example/token",
}
CONTAINED = "; in a container, as here, that is the container itself"
LONG_AGO, FAR_AHEAD = (datetime(year, 1, 1, tzinfo=UTC) for year in (2001, 2061))


def encrypted(authority: trustme.CA, name: str = "localhost", **changes: Any) -> ssl.SSLContext:
    """Return a server's context with a certificate of this authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name, **changes).configure_cert(context)
    return context


async def attempt(settings: Any) -> Outcome:
    """Send one message with these settings."""
    channel = MailChannel(ChannelName.EMAIL, MailServer(settings), settings)
    outcome = await channel.send(MESSAGE, LATER)
    await channel.close()
    return outcome


@pytest.fixture
def mistaken(make_settings) -> Callable[..., Any]:
    """Send a message to a server on a port of this machine, and return the mistake and the advice."""

    async def run(port: int, **changes: Any) -> tuple[Mistake | None, str | None]:
        settings = make_settings(**{**MAIL, "smtp_port": port, "smtp_timeout": 5, "smtp_security": "none", **changes})
        outcome = await attempt(settings)
        return find_mistake(settings, outcome), advice(settings, outcome)

    return run


async def test_nothing_listens(mistaken):
    """The address is named, with both settings that it comes from."""
    async with mail_sink() as sink:
        pass
    expected = f"nothing listens at 127.0.0.1:{sink.port}: check SMTP_HOST and SMTP_PORT"
    mistake, said = await mistaken(sink.port, smtp_host="127.0.0.1")
    assert (mistake, said) == (Mistake.NOTHING_LISTENS, f"{expected}{CONTAINED if in_container() else ''}")
    mistake, said = await mistaken(sink.port)  # a name with two addresses fails in other words
    assert mistake is Mistake.NOTHING_LISTENS


def test_nothing_listens_says_the_service_too(mistaken):
    """The service's event loop has words of its own for it."""

    async def run() -> tuple[Mistake | None, str | None]:
        async with mail_sink() as sink:
            pass
        return await mistaken(sink.port)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(run())[0] is Mistake.NOTHING_LISTENS


async def test_no_such_host(mistaken):
    """A name that no resolver knows."""
    mistake, said = await mistaken(25, smtp_host="mail.example.invalid")
    assert mistake in {Mistake.NO_SUCH_HOST, Mistake.NO_DNS}  # the latter on a machine without any network
    assert "mail.example.invalid" in (said or "")


@pytest.mark.parametrize("host", [*sorted(HOSTS), "SMTP.Gmail.com."])
def test_a_providers_server_exists_though_its_name_is_not_found(make_settings, host):
    """Then it isn't SMTP_HOST that is wrong, but the network or its DNS; a mistyped name is."""
    said = {}
    for name in (host, f"x{host}"):
        settings = make_settings(**{**MAIL, "smtp_host": name})
        said[name] = advice(settings, Transient(Reason.CONNECTION, f"the name {name} can't be resolved (-2)")) or ""
    assert said[host].endswith("can't be looked up now: check this machine's network and its DNS")
    assert said[f"x{host}"].endswith("check SMTP_HOST")


@pytest.mark.parametrize(
    ("reply", "is_said"),
    [
        ("[Errno 111] Connect call failed ('127.0.0.1', 2525)", True),
        ("no answer in time", True),
        ("certificate verify failed: certificate has expired", True),
        ("Hostname mismatch, certificate is not valid for 'localhost'", False),  # names what the certificate is for
        ("535 5.7.8 no answer in time", False),
        ("something new", False),
    ],
)
def test_the_advice_may_say_all_that_the_failure_does(make_settings, reply, is_said):
    """Never that of a server's own words, nor of words that nobody foresaw."""
    assert restates(make_settings(**MAIL), Transient(Reason.CONNECTION, reply)) is is_said


@pytest.mark.parametrize("security", ["starttls", "none"])
async def test_a_server_that_expects_tls_at_once(mistaken, authority, security):
    """It waits for TLS and we for its greeting: not until doomsday, and with the way out."""
    async with tcp_server(lambda reader, _writer: reader.read(), ssl=encrypted(authority)) as port:
        mistake, said = await mistaken(port, smtp_host="127.0.0.1", smtp_security=security, smtp_timeout=0.3)
    assert mistake is Mistake.SAYS_NOTHING
    assert "set SMTP_SECURITY=tls" in (said or "")


async def test_a_server_that_begins_unencrypted(mistaken):
    """Its greeting isn't TLS, or it offers no STARTTLS; on this machine nobody needs either."""
    async with mail_sink() as sink:
        for security in ("tls", "starttls"):
            mistake, said = await mistaken(sink.port, smtp_security=security)
            assert (mistake, "on this machine SMTP_SECURITY=none" in (said or "")) == (Mistake.PLAIN_HERE, True)


@pytest.mark.parametrize(
    ("said", "mistake"),
    [
        (b"220 x\r\n", Mistake.NO_AUTH_UNENCRYPTED),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Mistake.NO_MAIL_SERVER),
        (b"", Mistake.SAYS_NOTHING),
    ],
)
async def test_another_server_than_expected(mistaken, said, mistake):
    """One without a login, one that isn't for mail, and one that hangs up at once."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        while said and await reader.readline():
            writer.write(b"250 x\r\n")

    async with tcp_server(speak) as port:
        assert (await mistaken(port, smtp_host="127.0.0.1", smtp_password="secret"))[0] is mistake


@pytest.mark.parametrize(
    ("offered", "login", "mistake", "remedy"),
    [
        ("PLAIN LOGIN", OAUTH, Mistake.NO_XOAUTH2, "set SMTP_PASSWORD in place of SMTP_OAUTH_..."),
        ("XOAUTH2", PASSWORD, Mistake.NO_PASSWORDS, "log in by OAuth"),
        ("GSSAPI SCRAM-SHA-256", PASSWORD, Mistake.NO_KNOWN_LOGIN, "have one of them enabled there"),
        ("GSSAPI", OAUTH, Mistake.NO_XOAUTH2, "set SMTP_PASSWORD in place of SMTP_OAUTH_..."),
    ],
)
async def test_a_server_with_other_logins(mistaken, offered, login, mistake, remedy):
    """The password isn't to blame, so the advice isn't to check it."""
    async with scripted_server(auth=offered) as server:
        found, said = await mistaken(server.port, smtp_host="127.0.0.1", **login)
    assert (found, remedy in (said or "")) == (mistake, True)
    assert server.said("AUTH") == []


@pytest.mark.parametrize(
    ("reply", "mistake"),
    [
        ("525 5.7.1 Unauthorized IP address", Mistake.ADDRESS_NOT_ALLOWED),
        ("535 5.7.8 Unauthorised client IP", Mistake.ADDRESS_NOT_ALLOWED),
        ("535 authentication failed: IP 192.0.2.7 is not on the allow list", Mistake.ADDRESS_NOT_ALLOWED),
        ("550 5.7.1 This IP address is not allowed to log in", Mistake.ADDRESS_NOT_ALLOWED),
        ("550 5.7.1 Your IP is listed at zen.spamhaus.org", None),
    ],
)
def test_an_account_that_may_not_be_used_from_here(make_settings, reply, mistake):
    """Neither the password nor reverse DNS would help; a block list is something else."""
    settings = make_settings(**MAIL, **PASSWORD)
    outcome = classify(Stage.LOGIN, int(reply[:3]), reply[4:])
    assert (outcome.reason, find_mistake(settings, outcome)) == (Reason.HOST_REFUSED, mistake)


@pytest.mark.parametrize(
    ("certificate", "changes", "mistake"),
    [
        ({}, {}, Mistake.UNKNOWN_AUTHORITY),
        ({"name": "mail.example.org"}, {"trusted": True}, Mistake.OTHER_NAME),
        ({"name": "mail.example.org"}, {"trusted": True, "smtp_host": "127.0.0.1"}, Mistake.OTHER_NAME),
        ({"not_before": LONG_AGO, "not_after": LONG_AGO.replace(year=2002)}, {"trusted": True}, Mistake.EXPIRED),
        (
            {"not_before": FAR_AHEAD, "not_after": FAR_AHEAD.replace(year=2062)},
            {"trusted": True},
            Mistake.NOT_YET_VALID,
        ),
        ({"other": True}, {"trusted": True}, Mistake.OTHER_AUTHORITY),
    ],
    ids=["private", "other name", "other address", "expired", "not yet valid", "other authority"],
)
async def test_a_certificate_that_is_not_trusted(mistaken, authority, authority_file, certificate, changes, mistake):
    """Each says what to change: the settings, the certificate, or the clock."""
    made = {name: value for name, value in certificate.items() if name != "other"}
    context = encrypted(trustme.CA() if "other" in certificate else authority, **made)
    given = {name: value for name, value in changes.items() if name != "trusted"}
    given |= {"smtp_ca_file": authority_file} if "trusted" in changes else {}
    async with mail_sink(tls=context) as sink:
        assert (await mistaken(sink.port, smtp_security="starttls", **given))[0] is mistake


async def test_a_login_that_the_server_refuses(mistaken):
    """The settings that it comes from are named; without a password, that one is wanted."""
    async with mail_sink(user="u", password="right") as sink:
        mistake, said = await mistaken(sink.port, smtp_password="wrong")
        assert (mistake, "check SMTP_USERNAME" in (said or "")) == (None, True)
        assert (await mistaken(sink.port))[0] is Mistake.LOGIN_WANTED


@pytest.mark.parametrize(
    ("host", "reply", "mistake"),
    [
        ("smtp.gmail.com", "535 5.7.8 Username and Password not accepted.", Mistake.APP_PASSWORD),
        ("smtp.gmail.com", "534 5.7.9 Application-specific password required.", Mistake.APP_PASSWORD),
        ("smtp.mail.me.com", "535 5.7.8 Error: authentication failed", Mistake.APP_PASSWORD),
        ("smtp.mail.yahoo.com", "535 5.7.0 (#AUTH005) Too many bad auth attempts.", Mistake.APP_PASSWORD),
        (
            "smtp.office365.com",
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
            Mistake.PASSWORDS_OFF,
        ),
        (
            "smtp.office365.com",
            "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
            Mistake.PASSWORDS_OFF,
        ),
        ("mail.example.org", "535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6", None),
        ("nosmtp.gmail.com.example.org", "535 5.7.8 Error: authentication failed", None),
        ("notaol.com", "535 5.7.8 Error: authentication failed", None),
        *((host, "535 5.7.8 refused", Mistake.APP_PASSWORD) for host in APP_PASSWORDS),
        *((f"eu.{host}", "535 5.7.8 refused", Mistake.SERVICE_LOGIN) for host in SERVICE_LOGINS),
    ],
)
def test_providers_that_take_no_account_password(make_settings, host, reply, mistake):
    """Their words don't say it, or say it in a code."""
    settings = make_settings(**{**MAIL, "smtp_host": host, "smtp_password": "Sommer-2024"})
    outcome = Transient(Reason.CREDENTIALS, reply)
    assert find_mistake(settings, outcome) is mistake
    said = advice(settings, outcome) or ""
    assert "SMTP_PASSWORD" in said or mistake is Mistake.PASSWORDS_OFF or "SMTP credentials" in said


@pytest.mark.parametrize(
    ("port", "security", "reason", "text", "mistake"),
    [
        (465, "starttls", Reason.TIMEOUT, "Timed out waiting for server ready message", Mistake.TLS_EXPECTED),
        (465, "none", Reason.TIMEOUT, "mail.x (192.0.2.1:465): no answer in time: Timed out", Mistake.TLS_EXPECTED),
        (465, "starttls", Reason.CONNECTION, "mail.x: closed the connection: Unexpected EOF", Mistake.TLS_EXPECTED),
        (465, "starttls", Reason.CONNECTION, "[Errno 111] Connect call failed", Mistake.NOTHING_LISTENS),
        (587, "starttls", Reason.TIMEOUT, "Timed out waiting for server ready message", Mistake.SAYS_NOTHING),
        (587, "starttls", Reason.TIMEOUT, "Timed out connecting to mail.x on port 587", Mistake.NO_ANSWER),
        (587, "starttls", Reason.TIMEOUT, "no answer from mail.x within 20 s (tried 192.0.2.1:587)", Mistake.NO_ANSWER),
        (587, "starttls", Reason.TIMEOUT, "Timed out waiting for server response", None),
        (
            587,
            "tls",
            Reason.TLS,
            "[SSL: RECORD_LAYER_FAILURE] record layer failure (_ssl.c:1018)",
            Mistake.PLAIN_EXPECTED,
        ),
        (587, "starttls", Reason.TLS, "mail.x: offers no STARTTLS, so nothing was sent", Mistake.NO_STARTTLS),
        (587, "starttls", Reason.CONNECTION, "the name mail.x can't be resolved (-2)", Mistake.NO_SUCH_HOST),
        (587, "starttls", Reason.CONNECTION, "[Errno -3] Temporary failure in name resolution", Mistake.NO_DNS),
        (587, "starttls", Reason.CONNECTION, "[Errno 101] Network is unreachable", Mistake.NO_ROUTE),
        (587, "starttls", Reason.TLS, "CA cert does not include key usage extension", Mistake.BADLY_MADE),
        (587, "starttls", Reason.TLS, "[SSL: UNSUPPORTED_PROTOCOL] unsupported protocol", Mistake.OLD_TLS),
        (587, "starttls", Reason.TLS, "the certificate is refused: self-signed certificate", Mistake.UNKNOWN_AUTHORITY),
        (587, "starttls", Reason.POLICY, "554 5.7.1 connection refused: self-signed certificate", None),
    ],
)
def test_words_that_this_machine_does_not_say(make_settings, port, security, reason, text, mistake):
    """Those of other systems, newer libraries, and alertgate's own; a server's own reply isn't taken for them."""
    settings = make_settings(**{**MAIL, "smtp_host": "mail.x", "smtp_port": port, "smtp_security": security})
    assert find_mistake(settings, Transient(reason, text)) is mistake


def test_every_failure_has_advice(make_settings):
    """Each reason and each mistake has a sentence, with all its blanks filled and no address in it."""
    settings = make_settings(**{**MAIL, "smtp_host": "smtp.gmail.com"})
    sentences = [advice(settings, Permanent(reason, "550 x")) for reason in Reason if reason is not Reason.SENT]
    assert set(_MISTAKES) == set(Mistake)
    for sentence in [*sentences, *_MISTAKES.values()]:
        assert sentence
        assert not sentence.endswith(".")
        assert "@" not in sentence
    assert not [sentence for sentence in sentences if sentence and "{" in sentence]
    assert advice(settings, Sent("250 OK")) is None


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        *((host, True) for host in ("localhost", "LOCALHOST.", "127.0.0.1", "127.1.2.3", "::1")),
        *((host, False) for host in ("192.168.1.2", "mail.localhost.example", "mail", "")),
    ],
)
def test_whether_a_mail_server_is_on_this_machine(make_settings, host, is_here):
    """Only there nobody can listen: without encryption there is no doubt about it, and elsewhere there is."""
    assert on_this_machine(host) is is_here
    if host:
        settings = make_settings(**{**MAIL, "smtp_host": host, "smtp_security": "none"})
        assert [found.what for found in findings(settings)] == ([] if is_here else ["SMTP_SECURITY"])
