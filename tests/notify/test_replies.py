"""What a mail server's refusal is about: its enhanced code first, then its words, then the stage."""

import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.notify.channels.base import CHANNEL_WIDE, Permanent, Reason, Transient
from alertgate.notify.channels.replies import Stage, classify
from tests.builders import for_any

CONNECT, LOGIN, SENDER, RECIPIENT, CONTENT = Stage
LATE = (RECIPIENT, CONTENT)


class Real(NamedTuple):
    """A real server's reply, and what it must be taken for."""

    stage: str
    reply: str
    outcome: str
    reason: str
    source: str


def _real_replies() -> tuple[Real, ...]:
    table = tomllib.loads(Path(__file__).with_name("real_replies.toml").read_text(encoding="utf-8"))
    return tuple(Real(*row, server["source"]) for server in table["server"] for row in server["replies"])


REAL_REPLIES = _real_replies()


def judged(stage: Stage, code: int, text: str) -> tuple[str, Reason]:
    """Return what a reply is taken for."""
    outcome = classify(stage, code, text)
    return outcome.word, outcome.reason


@pytest.mark.parametrize("real", REAL_REPLIES, ids=lambda real: f"{real.stage} {real.reply[:60]}")
def test_a_real_reply_is_taken_for_what_it_is(real: Real):
    """Real servers' replies are about us, the recipient or the message as their makers document."""
    assert (real.outcome, real.reason) == judged(Stage(real.stage), int(real.reply[:3]), real.reply[4:])


def test_the_table_has_many_servers_and_each_reply_once():
    """Ten and more sources, and no reply at one stage twice."""
    assert len({(real.stage, real.reply) for real in REAL_REPLIES}) == len(REAL_REPLIES) >= 100
    assert len({real.source for real in REAL_REPLIES}) >= 10


@pytest.mark.parametrize("stage", LATE)
@pytest.mark.parametrize(
    ("code", "text", "reason"),
    [
        (553, "5.7.1 Sender address rejected: not owned by user", Reason.SENDER_REFUSED),
        (554, "5.2.252 SendAsDenied", Reason.SENDER_REFUSED),
        (550, "5.1.7 sender rejected", Reason.SENDER_REFUSED),
        (554, "5.7.1 Relay access denied", Reason.RELAY_REFUSED),
        (504, "5.5.2 Helo command rejected: need fully-qualified hostname", Reason.HOST_REFUSED),
        (550, "5.7.1", Reason.UNCLEAR),
        (554, "", Reason.UNCLEAR),
        (500, "5.5.2 syntax error", Reason.UNCLEAR),
        (550, "no", Reason.UNCLEAR),
    ],
)
def test_what_is_about_us_or_unclear_is_retried_at_any_late_stage(stage, code, text, reason):
    """It pauses the channel, unless it turns out that the server refuses this recipient alone."""
    reply = f"{code} {text}".strip()
    outcome = classify(stage, code, text)
    assert (outcome.word, outcome.reason, reason in CHANNEL_WIDE) == ("transient", reason, True)
    assert isinstance(outcome, Transient)
    assert outcome.if_alone is not None
    assert (outcome.if_alone.word, outcome.if_alone.reason) == ("permanent", Reason.REFUSED)
    assert outcome.if_alone.reply.strip() == reply


@pytest.mark.parametrize("stage", [CONNECT, LOGIN, SENDER])
def test_what_comes_before_the_recipient_is_never_about_the_recipient(stage):
    """The server hasn't seen a recipient yet, whatever it says."""
    for text in ("5.1.1 user unknown", "no such user", "5.7.1 spam", "5.7.1 denied", ""):
        outcome = classify(stage, 550, text)
        assert isinstance(outcome, Transient)
        assert (outcome.reason in CHANNEL_WIDE, outcome.if_alone) == (True, None)


@pytest.mark.parametrize(
    ("stage", "code", "text", "reason"),
    [
        (SENDER, 421, "4.7.0 Try again later, closing connection. (MAIL)", Reason.TRY_LATER),
        (RECIPIENT, 421, "4.7.0 Try again later", Reason.TRY_LATER),
        (RECIPIENT, 450, "4.2.2 mailbox full", Reason.MAILBOX_FULL),
        (RECIPIENT, 450, "greylisted", Reason.RECIPIENT_BUSY),
        (RECIPIENT, 450, "4.1.1 user unknown", Reason.RECIPIENT_BUSY),
        (CONTENT, 451, "4.7.1 this may be spam", Reason.RECIPIENT_BUSY),
        (CONTENT, 452, "4.3.4 too large at the moment", Reason.TOO_LARGE),
        (SENDER, 451, "4.3.2 try again", Reason.TRY_LATER),
        (LOGIN, 550, "account disabled", Reason.CREDENTIALS),
        (LOGIN, 421, "4.3.0 later", Reason.TOO_MANY_LOGINS),
    ],
)
def test_a_temporary_refusal_is_transient(stage, code, text, reason):
    """No 4xx is final, whatever it is about."""
    assert ("transient", reason) == judged(stage, code, text)


@pytest.mark.parametrize(
    ("stage", "reply", "reason"),
    [
        *((stage, "550 5.1.1 Too many bad recipients", Reason.TRY_LATER) for stage in LATE),
        (RECIPIENT, "452 4.5.3 Too many invalid recipients", Reason.TRY_LATER),
        (RECIPIENT, "550 5.7.1 rate-limited", Reason.TRY_LATER),
        (RECIPIENT, "550 5.1.1 rate limit exceeded for this client", Reason.TRY_LATER),
        (RECIPIENT, "450 4.7.1 Recipient rate limit exceeded", Reason.RECIPIENT_BUSY),
        (SENDER, "550 5.7.1 Sending limits exceeded for this account", Reason.DAILY_LIMIT),
        (CONTENT, "550 You have exceeded your hourly sending limit", Reason.DAILY_LIMIT),
        (CONTENT, "550 5.1.0 the submission limit was reached", Reason.DAILY_LIMIT),
        (RECIPIENT, "554 Account suspended: sending disabled", Reason.SENDER_REFUSED),
        (SENDER, "553 5.1.8 invalid dns: the domain does not resolve", Reason.SENDER_REFUSED),
        (CONTENT, "525 5.7.13 Unauthorized IP", Reason.HOST_REFUSED),
        (LOGIN, "535 5.7.8 Authentication failed: IP address is not on the allow list", Reason.HOST_REFUSED),
        (LOGIN, "550 Your IP has been blocked due to too many failed logins", Reason.CREDENTIALS),
        (LOGIN, "535 5.7.1 rate limit exceeded", Reason.TOO_MANY_LOGINS),
        (LOGIN, "550 account has exceeded its sending limit", Reason.DAILY_LIMIT),
    ],
)
def test_what_is_about_us_is_retried_in_any_words(stage, reply, reason):
    """Limits, suspensions and addresses that may not log in, whatever code they come with."""
    assert judged(stage, int(reply[:3]), reply[4:]) == ("transient", reason)


def test_spam_is_the_contents_fault_only_once_there_is_content():
    """A server that says "spam" at RCPT hasn't seen the message: it means us."""
    assert judged(CONTENT, 554, "5.7.1 rejected as spam") == ("permanent", Reason.POLICY)
    assert judged(RECIPIENT, 554, "5.7.1 rejected as spam") == ("transient", Reason.UNCLEAR)


def test_the_servers_words_are_kept_on_one_line():
    """A reply of several lines is recorded as one."""
    assert classify(RECIPIENT, 550, "5.1.1 No such\r\n5.1.1   user\n") == Permanent(
        Reason.NO_SUCH_RECIPIENT, "550 5.1.1 No such 5.1.1 user"
    )


@pytest.mark.parametrize(
    "text",
    ["Refused [10.5.4.5]", "Refused 5.4.5.10", "ACME Mail v5.4.5 refused", "refused: see 15.1.1 and 5.1.1.7"],
)
def test_an_address_is_not_taken_for_a_code(text):
    """Digits of an IP address or a version aren't an enhanced status code."""
    assert judged(RECIPIENT, 554, text) == ("transient", Reason.UNCLEAR)


@pytest.mark.parametrize("text", ["rejected: 5.1.1.", "(5.1.1) rejected", "#5.1.1 rejected", "5.1.1"])
def test_a_code_is_found_where_servers_put_it(text):
    """An enhanced status code is found anywhere in the reply."""
    assert classify(RECIPIENT, 550, text) == Permanent(Reason.NO_SUCH_RECIPIENT, f"550 {text}")


def test_words_in_an_address_say_nothing():
    """The recipient's own address isn't what the server says about it."""
    assert judged(RECIPIENT, 550, "<no-spam.relay-denied@unknown-user.example>: no") == ("transient", Reason.UNCLEAR)


@for_any
@given(st.sampled_from(Stage), st.integers(400, 599), st.text())
def test_every_reply_is_classified(stage, code, text):
    """Any negative reply is classified: permanent only as a 5xx about the recipient or the message."""
    outcome = classify(stage, code, text)
    if isinstance(outcome, Permanent):
        assert (code >= 500, outcome.reason in CHANNEL_WIDE) == (True, False)
    else:
        assert outcome.if_alone is None or (stage in LATE and outcome.reason in CHANNEL_WIDE)
    assert outcome.reply.startswith(str(code))
