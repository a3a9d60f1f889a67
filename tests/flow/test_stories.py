"""What people hear of what devices say: the end, the repeat, the flap, the order. From the webhook to the mail."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from tests.conftest import API_BEARER, BEARER, Running, serving
from tests.fakes import START, FakeClock, MailSink, mail_sink, until
from tests.flow.test_nothing_is_lost import mail_settings

OPEN, CLOSED = {"status": "open"}, {"status": "closed"}


@dataclass(frozen=True)
class House:
    """A service whose clock a test moves, and the mails that its owner gets."""

    service: Running
    sink: MailSink
    clock: FakeClock

    async def says(self, data: object, event: str = "door", device: str | None = "hall", **fields: object) -> dict:
        """Publish an event; return the answer, once what is due was sent."""
        body = {"event": event, "data": data, **({"coreid": device} if device else {}), **fields}
        answer = await self.service.client.post("/webhook/particle", json=body, headers=BEARER)
        assert answer.status_code in (200, 202)
        await self.mails()
        return {**answer.json(), "code": answer.status_code}

    async def published(self, data: object, ago: float, **fields: object) -> dict:
        """Publish an event that is some seconds old."""
        return await self.says(data, published_at=stamp(self.clock.now(), ago), **fields)

    async def passes(self, **amount: float) -> None:
        """Let time pass, by steps in which what becomes due is sent."""
        for _ in range(int(timedelta(**amount) / timedelta(seconds=10))):
            self.clock.move(seconds=10)
            await self.mails()

    async def mails(self) -> list[str]:
        """Return the tags of all mails so far, without their values, once what is due was sent."""
        await self.service.settled()
        subjects = [subject for mail in self.sink.messages if (subject := mail.mail["Subject"])]  # texts have none
        return [re.split("[],]", subject.removeprefix("["))[0] for subject in subjects]

    async def incidents(self) -> list[tuple[str, int]]:
        """Return the status and the number of alerts of each incident, oldest first."""
        found = (await self.service.client.get("/api/incidents", headers=API_BEARER)).json()["items"]
        return [(incident["status"], incident["alert_count"]) for incident in reversed(found)]

    async def reason(self, answer: dict) -> str:
        """Return why an alert did what it did."""
        return (await self.service.trail(answer["id"]))["alert"]["reason"]


def stamp(now: datetime, ago: float) -> str:
    """Return the time of publication of something that is so many seconds old."""
    return (now - timedelta(seconds=ago)).isoformat()


@asynccontextmanager
async def house(make_settings, **overrides: object) -> AsyncIterator[House]:
    """Run a service that mails."""
    clock = FakeClock()
    async with mail_sink() as sink:
        # Without digests: these stories count what is said about one thing.
        base = {**mail_settings(sink.port), "particle_rate_limit": "10000/minute", "flood_limit": 0}
        settings = make_settings(**{**base, **overrides})
        async with serving(settings, clock=clock) as service:
            yield House(service, sink, clock)


@pytest.fixture
async def home(make_settings) -> AsyncIterator[House]:
    """A service on SQLite."""
    async with house(make_settings) as made:
        yield made


CRITICAL = {"severity_rules": "leak*=critical"}


async def test_an_all_clear_with_nothing_open_wakes_nobody(make_settings, database):
    """A device that reports its state at boot, also as a form, for whatever event."""
    async with house(make_settings, **CRITICAL, **database) as home:
        form = {"event": "leak", "data": '{"status":"resolved"}', "coreid": "3f01"}
        answer = await home.service.client.post("/webhook/particle", data=form, headers=BEARER)
        assert answer.json()["incident"] is None
        assert await home.mails() == []
        assert await home.incidents() == []


async def test_an_all_clear_again_wakes_nobody(make_settings):
    """With a new id, from a second template, or after a person has resolved it."""
    async with house(make_settings, **CRITICAL) as home:
        await home.says({"status": "firing"}, event="leak", event_id="1")
        await home.says({"status": "resolved"}, event="leak", event_id="2")
        assert await home.mails() == ["CRITICAL", "RESOLVED"]
        home.clock.move(seconds=30)
        await home.says({"status": "resolved"}, event="leak", event_id="3")
        await home.says({"status": "resolved"}, event="leak")
        assert await home.mails() == ["CRITICAL", "RESOLVED"]
        home.clock.move(minutes=10)
        incident = (await home.says({"status": "firing"}, event="leak", event_id="4"))["incident"]
        assert await home.mails() == ["CRITICAL", "RESOLVED", "CRITICAL"]
        path = f"/api/incidents/{incident}/resolve"
        await home.service.client.post(path, json={"by": "Ann"}, headers=API_BEARER)
        await home.says({"status": "resolved"}, event="leak", event_id="5")
        assert await home.mails() == ["CRITICAL", "RESOLVED", "CRITICAL", "RESOLVED"]


@pytest.mark.parametrize("generic", [False, True])
async def test_a_late_all_clear_is_told_once(make_settings, generic):
    """The leak went quiet for an hour, and ended unsaid; now its end is said, and whoever was told hears of it."""
    async with house(make_settings) as home:

        async def say(status: str):
            if generic:
                return await home.service.generic(event="leak", source="bath", status=status)
            return await home.says({"status": status}, event="leak")

        await say("firing")
        await home.mails()
        await home.passes(minutes=35)
        await until(lambda: swept(home))
        assert await home.mails() == ["WARNING"]
        for _ in range(3):
            await say("resolved")
            home.clock.move(seconds=20)
        assert await home.mails() == ["WARNING", "RESOLVED"]


async def swept(home: House) -> bool:
    """Return whether the incident ended in silence; the sweep itself is run at its own pace."""
    from alertgate.group.sweep import resolve_quiet  # noqa: PLC0415

    gate = home.service.gate
    await resolve_quiet(gate.store, gate.settings.grouping, gate.clock)
    return [status for status, _ in await home.incidents()] == ["resolved"]


async def test_a_door_that_flaps_is_not_forty_mails(make_settings, database):
    """Twenty cycles in ten minutes: three changes at once, then one summary in five minutes, and how it ends."""
    async with house(make_settings, **database) as home:
        for _ in range(20):
            await home.says(OPEN)
            await home.passes(seconds=20)
            await home.says(CLOSED)
            await home.passes(seconds=10)
        assert (await home.mails())[:3] == ["WARNING", "RESOLVED", "WARNING"]
        assert len(await home.mails()) <= 5
        other = await home.says({"status": "wet", "severity": "critical"}, event="leak", device="bath")
        assert (await home.service.trail(other["id"]))["notifications"][0]["due_at"] == home.clock.now().isoformat()
        assert (await home.mails())[-1] == "CRITICAL"
        await home.passes(minutes=10)
        mails = await home.mails()
        assert mails[-1] == "RESOLVED"
        assert len(mails) <= 8
        assert "It changed 40 times" in home.sink.messages[-1].text
        assert [status for status, _ in await home.incidents()] == ["resolved", "open"]


async def test_a_door_that_stays_open_after_flapping_is_told(home: House):
    """The state in which it comes to rest is always told."""
    for data in (OPEN, CLOSED, OPEN, CLOSED, OPEN):
        await home.says(data)
        await home.passes(seconds=10)
    await home.passes(minutes=6)
    mails = await home.mails()
    assert mails == ["WARNING", "RESOLVED", "WARNING", "WARNING"]
    assert "It changed 5 times, and is open now." in home.sink.messages[-1].text


async def test_the_front_door_closes_and_the_back_door_is_open(home: House):
    """Two parts of one device are two incidents, with zones or without."""
    for zone in ({}, {"zone": "ground"}):
        await home.says({**zone, "door": "front", "status": "firing"})
        await home.says({**zone, "door": "back", "status": "firing"})
        await home.says({**zone, "door": "front", "status": "resolved"})
    assert await home.mails() == ["WARNING", "WARNING", "RESOLVED"] * 2
    assert [status for status, _ in await home.incidents()] == ["resolved", "open"] * 2
    subjects = [mail.mail["Subject"] for mail in home.sink.messages]
    assert subjects[:3] == [
        "[WARNING] hall (front): door",
        "[WARNING] hall (back): door",
        "[RESOLVED] hall (front): door",
    ]
    assert subjects[5] == "[RESOLVED] hall (ground, front): door"


async def test_readings_are_one_incident(home: House):
    """A probe's temperature and a door's state are no names."""
    for data in ({"probe": 21.5}, {"probe": 22}, {"probe": 300}, {"door": "open"}, {"door": "closed"}, {"zone": True}):
        await home.says(data, event="t")
    assert [alerts for _, alerts in await home.incidents()] == [5, 1]


@pytest.mark.parametrize("event_id", ["undefined", "1", 1])
async def test_an_id_that_many_events_share_swallows_none(home: House, event_id):
    """Neither of a second device nor of a second event of one device."""
    answers = [
        await home.says("wet", event="leak", device="bath", event_id=event_id),
        await home.says("wet", event="leak", device="cellar", event_id=event_id),
        await home.says("smoke", event="smoke", device="bath", event_id=event_id),
    ]
    assert [answer["code"] for answer in answers] == [202, 202, 202]
    assert await home.mails() == ["WARNING"] * 3


async def test_fridays_leak_is_not_mondays_repeat(home: House):
    """Firmware numbers its events from 1 after each reboot, and sends no time."""
    assert (await home.says("wet", event="leak", event_id=1))["code"] == 202
    assert (await home.says("wet", event="leak", event_id=1))["code"] == 200
    await home.passes(minutes=11)
    home.clock.move(days=3)
    assert (await home.says("wet", event="leak", event_id=1))["code"] == 202
    assert await home.mails() == ["WARNING", "WARNING"]


async def test_one_event_through_two_templates_is_one_alert(home: House):
    """With and without an id, with and without milliseconds, in either order."""
    for number, with_id_first in enumerate((True, False)):
        at = home.clock.now() - timedelta(seconds=1)
        long = {"event_id": f"e-{number}", "published_at": at.replace(microsecond=763000).isoformat()}
        short = {"published_at": at.replace(microsecond=0).isoformat()}
        first, second = (long, short) if with_id_first else (short, long)
        accepted = await home.says("wet", event="leak", device=str(number), **first)
        again = await home.says("wet", event="leak", device=str(number), **second)
        assert (accepted["code"], again["code"], again["id"]) == (202, 200, accepted["id"])
    assert await home.mails() == ["WARNING"] * 2
    assert [alerts for _, alerts in await home.incidents()] == [1, 1]


async def test_a_reed_that_bounces_means_each_bounce(home: House):
    """Open, closed, open within a second: it is open, though the third event looks like the first."""
    answers = [await home.published(data, 0.0) for data in (OPEN, CLOSED, OPEN)]
    assert [answer["code"] for answer in answers] == [202, 202, 202]
    assert (await home.mails())[-1] == "WARNING"
    assert [status for status, _ in await home.incidents()] == ["open"]


async def test_an_alarm_from_before_the_all_clear_is_no_new_alarm(home: House):
    """It comes late, from Particle's queue."""
    await home.published(OPEN, 9)
    await home.published(CLOSED, 3)
    late = await home.published({"status": "open", "again": True}, 5)
    assert await home.mails() == ["WARNING", "RESOLVED"]
    assert "which is over: it was published while that was open" in await home.reason(late)


async def test_a_panic_button_whose_release_overtakes_it_is_told(home: House):
    """One message says both: it was pressed, and that is over; nothing stays open for ever."""
    await home.published({"status": "ok"}, 1, event="panic")
    assert await home.mails() == []
    pressed = await home.published({"status": "pressed"}, 2, event="panic")
    assert await home.mails() == ["RESOLVED"]
    assert "It is already over" in home.sink.messages[0].text
    assert [status for status, _ in await home.incidents()] == ["resolved"]
    assert "its all-clear came first" in await home.reason(pressed)


async def test_an_all_clear_from_before_the_newest_alarm_ends_nothing(home: House):
    """It was published first, and came later."""
    await home.published(OPEN, 3)
    stale = await home.published(CLOSED, 5)
    assert await home.mails() == ["WARNING"]
    assert "a firing alert was published after it" in await home.reason(stale)


async def test_a_critical_alert_counts_whatever_its_time(home: House):
    """It is stamped a moment before the warning that came first."""
    await home.published({"level": 1}, 1, event="water")
    await home.published({"level": 9, "severity": "critical"}, 2, event="water")
    assert await home.mails() == ["WARNING", "CRITICAL"]


@pytest.mark.parametrize(
    "off",
    [timedelta(hours=-2), timedelta(days=-365), timedelta(days=365), timedelta(hours=2)],
    ids=["two hours slow", "a year slow", "a year fast", "two hours fast"],
)
async def test_a_wrong_clock_orders_nothing(home: House, off):
    """Alerts count in the order in which they come."""
    for number, data in enumerate((OPEN, CLOSED, OPEN)):
        # Each is stamped a little earlier than the one before: a clock that jumps.
        await home.says(data, published_at=(home.clock.now() + off - timedelta(seconds=number)).isoformat())
    assert await home.mails() == ["WARNING", "RESOLVED", "WARNING"]
    assert [status for status, _ in await home.incidents()] == ["open"]


async def test_a_clock_that_stands_still_orders_nothing(home: House):
    """All alerts have the same time, for hours."""
    at = home.clock.now().isoformat()
    for data in (OPEN, CLOSED) * 3:
        await home.says(data, published_at=at)
        await home.passes(minutes=6)
    assert await home.mails() == ["WARNING", "RESOLVED"] * 3


@pytest.mark.parametrize("device", [None, "", "{{PARTICLE_DEVICE_ID}}"])
async def test_an_all_clear_without_a_device_ends_nothing(home: House, device):
    """It may be about any device; with a dedup_key of its own it says which."""
    for data in (OPEN, {**OPEN, "dedup_key": "k"}, CLOSED, {**CLOSED, "dedup_key": "k"}):
        await home.says(data, device=None, coreid=device)
    assert [status for status, _ in await home.incidents()] == ["open", "resolved"]


async def test_an_old_all_clear_of_the_generic_webhook_ends_nothing(home: House):
    """Its signature has no time, so somebody who has seen it may send it again."""
    await home.service.generic(event="disk", source="nas")
    old = await home.service.generic(event="disk", source="nas", status="ok", timestamp=stamp(START, 301))
    assert await home.mails() == ["WARNING"]
    assert "its own time is more than 5 min old" in await home.reason(old.json())
    await home.service.generic(event="disk", source="nas", status="ok")
    assert await home.mails() == ["WARNING", "RESOLVED"]


async def test_a_person_who_knows_of_the_flapping_is_left_alone(home: House):
    """An acknowledgement of the first alarm ends with the alarm; one of the third change lasts."""

    async def acknowledge(answer: dict) -> None:
        path = f"/api/incidents/{answer['incident']}/acknowledge"
        assert (await home.service.client.post(path, json={"by": "Ann"}, headers=API_BEARER)).status_code == 200

    await acknowledge(await home.says(OPEN))
    await home.says(CLOSED)
    await home.passes(seconds=30)
    again = await home.says(OPEN)
    assert [status for status, _ in await home.incidents()] == ["open"]
    await acknowledge(again)
    before = await home.mails()
    for _ in range(10):
        await home.says(CLOSED)
        await home.passes(minutes=2)
        await home.says(OPEN)
        await home.passes(minutes=2)
    assert [status for status, _ in await home.incidents()] == ["acknowledged"]
    assert await home.mails() == before
    await home.says(CLOSED)
    await home.passes(minutes=6)
    assert await home.mails() == [*before, "RESOLVED"]
    await home.says(OPEN)
    assert await home.mails() == [*before, "RESOLVED", "WARNING"]
