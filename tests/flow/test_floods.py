"""Many incidents at once, from the webhook to the mail server: a handful of messages, and nothing left out."""

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import func, select

from alertgate.notify.budget import Budget
from alertgate.store.tables import notifications
from tests.conftest import API_BEARER, BEARER, Running, serving
from tests.fakes import FakeClock, MailSink, Received, mail_sink, until
from tests.flow.process import process
from tests.flow.test_nothing_is_lost import let_leases_run_out, mail_settings, raise_alert

DEVICES = [f"{number:024x}" for number in range(0x3F00, 0x3F00 + 200)]
NAMES = ",".join(f"{device}=Room {number}" for number, device in enumerate(DEVICES))
PEOPLE = ("me@example.com", "you@example.com")


async def publish(service: Running, clock: FakeClock, **fields: Any) -> list[str]:
    """Publish an event of each device within two seconds of the clock; return the alerts' ids."""
    ids = []
    for device in DEVICES:
        clock.move(milliseconds=10)
        ids.append(await raise_alert(service.client, event="power/lost", coreid=device, **fields))
    return ids


async def move(service: Running, clock: FakeClock, **amount: float) -> None:
    """Move the clock, and let the delivery loop look."""
    clock.move(**amount)
    service.gate.deliverer.wake()


async def settled(*services: Running) -> None:
    """Wait until nothing is being sent, and a whole round of each service has found nothing more to send.

    Services with one database settle together: what another one sends loses its lease if the clock is moved meanwhile.
    """
    while True:
        await until(lambda: _is_quiet(services))
        before = services[0].gate.clock.now()
        for _ in range(2):  # the first round has ended once the second begins
            await _begin_round(services)
        if not await _claimed_since(services[0], before):
            return


async def _is_quiet(services: Sequence[Running]) -> bool:
    status = (await services[0].client.get("/status", headers=API_BEARER)).json()
    sending = any(each["sending"] for each in status["channels"].values())
    return not (sending or any(service.gate.deliverer.here for service in services))


async def _begin_round(services: Sequence[Running]) -> None:
    clock = services[0].gate.clock
    clock.move(milliseconds=1)
    moment, deliverers = clock.monotonic(), [service.gate.deliverer for service in services]
    for deliverer in deliverers:
        deliverer.wake()
    await until(lambda: asyncio.sleep(0, all(each.last_round >= moment for each in deliverers)))


async def _claimed_since(service: Running, moment: datetime) -> bool:
    latest = select(func.max(notifications.c.claimed_at))
    claimed_at = await service.gate.store.read(lambda connection: connection.execute(latest).scalar())
    return claimed_at is not None and claimed_at > moment


def to(sink: MailSink, address: str) -> list[Received]:
    """Return the mails to one address."""
    return [each for each in sink.messages if each.to == address]


async def told(service: Running, alert_id: str) -> list[dict]:
    """Return the notifications about an alert's incident."""
    return (await service.trail(alert_id))["notifications"]


async def test_two_hundred_devices_are_a_handful_of_messages_and_their_returns_one(make_settings, database):
    """Five at once, a digest of the rest, one of all returns; something critical in between is told alone, at once."""
    clock = FakeClock()
    async with mail_sink() as sink:
        settings = make_settings(
            **{**mail_settings(sink.port), "recipient_email": ",".join(PEOPLE)},
            devices=NAMES,
            severity_rules="leak=critical",
            **database,
        )
        async with serving(settings, clock=clock) as service:
            lost = await publish(service, clock)
            await sink.received(10)
            leak = await raise_alert(service.client, event="leak", coreid="cellar")
            await sink.received(12)
            await move(service, clock, seconds=2)
            await sink.received(14)
            await settled(service)
            clock.move(minutes=10)
            back = await publish(service, clock, data={"status": "resolved"})
            await settled(service)
            assert len(sink.messages) == 14
            await move(service, clock, seconds=2)
            await sink.received(16)
            await settled(service)
            trails = [await told(service, alert_id) for alert_id in [*lost, leak]]
            assert [await told(service, alert_id) for alert_id in back] == trails[:-1]
            explained = await service.client.get(f"/api/alerts/{lost[-1]}", headers=API_BEARER)
            health = (await service.client.get("/health", headers=API_BEARER)).json()
            assert (await service.gate.auditor.run()).passed
    assert "degraded" not in health
    for person in PEOPLE:
        mails = to(sink, person)
        subjects = [each.mail["Subject"].partition(":")[0] for each in mails]
        assert sorted(subjects[:5]) == [f"[WARNING] Room {number}" for number in range(5)], "in any order: at once"
        assert subjects[5:] == ["[CRITICAL] cellar", "[WARNING] 195 alerts", "[RESOLVED] 200 alerts"]
        _every_device_is_named(mails)
        assert len({each.mail["References"] for each in mails}) == len(mails)
    _every_trail_is_complete(trails)
    assert explained.json()["notifications"][0]["digest_id"]


def _every_device_is_named(mails: list[Received]) -> None:
    *_, lost, back = mails
    assert [int(number) for number in re.findall(r"Room (\d+)", lost.text)] == list(range(5, 200))
    assert [int(number) for number in re.findall(r"Room (\d+)", back.text)] == list(range(200))
    assert ("195 devices" in lost.text, "200 devices" in back.text) == (True, True)
    assert max(len(each.mail.as_bytes()) for each in mails) < 20_000


def _every_trail_is_complete(trails: list[list[dict]]) -> None:
    """Each notification is sent, with an attempt of its own; those of a digest name it."""
    every = [each for trail in trails for each in trail]
    assert Counter((each["kind"], each["status"]) for each in every) == {
        ("opening", "sent"): 402,
        ("resolution", "sent"): 400,
    }
    assert {(len(each["attempts"]), each["attempts"][0]["outcome"]) for each in every} == {(1, "sent")}
    assert len({each["attempts"][0]["id"] for each in every}) == len(every)
    digests = Counter((each["address"], each["kind"], each["digest_id"]) for each in every)
    assert Counter((address, kind, count) for (address, kind, digest), count in digests.items() if digest) == {
        (person, kind, count): 1 for person in PEOPLE for kind, count in (("opening", 195), ("resolution", 200))
    }
    at_once = [each for trail in (trails[0], trails[-1]) for each in trail if each["kind"] == "opening"]
    waited = [
        datetime.fromisoformat(each["claimed_at"]) - datetime.fromisoformat(each["created_at"]) for each in at_once
    ]
    assert (len(waited), {each["digest_id"] for each in at_once}) == (4, {None})
    assert max(waited).total_seconds() < 1


async def test_a_flood_is_one_text_message(make_settings):
    """It fits into a segment and counts every device."""
    clock = FakeClock()
    async with mail_sink() as sink:
        settings = make_settings(
            **{**mail_settings(sink.port), "recipient_email": ""}, recipient_sms="555@sms.example.net", devices=NAMES
        )
        async with serving(settings, clock=clock) as service:
            await publish(service, clock)
            await sink.received(5)
            await move(service, clock, seconds=3)
            digest = (await sink.received(6))[5]
    text = digest.mail.get_content().strip()
    assert text == "WARNING power/lost: 195 devices since 14:03 - Room 5, Room 6, Room 7 and 192 more"
    assert digest.mail["Subject"] is None


async def test_a_digest_that_is_refused_for_now_is_sent_again_as_it_was(make_settings, database):
    """With the same words and Message-ID, and a second attempt in the trail of each of its notifications."""
    clock = FakeClock()
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), flood_limit=1, **database)
        async with serving(settings, clock=clock) as service:
            ids = [await raise_alert(service.client, coreid=f"d{number}") for number in range(4)]
            await sink.received(1)
            await settled(service)
            sink.answer("DATA", "451 4.3.0 try again later")
            with structlog.testing.capture_logs() as logs:
                await move(service, clock, seconds=3)
                await until(lambda: asyncio.sleep(0, [each for each in logs if each["event"] == "digest.postponed"]))
                await raise_alert(service.client, coreid="another")
                await move(service, clock, seconds=6)
                digest = (await sink.received(2))[1]
                await settled(service)
            trails = [await told(service, alert_id) for alert_id in ids]
    [in_digest] = {each[0]["digest_id"] for each in trails} - {None}
    attempts = {tuple(a["outcome"] for a in each[0]["attempts"]) for each in trails if each[0]["digest_id"]}
    assert attempts == {("transient", "sent")}
    assert digest.mail["Message-ID"].startswith(f"<{in_digest}.")
    assert digest.mail["Subject"] == "[WARNING] 3 alerts: alarm"
    events = [each["event"] for each in logs if each["event"].startswith("digest.")]
    assert events == ["digest.claimed", "digest.postponed", "digest.sent"]


async def test_what_waited_for_a_dead_mail_server_is_a_handful_of_messages(make_settings):
    """Fifty incidents came while it was down: they don't come as fifty mails when it is back."""
    clock = FakeClock()
    async with mail_sink() as sink:
        await sink.stop()
        async with serving(make_settings(**mail_settings(sink.port)), clock=clock) as service:
            ids = [await raise_alert(service.client, coreid=f"d{number:02}") for number in range(50)]
            await until(lambda: asyncio.sleep(0, not service.gate.deliverer.states["email"].up))
            await settled(service)
            await sink.start()

            async def all_are_sent() -> bool:
                await move(service, clock, minutes=5)
                await settled(service)
                trails = [await told(service, alert_id) for alert_id in ids]
                return {each["status"] for trail in trails for each in trail} == {"sent"}

            await until(all_are_sent)
            mails = list(sink.messages)
    assert len(mails) <= 8
    said = " ".join(f"{each.mail['Subject']} {each.text}" for each in mails)
    assert [number for number in range(50) if f"d{number:02}" not in said] == []


async def test_a_digest_arrives_after_the_service_was_killed(tmp_path, database):
    """After a SIGKILL while it was being sent, the same digest arrives, with the same Message-ID."""
    async with mail_sink() as sink:
        settings = {**mail_settings(sink.port), "flood_limit": 1, **database}
        async with process(tmp_path, **settings) as first:
            for number in range(4):
                await raise_alert(first.client, coreid=f"d{number}")
            await sink.received(1)
            sink.open.clear()
            sink.talking.clear()
            async with asyncio.timeout(20):
                await sink.talking.wait()
            await first.kill()
        sink.open.set()
        if database:
            let_leases_run_out(database["database_url"])
        async with process(tmp_path, **settings) as second:
            mails = (await sink.received(2))[1:]
            assert await second.stop() == 0
    assert {each.mail["Subject"] for each in mails} == {"[WARNING] 3 alerts: alarm"}
    assert len({each.mail["Message-ID"] for each in mails}) == 1


async def test_sixty_incidents_with_a_limit_of_forty_send_forty_messages(make_settings, database):
    """The rest waits for room in the limit, visibly and without failing, and is sent a day later."""
    clock = FakeClock()
    async with mail_sink() as sink:
        settings = make_settings(
            **mail_settings(sink.port),
            smtp_daily_limit=40,
            flood_limit=0,
            give_up_after=7200,
            default_severity="critical",
            resolve_after=200_000,
            **database,
        )
        async with serving(settings, clock=clock) as service:
            deliverer = service.gate.deliverer
            with structlog.testing.capture_logs() as logs:
                ids = [await raise_alert(service.client, coreid=f"d{number}") for number in range(60)]
                await sink.received(40)
                await settled(service)
                for hour in range(23):
                    await move(service, clock, hours=1)
                    await until(lambda: asyncio.sleep(0, deliverer.budgets["mail"] is Budget.EXHAUSTED))
                    await settled(service)
                    assert len(sink.messages) == 40, hour
                health = (await service.client.get("/health", headers=API_BEARER)).json()
                status = (await service.client.get("/status", headers=API_BEARER)).json()
                metrics = (await service.client.get("/metrics")).text
                waiting = [await told(service, alert_id) for alert_id in ids]
                assert (await service.gate.auditor.run()).say() == []
            assert [each["budget"] for each in logs if each["event"] == "mail.daily_limit"][-1] == "exhausted"
            assert health["degraded"] == [
                "SMTP_DAILY_LIMIT is reached: no mail, and no text by mail, goes out until there is room again"
            ]
            assert status["mail_budget"] == "exhausted"
            assert Counter(each["status"] for trail in waiting for each in trail) == {"sent": 40, "pending": 20}
            assert "alertgate_mail_daily_limit_used_ratio 1.0" in metrics
            await move(service, clock, hours=1)
            await sink.received(60)
            await settled(service)
            trails = [await told(service, alert_id) for alert_id in ids]
    assert {each["status"] for trail in trails for each in trail} == {"sent"}
    assert sum(bool(each["held_until"]) for trail in trails for each in trail) == 20


async def test_forty_messages_are_enough_for_sixty_warnings(make_settings):
    """Near the limit the rest goes as a digest, and what is critical afterwards has room."""
    clock = FakeClock()
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), smtp_daily_limit=40, flood_limit=0)
        async with serving(settings, clock=clock) as service:
            for number in range(60):
                await raise_alert(service.client, coreid=f"d{number}")
            await settled(service)
            await move(service, clock, minutes=5)
            await until(lambda: asyncio.sleep(0, "alerts" in sink.messages[-1].mail["Subject"]))
            await settled(service)
            sent = len(sink.messages)
            await raise_alert(service.client, coreid="leak", data={"severity": "critical"})
            mails = await sink.received(sent + 1)
    assert sent <= 38
    assert mails[-1].mail["Subject"] == "[CRITICAL] leak: alarm"
    names = " ".join(f"{each.mail['Subject']} {each.text}" for each in mails)
    assert [number for number in range(60) if f"d{number}" not in names] == []


async def test_an_acknowledged_incident_drops_out_of_a_gathered_digest(make_settings):
    """While it is gathered nothing is fixed yet: who acknowledges in time isn't told any more."""
    clock = FakeClock()
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), flood_limit=1)
        async with serving(settings, clock=clock) as service:
            answers = []
            for number in range(4):
                body = {"event": "alarm", "coreid": f"d{number}"}
                answers.append(await service.client.post("/webhook/particle", json=body, headers=BEARER))
            await sink.received(1)
            incident = answers[2].json()["incident"]
            url = f"/api/incidents/{incident}/acknowledge"
            assert (await service.client.post(url, json={"by": "Ada"}, headers=API_BEARER)).status_code == 200
            await move(service, clock, seconds=3)
            digest = (await sink.received(2))[1]
    assert digest.mail["Subject"] == "[WARNING] 2 alerts: alarm"
    assert "d1, d3" in digest.text
