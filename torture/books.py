"""What the database really holds, read without going through the gate."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg


@dataclass
class Books:
    """One database: an SQLite file, or a PostgreSQL address."""

    place: Path | str

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Run one query on a connection of its own; the gate may be running."""
        with self._connection() as connection:
            return connection.execute(query).fetchall()

    def change(self, statement: str) -> int:
        """Run one statement on PostgreSQL; return the number of rows that it changed."""
        assert isinstance(self.place, str)
        with psycopg.connect(self.place, autocommit=True) as connection:
            return connection.execute(statement.encode()).rowcount

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        if isinstance(self.place, str):
            with psycopg.connect(self.place, autocommit=True) as connection:
                yield connection
        else:
            with closing(sqlite3.connect(f"file:{self.place}?mode=ro", uri=True, timeout=20)) as connection:
                yield connection

    def after_a_kill(self) -> "Books":
        """Return the database as it was at a kill. SQLite's files are copied, because opening them recovers them."""
        if isinstance(self.place, str):
            return self
        directory = Path(tempfile.mkdtemp(prefix="books-", dir=self.place.parent))
        for suffix in ("", "-wal"):
            source = self.place.with_name(self.place.name + suffix)
            if source.exists():
                shutil.copyfile(source, directory / source.name)
        return Books(directory / self.place.name)

    def forget_copy(self) -> None:
        """Delete the copy that `after_a_kill` made."""
        if isinstance(self.place, Path) and self.place.parent.name.startswith("books-"):
            shutil.rmtree(self.place.parent)

    def stored(self) -> dict[str, str]:
        """Return every alert's id by its repeat key; empty if there is no schema yet."""
        try:
            return dict(self.ask("SELECT repeat_key, id FROM alerts WHERE repeat_key IS NOT NULL"))
        except (sqlite3.OperationalError, psycopg.errors.UndefinedTable):
            return {}

    def newest(self) -> list[str]:
        """Return the repeat key of each device's newest alert, the one with the highest id."""
        query = "SELECT repeat_key FROM alerts WHERE id IN (SELECT max(id) FROM alerts GROUP BY device)"
        return [row[0] for row in self.ask(query) if row[0]]

    def in_flight(self) -> set[str]:
        """Return the ids of the notifications that are being sent."""
        try:
            return {row[0] for row in self.ask("SELECT id FROM notifications WHERE status = 'sending'")}
        except (sqlite3.OperationalError, psycopg.errors.UndefinedTable):
            return set()

    def waiting(self) -> int:
        """Return how many notifications are pending or being sent."""
        query = "SELECT count(*) FROM notifications WHERE status IN ('pending', 'sending')"
        return int(self.ask(query)[0][0])

    def sound(self) -> bool:
        """Return whether SQLite's integrity checks pass; always true for PostgreSQL."""
        if isinstance(self.place, str):
            return True
        with closing(sqlite3.connect(self.place, timeout=20)) as connection:
            checks: Sequence[Any] = connection.execute("PRAGMA integrity_check").fetchall()
            return checks == [("ok",)] and connection.execute("PRAGMA foreign_key_check").fetchall() == []

    def untold(self) -> list[tuple[Any, ...]]:
        """Return each incident and address whose last notification was sent before the incident's latest alert.

        The address is NULL for an incident without a sent notification.
        """
        return self.ask(
            "SELECT i.id, n.address, max(n.finished_at), i.last_alert_at FROM incidents i"
            " LEFT JOIN notifications n ON n.incident_id = i.id AND n.status = 'sent'"
            " WHERE i.alert_count > 0 GROUP BY i.id, n.address, i.last_alert_at"
            " HAVING max(n.finished_at) IS NULL OR max(n.finished_at) < i.last_alert_at"
        )


@dataclass
class Verdict:
    """What the oracle found: a line for each loss, and how many mails were sent twice."""

    lost: list[str] = field(default_factory=list)
    twice: int = 0
