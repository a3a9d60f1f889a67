"""The trail of an alert or an incident: everything that happened to it."""

from collections.abc import Callable
from dataclasses import dataclass

from alertgate.model import Alert, Attempt, Incident, Notification
from alertgate.policy.matchers import Subject
from alertgate.policy.silences import matches
from alertgate.silence import Silence
from alertgate.store import Connection, alerts, attempts, escalations, incidents, notifications, silences
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
    """An alert, its incident, the incident's notifications, and the silences that held what was to be said of it."""

    alert: Alert
    incident: Incident | None
    told: tuple[Told, ...]
    escalation: StoredRun | None = None
    """How far the incident's escalation is; None if all people were told at once, and that is all."""
    silences: tuple[Silence, ...] = ()


@dataclass(frozen=True, slots=True)
class IncidentTrail:
    """An incident, its latest alerts, newest first, and its notifications."""

    incident: Incident
    latest: tuple[Alert, ...]
    told: tuple[Told, ...]
    escalation: StoredRun | None = None
    silences: tuple[Silence, ...] = ()


DeviceName = Callable[[str | None], str | None]
"""Returns the name of a device's id, if it has one: silences match that too."""


def trail(connection: Connection, alert_id: str, device_name: DeviceName = lambda _: None) -> Trail | None:
    """Return an alert's trail, or None."""
    alert = alerts.get(connection, alert_id)
    if alert is None:
        return None
    if alert.incident_id is None:
        return Trail(alert, None, ())
    planned = notifications.of_incident(connection, alert.incident_id)
    incident, run = incidents.get(connection, alert.incident_id), escalations.get(connection, alert.incident_id)
    silenced = _silenced(connection, incident, device_name) if incident else ()
    return Trail(alert, incident, told(connection, planned), run, silenced)


def incident_trail(
    connection: Connection, incident_id: str, device_name: DeviceName = lambda _: None
) -> IncidentTrail | None:
    """Return an incident's trail, or None."""
    incident = incidents.get(connection, incident_id)
    if incident is None:
        return None
    latest = alerts.latest(connection, incident_id, LATEST)
    planned = notifications.of_incident(connection, incident_id)
    run = escalations.get(connection, incident_id)
    silenced = _silenced(connection, incident, device_name)
    return IncidentTrail(incident, tuple(latest), told(connection, planned), run, silenced)


def _silenced(connection: Connection, incident: Incident, device_name: DeviceName) -> tuple[Silence, ...]:
    """Return the silences that match an incident as it is now, and lasted while it wasn't over, oldest first."""
    subject = Subject.of(incident, device_name(incident.device))
    since = silences.over_after(connection, incident.opened_at)
    end = incident.resolved_at
    return tuple(each for each in since if matches(each, subject) and (end is None or each.begins_at <= end))


def told(connection: Connection, planned: list[Notification]) -> tuple[Told, ...]:
    """Return notifications with their attempts, in the same order."""
    by_notification: dict[str, list[Attempt]] = {notification.id: [] for notification in planned}
    for attempt in attempts.of_notifications(connection, list(by_notification)):
        by_notification[attempt.notification_id].append(attempt)
    return tuple(Told(notification, tuple(by_notification[notification.id])) for notification in planned)
