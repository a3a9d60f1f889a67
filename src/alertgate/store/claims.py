"""Queries for the decision what to claim: what is due, and what was sent lately."""

from collections.abc import Collection
from dataclasses import fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
    tuple_,
)

from alertgate.contact_state import Due, Recent
from alertgate.model import (
    BEGINNINGS,
    ChannelName,
    IncidentStatus,
    NotificationStatus,
    Severity,
    Source,
)
from alertgate.own_events import ABOUT_DELIVERY, CHANNEL_EVENT
from alertgate.store.notifications import IS_PENDING, IS_RELEASED, IS_SENDING, IS_SENT
from alertgate.store.tables import attempts, constant, incidents, notifications

_n = notifications.c
_MESSAGE = func.coalesce(_n.digest_id, _n.id)
"""The same for all notifications that one message carries."""
_IN_A_DIGEST = _n.digest_id.is_not(None)
_IN_A_FLOOD = and_(_IN_A_DIGEST, _n.released_at.is_(None))
"""Whether many came at once: all members of a digest of what was held were released together, however few they are."""


_BEING_TOLD = (
    select(incidents.c.key, _n.address)
    .join_from(notifications, incidents)
    .where(IS_SENDING, _n.channel == bindparam("channel", type_=_n.channel.type))
)
"""The keys with the addresses to which a message about them is on its way: another one might arrive before it, and then
its older words would be the last."""


_own = incidents.alias("own").c
IS_ABOUT_DELIVERY = and_(
    incidents.c.event.in_([literal_column(f"'{event}'") for event in sorted(ABOUT_DELIVERY)]),
    incidents.c.source == constant(Source.ALERTGATE),
)
"""Whether a notification says that deliveries fail. For a query of notifications with their incidents."""
WAITS_FOR_ITS_CHANNEL = and_(
    IS_ABOUT_DELIVERY,
    exists().where(
        _own.event == CHANNEL_EVENT,
        _own.source == constant(Source.ALERTGATE),
        _own.status != constant(IncidentStatus.RESOLVED),
        _own.device == _n.channel,
    ),
)
"""Whether a notification says that deliveries fail, while it is open that the channel is paused that it goes by itself.

It waits for the end: while the channel is paused it can't arrive, and just afterwards it would no longer be true. For a
query of notifications with their incidents.
"""


IS_TO_ANOTHER = _n.address.not_in(bindparam("without", expanding=True))
"""Whether a notification is to none of these contacts: rows that wait for a long time aren't read again each second."""


@cache
def _due(*, probe: bool, bounded: bool, with_own: bool, some: bool) -> Select[Any]:
    is_due = _n.due_at <= bindparam("now", type_=_n.due_at.type)
    query = (
        select(*(_n[field.name] for field in fields(Due)))
        .join_from(notifications, incidents)
        .where(
            _n.channel == bindparam("channel", type_=_n.channel.type),
            IS_PENDING,
            IS_RELEASED,
            or_(is_due, _n.attempts > 0) if probe else is_due,
            tuple_(incidents.c.key, _n.address).not_in(_BEING_TOLD),
            true() if with_own else ~WAITS_FOR_ITS_CHANNEL,
            IS_TO_ANOTHER if some else true(),
        )
        .order_by(_n.severity.desc(), _n.due_at)
    )
    return query.limit(bindparam("most")) if bounded else query


def due(
    connection: Connection,
    channel: ChannelName,
    now: datetime,
    *,
    probe: bool,
    most: int | None,
    with_own: bool = False,
    without: Collection[str] = (),
) -> list[Due]:
    """Return what is due on a channel, the most severe first, then the oldest.

    What is due to a contact that is just being told about the same thing is left out: it waits for the end of that.
    With `probe`, what waits for a retry counts as due; `with_own`, what WAITS_FOR_ITS_CHANNEL too. What is due to the
    addresses in `without` is left out. `most` limits their number; None is for decisions that need all.
    """
    bound: dict[str, Any] = {"channel": channel, "now": now}
    bound |= {"most": most} if most is not None else {}
    bound |= {"without": sorted(without)} if without else {}
    query = _due(probe=probe, bounded=most is not None, with_own=with_own, some=bool(without))
    return [Due(*row) for row in connection.execute(query, bound)]


def about_delivery(connection: Connection, channel: ChannelName) -> set[str]:
    """Return the ids of the pending notifications on a channel that say that deliveries fail."""
    pending = select(_n.id).join_from(notifications, incidents)
    return set(connection.execute(pending.where(_n.channel == channel, IS_PENDING, IS_ABOUT_DELIVERY)).scalars())


def works_elsewhere(connection: Connection, channel: ChannelName, since: datetime) -> bool:
    """Return whether something was sent on a channel since then: by another process, if it is paused in this one."""
    sent = exists().where(IS_SENT, _n.channel == channel, _n.finished_at > since)
    return bool(connection.execute(select(sent)).scalar())


class Since(NamedTuple):
    """The times from which messages count as recent, and the latest possible one: clocks may have been set back."""

    minute: datetime
    interval: datetime
    day: datetime
    latest: datetime


def _time(name: str) -> Any:
    return bindparam(name, type_=_n.claimed_at.type)


_IN_THE_MINUTE = _n.claimed_at > _time("minute")
_RECENT = (
    select(
        _n.address,
        func.count(case((_IN_THE_MINUTE, _MESSAGE)).distinct()),
        func.count(
            case(
                (
                    and_(
                        _IN_THE_MINUTE,
                        ~_IN_A_DIGEST,
                        _n.severity == Severity.CRITICAL,
                        _n.kind.in_(sorted(BEGINNINGS)),
                    ),
                    literal_column("1"),
                )
            )
        ),
        func.max(case((_IN_A_FLOOD, _n.claimed_at))),
        func.max(case((and_(_n.severity < Severity.CRITICAL, _n.claimed_at > _time("interval")), _n.claimed_at))),
    )
    .where(
        _n.channel == bindparam("channel", type_=_n.channel.type),
        _n.address.in_(bindparam("addresses", expanding=True)),
        _n.claimed_at > _time("day"),
        _n.claimed_at <= _time("latest"),
        or_(_IN_A_DIGEST, _IN_THE_MINUTE, _n.claimed_at > _time("interval")),
        # One that is pending again may have been sent, and will be.
        _n.status.in_([NotificationStatus.SENDING, NotificationStatus.SENT, NotificationStatus.PENDING]),
    )
    .group_by(_n.address)
)


def recent(connection: Connection, channel: ChannelName, addresses: Collection[str], since: Since) -> dict[str, Recent]:
    """Return what went to each of these addresses lately; those to which nothing went are left out."""
    bound = {"channel": channel, "addresses": list(addresses), **since._asdict()}
    return {address: Recent(*rest) for address, *rest in connection.execute(_RECENT, bound)}


_CHANNELS = _n.channel.in_(bindparam("channels", expanding=True, type_=_n.channel.type))
_finished = _n.finished_at.type
_MESSAGES_SENT = select(
    select(func.count(_MESSAGE.distinct()))
    .where(
        IS_SENT,
        _n.finished_at > bindparam("since", type_=_finished),
        _n.finished_at <= bindparam("latest", type_=_finished),
        _CHANNELS,
    )
    .scalar_subquery()
    + select(func.count(_MESSAGE.distinct())).where(IS_SENDING, _CHANNELS).scalar_subquery()
)
CHARGED = frozenset({ChannelName.TWILIO, ChannelName.CALL})
"""The channels whose service charges for what it took, whether it arrived or not; it may be sent once more then."""
_MESSAGES_CHARGED = select(
    select(func.count())
    .select_from(
        select(_MESSAGE, attempts.c.started_at)
        .join_from(notifications, attempts)
        .where(
            _CHANNELS,
            _n.claimed_at > bindparam("since", type_=_finished),
            attempts.c.outcome == literal_column("'sent'"),
            attempts.c.started_at > bindparam("since", type_=_finished),
            attempts.c.started_at <= bindparam("latest", type_=_finished),
        )
        .distinct()
        .subquery()
    )
    .scalar_subquery()
    + select(func.count(_MESSAGE.distinct())).where(IS_SENDING, _CHANNELS).scalar_subquery()
)


def messages_sent(connection: Connection, channels: Collection[ChannelName], now: datetime, period: timedelta) -> int:
    """Return how many messages were sent on these channels within a period, or are being sent now; a digest is one.

    What was sent in the future, before the clock was set back, counts too, unless that is further away than the period.
    On CHARGED channels what was sent twice, because it didn't arrive, counts twice.
    """
    bound = {"channels": list(channels), "since": now - period, "latest": now + period}
    query = _MESSAGES_CHARGED if CHARGED.issuperset(channels) else _MESSAGES_SENT
    return int(connection.execute(query, bound).scalar_one())
