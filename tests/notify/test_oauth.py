"""Logins by OAuth: a token endpoint on a real socket, and a mail server that speaks XOAUTH2 as Gmail does."""

import asyncio
import json
import ssl
from urllib.parse import quote_plus

import pytest
from aiosmtplib import SMTP

from alertgate.notify.channels.base import AttemptFailed, Reason, Sent
from alertgate.notify.channels.connect import REFUSED_FOR, Connector
from alertgate.notify.channels.hidden import PIECE
from alertgate.notify.channels.oauth import (
    LONGEST,
    LONGEST_TEXT,
    MARGIN,
    MOST_BYTES,
    SHORT,
    AccessTokens,
    Granted,
    read,
)
from alertgate.notify.channels.smtp import MailServer
from tests.fakes import LATER, FakeClock
from tests.mail_script import CHALLENGE, ScriptedServer, TokenEndpoint, scripted_server, speaking, token_endpoint

MAIL = b"Subject: x\r\n\r\nx\r\n"
REFRESH, SECRET = "refresh-token-0123456789", "client-secret-0123456789"
HOUR = 3600.0


def settings_for(make_settings, endpoint: TokenEndpoint, server: ScriptedServer | None = None, **changes):
    """Settings for a mailbox that is logged in to by OAuth."""
    mail = {
        "smtp_host": "127.0.0.1",
        "smtp_port": server.port if server else 25,
        "smtp_security": "none",
        "smtp_email": "gate@example.net",
        "recipient_email": "m@example.net",
        "smtp_oauth_client_id": "gate",
        "smtp_oauth_client_secret": SECRET,
        "smtp_oauth_refresh_token": REFRESH,
        "smtp_oauth_token_url": endpoint.url,
    }
    return make_settings(**{**mail, **changes})


def accepts(*tokens: str):
    """A mail server's judgement that takes these tokens alone."""

    def judge(_mechanism: str, given: str) -> str:
        good = given in {f"user=gate@example.net\1auth=Bearer {token}\1\1" for token in tokens}
        return "235 2.7.0 Accepted" if good else f"334 {CHALLENGE}"

    return judge


async def failure(tokens: AccessTokens) -> tuple[Reason, str]:
    """Return why there is no token."""
    with pytest.raises(AttemptFailed) as caught:
        await tokens.current()
    return caught.value.outcome.reason, caught.value.outcome.reply


# --- With the mail server ---


async def test_a_mail_is_sent_with_a_token(make_settings):
    """One token for the connections of the pool, fetched with what the settings hold."""
    async with token_endpoint() as endpoint, scripted_server(auth="XOAUTH2", judge=accepts("token-1")) as server:
        settings = settings_for(make_settings, endpoint, server, smtp_oauth_scope="mail offline_access")
        mails = MailServer(settings, Connector(settings, FakeClock()))
        sending = (mails.send_mail("gate@example.net", "m@example.net", MAIL, LATER) for _ in range(5))
        outcomes = await asyncio.gather(*sending)
        await mails.close()
    assert {type(outcome) for outcome in outcomes} == {Sent}
    assert endpoint.forms == [
        {
            "grant_type": "refresh_token",
            "refresh_token": REFRESH,
            "client_id": "gate",
            "client_secret": SECRET,
            "scope": "mail offline_access",
        }
    ]
    assert len(server.said("AUTH XOAUTH2")) == server.connections == 2


async def test_a_token_that_the_mail_server_refuses_is_replaced_once(make_settings):
    """It ended before its time: the second one is good, and the challenge was answered as it must be."""
    good = ["token-1"]

    def judge(*said: str) -> str:
        return accepts(good[0])(*said)

    async with token_endpoint() as endpoint, scripted_server(auth="XOAUTH2", judge=judge) as server:
        connector = Connector(settings_for(make_settings, endpoint, server), FakeClock())
        await (await connector.open()).quit()
        good[0] = "token-2"
        await (await connector.open()).quit()
        await (await connector.open()).quit()
    assert (len(endpoint.forms), len(server.said("AUTH"))) == (2, 4)


async def test_a_mail_server_that_refuses_every_token_is_a_failure_of_the_credentials(make_settings):
    """One try with a fresh token, however many wait; then the refusal answers."""
    async with token_endpoint() as endpoint, scripted_server(auth="XOAUTH2", judge=accepts()) as server:
        settings = settings_for(make_settings, endpoint, server)
        mails = MailServer(settings, Connector(settings, FakeClock()))
        sending = (mails.send_mail("gate@example.net", "m@example.net", MAIL, LATER) for _ in range(10))
        outcomes = await asyncio.gather(*sending)
    assert {(outcome.reason, outcome.reply) for outcome in outcomes} == {
        (Reason.CREDENTIALS, "535 5.7.8 Error: authentication failed")
    }
    assert (len(endpoint.forms), len(server.said("AUTH")), server.connections) == (1, 1, 1)


async def test_no_refused_token_is_used_again(make_settings):
    """The last one is forgotten too, so that the next try after the pause begins with a new one."""
    clock = FakeClock()
    async with token_endpoint() as endpoint, scripted_server(auth="XOAUTH2", judge=accepts("token-3")) as server:
        mails = MailServer(settings := settings_for(make_settings, endpoint, server), Connector(settings, clock))
        reasons = []
        for _ in range(3):
            reasons.append((await mails.send_mail("gate@example.net", "m@example.net", MAIL, LATER)).reason)
            clock.move(seconds=REFUSED_FOR)
        await mails.close()
    assert reasons == [Reason.CREDENTIALS, Reason.CREDENTIALS, Reason.SENT]
    assert (len(endpoint.forms), len(server.said("AUTH"))) == (3, 3)


@pytest.mark.parametrize("login", ["password", "token", "kept token"])
async def test_a_refusal_before_a_hang_up_is_what_is_told(make_settings, login):
    """Some servers close the connection with their 535: the password is wrong, not the network."""
    refuses = login != "kept token"

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test ESMTP\r\n")
        while line := await reader.readline():
            if line.startswith(b"EHLO"):
                writer.write(b"250-mail.test\r\n250 AUTH PLAIN XOAUTH2\r\n")
            elif line.startswith(b"AUTH") and refuses:
                writer.write(b"535 5.7.8 Error: authentication failed\r\n")
                return
            else:
                writer.write(b"235 2.7.0 OK\r\n" if line.startswith(b"AUTH") else b"221 bye\r\n")

    async with token_endpoint() as endpoint, speaking(speak) as port:
        no_oauth = dict.fromkeys(("client_id", "client_secret", "refresh_token", "token_url"))
        password = {f"smtp_oauth_{name}": value for name, value in no_oauth.items()} | {"smtp_password": "wrong"}
        changes = {"smtp_port": port, **(password if login == "password" else {})}
        settings = settings_for(make_settings, endpoint, **changes)
        connector = Connector(settings, FakeClock())
        if login == "kept token":
            (await connector.open()).close()
            refuses = True
        outcome = await MailServer(settings, connector).send_mail("gate@example.net", "m@example.net", MAIL, LATER)
    assert (outcome.reason, outcome.reply) == (Reason.CREDENTIALS, "535 5.7.8 Error: authentication failed")


async def test_a_token_is_not_replaced_for_a_refusal_that_passes(make_settings):
    """454 says nothing about the token."""
    replies = ["454 4.7.0 try later", "235 2.7.0 Accepted"]
    async with token_endpoint() as endpoint, scripted_server(auth="XOAUTH2", judge=lambda *_: replies.pop(0)) as server:
        settings = settings_for(make_settings, endpoint, server)
        mails = MailServer(settings, Connector(settings, FakeClock()))
        outcomes = [await mails.send_mail("gate@example.net", "m@example.net", MAIL, LATER) for _ in range(2)]
        await mails.close()
    assert [outcome.reason for outcome in outcomes] == [Reason.TOO_MANY_LOGINS, Reason.SENT]
    assert len(endpoint.forms) == 1


async def test_a_mail_server_without_xoauth2_costs_no_token(make_settings):
    """The remedy is said."""
    async with token_endpoint() as endpoint, scripted_server(auth="PLAIN LOGIN") as server:
        settings = settings_for(make_settings, endpoint, server)
        outcome = await MailServer(settings, Connector(settings, FakeClock())).lend(SMTP.noop)
    assert outcome.reason is Reason.CREDENTIALS
    assert outcome.reply == (
        "the server offers the logins LOGIN PLAIN only; it offers no XOAUTH2: use SMTP_PASSWORD instead of "
        "SMTP_OAUTH_..., or another SMTP_HOST"
    )
    assert endpoint.forms == []


async def test_a_dead_token_endpoint_is_asked_once_for_all_that_wait(make_settings):
    """invalid_grant pauses the channel; nothing reaches the mail server's login."""
    refused = (400, b'{"error":"invalid_grant","error_description":"Token has been expired or revoked."}')
    async with token_endpoint(answers=[refused] * 9) as endpoint, scripted_server(auth="XOAUTH2") as server:
        settings = settings_for(make_settings, endpoint, server)
        mails = MailServer(settings, Connector(settings, FakeClock()))
        sending = (mails.send_mail("gate@example.net", "m@example.net", MAIL, LATER) for _ in range(9))
        outcomes = await asyncio.gather(*sending)
    assert {outcome.reason for outcome in outcomes} == {Reason.CREDENTIALS}
    assert (len(endpoint.forms), server.said("AUTH")) == (1, [])


# --- The life of a token ---


async def test_a_token_is_replaced_before_it_ends(make_settings):
    """MARGIN before its end, and not earlier."""
    clock = FakeClock()
    async with token_endpoint() as endpoint:
        tokens = AccessTokens(settings_for(make_settings, endpoint), clock)
        seen = [await tokens.current()]
        for seconds in (HOUR - MARGIN - 1, 1, HOUR - MARGIN):
            clock.move(seconds=seconds)
            seen.append(await tokens.current())
    assert seen == ["token-1", "token-1", "token-2", "token-3"]


async def test_an_endpoint_that_is_away_costs_nothing_while_the_token_is_good(make_settings):
    """The margin is there for that; after the token's end it is a failure."""
    clock = FakeClock()
    async with token_endpoint() as endpoint:
        tokens = AccessTokens(settings_for(make_settings, endpoint), clock)
        await tokens.current()
    clock.move(seconds=HOUR - 1)
    assert await tokens.current() == "token-1"
    clock.move(seconds=1)
    reason, text = await failure(tokens)
    assert (reason, text.startswith("SMTP_OAUTH_TOKEN_URL: can't be reached: ")) == (Reason.CONNECTION, True)


async def test_a_replaced_refresh_token_is_used_from_then_on(make_settings):
    """Microsoft gives a new one with each access token."""
    async with token_endpoint(rotates=True) as endpoint:
        tokens = AccessTokens(settings_for(make_settings, endpoint), FakeClock())
        for _ in range(3):
            await tokens.current()
            tokens.discard()
    assert [form["refresh_token"] for form in endpoint.forms] == [REFRESH, "refresh-2", "refresh-3"]


async def test_a_public_client_sends_no_secret(make_settings):
    """Nor an empty scope."""
    async with token_endpoint() as endpoint:
        settings = settings_for(make_settings, endpoint, smtp_oauth_client_secret=None)
        await AccessTokens(settings, FakeClock()).current()
    assert endpoint.forms == [{"grant_type": "refresh_token", "refresh_token": REFRESH, "client_id": "gate"}]


# --- What the endpoint answers ---


def test_an_answer_is_read():
    """A number of seconds, one written as text, none, and one that makes no sense."""

    def seconds(**fields: object) -> float:
        granted = read(200, json.dumps({"access_token": "a", **fields}).encode())
        assert isinstance(granted, Granted)
        return granted.seconds

    assert [seconds(expires_in=3599), seconds(expires_in="3599")] == [3599, 3599]
    odd = (None, "soon", 0, -1, float("nan"), [1])
    assert {seconds(expires_in=value) for value in odd} | {seconds()} == {SHORT}
    assert seconds(expires_in=1e300) == LONGEST


@pytest.mark.parametrize(
    ("status", "body", "reason", "text"),
    [
        (
            400,
            b'{"error":"invalid_grant","error_description":"AADSTS70008: expired.\\r\\nTrace ID: 1"}',
            Reason.CREDENTIALS,
            "it refuses (400 invalid_grant: AADSTS70008: expired. Trace ID: 1); the refresh token has ended",
        ),
        (401, b'{"error":"invalid_client"}', Reason.CREDENTIALS, "invalid_client); check SMTP_OAUTH_CLIENT_ID"),
        (400, b'{"error":"invalid_scope"}', Reason.CREDENTIALS, "(400 invalid_scope); check SMTP_OAUTH_SCOPE"),
        (400, b'{"error":"odd"}', Reason.CREDENTIALS, "it refuses (400 odd)"),
        (200, b'{"error":"invalid_grant"}', Reason.CREDENTIALS, "it refuses (200 invalid_grant)"),
        (404, b"<html>", Reason.CREDENTIALS, "it refuses (404); check that this is the token endpoint"),
        (302, b"", Reason.CREDENTIALS, "it refuses (302); check that this is the token endpoint"),
        (503, b"<html>", Reason.TRY_LATER, "it answers 503"),
        (429, b'{"error":"slow_down"}', Reason.TRY_LATER, "it answers 429 slow_down"),
        (400, b'{"error":"temporarily_unavailable"}', Reason.TRY_LATER, "it answers 400 temporarily_unavailable"),
        (200, b"Welcome to the hotel", Reason.TRY_LATER, "it answered without a token"),
        (200, b'{"access_token":""}', Reason.TRY_LATER, "it answered without a token"),
        (200, b'["access_token"]', Reason.TRY_LATER, "it answered without a token"),
        (200, b"[" * 100_000, Reason.TRY_LATER, "it answered without a token"),
        (400, json.dumps({"error": "x" * 5000}).encode(), Reason.CREDENTIALS, f"it refuses (400 {'x' * 300})"),
    ],
)
def test_each_failure_has_a_reason_and_says_what_to_do(status, body, reason, text):
    """What only an operator can put right is the channel's credentials, the rest passes."""
    outcome = read(status, body)
    assert not isinstance(outcome, Granted)
    assert (outcome.reason, text in outcome.reply) == (reason, True)


async def test_a_redirect_is_not_followed(make_settings):
    """The secrets go to the address in the settings and nowhere else."""
    async with token_endpoint() as other:
        headers = f"Location: {other.url}\r\n"
        async with token_endpoint(answers=[(307, b"")], headers=headers) as endpoint:
            reason, _ = await failure(AccessTokens(settings_for(make_settings, endpoint), FakeClock()))
    assert (reason, other.forms) == (Reason.CREDENTIALS, [])


async def test_a_proxy_from_the_environment_is_not_used(make_settings, monkeypatch):
    """The secrets go nowhere else by this way either."""
    async with token_endpoint() as proxy, token_endpoint() as endpoint:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert await AccessTokens(settings_for(make_settings, endpoint), FakeClock()).current() == "token-1"
    assert proxy.forms == []


async def test_an_answer_without_an_end_is_cut_off(make_settings):
    """What is read of it is bounded, and is no token."""
    granted = b'{"access_token":"token","expires_in":3600}'
    async with token_endpoint(answers=[(200, b" " * 10 * MOST_BYTES + granted)]) as endpoint:
        reason, text = await failure(AccessTokens(settings_for(make_settings, endpoint), FakeClock()))
    assert (reason, "without a token" in text) == (Reason.TRY_LATER, True)


async def test_an_endpoint_that_hangs_is_a_timeout(make_settings):
    """SMTP_TIMEOUT holds for it as well."""
    async with token_endpoint(hangs=True) as endpoint:
        settings = settings_for(make_settings, endpoint, smtp_timeout=0.2)
        assert await failure(AccessTokens(settings, FakeClock())) == (
            Reason.TIMEOUT,
            "SMTP_OAUTH_TOKEN_URL: no answer within 0.2 s",
        )


async def test_an_endpoint_of_ones_own_is_trusted_by_the_same_authority(make_settings, authority, authority_file):
    """SMTP_CA_FILE, or it is refused."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(tls)
    async with token_endpoint(tls=tls) as endpoint:
        url = {"smtp_oauth_token_url": f"https://localhost:{endpoint.port}/token"}
        trusting = settings_for(make_settings, endpoint, smtp_ca_file=authority_file, **url)
        assert await AccessTokens(trusting, FakeClock()).current() == "token-1"
        reason, text = await failure(AccessTokens(settings_for(make_settings, endpoint, **url), FakeClock()))
    assert (reason, "give SMTP_CA_FILE its certificate" in text) == (Reason.TLS, True)


@pytest.mark.parametrize("written", [str, quote_plus, lambda text: text[:20], lambda text: text[9:]])
@pytest.mark.parametrize("secret", [REFRESH, SECRET])
async def test_no_piece_of_a_secret_is_in_a_failure_however_it_is_cut(make_settings, secret, written):
    """The endpoint may cut or encode what it repeats, and a long text is cut before it is shown."""
    told = [f"{'x' * filler} {written(secret)}" for filler in range(LONGEST_TEXT - 40, LONGEST_TEXT, 7)]
    answers = [(400, json.dumps({"error": "odd", "error_description": text}).encode()) for text in told]
    async with token_endpoint(answers=answers) as endpoint:
        tokens = AccessTokens(settings_for(make_settings, endpoint), FakeClock())
        shown = [(await failure(tokens))[1] for _ in told]
    pieces = {secret[at : at + PIECE] for at in range(len(secret) - PIECE + 1)}
    assert not [text for text in shown if any(piece in text for piece in pieces)]


async def test_no_secret_is_in_a_failure_or_a_repr(make_settings):
    """Whatever the endpoint repeats of the request."""
    told = f"bad {REFRESH} of {SECRET}"
    refused = (400, json.dumps({"error": "invalid_grant", "error_description": told}).encode())
    async with token_endpoint(answers=[refused]) as endpoint:
        settings = settings_for(make_settings, endpoint)
        tokens = AccessTokens(settings, FakeClock())
        _, text = await failure(tokens)
        token = await tokens.current()
    assert "bad *** of ***" in text
    shown = text + repr(tokens) + repr(settings) + repr(Granted(token, 1, REFRESH))
    assert not [secret for secret in (REFRESH, SECRET, token) if secret in shown]
