"""What is wrong with the gate itself reaches people by what still works, once, and so does its end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from sqlalchemy import text

from alertgate.accept.disk_trouble import Space
from alertgate.group import sweep
from alertgate.model import ChannelName
from alertgate.notify.channels.base import Message, Outcome, Reason, Sent, Transient
from tests.conftest import API_BEARER, DEVICE, Running, serving, sign
from tests.fakes import FakeClock, mail_sink, until
from tests.flow.test_failing_servers import attempted
from tests.flow.test_nothing_is_lost import mail_settings, raise_alert

DEAD = Transient(Reason.CREDENTIALS, "535 5.7.8 credentials of me@example.com refused")
BOTH = {**mail_settings(25), "recipient_sms": "555@sms.example.net"}


@dataclass
class Scripted:
    """A channel whose outcome a test decides; it keeps what it was given and what it sent."""

    name: ChannelName
    outcome: Outcome = field(default_factory=lambda: Sent("250 OK"))
    tried: list[Message] = field(default_factory=list)
    sent: list[Message] = field(default_factory=list)
    rehearsed: list[str | None] = field(default_factory=list)
    capacity: int = 2
    repeats_safely: bool = True

    async def send(self, message: Message, _deadline: float) -> Outcome:
        self.tried.append(message)
        if isinstance(self.outcome, Sent):
            self.sent.append(message)
        return self.outcome

    async def rehearse(self, to: str | None, _deadline: float) -> Outcome:
        self.rehearsed.append(to)
        return self.outcome

    async def close(self) -> None:
        """Do nothing."""

    def own(self) -> list[str]:
        """Return the texts of the messages about the gate itself that were sent."""
        return [each.text for each in self.sent if "alertgate" in (each.subject or each.text)]

    async def told(self, count: int) -> list[str]:
        """Wait for as many messages about the gate itself; return their texts."""
        await until(lambda: asyncio.sleep(0.01, len(self.own()) >= count))
        assert len(self.own()) == count
        return self.own()


@dataclass
class Gate:
    """A running service with two scripted channels."""

    service: Running
    clock: FakeClock
    email: Scripted
    sms: Scripted

    async def pass_time(self, **amount: float) -> None:
        """Move the clock; wait until the delivery loop and the watch have seen that."""
        self.clock.move(**amount)
        await self.settled()
        await self.service.gate.watch.run()
        await self.service.gate.own_alerts.run()
        await self.settled()

    async def settled(self) -> None:
        """Wait until what can be sent now was sent."""
        deliverer, moment = self.service.gate.deliverer, self.clock.monotonic()
        deliverer.wake()
        await until(lambda: asyncio.sleep(0, deliverer.last_round == moment))
        await until(lambda: asyncio.sleep(0.03, not deliverer.here))
        await until(lambda: asyncio.sleep(0.03, not deliverer.here))

    async def recover(self) -> None:
        """Let both channels work again; wait until their probes have shown that, and the watch has seen it."""
        self.email.outcome = self.sms.outcome = Sent("250 OK")
        await self.pass_time(minutes=20)
        deliverer = self.service.gate.deliverer
        await until(lambda: asyncio.sleep(0.01, all(state.up for state in deliverer.states.values())))
        await self.service.gate.watch.run()
        await self.settled()

    async def end_what_is_quiet(self) -> None:
        gate = self.service.gate
        await sweep.resolve_quiet(gate.store, gate.settings.grouping, self.clock)

    async def shows(self, wanted: dict[str, str]) -> None:
        """Wait until these own incidents are open, with these severities."""

        async def found() -> bool:
            return await self.open_ones() == wanted

        try:
            await until(found)
        except TimeoutError:
            assert await self.open_ones() == wanted

    async def own_incidents(self) -> list[dict]:
        answer = await self.service.client.get("/api/incidents", params={"source": "alertgate"}, headers=API_BEARER)
        return answer.json()["items"]

    async def open_ones(self) -> dict[str, str]:
        """Return the severities of the open own incidents, by event and what they are about."""
        return {
            f"{each['event'].removeprefix('alertgate/')} {each['device']}": each["severity"]
            for each in await self.own_incidents()
            if each["status"] != "resolved"
        }

    async def messages(self, event: str) -> list[str]:
        """Return the first lines of what was reported, oldest first."""
        found = []
        for incident in reversed(await self.own_incidents()):
            if incident["event"] == f"alertgate/{event}":
                trail = await self.service.client.get(f"/api/incidents/{incident['id']}", headers=API_BEARER)
                found += [alert["message"].splitlines()[0] for alert in reversed(trail.json()["alerts"])]
        return found


@pytest.fixture
async def make_gate(make_settings, database) -> AsyncIterator:
    """Return a function that runs a service with two scripted channels."""

    @asynccontextmanager
    async def start(**settings) -> AsyncIterator[Gate]:
        clock, email, sms = FakeClock(), Scripted(ChannelName.EMAIL), Scripted(ChannelName.SMS)
        parts = {name: settings.pop(name) for name in ("disk_usage",) if name in settings}
        made = make_settings(**{**BOTH, **database, **settings})
        async with serving(made, clock=clock, channels=[email, sms], **parts) as service:
            yield Gate(service, clock, email, sms)

    return start


async def test_a_paused_channel_is_told_by_the_other_one(make_gate):
    """As severe as what waits, with the server's answer, once; what waits goes when it is back, and then its end."""
    async with make_gate() as gate:
        gate.email.outcome = DEAD
        alert = await raise_alert(gate.service.client, severity="critical")
        await attempted(gate.service, alert)
        await gate.pass_time(seconds=59)
        await gate.shows({})  # most pauses end with the first probe
        await gate.pass_time(seconds=1)
        await gate.shows({"channel email": "critical"})
        [told] = await gate.sms.told(1)
        assert told.startswith(
            "CRITICAL alertgate: channel paused (email) - "
            "Channel email paused since 14:03: its server refuses the login."
        )
        [incident] = await gate.own_incidents()
        trail = (await gate.service.client.get(f"/api/incidents/{incident['id']}", headers=API_BEARER)).json()
        lines = trail["alerts"][0]["message"].splitlines()
        assert lines[1] == "The last answer was: 535 5.7.8 credentials of m***@example.com refused"
        assert lines[3].startswith("What to do: Check SMTP_USERNAME and SMTP_PASSWORD")
        for _ in range(30):
            await gate.pass_time(minutes=2)
        assert len(gate.sms.own()) == 1, "told once, however long it lasts"
        assert gate.email.own() == []
        await gate.recover()
        assert [each.subject for each in gate.email.sent] == ["[CRITICAL] d1: alarm"]
        await gate.shows({"channel email": "critical"})  # it may be paused elsewhere, or again
        await gate.pass_time(minutes=5)
        await gate.shows({})
        assert (await gate.sms.told(2))[1].startswith("RESOLVED alertgate: channel paused (email)")
        await gate.pass_time(minutes=5)
        assert gate.email.own() == [], "what came late says so itself"


async def test_where_no_channel_works_nothing_multiplies(make_gate):
    """Two critical incidents, whose notifications wait; they are needless once over: what came late says so itself."""
    async with make_gate() as gate:
        gate.email.outcome = gate.sms.outcome = DEAD
        await attempted(gate.service, await raise_alert(gate.service.client, severity="info"))
        for _ in range(60):
            await gate.pass_time(minutes=3)
        await gate.shows({"channel email": "critical", "channel sms": "critical"})
        about_itself = [
            each for each in (*gate.email.tried, *gate.sms.tried) if "channel paused" in (each.subject or each.text)
        ]
        assert about_itself == [], "a probe is about what waits, not about the channel"
        waiting = (await gate.service.client.get("/status", headers=API_BEARER)).json()["channels"]
        assert [waiting[name]["pending"] for name in ("email", "sms")] == [3, 3]
        await gate.recover()
        await gate.pass_time(minutes=5)
        await gate.pass_time(minutes=5)
        await gate.shows({})
        await gate.pass_time(hours=1)
        assert [channel.own() for channel in (gate.email, gate.sms)] == [[], []]
        assert [len(channel.sent) for channel in (gate.email, gate.sms)] == [1, 1]


async def test_a_channel_that_only_its_own_incident_waits_for_is_probed_with_that(make_gate):
    """What made it pause was acknowledged: without a probe nobody would learn that it works again."""
    async with make_gate() as gate:
        gate.email.outcome = DEAD
        alert = await raise_alert(gate.service.client)
        await attempted(gate.service, alert)
        await gate.pass_time(minutes=2)
        incident = (await gate.service.trail(alert))["incident"]["id"]
        body = {"by": "Anna"}
        answer = await gate.service.client.post(f"/api/incidents/{incident}/acknowledge", json=body, headers=API_BEARER)
        assert answer.status_code == 200
        await gate.recover()
        await gate.pass_time(minutes=6)
        await gate.shows({})


async def test_a_restart_continues_what_lasts_and_ends_what_is_over(make_settings):
    """The next process finds the channel paused: the same incident. The one after it doesn't: it is over in time."""
    clock, settings = FakeClock(), make_settings(**BOTH)
    for outcome, incidents in ((DEAD, ["open"]), (DEAD, ["open"]), (Sent("250 OK"), ["resolved"])):
        email, sms = Scripted(ChannelName.EMAIL, outcome), Scripted(ChannelName.SMS)
        async with serving(settings, clock=clock, channels=[email, sms]) as service:
            gate = Gate(service, clock, email, sms)
            await raise_alert(service.client, coreid=f"{clock.now()}")
            for _ in range(4):
                await gate.pass_time(minutes=3)
            assert [each["status"] for each in await gate.own_incidents()] == incidents


async def test_the_daily_limit_is_told_at_80_percent_and_when_there_is_room(make_settings):
    """Once, although each message about it counts; it ends below 70 %."""
    clock = FakeClock()
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), smtp_daily_limit=20, flood_limit=0)
        async with serving(settings, clock=clock) as service:
            gate = Gate(service, clock, Scripted(ChannelName.EMAIL), Scripted(ChannelName.SMS))
            for number in range(16):
                await attempted(service, await raise_alert(service.client, coreid=f"d{number}"))
            await gate.pass_time(seconds=6)
            await gate.shows({"limit mail": "warning"})
            [message] = await gate.messages("limit")
            assert message == "The daily limit of mail is near since 14:03: 80 % was used."
            assert (await service.client.get("/health", headers=API_BEARER)).json()["degraded"] == [
                "SMTP_DAILY_LIMIT is near: what isn't critical goes out as digests"
            ]
            for _ in range(5):
                await gate.pass_time(minutes=10)
            assert len(await gate.messages("limit")) == 1
            await gate.pass_time(hours=24)
            await gate.shows({})


async def test_a_disk_that_is_almost_full_is_told_before_it_is(make_gate):
    """Little is a warning, hardly anything critical, and it is over when there is clearly room again."""
    free = [10**9]

    def usage(_path):
        return Space(8 * 10**9, 0, free[0])

    async with make_gate(disk_usage=usage, database_url=None) as gate:
        await gate.pass_time(minutes=2)
        await gate.shows({})
        free[0] = 399 * 10**6
        await gate.pass_time(minutes=1)
        await gate.shows({"disk DATA_DIR": "warning"})
        assert (await gate.service.client.get("/health", headers=API_BEARER)).json()["degraded"] == [
            "disk almost full (DATA_DIR): since 2026-11-23 14:06 UTC; its incident says why and what to do"
        ]
        free[0] = 39 * 10**6
        await gate.pass_time(minutes=1)
        free[0] = 599 * 10**6
        await gate.pass_time(minutes=30)
        await gate.shows({"disk DATA_DIR": "critical"})
        free[0] = 601 * 10**6
        await gate.pass_time(minutes=1)
        await gate.shows({})
        assert await gate.messages("disk") == [
            "Disk almost full since 14:06: little space is left.",
            "Disk almost full since 14:06: hardly any space is left.",
            "Disk almost full from 14:06 to 14:38: hardly any space is left.",
        ]


async def test_a_forgotten_token_is_told_once_a_day(make_gate):
    """A sender that returns with it; not what a scanner does, however much of that. It ends in silence."""
    forgotten = {
        "Authorization": "Bearer forgotten-token-0123456789",
        "User-Agent": "ParticleBot/1.1 (https://x.example)",
    }
    async with make_gate() as gate:

        async def send(headers: dict[str, str]) -> None:
            answer = await gate.service.client.post("/webhook/particle", json={"event": "e"}, headers=headers)
            assert answer.status_code == 401

        for number in range(300):
            await send({"Authorization": f"Bearer guess-{number:016}"})
        await gate.pass_time(minutes=30)
        await gate.shows({})
        for _ in range(5):
            await send(forgotten)
            await gate.pass_time(minutes=3)
        await gate.shows({"credentials particle webhook": "warning"})
        [message] = await gate.messages("credentials")
        assert message == ("Requests from 127.0.0.1 (ParticleBot/1.1) refused since 14:33: a wrong token or signature.")
        await gate.sms.told(1)
        for _ in range(22):
            await send(forgotten)
            await gate.pass_time(hours=1)
            await gate.end_what_is_quiet()
        assert (len(await gate.own_incidents()), await gate.open_ones(), len(gate.sms.own())) == (1, {}, 1)
        for _ in range(4):
            await send(forgotten)
            await gate.pass_time(hours=1)
        assert len(await gate.own_incidents()) == 2
        await gate.sms.told(2)
        assert "forgotten" not in str([*gate.sms.sent, *gate.email.sent, *await gate.messages("credentials")])


async def test_a_sender_that_signs_with_an_old_key_is_told_too(make_gate):
    """At the generic webhook, for its address; a request without any credential isn't counted."""
    async with make_gate() as gate:
        for number in range(12):
            await gate.service.client.post("/webhook/generic", content=b"{}")
            headers = {"X-Hub-Signature-256": sign(b"{}", "an-old-key-0123456789")} if number % 2 else {}
            answer = await gate.service.client.post("/webhook/generic", content=b"{}", headers=headers)
            assert answer.status_code == 401
            await gate.pass_time(minutes=2)
        await gate.shows({"credentials generic webhook": "warning"})
        [message] = await gate.messages("credentials")
        assert message.startswith("Requests from 127.0.0.1 (python-httpx/")


async def audited(gate: Gate, times: int, **apart: float) -> None:
    """Let time pass, and have the auditor look as often."""
    for _ in range(times):
        await gate.pass_time(**apart)
        await gate.service.gate.auditor.run()
        await gate.service.gate.watch.run()
        await gate.service.gate.own_alerts.run()


async def test_what_the_auditor_finds_for_a_minute_is_told(make_gate):
    """An alert that nobody can be told of, for whatever reason."""
    async with make_gate() as gate:
        await attempted(gate.service, await raise_alert(gate.service.client, severity="critical"))
        await gate.settled()
        for table in ("attempts", "notifications"):
            lost = text(f"DELETE FROM {table}")  # noqa: S608  (names from above)
            await gate.service.gate.store.write(lambda connection, lost=lost: connection.execute(lost).rowcount)
        await audited(gate, 3, minutes=1)
        await gate.shows({"audit nobody told": "critical"})
        [message] = await gate.messages("audit")
        assert message.endswith("nobody was or will be told of an open incident.")
        assert DEVICE not in message
        await gate.sms.told(1)


async def test_one_cause_is_told_once(make_gate):
    """What failed is told as such, and not as the auditor's finding too; nor does the auditor count what says so."""
    async with make_gate(give_up_after=600) as gate:
        gate.email.outcome = gate.sms.outcome = DEAD
        await attempted(gate.service, await raise_alert(gate.service.client, severity="critical"))
        await audited(gate, 8, minutes=2)
        open_ones = dict.fromkeys(("channel email", "channel sms", "failed notifications"), "critical")
        await gate.shows(open_ones)
        await audited(gate, 20, minutes=5)
        assert (await gate.open_ones(), len(await gate.own_incidents())) == (open_ones, 3)
        assert "nobody_told" in str((await gate.service.client.get("/health", headers=API_BEARER)).json()["degraded"])
