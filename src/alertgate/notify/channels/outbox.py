"""The outbox: a Maildir that receives the messages while no mail server is configured."""

import asyncio
import os
from collections.abc import Collection, Mapping
from mailbox import Maildir
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import MappingProxyType

import structlog

from alertgate.clock import Clock
from alertgate.config import Settings
from alertgate.model import ChannelName, Target
from alertgate.notify.channels.advice import advice as mail_advice
from alertgate.notify.channels.base import Channel, Finding, Level, Message, Outcome, Reason, Sent, Transient
from alertgate.notify.channels.mail import SENDER_NAME, compose
from alertgate.policy.surroundings import AddressCheck
from alertgate.store.private import make_private_dir

log = structlog.stdlib.get_logger("alertgate.outbox")

TRIED = 20_000
"""Bytes that are written to see whether a message would fit."""
NOBODY = "operator@localhost"
"""The recipient of notifications in the outbox while none is configured."""


class Outbox:
    """Writes each message to a file of its own in a Maildir, and logs the path."""

    name = ChannelName.OUTBOX
    capacity = 1
    repeats_safely = True

    def __init__(self, path: Path, sender: str, name: str = SENDER_NAME) -> None:
        self._path = path
        self._sender = sender
        self._name = name

    async def send(self, message: Message, deadline: float) -> Outcome:  # noqa: ARG002  (a file takes no time)
        """Write a message. A full or read-only disk is a transient failure."""
        try:
            file = await asyncio.to_thread(self._write, message)
        except OSError as error:
            return self._unwritable(error)
        log.warning("outbox.written", detail="no mail server is configured, so nobody was told", file=str(file))
        return Sent(f"written to {file}")

    async def rehearse(self, to: str | None, deadline: float) -> Outcome:  # noqa: ARG002  (a file takes no time)
        """Write a file, and remove it."""
        try:
            await asyncio.to_thread(self._try)
        except OSError as error:
            return self._unwritable(error)
        return Sent(f"{self._path} can be written")

    async def close(self) -> None:
        """Do nothing: the outbox has no connections."""

    def _unwritable(self, error: OSError) -> Transient:
        return Transient(Reason.STORAGE, f"the outbox {self._path} can't be written: {error}")

    def _try(self) -> None:
        Maildir(self._path, create=True)
        with NamedTemporaryFile(dir=self._path / "tmp") as file:
            file.write(bytes(TRIED))
            file.flush()
            os.fsync(file.fileno())

    def _write(self, message: Message) -> Path:
        for directory in (self._path, *(self._path / name for name in ("tmp", "new", "cur"))):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory.chmod(0o700)  # it may have been there, and open
        file = self._path / "new" / Maildir(self._path).add(compose(message, self._sender, self._name))
        file.chmod(0o600)  # the Maildir leaves that to the process's umask
        return file


ADDRESSES: Mapping[ChannelName, AddressCheck] = MappingProxyType({})
"""Nobody names it: it stands in for mail."""


def advice(settings: Settings, outcome: Outcome) -> str | None:
    """Return what went wrong and what to change."""
    return mail_advice(settings, outcome)


def missing(settings: Settings) -> str | None:  # noqa: ARG001  (the Provider protocol's signature)
    """Return None: without a mail server the outbox stands in."""
    return None


def from_settings(settings: Settings, clock: Clock) -> list[Channel]:  # noqa: ARG001  (the Provider protocol's signature)
    """Return the outbox, if no mail server is configured. Raises StoreUnavailable."""
    if settings.mail_host is not None:
        return []
    make_private_dir(settings.data_dir)
    return [Outbox(settings.outbox_dir, settings.mail_from, settings.smtp_from_name)]


def targets(settings: Settings) -> list[Target]:
    """Return all recipients' addresses, or NOBODY while none is configured."""
    if settings.mail_host is not None:
        return []
    addresses = dict.fromkeys([*settings.recipient_email, *settings.recipient_sms])
    nobody = [] if settings.recipient_push else [NOBODY]
    return [(ChannelName.OUTBOX, address) for address in addresses or nobody]


def findings(settings: Settings) -> list[Finding]:
    """Say that nobody is told."""
    if settings.mail_host is not None:
        return []
    text = f"no server is set: messages go to {settings.outbox_dir}, and nobody is told; set SMTP_EMAIL or SMTP_HOST"
    return [Finding(Level.FAIL, "mail", text)]


async def check(settings: Settings, told: Collection[Target]) -> list[Finding]:  # noqa: ARG001  (the Provider protocol's signature)
    """Return nothing: there is no server to check."""
    return []
