"""Silences, from the webhook to the mail: what is held, and what people hear at their end. Times are a night's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from alertgate.group import sweep
from alertgate.prove.history import incident_trail
from alertgate.prove.timeline import tell_incident
from tests.conftest import API_BEARER, serving
from tests.fakes import FakeClock, mail_sink
from tests.flow.test_nothing_is_lost import mail_settings
from tests.flow.test_stories import CLOSED, OPEN, House
from tests.policies import BERLIN, escalation, person, policy, step

EVENING = datetime(2026, 11, 23, 21, 0, tzinfo=UTC)
NIGHT = {"event": "*", "for": "8h", "by": "Anna", "note": "carpenter"}


@dataclass(frozen=True)
class Home(House):
    """A house that can be silenced."""

    async def silence(self, **asked: object) -> dict:
        """Begin a silence; return it."""
        body = {**NIGHT, **asked}
        answer = await self.service.client.post("/api/silences", json=body, headers=API_BEARER)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def unsilence(self, silence: dict) -> None:
        """End a silence."""
        path = f"/api/silences/{silence['id']}?by=Ben"
        assert (await self.service.client.delete(path, headers=API_BEARER)).status_code == 200

    async def till(self, hour: float) -> list[str]:
        """Let time pass until so many hours after 21:00, and end what is quiet; return what was mailed since then."""
        before = len(self.sink.messages)
        end = EVENING + timedelta(hours=hour)
        while self.clock.now() < end:
            self.clock.time = min(self.clock.now() + timedelta(minutes=30), end)
            await self.settle()
            gate = self.service.gate
            await sweep.resolve_quiet(gate.store, gate.settings.grouping, self.clock)
        return self.since(before)

    async def settle(self) -> None:
        """Do all that is due."""
        await self.service.gate.escalations.run()
        await self.service.settled()

    def since(self, number: int) -> list[str]:
        """Return to whom what was mailed after so many mails, in order of the addresses."""
        told = [f"{m.to.partition('@')[0]}: {m.mail['Subject']}" for m in self.sink.messages[number:]]
        return sorted(told)

    async def explained(self, answer: dict) -> list[tuple[str, str]]:
        """Return what became of each notification about an alert's incident, and why."""
        trail = await self.service.trail(answer["id"])
        return [(each["status"], each["reason"]) for each in trail["notifications"]]


@asynccontextmanager
async def home_of(make_settings, rules=None, **overrides: object) -> AsyncIterator[Home]:
    """Run a service that mails, on an evening; `rules` is its policy."""
    clock = FakeClock(EVENING)
    async with mail_sink() as sink:
        given = {**mail_settings(sink.port), "particle_rate_limit": "10000/minute", **overrides}
        parts = {"policy": lambda: rules} if rules else {}
        async with serving(make_settings(**given), clock=clock, **parts) as service:
            yield Home(service, sink, clock)


@pytest.fixture
async def home(make_settings) -> AsyncIterator[Home]:
    """A house on SQLite, whose owner is told everything."""
    async with home_of(make_settings) as made:
        yield made


async def test_a_leak_that_was_published_once_is_told_when_the_silence_ends(make_settings, database):
    """It isn't over by silence half an hour later, because nobody has been told yet."""
    async with home_of(make_settings, **database) as home:
        await home.silence()
        leak = await home.says("water", event="leak")
        assert await home.till(7.9) == []
        assert await home.incidents() == [("open", 1)]
        [told] = await home.till(8.1)
        assert "leak" in told
        assert "silenced by Anna until Tue 05:00 (carpenter)" in await home.reason(leak)
        assert await home.till(8.4) == []


async def test_what_opens_and_ends_while_silenced_is_told_to_nobody(home):
    """And the trail says why."""
    await home.silence()
    await home.says(OPEN)
    over = await home.says(CLOSED)
    assert await home.till(10) == []
    assert await home.incidents() == [("resolved", 2)]
    assert "silenced by Anna" in await home.reason(over)


async def test_who_was_told_before_hears_of_the_end_after_it(home):
    """Once, and not while it is silenced."""
    await home.says(OPEN)
    await home.silence()
    over = await home.says(CLOSED)
    assert await home.till(7.9) == []
    [told] = await home.till(9)
    assert "RESOLVED" in told
    assert [status for status, _ in await home.explained(over)] == ["sent", "sent"]


async def test_what_ended_and_began_again_is_told_as_it_stands(home):
    """One message, however often it changed, and that it is open."""
    await home.says(OPEN)
    await home.silence(**{"for": "1h"})
    for minute in range(5, 50, 5):
        home.clock.time = EVENING + timedelta(minutes=minute)
        await home.says(CLOSED if minute % 10 else OPEN)
    await home.says(OPEN)
    [told] = await home.till(1.1)
    assert "RESOLVED" not in told


async def test_who_knows_that_it_is_over_hears_nothing_of_what_came_and_went(home):
    """It was told as over, and opened and ended again within the silence."""
    await home.says(OPEN)
    home.clock.move(seconds=30)
    await home.says(CLOSED)
    await home.silence()
    home.clock.move(minutes=2)
    await home.says(OPEN)
    over = await home.says(CLOSED)
    assert await home.till(9) == []
    status, reason = (await home.explained(over))[-1]
    assert (status, reason) == (
        "cancelled",
        "over before the silence ended, and nobody there believes that it is open",
    )


async def test_a_silence_that_was_ended_before_it_began_is_in_no_story(home):
    """Nothing was ever held by it: whoever asks later why nobody came mustn't read that."""
    leak = await home.says({"status": "firing"}, event="leak")
    begins_at = (EVENING + timedelta(minutes=10)).isoformat()
    planned = await home.silence(begins_at=begins_at, **{"for": "4h"})
    await home.silence(begins_at=begins_at, note="painter", **{"for": "4h"})
    home.clock.move(minutes=5)
    await home.unsilence(planned)
    home.clock.move(minutes=15)
    await home.settle()
    gate = home.service.gate
    trail = await gate.store.read(lambda connection: incident_trail(connection, leak["incident"]))
    told = tell_incident(trail, None, UTC, gate.clock.now())
    assert ("painter" in told, "carpenter" in told, "ended by Ben" in told) == (True, False, False)


async def test_a_new_silence_catches_what_waits(home):
    """An update that was planned before it, and a message that the server refused for now."""
    home.sink.answer("RCPT", "451 4.3.0 later")
    await home.says("water", event="leak")
    await home.says(OPEN)
    before = len(home.sink.messages)
    home.clock.move(seconds=1)  # the second attempt is a few seconds away, the update some minutes
    await home.says(OPEN)
    silence = await home.silence()
    assert silence["open_incidents"] == 2
    assert await home.till(7.9) == []
    assert home.sink.messages[before:] == []
    status = (await home.service.client.get("/status", headers=API_BEARER)).json()["silences"]
    assert (status["number"], status["held"], status["latest"][0]["id"]) == (1, 2, silence["id"])
    metrics = (await home.service.client.get("/metrics")).text
    assert "alertgate_silences_active 1.0" in metrics
    assert "alertgate_silenced_notifications 2.0" in metrics
    [digest] = await home.till(8.1)
    assert "2 " in digest


async def test_a_rise_that_a_silence_excepts_is_told_at_once_though_a_retry_is_silenced(home):
    """And meanwhile nobody wonders about the clock, however long the retry waits."""
    home.sink.answer("RCPT", "451 4.3.0 later")
    await home.says({"severity": "warning"})
    await home.settle()
    home.clock.move(seconds=2)
    await home.silence(unless="critical")
    home.clock.move(seconds=8)
    with capture_logs() as logs:
        assert await home.till(4) == []
    before = len(home.sink.messages)
    await home.says({"severity": "critical"})
    await home.settle()
    [told] = home.since(before)
    assert "CRITICAL" in told
    assert "notifications.clamped" not in {each["event"] for each in logs}


async def test_a_maintenance_is_planned_ahead(home):
    """It begins by itself, catches what is due then, and is over by itself."""
    window = await home.silence(begins_at=(EVENING + timedelta(hours=1)).isoformat(), **{"for": "2h"})
    assert window["state"] == "pending"
    assert len(await home.till(0.5)) == 0
    await home.says(OPEN)
    assert len(home.sink.messages) == 1
    home.clock.time = EVENING + timedelta(hours=0.99)
    await home.says(OPEN)  # an update is due in some minutes at most
    before = len(home.sink.messages)
    home.clock.time = EVENING + timedelta(hours=1)
    await home.says("water", event="leak")
    await home.till(2.9)
    assert home.sink.messages[before:] == []
    await home.till(3.1)
    assert len(home.sink.messages) > before


async def test_ending_a_silence_releases_at_once_what_no_other_one_holds(make_settings, database):
    """The leak is told, the door stays silenced by the other one."""
    async with home_of(make_settings, **database) as home:
        everything = await home.silence()
        await home.silence(event="door", note="painter")
        await home.says("water", event="leak")
        await home.says(OPEN)
        home.clock.move(minutes=5)
        await home.unsilence(everything)
        await home.settle()
        [told] = home.since(0)
        assert "leak" in told
        assert await home.till(7.9) == []
        [told] = await home.till(8.1)
        assert "door" in told


async def test_everything_that_began_in_a_silence_is_one_message(home):
    """Doors, leaks, and one that was told before: its owner hears of all at once."""
    await home.silence()
    for number in range(4):
        await home.says("x", event=f"thing/{number}")
    [digest] = await home.till(8.1)
    assert "4 " in digest


async def test_what_was_known_before_comes_in_the_same_message(home):
    """News of a door that its owner knows of, and a leak that began within the silence."""
    await home.says(OPEN)
    await home.silence()
    await home.says("water", event="leak")
    await home.says(OPEN)
    [digest] = await home.till(8.1)
    assert "2 " in digest


@pytest.mark.parametrize("again", [OPEN, CLOSED])
async def test_two_incidents_of_one_thing_are_told_as_the_last_one_stands(home, again):
    """The first ended in the silence, and the second began in it: one message that says how the second stands."""
    await home.says(OPEN)
    await home.silence()
    home.clock.move(minutes=1)
    await home.says(CLOSED)
    home.clock.move(minutes=10)
    await home.says(OPEN)
    await home.says(again)
    [told] = await home.till(8.1)
    assert ("RESOLVED" in told) == (again is CLOSED)


async def test_a_longer_silence_holds_on(home):
    """Asked for while the first one lasts, as somebody does whose carpenter needs longer."""
    await home.silence(**{"for": "1h"})
    await home.says(OPEN)
    await home.till(0.5)
    await home.silence(**{"for": "2h"}, by="Ben")
    assert await home.till(2.4) == []
    assert len(await home.till(2.6)) == 1


@pytest.mark.parametrize("unless", [None, "critical"])
async def test_a_rise_is_judged_anew(make_settings, unless):
    """A silence that excepts what is critical lets the rise through, also to whom an update is held for."""
    async with home_of(make_settings, severity_rules="flood=critical") as home:
        await home.says({"severity": "warning"}, event="leak")
        await home.silence(unless=unless)
        await home.till(0.5)
        await home.says({"severity": "warning"}, event="leak")
        before = len(home.sink.messages)
        await home.says({"severity": "critical"}, event="leak")
        assert len(home.sink.messages) - before == (1 if unless else 0)
        told = [each for each in await home.till(8.1) if "CRITICAL" in each]
        assert len(told) == (0 if unless else 1)


async def test_what_is_critical_again_a_moment_after_it_was_over_is_told(make_settings):
    """A silence holds that it is open again as a warning; it doesn't hold that it is critical once more.

    It has changed three times, so that is told within a minute.
    """
    async with home_of(make_settings, severity_rules="") as home:
        await home.silence(unless="critical")
        await home.says({"severity": "critical", **OPEN})
        home.clock.move(seconds=1)
        await home.says(CLOSED)
        await home.says({"severity": "warning", **OPEN})
        before = len(home.sink.messages)
        await home.says({"severity": "critical", **OPEN})
        home.clock.move(minutes=1)
        await home.settle()
        [told] = home.since(before)
        assert "CRITICAL" in told


async def test_what_is_acknowledged_while_silenced_stays_quiet(home):
    """Nothing that was held is told."""
    await home.silence()
    door = await home.says(OPEN)
    path = f"/api/incidents/{door['incident']}/acknowledge"
    assert (await home.service.client.post(path, json={"by": "Ann"}, headers=API_BEARER)).status_code == 200
    assert await home.till(9) == []


async def test_alertgate_itself_is_never_silenced(make_settings):
    """What it says of its own troubles goes out, whatever is silenced: here, of an all-clear that may be an alarm."""
    async with home_of(make_settings) as home:
        await home.silence(source="*", device="*")
        await home.silence()
        await home.says({"status": "closed"}, event="valve")
        assert len(home.sink.messages) == 1


async def test_an_escalation_stands_still_while_silenced(make_settings, database):
    """Its second step comes as late after the silence as was left of its time; reminders go on from there."""
    rules = policy(
        [person("anna"), person("ben")],
        [escalation(step("anna"), step("ben", after="10m"), repeat_every="5m", stop_after="2h")],
    )
    async with home_of(make_settings, rules, **database) as home:
        await home.says(OPEN)
        assert home.since(0)[0].startswith("anna")
        home.clock.move(minutes=4)
        await home.silence()
        assert await home.till(7.9) == []
        end = EVENING + timedelta(hours=8, minutes=4)
        told = {}
        while home.clock.now() < end + timedelta(minutes=7):
            before = len(home.sink.messages)
            home.clock.move(minutes=1)
            await home.settle()
            if said := home.since(before):
                told[int((home.clock.now() - end).total_seconds() // 60)] = [each.partition(":")[0] for each in said]
        assert told == {1: ["anna"], 6: ["anna", "ben"]}


async def test_a_person_who_is_gone_misses_nothing(make_settings):
    """What was held for Anna, who is no longer in the policy, is told to Ben at the silence's end."""
    people = {"now": [person("anna"), person("ben")]}
    steps = {"now": "anna"}

    def rules():
        key = (tuple(people["now"]), steps["now"])
        if key not in made:
            made[key] = policy(people["now"], [escalation(step(steps["now"]))])
        return made[key]

    made: dict = {}
    clock = FakeClock(EVENING)
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port))
        async with serving(settings, clock=clock, policy=rules) as service:
            home = Home(service, sink, clock)
            sink.answer("RCPT", "451 4.3.0 later")
            await home.says(OPEN)
            await home.silence()
            await home.till(1)
            people["now"], steps["now"] = [person("ben")], "ben"
            assert await home.till(7.9) == []
            [told] = await home.till(8.1)
            assert told.startswith("ben")


async def test_nobody_who_sleeps_is_woken_by_the_end_of_a_silence(make_settings):
    """A silence that ends at 05:00 leaves a warning to quiet hours, which end at 06:30."""
    rules = policy([person("anna", "22:30-06:30 except critical")], [escalation(step("anna"))])
    async with home_of(make_settings, rules, timezone="Europe/Berlin") as home:
        await home.silence(ends_at=datetime(2026, 11, 24, 5, 0, tzinfo=BERLIN).isoformat(), **{"for": None})
        await home.says({"severity": "warning", "status": "open"})
        assert await home.till(8.4) == []  # 06:24 in Berlin
        assert len(await home.till(8.6)) == 1
