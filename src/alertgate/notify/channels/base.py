"""What every channel is, and the one model of what became of a try."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Protocol

from alertgate.config import Settings
from alertgate.model import ChannelName, Target


class Reason(StrEnum):
    """Why a try ended as it did: the closed list, also a metric's label."""

    SENT = "sent"
    CREDENTIALS = "credentials"  # 535, 534: the login was refused
    TOO_MANY_LOGINS = "too_many_logins"  # 454 4.7.0
    TRY_LATER = "try_later"  # 421 and other temporary answers of the server as a whole
    DAILY_LIMIT = "daily_limit"  # 550 5.4.5: a 5xx that passes
    SENDER_REFUSED = "sender_refused"  # SMTP_EMAIL may not send here
    RECIPIENT_BUSY = "recipient_busy"  # 450 4.2.1 and the like
    MAILBOX_FULL = "mailbox_full"  # 452 4.2.2
    NO_SUCH_RECIPIENT = "no_such_recipient"  # 550 5.1.1
    TOO_LARGE = "too_large"  # 552 5.3.4
    POLICY = "policy"  # 554, 5.7.1
    REFUSED = "refused"  # any other permanent answer
    CONNECTION = "connection"  # no connection, or it broke
    TLS = "tls"  # no STARTTLS offered, or a certificate that doesn't hold
    TIMEOUT = "timeout"  # no answer in time
    STORAGE = "storage"  # the outbox can't be written
    INTERNAL = "internal"  # a defect in alertgate; the log has its traceback


CHANNEL_WIDE = frozenset(
    {
        Reason.CREDENTIALS,
        Reason.TOO_MANY_LOGINS,
        Reason.TRY_LATER,
        Reason.DAILY_LIMIT,
        Reason.SENDER_REFUSED,
        Reason.CONNECTION,
        Reason.TLS,
        Reason.TIMEOUT,
        Reason.STORAGE,
    }
)
"""The reasons that concern all of a channel's messages, not this one alone."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The server took it. `reply` is its own words."""

    reply: str
    reason: Reason = Reason.SENT
    word: ClassVar[str] = "sent"


@dataclass(frozen=True, slots=True)
class Transient:
    """It didn't work now, and may later."""

    reason: Reason
    reply: str
    word: ClassVar[str] = "transient"


@dataclass(frozen=True, slots=True)
class Permanent:
    """It won't ever work for this message."""

    reason: Reason
    reply: str
    word: ClassVar[str] = "permanent"


Outcome = Sent | Transient | Permanent

PICTURE_ID = "picture@alertgate"
"""The Content-ID by which a message's HTML shows its picture."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to show in a message."""

    subtype: str
    """Such as `jpeg`."""
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """What a recipient gets. A text message has neither subject nor HTML."""

    to: str = field(repr=False)
    text: str = field(repr=False)
    message_id: str
    """The same for every try, so that a repeat can be recognised (RFC 5322, 3.6.4); without angle brackets."""
    thread_id: str
    """The same for all messages about one incident."""
    date: datetime
    subject: str | None = field(default=None, repr=False)
    html: str | None = field(default=None, repr=False)
    picture: Picture | None = None
    urgent: bool = False


SEND_TIMEOUT = 45.0
"""Seconds for one message, all tries: shorter than the lease, so that they end while the message is still ours."""


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What an operator should know about a part of the service, and what to do."""

    level: Level
    what: str
    text: str


class Channel(Protocol):
    """A way to reach recipients."""

    name: ChannelName
    capacity: int
    """How many messages it can hand over at the same time."""

    async def send(self, message: Message, deadline: float) -> Outcome:
        """Try once to hand a message over; trouble is an outcome, never an exception.

        After `deadline`, by the event loop's clock, another process may send it: nothing may leave any more.
        """

    async def close(self) -> None:
        """Let go of connections."""


class Provider(Protocol):
    """A module of channels, as `registry` lists it."""

    def from_settings(self, settings: Settings) -> list[Channel]:
        """Return the channels that the settings call for; none where they don't. Raises StoreUnavailable."""

    def targets(self, settings: Settings) -> list[Target]:
        """Return the addresses that these channels reach."""

    def findings(self, settings: Settings) -> list[Finding]:
        """Return what an operator should know about these settings; said at start and by `alertgate check`."""

    async def check(self, settings: Settings) -> Finding | None:
        """Try whether the channels could send, without sending; None where there is nothing to try."""
