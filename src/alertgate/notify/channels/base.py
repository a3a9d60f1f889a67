"""The Channel protocol, what a channel sends, and the outcomes of an attempt."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Protocol, runtime_checkable

from alertgate.clock import Clock
from alertgate.config import Settings
from alertgate.model import ChannelName, Json, Severity, Target
from alertgate.policy.surroundings import AddressCheck
from alertgate.proof import Proof


class Reason(StrEnum):
    """Why an attempt ended as it did; also a metric label. docs/operations.md says what to do about each."""

    SENT = "sent"
    CREDENTIALS = "credentials"  # 535, 534: the login was refused, or is missing
    TOO_MANY_LOGINS = "too_many_logins"  # 454 4.7.0
    TRY_LATER = "try_later"  # 421 and other temporary answers of the server as a whole
    DAILY_LIMIT = "daily_limit"  # 550 5.4.5: a transient 5xx
    SENDER_REFUSED = "sender_refused"  # SMTP_EMAIL: not ours, not verified, or its domain fails SPF, DKIM or DMARC
    RELAY_REFUSED = "relay_refused"  # the server doesn't pass mail on for us
    HOST_REFUSED = "host_refused"  # our host name (HELO), or our address: reverse DNS, a block list
    UNCLEAR = "unclear"  # refused, and nothing says whether it is about us, the recipient or the message
    RECIPIENT_BUSY = "recipient_busy"  # 450 4.2.1, greylisting and the like
    MAILBOX_FULL = "mailbox_full"  # 452 4.2.2
    NO_SUCH_RECIPIENT = "no_such_recipient"  # 550 5.1.1
    TOO_LARGE = "too_large"  # 552 5.3.4
    POLICY = "policy"  # the content of this message, such as spam
    UNREACHABLE = "unreachable"  # a phone is off, busy, or nobody takes the call; or the server of one address is away
    FORMAT = "format"  # the service can't read what is sent to it
    REFUSED = "refused"  # this recipient alone: it takes no mail from us, or others are accepted in the same way
    CONNECTION = "connection"  # no connection, or it broke
    TLS = "tls"  # no STARTTLS offered, or an invalid certificate
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
        Reason.RELAY_REFUSED,
        Reason.HOST_REFUSED,
        Reason.UNCLEAR,
        Reason.CONNECTION,
        Reason.TLS,
        Reason.TIMEOUT,
        Reason.STORAGE,
    }
)
"""The reasons that affect all of a channel's messages, not only this one."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The server accepted the message. `reply` is its answer."""

    reply: str
    reason: Reason = Reason.SENT
    receipt: str | None = field(default=None, repr=False)
    """What the service calls the message; None if it needs never be asked or told about it again."""
    proof: Proof = Proof.SENT
    """How far the answer itself proves that it arrived."""
    follow_in: timedelta | None = None
    """After what time to ask what became of it, or to look whether its incident has changed; None: never."""
    word: ClassVar[str] = "sent"


@dataclass(frozen=True, slots=True)
class Permanent:
    """The attempt failed, and every later one for this message would."""

    reason: Reason
    reply: str
    of_content: bool = False
    """Whether it may be for what the message says or how long it is, so that a smaller one may be accepted."""
    word: ClassVar[str] = "permanent"


@dataclass(frozen=True, slots=True)
class Transient:
    """The attempt failed; a later one may succeed."""

    reason: Reason
    reply: str
    if_alone: "Transient | Permanent | None" = None
    """The outcome if the server turns out to refuse this recipient alone; None if it can't be about the recipient."""
    of_content: bool = False
    """As that of Permanent."""
    retry_in: timedelta | None = None
    """The shortest time to wait, as the service asks; None if it doesn't."""
    is_unanswered: bool = False
    """Whether the message may have been taken all the same: there was no answer in time, or the connection broke before
    it."""
    word: ClassVar[str] = "transient"


Outcome = Sent | Transient | Permanent


class AttemptFailed(Exception):
    """An attempt ended early. Channels raise it inside themselves, and return its outcome."""

    def __init__(self, outcome: Transient) -> None:
        super().__init__(outcome.reply)
        self.outcome = outcome


PICTURE_ID = "picture@alertgate"
"""The Content-ID that a message's HTML uses to show its picture."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to show in a message."""

    subtype: str
    """Such as `jpeg`."""
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """A button that answers at once, where a service has buttons that send a form to the message's link."""

    label: str
    act: str
    form: str = field(repr=False)
    """The body that the link takes by POST, as `application/x-www-form-urlencoded`."""


@dataclass(frozen=True, slots=True)
class Brief:
    """What apps, chats and programs need to know of a message beside its title (`subject`) and its text."""

    notification_id: str
    """Also of a digest: that of its first notification."""
    tag: str
    """The first word of its title: the severity, `RESOLVED`, `ACKNOWLEDGED`, …"""
    severity: Severity
    asks: bool = False
    """Whether it is about one incident that is open, and its reader is asked to answer."""
    over: bool = False
    """Whether all that it tells is over."""
    link: str | None = field(default=None, repr=False)
    answers: tuple[Answer, ...] = ()
    """Those to offer, if there is a link and it asks; the first is *I'm on it*."""
    acts: tuple[tuple[str, str], ...] = ()
    """What can be answered to one that asks, with or without a link: each act with its button's label."""
    shown: str = ""
    """The mark of its incident as it shows it (`marks`), for services that hand it back with an answer."""
    repeat_every: timedelta | None = None
    """How often to ring again until somebody answers, where the service does that itself; None as it likes."""
    repeat_for: timedelta | None = None
    """For how long it does that; None as it likes."""
    facts: Mapping[str, Json] = field(default_factory=dict, repr=False)
    """What programs read (docs/channels/webhook.md)."""

    @property
    def is_quiet(self) -> bool:
        """Whether it makes no sound: what is over, what somebody has done, and what is only worth knowing."""
        return self.over or self.tag in QUIET or self.severity is Severity.INFO


QUIET = frozenset({"ACKNOWLEDGED", "SNOOZED", "SILENCED"})
"""The tags of what somebody has done."""


@dataclass(frozen=True, slots=True)
class Message:
    """The content that a channel sends. A text message has neither subject nor HTML.

    `brief` is there for all channels but mail and its text messages.
    """

    to: str = field(repr=False)
    text: str = field(repr=False)
    message_id: str
    """The same for every attempt, so that a repeat can be recognised (RFC 5322, 3.6.4); without angle brackets."""
    thread_id: str
    """The same for all messages about one incident."""
    date: datetime
    subject: str | None = field(default=None, repr=False)
    html: str | None = field(default=None, repr=False)
    picture: Picture | None = None
    urgent: bool = False
    brief: Brief | None = None
    repeats_since: datetime | None = None
    """Since when an attempt may have sent it that nobody recorded, or that wasn't answered; None: there was none."""


SEND_TIMEOUT = 45.0
"""Seconds for all attempts under one lease: shorter than the lease, so that they end while it is still ours."""


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    NOTE = "note"  # what a check can't know
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What an operator should know about one part of the service, and what to do."""

    level: Level
    what: str
    text: str

    def __str__(self) -> str:
        """Return it as a line."""
        return f"{self.level:5} {self.what}: {self.text}"


class Channel(Protocol):
    """A way to reach recipients."""

    name: ChannelName
    capacity: int
    """How many messages it can send at the same time."""
    repeats_safely: bool
    """Whether a message that is sent again, after a crash or a time-out, is recognised as the same."""

    async def send(self, message: Message, deadline: float) -> Outcome:
        """Attempt once to send a message. A failure is an outcome, never an exception.

        After `deadline` (event loop time) another process may send the message, so nothing may be sent any more.
        """

    async def rehearse(self, to: str | None, deadline: float) -> Outcome:
        """Do all that `send` does to reach a recipient, or with None the server, but send nothing.

        `Sent` says that nothing was refused. Until `deadline` (event loop time), and as `send` without exceptions.
        """

    async def close(self) -> None:
        """Close all connections."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A message that was sent, and whose service is asked or told about it again."""

    to: str = field(repr=False)
    receipt: str = field(repr=False)
    """Empty if an attempt may have sent it that wasn't answered."""
    sent_at: datetime
    notification_id: str
    proof: Proof | None = None
    """What is known so far."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What a service says became of a message."""

    proof: Proof | None = None
    """How far it is proved that it arrived; None: no more than before."""
    by: str | None = None
    """What proves it, or who acknowledged it, in the service's words; without secrets."""
    at: datetime | None = None
    """When that was, if the service says it."""
    failure: Transient | Permanent | None = None
    """Why it didn't arrive. What is transient is sent once more."""
    again_in: timedelta | None = None
    """After what time to ask again; None: never, but its incident's end is still told."""


@runtime_checkable
class Follower(Protocol):
    """A channel whose service knows later what became of a message, or wants to know how its incident stands.

    A channel that has these methods is asked; one whose `Sent` has no `follow_in` needs none.
    """

    settles: bool
    """Whether the service is told when nobody needs to answer any more."""

    async def ask(self, sent: Followed, deadline: float) -> Learned:
        """Ask what became of a message. A failure to ask is `Learned(again_in=…)`, never an exception."""

    async def settle(self, sent: Followed, message: Message, deadline: float) -> Outcome:
        """Tell the service that somebody has the message's incident, that it is over, or, if it rings, silenced.

        `message` says how it stands now. As `send` without exceptions; what fails for a while is told again later.
        """


class Provider(Protocol):
    """A module that provides channels, as listed in `registry`."""

    ADDRESSES: Mapping[ChannelName, AddressCheck]
    """Its channels, each with the check of an address, whether the settings configure them or not."""

    def advice(self, settings: Settings, outcome: Outcome) -> str | None:
        """Return what went wrong and what to change, as one sentence without secrets; None if nothing went wrong."""

    def missing(self, settings: Settings) -> str | None:
        """Return what to set before its channels can be used, such as `set PUSHOVER_TOKEN`; None if nothing."""

    def from_settings(self, settings: Settings, clock: Clock) -> list[Channel]:
        """Return the channels that the settings configure, if any. Raises StoreUnavailable."""

    def findings(self, settings: Settings) -> list[Finding]:
        """Return what an operator should know about these settings, at start and in `alertgate check`."""

    async def check(self, settings: Settings, told: Collection[Target]) -> list[Finding]:
        """Check whether the channels could send to those who are told, without sending; empty if nothing is known."""
