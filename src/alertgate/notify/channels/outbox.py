"""The outbox: a Maildir that takes the messages while no mail server is configured."""

import asyncio
from mailbox import Maildir
from pathlib import Path

import structlog

from alertgate.model import ChannelName
from alertgate.notify.channels.base import Message, Outcome, Reason, Sent, Transient
from alertgate.notify.channels.mail import compose

log = structlog.stdlib.get_logger("alertgate.outbox")


class Outbox:
    """Writes each message to a Maildir (one file a message), and says in the log where."""

    name = ChannelName.OUTBOX
    capacity = 1

    def __init__(self, path: Path, sender: str) -> None:
        self._path = path
        self._sender = sender

    async def send(self, message: Message, deadline: float) -> Outcome:  # noqa: ARG002  (a file takes no time)
        """Write a message; a full or read-only disk may pass."""
        try:
            file = await asyncio.to_thread(self._write, message)
        except OSError as error:
            return Transient(Reason.STORAGE, f"the outbox {self._path} can't be written: {error}")
        log.warning("outbox.written", detail="no mail server is configured, so nobody was told", file=str(file))
        return Sent(f"written to {file}")

    async def close(self) -> None:
        """Nothing is held open."""

    def _write(self, message: Message) -> Path:
        box = Maildir(self._path, create=True)
        key = box.add(compose(message, self._sender))
        return self._path / "new" / key
