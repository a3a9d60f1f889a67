"""The outbox."""

from mailbox import Maildir

from alertgate.notify.channels.base import Message, Reason, Sent, Transient
from alertgate.notify.channels.outbox import Outbox
from tests.fakes import LATER, START

MESSAGE = Message("me@example.com", "text", "id@x", "thread@x", START, "subject", "<p>html</p>")


async def test_a_message_becomes_a_file_in_a_maildir(tmp_path):
    """Any mail reader can open it, and the outcome has its path."""
    outbox = Outbox(tmp_path / "outbox", "alerts@example.net", "The gate")
    outcome = await outbox.send(MESSAGE, LATER)
    [mail] = list(Maildir(tmp_path / "outbox"))
    assert (mail["To"], mail["Subject"], mail["Message-ID"]) == ("me@example.com", "subject", "<id@x>")
    assert mail["From"] == "The gate <alerts@example.net>"
    assert isinstance(outcome, Sent)
    assert outcome.reply.startswith(f"written to {tmp_path}/outbox/new/")


async def test_an_unwritable_directory_is_a_transient_failure(tmp_path):
    """A file in place of the directory is an outcome, not an exception."""
    (tmp_path / "outbox").touch()
    outcome = await Outbox(tmp_path / "outbox", "alerts@example.net").send(MESSAGE, LATER)
    assert (type(outcome), outcome.reason) == (Transient, Reason.STORAGE)


async def test_a_rehearsal_writes_nothing_that_stays(tmp_path):
    """It says whether a message would fit."""
    outbox = Outbox(tmp_path / "outbox", "alerts@example.net")
    assert isinstance(await outbox.rehearse(None, LATER), Sent)
    assert [each for each in (tmp_path / "outbox").rglob("*") if each.is_file()] == []
    (tmp_path / "other").touch()
    outcome = await Outbox(tmp_path / "other", "alerts@example.net").rehearse(None, LATER)
    assert (type(outcome), outcome.reason) == (Transient, Reason.STORAGE)
