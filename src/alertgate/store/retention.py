"""Old alerts and incidents are deleted in small batches; never what is open or pending."""

from datetime import datetime

from sqlalchemy import Connection, delete, exists, select

from alertgate.model import NotificationStatus
from alertgate.store.tables import alerts, attempts, incidents, notifications

ALERTS_AT_A_TIME = 500
INCIDENTS_AT_A_TIME = 50


def delete_old(connection: Connection, before: datetime) -> int:
    """Delete a batch of what ended before then; return how many alerts and incidents: zero when all is done."""
    alive = exists().where(
        notifications.c.incident_id == incidents.c.id,
        notifications.c.status.in_((NotificationStatus.PENDING, NotificationStatus.SENDING)),
    )
    ended = (
        select(incidents.c.id)
        .where(incidents.c.resolved_at < before, ~alive)  # an unresolved one has no such time
        .order_by(incidents.c.resolved_at)
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
    """Delete alerts without an incident: they said that something was over which wasn't open."""
    old = (
        select(alerts.c.id).where(alerts.c.incident_id.is_(None), alerts.c.received_at < before).limit(ALERTS_AT_A_TIME)
    )
    return connection.execute(delete(alerts).where(alerts.c.id.in_(connection.execute(old).scalars().all()))).rowcount
