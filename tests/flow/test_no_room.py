"""A database that has room for a little, but not for an alert: `/health` says so, and when there is room again."""

import resource
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx

from tests.conftest import API_BEARER, BEARER
from tests.fakes import until
from tests.flow.process import Process, process

FRAME = 4096 + 24
"""Bytes of one page in SQLite's write-ahead log."""


def alert(number: int) -> dict[str, object]:
    """Return an alert that needs many pages."""
    return {"event": "alarm", "coreid": "d1", "data": f"{number} " + "x" * 8000}


async def told(service: Process) -> bool:
    """Return whether all that is due was sent, so that the service writes nothing more by itself."""
    channels = (await service.client.get("/status", headers=API_BEARER)).json()["channels"]
    return all(each["sending"] == 0 for each in channels.values()) and channels["outbox"]["last_success"]


def size_of(file: Path) -> int:
    """Return the size of a file."""
    return file.stat().st_size


async def grown(service: Process, log: Path) -> int:
    """Send alerts until the log's file ends where the next write begins; return its size."""
    for number in range(100):
        before = size_of(log)
        answer = await service.client.post("/webhook/particle", json=alert(number), headers=BEARER)
        assert answer.status_code == 202
        if size_of(log) > before:
            return size_of(log)
    raise AssertionError("the log doesn't grow")


async def test_a_store_that_refuses_alerts_is_unhealthy_until_there_is_room(tmp_path):
    """Files may grow by two pages: the probe's row fits, and no alert. With room again no alert is needed to see it."""
    async with process(tmp_path) as service:
        await service.client.post("/webhook/particle", json=alert(-1), headers=BEARER)
        await until(lambda: told(service))
        log = tmp_path / "data" / "alertgate.db-wal"
        with closing(sqlite3.connect(tmp_path / "data" / "alertgate.db", isolation_level=None)) as reader:
            # While somebody reads, the log can't begin anew: what is written makes its file longer.
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM alerts").fetchone()
            size = await grown(service, log)
            _, hard = resource.prlimit(service.child.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(service.child.pid, resource.RLIMIT_FSIZE, (size + 2 * FRAME, hard))
            refused = await service.client.post("/webhook/particle", json=alert(200), headers=BEARER)
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
            for path in ("/health", "/health/ready"):
                answer = await service.client.get(path)
                assert (answer.status_code, answer.json()["checks"]["store"]) == (
                    503,
                    "the database can't be used; the log says why",
                )
            resource.prlimit(service.child.pid, resource.RLIMIT_FSIZE, (hard, hard))

            async def healthy() -> httpx.Response | None:
                answer = await service.client.get("/health")
                return answer if answer.status_code == 200 else None

            answer = await until(healthy)
            assert answer.json()["status"] == "healthy"
            again = await service.client.post("/webhook/particle", json=alert(201), headers=BEARER)
            assert again.status_code == 202
