"""Bounded search in the lists of alerts and incidents, newest first, by id.

What an index finds (a time, a device, a status) is found among all rows. What only reading a row can tell (a text, a
pattern, a severity) is looked for in the newest so many of those, and the answer says where that ended: a search among
a million alerts takes no longer than one among a few thousand, and can be continued.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Subquery,
    Table,
    Text,
    exists,
    func,
    or_,
    select,
    type_coerce,
)

from alertgate.model import Alert, AlertStatus, Incident, IncidentStatus, Severity
from alertgate.store import incidents as incident_rows
from alertgate.store.column_types import AnyText
from alertgate.store.open_incidents import alerts_of
from alertgate.store.pages import Between, first_id
from alertgate.store.tables import alerts, constant, incidents

LATEST = 5
"""Alerts of an incident, the newest, in whose words a text is looked for."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How many rows are read for one page at most."""

    rows: int = 5000
    alerts: int = 2000
    """Where a text is looked for in their words."""
    incidents: int = 500
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
    words = _WORDS if sought.text else ()
    columns = [alerts.c[name] for name in ("id", "device", "event", "severity", "status", *words)]
    index = next((rule for rule in _indexed_alerts(sought) if rule is not None), None)
    examined = _examined(select(*columns), alerts, index, sought, before, reach.alerts if sought.text else reach.rows)
    said = [_says(examined.c, sought.text)] if sought.text else []
    ids, older, is_cut = _page(connection, examined, [*_rules(examined, sought), *said], limit)
    by_id = alerts_of(connection, ids)
    return Found([by_id[each] for each in ids if each in by_id], older, is_cut)


def find_incidents(
    connection: Connection, sought: Sought, before: str | None, limit: int, reach: Reach = REACH
) -> Found[Incident]:
    """Return a page of incidents. A text is looked for in their events and in the words of their latest alerts."""
    columns = [incidents.c[name] for name in ("id", "device", "event", "severity", "status")]
    index = next((rule for rule in _indexed_incidents(sought) if rule is not None), None)
    examined = _examined(
        select(*columns), incidents, index, sought, before, reach.incidents if sought.text else reach.rows
    )
    said = [_is_said(examined, sought.text)] if sought.text else []
    ids, older, is_cut = _page(connection, examined, [*_rules(examined, sought), *said], limit)
    by_id = incident_rows.by_id(connection, ids)
    return Found([by_id[each] for each in ids if each in by_id], older, is_cut)


_CAPITALS = str.maketrans(ascii_uppercase, ascii_lowercase)
_WORDS = ("message", "data", "fields")
"""The columns of an alert in which a text is looked for."""


class Examined(NamedTuple):
    """The newest rows that an index finds, and how many there can be."""

    c: Any
    rows: Subquery
    most: int


def _indexed_alerts(sought: Sought) -> Iterator[Rule | None]:
    yield alerts.c.incident_id == sought.incident if sought.incident else None
    yield alerts.c.device == sought.device if sought.device else None
    yield alerts.c.event == sought.event if sought.event and not sought.pattern else None
    # As literal SQL: the index has quarantined alerts alone.
    is_rare = sought.status is AlertStatus.QUARANTINED
    yield alerts.c.status == constant(AlertStatus.QUARANTINED) if is_rare else None


def _indexed_incidents(sought: Sought) -> Iterator[Rule | None]:
    yield incidents.c.device == sought.device if sought.device else None
    yield incidents.c.status == constant(sought.status) if sought.status else None


def _examined(
    query: Select[Any], table: Table, index: Rule | None, sought: Sought, before: str | None, most: int
) -> Examined:
    row_id = table.c.id
    if index is not None:
        query = query.where(index)
    if sought.since:
        query = query.where(row_id >= first_id(sought.since))
    if sought.until:
        query = query.where(row_id < first_id(sought.until))
    if before:
        query = query.where(row_id < before)
    rows = query.order_by(row_id.desc()).limit(most).subquery("examined")
    return Examined(rows.c, rows, most)


def _rules(examined: Examined, sought: Sought) -> Iterator[Rule]:
    """Yield what else must hold; what an index has found already holds again, and costs nothing."""
    if sought.device:
        yield examined.c.device == sought.device
    if sought.pattern:
        yield func.lower(type_coerce(examined.c.event, Text)).like(_like(sought.pattern), escape="\\")
    elif sought.event:
        yield examined.c.event == sought.event
    if sought.severity:
        yield examined.c.severity == sought.severity
    if sought.status:
        yield examined.c.status == sought.status


def _like(pattern: str) -> str:
    """Return a pattern of events as one of LIKE."""
    return _quoted(AnyText.to_database(pattern.lower())).replace("*", "%").replace("?", "_")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _is_said(examined: Examined, text: str) -> Rule:
    """Return whether an incident's event, or one of its latest alerts, says a text."""
    words = select(*(alerts.c[name] for name in ("event", *_WORDS))).where(alerts.c.incident_id == examined.c.id)
    newest = words.order_by(alerts.c.id.desc()).limit(LATEST).correlate(examined.rows).subquery("newest")
    is_named = _contains(examined.c.event, text, AnyText.to_database)
    return or_(is_named, exists(select(1).select_from(newest).where(_says(newest.c, text)).correlate(examined.rows)))


def _says(columns: Any, text: str) -> Rule:
    """Return whether an alert says a text: its data and its other fields are JSON in ASCII."""
    in_json = (_contains(columns[name], text, _json) for name in ("data", "fields"))
    return or_(*(_contains(columns[name], text, AnyText.to_database) for name in ("event", "message")), *in_json)


def _json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _contains(column: ColumnElement[Any], text: str, stored: Callable[[str], str]) -> Rule:
    """Return whether a column has a text, as it is stored. Not all databases know the case of other than ASCII."""
    written = [stored(each) for each in (text, text.lower(), text.upper(), text.title())]
    spellings = dict.fromkeys(lower(each) for each in written for lower in (str.lower, _ascii_lower))
    lower = func.lower(type_coerce(column, Text))
    return or_(*(lower.like(f"%{_quoted(each)}%", escape="\\") for each in spellings))


def _ascii_lower(text: str) -> str:
    return text.translate(_CAPITALS)


def _page(
    connection: Connection, examined: Examined, rules: Sequence[Rule], limit: int
) -> tuple[list[str], str | None, bool]:
    """Return the ids of a page, where the next one begins, and whether the search ended before the page was full."""
    row_id = examined.c.id
    query = select(row_id).where(*rules).order_by(row_id.desc()).limit(limit + 1)
    ids = list(connection.execute(query).scalars())
    if len(ids) > limit:
        return ids[:limit], ids[limit - 1], False
    if not rules:
        return ids, None, False
    oldest, number = connection.execute(select(func.min(row_id), func.count(row_id))).one()
    is_cut = number == examined.most
    return ids, oldest if is_cut else None, is_cut
