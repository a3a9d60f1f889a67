"""Bounded search in the lists of alerts and incidents, newest first, by id.

What an index finds (a time, a device, a status) is found among all rows. What only reading a row can tell (a text, a
pattern, a severity) is looked for in the newest so many of those, and the answer says where that ended: a search among
a million alerts takes no longer than one among a few thousand, and can be continued.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Subquery,
    Text,
    exists,
    func,
    or_,
    select,
    type_coerce,
)

from alertgate.model import Alert, AlertStatus, Incident, IncidentStatus, Severity
from alertgate.store import alerts as alert_rows
from alertgate.store import incidents as incident_rows
from alertgate.store.column_types import AnyText
from alertgate.store.contains import contains, spellings
from alertgate.store.pages import Between, first_id
from alertgate.store.tables import alerts, constant, incidents

LATEST = 5
"""Alerts of an incident, the newest, in whose words a text is looked for."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How many rows are read for one page at most."""

    rows: int = 3000
    alerts: int = 1500
    """Where a text is looked for in their words."""
    incidents: int = 300
    """Where it is looked for in the words of their alerts."""


REACH = Reach()
Row = TypeVar("Row")
Rule = ColumnElement[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought(Between):
    """What is looked for; None means any."""

    device: str | None = None
    incident: str | None = None
    """The incident of an alert."""
    event: str | None = None
    """The event's whole name, or a pattern: `*` stands for anything, `?` for one character, and case doesn't matter."""
    severity: Severity | None = None
    status: AlertStatus | IncidentStatus | None = None
    text: str | None = None
    """In any case of its letters."""

    @property
    def pattern(self) -> str | None:
        """The event, if it is a pattern."""
        return self.event if self.event and ("*" in self.event or "?" in self.event) else None


@dataclass(frozen=True, slots=True)
class Found(Generic[Row]):
    """One page of what was found, newest first."""

    items: list[Row]
    older: str | None = None
    """Older than this id is the next page; None if there is nothing more."""
    is_cut: bool = False
    """Whether the search ended at `older` without having found a whole page: it can go on from there."""


def find_alerts(
    connection: Connection, sought: Sought, before: str | None, limit: int, reach: Reach = REACH
) -> Found[Alert]:
    """Return a page of alerts."""
    columns = [alerts.c[name] for name in ("id", "device", "event", "severity", "status")]
    columns += [alerts.c[name] for name in _WORDS if sought.text]
    most = reach.alerts if sought.text else reach.rows
    examined = _examined(select(*columns), _indexed_alerts(sought), sought, before, most)
    said = [_says(examined.c, sought.text)] if sought.text else []
    ids, older, is_cut = _page(connection, examined, [*_rules(examined, sought), *said], limit)
    by_id = alert_rows.by_id(connection, ids)
    return Found([by_id[each] for each in ids if each in by_id], older, is_cut)


def find_incidents(
    connection: Connection, sought: Sought, before: str | None, limit: int, reach: Reach = REACH
) -> Found[Incident]:
    """Return a page of incidents. A text is looked for in their events and in the words of their latest alerts."""
    columns = [incidents.c[name] for name in ("id", "device", "event", "severity", "status")]
    most = reach.incidents if sought.text else reach.rows
    examined = _examined(select(*columns), _indexed_incidents(sought), sought, before, most)
    said = [_is_said(examined, sought.text)] if sought.text else []
    ids, older, is_cut = _page(connection, examined, [*_rules(examined, sought), *said], limit)
    by_id = incident_rows.by_id(connection, ids)
    return Found([by_id[each] for each in ids if each in by_id], older, is_cut)


_WORDS = ("message", "data", "fields")
"""The columns of an alert in which a text is looked for."""


class Examined(NamedTuple):
    """The newest rows that an index finds, and how many there can be."""

    query: Select[Any]
    """Of all of them, newest first."""
    rows: Subquery
    c: Any
    by: str | None
    """The filter that the index has."""
    most: int


def _indexed_alerts(sought: Sought) -> Iterator[tuple[str, Rule]]:
    """Yield what an index finds, the best one first."""
    if sought.incident:
        yield "incident", alerts.c.incident_id == sought.incident
    if sought.device:
        yield "device", alerts.c.device == sought.device
    if sought.status is AlertStatus.QUARANTINED:  # as literal SQL: the index has these alone
        yield "status", alerts.c.status == constant(AlertStatus.QUARANTINED)
    if sought.event and not sought.pattern:
        yield "event", alerts.c.event == sought.event


def _indexed_incidents(sought: Sought) -> Iterator[tuple[str, Rule]]:
    if sought.device:
        yield "device", incidents.c.device == sought.device
    if sought.status:
        yield "status", incidents.c.status == constant(sought.status)


def _examined(
    query: Select[Any], indexed: Iterator[tuple[str, Rule]], sought: Sought, before: str | None, most: int
) -> Examined:
    row_id, (by, index) = query.selected_columns.id, next(indexed, (None, None))
    if index is not None:
        query = query.where(index)
    if sought.since:
        query = query.where(row_id >= first_id(sought.since))
    if sought.until:
        query = query.where(row_id < first_id(sought.until))
    if before:
        query = query.where(row_id < before)
    query = query.order_by(row_id.desc())
    rows = query.limit(most).subquery("examined")
    return Examined(query, rows, rows.c, by, most)


def _rules(examined: Examined, sought: Sought) -> Iterator[Rule]:
    """Yield what else must hold than what the index has found."""
    columns, by = examined.c, examined.by
    if sought.device and by != "device":
        yield columns.device == sought.device
    if sought.pattern:
        event = func.lower(type_coerce(columns.event, Text))
        patterns = map(_like, spellings(sought.pattern, AnyText.to_database))
        yield or_(*(event.like(each, escape="\\") for each in patterns))
    elif sought.event and by != "event":
        yield columns.event == sought.event
    if sought.severity:
        yield columns.severity == sought.severity
    if sought.status and by != "status":
        yield columns.status == sought.status


def _like(pattern: str) -> str:
    """Return a pattern of events as one of LIKE."""
    quoted = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return quoted.replace("*", "%").replace("?", "_")


def _is_said(examined: Examined, text: str) -> Rule:
    """Return whether an incident's event, or one of its latest alerts, says a text."""
    words = select(*(alerts.c[name] for name in ("event", *_WORDS))).where(alerts.c.incident_id == examined.c.id)
    newest = words.order_by(alerts.c.id.desc()).limit(LATEST).correlate(examined.rows).subquery("newest")
    is_named = contains(examined.c.event, text, AnyText.to_database)
    return or_(is_named, exists(select(1).select_from(newest).where(_says(newest.c, text)).correlate(examined.rows)))


def _says(columns: Any, text: str) -> Rule:
    """Return whether an alert says a text: its data and its other fields are JSON in ASCII."""
    in_json = (contains(columns[name], text, _json) for name in ("data", "fields"))
    return or_(*(contains(columns[name], text, AnyText.to_database) for name in ("event", "message")), *in_json)


def _json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _page(
    connection: Connection, examined: Examined, rules: Sequence[Rule], limit: int
) -> tuple[list[str], str | None, bool]:
    """Return the ids of a page, where the next one begins, and whether the search ended before the page was full."""
    if not rules:  # all that an index finds: no row is read in vain
        every = list(connection.execute(examined.query.limit(limit + 1)).scalars())
        return every[:limit], every[limit - 1] if len(every) > limit else None, False
    row_id = examined.c.id
    ids = list(connection.execute(select(row_id).where(*rules).order_by(row_id.desc()).limit(limit + 1)).scalars())
    if len(ids) > limit:
        return ids[:limit], ids[limit - 1], False
    oldest, number = connection.execute(select(func.min(row_id), func.count(row_id))).one()
    is_cut = number == examined.most
    return ids, oldest if is_cut else None, is_cut
