"""What contacts weren't told: what was given up on while a channel was away, and what the same thing did before."""

from collections.abc import Collection
from dataclasses import fields
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from alertgate.contact_state import Due
from alertgate.model import (
    ChannelName,
    IncidentStatus,
    Kind,
    Notification,
    NotificationStatus,
    Resolution,
    Signal,
)
from alertgate.store.claims import IS_ABOUT_DELIVERY, IS_TO_ANOTHER
from alertgate.store.newer import IS_REPLACED, is_given_up, to_same_contact
from alertgate.store.notifications import COLUMNS, IS_PENDING, IS_RELEASED
from alertgate.store.rows import portions
from alertgate.store.tables import alerts, constant, incidents, notifications

_n = notifications.c
_PENDING, _SENDING, _SENT, _FAILED, _CANCELLED = (constant(status) for status in NotificationStatus)


IS_GIVEN_UP = is_given_up(notifications)
_ON_CHANNEL = _n.channel == bindparam("channel", type_=_n.channel.type)
_IN = _n.id.in_(bindparam("ids", expanding=True))
_ANY_MISSED = select(
    exists().where(_ON_CHANNEL, or_(and_(_n.status == _PENDING, _n.missed_since.is_not(None)), IS_GIVEN_UP))
)


_LATELY_TOLD = select(
    exists().where(
        _ON_CHANNEL,
        _n.status == _SENT,
        _n.missed_since.is_not(None),
        _n.finished_at > bindparam("since", type_=_n.finished_at.type),
    )
)


def told_since(connection: Connection, channel: ChannelName, since: datetime) -> bool:
    """Return whether something that was missed because this channel was away was told since then."""
    return bool(connection.execute(_LATELY_TOLD, {"channel": channel, "since": since}).scalar())


def any_missed(connection: Connection, channel: ChannelName) -> bool:
    """Return whether something isn't told yet because its channel was away."""
    return bool(connection.execute(_ANY_MISSED, {"channel": channel}).scalar())


@cache
def _with_due(channels: Collection[ChannelName]) -> Select[Any]:
    def is_due(channel: ChannelName, *which: ColumnElement[bool]) -> ColumnElement[bool]:
        return exists().where(
            _n.channel == constant(channel), *which, _n.due_at <= bindparam("now", type_=_n.due_at.type)
        )

    found: list[ColumnElement[Any]] = [
        or_(is_due(name, IS_PENDING, IS_RELEASED), is_due(name, IS_GIVEN_UP)).label(name) for name in channels
    ]
    return select(*found)


def with_due(connection: Connection, channels: Collection[ChannelName], now: datetime) -> set[ChannelName]:
    """Return those of these channels on which something is due, or was given up on: the others need no claim."""
    names = tuple(channels)
    found = connection.execute(_with_due(names), {"now": now}).one() if names else ()
    return {name for name, is_due in zip(names, found, strict=True) if is_due}


_other = notifications.alias()
_IS_CARRIED = exists().where(
    _other.c.incident_id == _n.incident_id,
    to_same_contact(_other, notifications),
    or_(_other.c.status.in_([_PENDING, _SENDING]), and_(is_given_up(_other), _other.c.id > _n.id)),
)
"""Another notification to the same contact about the same incident will tell it."""
_IS_ACKNOWLEDGED = or_(
    incidents.c.status == constant(IncidentStatus.ACKNOWLEDGED),
    and_(
        _n.kind != constant(Kind.RESOLUTION),
        func.coalesce(incidents.c.acknowledged_at, literal_column("0")) > _n.created_at,
    ),
)
"""Somebody knows of it; but its end is told after an acknowledgement too."""


@cache
def _given_up(*, probe: bool, some: bool) -> Select[Any]:
    which = [] if probe else [_n.due_at <= bindparam("now", type_=_n.due_at.type)]
    which += [IS_TO_ANOTHER] if some else []
    return (
        select(*(_n[field.name] for field in fields(Due)))
        .join_from(notifications, incidents)
        .where(IS_GIVEN_UP, _ON_CHANNEL, *which, ~IS_ABOUT_DELIVERY)
        .where(~_IS_ACKNOWLEDGED, ~_IS_CARRIED, ~IS_REPLACED)
    )


def given_up(
    connection: Connection, channel: ChannelName, now: datetime, *, probe: bool, without: Collection[str] = ()
) -> list[Due]:
    """Return what was given up on because this channel was away, and is to be told: one for each incident and contact.

    With `probe`, also what is to be tried later. What is for the addresses in `without` is left out.
    """
    bound: dict[str, Any] = {"channel": channel}
    bound |= {} if probe else {"now": now}
    bound |= {"without": sorted(without)} if without else {}
    return [Due(*row) for row in connection.execute(_given_up(probe=probe, some=bool(without)), bound)]


_told = notifications.alias()
_of_told, _of_old = incidents.alias(), incidents.alias()
_INCLUDED = (
    select(*COLUMNS, _told.c.id.label("told_by"))
    .join_from(_told, _of_told, _of_told.c.id == _told.c.incident_id)
    .join(_of_old, and_(_of_old.c.key == _of_told.c.key, _of_old.c.id <= _of_told.c.id))
    .join(notifications, and_(_n.incident_id == _of_old.c.id, to_same_contact(notifications, _told)))
    .where(
        _told.c.id.in_(bindparam("ids", expanding=True)),
        IS_GIVEN_UP,
        _n.created_at < _told.c.claimed_at,  # what came after it was read isn't told by it
    )
)


def included(connection: Connection, sent: Collection[str]) -> list[tuple[Notification, str]]:
    """Return what was given up on and is told by these notifications, each with the id of the one that tells it."""
    rows = (row for some in portions(sent) for row in connection.execute(_INCLUDED, {"ids": some}).all())
    return [(Notification(*values), by) for *values, by in rows]


_LAST_TOLD = (
    select(func.max(_told.c.claimed_at))
    .where(_told.c.incident_id == _n.incident_id, to_same_contact(_told, notifications), _told.c.status == _SENT)
    .scalar_subquery()
)
_NEWS = (
    select(_n.id, func.count(alerts.c.id))
    .join_from(notifications, alerts, alerts.c.incident_id == _n.incident_id)
    .where(
        _IN,
        alerts.c.signal == constant(Signal.FIRING),
        alerts.c.received_at > func.coalesce(_LAST_TOLD, literal_column("0")),
    )
    .group_by(_n.id)
)


def news(connection: Connection, ids: Collection[str]) -> dict[str, int]:
    """Return of how many firing alerts each notification tells its contact for the first time, by id; 0 is left out."""
    return {row[0]: row[1] for some in portions(ids) for row in connection.execute(_NEWS, {"ids": some}).all()}


_before, _between = incidents.alias(), incidents.alias()


def _wasnt_told(which: FromClause) -> ColumnElement[bool]:
    """Return the condition that this contact was to be told about an incident, and wasn't."""
    about = and_(_other.c.incident_id == which.c.id, to_same_contact(_other, notifications))
    unsaid = _other.c.status.in_([_FAILED, _CANCELLED])
    return and_(exists().where(about, unsaid), ~exists().where(about, ~unsaid))


_PREVIOUS_ID = (
    select(_between.c.id)
    .join_from(_between, _other, _other.c.incident_id == _between.c.id)
    .where(
        _between.c.key == incidents.c.key,
        _between.c.id < incidents.c.id,
        to_same_contact(_other, notifications),
    )
    .order_by(_between.c.key.desc(), _between.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_IS_KNOWN_INCIDENT = exists().where(
    _other.c.incident_id == _n.incident_id,
    to_same_contact(_other, notifications),
    _other.c.id != _n.id,
    _other.c.status.in_([_SENDING, _SENT]),
)
"""The contact was told of the incident before, and with that of what came before the incident."""
_AFTER_SILENCE = (
    select(_n.id)
    .join_from(notifications, incidents)
    .join(_before, _before.c.id == _PREVIOUS_ID)
    .where(_IN, ~_IS_KNOWN_INCIDENT, _wasnt_told(_before))
)
_TOLD_SINCE = exists().where(
    _between.c.key == _before.c.key,
    _between.c.id > _before.c.id,
    _between.c.id < incidents.c.id,
    _other.c.incident_id == _between.c.id,
    to_same_contact(_other, notifications),
    _other.c.status.not_in([_FAILED, _CANCELLED]),
)
_FIRING = _before.c.alert_count - case((_before.c.resolution == constant(Resolution.ALERT), 1), else_=0)
_IS_KNOWN = _before.c.acknowledged_at.is_not(None)
_EARLIER = (
    select(_n.id, func.sum(_FIRING), func.min(_before.c.opened_at))
    .join_from(notifications, incidents)
    .join(_before, and_(_before.c.key == incidents.c.key, _before.c.id < incidents.c.id))
    .where(_IN, ~_IS_KNOWN, _wasnt_told(_before), ~_TOLD_SINCE)
    .group_by(_n.id)
)


def earlier(connection: Connection, ids: Collection[str]) -> dict[str, tuple[int, datetime]]:
    """Return of how many earlier alerts about the same thing each contact wasn't told, and since when, by notification.

    Those are the alerts of earlier incidents with the same key, back to the last that the contact was told about, and
    without those that somebody acknowledged. The first message about an incident tells of them, of whatever kind it is.
    """
    found: dict[str, tuple[int, datetime]] = {}
    for some in portions(ids):
        # Nearly always the one before was told: only else the others are looked at, which may be thousands.
        if after_silence := connection.execute(_AFTER_SILENCE, {"ids": some}).scalars().all():
            rows = connection.execute(_EARLIER, {"ids": list(after_silence)})
            found |= {row[0]: (int(row[1]), row[2]) for row in rows}
    return found
