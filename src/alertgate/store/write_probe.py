"""The one row that is written to learn whether the store can write."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, update

from alertgate.store.tables import pulse


def beat(connection: Connection, times: Sequence[datetime]) -> list[None]:
    """Write the time; a kind of work for the writer."""
    at = max(times)
    if connection.execute(update(pulse).where(pulse.c.id == 1).values(at=at)).rowcount == 0:
        connection.execute(insert(pulse).values(id=1, at=at))
    return [None] * len(times)
