"""What the log says of attempts: the remedy, the command, and no more than one reads at a terminal."""

from dataclasses import replace
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from alertgate.model import Attempt, ChannelName, NotificationStatus
from alertgate.notify.channels.advice import _MISTAKES, _REASONS, _RESTATED, advice, restates
from alertgate.notify.channels.base import CHANNEL_WIDE, Permanent, Reason, Transient
from alertgate.notify.context import Outgoing, Snapshot
from alertgate.notify.delivery_log import cut, log_attempts, log_digest
from alertgate.store.leases import Finish
from tests.builders import incident, notification
from tests.fakes import START

MAIL = {"smtp_host": "smtp.gmail.com", "smtp_email": "alerts@example.net", "recipient_email": "me@example.com"}
WORDS = "550 5.1.1 <anna@example.org>: The account that you tried to reach\r\n550 doesn't exist. " + "Please. " * 40
ID = "01a21627-5555-7943-960a-76c78d882fd1"
TOLD = replace(notification(), id=ID, incident_id=ID, channel=ChannelName.EMAIL, address="anna.blume@mail.example.org")
LONGEST_LINE = 480


def logged(
    reason: Reason,
    reply: str,
    remedy: str | None,
    status: NotificationStatus,
    *,
    missed: bool = False,
    restated: bool = False,
) -> dict[str, Any]:
    """Return the line about one attempt."""
    attempt = Attempt(ID, ID, START, 12.345, "transient", reason, reply)
    finish = Finish(TOLD, status, START, START if status is NotificationStatus.PENDING else None, missed=missed)
    with capture_logs() as lines:
        log_attempts(TOLD, [attempt], finish, remedy, ours=True, restated=restated)
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


def test_what_the_remedy_restates_is_said_once(make_settings):
    """Errno 111 tells nobody more than that nothing listens."""
    settings = make_settings(**{**MAIL, "smtp_host": "127.0.0.1", "smtp_port": 2525})
    outcome = Transient(Reason.CONNECTION, "[Errno 111] Connect call failed ('127.0.0.1', 2525)")
    remedy, restated = advice(settings, outcome), restates(settings, outcome)
    line = logged(outcome.reason, outcome.reply, remedy, NotificationStatus.PENDING, restated=restated)
    assert (restated, "reply" in line, "nothing listens at" in line["detail"]) == (True, False, True)


def test_what_is_given_up_on_while_its_channel_is_away_is_not_over(make_settings):
    """It is sent by itself later, so nobody is told to retry it; `explain` says the same."""
    outcome = Transient(Reason.TIMEOUT, "no answer in time")
    remedy = advice(make_settings(**MAIL), outcome)
    line = logged(outcome.reason, outcome.reply, remedy, NotificationStatus.FAILED, missed=True)
    assert line["event"] == "notification.failed"
    assert line["detail"] == f"given up for now, sent once the channel works: {remedy}"
    assert "alertgate retry" not in line["detail"]


@pytest.mark.parametrize("missed", [True, False])
def test_a_digest_that_failed_says_whether_that_is_over(missed):
    """As a message about one incident does."""
    snapshot = Snapshot(TOLD, incident())
    outgoing = Outgoing((snapshot, snapshot))
    attempts = [Attempt(ID, ID, START, 1, "transient", Reason.TIMEOUT, "no answer in time")]
    finishes = [Finish(TOLD, NotificationStatus.FAILED, START, START, missed=missed)] * 2
    with capture_logs() as lines:
        log_digest(outgoing, attempts, finishes, "the server stopped answering", ours=True)
    [line] = lines
    assert line["event"] == "digest.failed"
    assert ("given up for now, " in line["detail"], "`alertgate retry" in line["detail"]) == (missed, not missed)


@pytest.mark.parametrize(
    ("remedy", "missed", "restated"),
    [
        *((remedy, Reason(reason) in CHANNEL_WIDE, False) for reason, remedy in _REASONS.items()),
        *((remedy, True, mistake in _RESTATED) for mistake, remedy in _MISTAKES.items()),
    ],
)
@pytest.mark.parametrize("status", [NotificationStatus.FAILED, NotificationStatus.PENDING])
def test_no_line_is_too_long_to_read(status, remedy, missed, restated):
    """Whatever the remedy is and however much the server says."""
    line = shown(logged(Reason.NO_SUCH_RECIPIENT, WORDS, remedy, status, missed=missed, restated=restated))
    assert len(line) <= LONGEST_LINE, line


def test_a_reply_is_cut_but_never_to_nothing():
    """A long remedy leaves the code and the first words."""
    assert cut("250 OK", 3) == "250 OK"
    assert cut(WORDS, -100).startswith("550 5.1.1 ")
    assert len(cut(WORDS, 100)) == 100
