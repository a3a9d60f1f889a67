"""The mail server is away for long: what people hear once it is back, from the webhook to the mail."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from alertgate.group.sweep import resolve_quiet
from alertgate.model import ChannelName
from tests.conftest import API_BEARER, BEARER, Running, serving
from tests.fakes import FakeClock, MailSink, Received, mail_sink, until
from tests.flow.test_floods import settled, told
from tests.flow.test_nothing_is_lost import mail_settings, raise_alert

PEOPLE = ("me@example.com", "you@example.com")
RESOLVED = {"status": "resolved"}
DEVICE = r"(?<!-)\bd\d{3}\b(?!-)"
"""The name of a device, and no part of an id."""


@dataclass
class Outage:
    """A service whose mail server is away, and the clock."""

    service: Running
    sink: MailSink
    clock: FakeClock

    async def passes(self, *, times: int, minutes: int = 15) -> None:
        """Let so many minutes pass so many times, each with a round of everything that looks at the time."""
        for _ in range(times):
            self.clock.move(minutes=minutes)
            await self.round()

    async def round(self) -> None:
        """Try all that is due, let the gate look at itself, and end what is quiet."""
        await settled(self.service)
        await looks(self.service)

    async def ends(self) -> list[str]:
        """Start the mail server again; return the subjects of the mails of the next half an hour."""
        await self.sink.start()
        await self.passes(times=15, minutes=2)  # so that the gate sees that it is over before it tells
        for _ in range(4):
            self.clock.move(seconds=4)
            await settled(self.service)
        return self.subjects()

    def subjects(self) -> list[str]:
        """Return the subjects of the mails to the first person."""
        return [each.mail["Subject"] for each in self.sink.messages if each.to == PEOPLE[0]]

    def away_at_once(self) -> bool:
        """Return whether the channel is paused."""
        return not self.service.gate.deliverer.states[ChannelName.EMAIL].up

    async def statuses(self, ids: list[str]) -> Counter[str]:
        """Return how many notifications about these alerts have which status."""
        trails = [await told(self.service, id_) for id_ in ids]
        return Counter(each["status"] for trail in trails for each in trail)


async def looks(service: Running) -> None:
    """Let the gate look at itself, and end what is quiet."""
    gate = service.gate
    await gate.watch.run()
    await gate.own_alerts.run()
    await resolve_quiet(gate.store, gate.settings.grouping, gate.clock)


def text(mail: Received) -> str:
    """Return a mail's text, with plain line breaks."""
    return mail.text.replace("\r\n", "\n")


@asynccontextmanager
async def outage(make_settings, clock: FakeClock, sink: MailSink, **overrides: Any) -> AsyncIterator[Outage]:
    """Run a service whose mail server is away."""
    await sink.stop()
    settings = make_settings(
        **{**mail_settings(sink.port), "recipient_email": PEOPLE[0], "timezone": "Europe/Berlin", **overrides}
    )
    async with serving(settings, clock=clock) as service:
        yield Outage(service, sink, clock)


async def publish(away: Outage, count: int, first: int = 0, **fields: Any) -> list[str]:
    """Publish an event of each of so many devices; return the alerts' ids."""
    ids = []
    for number in range(first, first + count):
        away.clock.move(milliseconds=10)
        ids.append(await raise_alert(away.service.client, coreid=f"d{number:03}", **fields))
    return ids


@pytest.mark.parametrize("flood_limit", [5, 0])
async def test_what_150_devices_said_for_three_hours_is_one_mail(make_settings, database, flood_limit):
    """One to each recipient, however many came and ended, and nothing is told twice or left out."""
    clock, people = FakeClock(), {"recipient_email": ",".join(PEOPLE), "flood_limit": flood_limit}
    async with mail_sink() as sink, outage(make_settings, clock, sink, **people, **database) as away:
        ids = await publish(away, 100)
        await until(lambda: asyncio.sleep(0, away.away_at_once()))
        await away.passes(times=4)
        ids += await publish(away, 50, 100)
        await publish(away, 30, data=RESOLVED)
        await away.passes(times=8)
        assert await away.statuses(ids) == {"pending": 300}
        await away.ends()
        assert await away.statuses(ids) == {"sent": 300}
        assert (await away.service.gate.auditor.run()).passed
    assert sorted(each.to for each in sink.messages) == sorted(PEOPLE)
    for mail in sink.messages:
        assert mail.mail["Subject"] == "[WARNING] 150 alerts while mail was away, since 15:03"
        assert sorted(map(int, re.findall(r"(?<!-)\bd(\d{3})\b(?!-)", text(mail)))) == list(range(150))
        assert "30 of the 150 incidents are over." in text(mail)
        assert "over: alarm: 30 devices from 15:03 to 16:03\n" in text(mail)


async def test_two_that_were_missed_are_one_mail_too(make_settings):
    """However few, however critical, and with their later alerts; one alone is a mail as it always was."""
    async with mail_sink() as sink, outage(make_settings, FakeClock(), sink, severity_rules="leak=critical") as away:
        await publish(away, 1, event="leak")
        await publish(away, 1, 1)
        await away.passes(times=2)
        await publish(away, 1, event="leak")
        assert await away.ends() == ["[CRITICAL] 3 alerts of 2 incidents while mail was away, since 15:03"]
        await sink.stop()
        await publish(away, 1, 2)
        await away.passes(times=2)
        assert (await away.ends())[1:] == ["[WARNING] d002: alarm"]
        assert "This message is" in sink.messages[-1].text
    said = text(sink.messages[0])
    assert said.index("CRITICAL leak: d000 (2 alerts) since 15:03") < said.index("WARNING alarm: d001 since 15:03")


async def test_what_was_given_up_on_is_told_all_the_same(make_settings, database):
    """After two days; what came since is in the same mail, and what ended in silence isn't called over."""
    clock = FakeClock()
    async with mail_sink() as sink, outage(make_settings, clock, sink, **database) as away:
        ids = await publish(away, 12)
        await until(lambda: asyncio.sleep(0, away.away_at_once()))
        await away.passes(times=30, minutes=60)
        assert await away.statuses(ids) == {"failed": 12}
        listed = await away.service.client.get("/api/incidents?source=particle", headers=API_BEARER)
        assert {each["resolution"] for each in listed.json()["items"]} == {"silence"}
        later = await publish(away, 3, 20)
        await away.passes(times=18, minutes=60)
        assert await away.statuses(later) == {"pending": 3}
        assert await away.ends() == ["[WARNING] 15 alerts while mail was away, since Monday 15:03"]
        assert await away.statuses(ids + later) == {"sent": 15}
        trails = [await told(away.service, id_) for id_ in ids + later]
        await away.passes(times=8)
        assert len(away.subjects()) == 1
    [mail] = sink.messages
    assert "WARNING alarm: 12 devices fired Mon 15:03, silent since\n" in text(mail)
    assert "WARNING alarm: 3 devices since Tue 21:03\n" in text(mail)
    assert "RESOLVED" not in text(mail)
    assert "over" not in text(mail)
    [one] = trails[11]
    assert one["digest_id"] in text(mail)
    assert "given up on at 2026-11-24" in one["reason"]
    assert one["missed_since"].startswith("2026-11-23T14:03:00.12")
    assert {each["attempts"][-1]["outcome"] for [each] in trails} == {"sent"}
    assert sum(len(each["attempts"]) for [each] in trails) < 250  # of two hundred probes, not of 15 notifications each


async def test_an_outage_survives_restarts(make_settings, database):
    """With what waits, what was given up on, what came later, and that alertgate was away: still one mail."""
    clock = FakeClock()
    async with mail_sink() as sink:
        async with outage(make_settings, clock, sink, **database) as away:
            ids = await publish(away, 8)
            await until(lambda: asyncio.sleep(0, away.away_at_once()))
            await away.passes(times=25, minutes=60)
            ids += await publish(away, 4, 8)
            await away.passes(times=2)
            assert await away.statuses(ids) == {"failed": 8, "pending": 4}
        clock.move(hours=2)
        async with outage(make_settings, clock, sink, **database) as away:
            await away.service.gate.device_watch.run()
            ids += await publish(away, 2, 12)
            await away.passes(times=3)
            assert await away.statuses(ids) == {"failed": 8, "pending": 6}
        clock.move(hours=30)
        async with outage(make_settings, clock, sink, **database) as away:
            await away.service.gate.device_watch.run()
            assert await away.ends() == ["[WARNING] 16 alerts of 15 incidents while mail was away, since Monday 15:03"]
            assert await away.statuses(ids) == {"sent": 14}


@pytest.mark.postgres
async def test_two_replicas_send_one_mail(make_settings, postgres_database):
    """Both probe the server, both find it working, and each recipient still gets one mail."""
    clock, people = FakeClock(), {"recipient_email": ",".join(PEOPLE), "database_url": postgres_database}
    async with mail_sink() as sink, AsyncExitStack() as stack:
        first = await stack.enter_async_context(outage(make_settings, clock, sink, **people))
        second = await stack.enter_async_context(outage(make_settings, clock, sink, **people))
        both = (first.service, second.service)
        ids = await publish(first, 20) + await publish(second, 20, 20)
        for _ in range(26):
            clock.move(hours=1)
            await settled(*both)
        ids += await publish(second, 5, 40)
        clock.move(minutes=2)
        await settled(*both)
        assert await first.statuses(ids) == {"failed": 80, "pending": 10}
        await sink.start()
        for _ in range(15):
            clock.move(minutes=2)
            await settled(*both)
            await asyncio.gather(*(looks(service) for service in both))
            await settled(*both)  # what that made due, too
        assert await first.statuses(ids) == {"sent": 90}
    subject = "[WARNING] 45 alerts while mail was away, since Monday 15:03"
    assert sorted((each.to, each.mail["Subject"]) for each in sink.messages) == [(one, subject) for one in PEOPLE]


async def test_who_was_never_told_hears_so_with_the_next_alert(make_settings):
    """The door opened twice in the outage; its third opening isn't told as if it were the first."""
    clock = FakeClock()
    async with mail_sink() as sink, outage(make_settings, clock, sink) as away:
        await publish(away, 1, event="door")
        await away.passes(times=1)
        await publish(away, 1, event="door", data=RESOLVED)
        clock.move(minutes=6)
        ids = await publish(away, 1, event="door", data="again")
        await away.passes(times=25, minutes=60)
        assert await away.statuses(ids) == {"failed": 1}
        await sink.start()
        ids = await publish(away, 1, event="door", data="today", severity="critical")
        await away.passes(times=2)
        for _ in range(2):
            clock.move(minutes=6)
            await settled(away.service)
        assert await away.statuses(ids) == {"sent": 1}
        await publish(away, 1, event="door", data="once more")
        await away.passes(times=1)
    first, *updates = sink.messages
    assert "A new alert.\nIt isn't the first: you weren't told of 2 earlier alerts, since Monday 15:03.\n" in text(
        first
    )
    assert all("isn't the first" not in each.text for each in updates)


async def test_acknowledged_incidents_are_not_told(make_settings):
    """Neither while they wait nor once they were given up on: somebody knows of them."""
    clock = FakeClock()
    async with mail_sink() as sink, outage(make_settings, clock, sink) as away:
        answers = []
        for number in range(5):
            body = {"event": "alarm", "coreid": f"d{number}"}
            answers.append((await away.service.client.post("/webhook/particle", json=body, headers=BEARER)).json())
        await until(lambda: asyncio.sleep(0, away.away_at_once()))
        await away.passes(times=2)
        await acknowledge(away, answers[0]["incident"])
        await away.passes(times=24, minutes=60)
        assert await away.statuses([each["id"] for each in answers]) == {"cancelled": 1, "failed": 4}
        assert await away.ends() == ["[WARNING] 4 alerts while mail was away, since Monday 15:03"]
    assert "d1, d2, d3, d4" in sink.messages[0].text


async def acknowledge(away: Outage, incident: str) -> None:
    """Acknowledge an incident."""
    url = f"/api/incidents/{incident}/acknowledge"
    assert (await away.service.client.post(url, json={"by": "Ada"}, headers=API_BEARER)).status_code == 200


TOO_LARGE, SPAM, UNCLEAR = "552 5.3.4 Message too big", "554 5.7.1 Spam message rejected", "550 5.7.1 Access denied"


@pytest.mark.parametrize("reply", [SPAM, UNCLEAR])
async def test_one_message_that_is_refused_takes_no_other_with_it(make_settings, reply):
    """The digest is halved until only what is refused alone fails: a few mails, and everything else is told once."""
    async with mail_sink() as sink, outage(make_settings, FakeClock(), sink) as away:
        [poison] = await publish(away, 1, event="poison")
        ids = await publish(away, 31, 1)
        await until(lambda: asyncio.sleep(0, away.away_at_once()))
        await away.passes(times=4)
        sink.judge = lambda command, _to, said: reply if command == "DATA" and "poison" in said else None
        await away.ends()
        while await away.statuses([poison]) != {"failed": 1}:
            assert len(ids) < 40
            ids += await publish(away, 1, len(ids) + 1)  # which shows, where it isn't clear, that others are accepted
            await away.passes(times=4)
        assert await away.statuses(ids) == {"sent": len(ids)}
    mails = [each for each in sink.messages if "alertgate" not in each.mail["Subject"]]
    named = Counter(device for mail in mails for device in set(re.findall(DEVICE, text(mail))))
    assert named == Counter({f"d{number:03}" for number in range(1, len(ids) + 1)})
    assert len(mails) <= 2 * 5 + len(ids) - 31
    assert any("while mail was away" in mail.mail["Subject"] for mail in mails)


async def test_a_digest_that_is_too_large_is_told_in_parts(make_settings):
    """Each part says since when mail was away; nothing fails, and nothing is told twice."""
    async with mail_sink() as sink, outage(make_settings, FakeClock(), sink) as away:
        ids = await publish(away, 20)
        await until(lambda: asyncio.sleep(0, away.away_at_once()))
        await away.passes(times=4)
        sink.judge = lambda _command, _to, said: (
            TOO_LARGE if len(re.findall(r"(?<!-)\bd\d{3}\b(?!-)", said)) > 5 else None
        )
        await sink.start()
        away.clock.move(minutes=16)
        for _ in range(8):
            await settled(away.service)
            away.clock.move(seconds=4)
        assert away.subjects() == ["[WARNING] 5 alerts while mail was away, since 15:03"] * 4
        assert await away.statuses(ids) == {"sent": 20}
    devices = [device for mail in sink.messages for device in re.findall(DEVICE, text(mail))]
    assert sorted(devices) == [f"d{number:03}" for number in range(20)]
