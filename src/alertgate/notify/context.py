"""The facts of one message, and how its times are said. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from alertgate.model import Alert, AlertStatus, Incident, IncidentStatus, Notification
from alertgate.notify.render.text import one_line

LATE = timedelta(minutes=1)
"""From this delay on, a message says that it is late."""
SHOWN_ALERTS = 11
"""The latest one, and ten before it."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a message is about, as one transaction saw it. `alerts` are the incident's newest, newest first."""

    notification: Notification
    incident: Incident
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class MessageContext:
    """The facts of one message. `alerts` are the incident's newest, newest first, at least one."""

    notification: Notification
    incident: Incident
    alerts: tuple[Alert, ...]
    device_name: str | None
    zone: ZoneInfo
    now: datetime
    message_domain: str

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
        """The word that a message begins with: the severity, or that it is over."""
        return "RESOLVED" if self.resolved else self.incident.severity.upper()

    @property
    def where(self) -> str:
        """The best known name of the place."""
        return one_line(self.device_name or self.incident.device or self.incident.source, 60)

    @property
    def event(self) -> str:
        """What happened, as the device calls it."""
        event = one_line(self.incident.event, 80)
        return f"unreadable alert {event}" if self.unreadable else event

    @property
    def wanted_at(self) -> datetime:
        """When the message should have gone out: an update that waited for the group interval isn't late."""
        tried = self.notification.attempts > 0  # from then on `due_at` is the time of a retry
        return self.latest.received_at if tried else self.notification.due_at

    def time(self, time: datetime) -> str:
        """Say a time in full."""
        return f"{time.astimezone(self.zone):%Y-%m-%d %H:%M:%S %Z}"

    def clock(self, time: datetime) -> str:
        """Say a time to the second, with its date where that isn't today's."""
        return f"{time.astimezone(self.zone):{'%H:%M:%S' if self.is_today(time) else '%Y-%m-%d %H:%M:%S'}}"

    def minute(self, time: datetime) -> str:
        """Say a time as within a sentence."""
        return f"{time.astimezone(self.zone):{'%H:%M' if self.is_today(time) else '%Y-%m-%d %H:%M'}}"

    def is_today(self, time: datetime) -> bool:
        """Tell whether a time is of the day on which the message is sent, in the zone that is shown."""
        return time.astimezone(self.zone).date() == self.now.astimezone(self.zone).date()


def happened(alert: Alert) -> datetime:
    """Return when an alert happened, as far as that is known."""
    return alert.published_at or alert.received_at


def late(delay: timedelta) -> str | None:
    """Say how long a delay is, or None when it is too short to matter."""
    return None if delay < LATE else duration(delay)


def duration(time: timedelta) -> str:
    """Say a time in the one or two units that matter."""
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
