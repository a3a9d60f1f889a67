"""The row that is written to check whether the store accepts writes."""

from datetime import datetime

from sqlalchemy import Connection, insert, update

from alertgate.store.tables import write_probe


def probe(connection: Connection, at: datetime) -> None:
    """Write the time into the probe's row."""
    if connection.execute(update(write_probe).where(write_probe.c.id == 1).values(at=at)).rowcount == 0:
        connection.execute(insert(write_probe).values(id=1, at=at))
