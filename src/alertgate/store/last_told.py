"""Queries on what became of the last messages to contacts."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, String, Subquery, and_, column, or_, select, values

from alertgate.model import Attempt, Notification, NotificationStatus, Target
from alertgate.proof import Proof
from alertgate.store import attempts
from alertgate.store.column_types import AnyText
from alertgate.store.notifications import COLUMNS, notification_of
from alertgate.store.rows import portions
from alertgate.store.tables import constant, notifications

LOOKED_AT = 20
"""The last messages to a contact among which one that was proved is looked for: a contact may have had very many."""
_n = notifications.c
_LOOKED = (_n.id, _n.status, _n.proof, _n.attempts, _n.claimed_at)


class LastTold(NamedTuple):
    """What became of the last messages to a contact."""

    last: Notification
    """The last that was tried."""
    attempt: Attempt | None
    """The last attempt at that."""
    sent: Notification | None
    """The last that its server took."""
    proved: Notification | None
    """The last of which its service proved more than that."""


def last_told(connection: Connection, targets: Sequence[Target]) -> dict[Target, LastTold]:
    """Return what became of the last messages to these contacts; a contact that nothing was sent to isn't in it."""
    if not targets:
        return {}
    found = [row for row in connection.execute(_query(targets)) if row.last]
    ids = {id_ for row in found for id_ in (row.last, row.sent, row.proved) if id_}
    by_id = _by_id(connection, ids)
    tried = attempts.last(connection, [row.last for row in found])
    return {
        (by_id[row.last].channel, by_id[row.last].address): LastTold(
            by_id[row.last], tried.get(row.last), by_id.get(row.sent), by_id.get(row.proved)
        )
        for row in found
    }


def _query(targets: Sequence[Target]) -> Select[str | None, str | None, str | None]:
    """Return the query for the ids of each contact's newest message of each kind."""
    rows = [(str(channel), address) for channel, address in targets]
    contacts = values(column("channel", String), column("address", AnyText), name="contacts").data(rows).cte("contacts")
    about = (_n.channel == contacts.c.channel, _n.address == contacts.c.address, _n.claimed_at.is_not(None))
    latest = select(*_LOOKED).where(*about).order_by(_n.claimed_at.desc()).limit(LOOKED_AT).correlate(contacts)

    def newest(name: str, is_one: Callable[[Subquery], ColumnElement[bool]]) -> ColumnElement[str | None]:
        some = latest.subquery(f"to_{name}")
        found = select(some.c.id).where(is_one(some)).order_by(some.c.claimed_at.desc()).limit(1)
        return found.correlate(contacts).scalar_subquery().label(name)

    return select(newest("last", _is_tried), newest("sent", _is_sent), newest("proved", _is_proved)).select_from(
        contacts
    )


def _is_sent(some: Subquery) -> ColumnElement[bool]:
    return some.c.status == constant(NotificationStatus.SENT)


def _is_proved(some: Subquery) -> ColumnElement[bool]:
    return and_(_is_sent(some), some.c.proof.is_not(None), some.c.proof != constant(Proof.SENT))


def _is_tried(some: Subquery) -> ColumnElement[bool]:
    return or_(some.c.attempts > 0, some.c.status == constant(NotificationStatus.FAILED), _is_sent(some))


def _by_id(connection: Connection, ids: set[str]) -> dict[str, Notification]:
    found = (connection.execute(select(*COLUMNS).where(_n.id.in_(some))) for some in portions(ids))
    return {row.id: notification_of(row) for rows in found for row in rows}
