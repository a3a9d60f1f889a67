"""The trail of an alert or an incident: everything that happened to it."""

from dataclasses import dataclass

from alertgate.model import Alert, Attempt, Incident, Notification
from alertgate.store import Connection, alerts, attempts, escalations, incidents, notifications
from alertgate.store.escalations import StoredRun

LATEST = 20
"""How many of its alerts an incident's trail has."""


@dataclass(frozen=True, slots=True)
class Told:
    """A notification with its attempts, oldest first."""

    notification: Notification
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Trail:
    """An alert, its incident, and the incident's notifications."""

    alert: Alert
    incident: Incident | None
    told: tuple[Told, ...]
    escalation: StoredRun | None = None
    """How far the incident's escalation is; None if all people were told at once, and that is all."""


@dataclass(frozen=True, slots=True)
class IncidentTrail:
    """An incident, its latest alerts, newest first, and its notifications."""

    incident: Incident
    latest: tuple[Alert, ...]
    told: tuple[Told, ...]
    escalation: StoredRun | None = None


def trail(connection: Connection, alert_id: str) -> Trail | None:
    """Return an alert's trail, or None."""
    alert = alerts.get(connection, alert_id)
    if alert is None:
        return None
    if alert.incident_id is None:
        return Trail(alert, None, ())
    planned = notifications.of_incident(connection, alert.incident_id)
    incident, run = incidents.get(connection, alert.incident_id), escalations.get(connection, alert.incident_id)
    return Trail(alert, incident, told(connection, planned), run)


def incident_trail(connection: Connection, incident_id: str) -> IncidentTrail | None:
    """Return an incident's trail, or None."""
    incident = incidents.get(connection, incident_id)
    if incident is None:
        return None
    latest = alerts.latest(connection, incident_id, LATEST)
    planned = notifications.of_incident(connection, incident_id)
    run = escalations.get(connection, incident_id)
    return IncidentTrail(incident, tuple(latest), told(connection, planned), run)


def told(connection: Connection, planned: list[Notification]) -> tuple[Told, ...]:
    """Return notifications with their attempts, in the same order."""
    by_notification: dict[str, list[Attempt]] = {notification.id: [] for notification in planned}
    for attempt in attempts.of_notifications(connection, list(by_notification)):
        by_notification[attempt.notification_id].append(attempt)
    return tuple(Told(notification, tuple(by_notification[notification.id])) for notification in planned)
