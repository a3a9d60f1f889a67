"""The audit, and the heartbeat that reports it."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
import structlog
import uvicorn
from sqlalchemy import text

from alertgate.app import open_gate
from alertgate.device import Device
from alertgate.model import IncidentStatus, NotificationStatus, Resolution, Severity
from alertgate.prove.audit import AuditFinding
from alertgate.prove.heartbeat import Heartbeat
from alertgate.store import device_watch, failures, incidents, notifications
from tests import builders
from tests.conftest import API_BEARER, serving
from tests.fakes import START, FakeClock, until


@pytest.fixture
async def gate(make_settings, database):
    """An open gate without a running delivery loop, on each database, and its clock."""
    clock = FakeClock()
    opened = open_gate(make_settings(**database), clock=clock)
    yield opened, clock
    opened.store.close()


def plant(gate, about=None, **changes) -> str:
    """Store an incident with one notification, each changed as asked; return the notification's id."""
    planted = replace(builders.notification(), **{"status": NotificationStatus.PENDING, **changes})
    with gate.store.transaction() as connection:
        incidents.add(connection, [builders.incident(id=planted.incident_id, **(about or {}))])
        notifications.add(connection, [planted])
    return planted.id


async def test_an_overdue_notification_is_found(gate):
    """While the loop doesn't run, a notification is a finding a minute after it was due, and not before."""
    opened, clock = gate
    stuck = plant(opened, channel="outbox", due_at=START)
    assert (await opened.auditor.run()).passed
    clock.move(seconds=60)
    audit = await opened.auditor.run()
    assert (audit.passed, audit.found[AuditFinding.OVERDUE]) == (False, [stuck])


@pytest.mark.parametrize(
    ("severity", "interval"),
    [(Severity.WARNING, timedelta(minutes=5)), (Severity.CRITICAL, timedelta(minutes=1))],
)
async def test_what_waits_in_a_flood_is_no_finding_until_its_time_is_over(gate, severity, interval):
    """A contact that was sent something lately may be waiting for its next digest; others may not."""
    opened, clock = gate
    sent = {"status": NotificationStatus.SENT, "claimed_at": START, "finished_at": START, "incident_id": "incident-2"}
    waiting = plant(opened, channel="outbox", due_at=START, severity=severity)
    with opened.store.transaction() as connection:
        incidents.add(connection, [builders.incident(id="incident-2", key="another")])
        notifications.add(connection, [replace(builders.notification(id="n2", channel="outbox"), **sent)])
    clock.move(seconds=119)
    assert (await opened.auditor.run()).passed
    clock.time = START + interval + timedelta(seconds=61)
    assert (await opened.auditor.run()).found[AuditFinding.OVERDUE] == [waiting]


async def test_an_expired_lease_is_found(gate):
    """A notification that was claimed and never finished is a finding a minute after its lease expired."""
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
async def test_an_open_incident_without_a_sent_or_waiting_notification_is_found(gate, status, found):
    """An open incident is a finding if all its notifications failed or were cancelled."""
    opened, clock = gate
    plant(opened, channel="outbox", status=status, due_at=START + timedelta(hours=1))
    clock.move(seconds=60)
    assert bool((await opened.auditor.run()).found[AuditFinding.NOBODY_TOLD]) is found


async def test_an_acknowledged_incident_without_a_notification_is_no_finding(gate):
    """Somebody already knows of it."""
    opened, clock = gate
    plant(opened, channel="outbox", status=NotificationStatus.FAILED)
    with opened.store.transaction() as connection:
        connection.execute(text("UPDATE incidents SET status = 'acknowledged'"))
    clock.move(seconds=60)
    assert (await opened.auditor.run()).passed


OVER = {"status": IncidentStatus.RESOLVED, "resolved_at": START, "resolution": Resolution.SILENCE}


@pytest.mark.parametrize(
    ("incident", "changes", "found"),
    [
        (OVER, {}, True),
        ({**OVER, "resolution": Resolution.ALERT}, {}, True),
        ({**OVER, "resolution": Resolution.PERSON}, {}, False),
        ({**OVER, "acknowledged_at": START, "acknowledged_by": "Anna"}, {}, False),
        (OVER, {"dismissed_at": START, "dismissed_by": "Anna"}, False),
        (OVER, {"status": NotificationStatus.CANCELLED}, False),
        ({}, {"dismissed_at": START, "dismissed_by": "Anna"}, False),
        ({}, {"superseded_by": "notification-2"}, True),
    ],
)
async def test_an_incident_of_which_nobody_was_told_is_found_after_its_end_too(gate, incident, changes, found):
    """Unless somebody has dealt with it: ended it, acknowledged it, or dismissed its failure."""
    opened, clock = gate
    plant(opened, incident, **{"channel": "outbox", "status": NotificationStatus.FAILED, **changes})
    clock.move(seconds=60)
    assert bool((await opened.auditor.run()).found[AuditFinding.NOBODY_TOLD]) is found


async def test_one_of_several_who_was_not_told_is_no_finding(gate):
    """It is an outstanding failure, which /health counts."""
    opened, clock = gate
    planted = plant(opened, OVER, channel="outbox", status=NotificationStatus.FAILED)
    told = builders.notification(id="n2", channel="outbox", address="b", status=NotificationStatus.SENT)
    with opened.store.transaction() as connection:
        notifications.add(connection, [told])
    clock.move(seconds=60)
    assert (await opened.auditor.run()).passed
    assert opened.store.read_now(failures.ids) == [planted]


async def test_a_watch_that_doesnt_run_is_found(gate):
    """A device of which something is expected is a finding a minute after somebody should have looked at it."""
    opened, clock = gate
    due = [
        Device("d1", watched_since=START, due_at=START),
        Device("d2", due_at=START),
        Device("d3", watched_since=START),
    ]
    with opened.store.transaction() as connection:
        device_watch.add(connection, due)
    clock.move(seconds=59)
    assert (await opened.auditor.run()).passed
    clock.move(seconds=1)
    audit = await opened.auditor.run()
    assert audit.found[AuditFinding.UNWATCHED] == ["d1"]
    assert "nobody watches the devices" in audit.say()[0]
    await opened.device_watch.run()
    assert (await opened.auditor.run()).passed


async def test_an_unreadable_store_is_found(make_settings):
    """An audit that can't run doesn't pass."""
    opened = open_gate(make_settings(), clock=FakeClock())
    with opened.store.transaction() as connection:
        connection.execute(text("DROP TABLE attempts"))
        connection.execute(text("DROP TABLE notifications"))
    assert (await opened.auditor.run()).found[AuditFinding.UNREADABLE]
    opened.store.close()


async def test_findings_are_logged_when_they_appear_and_when_they_clear(gate):
    """A finding that persists isn't logged at every audit."""
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
    """A dead man's switch: a real HTTP server that records its requests."""

    def __init__(self, status: int = 200) -> None:
        self.requests: list[tuple[str, str, str]] = []
        self.status = status

    async def __call__(self, scope, receive, send) -> None:
        body = (await receive()).get("body", b"")
        self.requests.append((scope["method"], scope["path"], body.decode()))
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": b"OK"})


@pytest.fixture
async def outside():
    """A running dead man's switch, and its URL."""
    app = Outside()
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield app, f"http://127.0.0.1:{port}/ping/abc"
    server.should_exit = True
    await task


async def test_the_heartbeat_succeeds_or_fails_with_the_audit(gate, outside):
    """An overdue notification makes the next heartbeat a /fail with the finding."""
    opened, clock = gate
    app, url = outside
    async with httpx.AsyncClient() as client:
        heartbeat = Heartbeat(client, opened.auditor, url)
        await heartbeat.beat()
        plant(opened, channel="outbox", due_at=START)
        clock.move(seconds=61)
        await heartbeat.beat()
    assert [(method, path) for method, path, _ in app.requests] == [("GET", "/ping/abc"), ("POST", "/ping/abc/fail")]
    assert app.requests[1][2].startswith("overdue: 1 (notifications are due, but no process sends them")


async def test_failures_may_have_an_address_of_their_own(make_settings, outside):
    """HEARTBEAT_FAIL_URL is called instead of /fail, with its query, for as long as something is wrong."""
    app, url = outside
    clock, fail_url = FakeClock(), url.replace("/ping/abc", "/down?status=down")
    settings = make_settings(heartbeat_url=url, heartbeat_fail_url=fail_url, heartbeat_interval=0.05)
    async with serving(settings, clock=clock) as service:
        await service.gate.deliverer.stop(1)
        await service.particle()
        clock.move(seconds=61)

        async def beats():
            return [request for request in app.requests if request[1] == "/down"]

        [(method, _, findings), *_] = await until(beats)
    assert (method, findings.startswith("overdue: 1")) == ("POST", True)
    assert {path for _, path, _ in app.requests} <= {"/ping/abc", "/down"}


async def test_an_unreachable_dead_mans_switch_is_logged_once(gate, outside):
    """Its URL, which is a secret, isn't in the log."""
    opened, _ = gate
    app, url = outside
    app.status = 500
    async with httpx.AsyncClient() as client:
        heartbeat = Heartbeat(client, opened.auditor, url)
        with structlog.testing.capture_logs() as lines:
            await heartbeat.beat()
            await heartbeat.beat()
            app.status = 200
            await heartbeat.beat()
    assert [line["event"] for line in lines] == ["heartbeat.unheard", "heartbeat.heard"]
    assert "abc" not in str(lines)


async def test_a_running_service_sends_heartbeats(make_settings, outside):
    """HEARTBEAT_URL is enough; the heartbeat and /health/ready both report a stuck delivery loop."""
    app, url = outside
    clock = FakeClock()
    async with serving(make_settings(heartbeat_url=url, heartbeat_interval=0.05), clock=clock) as service:

        async def beats(path: str):
            return any(request[1] == path for request in app.requests)

        await until(lambda: beats("/ping/abc"))
        await service.gate.deliverer.stop(1)  # the loop ends, as if it had crashed
        await service.particle()
        clock.move(seconds=61)
        await until(lambda: beats("/ping/abc/fail"))
        ready = await service.client.get("/health/ready", headers=API_BEARER)
    assert ready.status_code == 503
    assert "hasn't run for 61 s" in ready.json()["checks"]["delivery"]
    assert ready.json()["degraded"][0].startswith("overdue: 1")
