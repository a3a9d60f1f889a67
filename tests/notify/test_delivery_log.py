"""What the log says of attempts: the remedy, the command, and no more than one reads at a terminal."""

from dataclasses import replace
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from alertgate.model import Attempt, ChannelName, NotificationStatus
from alertgate.notify.channels.advice import _MISTAKES, _REASONS, advice
from alertgate.notify.channels.base import Permanent, Reason, Transient
from alertgate.notify.delivery_log import cut, log_attempts
from alertgate.store.leases import Finish
from tests.builders import notification
from tests.fakes import START

MAIL = {"smtp_host": "smtp.gmail.com", "smtp_email": "alerts@example.net", "recipient_email": "me@example.com"}
WORDS = "550 5.1.1 <anna@example.org>: The account that you tried to reach\r\n550 doesn't exist. " + "Please. " * 40
ID = "01a21627-5555-7943-960a-76c78d882fd1"
TOLD = replace(notification(), id=ID, incident_id=ID, channel=ChannelName.EMAIL, address="anna.blume@mail.example.org")
LONGEST_LINE = 500


def logged(reason: Reason, reply: str, remedy: str | None, status: NotificationStatus) -> dict[str, Any]:
    """Return the line about one attempt."""
    attempt = Attempt(ID, ID, START, 12.345, "transient", reason, reply)
    finish = Finish(TOLD, status, START, START if status is NotificationStatus.PENDING else None)
    with capture_logs() as lines:
        log_attempts(TOLD, [attempt], finish, remedy, ours=True)
    [line] = lines
    return dict(line)


def shown(line: dict[str, Any]) -> str:
    """Return a line as a terminal shows it."""
    facts = {name: value for name, value in line.items() if name != "log_level"}
    known = {"timestamp": "2026-11-26T07:55:28.713110Z", "level": line["log_level"], "logger": "alertgate.deliver"}
    return structlog.dev.ConsoleRenderer(colors=False)(None, "", {**known, **facts})


def test_a_failure_for_good_says_why_what_to_do_and_the_command(make_settings):
    """The server's words are cut, as one line and without the whole address."""
    settings = make_settings(**MAIL)
    remedy = advice(settings, Permanent(Reason.NO_SUCH_RECIPIENT, WORDS))
    line = logged(Reason.NO_SUCH_RECIPIENT, WORDS, remedy, NotificationStatus.FAILED)
    assert (line["event"], line["log_level"]) == ("notification.failed", "error")
    assert "correct the address in RECIPIENT_EMAIL" in line["detail"]
    assert line["detail"].endswith(f"then `alertgate retry {ID}`")
    assert line["reply"].startswith("550 5.1.1 <a***@example.org>: ")
    assert line["reply"].endswith("…")


def test_what_is_tried_again_says_what_to_do(make_settings):
    """A wrong setting doesn't mend itself."""
    outcome = Transient(Reason.CONNECTION, "[Errno 111] Connect call failed ('127.0.0.1', 2525)")
    remedy = advice(make_settings(**{**MAIL, "smtp_host": "127.0.0.1", "smtp_port": 2525}), outcome)
    line = logged(outcome.reason, outcome.reply, remedy, NotificationStatus.PENDING)
    assert line["detail"].startswith("tried again: nothing listens at 127.0.0.1:2525: check SMTP_HOST and SMTP_PORT")


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        *((NotificationStatus.FAILED, remedy) for remedy in _REASONS.values()),
        # What is about the channel itself is tried again until it is given up on, which has a line of its own.
        *((NotificationStatus.PENDING, remedy) for remedy in [*_REASONS.values(), *_MISTAKES.values()]),
    ],
)
def test_no_line_is_too_long_to_read(status, remedy):
    """Whatever the remedy is and however much the server says."""
    line = shown(logged(Reason.NO_SUCH_RECIPIENT, WORDS, remedy, status))
    assert len(line) <= LONGEST_LINE, line


def test_a_reply_is_cut_but_never_to_nothing():
    """A long remedy leaves the code and the first words."""
    assert cut("250 OK", 3) == "250 OK"
    assert cut(WORDS, -100).startswith("550 5.1.1 ")
    assert len(cut(WORDS, 100)) == 100
