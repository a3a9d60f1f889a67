"""Leases: which process is sending a notification, until when, and with what result.

A lease is identified by its owner *and* the time of its claim, so that a process that lost a lease doesn't end a later
one of its own by mistake.
"""

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, or_, select, true, update
from sqlalchemy.sql.dml import ReturningUpdate

from alertgate.channel_kinds import RINGING
from alertgate.model import (
    ABOUT_OTHERS,
    FIRST_NEWS,
    ChannelName,
    IncidentStatus,
    Kind,
    Notification,
    NotificationStatus,
    Severity,
    worst,
)
from alertgate.proof import Proof
from alertgate.states import states_before
from alertgate.store import failures
from alertgate.store.newer import Place, told_by_newer
from alertgate.store.notifications import (
    COLUMNS,
    IS_PENDING,
    IS_SENDING,
    SUPERSEDED,
    notification_of,
    superseded_by,
)
from alertgate.store.rows import portions, update_rows
from alertgate.store.tables import incidents, notifications
from alertgate.store.untold import IS_GIVEN_UP, included

_n = notifications.c
CLOCK_SKEW = timedelta(minutes=1)
"""How far another process's clock may be ahead of ours."""
SENT_WITHIN = timedelta(seconds=10)
"""Sending starts this soon after a claim. A process that holds an older lease and isn't sending doesn't know of it."""
GIVEN_UP = "given up on at {at:%Y-%m-%d %H:%M} UTC, and sent once its channel worked again"
INCLUDED = "given up on, and included in {by}, which was sent once the channel worked again"
MAY_REPEAT = "an attempt ended without an answer, so it may have come twice"
"""What is added to the reason of a notification whose channel's service can't tell a repeat."""
_CHANGED = tuple(field.name for field in fields(Notification) if field.name != "id")


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one process to send, for a while."""

    owner: str
    now: datetime
    until: datetime


_LEASED = ("status", "lease_owner", "lease_until", "claimed_at", "digest_id")


def _lease_of(which: ColumnElement[bool]) -> ReturningUpdate[Any]:
    values = {name: bindparam(f"b_{name}", type_=_n[name].type) for name in _LEASED}
    return update(notifications).where(which, or_(IS_PENDING, IS_GIVEN_UP)).values(values).returning(*COLUMNS)


_IDS = _n.id.in_(bindparam("ids", expanding=True))
_LEASE = _lease_of(_IDS)
_SENDING = select(*COLUMNS).where(_n.id.in_(bindparam("ids", expanding=True)), IS_SENDING)


def lease(
    connection: Connection, ids: Collection[str], lease: Lease, digest_id: str | None = None
) -> list[Notification]:
    """Lease notifications that are pending or given up on, as the members of that digest, or each on its own."""
    if not ids:
        return []
    values = (NotificationStatus.SENDING, lease.owner, lease.until, lease.now, digest_id)
    bound = {f"b_{name}": value for name, value in zip(_LEASED, values, strict=True)}
    rows = (row for some in portions(ids) for row in connection.execute(_LEASE, bound | {"ids": some}).all())
    return [notification_of(row) for row in rows]


def release_expired(
    connection: Connection,
    now: datetime,
    sending_here: Collection[str],
    owner: str | None = None,
    unsure: Collection[ChannelName] = (),
) -> list[str]:
    """Make notifications with an expired lease what they were before it; return their ids.

    What this process, `owner`, is sending right now (`sending_here`) keeps its lease, however the clock jumped. What it
    claimed at least SENT_WITHIN ago and isn't sending is released: the reply to the claim's commit was lost. So is a
    claim that lies in the future, because the clock was set back. On the channels in `unsure` it may come twice then.
    """
    reply_lost = and_(_n.lease_owner == owner, _n.claimed_at <= now - SENT_WITHIN)
    expired = or_(_n.lease_until <= now, reply_lost, _n.claimed_at > now + CLOCK_SKEW)
    return _release(connection, expired, now, sending_here, unsure)


def release_owned(
    connection: Connection, owner: str, now: datetime, unsure: Collection[str] = frozenset()
) -> list[str]:
    """Make what `owner` has claimed what it was before; return the ids. Those in `unsure` may come twice then."""
    cut_off = _release(connection, and_(_n.lease_owner == owner, _n.id.in_(unsure)), now, unsure=list(ChannelName))
    return [*cut_off, *_release(connection, _n.lease_owner == owner, now, begun=False)]


def release_all(connection: Connection, now: datetime, unsure: Collection[ChannelName] = ()) -> list[str]:
    """Make all that is claimed what it was before. Only for SQLite at start: no other process can hold a lease.

    Its attempts may have sent it. On the channels in `unsure` it may come twice then.
    """
    return _release(connection, true(), now, unsure=unsure)


def _release(
    connection: Connection,
    which: ColumnElement[bool],
    now: datetime,
    but: Collection[str] = frozenset(),
    unsure: Collection[ChannelName] = (),
    *,
    begun: bool = True,
) -> list[str]:
    """End leases as if nothing had been attempted. `begun`: but an attempt may have, which nobody recorded."""
    query = select(*COLUMNS).where(IS_SENDING, which)
    leased = [notification_of(row) for row in connection.execute(query) if row.id not in but]
    ends = [
        replace(unattempted(each, now), unsure=each.channel in unsure, told=_may_have_told(each) if begun else None)
        for each in leased
    ]
    _end(connection, zip(ends, leased, strict=True))
    return [each.id for each in leased]


def _may_have_told(leased: Notification) -> IncidentStatus | None:
    """Return what an attempt may have told of which nobody knows the words. One that said "over" may be repeated."""
    return None if leased.kind is Kind.RESOLUTION else IncidentStatus.OPEN


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of a lease: the notification as it was leased, and its new status."""

    leased: Notification
    status: NotificationStatus
    now: datetime
    due_at: datetime | None = None
    """The time of the next attempt, if there is one."""
    digest_id: str | None = None
    """The part of its digest that carries it from now on; None if its message stays the same."""
    attempted: bool = True
    unsure: bool = False
    """Whether an attempt may have sent it, although nothing says so, and a repeat isn't recognised."""
    missed: bool = False
    """Whether its channel is away."""
    alone: bool = False
    """Whether the message alone was refused while others were accepted: then it isn't the outage that it waits for."""
    told: IncidentStatus | None = None
    """The state of the incident that the message told, if it was sent, or may have told, if there was no answer."""
    receipt: str | None = None
    """What the service calls the message."""
    proof: Proof | None = None
    """How far it is proved that it arrived."""
    follow_at: datetime | None = None
    """When to ask what became of it."""


def unattempted(leased: Notification, now: datetime) -> Finish:
    """Return the end of a lease without an attempt: the notification is again what it was before."""
    status = NotificationStatus.FAILED if leased.given_up else NotificationStatus.PENDING
    return Finish(leased, status, now, due_at=leased.due_at, attempted=False)


def finish(connection: Connection, ends: Sequence[Finish]) -> list[bool]:
    """Record the ends of leases; False for each that had already ended, which changes nothing."""
    ids = portions([end.leased.id for end in ends])
    rows = (row for some in ids for row in connection.execute(_SENDING, {"ids": some}).all())
    sending = {row.id: notification_of(row) for row in rows}
    ours = [_same_lease(end.leased, sending.get(end.leased.id)) for end in ends]
    _end(connection, ((end, sending[end.leased.id]) for end in itertools.compress(ends, ours)))
    return ours


def _same_lease(leased: Notification, stored: Notification | None) -> bool:
    return stored is not None and (stored.lease_owner, stored.claimed_at) == (leased.lease_owner, leased.claimed_at)


def _end(connection: Connection, ends: Iterable[tuple[Finish, Notification]]) -> None:
    """End leases; each comes with its notification as it is stored."""
    ended = [(end, stored, _ended(end, stored)) for end, stored in ends]
    over = [after for end, _, after in ended if end.status is not NotificationStatus.PENDING]
    _save(connection, over)
    _cancel_included(connection, {end.leased.id: end.now for end, *_ in ended if end.status is NotificationStatus.SENT})
    failures.supersede(connection, [each for each in over if each.status is not NotificationStatus.CANCELLED])
    again = [(end, after) for end, _, after in ended if end.status is NotificationStatus.PENDING]
    if again:
        _make_pending(connection, again)


def _ended(end: Finish, stored: Notification) -> Notification:
    """Return the notification after its lease."""
    if stored.status not in states_before(end.status):
        raise ValueError(f"a notification can't go from {stored.status} to {end.status}")
    attempts = stored.attempts + end.attempted
    reason = f"{stored.reason}; {MAY_REPEAT}" if end.unsure and MAY_REPEAT not in stored.reason else stored.reason
    after = replace(
        stored,
        status=end.status,
        reason=reason,
        attempts=attempts,
        lease_owner=None,
        lease_until=None,
        told=end.told or stored.told,
    )
    if end.unsure and _may_ring(stored):
        after = replace(after, receipt=None, follow_at=end.now, follow_owner=None)
    missed_since = stored.missed_since or (stored.due_at if end.missed else None)
    due_at = end.due_at or stored.due_at
    if end.status is NotificationStatus.PENDING:
        # What was given up on is retried anew: until now its channel was away.
        retry_since = end.now if stored.given_up else stored.retry_since
        digest_id = end.digest_id or stored.digest_id
        pending = replace(after, due_at=due_at, retry_since=retry_since, finished_at=None, digest_id=digest_id)
        return replace(pending, missed_since=None if end.alone else missed_since)
    if end.status is NotificationStatus.FAILED:
        by_channel = end.missed or not end.attempted
        finished_at = stored.finished_at or end.now
        return replace(after, due_at=due_at, finished_at=finished_at, missed_since=missed_since if by_channel else None)
    return replace(
        after,
        finished_at=end.now,
        reason=_reason_to_send(stored),
        receipt=end.receipt,
        proof=end.proof,
        proved_at=end.now if end.proof else None,
        follow_at=end.follow_at if end.receipt else after.follow_at,  # an earlier attempt of something quiet may ring
        follow_owner=None,
    )


def _may_ring(sending: Notification) -> bool:
    """Return whether its service may go on ringing with it. No digest rings, and nothing that isn't critical."""
    return sending.channel in RINGING and sending.severity is Severity.CRITICAL and sending.digest_id is None


def _reason_to_send(stored: Notification) -> str:
    """Return why a notification was sent, which for one that was given up on isn't only why it was planned."""
    if not stored.given_up:
        return stored.reason
    return f"{stored.reason}; {GIVEN_UP.format(at=stored.finished_at)}"


def _cancel_included(connection: Connection, sent: Mapping[str, datetime]) -> None:
    """Cancel what was given up on and is told by what was sent now."""
    found = {old.id: _cancelled(old, INCLUDED.format(by=by), sent[by]) for old, by in included(connection, sent)}
    _save(connection, list(found.values()))


def _make_pending(connection: Connection, again: Sequence[tuple[Finish, Notification]]) -> None:
    """Make notifications pending again, unless they are needless by now; cancel what each of them supersedes."""
    incident_ids = {after.incident_id for _, after in again}
    situations, newer = _situations(connection, incident_ids), told_by_newer(connection, incident_ids)
    waiting = {_place(each): each for each in _pending(connection, incident_ids)}
    cancelled = []
    for end, after in again:
        if reason := _needless(after.kind, situations[after.incident_id], newer.get(_place(after))):
            cancelled.append(_cancelled(after, reason, end.now))
            continue
        merged = after
        if superseded := waiting.get(_place(after)):
            cancelled.append(_cancelled(superseded, SUPERSEDED.format(by=after.id), end.now))
            merged = _including(after, superseded)
        waiting[_place(after)] = merged
    _save(connection, cancelled)  # first, because only one may be pending
    gone = {each.id for each in cancelled}
    returning = [waiting[_place(after)] for _, after in again if after.id not in gone]
    _save(connection, [each for each in returning if each.id not in gone])


def _including(returning: Notification, superseded: Notification) -> Notification:
    """Return a notification that says also what a later one would have said, and is as pressing.

    The news of a silence stays what it is: the silence would hold anything else.
    """
    stays_first = returning.kind in FIRST_NEWS and superseded.kind is not Kind.SILENCE
    kind = returning.kind if stays_first else superseded.kind
    return replace(returning, kind=kind, severity=worst(returning.severity, superseded.severity))


def _place(notification: Notification) -> Place:
    """Return what one notification at most may be pending for."""
    return notification.incident_id, notification.channel, notification.address


def _cancelled(notification: Notification, reason: str, now: datetime) -> Notification:
    return replace(notification, status=NotificationStatus.CANCELLED, finished_at=now, reason=reason)


def _needless(kind: Kind, situation: Any, newer_id: str | None) -> str | None:
    """Return why a notification needn't be sent any more, as a sentence, or None.

    Its incident is acknowledged, and it doesn't say what somebody has done; or its contact hears of a newer one with
    the same key, so that this one would say "over" of what is open, or say it again.
    """
    if situation.status is IncidentStatus.ACKNOWLEDGED and kind not in ABOUT_OTHERS:
        return f"acknowledged by {situation.acknowledged_by}"
    return superseded_by(newer_id) if newer_id else None


def needless(connection: Connection, told: Notification) -> str | None:
    """Return why something that wasn't told after all needn't be sent any more, as a sentence, or None."""
    [situation] = _situations(connection, [told.incident_id]).values()
    return _needless(told.kind, situation, told_by_newer(connection, [told.incident_id]).get(_place(told)))


def send_again(connection: Connection, after: Notification, now: datetime) -> None:
    """Make pending what was sent and didn't arrive, together with what is pending to its contact meanwhile."""
    _make_pending(connection, [(Finish(after, NotificationStatus.PENDING, now), after)])


def _situations(connection: Connection, incident_ids: Collection[str]) -> dict[str, Any]:
    """Return each incident's status and acknowledgement, by id."""
    ids = portions(incident_ids)
    return {row.id: row for some in ids for row in connection.execute(_SITUATIONS, {"ids": some}).all()}


def _pending(connection: Connection, incident_ids: Collection[str]) -> list[Notification]:
    ids = portions(incident_ids)
    return [notification_of(row) for some in ids for row in connection.execute(_PENDING, {"ids": some}).all()]


_SITUATIONS = select(incidents.c.id, incidents.c.status, incidents.c.acknowledged_by).where(
    incidents.c.id.in_(bindparam("ids", expanding=True))
)
_PENDING = select(*COLUMNS).where(_n.incident_id.in_(bindparam("ids", expanding=True)), IS_PENDING)


def _save(connection: Connection, changed: Sequence[Notification]) -> None:
    update_rows(connection, notifications, changed, _CHANGED)
