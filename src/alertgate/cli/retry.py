"""Retry failed notifications. The service that shares the database sends them."""

from collections.abc import Iterator, Sequence

from alertgate.clock import Clock
from alertgate.notify.replay import Replay, Replayed, replay
from alertgate.store import notifications
from alertgate.store.engine import Store


def failed(store: Store) -> list[str]:
    """Return the ids of all failed notifications, newest first: of several that report the same, the newest is sent."""
    return store.read_now(notifications.failed)


def retry(store: Store, ids: Sequence[str], clock: Clock) -> Iterator[Replayed]:
    """Retry notifications, each in a short transaction of its own, so as not to block a running service."""
    for notification_id in ids:
        with store.transaction() as connection:
            done = replay(connection, Replay(notification_id, clock.now()))
        yield done
