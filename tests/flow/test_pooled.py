"""Two replicas behind one PgBouncer that dies and comes back: each alert is stored once and told once."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from torture.pgbouncer import PgBouncer, pgbouncer

from alertgate.clock import SystemClock
from alertgate.prove.housekeeping import delete_expired
from tests.conftest import API_BEARER, BEARER, Running, needs_pgbouncer, serving
from tests.fakes import FakeClock, mail_sink
from tests.flow.test_nothing_is_lost import mail_settings

pytestmark = [pytest.mark.postgres, needs_pgbouncer]

ALERTS = 40


async def publish(service: Running, number: int) -> tuple[int, str]:
    """Publish an event until it is taken, as Particle does; return how often it was refused, and its alert's id."""
    event = {"event": "alarm", "coreid": f"device-{number}", "event_id": f"event-{number}"}
    refused = 0
    while True:
        answer: httpx.Response = await service.client.post("/webhook/particle", json=event, headers=BEARER)
        if answer.status_code in (200, 202):
            return refused, answer.json()["id"]
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        refused += 1
        await asyncio.sleep(0.05)


async def restart(pooler: PgBouncer, service: Running) -> None:
    """Kill the pooler, and start it again once that was noticed."""
    await asyncio.to_thread(pooler.stop)
    refused = await service.particle(coreid="device-0", event="unheard")
    assert refused.status_code == 503
    await asyncio.to_thread(pooler.start)


async def test_alerts_survive_a_restart_of_the_pooler(make_settings, postgres_url, postgres_database):
    """Some are refused meanwhile and sent again; none is lost, and nobody hears twice. Audit and retention work too."""
    async with mail_sink() as sink:
        with pgbouncer(postgres_url, default_pool_size=2) as pooler:
            url = pooler.url(postgres_database)
            settings = make_settings(**mail_settings(sink.port), database_url=url, flood_limit=0)
            async with serving(settings, template=False) as one, serving(settings, template=False) as two:
                pair = (one, two)
                first = await asyncio.gather(*(publish(pair[n % 2], n) for n in range(ALERTS // 2)))
                later = [asyncio.create_task(publish(pair[n % 2], n)) for n in range(ALERTS // 2, ALERTS)]
                await restart(pooler, one)
                taken = [*first, *await asyncio.gather(*later)]
                for service in pair:
                    await service.settled()
                trails = [await one.trail(alert_id) for _, alert_id in taken]
                audits = [await service.gate.auditor.run() for service in pair]
                await resolve_all(two)
                await one.settled()
                future = FakeClock(SystemClock().now() + timedelta(days=365))
                await delete_expired(one.gate.store, future, 90)
                left = await two.client.get("/api/alerts?event=alarm", headers=API_BEARER)
    assert len({alert_id for _, alert_id in taken}) == ALERTS
    assert [each["status"] for trail in trails for each in trail["notifications"]] == ["sent"] * ALERTS
    about = [mail.mail for mail in sink.messages if "device-" in mail.mail["Subject"]]
    openings = [mail["Message-ID"] for mail in about if "RESOLVED" not in mail["Subject"]]
    assert len(openings) == len(set(openings)) == ALERTS
    assert all(audit.passed for audit in audits)
    assert left.json()["items"] == []


async def resolve_all(service: Running) -> None:
    """Resolve every incident, as a person does."""
    listed = await service.client.get("/api/incidents?limit=100", headers=API_BEARER)
    for incident in listed.json()["items"]:
        answer = await service.client.post(
            f"/api/incidents/{incident['id']}/resolve", json={"by": "Ada"}, headers=API_BEARER
        )
        assert answer.status_code == 200
