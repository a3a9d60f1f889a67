"""PostgreSQL behind a proxy that cuts connections at a commit: before the server gets it, or before it is answered."""

import select
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

from sqlalchemy import Connection, Engine, event

COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
"""How psycopg commits. It sends nothing more before that is answered."""
WRITES = b"ISOLATION LEVEL READ COMMITTED"
"""What begins a transaction of the writer, and of nobody else."""
IS_DONE = b"Z\x00\x00\x00\x05I"
"""The end of the server's answer: it is ready, and no transaction is open."""


class Cut(Enum):
    """What becomes of a commit."""

    NOT = "it is answered"
    BEFORE = "the server never gets it"
    AFTER = "the server has done it, and its answer is lost"


@dataclass
class Cutter:
    """The proxy. `decide` is asked at each commit that changes something, with the names of the changed tables.

    It is for one writer at a time.
    """

    server: str
    port: int
    decide: Callable[[set[str]], Cut] = lambda _: Cut.NOT
    cuts: list[tuple[Cut, set[str]]] = field(default_factory=list)
    """Which commits were cut."""
    changed: set[str] = field(default_factory=set)
    """The tables that the open transaction has changed so far."""

    def url(self, direct: str) -> str:
        """Return the address of a database on the server, through the proxy."""
        found = urlsplit(direct)
        login = found.netloc.rpartition("@")[0]
        return urlunsplit(found._replace(netloc=f"{login}@127.0.0.1:{self.port}", query="sslmode=disable"))

    def serve(self, client: socket.socket) -> None:
        """Pass on what both sides of a connection say, until either has gone or it is cut."""
        server = socket.socket(socket.AF_UNIX)
        with client, server, suppress(OSError):
            server.connect(self.server)
            is_writer = False
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    if not (said := ready.recv(65536)):
                        return
                    is_writer = is_writer or WRITES in said
                    if ready is server:
                        client.sendall(said)
                    elif not (said == COMMIT and is_writer and self._cuts(server)):
                        server.sendall(said)
                    else:
                        return

    def _cuts(self, server: socket.socket) -> bool:
        """Decide about a commit; return whether the connection ends here."""
        changed, self.changed = self.changed, set()
        cut = self.decide(changed) if changed else Cut.NOT
        if cut is Cut.NOT:
            return False
        if cut is Cut.AFTER:
            server.sendall(COMMIT)
            while not server.recv(65536).endswith(IS_DONE):
                pass
        self.cuts.append((cut, changed))
        return True

    def note(self, _: Connection, statement: Any, __: Any, ___: Any, ____: Any, result: Any) -> None:
        """Note what a statement changes."""
        if statement.is_dml and result.rowcount:
            self.changed.add(statement.table.name)


@contextmanager
def cutter(direct: str) -> Iterator[Cutter]:
    """Run the proxy before the server of a database."""
    [directory] = parse_qs(urlsplit(direct).query)["host"]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        proxy = Cutter(f"{directory}/.s.PGSQL.5432", listening.getsockname()[1])

        def accept() -> None:
            with suppress(OSError):  # it is closed
                while True:
                    Thread(target=proxy.serve, args=(listening.accept()[0],), daemon=True).start()

        Thread(target=accept, daemon=True).start()
        event.listen(Engine, "after_execute", proxy.note)
        yield proxy
        event.remove(Engine, "after_execute", proxy.note)
        listening.shutdown(socket.SHUT_RDWR)
