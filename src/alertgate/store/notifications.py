"""Queries on notifications; those for leases are in `leases`, those for periodic jobs in `upkeep`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
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
    literal,
    literal_column,
    null,
    or_,
    select,
    update,
)

from alertgate.contact_state import ContactState
from alertgate.credential import Credential
from alertgate.model import (
    BEGINNINGS,
    FIRST_NEWS,
    Hold,
    IncidentStatus,
    Kind,
    Notification,
    NotificationStatus,
    Severity,
    Target,
)
from alertgate.store.pages import WantedNotifications, first_id, select_page
from alertgate.store.rows import insert_rows
from alertgate.store.tables import constant, incidents, notifications

_n = notifications.c
COLUMNS = [_n[field.name] for field in fields(Notification)]
IS_PENDING = _n.status == constant(NotificationStatus.PENDING)
IS_SENDING = _n.status == constant(NotificationStatus.SENDING)
IS_SENT = _n.status == constant(NotificationStatus.SENT)
IS_HELD = _n.hold.in_([constant(each) for each in (Hold.QUIET_HOURS, Hold.OUTSIDE_HOURS, Hold.SILENCED)])
"""Whether it isn't sent, though it is due, before it is decided again whether anything holds it."""
IS_RELEASED = or_(_n.hold.is_(None), _n.hold == constant(Hold.DELAYED))
"""The opposite."""
IS_FAILED = or_(_n.status == constant(NotificationStatus.FAILED), and_(IS_SENDING, _n.finished_at.is_not(None)))
"""Whether it failed; also while it is tried once more because its channel may work again."""
IS_OUTSTANDING = and_(IS_FAILED, _n.dismissed_at.is_(None), _n.superseded_by.is_(None))
"""As `Notification.is_outstanding`, and as the index `notifications_outstanding` has it."""
SUPERSEDED = "included in {by}, which is retried"
"""Why a notification was cancelled for another one that is rendered again."""
_TOLD_AT = case(
    (IS_SENT, _n.finished_at),
    (IS_SENDING, _n.claimed_at),
)
CHANGES_OF_STATE = (*sorted(FIRST_NEWS), Kind.REOPENING, Kind.RESOLUTION)
"""The kinds that tell of a change of state."""
_IS_RECENT = and_(  # told after `since`, or about to be told
    _n.status.in_(
        [constant(each) for each in (NotificationStatus.PENDING, NotificationStatus.SENDING, NotificationStatus.SENT)]
    ),
    or_(_n.finished_at.is_(None), _n.finished_at > bindparam("since", type_=_n.finished_at.type)),
)
_IS_UPDATE_SINCE_CHANGE = and_(
    _n.kind.in_([constant(kind) for kind in (Kind.REMINDER, Kind.UPDATE)]),
    _n.status.in_([constant(each) for each in (NotificationStatus.SENDING, NotificationStatus.SENT)]),
    _n.created_at >= incidents.c.changed_at,
)


def _number_of(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, literal_column("1")), else_=literal_column("0")))


_SAYS_OPEN = _n.told != constant(IncidentStatus.RESOLVED)
_HAS_TOLD_OPEN = and_(IS_SENT, _SAYS_OPEN)
_IS_TELLING_OPEN = and_(IS_SENDING, _n.kind != constant(Kind.RESOLUTION))
_TOLD_OPEN_AT = func.max(case((_HAS_TOLD_OPEN, _n.finished_at)))
_TELLS_OPEN = or_(_HAS_TOLD_OPEN, _IS_TELLING_OPEN)  # that may arrive, and nothing overtakes it
_MAY_HAVE_TOLD_OPEN = or_(_IS_TELLING_OPEN, and_(~IS_SENT, _SAYS_OPEN))  # by an attempt without an answer
_BELIEVING_OPEN = (
    select(incidents.c.key, _n.channel, _n.address)
    .join_from(incidents, notifications)
    .where(incidents.c.key.in_(bindparam("keys", expanding=True)), incidents.c.id >= bindparam("first_id"))
    .group_by(incidents.c.key, _n.channel, _n.address)
    .having(func.max(_TOLD_AT) == func.max(case((_TELLS_OPEN, _TOLD_AT))))
)
_CONTACT_STATES = (
    select(
        _n.incident_id,
        _n.channel,
        _n.address,
        func.max(case((IS_PENDING, _n.id))).label("pending_id"),
        func.max(case((IS_PENDING, _n.attempts), else_=literal_column("0"))).label("pending_attempts"),
        func.max(_TOLD_AT).label("told_at"),
        func.max(case((_n.status == constant(NotificationStatus.FAILED), _n.finished_at))).label("failed_at"),
        _TOLD_OPEN_AT.label("told_open_at"),
        _number_of(_IS_UPDATE_SINCE_CHANGE).label("updates"),
        _number_of(and_(_n.kind.in_([constant(kind) for kind in CHANGES_OF_STATE]), _IS_RECENT)).label("changes"),
        _number_of(and_(_n.kind == constant(Kind.CHANGES), _IS_RECENT)).label("summaries"),
        func.max(case((_IS_RECENT, _n.severity))).label("worst"),
        func.max(case((IS_PENDING, _n.kind))).label("pending_kind"),
        func.max(case((IS_PENDING, _n.hold))).label("pending_hold"),
        func.max(case((IS_PENDING, _n.due_at))).label("pending_due_at"),
        func.max(case((IS_PENDING, _n.claimed_at))).label("pending_claimed_at"),
        func.max(_n.person).label("person"),
        func.max(case((_MAY_HAVE_TOLD_OPEN, _n.claimed_at))).label("unanswered_at"),
    )
    .join_from(notifications, incidents)
    .where(_n.incident_id.in_(bindparam("incident_ids", expanding=True)))
    .group_by(_n.incident_id, _n.channel, _n.address)
)


def notification_of(row: Row[Any]) -> Notification:
    """Return the notification that a row of COLUMNS holds."""
    return Notification(**row._asdict())


def contact_states(
    connection: Connection, incident_ids: Collection[str], since: datetime
) -> dict[tuple[str, Target], ContactState]:
    """Return the state of each contact of each incident, except contacts without any notification.

    Changes that a contact was told before `since` don't count.
    """
    if not incident_ids:
        return {}
    rows = connection.execute(_CONTACT_STATES, {"incident_ids": list(incident_ids), "since": since}).all()
    return {(incident_id, (channel, address)): ContactState(*rest) for incident_id, channel, address, *rest in rows}


def believing_open(connection: Connection, keys: Collection[str], since: datetime) -> set[tuple[str, Target]]:
    """Return the incident keys with the contacts that were last told, since then, or are being told that they are open.

    A contact's state is about one incident. This is about all with a key: a contact may know of an earlier one only.
    """
    if not keys:
        return set()
    rows = connection.execute(_BELIEVING_OPEN, {"keys": list(keys), "first_id": first_id(since)})
    return {(key, (channel, address)) for key, channel, address in rows}


def add(connection: Connection, new: Sequence[Notification]) -> None:
    """Store new notifications. Raises IntegrityError if one is pending for the same incident and contact."""
    insert_rows(connection, notifications, new)


@dataclass(frozen=True, slots=True)
class Expedited:
    """A pending notification that has become more urgent."""

    id: str
    severity: Severity
    due_at: datetime | None = None
    """The new due time; None keeps the old one."""
    kind: Kind | None = None
    """The new kind, unless it is the first news of the incident, which stays one."""
    hold: Hold | None = None
    """What it waits for until the new due time."""
    reason: str = ""
    """Why it has the new kind."""


def expedite(connection: Connection, expedited: Sequence[Expedited]) -> None:
    """Give pending notifications their new severity and kind, and make them due at the new time if that is earlier.

    What begins to be critical leaves a digest that wasn't claimed yet: it doesn't wait for that one's turn.
    """
    for each in expedited:
        values: dict[str, Any] = {"severity": each.severity}
        if each.severity is Severity.CRITICAL and each.kind in BEGINNINGS:
            values["digest_id"] = case((_n.claimed_at.is_(None), null()), else_=_n.digest_id)
        if each.kind:
            is_first = _n.kind.in_(sorted(FIRST_NEWS))
            values["kind"] = case((is_first, _n.kind), else_=each.kind)
            values["reason"] = case((is_first, _n.reason), else_=each.reason) if each.reason else _n.reason
        if each.due_at:
            is_earlier = _n.due_at < each.due_at
            values["hold"] = case((is_earlier, _n.hold), else_=literal(each.hold, _n.hold.type))
            values["due_at"] = case((is_earlier, _n.due_at), else_=literal(each.due_at, _n.due_at.type))
        connection.execute(update(notifications).where(_n.id == each.id, IS_PENDING).values(**values))


def get(connection: Connection, notification_id: str) -> Notification | None:
    """Return one notification, or None."""
    row = connection.execute(select(*COLUMNS).where(_n.id == notification_id)).one_or_none()
    return notification_of(row) if row else None


def of_incident(connection: Connection, incident_id: str) -> list[Notification]:
    """Return an incident's notifications, oldest first."""
    query = select(*COLUMNS).where(_n.incident_id == incident_id).order_by(_n.id)
    return [notification_of(row) for row in connection.execute(query)]


def newest_of(connection: Connection, incident_id: str, most: int) -> list[Notification]:
    """Return an incident's newest notifications, oldest first, at most so many."""
    query = select(*COLUMNS).where(_n.incident_id == incident_id).order_by(_n.id.desc()).limit(most)
    return [notification_of(row) for row in connection.execute(query)][::-1]


def number_of(connection: Connection, incident_id: str) -> int:
    """Return how many notifications an incident has."""
    query = select(func.count()).select_from(notifications).where(_n.incident_id == incident_id)
    return int(connection.execute(query).scalar_one())


def page(
    connection: Connection, wanted: WantedNotifications, before: str | None, limit: int, *, outstanding: bool = False
) -> list[Notification]:
    """Return the newest `limit` notifications that match, newest first; with `before`, those older than that id."""
    query = select_page(notifications, wanted, before, limit).with_only_columns(*COLUMNS)
    rows = connection.execute(query.where(IS_OUTSTANDING) if outstanding else query)
    return [notification_of(row) for row in rows]


def pending_to(connection: Connection, incident_id: str, target: Target) -> str | None:
    """Return the id of the pending notification to a contact about an incident, or None."""
    channel, address = target
    query = select(_n.id).where(_n.incident_id == incident_id, _n.channel == channel, _n.address == address, IS_PENDING)
    return connection.execute(query).scalar_one_or_none()


def restart(connection: Connection, given_up: Notification, credential: Credential, now: datetime) -> Notification:
    """Make a failed notification pending, due now and without attempts; return it.

    Raises IntegrityError if another one is pending for the same incident and contact.
    """
    if given_up.status is not NotificationStatus.FAILED:
        raise ValueError(f"a notification that is {given_up.status} can't be retried")
    fresh: dict[str, Any] = {
        "channel": given_up.channel,
        "address": given_up.address,  # the secret that held it may have been set meanwhile
        "status": NotificationStatus.PENDING,
        "due_at": now,
        "retry_since": now,
        "attempts": 0,
        "finished_at": None,
        "digest_id": None,  # it goes alone; the other members failed too, or were sent
        "dismissed_at": None,
        "dismissed_by": None,
        "dismissed_with": None,
        "retried_with": credential,
        "superseded_by": None,
    }
    connection.execute(update(notifications).where(_n.id == given_up.id).values(**fresh))
    return replace(given_up, **fresh)


def cancel(connection: Connection, incident_id: str, reason: str, now: datetime) -> int:
    """Cancel the pending notifications about an incident; return how many."""
    return _cancel(connection, _n.incident_id == incident_id, reason=reason, now=now)


def cancel_one(connection: Connection, notification_id: str, reason: str, now: datetime) -> None:
    """Cancel a pending notification."""
    _cancel(connection, _n.id == notification_id, reason=reason, now=now)


def cancel_untold(connection: Connection, incident_id: str, reason: str, now: datetime) -> int:
    """Cancel what is pending or failed about an incident to the contacts that were told nothing of it.

    A failure that somebody has dismissed stays as it is. Return how many were cancelled.
    """
    other = notifications.alias().c
    told = exists().where(
        other.incident_id == _n.incident_id,
        other.channel == _n.channel,
        other.address == _n.address,
        other.status.in_([constant(each) for each in (NotificationStatus.SENDING, NotificationStatus.SENT)]),
    )
    unsaid = or_(IS_PENDING, IS_OUTSTANDING)
    which = (_n.incident_id == incident_id, unsaid, ~told)
    cancelled = {"status": NotificationStatus.CANCELLED, "finished_at": now, "reason": reason}
    return connection.execute(update(notifications).where(*which).values(**cancelled)).rowcount


def superseded_by(incident_id: str) -> str:
    """Return why a notification isn't needed, as a sentence: its incident is over, and the same thing fired again."""
    return f"incident {incident_id} has the same key and is newer, and is told instead"


def cancel_superseded(connection: Connection, returning: Notification, now: datetime) -> None:
    """Cancel what was planned for the same contact meanwhile: `returning` is rendered again and includes it."""
    same_place = (
        _n.incident_id == returning.incident_id,
        _n.channel == returning.channel,
        _n.address == returning.address,
    )
    _cancel(connection, *same_place, reason=SUPERSEDED.format(by=returning.id), now=now)


def _cancel(connection: Connection, *which: ColumnElement[bool], reason: str, now: datetime) -> int:
    cancelled = {"status": NotificationStatus.CANCELLED, "finished_at": now, "reason": reason}
    return connection.execute(update(notifications).where(*which, IS_PENDING).values(**cancelled)).rowcount
