"""Queries on outstanding failures: notifications that failed for good, and with which nobody has dealt.

One is dealt with once it is retried or dismissed, or once a later one to the same contact about the same incident was
sent: that told how things stand. If the later one failed too, that one is outstanding instead. So their number is how
many incidents how many contacts weren't told of, and retrying each once tells everything.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, case, func, select, update

from alertgate.credential import Credential
from alertgate.model import Attempt, ChannelName, Incident, Notification, NotificationStatus, Severity, Source
from alertgate.states import NOT_BY_ITSELF
from alertgate.store import attempts
from alertgate.store.incidents import by_id
from alertgate.store.notifications import COLUMNS, IS_FAILED, IS_OUTSTANDING, IS_PENDING, IS_SENDING, notification_of
from alertgate.store.rows import portions, update_rows
from alertgate.store.tables import constant, incidents, notifications

_n = notifications.c
_FAILED_AT = func.coalesce(_n.finished_at, _n.created_at)
_ABOUT = select(*COLUMNS).where(_n.incident_id.in_(bindparam("incident_ids", expanding=True)), IS_OUTSTANDING)
_IS_FOREIGN = incidents.c.source != constant(Source.ALERTGATE)
"""About anything but one of alertgate's own incidents."""


def supersede(connection: Connection, later: Collection[Notification]) -> None:
    """Note that these were sent, have failed, or are retried: other failures of the same place are needless now."""
    if not later:
        return
    by_place = {_place(each): each for each in later}
    about = portions({each.incident_id for each in later})
    rows = (row for some in about for row in connection.execute(_ABOUT, {"incident_ids": some}).all())
    outstanding = [notification_of(row) for row in rows]
    needless = [
        replace(each, superseded_by=by.id)
        for each in outstanding
        if (by := by_place.get(_place(each))) and by.id != each.id and _tells(by, each)
    ]
    update_rows(connection, notifications, needless, ("superseded_by",))


def _tells(later: Notification, failed: Notification) -> bool:
    """Return whether what was sent could say what has failed: not if that came after it was read to be sent."""
    is_sent = later.status is NotificationStatus.SENT
    return not (is_sent and later.claimed_at and failed.created_at >= later.claimed_at)


def _place(notification: Notification) -> tuple[str, str, str]:
    return notification.incident_id, notification.channel, notification.address


class Count(NamedTuple):
    """How many are outstanding on a channel, and which is the newest: cheap to read, and it shows most changes."""

    number: int
    newest_id: str


def counts(connection: Connection) -> dict[ChannelName, Count]:
    """Return how many failures are outstanding, for each channel that has any."""
    query = select(_n.channel, func.count(), func.max(_n.id)).where(IS_OUTSTANDING).group_by(_n.channel)
    return {channel: Count(*rest) for channel, *rest in connection.execute(query)}


def number(connection: Connection) -> int:
    """Return how many failures are outstanding."""
    return sum(count.number for count in counts(connection).values())


@dataclass(frozen=True, slots=True)
class ContactFailures:
    """The outstanding failures of one contact, but for those about alertgate's own incidents."""

    channel: ChannelName
    address: str
    number: int
    severity: Severity
    """That of the worst."""
    since: datetime
    """When the first of them failed."""
    refused: bool
    """Whether the server has refused the newest for good; else no attempt was, or it was given up."""
    away: bool = False
    """Whether the newest failed because its channel was away: it is told once that works."""
    waits_for_another: bool = False
    """Whether that is told only once another message to the contact has arrived."""


def by_contact(connection: Connection) -> list[ContactFailures]:
    """Return the contacts with outstanding failures, those with the most first."""
    query = (
        select(
            _n.channel,
            _n.address,
            func.count().label("number"),
            func.max(_n.severity),
            func.min(_FAILED_AT),
            func.max(_n.id),
            func.max(case((_n.missed_since.is_not(None), _n.id))),
            func.max(case((_n.due_at == NOT_BY_ITSELF, _n.id))),
        )
        .join_from(notifications, incidents)
        .where(IS_OUTSTANDING, _IS_FOREIGN)
        .group_by(_n.channel, _n.address)
        .order_by(func.count().desc(), _n.channel, _n.address)
    )
    rows = connection.execute(query).all()
    last = attempts.last(connection, [newest for *_, newest, _, _ in rows])
    refused = {notification_id for notification_id, attempt in last.items() if attempt.outcome == "permanent"}
    return [
        ContactFailures(
            channel,
            address,
            number,
            severity,
            since,
            newest in refused,
            away=newest == missed,
            waits_for_another=newest == waiting,
        )
        for channel, address, number, severity, since, newest, missed, waiting in rows
    ]


def is_retrying(connection: Connection) -> bool:
    """Return whether one that had failed is being retried at somebody's request, and not about an own incident."""
    retried = select(_n.id).join_from(notifications, incidents).where(_n.retry_since > _n.created_at, _IS_FOREIGN)
    underway = (retried.where(status).limit(1) for status in (IS_PENDING, IS_SENDING))  # each has its own small index
    return any(connection.execute(query).first() for query in underway)


@dataclass(frozen=True, slots=True)
class Failure:
    """An outstanding failure: the notification, what it was about, and the last attempt, if there was any."""

    notification: Notification
    incident: Incident
    attempt: Attempt | None


def latest(connection: Connection, most: int) -> list[Failure]:
    """Return the outstanding failures, the latest first, at most this many."""
    query = select(*COLUMNS).where(IS_OUTSTANDING).order_by(_FAILED_AT.desc(), _n.id.desc()).limit(most)
    return _failures(connection, query)


def of_incident(connection: Connection, incident_id: str, most: int) -> list[Failure]:
    """Return the outstanding failures about an incident, the newest first, at most this many."""
    query = select(*COLUMNS).where(_n.incident_id == incident_id, IS_OUTSTANDING).order_by(_n.id.desc()).limit(most)
    return _failures(connection, query)


def _failures(connection: Connection, query: Select[Any]) -> list[Failure]:
    found = [notification_of(row) for row in connection.execute(query)]
    about = by_id(connection, {each.incident_id for each in found})
    last = attempts.last(connection, [each.id for each in found])
    return [Failure(each, about[each.incident_id], last.get(each.id)) for each in found]


def ids(connection: Connection, until: datetime | None = None) -> list[str]:
    """Return the ids of the outstanding failures, the latest first; with `until`, of those that had failed by then."""
    query = select(_n.id).where(IS_OUTSTANDING).order_by(_FAILED_AT.desc(), _n.id.desc())
    if until:
        query = query.where(until >= _FAILED_AT)
    return list(connection.execute(query).scalars())


def dismiss(connection: Connection, which: Collection[str], by: str, credential: Credential, now: datetime) -> int:
    """Note who said that nothing more need be done about failed notifications; return about how many."""
    said = {"dismissed_at": now, "dismissed_by": by, "dismissed_with": credential}
    failed = update(notifications).where(IS_FAILED, _n.dismissed_at.is_(None)).values(said)
    return sum(connection.execute(failed.where(_n.id.in_(some))).rowcount for some in portions(which))
