"""Statements on the path of every request, made ready once: their SQL, and how each value is kept.

For one execution SQLAlchemy does more work than the database (docs/benchmarks.md). Here its compiler and its types do
theirs once for each database; an execution then is a plain call of the driver: SQLite's own where it is that, for even
SQLAlchemy's short way to it costs several times what such a statement does.
"""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, Dialect, Insert, Select, Update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from alertgate.store.tables import Convert


def run(connection: Connection, sql: str, parameters: Any = (), *, many: bool = False) -> Sequence[Any]:
    """Execute SQL as the driver wants it; return the rows, if it gives any. Raises DBAPIError, as SQLAlchemy does."""
    if connection.dialect.name != "sqlite":
        result = connection.exec_driver_sql(sql, parameters or None)
        return result.all() if result.returns_rows else ()
    driver = cast("sqlite3.Connection", connection.connection.driver_connection)
    try:
        return driver.executemany(sql, parameters).fetchall() if many else driver.execute(sql, parameters).fetchall()
    except sqlite3.Error as error:
        raise DBAPIError.instance(sql, None, error, sqlite3.Error, hide_parameters=True) from error


class _Read(NamedTuple):
    compiled: Any
    given: Convert | None
    """How a value of the list is kept."""
    found: list[tuple[int, Convert]]
    """How the value at a place in a row is read, where it needs that."""
    texts: dict[int, tuple[str, Sequence[str]]]
    """The SQL and the parameters' names for each length of the list."""


class ReadyQuery:
    """A SELECT with one parameter: the list `these`.

    A list is filled up to a power of two with its own first value, so that few texts of SQL serve every length.
    """

    def __init__(self, statement: Select[Any]) -> None:
        self._statement = statement
        self._ready: dict[str, _Read] = {}

    def rows(self, connection: Connection, these: Collection[Any]) -> list[list[Any]]:
        """Return the selected columns' values, row by row; nothing for an empty list."""
        if not these:
            return []
        ready = self._ready.get(connection.dialect.name) or self._prepare(connection.dialect)
        values = list(map(ready.given, these)) if ready.given else list(these)
        values += values[:1] * ((1 << (len(values) - 1).bit_length()) - len(values))
        sql, names = ready.texts.get(len(values)) or _text(ready, len(values))
        parameters = tuple(values) if ready.compiled.positional else dict(zip(names, values, strict=True))
        rows = list(map(list, run(connection, sql, parameters)))
        for row in rows:
            for at, convert in ready.found:
                row[at] = convert(row[at])
        return rows

    def _prepare(self, dialect: Dialect) -> _Read:
        compiled = self._statement.compile(dialect=dialect)
        [these] = compiled.bind_names
        found = [column.type.result_processor(dialect, None) for column in self._statement.selected_columns]
        ready = _Read(
            compiled,
            _kept(these.type, dialect),
            [(at, convert) for at, convert in enumerate(found) if convert],
            {},
        )
        self._ready[dialect.name] = ready
        return ready


def _text(ready: _Read, length: int) -> tuple[str, Sequence[str]]:
    state = ready.compiled.construct_expanded_state({"these": [None] * length})
    ready.texts[length] = (state.statement, list(state.parameters))
    return ready.texts[length]


class _Write(NamedTuple):
    sql: str
    names: Sequence[str] | None
    """Where the driver wants names: psycopg does, SQLite's doesn't."""
    values: Callable[[Any], tuple[Any, ...]]
    kept: list[tuple[int, Convert]]
    """How the value at a place is kept, where it needs that."""


class ReadyWrite:
    """An INSERT or UPDATE for many objects at once. Each parameter is named as an attribute, or that after `b_`."""

    def __init__(self, statement: Insert | Update) -> None:
        self._statement = statement
        self._ready: dict[str, _Write] = {}

    def run(self, connection: Connection, objects: Sequence[Any]) -> None:
        """Write them all. Raises IntegrityError where one can't be."""
        if not objects:
            return
        ready = self._ready.get(connection.dialect.name) or self._prepare(connection.dialect)
        parameters = [_parameters(ready, each) for each in objects]
        if ready.names is None and len(parameters) > 1:
            run(connection, ready.sql, parameters, many=True)
            return
        # psycopg would send many at once in pipeline mode, and end that with a Flush. After it PostgreSQL no longer
        # watches for an idle transaction: a replica that freezes just then would hold the write lock for ever.
        for each in parameters:
            run(connection, ready.sql, each)

    def _prepare(self, dialect: Dialect) -> _Write:
        compiled: Any = self._statement.compile(dialect=dialect)
        types = {name: parameter.type for parameter, name in compiled.bind_names.items()}
        names = list(compiled.positiontup if compiled.positional else types)
        kept = [_kept(types[name], dialect) for name in names]
        ready = _Write(
            compiled.string,
            None if compiled.positional else names,
            attrgetter(*(name.removeprefix("b_") for name in names)),
            [(at, convert) for at, convert in enumerate(kept) if convert],
        )
        self._ready[dialect.name] = ready
        return ready


def _parameters(ready: _Write, each: Any) -> Any:
    values = list(ready.values(each))
    for at, convert in ready.kept:
        values[at] = convert(values[at])
    return tuple(values) if ready.names is None else dict(zip(ready.names, values, strict=True))


def _kept(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    convert: Convert | None = kind.dialect_impl(dialect).bind_processor(dialect)
    return convert
