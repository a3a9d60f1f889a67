"""Queries on attempts."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, func, select

from alertgate.model import Attempt
from alertgate.store.rows import insert_new_rows, portions
from alertgate.store.tables import attempts


def add(connection: Connection, new: Sequence[Attempt]) -> set[str]:
    """Store attempts; return the ids of those that were already stored, because the reply to their commit was lost."""
    return {attempt.id for attempt in new} - set(insert_new_rows(connection, attempts, new))


def of_notifications(connection: Connection, notification_ids: Collection[str]) -> list[Attempt]:
    """Return the attempts of these notifications, oldest first."""
    found: list[Attempt] = []
    for some in portions(notification_ids):
        query = select(attempts).where(attempts.c.notification_id.in_(some))
        found += (Attempt(**row._asdict()) for row in connection.execute(query))
    return sorted(found, key=lambda attempt: attempt.id)


def newest_of(connection: Connection, notification_ids: Collection[str], most: int) -> list[Attempt]:
    """Return the newest attempts of these notifications, which are few, oldest first, at most so many."""
    query = select(attempts).where(attempts.c.notification_id.in_(list(notification_ids)))
    rows = connection.execute(query.order_by(attempts.c.id.desc()).limit(most))
    return [Attempt(**row._asdict()) for row in rows][::-1]


def number_taken(connection: Connection, notification_id: str) -> int:
    """Return how often a service took a notification, whether that arrived or not."""
    taken = select(func.count()).where(attempts.c.notification_id == notification_id, attempts.c.outcome == "sent")
    return int(connection.execute(taken).scalar_one())


def last(connection: Connection, notification_ids: Collection[str]) -> dict[str, Attempt]:
    """Return the last attempt of each of these notifications that was attempted, by the notification's id."""
    found: dict[str, Attempt] = {}
    for some in portions(notification_ids):
        of_each = select(func.max(attempts.c.id)).where(attempts.c.notification_id.in_(some))
        query = select(attempts).where(attempts.c.id.in_(of_each.group_by(attempts.c.notification_id)))
        found |= {row.notification_id: Attempt(**row._asdict()) for row in connection.execute(query)}
    return found
