"""Counts: the queue of each channel, and recent alerts, attempts and failures."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Connection, func, literal, literal_column, select, type_coerce

from alertgate.model import ChannelName, NotificationStatus, Severity, Source, worst
from alertgate.proof import Proof
from alertgate.store.column_types import MICROSECOND, Instant
from alertgate.store.notifications import IS_RELEASED, IS_SENT
from alertgate.store.tables import alerts, attempts, constant, incidents, notifications

_n = notifications.c


@dataclass(frozen=True, slots=True)
class Queue:
    """The notifications on one channel that aren't sent yet."""

    pending: int
    sending: int
    oldest_due_at: datetime | None


def queues(connection: Connection) -> dict[ChannelName, Queue]:
    """Return the queue of each channel that isn't empty."""
    query = select(_n.channel, func.count().label("number"), func.min(_n.due_at).label("oldest")).group_by(_n.channel)
    rows = {
        (row.channel, status): row
        for status in (NotificationStatus.PENDING, NotificationStatus.SENDING)  # each has its own small index
        for row in connection.execute(query.where(_n.status == constant(status)))
    }
    found = {}
    for channel in {channel for channel, _ in rows}:
        pending, sending = (
            rows.get((channel, status)) for status in (NotificationStatus.PENDING, NotificationStatus.SENDING)
        )
        found[channel] = Queue(
            pending.number if pending else 0, sending.number if sending else 0, pending.oldest if pending else None
        )
    return found


def worst_waiting(connection: Connection, channel: ChannelName) -> Severity | None:
    """Return the highest severity of what isn't sent yet on a channel, or None; own incidents don't count."""
    query = (
        select(_n.severity)
        .join_from(notifications, incidents)
        .where(_n.channel == channel, incidents.c.source != constant(Source.ALERTGATE), IS_RELEASED)
        .order_by(_n.severity.desc())
        .limit(1)
    )
    waiting = (NotificationStatus.PENDING, NotificationStatus.SENDING)  # each has its own small index
    found = [connection.execute(query.where(_n.status == constant(status))).scalar() for status in waiting]
    return worst(*found) if any(found) else None


def alerts_since(connection: Connection, since: datetime) -> dict[str, int]:
    """Return how many alerts were received since then, by status."""
    query = select(alerts.c.status, func.count()).where(alerts.c.received_at >= since).group_by(alerts.c.status)
    return {str(status): number for status, number in connection.execute(query)}


@dataclass(frozen=True, slots=True)
class HourCount:
    """How many alerts of one severity were received in one hour."""

    hour: int
    """From the time on since which is counted: 0 is the first one."""
    severity: Severity
    number: int


def alerts_by_hour(connection: Connection, since: datetime, most: int) -> list[HourCount]:
    """Return how many alerts were received in each hour since then, by severity; of the newest `most` at most."""
    newest = (
        select(alerts.c.received_at, alerts.c.severity)
        .where(alerts.c.received_at >= since)
        .order_by(alerts.c.received_at.desc())
        .limit(most)
        .subquery()
    )
    after = type_coerce(newest.c.received_at, BigInteger) - literal(Instant.to_database(since), BigInteger)
    hour = (after // literal_column(str(timedelta(hours=1) // MICROSECOND), BigInteger)).label("hour")
    query = select(hour, newest.c.severity, func.count()).group_by(hour, newest.c.severity)
    return [HourCount(int(hour), severity, number) for hour, severity, number in connection.execute(query)]


def last_webhook(connection: Connection) -> tuple[Source, datetime] | None:
    """Return which webhook last brought an alert, and when; None if there is no alert of any."""
    own = [constant(Source.ALERTGATE), constant(Source.WATCH)]
    query = select(alerts.c.source, alerts.c.received_at).where(alerts.c.source.not_in(own))
    row = connection.execute(query.order_by(alerts.c.id.desc()).limit(1)).first()
    return (row.source, row.received_at) if row else None


def attempts_since(connection: Connection, since: datetime) -> dict[str, int]:
    """Return how many attempts were made since then, by outcome."""
    query = select(attempts.c.outcome, func.count()).where(attempts.c.started_at >= since).group_by(attempts.c.outcome)
    return {str(outcome): number for outcome, number in connection.execute(query)}


def failed_since(connection: Connection, since: datetime) -> int:
    """Return how many notifications failed for good since then."""
    failed = (_n.status == constant(NotificationStatus.FAILED), _n.finished_at >= since)
    return connection.execute(select(func.count()).select_from(notifications).where(*failed)).scalar_one()


def proofs_since(connection: Connection, since: datetime, most: int | None = None) -> dict[ChannelName, dict[str, int]]:
    """Return how many notifications were sent since then, by channel and by how far it is proved that they arrived.

    With `most`, of the latest so many.
    """
    sent = select(_n.channel, _n.proof).where(IS_SENT, _n.finished_at >= since)
    some = (sent.order_by(_n.finished_at.desc()).limit(most) if most else sent).subquery()
    query = select(some.c.channel, some.c.proof, func.count())
    found: dict[ChannelName, dict[str, int]] = {}
    for channel, proof, number in connection.execute(query.group_by(some.c.channel, some.c.proof)):
        of_channel = found.setdefault(channel, dict.fromkeys(map(str, Proof), 0))
        of_channel[str(proof or Proof.SENT)] += number
    return found
