"""Delete old alerts and incidents in small batches, but nothing that is unresolved, not sent yet, or outstanding."""

from datetime import datetime

from sqlalchemy import Connection, delete, exists, select

from alertgate.model import NotificationStatus
from alertgate.store import devices, silences
from alertgate.store.notifications import IS_OUTSTANDING
from alertgate.store.tables import alerts, attempts, escalations, incidents, notifications

ALERTS_AT_A_TIME = 500
INCIDENTS_AT_A_TIME = 50


def delete_old(connection: Connection, before: datetime) -> int:
    """Delete a batch of what ended before then; return how many rows, 0 when nothing is left.

    An incident with an outstanding failure stays until somebody has dealt with it, or nobody would ever hear of it.
    """
    not_sent_yet = exists().where(
        notifications.c.incident_id == incidents.c.id,
        notifications.c.status.in_((NotificationStatus.PENDING, NotificationStatus.SENDING)),
    )
    outstanding = exists().where(notifications.c.incident_id == incidents.c.id, IS_OUTSTANDING)
    ended = (
        select(incidents.c.id)
        .where(incidents.c.resolved_at < before, ~not_sent_yet, ~outstanding)  # NULL while unresolved
        .order_by(incidents.c.resolved_at)
        .limit(INCIDENTS_AT_A_TIME)
    )
    ids = connection.execute(ended).scalars().all()
    # An incident may have more alerts than fit into one batch: it is deleted with the last of them.
    old = select(alerts.c.id).where(alerts.c.incident_id.in_(ids)).limit(ALERTS_AT_A_TIME)
    deleted = connection.execute(
        delete(alerts).where(alerts.c.id.in_(connection.execute(old).scalars().all()))
    ).rowcount
    deleted += _without_incident(connection, before)
    deleted += silences.delete_old(connection, before) + devices.delete_old(connection, before)
    if deleted or not ids:
        return deleted
    told = select(notifications.c.id).where(notifications.c.incident_id.in_(ids))
    connection.execute(delete(attempts).where(attempts.c.notification_id.in_(told)))
    connection.execute(delete(notifications).where(notifications.c.incident_id.in_(ids)))
    connection.execute(delete(escalations).where(escalations.c.incident_id.in_(ids)))
    return connection.execute(delete(incidents).where(incidents.c.id.in_(ids))).rowcount


def _without_incident(connection: Connection, before: datetime) -> int:
    """Delete alerts without an incident: resolutions that arrived when none was open."""
    old = (
        select(alerts.c.id).where(alerts.c.incident_id.is_(None), alerts.c.received_at < before).limit(ALERTS_AT_A_TIME)
    )
    return connection.execute(delete(alerts).where(alerts.c.id.in_(connection.execute(old).scalars().all()))).rowcount
