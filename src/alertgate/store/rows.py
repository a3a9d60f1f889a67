"""Many rows in one statement, on both databases, and lists too long for one.

Without RETURNING, SQLAlchemy hands many rows to psycopg's `executemany`, which sends them one by one in pipeline mode
and ends that with a Flush message. After a Flush PostgreSQL no longer watches for an idle transaction: a replica that
freezes just then would hold the write lock until it wakes (docs/adr/0012). With RETURNING, SQLAlchemy makes one INSERT
of many rows ("insertmanyvalues" in its documentation).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Insert, Table, insert
from sqlalchemy.dialects import postgresql, sqlite

AT_ONCE = 1000
"""How many ids one statement has at most. SQLite takes 32,766 values in one, PostgreSQL 65,535."""
UPSERTS: Mapping[str, Any] = MappingProxyType({"sqlite": sqlite.insert, "postgresql": postgresql.insert})
"""The INSERT of each database that has `on_conflict_do_update`."""


def portions(ids: Collection[str]) -> Iterator[list[str]]:
    """Return ids in portions, each for one statement."""
    all_ids = list(ids)
    return (all_ids[start : start + AT_ONCE] for start in range(0, len(all_ids), AT_ONCE))


def insert_rows(connection: Connection, table: Table, new: Sequence[Any]) -> None:
    """Store new dataclass instances whose fields are named like the table's columns. Raises IntegrityError."""
    if new:
        connection.execute(_insert(table), parameters(new))


def insert_new_rows(connection: Connection, table: Table, rows: Sequence[Any]) -> Sequence[str]:
    """Store the rows whose ids aren't stored yet; return those ids."""
    if not rows:
        return []
    return connection.execute(_insert_new(table, connection.dialect.name), parameters(rows)).scalars().all()


def update_rows(connection: Connection, table: Table, changed: Sequence[Any], columns: Collection[str]) -> None:
    """Update these columns of stored rows; `changed` are whole dataclass instances."""
    if changed:
        connection.execute(_upsert(table, connection.dialect.name, tuple(columns)), parameters(changed))


@cache
def _insert(table: Table) -> Insert:
    return insert(table).returning(table.c.id)


@cache
def _insert_new(table: Table, dialect: str) -> Insert:
    statement: Insert = UPSERTS[dialect](table).on_conflict_do_nothing(index_elements=["id"]).returning(table.c.id)
    return statement


@cache
def _upsert(table: Table, dialect: str, columns: tuple[str, ...]) -> Insert:
    """An INSERT whose rows all exist, so that each becomes an UPDATE: one statement for many rows in both databases."""
    statement = UPSERTS[dialect](table)
    new_values = {name: statement.excluded[name] for name in columns}
    upsert: Insert = statement.on_conflict_do_update(index_elements=["id"], set_=new_values).returning(table.c.id)
    return upsert


def parameters(instances: Sequence[Any]) -> list[dict[str, Any]]:
    """Return dataclass instances as the parameters of one INSERT."""
    names = [field.name for field in fields(instances[0])]
    return [{name: getattr(instance, name) for name in names} for instance in instances]
