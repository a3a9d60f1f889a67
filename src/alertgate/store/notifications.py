"""Queries on notifications and their attempts."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    literal_column,
    null,
    or_,
    select,
    true,
    update,
)

from alertgate.model import (
    Attempt,
    ChannelName,
    ContactState,
    IncidentStatus,
    Kind,
    Notification,
    NotificationStatus,
    Severity,
    Target,
    states_before,
)
from alertgate.store.ready import ReadyQuery, ReadyWrite
from alertgate.store.tables import attempts, constant, incidents, notifications

_n = notifications.c
AHEAD = timedelta(minutes=1)
"""By how much another process's clock may be ahead."""
TAKEN_UP_WITHIN = timedelta(seconds=10)
"""From a lease to its sending: a process that holds an older one, and isn't sending, has lost sight of it."""
_PRESSING = or_(_n.kind == Kind.OPENING, _n.severity == Severity.CRITICAL)
_IS_PENDING = _n.status == constant(NotificationStatus.PENDING)
_TOLD_AT = case(
    (_n.status == constant(NotificationStatus.SENT), _n.finished_at),
    (_n.status == constant(NotificationStatus.SENDING), _n.claimed_at),
)
_HEARD = ReadyQuery(
    select(
        _n.incident_id,
        _n.channel,
        _n.address,
        func.max(case((_IS_PENDING, _n.id))).label("pending_id"),
        func.max(case((_IS_PENDING, _n.attempts), else_=literal_column("0"))).label("pending_tries"),
        func.max(_TOLD_AT).label("told_at"),
        func.max(case((_n.status == constant(NotificationStatus.FAILED), _n.finished_at))).label("failed_at"),
    )
    .where(_n.incident_id.in_(bindparam("these", expanding=True)))
    .group_by(_n.incident_id, _n.channel, _n.address)
)
_INSERT = ReadyWrite(insert(notifications))
_SENDING = ReadyQuery(
    select(*(_n[field.name] for field in fields(Notification))).where(
        _n.id.in_(bindparam("these", expanding=True)), _n.status == constant(NotificationStatus.SENDING)
    )
)
_DONE = ReadyWrite(
    update(notifications)
    .where(_n.id == bindparam("b_id"))
    .values(
        status=bindparam("b_status"),
        finished_at=bindparam("b_now"),
        attempts=_n.attempts + literal_column("1"),
        lease_owner=null(),
        lease_until=null(),
    )
)
_FINAL = frozenset({NotificationStatus.SENT, NotificationStatus.FAILED})
_KNOWN_ATTEMPTS = ReadyQuery(select(attempts.c.id).where(attempts.c.id.in_(bindparam("these", expanding=True))))
_INSERT_ATTEMPTS = ReadyWrite(insert(attempts))


def _notification(row: Row[tuple[object, ...]]) -> Notification:
    return Notification(**row._asdict())


def heard(connection: Connection, incident_ids: Collection[str]) -> dict[tuple[str, Target], ContactState]:
    """Return, for each incident and each address that was ever planned for it, what it has heard."""
    rows = _HEARD.rows(connection, incident_ids)
    return {(incident_id, (channel, address)): ContactState(*rest) for incident_id, channel, address, *rest in rows}


def add(connection: Connection, new: Sequence[Notification]) -> None:
    """Store new notifications. Raises IntegrityError where one is pending for the same incident and address."""
    _INSERT.run(connection, new)


@dataclass(frozen=True, slots=True)
class Expedited:
    """A pending notification that has become more pressing."""

    id: str
    severity: Severity
    due_at: datetime | None = None
    """When to try it now; None leaves the time as it is."""
    kind: Kind | None = None
    """What an update becomes; any other message stays what it is."""


def expedite(connection: Connection, raises: Sequence[Expedited]) -> None:
    """Give pending notifications a new severity and, where one is given, an earlier time."""
    for raise_ in raises:
        values: dict[str, Any] = {"severity": raise_.severity}
        if raise_.kind:
            values["kind"] = case((_n.kind == Kind.UPDATE, raise_.kind), else_=_n.kind)
        if raise_.due_at:
            values["due_at"] = raise_.due_at
        connection.execute(update(notifications).where(_n.id == raise_.id, _IS_PENDING).values(**values))


@dataclass(frozen=True, slots=True)
class Claim:
    """What one process takes up on one channel."""

    channel: ChannelName
    limit: int
    owner: str
    now: datetime
    lease_until: datetime
    probe: bool = False
    """Take what waits for a retry too, because the channel is paused and wants one message to be probed with."""
    pressing_only: bool = False
    """Leave updates that aren't critical, because the daily limit is near."""


def claim(connection: Connection, wanted: Claim) -> list[Notification]:
    """Lease what is due on a channel: most severe first, then oldest. Replicas share the work."""
    is_due = _n.due_at <= wanted.now
    due = (
        select(notifications)
        .where(
            _n.channel == wanted.channel,
            _IS_PENDING,
            or_(is_due, _n.attempts > 0) if wanted.probe else is_due,
            _PRESSING if wanted.pressing_only else true(),
        )
        .order_by(_n.severity.desc(), _n.due_at)
        .limit(wanted.limit)
        .with_for_update(skip_locked=True)  # SQLite, with its one writer, has nothing to skip and ignores it
    )
    lease: dict[str, Any] = {
        "status": NotificationStatus.SENDING,
        "lease_owner": wanted.owner,
        "lease_until": wanted.lease_until,
        "claimed_at": wanted.now,
    }
    claimed = [Notification(**{**row._asdict(), **lease}) for row in connection.execute(due)]
    if claimed:
        ids = [notification.id for notification in claimed]
        connection.execute(update(notifications).where(_n.id.in_(ids)).values(**lease))
    return claimed


def release_expired(
    connection: Connection, now: datetime, sending_here: Collection[str], owner: str | None = None
) -> list[str]:
    """Make pending again what a process leased and didn't finish in time; return the ids.

    What this process, `owner`, is sending right now is left alone, however the clock may have jumped. What it has
    leased for a while and isn't sending is released: the database's answer to its claim was lost. So is what was
    claimed in the future, before the clock was set back.
    """
    lost = and_(_n.lease_owner == owner, _n.claimed_at <= now - TAKEN_UP_WITHIN)
    gone = or_(_n.lease_until <= now, lost, _n.claimed_at > now + AHEAD)
    return _release(connection, and_(gone, _n.id.not_in(sending_here)), now)


def release_owned(connection: Connection, owner: str, now: datetime) -> list[str]:
    """Make pending again what `owner` has leased; return the ids."""
    return _release(connection, _n.lease_owner == owner, now)


def release_all(connection: Connection, now: datetime) -> list[str]:
    """Make pending again all that is leased: right where no other process can hold a lease, on SQLite at start."""
    return _release(connection, true(), now)


def _release(connection: Connection, which: ColumnElement[bool], now: datetime) -> list[str]:
    query = select(notifications).where(_n.status == constant(NotificationStatus.SENDING), which)
    leased = [_notification(row) for row in connection.execute(query)]
    for each in leased:
        _end(connection, each, Finish(each, NotificationStatus.PENDING, now, due_at=each.due_at, tried=False))
    return [each.id for each in leased]


@dataclass(frozen=True, slots=True)
class Finish:
    """What becomes of a notification under the lease that it shows."""

    leased: Notification
    status: NotificationStatus
    now: datetime
    due_at: datetime | None = None
    """When it is tried again, if it is pending again."""
    tried: bool = True

    @property
    def id(self) -> str:
        """The notification's id."""
        return self.leased.id


def clamp_due_times(connection: Connection, latest_due: Sequence[datetime]) -> int:
    """Bring forward what is due later than any wait can be, because the clock was set back; return how many.

    `latest_due` has the latest right time for a message that was tried never, once, twice and so on; the last one
    holds for all that were tried more often.
    """
    latest = case(
        *((_n.attempts == tries, literal(at, _n.due_at.type)) for tries, at in enumerate(latest_due[:-1])),
        else_=literal(latest_due[-1], _n.due_at.type),
    )
    late = (_n.status == NotificationStatus.PENDING, _n.due_at > latest)
    return connection.execute(update(notifications).where(*late).values(due_at=latest)).rowcount


def held(connection: Connection, leased: Collection[Notification], now: datetime) -> set[str]:
    """Return the ids of those that are still under the very lease that they show."""
    sending = _sending(connection, leased)
    return {each.id for each in leased if _same_lease(each, sending) and each.lease_until and each.lease_until > now}


def _sending(connection: Connection, leased: Collection[Notification]) -> dict[str, Notification]:
    rows = _SENDING.rows(connection, [each.id for each in leased])
    return {row[0]: Notification(*row) for row in rows}


def _same_lease(leased: Notification, sending: Mapping[str, Notification]) -> bool:
    """Tell whether a notification is still under the lease that it shows, not under a later one of the same owner."""
    now = sending.get(leased.id)
    return now is not None and (now.lease_owner, now.claimed_at) == (leased.lease_owner, leased.claimed_at)


def finish(connection: Connection, ends: Sequence[Finish]) -> list[bool]:
    """Record the ends of leases; False where one was over before, and nothing was changed."""
    sending = _sending(connection, [end.leased for end in ends])
    ours = [_same_lease(end.leased, sending) for end in ends]
    done = []
    for end in itertools.compress(ends, ours):
        if end.status in _FINAL and end.tried:
            done.append(end)
        else:
            _end(connection, sending[end.id], end)
    _DONE.run(connection, done)
    return ours


def _end(connection: Connection, leased: Notification, end: Finish) -> None:
    if leased.status not in states_before(end.status):
        raise ValueError(f"a notification can't go from {leased.status} to {end.status}")
    values: dict[str, Any] = {"status": end.status, "lease_owner": None, "lease_until": None}
    values["attempts"] = leased.attempts + end.tried
    if end.status is NotificationStatus.PENDING and (by := _acknowledged(connection, leased.incident_id)):
        values |= {"status": NotificationStatus.CANCELLED, "finished_at": end.now, "reason": f"acknowledged by {by}"}
    elif end.status is NotificationStatus.PENDING:
        _cancel_superseded(connection, leased, end.now)
        values["due_at"] = end.due_at
    else:
        values["finished_at"] = end.now
    connection.execute(update(notifications).where(_n.id == leased.id).values(**values))


def _acknowledged(connection: Connection, incident_id: str) -> str | None:
    """Return who acknowledged an incident, if somebody did: then a message that didn't get out isn't needed."""
    query = select(incidents.c.acknowledged_by).where(
        incidents.c.id == incident_id, incidents.c.status == constant(IncidentStatus.ACKNOWLEDGED)
    )
    return connection.execute(query).scalar()


def _cancel_superseded(connection: Connection, returning: Notification, now: datetime) -> None:
    """Cancel the message that was planned meanwhile: the returning one is rendered anew and says it all."""
    connection.execute(
        update(notifications)
        .where(
            _n.incident_id == returning.incident_id,
            _n.channel == returning.channel,
            _n.address == returning.address,
            _IS_PENDING,
        )
        .values(
            status=NotificationStatus.CANCELLED,
            finished_at=now,
            reason=f"said by {returning.id}, which is tried again",
        )
    )


def add_attempts(connection: Connection, new: Sequence[Attempt]) -> set[str]:
    """Store attempts; return the ids of those that are stored already, because the answer to their commit was lost."""
    known = {id_ for (id_,) in _KNOWN_ATTEMPTS.rows(connection, [attempt.id for attempt in new])}
    _INSERT_ATTEMPTS.run(connection, [attempt for attempt in new if attempt.id not in known])
    return known


def get(connection: Connection, notification_id: str) -> Notification | None:
    """Return one notification, or None."""
    row = connection.execute(select(notifications).where(_n.id == notification_id)).one_or_none()
    return _notification(row) if row else None


def bring_forward(connection: Connection, channel: ChannelName, now: datetime) -> int:
    """Make due now what waits for a retry on a channel that works again; return how many."""
    waiting = (_n.channel == channel, _IS_PENDING, _n.attempts > 0, _n.due_at > now)
    return connection.execute(update(notifications).where(*waiting).values(due_at=now)).rowcount


def give_up(connection: Connection, since_before: datetime, now: datetime) -> list[Notification]:
    """Fail what has been pending for too long, such as behind a channel that is paused; return it as it was.

    A message has to carry its incident's latest alert too, so its time counts from that.
    """
    fresh = exists().where(incidents.c.id == _n.incident_id, incidents.c.last_alert_at > since_before)
    old = (_IS_PENDING, _n.due_at <= now, _n.retry_since <= since_before, ~fresh)
    given_up = [_notification(row) for row in connection.execute(select(notifications).where(*old))]
    failed = {"status": NotificationStatus.FAILED, "finished_at": now}
    connection.execute(update(notifications).where(_n.id.in_([n.id for n in given_up])).values(**failed))
    return given_up


def reassign_orphaned(
    connection: Connection, channels: Collection[ChannelName], targets: Sequence[Target], now: datetime
) -> tuple[list[str], list[str]]:
    """Give what is pending on other channels than `channels` to the target with its address; fail what has none.

    Returns the ids that moved and those that failed.
    """
    by_address = {address: channel for channel, address in targets}
    query = select(notifications).where(_IS_PENDING, _n.channel.not_in(channels))
    moved, failed = [], []
    for stranded in [_notification(row) for row in connection.execute(query)]:
        channel = by_address.get(stranded.address)
        if channel is None:
            values = {"status": NotificationStatus.FAILED, "finished_at": now}
            failed.append(stranded.id)
        else:
            _cancel_superseded(connection, replace(stranded, channel=channel), now)
            values = {"channel": channel, "due_at": now}
            moved.append(stranded.id)
        connection.execute(update(notifications).where(_n.id == stranded.id).values(**values))
    return moved, failed


def sent_since(connection: Connection, channels: Collection[ChannelName], since: datetime) -> int:
    """Return how many messages were handed over on these channels since then."""
    sent = (_n.status == constant(NotificationStatus.SENT), _n.finished_at > since, _n.channel.in_(channels))
    return connection.execute(select(func.count()).select_from(notifications).where(*sent)).scalar_one()


def of_incident(connection: Connection, incident_id: str) -> list[Notification]:
    """Return an incident's notifications, oldest first."""
    query = select(notifications).where(_n.incident_id == incident_id).order_by(_n.id)
    return [_notification(row) for row in connection.execute(query)]


def attempts_of(connection: Connection, notification_ids: Collection[str]) -> list[Attempt]:
    """Return the attempts of these notifications, oldest first."""
    query = select(attempts).where(attempts.c.notification_id.in_(notification_ids)).order_by(attempts.c.id)
    return [Attempt(**row._asdict()) for row in connection.execute(query)] if notification_ids else []


def pending_to(connection: Connection, incident_id: str, target: Target) -> str | None:
    """Return the id of the message about an incident that is pending for an address, or None."""
    channel, address = target
    query = select(_n.id).where(
        _n.incident_id == incident_id,
        _n.channel == channel,
        _n.address == address,
        _IS_PENDING,
    )
    return connection.execute(query).scalar_one_or_none()


def failed(connection: Connection) -> list[str]:
    """Return the ids of the messages that were given up on, newest first."""
    query = select(_n.id).where(_n.status == constant(NotificationStatus.FAILED)).order_by(_n.id.desc())
    return list(connection.execute(query).scalars())


def restart(connection: Connection, given_up: Notification, now: datetime) -> Notification:
    """Make a failed message pending, due now and as if it had never been tried; return it so.

    Raises IntegrityError where another one is pending for the same incident and address.
    """
    if given_up.status not in states_before(NotificationStatus.PENDING):
        raise ValueError(f"a notification can't go from {given_up.status} to pending")
    fresh: dict[str, Any] = {
        "status": NotificationStatus.PENDING,
        "due_at": now,
        "retry_since": now,
        "attempts": 0,
        "finished_at": None,
    }
    connection.execute(update(notifications).where(_n.id == given_up.id).values(**fresh))
    return replace(given_up, **fresh)


def cancel(connection: Connection, incident_id: str, reason: str, now: datetime) -> int:
    """Cancel what is pending of an incident, for `reason`; return how many."""
    pending = (_n.incident_id == incident_id, _IS_PENDING)
    cancelled = {"status": NotificationStatus.CANCELLED, "finished_at": now, "reason": reason}
    return connection.execute(update(notifications).where(*pending).values(**cancelled)).rowcount
