"""Queries on what a message's link leads to: its notifications, and who else was told about the same."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, select, update

from alertgate.model import ChannelName, Notification, NotificationStatus
from alertgate.proof import Proof
from alertgate.store.notifications import COLUMNS, notification_of
from alertgate.store.rows import portions
from alertgate.store.tables import notifications

_n = notifications.c
_FIND = select(*COLUMNS).where(_n.link_hash == bindparam("link_hash"))
FURTHEST = func.max(case({proof: proof.rank for proof in Proof}, value=_n.proof))
"""The rank of the highest proof."""
_TOLD = (
    select(
        *(_n.channel, _n.address, _n.status),
        *(func.max(_n.finished_at), func.min(_n.due_at), func.max(_n.person), FURTHEST),
    )
    .where(_n.incident_id.in_(bindparam("ids", expanding=True)))
    .group_by(_n.channel, _n.address, _n.status)
    .order_by(_n.channel, _n.address)
)


@dataclass(frozen=True, slots=True)
class ToldContact:
    """How far what one contact is told about some incidents has got: one of these for each status."""

    channel: ChannelName
    address: str
    status: NotificationStatus
    finished_at: datetime | None
    """When the last of them was sent, failed or cancelled."""
    due_at: datetime
    """When the first of them is or was due."""
    person: str | None
    """Whom it reaches, by the policy's name; of a recipient of the settings, the address."""
    proof: Proof | None = None
    """How far it is proved that any of them arrived."""


def keep_shown(connection: Connection, marks: Mapping[str, str]) -> None:
    """Keep the mark of what each of these messages shows, by the id of its notification."""
    if marks:
        by_id = case(dict(marks), value=_n.id)
        connection.execute(update(notifications).where(_n.id.in_(list(marks))).values(shown=by_id))


def keep(connection: Connection, hashes: Mapping[str, str]) -> None:
    """Keep by which hash each of these notifications, by id, is found."""
    if hashes:
        by_id = case(dict(hashes), value=_n.id)
        connection.execute(update(notifications).where(_n.id.in_(list(hashes))).values(link_hash=by_id))


def find(connection: Connection, link_hash: str) -> Notification | None:
    """Return the notification whose link has this hash, or None."""
    row = connection.execute(_FIND, {"link_hash": link_hash}).first()
    return notification_of(row) if row else None


def carried_with(connection: Connection, found: Notification) -> list[Notification]:
    """Return all notifications of the message that carries one: the members of its digest, or that one alone."""
    if not found.digest_id:
        return [found]
    # All members have one lease; the first three are an index.
    same_lease = (_n.channel == found.channel, _n.address == found.address, _n.claimed_at == found.claimed_at)
    query = select(*COLUMNS).where(*same_lease, _n.digest_id == found.digest_id).order_by(_n.id)
    return [notification_of(row) for row in connection.execute(query)]


def told(connection: Connection, incident_ids: Collection[str]) -> list[ToldContact]:
    """Return how far each contact has been told about any of these incidents."""
    rows = (row for some in portions(incident_ids) for row in connection.execute(_TOLD, {"ids": some}))
    return [_contact(row) for row in rows]


def _contact(row: Any) -> ToldContact:
    channel, address, status, finished_at, due_at, person, rank = row
    proof = None if rank is None else list(Proof)[rank]
    return ToldContact(channel, address, status, finished_at, due_at, person, proof)
