"""Periodic upkeep of pending notifications: due times, giving up, and channels that were removed."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, case, exists, false, func, literal, or_, select, update

from alertgate.model import ChannelName, Hold, Kind, Notification, NotificationStatus, Severity, Target
from alertgate.store import failures
from alertgate.store.claims import IS_ABOUT_DELIVERY, works_elsewhere
from alertgate.store.leases import CLOCK_SKEW
from alertgate.store.notifications import (
    COLUMNS,
    IS_OUTSTANDING,
    IS_PENDING,
    IS_RELEASED,
    cancel_superseded,
    notification_of,
)
from alertgate.store.rows import AT_ONCE
from alertgate.store.tables import incidents, notifications
from alertgate.store.untold import IS_GIVEN_UP

_n = notifications.c
LEFT_IN_OUTBOX = "it was for the outbox, which no longer counts: a mail server is set"
"""Why a notification was cancelled."""


def clamp_due_times(
    connection: Connection,
    latest_due: Sequence[datetime],
    latest_update: datetime,
    latest_delayed: datetime,
    now: datetime,
) -> int:
    """Bring forward what is due later than any wait allows, because the clock was set back; return how many.

    What waits for a time of day or a silence's end isn't late, also if it was attempted before. `latest_due` has the
    latest possible time after 0, 1, 2 and more attempts; its last entry is for all higher numbers.
    `latest_update` is that of an update before its first attempt: updates grow apart. One that was planned in what is
    the future now doesn't wait for that. `latest_delayed` is that of a contact that is told after others, if it was
    planned, or made to wait by an alert, in what is the future now: else it waits as long as the policy said then.
    What was last attempted before now, by this clock, waits no longer than it was to: as long as its service asked,
    maybe.
    """
    latest_now = literal(now + CLOCK_SKEW, _n.created_at.type)
    planned_before = _n.created_at <= latest_now
    is_update = and_(_n.kind == Kind.UPDATE, _n.attempts == 0, planned_before)
    is_delayed = and_(_n.hold == Hold.DELAYED, _n.attempts == 0)
    alert_after = exists().where(incidents.c.id == _n.incident_id, incidents.c.last_alert_at > latest_now)
    as_promised = and_(is_delayed, planned_before, ~alert_after)
    latest = case(
        (is_delayed, literal(latest_delayed, _n.due_at.type)),
        (is_update, literal(latest_update, _n.due_at.type)),
        *((_n.attempts == attempts, literal(at, _n.due_at.type)) for attempts, at in enumerate(latest_due[:-1])),
        else_=literal(latest_due[-1], _n.due_at.type),
    )
    attempted = and_(_n.attempts > 0, _n.claimed_at <= latest_now)
    waits_rightly = func.coalesce(or_(attempted, as_promised), false())
    late = (IS_PENDING, IS_RELEASED, _n.due_at > latest, ~waits_rightly)
    return connection.execute(update(notifications).where(*late).values(due_at=latest)).rowcount


def beside_delayed(connection: Connection, now: datetime) -> list[Notification]:
    """Return all notifications about the incidents of which a contact is told later, after others."""
    delayed = select(_n.incident_id).where(IS_PENDING, _n.hold == Hold.DELAYED, _n.due_at > now)
    rows = connection.execute(select(*COLUMNS).where(_n.incident_id.in_(delayed)).order_by(_n.id))
    return [notification_of(row) for row in rows]


def hasten(connection: Connection, which: Collection[tuple[str, str]], now: datetime) -> int:
    """Make delayed notifications due now, each for a reason that follows its own; return how many."""
    done = 0
    for notification_id, because in which:
        delayed = (_n.id == notification_id, IS_PENDING, _n.hold == Hold.DELAYED)
        changed = {"due_at": now, "hold": None, "reason": _n.reason + f"; {because}"}
        done += connection.execute(update(notifications).where(*delayed).values(changed)).rowcount
    return done


def bring_forward(
    connection: Connection, channel: ChannelName, now: datetime, without: Collection[str] = frozenset()
) -> int:
    """Make notifications that wait for a retry on this channel due now, given up on or not; return how many.

    What is held waits for the end of that, and those of the recipients `without` for their own times.
    """
    is_waiting = (or_(and_(IS_PENDING, IS_RELEASED), IS_GIVEN_UP), _n.attempts > 0, _n.due_at > now)
    of_these = (_n.channel == channel, _n.address.not_in(without))
    return connection.execute(update(notifications).where(*of_these, *is_waiting).values(due_at=now)).rowcount


def tell_missed(connection: Connection, channel: ChannelName, address: str, now: datetime) -> int:
    """Make due now what was given up on because a channel kept it from this address; return how many.

    What arrived there since shows that the channel works.
    """
    waiting = (_n.channel == channel, _n.address == address, IS_GIVEN_UP, _n.due_at > now)
    return connection.execute(update(notifications).where(*waiting).values(due_at=now)).rowcount


def note_missed(connection: Connection, channel: ChannelName, paused_at: datetime, now: datetime) -> int:
    """Note on what is due that its channel is away, paused since then; return on how many it was noted.

    Nothing is noted if another process has sent something on the channel since then.
    """
    if works_elsewhere(connection, channel, paused_at):
        return 0
    due = (_n.channel == channel, IS_PENDING, IS_RELEASED, _n.due_at <= now, _n.missed_since.is_(None))
    return connection.execute(update(notifications).where(*due).values(missed_since=_n.due_at)).rowcount


def give_up(connection: Connection, since_before: datetime, now: datetime) -> list[Notification]:
    """Fail what has been pending for too long, for example on a paused channel; return it as it was, AT_ONCE at most.

    A notification includes its incident's latest alert, so the time counts from that alert. The time in which the daily
    limit, quiet hours or an escalation's hours held it doesn't count. It is told all the same once its channel works
    again.
    """
    recent_alert = exists().where(incidents.c.id == _n.incident_id, incidents.c.last_alert_at > since_before)
    not_held = and_(
        IS_RELEASED,
        *(or_(ended_at.is_(None), ended_at <= since_before) for ended_at in (_n.held_until, _n.released_at)),
    )
    own = exists().where(incidents.c.id == _n.incident_id, IS_ABOUT_DELIVERY)  # ends with what it is about
    old = (IS_PENDING, _n.due_at <= now, _n.retry_since <= since_before, not_held, ~recent_alert, ~own)
    oldest = select(*COLUMNS).where(*old).order_by(_n.due_at, _n.id).limit(AT_ONCE)
    given_up = [notification_of(row) for row in connection.execute(oldest)]
    failed = {
        "status": NotificationStatus.FAILED,
        "finished_at": now,
        "missed_since": func.coalesce(_n.missed_since, _n.due_at),
    }
    connection.execute(update(notifications).where(_n.id.in_([each.id for each in given_up])).values(**failed))
    failures.supersede(connection, given_up)
    return given_up


def hold(
    connection: Connection, channels: Collection[ChannelName], now: datetime, *, critical: bool, every: timedelta
) -> int:
    """Note that the daily limit holds back what is due on these channels; return on how many it was noted.

    With `critical`, also what is critical. It is noted on each notification once in `every`.
    """
    held = (
        _n.channel.in_(channels),
        IS_PENDING,
        IS_RELEASED,
        _n.due_at <= now,
        or_(_n.held_until.is_(None), _n.held_until <= now - every, _n.held_until > now),
    )
    which = held if critical else (*held, _n.severity < Severity.CRITICAL)
    return connection.execute(update(notifications).where(*which).values(held_until=now)).rowcount


def leave_outbox(connection: Connection, reachable: Collection[str], now: datetime) -> int:
    """End what is unsent in the outbox and is for none of these addresses: it never was for a person. Return how many.

    What waits is cancelled, and what failed is dismissed, so that nobody is to deal with it.
    """
    left = (_n.channel == ChannelName.OUTBOX, _n.address.not_in(reachable))
    values = {"status": NotificationStatus.CANCELLED, "finished_at": now, "reason": LEFT_IN_OUTBOX}
    cancelled = connection.execute(update(notifications).where(*left, IS_PENDING).values(**values)).rowcount
    dismissed = {"dismissed_at": now, "dismissed_by": "alertgate", "missed_since": None}
    return (
        cancelled + connection.execute(update(notifications).where(*left, IS_OUTSTANDING).values(**dismissed)).rowcount
    )


def reassign_orphaned(
    connection: Connection, channels: Collection[ChannelName], targets: Sequence[Target], now: datetime
) -> tuple[list[str], list[str]]:
    """Move what is pending on channels outside `channels` to the target with its address; fail what has no target.

    A target of a channel that isn't in use either is none. Returns the ids that moved and those that failed.
    """
    by_address = {address: channel for channel, address in targets if channel in channels}
    query = select(*COLUMNS).where(IS_PENDING, _n.channel.not_in(channels))
    moved: list[str] = []
    failed: list[Notification] = []
    for orphan in [notification_of(row) for row in connection.execute(query)]:
        channel = by_address.get(orphan.address)
        if channel is None:
            values = {"status": NotificationStatus.FAILED, "finished_at": now}
            failed.append(orphan)
        else:
            cancel_superseded(connection, replace(orphan, channel=channel), now)
            values = {"channel": channel, "due_at": now, "digest_id": None}
            moved.append(orphan.id)
        connection.execute(update(notifications).where(_n.id == orphan.id).values(**values))
    failures.supersede(connection, failed)
    return moved, [each.id for each in failed]
