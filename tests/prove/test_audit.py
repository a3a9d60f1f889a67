"""The watcher, and the outside that watches the watcher."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
import structlog
import uvicorn
from sqlalchemy import text

from alertgate.app import open_gate
from alertgate.model import NotificationStatus
from alertgate.prove.audit import AuditFinding
from alertgate.prove.heartbeat import Heartbeat
from alertgate.store import incidents, notifications
from tests import builders
from tests.conftest import serving
from tests.fakes import START, FakeClock, until


@pytest.fixture
async def gate(make_settings, database):
    """An open gate whose delivery loop doesn't run, on each database; and its clock."""
    clock = FakeClock()
    opened = open_gate(make_settings(**database), clock=clock)
    yield opened, clock
    opened.store.close()


def plant(gate, **changes) -> str:
    """Store an open incident with one notification, changed as asked; return the notification's id."""
    planted = replace(builders.notification(), **{"status": NotificationStatus.PENDING, **changes})
    with gate.store.transaction() as connection:
        incidents.add(connection, [builders.incident(id=planted.incident_id)])
        notifications.add(connection, [planted])
    return planted.id


async def test_a_due_message_that_nobody_claims_is_found(gate):
    """The loop doesn't run: within a minute nothing is said, after it the message is named."""
    opened, clock = gate
    stuck = plant(opened, channel="outbox", due_at=START)
    assert (await opened.auditor.run()).passed
    clock.move(seconds=60)
    audit = await opened.auditor.run()
    assert (audit.passed, audit.found[AuditFinding.OVERDUE]) == (False, [stuck])


async def test_a_lease_whose_owner_is_gone_is_found(gate):
    """A message that was taken up and never finished is named a minute after its lease ran out."""
    opened, clock = gate
    lease = {"lease_owner": "gone", "lease_until": START, "status": NotificationStatus.SENDING}
    stuck = plant(opened, channel="outbox", **lease)
    clock.move(seconds=60)
    assert (await opened.auditor.run()).found[AuditFinding.LEASE_EXPIRED] == [stuck]


@pytest.mark.parametrize(
    ("status", "found"),
    [
        (NotificationStatus.FAILED, True),
        (NotificationStatus.CANCELLED, True),
        (NotificationStatus.SENT, False),
        (NotificationStatus.PENDING, False),
    ],
)
async def test_an_incident_of_which_nobody_was_told_is_found(gate, status, found):
    """An open incident whose every message failed; one that was told, or will be, is none."""
    opened, clock = gate
    plant(opened, channel="outbox", status=status, due_at=START + timedelta(hours=1))
    clock.move(seconds=60)
    assert bool((await opened.auditor.run()).found[AuditFinding.NOBODY_TOLD]) is found


async def test_an_acknowledged_incident_needs_nobody_told(gate):
    """Somebody knows of it already."""
    opened, clock = gate
    plant(opened, channel="outbox", status=NotificationStatus.FAILED)
    with opened.store.transaction() as connection:
        connection.execute(text("UPDATE incidents SET status = 'acknowledged'"))
    clock.move(seconds=60)
    assert (await opened.auditor.run()).passed


async def test_a_store_that_cannot_be_asked_is_found(make_settings):
    """An audit that can't be made hasn't passed."""
    opened = open_gate(make_settings(), clock=FakeClock())
    with opened.store.transaction() as connection:
        connection.execute(text("DROP TABLE attempts"))
        connection.execute(text("DROP TABLE notifications"))
    assert (await opened.auditor.run()).found[AuditFinding.UNREADABLE]
    opened.store.close()


async def test_findings_are_said_once_when_they_begin_and_once_when_they_are_over(gate):
    """The log isn't filled by a trouble that lasts."""
    opened, clock = gate
    plant(opened, channel="outbox", due_at=START)
    clock.move(seconds=60)
    with structlog.testing.capture_logs() as lines:
        await opened.auditor.run()
        await opened.auditor.run()
        with opened.store.transaction() as connection:
            connection.execute(text("UPDATE notifications SET status = 'sent'"))
        await opened.auditor.run()
    assert [line["event"] for line in lines] == ["audit.found", "audit.cleared"]


class Outside:
    """A dead-man service: a real HTTP server that keeps what it was asked."""

    def __init__(self, status: int = 200) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.status = status

    async def __call__(self, scope, receive, send) -> None:
        body = (await receive()).get("body", b"")
        self.asked.append((scope["method"], scope["path"], body.decode()))
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": b"OK"})


@pytest.fixture
async def outside():
    """A running dead-man service, and its address."""
    app = Outside()
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield app, f"http://127.0.0.1:{port}/ping/abc"
    server.should_exit = True
    await task


async def test_the_heartbeat_goes_out_while_the_audit_passes_and_fails_when_it_does_not(gate, outside):
    """A stuck message turns the next beat into a /fail with the finding, within one interval."""
    opened, clock = gate
    app, url = outside
    async with httpx.AsyncClient() as client:
        heartbeat = Heartbeat(url, opened.auditor, client)
        await heartbeat.beat()
        plant(opened, channel="outbox", due_at=START)
        clock.move(seconds=61)
        await heartbeat.beat()
    assert [(method, path) for method, path, _ in app.asked] == [("GET", "/ping/abc"), ("POST", "/ping/abc/fail")]
    assert app.asked[1][2].startswith("overdue: 1 (notifications are due and nobody sends them")


async def test_an_outside_that_does_not_answer_is_said_once(gate, outside):
    """Its address, which is a secret of its own, isn't in the log."""
    opened, _ = gate
    app, url = outside
    app.status = 500
    async with httpx.AsyncClient() as client:
        heartbeat = Heartbeat(url, opened.auditor, client)
        with structlog.testing.capture_logs() as lines:
            await heartbeat.beat()
            await heartbeat.beat()
            app.status = 200
            await heartbeat.beat()
    assert [line["event"] for line in lines] == ["heartbeat.unheard", "heartbeat.heard"]
    assert "abc" not in str(lines)


async def test_a_running_service_beats(make_settings, outside):
    """HEARTBEAT_URL is all that it takes; a loop that is stuck is seen by the heartbeat and by /health/ready."""
    app, url = outside
    clock = FakeClock()
    async with serving(make_settings(heartbeat_url=url, heartbeat_interval=0.05), clock=clock) as service:

        async def beats(path: str):
            return any(asked[1] == path for asked in app.asked)

        await until(lambda: beats("/ping/abc"))
        await service.gate.deliverer.stop(1)  # the loop ends, as if it had crashed
        await service.particle()
        clock.move(seconds=61)
        await until(lambda: beats("/ping/abc/fail"))
        ready = await service.client.get("/health/ready")
    assert ready.status_code == 503
    assert "hasn't come round for 61 s" in ready.json()["checks"]["delivery"]
    assert ready.json()["degraded"][0].startswith("overdue: 1")
