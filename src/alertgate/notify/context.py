"""The facts that a message is rendered from, and the formats of its times. Pure."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from alertgate.local_time import clock_time, zone_name
from alertgate.model import (
    Alert,
    AlertStatus,
    ChannelName,
    Incident,
    IncidentStatus,
    Kind,
    Notification,
    Resolution,
    Source,
)
from alertgate.notify.course import NO_COURSE, Course
from alertgate.notify.evidence import Tried
from alertgate.notify.missed import Untold, is_missed
from alertgate.notify.names import event_name, part_name, where
from alertgate.notify.render.reading import Reading, reading
from alertgate.policy.escalations import Escalation
from alertgate.silence import Silence

LATE = timedelta(minutes=1)
"""The shortest delay that a message mentions."""
SHOWN_ALERTS = 11
"""The latest alert and the ten before it."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a message reports, read in one transaction. `alerts` are the incident's newest, newest first."""

    notification: Notification
    incident: Incident
    alerts: tuple[Alert, ...] = ()
    first: Alert | None = None
    """The incident's first alert."""
    earlier: Untold | None = None
    news: int = 1
    """How many of the incident's firing alerts a digest of what was missed tells for the first time."""
    course: Course | None = None
    """How far its escalation has come, for the messages that say it."""
    silence: Silence | None = None
    """The silence that it tells of."""
    escalation: str | None = None
    """The name of its escalation, for the messages whose service rings again by itself."""
    first_sent_at: datetime | None = None
    """When the first notification of that was sent, as far as it knows."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What one message carries: one notification, or the members of a digest, the most severe first."""

    snapshots: tuple[Snapshot, ...]
    claimed_before: bool = False
    """Whether it, or a part of it, was claimed before: then it may have been sent."""

    @property
    def repeats_since(self) -> datetime | None:
        """Since when it may have been sent already; None if that can't be."""
        begun = [max(each.created_at, each.retry_since) for each in self.notifications]
        return min(begun) if self.claimed_before else None

    @property
    def notifications(self) -> tuple[Notification, ...]:
        """The notifications that it carries."""
        return tuple(snapshot.notification for snapshot in self.snapshots)

    @property
    def first(self) -> Notification:
        """The first of them; all of them have its channel, address and lease."""
        return self.snapshots[0].notification

    @property
    def tried(self) -> Tried:
        """Which message it is, and to whom. A digest that is sent again is the same message."""
        return Tried(self.first.address, self.first.digest_id or self.first.id)

    @property
    def is_digest(self) -> bool:
        """Whether it is about several incidents; of a digest whose other members dropped out, one is left."""
        return len(self.snapshots) > 1

    @property
    def was_held(self) -> bool:
        """Whether it is a digest of what was held until now."""
        return self.is_digest and all(each.released_at for each in self.notifications)

    @property
    def missed_since(self) -> datetime | None:
        """Since when its contact missed what it carries, if it is the digest after an outage of its channel."""
        at = self.first.claimed_at
        missed = [each.missed_since for each in self.notifications if at and is_missed(each.missed_since, at)]
        return min(filter(None, missed), default=None) if self.is_digest else None


class LocalTimes:
    """How a message writes times: in the configured zone, with the date unless that is today.

    In the hour that a clock change repeats, they have the zone's name too.
    """

    __slots__ = ()
    zone: ZoneInfo
    now: datetime

    def time(self, time: datetime) -> str:
        """Return a time with its date and zone."""
        local = time.astimezone(self.zone)
        return f"{local:%Y-%m-%d %H:%M:%S} {zone_name(local)}"

    def clock(self, time: datetime) -> str:
        """Return a time to the second, with its date unless that is today."""
        return clock_time(time.astimezone(self.zone), "%H:%M:%S" if self.is_today(time) else "%Y-%m-%d %H:%M:%S")

    def minute(self, time: datetime) -> str:
        """Return a time to the minute, with its date unless that is today."""
        return clock_time(time.astimezone(self.zone), "%H:%M" if self.is_today(time) else "%Y-%m-%d %H:%M")

    def day_minute(self, time: datetime, weekday: str = "%a") -> str:
        """Return a time to the minute, with its weekday if that was within the last six days, else its date."""
        local, today = time.astimezone(self.zone), self.now.astimezone(self.zone).date()
        is_this_week = timedelta(0) < today - local.date() <= timedelta(days=6)
        return f"{local:{weekday} %H:%M}" if is_this_week else self.minute(time)

    def is_today(self, time: datetime) -> bool:
        """Return whether a time is on the day of sending, in the configured time zone."""
        return time.astimezone(self.zone).date() == self.now.astimezone(self.zone).date()


@dataclass(frozen=True, slots=True)
class DigestItem:
    """One incident in a digest, how many alerts about it are news, and earlier ones that its contact wasn't told of."""

    incident: Incident
    device_name: str | None
    news: int = 1
    earlier: Untold | None = None
    silenced: bool = False
    """Whether the news is that somebody has silenced its device."""

    @property
    def over(self) -> bool:
        """Whether the incident is over, as far as anybody knows: silence alone doesn't say so."""
        return self.incident.status is IncidentStatus.RESOLVED and not self.silent

    @property
    def acknowledged(self) -> bool:
        """Whether somebody has it, or has snoozed it."""
        return self.incident.status is IncidentStatus.ACKNOWLEDGED

    @property
    def snoozed(self) -> bool:
        """Whether it is quiet for a time alone."""
        return self.acknowledged and self.incident.snoozed_until is not None

    @property
    def silent(self) -> bool:
        """Whether the incident ended only because no more alerts came."""
        return self.incident.resolution is Resolution.SILENCE

    @property
    def alerts(self) -> int:
        """How many alerts about it are news."""
        return self.news + (self.earlier.alerts if self.earlier else 0)

    @property
    def since(self) -> datetime:
        """When the first of them came, as far as they are of other incidents."""
        return self.earlier.since if self.earlier else self.incident.opened_at

    @property
    def where(self) -> str:
        """The device's name, or else its id, or else the alert's source."""
        return where(self.incident, self.device_name)

    @property
    def event(self) -> str:
        """The event's name; the title of an own trouble."""
        return event_name(self.incident)


@dataclass(frozen=True, slots=True)
class DigestContext(LocalTimes):
    """The facts that a digest is rendered from."""

    digest_id: str
    channel: ChannelName
    address: str
    items: tuple[DigestItem, ...]
    zone: ZoneInfo
    now: datetime
    message_domain: str
    missed_since: datetime | None = None
    """Since when its contact missed these, if their channel was away."""
    link: str | None = field(default=None, repr=False)
    was_held: bool = False
    """Whether they were held until now."""
    notification_id: str = ""
    """The id of its first notification."""


@dataclass(frozen=True, slots=True)
class MessageContext(LocalTimes):
    """The facts that a message is rendered from. `alerts` are the incident's newest, newest first, at least one."""

    notification: Notification
    incident: Incident
    alerts: tuple[Alert, ...]
    device_name: str | None
    zone: ZoneInfo
    now: datetime
    message_domain: str
    earlier: Untold | None = None
    first: Alert | None = None
    """The incident's first alert, if it isn't among `alerts`."""
    course: Course = NO_COURSE
    link: str | None = field(default=None, repr=False)
    """Where its reader can answer, if there are links."""
    silence: Silence | None = None
    """The silence that it tells of, if it is the news that there is one."""
    escalation: Escalation | None = None
    """The incident's escalation, if it has one of its own."""
    first_sent_at: datetime | None = None
    """As that of Snapshot."""

    @property
    def latest(self) -> Alert:
        """The newest alert."""
        return self.alerts[0]

    @property
    def resolved(self) -> bool:
        """Whether the incident is over."""
        return self.incident.status is IncidentStatus.RESOLVED

    @property
    def unreadable(self) -> bool:
        """Whether the newest alert is quarantined."""
        return self.latest.status is AlertStatus.QUARANTINED

    @property
    def tag(self) -> str:
        """The first word of a message: RESOLVED, what somebody has done if that is the news, or else the severity."""
        if self.resolved:
            return "RESOLVED"
        if self.is_silenced:
            return "SILENCED"
        if not self.is_quiet:
            return self.incident.severity.upper()
        return "SNOOZED" if self.incident.snoozed_until else "ACKNOWLEDGED"

    @property
    def is_quiet(self) -> bool:
        """Whether it says no more than that somebody has it, or has silenced its device."""
        is_acknowledged = self.incident.status is IncidentStatus.ACKNOWLEDGED
        return self.is_silenced or (is_acknowledged and self.notification.kind is Kind.ACKNOWLEDGEMENT)

    @property
    def is_silenced(self) -> bool:
        """Whether the news is that somebody has silenced its device, and that still is so."""
        is_news = self.notification.kind is Kind.SILENCE and not self.resolved
        return is_news and self.silence is not None and self.silence.lasts(self.now)

    @property
    def own(self) -> bool:
        """Whether alertgate itself says it: it is about its own troubles, or about devices that it watches."""
        return self.incident.source in (Source.ALERTGATE, Source.WATCH)

    @property
    def where(self) -> str:
        """The device's name, or else its id, or else the alert's source."""
        return where(self.incident, self.device_name)

    @property
    def ended_by_alert(self) -> bool:
        """Whether the incident is over because an alert said so."""
        return self.resolved and self.incident.resolution in (None, Resolution.ALERT)

    @property
    def reading(self) -> Reading | None:
        """The value that stands for the newest alert; None at an end that isn't said, or said with the first value."""
        found = self.reading_of(self.latest)
        is_old = self.resolved and (not self.ended_by_alert or str(found) == str(self.first_reading))
        return None if is_old else found

    @property
    def first_reading(self) -> Reading | None:
        """The value that stands for the first alert."""
        return self.reading_of(self.first or self.alerts[-1])

    def reading_of(self, alert: Alert) -> Reading | None:
        """Return the value that stands for an alert; None if it is about another event than the incident."""
        is_other = alert.event != self.incident.event
        return None if is_other else reading(alert, self.incident.event, part_name(self.incident.key))

    @property
    def event(self) -> str:
        """The event's name, marked if the newest alert is unreadable; the title of an own trouble."""
        event = event_name(self.incident)
        return f"unreadable alert {event}" if self.unreadable else event

    @property
    def wanted_at(self) -> datetime:
        """When the message should have gone out; an update that waited for the group interval isn't late."""
        notification = self.notification
        if notification.attempts == 0:
            return notification.due_at
        # Then `due_at` is the time of a retry.
        planned_at = notification.released_at or notification.created_at
        return max(self.latest.received_at, planned_at)


def late(delay: timedelta) -> str | None:
    """Return a delay as text, or None if it is shorter than LATE."""
    return None if delay < LATE else duration(delay)


def duration(time: timedelta) -> str:
    """Return a duration in its one or two largest units."""
    if time < timedelta(minutes=1):
        return f"{max(int(time.total_seconds()), 1)} s"
    minutes = int(time.total_seconds() // 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [
        f"{days} d" if days else "",
        f"{hours} h" if hours else "",
        f"{minutes} min" if minutes and not days else "",
    ]
    return " ".join(part for part in parts if part)
