"""What is kept in memory about a transaction, and must not be believed if that isn't committed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

_KEY = "alertgate_undo"


def on_failure(connection: Connection, act: Callable[[], None]) -> None:
    """Have `act` called, in the writer's thread, if the open transaction fails."""
    connection.info.setdefault(_KEY, []).append(act)


@contextmanager
def undone(connection: Connection) -> Iterator[None]:
    """Undo what is in memory if the block raises; the last first."""
    acts: list[Callable[[], None]] = []
    connection.info[_KEY] = acts
    try:
        yield
    except BaseException:
        for act in reversed(acts):
            act()
        raise
