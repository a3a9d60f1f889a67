"""A storm of alerts, and the exact list of messages that it sends."""

import asyncio
from collections import Counter

from tests.conftest import BEARER, serving
from tests.fakes import FakeClock, mail_sink, until
from tests.flow.test_nothing_is_lost import mail_settings


async def event(client, device: str, **data):
    """Publish an alarm with JSON data."""
    answer = await client.post(
        "/webhook/particle", json={"event": "alarm", "coreid": device, "data": data}, headers=BEARER
    )
    assert answer.status_code == 202
    return answer.json()


async def all_sent(service, alert_id: str) -> list[tuple[str, str]]:
    """Return kind and status of the incident's notifications, once all due ones have been sent."""

    async def settled():
        told = (await service.trail(alert_id))["notifications"]
        now = service.gate.clock.now().isoformat()
        moving = [n for n in told if n["status"] == "sending" or (n["status"] == "pending" and n["due_at"] <= now)]
        return None if moving else [(n["kind"], n["status"]) for n in told]

    return await until(settled)


async def test_a_storm_sends_five_messages_per_address(make_settings, database):
    """500 alerts, a second device among them, a rise in severity and a resolution send five messages per address."""
    clock = FakeClock()
    async with mail_sink() as sink:
        settings = make_settings(
            **mail_settings(sink.port),
            recipient_sms="555@sms.example.net",
            particle_rate_limit="10000/minute",
            **database,
        )
        async with serving(settings, clock=clock) as service:
            first = await event(service.client, "storm", n=0)
            assert await all_sent(service, first["id"]) == [("opening", "sent"), ("opening", "sent")]

            await asyncio.gather(*(event(service.client, "storm", n=n) for n in range(1, 250)))
            other = await event(service.client, "other", n=0)
            assert other["incident"] != first["incident"]
            await sink.received(4)  # the second device's opening is sent at once, during the first one's storm
            await asyncio.gather(*(event(service.client, "storm", n=n) for n in range(250, 500)))

            await all_sent(service, other["id"])
            clock.move(minutes=5)  # GROUP_INTERVAL is over: one update for each address
            service.gate.deliverer.wake()
            await sink.received(6)

            worse = await event(service.client, "storm", n=500, severity="critical")
            await sink.received(8)  # sent at once, though the last message is seconds old
            await event(service.client, "storm", n=501, severity="critical")  # not worse: waits for the interval

            await event(service.client, "storm", status="resolved")
            await sink.received(10)
            assert Counter(await all_sent(service, worse["id"])) == {
                ("opening", "sent"): 2,
                ("update", "sent"): 2,
                ("rise", "sent"): 2,
                ("resolution", "sent"): 2,
            }
            trail = await service.trail(worse["id"])
            assert (trail["incident"]["alert_count"], trail["incident"]["status"]) == (503, "resolved")
            mails = [mail.mail["Subject"] for mail in sink.messages if mail.to == "me@example.com"]
            texts = [mail.mail.get_content().strip() for mail in sink.messages if mail.to == "555@sms.example.net"]
            threads = {m.mail["References"] for m in sink.messages if m.to == "me@example.com" and "storm" in m.text}
    assert [subject.partition(" (")[0] for subject in mails] == [
        "[WARNING] storm: alarm",
        "[WARNING] other: alarm",
        "[WARNING] storm: alarm",
        "[CRITICAL] storm: alarm",
        "[RESOLVED] storm: alarm",
    ]
    assert [text.split(":")[0] for text in texts] == [
        "WARNING storm",
        "WARNING other",
        "WARNING storm",
        "CRITICAL storm",
        "RESOLVED storm",
    ]
    assert len(threads) == 1


async def test_a_quiet_incident_resolves_silently_and_the_next_alert_opens_a_new_one(make_settings, database):
    """RESOLVE_AFTER counts from the last alert and the last message; the end sends nothing, the next alert does."""
    clock = FakeClock()
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), **database)
        async with serving(settings, clock=clock) as service:
            first = await event(service.client, "d", n=0)
            await all_sent(service, first["id"])
            clock.move(minutes=29)
            assert (await event(service.client, "d", n=1))["incident"] == first["incident"]
            assert await all_sent(service, first["id"]) == [("opening", "sent"), ("update", "sent")]
            clock.move(minutes=31)
            second = await event(service.client, "d", n=2)
            assert second["incident"] != first["incident"]
            await sink.received(3)
            old = (await service.trail(first["id"]))["incident"]
    assert (old["status"], old["resolution"], old["resolved_by"]) == ("resolved", "silence", None)
    assert [mail.mail["Subject"].partition(" (")[0] for mail in sink.messages] == ["[WARNING] d: alarm"] * 3


async def test_the_trail_has_the_reason_of_every_decision(make_settings):
    """It says why an alert opened or joined an incident, and why a notification waits."""
    clock = FakeClock()
    async with mail_sink() as sink, serving(make_settings(**mail_settings(sink.port)), clock=clock) as service:
        first = await event(service.client, "d", n=0)
        await all_sent(service, first["id"])
        clock.move(seconds=60)
        second = await event(service.client, "d", n=1)
        opened = (await service.trail(first["id"]))["alert"]["reason"]
        joined = (await service.trail(second["id"]))["alert"]["reason"]
    assert opened == "opened the incident, because none was open for it; nothing was said about this incident yet"
    assert joined == (f"joined incident {first['incident']}; update due at 14:08:00, because told at 14:03:00")
