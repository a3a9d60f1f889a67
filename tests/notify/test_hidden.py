"""What a server repeats of a login is hidden, however it writes and cuts it."""

from base64 import b64encode

import pytest
from aiosmtplib import SMTP
from hypothesis import given
from hypothesis import strategies as st

from alertgate.notify.channels.base import Transient
from alertgate.notify.channels.connect import Connector
from alertgate.notify.channels.hidden import PIECE, Secrets
from alertgate.notify.channels.registry import targets
from alertgate.notify.channels.smtp import MailServer, check
from tests.builders import for_any
from tests.fakes import LATER, FakeClock
from tests.mail_script import scripted_server, token_endpoint

USER, PASSWORD = "gate-login", "Tr0ub4dor&3-horse"
LETTERS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=12, max_size=60)
MAIL = b"Subject: x\r\n\r\nx\r\n"


def base64(text: str) -> str:
    """Return a text in base64."""
    return b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"535 no {PASSWORD} here", "535 no *** here"),
        (f"535 no {PASSWORD[:10]}", "535 no ***"),
        (f"535 no {PASSWORD[3:12]}... here", "535 no ***... here"),
        (f"535 {PASSWORD}{PASSWORD} twice", "535 *** twice"),
        ("535 no Tr0ub4dor%263-horse here", "535 no *** here"),
        (f"535 no {PASSWORD.lower()} here", "535 no *** here"),
        (f"535 no {PASSWORD.upper()} here", "535 no *** here"),
        (f"535 no {PASSWORD[::-1]} here", "535 no *** here"),
        (f"535 no {PASSWORD.encode().hex()} here", "535 no *** here"),
        (f"535 no {PASSWORD.encode().hex().upper()} here", "535 no *** here"),
        (f"535 İẞ {PASSWORD.lower()} İẞ", "535 İẞ *** İẞ"),
        (f"535 authentication failed: {base64(PASSWORD)}", "535 authentication failed: ***="),
        (f"535 AUTH PLAIN {base64(chr(0) + USER + chr(0) + PASSWORD)} is wrong", "535 AUTH PLAIN ***= is wrong"),
        (f"535 {base64(USER)} is unknown", "535 ***== is unknown"),
        (f"553 not owned by user {USER}", "553 not owned by user g***"),
        (f"553 not owned by <{USER}>.", "553 not owned by <g***>."),
        (f"connecting to {USER}.example.org", f"connecting to {USER}.example.org"),
        ("250 2.0.0 Ok: queued as 4Wy9rQ2dx2dz8vdt", "250 2.0.0 Ok: queued as 4Wy9rQ2dx2dz8vdt"),
        ("535 authentication failed: UGFzc3dvcmQ6", "535 authentication failed: UGFzc3dvcmQ6"),
        ("", ""),
    ],
)
def test_a_login_is_hidden_in_every_form(said, shown):
    """As it is, percent-encoded, in base64, and in part; the rest of the reply stays."""
    assert Secrets([PASSWORD], USER, said=[f"\0{USER}\0{PASSWORD}"]).hide(said) == shown


def test_a_short_secret_is_hidden_where_it_stands_alone():
    """`at` may be a password, and is a word; a text isn't riddled for it."""
    hide = Secrets(["at"], "me@example.org").hide
    assert hide("535 me@example.org: at, data and 'at'") == "535 m***@example.org: ***, data and '***'"


def test_nothing_is_hidden_without_a_login():
    """No secret is in every text."""
    assert Secrets([""]).hide("250 OK *** a b") == "250 OK *** a b"


@for_any
@given(secret=LETTERS, before=st.text(max_size=20), after=st.text(max_size=20), cut=st.integers(0, 60))
def test_no_piece_of_a_secret_is_left(secret, before, after, cut):
    """Wherever it stands, wherever the server cut it, in base64 at any offset too."""
    hide = Secrets([secret]).hide
    for text in (
        f"{before} {secret} {after}",
        f"{before} {secret[cut:]}",
        f"{before} {secret[: -cut or None]} {after}",
    ):
        shown = hide(text)
        assert not [at for at in range(len(secret) - PIECE + 1) if secret[at : at + PIECE] in shown]
    for offset in range(3):
        coded = base64("x" * offset + secret + after)
        assert base64("x" * 3 + secret)[4:][: len(secret)] not in hide(coded)
        assert len(hide(coded)) < len(coded)


@pytest.mark.parametrize("reply", ["535 5.7.8 {password} of {user}", "454 4.7.0 {base64}", "550 5.7.1 {user} {base64}"])
async def test_a_mail_servers_refusal_is_shown_without_the_login(make_settings, reply):
    """In what is recorded, logged and shown of a message, and in what `check` prints."""
    said = reply.format(user=USER, password=PASSWORD, base64=base64(f"\0{USER}\0{PASSWORD}"))
    async with scripted_server(auth="PLAIN", judge=lambda *_: said) as server:
        settings = make_settings(**mail_settings(server.port), smtp_password=PASSWORD)
        outcome = await MailServer(settings).send_mail("gate@example.net", "m@example.net", MAIL, LATER)
        printed = "".join(finding.text for finding in await check(settings, targets(settings)))
    for text in (repr(outcome), printed):
        assert "***" in text
        assert not [part for part in (USER, PASSWORD, base64(f"\0{USER}\0{PASSWORD}")[:-4]) if part in text]


async def test_a_reply_after_the_login_is_shown_without_it_too(make_settings):
    """Postfix names the user whose sender address it refuses; its outcome for one recipient alone is the same."""
    async with scripted_server(
        auth="PLAIN", judge=lambda *_: "235 OK", mail_from=f"553 5.7.1 not owned by {USER}"
    ) as at:
        settings = make_settings(**mail_settings(at.port), smtp_password=PASSWORD)
        mails = MailServer(settings)
        outcome = await mails.send_mail("gate@example.net", "m@example.net", MAIL, LATER)
        printed = "".join(finding.text for finding in await check(settings, targets(settings)))
        await mails.close()
    assert isinstance(outcome, Transient)
    assert outcome.reply == "553 5.7.1 not owned by g***"
    assert (USER in printed, "not owned by g***" in printed) == (False, True)


async def test_a_token_that_was_refused_and_forgotten_is_hidden(make_settings):
    """The first token is discarded when the server refuses it, and its refusal holds it."""
    tokens = [f"ya29.access-token-{number}-0123456789abcdef" for number in range(3)]
    answers = [(200, f'{{"access_token":"{token}","expires_in":3600}}'.encode()) for token in tokens]
    refusal = ["535 5.7.8 {0} is no good"]

    def judge(_mechanism: str, given: str) -> str:
        token = given.partition("Bearer ")[2].strip("\1")
        return refusal[0].format(base64(given).rstrip("=") if len(refusal) > 1 else token[:25])

    async with token_endpoint(answers=answers) as endpoint, scripted_server(auth="XOAUTH2", judge=judge) as server:
        oauth = {"smtp_oauth_client_id": "gate", "smtp_oauth_refresh_token": "1//0refresh-token-0123456789"}
        settings = make_settings(**mail_settings(server.port), **oauth, smtp_oauth_token_url=endpoint.url)
        mails = MailServer(settings, Connector(settings, FakeClock()))
        cut = await mails.lend(SMTP.noop)
        refusal.append("in base64")
        whole = await MailServer(settings, Connector(settings, FakeClock())).lend(SMTP.noop)
        await mails.close()
    assert [outcome and outcome.reply for outcome in (cut, whole)] == ["535 5.7.8 *** is no good"] * 2


def mail_settings(port: int) -> dict[str, object]:
    """Settings for a mail server on this machine, whose user isn't the sender."""
    return {
        "smtp_host": "127.0.0.1",
        "smtp_port": port,
        "smtp_security": "none",
        "smtp_username": USER,
        "smtp_email": "gate@example.net",
        "recipient_email": "m@example.net",
    }
