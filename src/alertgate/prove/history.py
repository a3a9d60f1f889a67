"""One alert's trail: received, grouped, planned, every attempt."""

from dataclasses import dataclass

from alertgate.model import Alert, Attempt, Incident, Notification
from alertgate.store import Connection, alerts, incidents, notifications


@dataclass(frozen=True, slots=True)
class Told:
    """A notification with its attempts, oldest first."""

    notification: Notification
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Trail:
    """An alert, its incident, and everything that was said of that."""

    alert: Alert
    incident: Incident | None
    told: tuple[Told, ...]


def trail(connection: Connection, alert_id: str) -> Trail | None:
    """Return an alert's trail, or None."""
    alert = alerts.get(connection, alert_id)
    if alert is None:
        return None
    if alert.incident_id is None:
        return Trail(alert, None, ())
    planned = notifications.of_incident(connection, alert.incident_id)
    tries: dict[str, list[Attempt]] = {notification.id: [] for notification in planned}
    for attempt in notifications.attempts_of(connection, list(tries)):
        tries[attempt.notification_id].append(attempt)
    told = tuple(Told(notification, tuple(tries[notification.id])) for notification in planned)
    return Trail(alert, incidents.get(connection, alert.incident_id), told)
