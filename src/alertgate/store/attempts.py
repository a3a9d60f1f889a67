"""Queries on attempts."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, func, select

from alertgate.model import Attempt
from alertgate.store.rows import insert_new_rows
from alertgate.store.tables import attempts


def add(connection: Connection, new: Sequence[Attempt]) -> set[str]:
    """Store attempts; return the ids of those that were already stored, because the reply to their commit was lost."""
    return {attempt.id for attempt in new} - set(insert_new_rows(connection, attempts, new))


def of_notifications(connection: Connection, notification_ids: Collection[str]) -> list[Attempt]:
    """Return the attempts of these notifications, oldest first."""
    query = select(attempts).where(attempts.c.notification_id.in_(notification_ids)).order_by(attempts.c.id)
    return [Attempt(**row._asdict()) for row in connection.execute(query)] if notification_ids else []


def last(connection: Connection, notification_ids: Collection[str]) -> dict[str, Attempt]:
    """Return the last attempt of each of these notifications that was attempted, by the notification's id."""
    if not notification_ids:
        return {}
    of_each = select(func.max(attempts.c.id)).where(attempts.c.notification_id.in_(notification_ids))
    query = select(attempts).where(attempts.c.id.in_(of_each.group_by(attempts.c.notification_id)))
    found = (Attempt(**row._asdict()) for row in connection.execute(query))
    return {attempt.notification_id: attempt for attempt in found}
