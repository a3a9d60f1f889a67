"""What the database really holds, read without going through the gate."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from alertgate.own_events import ABOUT_DELIVERY

NOT_WAITED_FOR = f"({', '.join(repr(event) for event in sorted(ABOUT_DELIVERY))})"
"""Own alerts about deliveries wait on purpose for the channel that they go by, and may be cancelled then."""
_PRESENT = "(SELECT * FROM incidents WHERE id IN (SELECT max(id) FROM incidents GROUP BY key))"
"""The newest incident of each key. What wasn't sent about an earlier one is cancelled, because this one is told."""


_WAITING = (
    "FROM notifications n JOIN incidents i ON i.id = n.incident_id"
    f" WHERE n.status IN ('pending', 'sending') AND i.event NOT IN {NOT_WAITED_FOR}"
)


class Unsent(NamedTuple):
    """A notification that isn't sent yet, with times in microseconds since 1970."""

    id: str
    status: str
    kind: str
    channel: str
    address: str
    incident_id: str
    attempts: int
    created_at: int
    due_at: int
    hold: str | None
    claimed_at: int | None
    lease_owner: str | None
    lease_until: int | None
    missed_since: int | None


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

    def stored_twice(self) -> list[str]:
        """Return the repeat keys under which more than one alert is stored."""
        query = "SELECT repeat_key FROM alerts WHERE repeat_key IS NOT NULL GROUP BY repeat_key HAVING count(*) > 1"
        try:
            return [row[0] for row in self.ask(query)]
        except (sqlite3.OperationalError, psycopg.errors.UndefinedTable):
            return []

    def newest(self) -> dict[str, list[str]]:
        """Return the repeat keys of each open incident's newest firing alert and of what came after it.

        A stale all-clear may come after it: it ends nothing, but a text message shows only the latest alert.
        """
        found: dict[str, list[str]] = {}
        for incident, key in self.ask(
            f"SELECT a.incident_id, a.repeat_key FROM alerts a JOIN {_PRESENT} i ON i.id = a.incident_id"  # noqa: S608
            " WHERE i.status = 'open' AND a.repeat_key IS NOT NULL AND a.id >= (SELECT max(f.id) FROM alerts f"
            " WHERE f.incident_id = i.id AND f.signal = 'firing')"
        ):
            found.setdefault(incident, []).append(key)
        return found

    def over(self) -> dict[str, bool]:
        """Return for the newest incident of each key whether it is resolved, unless it ended for lack of alerts."""
        query = f"SELECT id, status FROM {_PRESENT} i WHERE resolution IS NULL OR resolution <> 'silence'"  # noqa: S608
        return {row[0]: row[1] == "resolved" for row in self.ask(query)}

    def in_flight(self) -> set[str]:
        """Return the ids of the notifications that are being sent."""
        try:
            return {row[0] for row in self.ask("SELECT id FROM notifications WHERE status = 'sending'")}
        except (sqlite3.OperationalError, psycopg.errors.UndefinedTable):
            return set()

    def waiting(self) -> int:
        """Return how many notifications are pending or being sent; own ones about deliveries wait on purpose."""
        return int(self.ask(f"SELECT count(*) {_WAITING}")[0][0])

    def unsent(self) -> list[Unsent]:
        """Return those notifications, as they are stored."""
        columns = ", ".join(f"n.{name}" for name in Unsent._fields)
        return [Unsent(*row) for row in self.ask(f"SELECT {columns} {_WAITING}")]

    def sound(self) -> bool:
        """Return whether SQLite's integrity checks pass; always true for PostgreSQL."""
        if isinstance(self.place, str):
            return True
        with closing(sqlite3.connect(self.place, timeout=20)) as connection:
            checks: Sequence[Any] = connection.execute("PRAGMA integrity_check").fetchall()
            return checks == [("ok",)] and connection.execute("PRAGMA foreign_key_check").fetchall() == []

    def untold(self) -> list[tuple[Any, ...]]:
        """Return each incident and address whose last notification was sent before the incident's latest news.

        That is its newest firing alert or, once it is resolved, its last change: an alert from before its end is no
        news. The address is NULL for an incident without a sent notification. Own ones about deliveries wait.
        """
        return self.ask(
            "WITH news AS (SELECT i.id, CASE i.status WHEN 'resolved' THEN i.changed_at ELSE"  # noqa: S608
            " (SELECT max(a.received_at) FROM alerts a WHERE a.incident_id = i.id AND a.signal = 'firing') END AS at"
            f" FROM {_PRESENT} i WHERE i.event NOT IN {NOT_WAITED_FOR})"
            " SELECT news.id, n.address, max(n.finished_at), news.at FROM news"
            " LEFT JOIN notifications n ON n.incident_id = news.id AND n.status = 'sent'"
            " GROUP BY news.id, n.address, news.at"
            " HAVING max(n.finished_at) IS NULL OR max(n.finished_at) < news.at"
        )


@dataclass
class Verdict:
    """What the oracle found: a line for each loss, and how many mails were sent twice."""

    lost: list[str] = field(default_factory=list)
    twice: int = 0
