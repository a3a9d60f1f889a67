"""The domain model: frozen dataclasses, their states, and the table of legal transitions."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from alertgate.credential import Credential
from alertgate.id_kind import IdKind
from alertgate.own_events import UNWATCHED
from alertgate.proof import Proof

Json = Any
"""A JSON value: None, bool, int, float, str, list or dict."""


class Severity(StrEnum):
    """How bad a problem is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for critical; ORDER BY and `max` use it."""
        return _RANKS[self]


def worst(*severities: Severity | None) -> Severity:
    """Return the highest of these severities; None counts as none. Raises ValueError if there is none."""
    return max(filter(None, severities), key=lambda severity: severity.rank)


_RANKS = MappingProxyType({Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2})


class Source(StrEnum):
    """The webhook that received an alert, or alertgate itself."""

    PARTICLE = "particle"
    GENERIC = "generic"
    ALERTGATE = "alertgate"  # one of its own troubles (`prove/troubles.py`), or a Hint
    WATCH = "watch"  # alertgate, which watches the devices: one is silent, or its battery is low


class AlertStatus(StrEnum):
    """What became of a webhook request."""

    ACCEPTED = "accepted"  # parsed
    QUARANTINED = "quarantined"  # authenticated but unreadable; the whole body is kept
    IGNORED = "ignored"  # parsed, and a rule says to ignore it: it belongs to no incident, and nobody is told
    VITALS = "vitals"  # parsed: what a device says of itself, kept with it; it belongs to no incident either


ASIDE = frozenset({AlertStatus.IGNORED, AlertStatus.VITALS})
"""The states of alerts that were never meant for an incident."""


class Signal(StrEnum):
    """Whether an alert reports a problem or its end."""

    FIRING = "firing"
    RESOLVED = "resolved"


class IncidentStatus(StrEnum):
    """The state of an incident."""

    OPEN = "open"  # each contact is notified
    ACKNOWLEDGED = "acknowledged"  # a person knows; no further updates are sent
    RESOLVED = "resolved"  # over; the next alert reopens it, or opens a new incident


class Resolution(StrEnum):
    """What resolved an incident; `resolved_by` names the person or the alert."""

    ALERT = "alert"  # an alert whose signal is `resolved`
    PERSON = "person"
    SILENCE = "silence"  # there was no alert for RESOLVE_AFTER


class NotificationStatus(StrEnum):
    """What is known about the delivery of a notification."""

    PENDING = "pending"  # not sent yet; `due_at` is the time of the next attempt
    SENDING = "sending"  # a process holds the lease and may be talking to the server right now
    SENT = "sent"  # the server accepted it, which is no proof that anybody saw it
    FAILED = "failed"  # outstanding until it is retried, dismissed, made needless, or told once its channel works
    CANCELLED = "cancelled"  # no longer needed; `reason` says why


class ChannelName(StrEnum):
    """The ways to reach a recipient."""

    EMAIL = "email"
    SMS = "sms"  # by mail to a gateway
    OUTBOX = "outbox"
    NTFY = "ntfy"
    PUSHOVER = "pushover"
    TELEGRAM = "telegram"
    TWILIO = "twilio"  # a text message by Twilio
    CALL = "call"  # by Twilio
    WEBHOOK = "webhook"
    SLACK = "slack"
    DISCORD = "discord"
    TEAMS = "teams"
    MATRIX = "matrix"
    APPRISE = "apprise"


class Kind(StrEnum):
    """What a notification reports about its incident."""

    OPENING = "opening"
    HANDOFF = "handoff"  # an opening for the people of a later step, because nobody has acknowledged
    UPDATE = "update"
    RISE = "rise"  # the severity rose
    REOPENING = "reopening"  # also: the acknowledgement is over
    REMINDER = "reminder"  # nobody has acknowledged yet
    UNANSWERED = "unanswered"  # nobody has acknowledged, and there are no more reminders
    ACKNOWLEDGEMENT = "acknowledgement"  # somebody else has it
    SILENCE = "silence"  # somebody else has silenced its device
    RESOLUTION = "resolution"
    CHANGES = "changes"  # it changed too often to report each change


FIRST_NEWS = frozenset({Kind.OPENING, Kind.HANDOFF})
"""The kinds by which a contact hears of an incident for the first time."""
BEGINNINGS = FIRST_NEWS | {Kind.RISE, Kind.REOPENING}
"""The kinds that tell a contact of something new: if it is critical, it waits for no digest."""
ABOUT_OTHERS = frozenset({Kind.ACKNOWLEDGEMENT, Kind.SILENCE})
"""The kinds that say what somebody else has done. Nobody is woken for them, however severe the incident is."""


class Hold(StrEnum):
    """What a notification waits for, beside its turn."""

    DELAYED = "delayed"  # the contact's `after`; an all-clear cancels it
    QUIET_HOURS = "quiet_hours"  # their end; only an acknowledgement cancels it
    OUTSIDE_HOURS = "outside_hours"  # the beginning of the escalation's hours; only an acknowledgement cancels it
    SILENCED = "silenced"  # the silence's end; then whoever knows already how the incident stands hears nothing


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
    # Content stays out of `repr`, and so out of logs.
    message: str | None = field(default=None, repr=False)
    data: Json = field(default=None, repr=False)
    fields: dict[str, Json] = field(default_factory=dict, repr=False)
    """All other fields of the body."""
    published_at: datetime | None = None
    repeat_key: str | None = None
    """The sender's own id of the event, by which a second delivery is recognised; None if it has none."""
    id_kind: IdKind | None = None
    """What the repeat key is."""
    content: str | None = None
    """A digest of device, event and data, which a repeat has in common with it; None if it has no repeats."""
    errors: tuple[str, ...] = ()
    """Why it was quarantined."""
    raw: bytes | None = field(default=None, repr=False)
    """The body, if it was quarantined: the whole, or its beginning if that was shortened."""
    request_id: str | None = None
    credential: Credential | None = None
    """What let its request in; None for alertgate's own."""
    incident_id: str | None = None
    reason: str | None = None
    """Why it opened, joined or resolved its incident, and who is notified when."""


CHANGES_OF_A_FLAP = 3
"""An incident that was opened, resolved and reopened flaps."""


@dataclass(frozen=True, slots=True)
class Incident:
    """The problem that alerts with the same incident key belong to."""

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
    began_at: datetime | None = None
    """When its first firing alert was published, or received if its clock can't be right."""
    last_firing_at: datetime | None = None
    """When its last firing alert whose clock can be right was published, or received on the generic webhook."""
    last_alert_id: str | None = None
    changes: int = 1
    """How often it was opened, resolved and reopened."""
    changed_at: datetime | None = None
    """When its state or its severity last changed by an alert."""
    first_firing_at: datetime | None = None
    """When the first firing alert came that nobody has acknowledged: steps count from it. None: when it was opened."""
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    """What the person called themselves: `acknowledged_with` is what was checked."""
    acknowledged_with: Credential | None = None
    acknowledged_changes: int | None = None
    """How often it had changed when it was acknowledged; None once the acknowledgement is over, as after a rise."""
    snoozed_until: datetime | None = None
    """When the acknowledgement ends by itself, if it was a snooze."""
    handed_back_at: datetime | None = None
    """When somebody handed back the acknowledgement, so that nobody has it; None once somebody acknowledges it anew."""
    handed_back_by: str | None = None
    handed_back_with: Credential | None = None
    resolved_at: datetime | None = None
    ended_at: datetime | None = None
    """When its all-clear was published; None if that doesn't say, if its clock can't be right, or if there is none."""
    resolution: Resolution | None = None
    resolved_by: str | None = None
    """The person's name, or the alert's id; None for silence."""
    resolved_with: Credential | None = None

    @property
    def known_to_flap(self) -> bool:
        """Whether it was acknowledged by somebody who knew that it flaps: that survives a reopening."""
        return (self.acknowledged_changes or 0) >= CHANGES_OF_A_FLAP

    @property
    def is_dealt_with(self) -> bool:
        """Whether a person has ended it, or has acknowledged it and nothing has ended the acknowledgement since."""
        return self.resolution is Resolution.PERSON or self.acknowledged_changes is not None

    @property
    def is_snoozed(self) -> bool:
        """Whether its acknowledgement ends by itself."""
        return self.status is IncidentStatus.ACKNOWLEDGED and self.snoozed_until is not None

    @property
    def is_watched(self) -> bool:
        """Whether alertgate itself says when it is over: nearly all of its own troubles are, its hints aren't."""
        return self.source is Source.WATCH or (self.source is Source.ALERTGATE and self.event not in UNWATCHED)


@dataclass(frozen=True, slots=True)
class Notification:
    """What one contact is sent about one incident, and the state of its delivery."""

    id: str
    incident_id: str
    channel: ChannelName
    address: str = field(repr=False)
    kind: Kind
    status: NotificationStatus
    severity: Severity
    reason: str
    """Why it was planned or cancelled, as a sentence."""
    created_at: datetime
    due_at: datetime
    retry_since: datetime
    """When it was planned or last retried manually; GIVE_UP_AFTER counts from then."""
    attempts: int = 0
    """The number of attempts since it was planned or last retried manually."""
    lease_owner: str | None = None
    lease_until: datetime | None = None
    claimed_at: datetime | None = None
    """When its latest lease began."""
    finished_at: datetime | None = None
    """When it was sent, failed or cancelled; what failed keeps it while it is being sent after all."""
    told: IncidentStatus | None = None
    """The state of the incident that it told, or that an attempt without an answer may have told."""
    digest_id: str | None = None
    """The digest that carries it, together with other notifications to the same contact."""
    held_until: datetime | None = None
    """When SMTP_DAILY_LIMIT last held it back; GIVE_UP_AFTER doesn't count the time until then."""
    dismissed_at: datetime | None = None
    """When a person said that nothing more need be done about its failure."""
    dismissed_by: str | None = None
    dismissed_with: Credential | None = None
    retried_with: Credential | None = None
    """What whoever last retried it had; `retry_since` says when."""
    superseded_by: str | None = None
    """The later notification to its contact about its incident that makes it needless, although it failed."""
    missed_since: datetime | None = None
    """When it first became due, if its channel was away then; if it failed, that is why."""
    person: str | None = None
    """Whom it tells, by the policy's name; of a recipient of the settings, the address."""
    via: str | None = None
    """The name of the escalation's step that led to the person: theirs, or a schedule's with its `@`."""
    hold: Hold | None = None
    """What it waits for until `due_at`."""
    released_at: datetime | None = None
    """When its last hold ended, or that of what it goes together with; GIVE_UP_AFTER doesn't count until then."""
    receipt: str | None = field(default=None, repr=False)
    """What its service calls the message, by which it is asked what became of it."""
    proof: Proof | None = None
    """How far it is proved that it arrived; None until it is sent, and of what was sent before that was known."""
    proved_at: datetime | None = None
    """When that was so."""
    proved_by: str | None = None
    """What proves it, or who acknowledged it, in the service's words."""
    shown: str | None = None
    """The mark of its incident as the message showed it (`marks`): an answer to it means that."""
    follow_at: datetime | None = None
    """When its service is asked again, or, without a receipt, told to end what may ring unanswered; None: never."""
    follow_owner: str | None = None
    """The process that does that now, until `follow_at`."""

    @property
    def given_up(self) -> bool:
        """Whether it failed before, and is told now because its channel works again."""
        return self.finished_at is not None and self.status is NotificationStatus.SENDING

    @property
    def is_outstanding(self) -> bool:
        """Whether it failed, and nobody has dealt with that. At most one is, for each contact of each incident."""
        failed = self.status is NotificationStatus.FAILED or self.given_up
        return failed and not (self.dismissed_at or self.superseded_by)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to send a notification."""

    id: str
    notification_id: str
    started_at: datetime
    seconds: float
    outcome: str
    """`sent`, `transient` or `permanent`."""
    reason: str
    """A value of `notify.channels.base.Reason`; also a metric label."""
    reply: str = field(repr=False)
    """The server's reply, or the text of the error."""
    queue_id: str | None = None
    """The server's queue id, if its reply contained one."""


Target = tuple[ChannelName, str]
"""A channel and an address on it."""
