"""Queries on messages that were sent, or may have been, and whose service is asked, or told, about them again."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, exists, func, or_, select, update

from alertgate.channel_kinds import RINGING
from alertgate.model import ABOUT_OTHERS, ChannelName, IncidentStatus, Notification, NotificationStatus, Resolution
from alertgate.proof import Proof
from alertgate.states import states_before
from alertgate.store import failures, leases, newer
from alertgate.store.notifications import COLUMNS, IS_SENT, notification_of
from alertgate.store.rows import portions, update_rows
from alertgate.store.tables import constant, incidents, notifications

_n = notifications.c
LEASE = timedelta(seconds=60)
"""How long a process may take; if it ends meanwhile, another one asks after that."""
EDITED = frozenset({ChannelName.TELEGRAM})
"""The channels whose messages are edited to show who has their incident, and again once nobody has it."""
_FIELDS = (
    "status",
    "reason",
    "proof",
    "proved_at",
    "proved_by",
    "follow_at",
    "follow_owner",
    "missed_since",
    "finished_at",
    "due_at",
    "receipt",
)
_other, _of_other = notifications.alias(), incidents.alias()
_IS_ENDED = and_(
    incidents.c.status != constant(IncidentStatus.OPEN),
    # If no more alerts came, nobody has said that it is over: who hasn't heard of it yet must be able to.
    or_(func.coalesce(incidents.c.resolution, "") != constant(Resolution.SILENCE), newer.IS_REPLACED),
    ~exists().where(  # a digest rings for all that it tells
        _other.c.channel == _n.channel,
        _other.c.receipt == _n.receipt,
        _other.c.address == _n.address,
        _of_other.c.id == _other.c.incident_id,
        _of_other.c.status == constant(IncidentStatus.OPEN),
    ),
)
_NOW = bindparam("now", type_=_n.follow_at.type)
_LATEST = bindparam("latest", type_=_n.claimed_at.type)
"""What was claimed after that was claimed before the clock was set back."""
_IS_REPLACED = and_(  # not before the later one rings: it may fail
    _n.channel.in_([constant(each) for each in sorted(RINGING)]),
    exists().where(
        _other.c.incident_id == _n.incident_id,
        _other.c.channel == _n.channel,
        _other.c.address == _n.address,
        _other.c.status == constant(NotificationStatus.SENT),
        _other.c.receipt.is_not(None),
        _other.c.follow_at.is_not(None),  # it wasn't replaced itself, before the clock was set back
        _other.c.claimed_at <= _LATEST,
        or_(_other.c.claimed_at > _n.claimed_at, _n.claimed_at > _LATEST),
    ),
)
_IS_OPEN_AGAIN = and_(  # what was on its way when somebody took it says so by now, too
    incidents.c.status == constant(IncidentStatus.OPEN), incidents.c.acknowledged_at >= _n.claimed_at
)
_IS_IN_A_DIGEST = exists().where(
    _other.c.channel == _n.channel, _other.c.receipt == _n.receipt, _other.c.address == _n.address, _other.c.id != _n.id
)
_DUE = (
    select(
        *COLUMNS,
        _IS_ENDED.label("is_ended"),
        _IS_REPLACED.label("is_replaced"),
        _IS_OPEN_AGAIN.label("is_open_again"),
    )
    .join_from(notifications, incidents)
    .where(
        _n.follow_at.is_not(None),
        _n.status != constant(NotificationStatus.SENDING),  # that attempt says how it goes on
        _n.channel.in_(bindparam("channels", expanding=True)),
        # What its service is to hear of is told at once, unless a process is at it.
        or_(
            _n.follow_at <= _NOW,
            and_(
                or_(_IS_ENDED, _IS_REPLACED),
                _n.follow_owner.is_(None),
                _n.channel.in_(bindparam("settling", expanding=True)),
            ),
        ),
    )
    .order_by(_n.follow_at)
    .limit(bindparam("most"))
)
_SHOW_OPEN_AGAIN = (
    update(notifications)
    .where(
        _n.incident_id.in_(bindparam("ids", expanding=True)),
        # Nothing that the index on receipts, or on what was sent, covers: all messages would be read.
        _n.told == constant(IncidentStatus.OPEN),
        _n.channel.in_([constant(each) for each in sorted(EDITED)]),
        _n.kind.not_in([constant(each) for each in sorted(ABOUT_OTHERS)]),
        func.coalesce(_n.receipt, "") != "",
        ~_IS_IN_A_DIGEST,
    )
    .values(follow_at=_NOW, follow_owner=None)
)
_SENT = select(*COLUMNS).where(_n.id.in_(bindparam("ids", expanding=True)), IS_SENT)


@dataclass(frozen=True, slots=True)
class Due:
    """A notification to ask about, and whether nobody needs to answer its message any more."""

    notification: Notification
    is_ended: bool
    """Whether somebody has each incident of the message, or it is over, or its contact hears of a newer one instead."""
    is_replaced: bool = False
    """Whether a later message rings of the same incident and for the same contact."""
    is_open_again: bool = False
    """Whether somebody took its incident after its words were chosen, and nobody has it any more."""


def due(
    connection: Connection,
    now: datetime,
    most: int,
    channels: Collection[ChannelName],
    settling: Collection[ChannelName],
) -> list[Due]:
    """Return what is to be asked or told about now on these channels, the longest due first.

    The services of the channels in `settling` are told at once when nobody needs to answer any more. What was sent on
    other channels waits for a process that has them.
    """
    bound = {
        "now": now,
        "latest": now + leases.CLOCK_SKEW,
        "most": most,
        "channels": list(channels),
        "settling": list(settling),
    }
    rows: Iterable[Any] = connection.execute(_DUE, bound)
    return [
        Due(Notification(*values), bool(is_ended), bool(is_replaced), bool(again))
        for *values, is_ended, is_replaced, again in rows
    ]


def take(connection: Connection, found: Collection[Due], owner: str, now: datetime) -> list[Due]:
    """Keep these for one process for a while; return those that no other one has taken meanwhile."""
    taken = []
    for each in found:
        one = each.notification
        same = (_n.id == one.id, _n.follow_at == one.follow_at, _n.follow_owner.is_not_distinct_from(one.follow_owner))
        kept = update(notifications).where(*same).values(follow_at=now + LEASE, follow_owner=owner)
        if connection.execute(kept).rowcount:
            taken.append(replace(each, notification=replace(one, follow_at=now + LEASE, follow_owner=owner)))
    return taken


def show_open_again(connection: Connection, incident_ids: Collection[str], now: datetime) -> None:
    """Have the messages of EDITED channels that may say who has these incidents say that nobody has them.

    Also those that a process is just about to edit, which then doesn't end that they are followed. Neither digests, nor
    what tells of a silence, ever say who has one.
    """
    for some in portions(incident_ids):
        connection.execute(_SHOW_OPEN_AGAIN, {"ids": some, "now": now})


def again(connection: Connection, taken: Notification, at: datetime | None, *, not_before: bool = False) -> None:
    """Ask again at a time, or never; only if no other process has taken it meanwhile.

    With `not_before` its service isn't told earlier either that nobody needs to answer.
    """
    ours = (_n.id == taken.id, _n.follow_owner.is_not_distinct_from(taken.follow_owner))
    owner = taken.follow_owner if not_before else None
    connection.execute(update(notifications).where(*ours).values(follow_at=at, follow_owner=owner))


def by_receipt(connection: Connection, channel: ChannelName, receipt: str) -> list[Notification]:
    """Return the notifications of the message that a service calls so, of a digest all of them."""
    query = select(*COLUMNS).where(_n.channel == channel, _n.receipt == receipt).order_by(_n.id)
    return [notification_of(row) for row in connection.execute(query)]


def newest_to(connection: Connection, channel: ChannelName, address: str, since: datetime) -> list[Notification]:
    """Return what was sent to an address on a channel since then, the newest first."""
    query = (
        select(*COLUMNS)
        .where(_n.channel == channel, _n.address == address, IS_SENT, _n.finished_at >= since)
        .order_by(_n.finished_at.desc())
        .limit(100)
    )
    return [notification_of(row) for row in connection.execute(query)]


def newest_in(connection: Connection, channel: ChannelName, prefix: str, since: datetime) -> list[Notification]:
    """Return what was sent since then under receipts that begin so, such as those of one chat, the newest first."""
    receipts = _n.receipt.startswith(prefix, autoescape=True)
    query = (
        select(*COLUMNS)
        .where(_n.channel == channel, receipts, IS_SENT, _n.finished_at >= since)
        .order_by(_n.finished_at.desc())
        .limit(100)
    )
    return [notification_of(row) for row in connection.execute(query)]


def prove(
    connection: Connection, told: Collection[Notification], proof: Proof, at: datetime, by: str | None
) -> list[Notification]:
    """Raise the proof of these notifications, never lower it; return those that it raised.

    What was sent anew since they were read is another message, of which this proves nothing.
    """
    receipts = {each.id: each.receipt for each in told}
    rows = [row for some in portions(receipts) for row in connection.execute(_SENT, {"ids": some})]
    raised = [
        replace(each, proof=proof, proved_at=at, proved_by=by)
        for each in map(notification_of, rows)
        if each.receipt == receipts[each.id] and (each.proof is None or each.proof.rank < proof.rank)
    ]
    update_rows(connection, notifications, raised, ("proof", "proved_at", "proved_by"))
    return raised


def not_arrived(connection: Connection, before: Notification, after: Notification, now: datetime) -> None:
    """Store what became of a notification that was sent, and didn't arrive after all."""
    if before.status not in states_before(after.status):
        raise ValueError(f"a notification can't go from {before.status} to {after.status}")
    if after.status is NotificationStatus.PENDING:
        leases.send_again(connection, after, now)
        return
    update_rows(connection, notifications, [after], _FIELDS)
    if after.status is NotificationStatus.FAILED:
        failures.supersede(connection, [after])
