"""The nouns of alertgate: frozen, with their states and the legal transitions in one table."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

Json = Any
"""A JSON value: None, bool, int, float, str, list or dict."""


class Severity(StrEnum):
    """How bad it is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for critical: what ORDER BY and `max` go by."""
        return _RANKS[self]


_RANKS = MappingProxyType({Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2})


class Source(StrEnum):
    """Which webhook an alert came in by."""

    PARTICLE = "particle"
    GENERIC = "generic"


class AlertStatus(StrEnum):
    """What became of a webhook's body."""

    ACCEPTED = "accepted"  # read and understood
    QUARANTINED = "quarantined"  # authenticated, but unreadable: kept whole as it came


class Signal(StrEnum):
    """What an alert says of its problem."""

    FIRING = "firing"
    RESOLVED = "resolved"


class IncidentStatus(StrEnum):
    """Where an incident stands."""

    OPEN = "open"  # somebody is or will be told
    ACKNOWLEDGED = "acknowledged"  # a person has said that they know
    RESOLVED = "resolved"  # over; the next alert opens a new incident


class Resolution(StrEnum):
    """What ended an incident; `resolved_by` says who or which."""

    ALERT = "alert"  # its sender said so
    PERSON = "person"
    SILENCE = "silence"  # no alert came for RESOLVE_AFTER


class NotificationStatus(StrEnum):
    """What is truly known of a message."""

    PENDING = "pending"  # not handed over; `due_at` says when it is tried next
    SENDING = "sending"  # a process holds the lease and may be talking to the server right now
    SENT = "sent"  # the server took it: not proof that anybody saw it
    FAILED = "failed"  # given up on; replayable
    CANCELLED = "cancelled"  # no longer needed, and why stands in `reason`


class ChannelName(StrEnum):
    """The ways to reach a recipient."""

    EMAIL = "email"
    SMS = "sms"
    OUTBOX = "outbox"


class Kind(StrEnum):
    """Why a notification speaks."""

    OPENING = "opening"
    UPDATE = "update"
    ESCALATION = "escalation"
    RESOLUTION = "resolution"


TRANSITIONS: MappingProxyType[StrEnum, frozenset[StrEnum]] = MappingProxyType(
    {
        IncidentStatus.OPEN: frozenset({IncidentStatus.ACKNOWLEDGED, IncidentStatus.RESOLVED}),
        IncidentStatus.ACKNOWLEDGED: frozenset({IncidentStatus.OPEN, IncidentStatus.RESOLVED}),
        IncidentStatus.RESOLVED: frozenset(),
        NotificationStatus.PENDING: frozenset(
            {NotificationStatus.SENDING, NotificationStatus.CANCELLED, NotificationStatus.FAILED}
        ),
        NotificationStatus.SENDING: frozenset(
            {
                NotificationStatus.SENT,
                NotificationStatus.PENDING,
                NotificationStatus.FAILED,
                NotificationStatus.CANCELLED,
            }
        ),
        NotificationStatus.FAILED: frozenset({NotificationStatus.PENDING}),
        NotificationStatus.SENT: frozenset(),
        NotificationStatus.CANCELLED: frozenset(),
    }
)
"""Every legal change of state; anything else is a defect."""


def states_before(after: StrEnum) -> list[StrEnum]:
    """Return the states from which `after` may be reached: the WHERE clause of every change of state."""
    return [before for before, nexts in TRANSITIONS.items() if after in nexts]


@dataclass(frozen=True, slots=True)
class Alert:
    """One accepted webhook event; never changes once stored."""

    id: str
    received_at: datetime
    source: Source
    status: AlertStatus
    signal: Signal
    event: str
    severity: Severity
    incident_key: str
    """The key of the incident that it belongs to."""
    device: str | None = None
    # What it says stays out of `repr`, and so out of logs.
    message: str | None = field(default=None, repr=False)
    data: Json = field(default=None, repr=False)
    fields: dict[str, Json] = field(default_factory=dict, repr=False)
    """Everything else that the body said, as it said it."""
    published_at: datetime | None = None
    repeat_key: str | None = None
    """Makes a second delivery of the same event recognisable; None when nothing does."""
    errors: tuple[str, ...] = ()
    """Why it is quarantined."""
    raw: bytes | None = field(default=None, repr=False)
    """The whole body, when it is quarantined."""
    request_id: str | None = None
    incident_id: str | None = None
    reason: str | None = None
    """Why it opened, joined or resolved its incident, and who hears of it when: for the trail."""


@dataclass(frozen=True, slots=True)
class Incident:
    """The open problem that alerts belong to."""

    id: str
    key: str
    status: IncidentStatus
    source: Source
    event: str
    device: str | None
    severity: Severity
    opened_at: datetime
    last_alert_at: datetime
    alert_count: int
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    resolution: Resolution | None = None
    resolved_by: str | None = None
    """The person's name, or the alert's id; None for silence."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One message to one recipient about one incident over one channel."""

    id: str
    incident_id: str
    channel: ChannelName
    address: str = field(repr=False)
    kind: Kind
    status: NotificationStatus
    severity: Severity
    reason: str
    """Why it was planned, or why it was cancelled, in words."""
    created_at: datetime
    due_at: datetime
    retry_since: datetime
    """From when its patience counts: when it was planned or, by hand, started afresh."""
    attempts: int = 0
    """How often it was tried since it was planned or, by hand, started afresh."""
    lease_owner: str | None = None
    lease_until: datetime | None = None
    claimed_at: datetime | None = None
    """When its latest lease began."""
    finished_at: datetime | None = None
    """When it was sent, failed or cancelled."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to hand a notification over."""

    id: str
    notification_id: str
    started_at: datetime
    seconds: float
    outcome: str
    """`sent`, `transient` or `permanent`."""
    reason: str
    """A word from the closed list in `notify/channels/base.py`; also a metric's label."""
    reply: str = field(repr=False)
    """The server's own words, or the error's."""
    queue_id: str | None = None
    """The name under which the server has queued it, if it said one."""


Target = tuple[ChannelName, str]
"""A channel and an address that it reaches."""


@dataclass(frozen=True, slots=True)
class ContactState:
    """What one contact was told about one incident, or is about to be told."""

    pending_id: str | None = None
    """The notification that is still to be sent, if there is one."""
    pending_attempts: int = 0
    told_at: datetime | None = None
    """When it was last told; a notification that is being sent counts from its claim."""
    failed_at: datetime | None = None
    """When a notification to it last failed for good."""


def time_of(made: str) -> datetime:
    """Return when a UUIDv7 was made, to the millisecond."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=UUID(made).int >> 80)


def uuid7(at: datetime, randomness: bytes) -> str:
    """Return a UUIDv7 (RFC 9562, 5.7) for an aware time and 8 random bytes.

    48 bits of Unix milliseconds, then 12 of the fraction of a millisecond (6.2, method 3), then 62 random ones: ids
    sort by time down to the microsecond.
    """
    microseconds = int(at.timestamp()) * 1_000_000 + at.microsecond
    milliseconds, rest = divmod(microseconds, 1000)
    low = int.from_bytes(randomness[:8], "big") & (1 << 62) - 1
    digits = f"{milliseconds << 80 | 0x7 << 76 | (rest << 12) // 1000 << 64 | 0x2 << 62 | low:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
