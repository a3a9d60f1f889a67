"""Which process polls a service for what people answer, and how far it has come.

A service hands its news to one listener at a time. Who listens keeps a lease; what was heard is noted in the
transaction that acts on it, so that after a crash nothing is lost, and nothing done twice.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from alertgate.store.tables import polls

LEASE = timedelta(seconds=60)
"""How long a process may be silent before another one takes over."""
CLOCK_SKEW = timedelta(minutes=1)
"""How far another process's clock may be ahead of ours."""


@dataclass(frozen=True, slots=True)
class Poll:
    """The lease on one poll."""

    name: str
    owner: str | None = None
    until: datetime | None = None
    position: str | None = None
    """Up to where all was done, in the service's terms; None if the service knows that itself."""

    def is_free(self, owner: str, now: datetime) -> bool:
        """Tell whether a process may take it. A lease from the future was taken by a clock that was wrong."""
        if self.owner in (None, owner) or self.until is None:
            return True
        return not now < self.until <= now + LEASE + CLOCK_SKEW

    def is_fresh(self, owner: str, now: datetime) -> bool:
        """Tell whether a process has it for at least half of LEASE from now on."""
        return self.owner == owner and self.until is not None and now + LEASE / 2 <= self.until <= now + LEASE


def get(connection: Connection, name: str) -> Poll:
    """Return the lease on a poll."""
    row = connection.execute(select(polls).where(polls.c.name == name)).one_or_none()
    return Poll(*row) if row else Poll(name)


def take(connection: Connection, name: str, owner: str, now: datetime) -> Poll | None:
    """Take a poll for LEASE, or keep it for as long again; None if another process has it."""
    found = get(connection, name)
    if not found.is_free(owner, now):
        return None
    values = {"owner": owner, "until": now + LEASE}
    if connection.execute(update(polls).where(polls.c.name == name).values(**values)).rowcount == 0:
        connection.execute(insert(polls).values(name=name, **values))
    return Poll(name, owner, now + LEASE, found.position)


def advance(connection: Connection, name: str, owner: str, position: str | None) -> bool:
    """Note up to where all was done; False, and nothing is noted, if another process has the poll by now."""
    ours = update(polls).where(polls.c.name == name, polls.c.owner == owner).values(position=position)
    return connection.execute(ours).rowcount == 1


def release(connection: Connection, name: str, owner: str) -> None:
    """Let another process take a poll at once."""
    ours = update(polls).where(polls.c.name == name, polls.c.owner == owner)
    connection.execute(ours.values(owner=None, until=None))
