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
class Most:
    """How much of what was sent about an incident is read, the newest."""

    notifications: int
    attempts: int


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
    left_out: int = 0
    """How many older notifications of the incident aren't in `told`."""


@dataclass(frozen=True, slots=True)
class IncidentTrail:
    """An incident, its latest alerts, newest first, and its notifications."""

    incident: Incident
    latest: tuple[Alert, ...]
    told: tuple[Told, ...]
    escalation: StoredRun | None = None
    silences: tuple[Silence, ...] = ()
    left_out: int = 0
    """How many older notifications aren't in `told`."""


DeviceName = Callable[[str | None], str | None]
"""Returns the name of a device's id, if it has one: silences match that too."""


def trail(
    connection: Connection, alert_id: str, device_name: DeviceName = lambda _: None, most: Most | None = None
) -> Trail | None:
    """Return an alert's trail, or None."""
    alert = alerts.get(connection, alert_id)
    if alert is None:
        return None
    incident = incidents.get(connection, alert.incident_id) if alert.incident_id else None
    if incident is None:
        return Trail(alert, None, ())
    sent, left_out = _sent(connection, incident.id, most)
    run, silenced = escalations.get(connection, incident.id), _silenced(connection, incident, device_name)
    return Trail(alert, incident, sent, run, silenced, left_out)


def incident_trail(
    connection: Connection, incident_id: str, device_name: DeviceName = lambda _: None, most: Most | None = None
) -> IncidentTrail | None:
    """Return an incident's trail, or None."""
    incident = incidents.get(connection, incident_id)
    if incident is None:
        return None
    latest = alerts.latest(connection, incident_id, LATEST)
    sent, left_out = _sent(connection, incident_id, most)
    run, silenced = escalations.get(connection, incident_id), _silenced(connection, incident, device_name)
    return IncidentTrail(incident, tuple(latest), sent, run, silenced, left_out)


def _sent(connection: Connection, incident_id: str, most: Most | None) -> tuple[tuple[Told, ...], int]:
    """Return an incident's notifications, and how many older ones are left out."""
    if most is None:
        return told(connection, notifications.of_incident(connection, incident_id)), 0
    newest = notifications.newest_of(connection, incident_id, most.notifications)
    left_out = notifications.number_of(connection, incident_id) - len(newest)
    made = attempts.newest_of(connection, [each.id for each in newest], most.attempts)
    return _with_attempts(newest, made), left_out


def _silenced(connection: Connection, incident: Incident, device_name: DeviceName) -> tuple[Silence, ...]:
    """Return the silences that match an incident as it is now, and lasted while it wasn't over, oldest first."""
    subject = Subject.of(incident, device_name(incident.device))
    since = [each for each in silences.over_after(connection, incident.opened_at) if each.ever_lasts]
    end = incident.resolved_at
    return tuple(each for each in since if matches(each, subject) and (end is None or each.begins_at <= end))


def told(connection: Connection, planned: list[Notification]) -> tuple[Told, ...]:
    """Return notifications with their attempts, in the same order."""
    return _with_attempts(planned, attempts.of_notifications(connection, [each.id for each in planned]))


def _with_attempts(planned: list[Notification], made: list[Attempt]) -> tuple[Told, ...]:
    by_notification: dict[str, list[Attempt]] = {notification.id: [] for notification in planned}
    for attempt in made:
        by_notification[attempt.notification_id].append(attempt)
    return tuple(Told(notification, tuple(by_notification[notification.id])) for notification in planned)
