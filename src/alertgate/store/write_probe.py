"""The rows that are written to check whether the store accepts writes."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, literal, select, update

from alertgate.store.tables import write_probe

BYTES_OF_A_ROW = 12
"""The least that a database writes for one row."""


def probe(connection: Connection, at: datetime) -> None:
    """Write the time into the probe's row."""
    if connection.execute(update(write_probe).where(write_probe.c.id == 1).values(at=at)).rowcount == 0:
        connection.execute(insert(write_probe).values(id=1, at=at))


def probe_room(connection: Connection, at: datetime, size: int) -> None:
    """Write at least `size` bytes into the probe's table; `probe_done` takes them away again, in another transaction.

    Within one transaction a database needn't write what is gone at its end.
    """
    probe_done(connection)
    number = select(literal(2).label("id")).cte("number", recursive=True)
    numbers = number.union_all(select(number.c.id + 1).where(number.c.id <= size // BYTES_OF_A_ROW + 1))
    connection.execute(
        insert(write_probe).from_select(["id", "at"], select(numbers.c.id, literal(at, write_probe.c.at.type)))
    )


def probe_done(connection: Connection) -> None:
    """Delete what `probe_room` has written."""
    connection.execute(delete(write_probe).where(write_probe.c.id > 1))
