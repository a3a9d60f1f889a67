"""Notifications that failed are sent after all, by the service that shares the database."""

from collections.abc import Iterator, Sequence

from alertgate.clock import Clock
from alertgate.notify.replay import Replay, Replayed, replay
from alertgate.store import notifications
from alertgate.store.engine import Store


def failed(store: Store) -> list[str]:
    """Return the ids of all that failed, newest first: of several to one address, the newest is to say it."""
    return store.read_now(notifications.failed)


def retry(store: Store, ids: Sequence[str], clock: Clock) -> Iterator[Replayed]:
    """Start notifications afresh, each in a short transaction of its own, so that a service beside it goes on."""
    for notification_id in ids:
        with store.transaction() as connection:
            done = replay(connection, Replay(notification_id, clock.now()))
        yield done
