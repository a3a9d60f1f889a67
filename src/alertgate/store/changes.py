"""How often each topic was changed, so that a page can be told that it is out of date.

What a transaction changes is known by the tables of its statements. On SQLite this process counts its own transactions
for nothing; those of other processes, which are commands, show in `PRAGMA data_version`, without their topics. On
PostgreSQL each transaction counts in the table `changes`, one row for a topic: LISTEN doesn't work through a pooler in
transaction mode, and most changes of a row raise no id that could be asked for. It counts without a console, too, as
another replica may show one.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from functools import cache
from threading import Lock
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Engine, Insert, event, select
from sqlalchemy.dialects import postgresql

from alertgate.store import device_tables, hourly_tables, session_tables, tables
from alertgate.topic import Topic

_DEVICES = frozenset({Topic.DEVICES})
_SESSIONS = frozenset({Topic.SESSIONS})
TOPICS: Mapping[str, frozenset[Topic]] = MappingProxyType(
    {
        tables.alerts.name: frozenset({Topic.ALERTS}),
        tables.incidents.name: frozenset({Topic.INCIDENTS}),
        tables.escalations.name: frozenset({Topic.INCIDENTS}),
        tables.notifications.name: frozenset({Topic.INCIDENTS, Topic.CHANNELS, Topic.PEOPLE}),
        tables.attempts.name: frozenset({Topic.INCIDENTS, Topic.CHANNELS, Topic.PEOPLE}),
        tables.silences.name: frozenset({Topic.SILENCES, Topic.INCIDENTS}),
        tables.policy.name: frozenset({Topic.PEOPLE, Topic.CHANNELS}),
        hourly_tables.hourly.name: frozenset({Topic.ALERTS}),
        device_tables.devices.name: _DEVICES,
        device_tables.vitals.name: _DEVICES,
        device_tables.downtimes.name: _DEVICES,
        hourly_tables.hourly.name: frozenset({Topic.PLOTS}),
        session_tables.sessions.name: _SESSIONS,
        session_tables.sign_ins.name: _SESSIONS,
    }
)
"""What a row of each table is about. Leases, probes and the like are about nothing that is shown."""
NOTHING: frozenset[Topic] = frozenset()
_KEY = "alertgate_changed"
_BEFORE = "alertgate_total_changes"

Marks = Mapping[Topic, object]
"""One mark for each topic, which differs from that of before if the topic was changed meanwhile."""


def watch(engine: Engine) -> None:
    """Note from now on what the statements of an engine change."""
    is_sqlite = engine.dialect.name == "sqlite"

    @event.listens_for(engine, "after_execute")
    def _executed(connection: Connection, statement: Any, _: Any, __: Any, ___: Any, result: Any) -> None:
        if not statement.is_dml:
            return
        # SQLite knows how many rows a statement with RETURNING changed only after they were read.
        if (about := TOPICS.get(statement.table.name)) and (result.rowcount or (is_sqlite and result.returns_rows)):
            connection.info.setdefault(_KEY, set()).update(about)


def begin(connection: Connection) -> None:
    """Begin anew: nothing was changed by this transaction."""
    connection.info[_KEY] = set()
    connection.info[_BEFORE] = _total(connection)


def made(connection: Connection) -> frozenset[Topic]:
    """Return what the open transaction has changed so far."""
    if connection.dialect.name == "sqlite" and connection.info.get(_BEFORE) == _total(connection):
        return NOTHING
    return frozenset(connection.info.get(_KEY, ()))


def _total(connection: Connection) -> int | None:
    """Return how many rows an SQLite connection has ever changed."""
    total: int | None = getattr(connection.connection.driver_connection, "total_changes", None)
    return total


def count(connection: Connection, topics: Collection[Topic]) -> None:
    """Count a change of each topic, in a transaction on PostgreSQL, which commits it with what was changed."""
    if topics:
        connection.execute(_counted(), [{"topic": topic, "number": 1} for topic in sorted(topics)])


@cache
def _counted() -> Insert:
    statement = postgresql.insert(tables.changes)
    return statement.on_conflict_do_update(
        index_elements=["topic"], set_={"number": tables.changes.c.number + 1}
    ).returning(tables.changes.c.topic)  # with RETURNING it is one statement (see rows.py)


_NUMBERS = select(tables.changes.c.topic, tables.changes.c.number)


def counted(connection: Connection) -> Marks:
    """Return how often each topic was changed, on PostgreSQL by any process."""
    numbers = {row.topic: row.number for row in connection.execute(_NUMBERS)}
    return {topic: numbers.get(topic, 0) for topic in Topic}


def version(connection: Connection) -> int:
    """Return a number that differs from that of before if another process has changed an SQLite database.

    It doesn't count what the same connection changed, so ask the one that writes.
    """
    number: int = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
    return number


class OwnChanges:
    """How often this process changed each topic. The writer's thread counts, others read."""

    def __init__(self) -> None:
        self._numbers: Counter[Topic] = Counter()
        self._lock = Lock()

    def count(self, topics: Collection[Topic]) -> None:
        """Count a change of each topic."""
        with self._lock:
            self._numbers.update(topics)

    def marks(self, elsewhere: object) -> Marks:
        """Return the numbers, each beside what stands for the changes of other processes."""
        with self._lock:
            return {topic: (self._numbers[topic], elsewhere) for topic in Topic}
