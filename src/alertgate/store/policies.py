"""The last good policy, which all replicas on one database share."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from alertgate.store.tables import policy


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """A policy's text, with its digest. An empty text is a policy that was forgotten on purpose."""

    text: str
    digest: str
    stored_at: datetime


def get(connection: Connection) -> StoredPolicy | None:
    """Return the stored policy, or None if there never was one."""
    row = connection.execute(select(policy.c.text, policy.c.digest, policy.c.stored_at)).one_or_none()
    return StoredPolicy(row.text, row.digest, row.stored_at) if row else None


def current_digest(connection: Connection) -> str | None:
    """Return the digest of the stored policy, or None if there never was one."""
    return connection.execute(select(policy.c.digest)).scalar_one_or_none()


def save(connection: Connection, new: StoredPolicy) -> None:
    """Store a policy in place of the last one."""
    values = {"text": new.text, "digest": new.digest, "stored_at": new.stored_at}
    if connection.execute(update(policy).where(policy.c.id == 1).values(**values)).rowcount == 0:
        connection.execute(insert(policy).values(id=1, **values))
