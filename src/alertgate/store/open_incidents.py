"""Queries on what is going on: the incidents that aren't over, the worst first, and what there is to say of each."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from alertgate.model import ChannelName, Hold, IncidentStatus, Kind, NotificationStatus, Severity, Source
from alertgate.proof import Proof
from alertgate.store.links import FURTHEST
from alertgate.store.rows import portions
from alertgate.store.tables import constant, incidents, notifications

_i, _n = incidents.c, notifications.c


@dataclass(frozen=True, slots=True)
class Brief:
    """What of an incident says how bad it is, and whether a silence holds it."""

    id: str
    status: IncidentStatus
    event: str
    severity: Severity
    source: Source
    device: str | None


_IS_OPEN = _i.status != constant(IncidentStatus.RESOLVED)
_WORST = (
    select(*(_i[field.name] for field in fields(Brief)))
    .where(_IS_OPEN)
    # Of one severity what nobody has comes first: `open` sorts after `acknowledged`.
    .order_by(_i.severity.desc(), _i.status.desc(), _i.id)
    .limit(bindparam("most"))
)
_NUMBER = select(func.count()).select_from(select(_i.id).where(_IS_OPEN).limit(bindparam("most")).subquery())
_TOLD = (
    select(
        *(_n.incident_id, _n.channel, _n.address, _n.status, func.max(_n.person)),
        *(
            func.max(_n.finished_at),
            func.min(_n.due_at),
            func.max(_n.hold),
            func.max(_n.digest_id),
            func.max(_n.kind),
            FURTHEST,
        ),
    )
    .where(_n.incident_id.in_(bindparam("ids", expanding=True)))
    .group_by(_n.incident_id, _n.channel, _n.address, _n.status)
    .order_by(_n.incident_id, func.min(_n.id))
)


@dataclass(frozen=True, slots=True)
class Telling:
    """How far what one contact is told about one incident has got: one of these for each status."""

    incident_id: str
    channel: ChannelName
    address: str
    status: NotificationStatus
    person: str | None
    """Whom it reaches, by the policy's name; of a recipient of the settings, the address."""
    finished_at: datetime | None
    """When the last of them was sent, failed or cancelled."""
    due_at: datetime
    """When the first of them is or was due."""
    hold: Hold | None
    """What it waits for, if it is pending: at most one is, of each contact and incident."""
    digest_id: str | None
    kind: Kind
    """What it reports, if it is pending."""
    proof: Proof | None = None
    """How far it is proved that any of them arrived."""


def worst(connection: Connection, most: int) -> list[Brief]:
    """Return the incidents that aren't over: the most severe first, of those what nobody has, then the oldest."""
    return [Brief(*row) for row in connection.execute(_WORST, {"most": most})]


def number(connection: Connection, most: int) -> int:
    """Return how many incidents aren't over; `most` are enough."""
    return int(connection.execute(_NUMBER, {"most": most}).scalar_one())


def told(connection: Connection, incident_ids: Collection[str]) -> list[Telling]:
    """Return how far each contact has been told about each of these incidents."""
    rows = (row for some in portions(incident_ids) for row in connection.execute(_TOLD, {"ids": some}))
    return [_telling(row) for row in rows]


def _telling(row: Any) -> Telling:
    *values, rank = row
    return Telling(*[*values, None if rank is None else list(Proof)[rank]])
