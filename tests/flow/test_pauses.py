"""How the pause of a channel ends where no message can show that it works again."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from alertgate.model import ChannelName
from alertgate.notify.channels.base import Sent
from tests.conftest import API_BEARER, Running, serving
from tests.fakes import FakeClock, mail_sink, until
from tests.flow.test_doubtful_refusals import BAD, GOOD, UNCLEAR, household, next_try, tried
from tests.flow.test_failing_servers import attempted
from tests.flow.test_nothing_is_lost import raise_alert
from tests.flow.test_own_troubles import BOTH, DEAD, Gate, Scripted
from tests.flow.test_refused import own_incidents

EMAIL = ChannelName.EMAIL


async def acknowledge(service: Running, incident: str) -> None:
    """Acknowledge an incident, so that nothing waits for it any more."""
    body = {"by": "Anna"}
    answer = await service.client.post(f"/api/incidents/{incident}/acknowledge", json=body, headers=API_BEARER)
    assert answer.status_code == 200


async def resumed(service: Running) -> None:
    """Wait until mail isn't paused."""
    await until(lambda: asyncio.sleep(0.01, service.gate.deliverer.states[EMAIL].up))


@pytest.mark.parametrize("works_after_hours", [0, 2])
async def test_a_pause_ends_although_nothing_waits_for_the_channel(make_settings, database, works_after_hours):
    """What was to be sent, and the word about the pause, was acknowledged: the login is tried, seldom."""
    clock, email, sms = FakeClock(), Scripted(EMAIL, DEAD), Scripted(ChannelName.SMS)
    async with serving(make_settings(**BOTH, **database), clock=clock, channels=[email, sms]) as service:
        gate = Gate(service, clock, email, sms)
        alert = await raise_alert(service.client)
        await attempted(service, alert)
        await gate.pass_time(seconds=61)
        await sms.told(1)
        await gate.shows({"channel email": "warning"})
        await acknowledge(service, (await service.trail(alert))["incident"]["id"])
        [own] = await gate.own_incidents()
        await acknowledge(service, own["id"])
        email.tried.clear()
        for _ in range(works_after_hours * 60):
            await gate.pass_time(minutes=1)
        assert 6 * works_after_hours // 2 <= len(email.rehearsed) <= 6 * works_after_hours, "at growing pauses"
        email.outcome = Sent("250 OK")
        await gate.pass_time(minutes=20)
        await resumed(service)
        assert set(email.rehearsed) == {"me@example.com"}
        await gate.pass_time(seconds=1)
        await gate.pass_time(minutes=6)
        await gate.shows({})
        assert (email.tried, email.sent) == ([], [])
        assert "degraded" not in (await service.client.get("/health")).json()


async def test_a_restart_tells_at_once_what_waited_for_a_long_retry(make_settings, database):
    """An operator has mended the password: as one message, also what the next try would have been minutes away for."""
    clock, settings = FakeClock(), make_settings(**BOTH, **database)
    sms, dead, works = Scripted(ChannelName.SMS), Scripted(EMAIL, DEAD), Scripted(EMAIL)
    async with serving(settings, clock=clock, channels=[dead, sms]) as service:
        first = await raise_alert(service.client)
        for number in range(1, 5):
            await tried(service, first, "me@example.com", number)
            await until(lambda: asyncio.sleep(0.01, not service.gate.deliverer.here))
            await next_try(service, clock, minutes=20)
        await tried(service, first, "me@example.com", 5)
        await raise_alert(service.client, coreid="another")
        await until(lambda: asyncio.sleep(0.01, not service.gate.deliverer.here))
        clock.move(minutes=2)
    async with serving(settings, clock=clock, channels=[works, Scripted(ChannelName.SMS)]):
        await until(lambda: asyncio.sleep(0.01, works.sent))
    [told] = works.tried
    assert "2 alerts" in told.subject


@pytest.mark.postgres
async def test_a_replica_resumes_after_another_has_sent_by_the_same_channel(make_settings, postgres_database):
    """Here its probe finds nothing to send, and needs no login of its own: the other one has shown that it works."""
    clock, settings = FakeClock(), make_settings(**BOTH, database_url=postgres_database)
    paused, works = Scripted(EMAIL, DEAD), Scripted(EMAIL)
    async with AsyncExitStack() as stack:

        async def replica(email: Scripted) -> Running:
            channels = [email, Scripted(ChannelName.SMS)]
            return await stack.enter_async_context(serving(settings, clock=clock, channels=channels))

        first = await replica(paused)
        alert = await raise_alert(first.client)
        await attempted(first, alert)
        assert not first.gate.deliverer.states[EMAIL].up
        second = await replica(works)
        await next_try(second, clock, seconds=20)
        await until(lambda: asyncio.sleep(0.01, works.sent))
        await until(lambda: asyncio.sleep(0.01, not second.gate.deliverer.here))
        await next_try(first, clock, minutes=2)
        await resumed(first)
        assert (len(paused.tried), paused.rehearsed) == (1, [])
        assert first.gate.deliverer.states[EMAIL].failures > 0, "one more failure pauses it again"


async def test_a_recipient_hears_that_another_one_is_in_doubt(make_settings, database):
    """By the same channel, which works for all others, although what the one in doubt has missed waits in it."""
    clock = FakeClock()
    async with mail_sink() as sink:
        full = "452 4.2.2 mailbox full"  # says nothing about the other one; the gate's own message still fits

        def judge(command: str, address: str, subject: str) -> str | None:
            if address == BAD:
                return UNCLEAR if command == "RCPT" else None
            return full if command == "DATA" and "alertgate" not in subject else None

        sink.judge = judge
        settings = household(sink, BAD, GOOD, smtp_connections=1, **database)
        async with serving(make_settings(**settings), clock=clock) as service:
            alert_id = await raise_alert(service.client)
            for address in (BAD, GOOD):
                await tried(service, alert_id, address, 1)
            state = service.gate.deliverer.states[EMAIL]
            assert (state.in_doubt, state.evidence.in_doubt) == (True, {BAD})
            await next_try(service, clock, minutes=2)
            await service.gate.watch.run()
            await service.gate.own_alerts.run()
            [own] = await own_incidents(service)
            assert (own["event"], own["device"]) == ("alertgate/channel", "email")
            service.gate.deliverer.wake()
            [mail] = await sink.received(1)
            assert (mail.to, mail.mail["Subject"]) == (GOOD, "[WARNING] alertgate: channel paused (email)")
            assert "550 5.7.1 Access denied" in mail.text
