"""What is old enough goes, in small batches; never what is open or pending."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, exists, select

from alertgate.model import IncidentStatus, NotificationStatus
from alertgate.store.tables import alerts, attempts, constant, incidents, notifications

ALERTS_AT_A_TIME = 500
INCIDENTS_AT_A_TIME = 50


def forget(connection: Connection, cut_offs: Sequence[datetime]) -> list[int]:
    """Delete a batch of what ended before the cut-off; return how many alerts and incidents. Zero: all is done."""
    return [_forget(connection, before) for before in cut_offs]


def _forget(connection: Connection, before: datetime) -> int:
    alive = exists().where(
        notifications.c.incident_id == incidents.c.id,
        notifications.c.status.in_((NotificationStatus.PENDING, NotificationStatus.SENDING)),
    )
    ended = (
        select(incidents.c.id)
        .where(incidents.c.status == constant(IncidentStatus.RESOLVED), incidents.c.last_alert_at < before, ~alive)
        .order_by(incidents.c.last_alert_at)
        .limit(INCIDENTS_AT_A_TIME)
    )
    ids = connection.execute(ended).scalars().all()
    # An incident of a long storm has more alerts than fit into one batch: it goes with the last of them.
    old = select(alerts.c.id).where(alerts.c.incident_id.in_(ids)).limit(ALERTS_AT_A_TIME)
    gone = connection.execute(delete(alerts).where(alerts.c.id.in_(connection.execute(old).scalars().all()))).rowcount
    gone += _orphans(connection, before)
    if gone or not ids:
        return gone
    told = connection.execute(select(notifications.c.id).where(notifications.c.incident_id.in_(ids))).scalars().all()
    connection.execute(delete(attempts).where(attempts.c.notification_id.in_(told)))
    connection.execute(delete(notifications).where(notifications.c.incident_id.in_(ids)))
    return connection.execute(delete(incidents).where(incidents.c.id.in_(ids))).rowcount


def _orphans(connection: Connection, before: datetime) -> int:
    """Alerts without an incident: they said that something was resolved which wasn't open."""
    old = (
        select(alerts.c.id).where(alerts.c.incident_id.is_(None), alerts.c.received_at < before).limit(ALERTS_AT_A_TIME)
    )
    return connection.execute(delete(alerts).where(alerts.c.id.in_(connection.execute(old).scalars().all()))).rowcount
