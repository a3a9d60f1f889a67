"""The classification of an SMTP server's replies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.notify.channels.base import CHANNEL_WIDE, Permanent, Reason, Transient
from alertgate.notify.channels.replies import Stage, classify
from tests.builders import for_any

CONNECT, LOGIN, SENDER, RECIPIENT, CONTENT = Stage


@pytest.mark.parametrize(
    ("stage", "code", "text", "reason"),
    [
        # Google's "Gmail SMTP errors and codes".
        (LOGIN, 535, "5.7.8 Username and Password not accepted", Reason.CREDENTIALS),
        (LOGIN, 534, "5.7.9 Application-specific password required", Reason.CREDENTIALS),
        (SENDER, 530, "5.7.0 Authentication Required", Reason.CREDENTIALS),
        (LOGIN, 454, "4.7.0 Too many login attempts, please try again later", Reason.TOO_MANY_LOGINS),
        (CONNECT, 421, "4.7.0 Try again later, closing connection. (EHLO)", Reason.TRY_LATER),
        (SENDER, 421, "4.7.0 Try again later, closing connection. (MAIL)", Reason.TRY_LATER),
        (RECIPIENT, 421, "4.7.0 Try again later", Reason.TRY_LATER),
        (CONTENT, 421, "4.7.28 Unusual rate of mail", Reason.TRY_LATER),
        (
            RECIPIENT,
            450,
            "4.2.1 The user you are trying to contact is receiving mail too quickly",
            Reason.RECIPIENT_BUSY,
        ),
        (RECIPIENT, 452, "4.2.2 The email account that you tried to reach is over quota", Reason.MAILBOX_FULL),
        (RECIPIENT, 552, "5.2.2 mailbox full", Reason.MAILBOX_FULL),
        (RECIPIENT, 450, "4.2.2 mailbox full", Reason.MAILBOX_FULL),
        (RECIPIENT, 450, "greylisted", Reason.RECIPIENT_BUSY),
        (CONTENT, 451, "4.3.0 Mail server temporarily rejected message", Reason.RECIPIENT_BUSY),
        (SENDER, 451, "4.3.2 try again", Reason.TRY_LATER),
        (RECIPIENT, 550, "5.4.5 Daily user sending limit exceeded", Reason.DAILY_LIMIT),
        (SENDER, 550, "5.4.5 Daily SMTP relay limit exceeded", Reason.DAILY_LIMIT),
        (CONTENT, 550, "5.4.5 Daily user sending limit exceeded", Reason.DAILY_LIMIT),
        # A refusal of the whole connection or of the sender isn't this message's fault.
        (CONNECT, 554, "no SMTP service here", Reason.TRY_LATER),
        (LOGIN, 550, "account disabled", Reason.CREDENTIALS),
        (LOGIN, 421, "4.3.0 later", Reason.TOO_MANY_LOGINS),
        (SENDER, 550, "5.7.1 Sender not allowed", Reason.SENDER_REFUSED),
        (SENDER, 553, "sender address rejected", Reason.SENDER_REFUSED),
    ],
)
def test_a_temporary_refusal_is_transient(stage, code, text, reason):
    """Replies that change with time, or once the operator fixes the cause, are transient."""
    assert classify(stage, code, text) == Transient(reason, f"{code} {text}")


@pytest.mark.parametrize(
    ("stage", "code", "text", "reason"),
    [
        (RECIPIENT, 550, "5.1.1 The email account that you tried to reach does not exist", Reason.NO_SUCH_RECIPIENT),
        (RECIPIENT, 550, "#5.1.0 Address rejected", Reason.NO_SUCH_RECIPIENT),
        (RECIPIENT, 553, "5.1.2 We weren't able to find the recipient domain", Reason.NO_SUCH_RECIPIENT),
        (RECIPIENT, 550, "No such user here", Reason.NO_SUCH_RECIPIENT),
        (RECIPIENT, 551, "User not local", Reason.NO_SUCH_RECIPIENT),
        (RECIPIENT, 553, "mailbox name not allowed", Reason.NO_SUCH_RECIPIENT),
        (CONTENT, 552, "5.3.4 Your message exceeded Google's message size limits", Reason.TOO_LARGE),
        (SENDER, 552, "5.3.4 message size exceeds fixed limit", Reason.TOO_LARGE),
        (CONTENT, 552, "too much data", Reason.TOO_LARGE),
        (CONTENT, 554, "5.7.0 Message rejected by policy", Reason.POLICY),
        (CONTENT, 550, "5.7.1 Our system has detected that this message is likely unsolicited mail", Reason.POLICY),
        (RECIPIENT, 550, "5.7.26 Unauthenticated email is not accepted", Reason.POLICY),
        (RECIPIENT, 554, "relay access denied", Reason.POLICY),
        (RECIPIENT, 550, "5.2.1 The email account is disabled", Reason.REFUSED),
        (CONTENT, 550, "refused", Reason.REFUSED),
        (CONTENT, 500, "5.5.2 syntax error", Reason.REFUSED),
    ],
)
def test_a_final_refusal_is_permanent(stage, code, text, reason):
    """Final replies about this recipient or this message are permanent."""
    assert classify(stage, code, text) == Permanent(reason, f"{code} {text}")


def test_the_servers_words_are_kept_on_one_line():
    """A reply of several lines is recorded as one."""
    assert classify(RECIPIENT, 550, "5.1.1 No such\r\n5.1.1   user\n") == Permanent(
        Reason.NO_SUCH_RECIPIENT, "550 5.1.1 No such 5.1.1 user"
    )


@pytest.mark.parametrize(
    "text",
    [
        "Client host [10.5.4.5] is on a block list",
        "Client host 5.4.5.10 is on a block list",
        "ACME Mail v5.4.5 is out of service",
    ],
)
def test_an_address_is_not_taken_for_a_code(text):
    """Digits of an IP address or a version aren't an enhanced status code."""
    assert classify(RECIPIENT, 554, text) == Permanent(Reason.POLICY, f"554 {text}")


@pytest.mark.parametrize("text", ["rejected: 5.7.1.", "(5.7.1) rejected", "#5.7.1 rejected", "5.7.1"])
def test_a_code_is_found_where_servers_put_it(text):
    """An enhanced status code is found anywhere in the reply."""
    assert classify(RECIPIENT, 550, text) == Permanent(Reason.POLICY, f"550 {text}")


@for_any
@given(st.sampled_from(Stage), st.integers(400, 599), st.text())
def test_every_reply_is_classified(stage, code, text):
    """Any negative reply at any stage is classified: no 4xx is permanent, and nothing permanent is channel-wide."""
    outcome = classify(stage, code, text)
    if isinstance(outcome, Permanent):
        assert (code >= 500, outcome.reason in CHANNEL_WIDE) == (True, False)
    assert outcome.reply.startswith(str(code))
