"""One look into an index for each of many keys, in one statement, on both databases.

`WHERE key IN (…) ORDER BY id DESC LIMIT n` reads the rows of all keys before it drops any, and one busy key takes the
places of the others. Here the keys are the rows of a JSON parameter, and scalar subqueries find an id for each of them.
PostgreSQL also has LATERAL for this, SQLite hasn't.

Only ids are found, and their rows are read by a second statement: in one, PostgreSQL may join with a scan of the whole
table, if it made its plan while that was small.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    Text,
    bindparam,
    cast,
    column,
    select,
    union_all,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

Row = Sequence[str | int | None]
"""What is sought once: texts as the columns store them, for nothing converts them, and whole numbers."""


class _JsonRows(FunctionElement[Any]):
    """The elements of a JSON list as rows: each database has a function for it, under a name of its own."""

    name = "json_rows"
    inherit_cache = True


@compiles(_JsonRows, "sqlite")
def _in_sqlite(element: _JsonRows, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_JsonRows, "postgresql")
def _in_postgresql(element: _JsonRows, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_array_elements(CAST({compiler.process(element.clauses, **options)} AS JSON))"


_SOUGHT = _JsonRows(bindparam("sought", type_=Text)).table_valued(column("value", JSON), name="sought")


def text_at(place: int) -> ColumnElement[str]:
    """Return an item of each row that is sought, as text."""
    item: ColumnElement[str] = _SOUGHT.c.value[place].as_string()
    return item


def number_at(place: int) -> ColumnElement[int]:
    """Return an item of each row that is sought, as a whole number of up to 64 bits."""
    return cast(text_at(place), BigInteger)


def newest_of(key: ColumnElement[str], row_id: ColumnElement[str]) -> Select[str]:
    """Return a query for the ids whose key is the first item of a row, newest first; needs an index on key and id.

    If a few keys are frequent, PostgreSQL would rather read the ids of the table backwards until one has the key, which
    for a rare key is all of them. The range says nothing new, but it makes every key look rare. SQLite may choose it
    instead of `=`, and then needs the whole order.
    """
    sought = text_at(0)
    return select(row_id).where(key == sought, key.between(sought, sought)).order_by(key.desc(), row_id.desc())


def first_of_each(*queries: Select[str]) -> CompoundSelect[str]:
    """Return a query for the first id that each of these queries finds, for each row that is sought.

    They compare columns with `text_at` and `number_at`. Each needs an index that has its rows in its order.
    """
    firsts = (query.limit(1).correlate(_SOUGHT).scalar_subquery() for query in queries)
    return union_all(*(select(first).select_from(_SOUGHT) for first in firsts))


def find_ids(connection: Connection, query: CompoundSelect[str], rows: Iterable[Row], **bound: object) -> set[str]:
    """Return the ids that a query of `first_of_each` finds for these rows."""
    found = connection.execute(query, {"sought": json.dumps(list(rows)), **bound}).scalars().all()
    return {row_id for row_id in found if row_id is not None}
