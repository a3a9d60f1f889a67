"""A PgBouncer in front of a PostgreSQL server on a socket, for the harness and the tests."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import psycopg
import trustme

from torture.gate import free_port

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
"""None where Debian's package isn't installed."""
USER, PASSWORD = "alertgate", "vB3@Xj9/Kw4?Zm8%#"
"""A login with characters that an address must have percent-encoded."""
ESCAPED = quote(PASSWORD, safe="")


@dataclass
class PgBouncer:
    """One that can be killed and started again. `url` gives the address of a database through it."""

    directory: Path
    server: Path
    """The socket of PostgreSQL."""
    settings: dict[str, Any]
    target: str = ""
    """Where it connects to, unless to `server`."""
    certificate: trustme.LeafCert | None = None
    """With it, it takes only TLS."""
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    def url(self, direct: str, *, user: str = USER, password: str = ESCAPED) -> str:
        """Return the address through the pooler of what `direct` names."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{urlsplit(direct).path.lstrip('/')}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        config = self.directory / "pgbouncer.ini"
        config.write_text(
            f"[databases]\n* = {self.target or f'host={self.server.parent} user=postgres'}\n[pgbouncer]\n"
            + "".join(f"{name} = {value}\n" for name, value in self._all().items())
        )
        if self.certificate:
            self.certificate.private_key_and_cert_chain_pem.write_to_path(str(self.directory / "server.pem"))
            (self.directory / "server.pem").chmod(0o644)
        (self.directory / "users.txt").write_text(f'"{USER}" "{PASSWORD}"\n')
        log = (self.directory / "log").open("ab")
        # It refuses to run as root, and PostgreSQL's socket is its owner's.
        who = self.server.stat()
        other = {"user": who.st_uid, "group": who.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        assert PROGRAM
        self.process = subprocess.Popen([PROGRAM, str(config)], stdout=log, stderr=log, **other)
        log.close()
        self._wait()

    def _all(self) -> dict[str, Any]:
        return {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": self.directory / "users.txt",
            "pool_mode": "transaction",
            "server_login_retry": 1,
            **(self._tls() if self.certificate else {}),
            # Without it, 1.21 and later would hide what a prepared statement needs.
            **({"max_prepared_statements": 0} if version() >= (1, 21) else {}),
            **self.settings,
        }

    def _tls(self) -> dict[str, Any]:
        file = self.directory / "server.pem"
        return {"client_tls_sslmode": "require", "client_tls_key_file": file, "client_tls_cert_file": file}

    def _wait(self) -> None:
        end = monotonic() + 30
        address = self.url("/pgbouncer")
        while True:
            assert self.process
            assert self.process.poll() is None, (self.directory / "log").read_text()
            try:
                psycopg.connect(address, connect_timeout=5).close()
            except psycopg.OperationalError as error:
                if "refused" in str(error):
                    assert monotonic() < end, "PgBouncer doesn't listen"
                    sleep(0.01)
                    continue
            return

    def stop(self) -> None:
        """Kill it, so that every connection through it breaks."""
        assert self.process
        self.process.kill()
        self.process.wait()


def version() -> tuple[int, ...]:
    """Return the installed program's version."""
    assert PROGRAM
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"PgBouncer (\d+)\.(\d+)", said)
    assert found
    return tuple(map(int, found.groups()))


@contextmanager
def pgbouncer(
    postgres_url: str, *, target: str = "", certificate: trustme.LeafCert | None = None, **settings: Any
) -> Iterator[PgBouncer]:
    """Run one in front of a server until the block ends, in transaction mode unless `settings` say otherwise."""
    [socket_directory] = parse_qs(urlsplit(postgres_url).query)["host"]
    with TemporaryDirectory(prefix="alertgate-pgbouncer-") as directory:
        Path(directory).chmod(0o755)
        server = Path(socket_directory) / ".s.PGSQL.5432"
        pooler = PgBouncer(Path(directory), server, settings, target=target, certificate=certificate)
        pooler.start()
        try:
            yield pooler
        finally:
            pooler.stop()
