"""Queries of an export: incidents in the order of their opening, and their notifications, a part at a time."""

from dataclasses import fields
from datetime import datetime

from sqlalchemy import Connection, select, tuple_

from alertgate.model import Incident, Notification
from alertgate.store.notifications import COLUMNS, notification_of
from alertgate.store.pages import first_id
from alertgate.store.tables import incidents, notifications

_i, _n = incidents.c, notifications.c
_COLUMNS = [_i[field.name] for field in fields(Incident)]


def opened(
    connection: Connection, since: datetime | None, until: datetime, after: str, most: int, *, begun: bool
) -> list[Incident]:
    """Return the first incidents that were opened in a time and whose ids are above `after`; if `begun`, from it on."""
    query = select(*_COLUMNS).where(_i.id >= after if begun else _i.id > after, _i.id < first_id(until))
    if since:
        query = query.where(_i.id >= first_id(since))
    return [Incident(*row) for row in connection.execute(query.order_by(_i.id).limit(most))]


def sent(
    connection: Connection, first_incident: str, last_incident: str, after: tuple[str, str], most: int
) -> list[Notification]:
    """Return the first notifications about the incidents from one to another, above a pair of their ids."""
    place = tuple_(_n.incident_id, _n.id)
    query = select(*COLUMNS).where(_n.incident_id.between(first_incident, last_incident), place > tuple_(*after))
    rows = connection.execute(query.order_by(_n.incident_id, _n.id).limit(most))
    return [notification_of(row) for row in rows]
