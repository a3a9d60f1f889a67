"""alertgate wasn't running for a while: people hear once of the time in which nothing could be accepted."""

import pytest

from alertgate.group.sweep import resolve_quiet
from tests.flow.household import Household, escalation, household, person, policy, step
from tests.flow.test_escalations import berlin

HOUSE = policy((person("owner"), person("partner")), (escalation("home", step("owner", "partner")),))


def away(begin: str, end: str, lasted: str) -> str:
    """Return how the message about a time begins, as `said` returns it."""
    return f"INFO Nothing was accepted from {begin} to {end}, for {lasted}."


async def looks(home: Household) -> list[str]:
    """Let every service's watch look; return who got which message."""
    home.of_itself = True
    for service in home.services:
        await service.gate.device_watch.run()
    return [f"{each.partition('.')[0]}." for each in await home.heard()]


async def runs(home: Household, minutes: float) -> list[str]:
    """Let time pass, while the watch looks every few seconds; return who got which message."""
    told: list[str] = []
    for _ in range(round(minutes * 6)):
        home.clock.move(seconds=10)
        told += await looks(home)
    return told


async def test_it_says_once_that_it_was_away(make_settings, database):
    """To everyone, as alertgate's own trouble; it says when, and ends without another word."""
    async with household(make_settings, HOUSE, berlin(23, 14), database) as home:
        async with home.running():
            assert await looks(home) == []
        home.clock.move(minutes=150)
        async with home.running():
            said = away("13:00", "15:30", "2 h 30 min")
            assert await looks(home) == [f"owner: {said}", f"partner: {said}"]
            mail = home.sink.messages[-1]
            assert mail.mail["Subject"] == "[INFO] alertgate: was away"
            answer = await home.service.client.get("/health")
            assert answer.json()["status"] == "healthy"
            assert await runs(home, 35) == []
            gate = home.service.gate
            await resolve_quiet(gate.store, gate.settings.grouping, home.clock)
            assert await looks(home) == []
            [incident] = (await home.get("incidents"))["items"]
            assert (incident["event"], incident["status"]) == ("alertgate/away", "resolved")
        async with home.running():
            assert await looks(home) == [], "the next start was at once"


@pytest.mark.parametrize(("seconds", "told"), [(299, 0), (300, 2)])
async def test_an_update_is_no_news(make_settings, seconds: int, told: int):
    """Senders that try again do so for less."""
    async with household(make_settings, HOUSE, berlin(23, 14), {}) as home:
        async with home.running():
            await looks(home)
        home.clock.move(seconds=seconds)
        async with home.running():
            assert len(await looks(home)) == told


async def test_what_happens_again_and_again_is_not_told_each_time(make_settings):
    """A computer that goes away every quarter of an hour: its second time is told after GROUP_INTERVAL at most."""
    async with household(make_settings, HOUSE, berlin(23, 14), {}) as home:
        told = []
        for _ in range(5):
            async with home.running():
                told.append(len(await looks(home)))
                told[-1] += len(await runs(home, 4))
            home.clock.move(minutes=6)
        assert told[:2] == [0, 2]
        assert sum(told) <= 6, told
        assert not [mail for mail in home.sink.messages if "It goes on" in mail.text], "it is back each time"


async def test_who_has_the_one_before_hears_of_the_next(make_settings):
    """Who acknowledged that it was away has nothing of a time that was yet to come, and so it is told anew."""
    async with household(make_settings, HOUSE, berlin(23, 14), {}) as home:
        async with home.running():
            await looks(home)
        home.clock.move(minutes=20)
        async with home.running():
            await looks(home)
            await home.presses("owner", "I'm on it")
            await home.heard()
        home.clock.move(hours=2)
        async with home.running():
            said = away("13:20", "15:20", "2 h")
            assert await looks(home) == [f"owner: {said}", f"partner: {said}"]
            assert await runs(home, 1) == []
        home.clock.move(minutes=6)
        async with home.running():
            said = away("15:21", "15:27", "6 min; 2 times since 13:20, for 2 h 6 min in all")
            assert await looks(home) == [f"owner: {said}", f"partner: {said}"]
            assert len((await home.get("incidents"))["items"]) == 2


async def test_a_replica_that_ran_meanwhile_heard_everything(make_settings, postgres_database):
    """Whichever of them was away."""
    database = {"database_url": postgres_database}
    async with household(make_settings, HOUSE, berlin(23, 14), database) as home, home.running():
        async with home.running():
            await looks(home)
        assert await runs(home, 20) == []
        async with home.running():
            assert await runs(home, 2) == []


async def test_a_database_that_was_away_is_not_told_twice(make_settings):
    """The process ran: what it refused says that, and nothing else was missed. So it is if it began meanwhile."""
    async with household(make_settings, HOUSE, berlin(23, 14), {}) as home:
        async with home.running():
            await looks(home)
            home.clock.move(minutes=30)
            assert await looks(home) == []
        home.clock.move(minutes=1)
        async with home.running():
            home.clock.move(minutes=30)
            assert await looks(home) == []


async def test_a_night_holds_it(make_settings):
    """Nobody is woken for it."""
    house = policy((person("owner", "22:30-06:30"),), (escalation("home", step("owner")),))
    async with household(make_settings, house, berlin(23, 23), {}) as home:
        async with home.running():
            await looks(home)
        home.clock.time = berlin(24, 3)
        async with home.running():
            assert await looks(home) == []
            home.clock.time = berlin(24, 6, 30)
            assert await looks(home) == [f"owner: {away('2026-11-23 22:00', '02:00', '4 h')}"]


async def test_a_night_hides_no_time(make_settings):
    """What was held is one message about all that was missed: a text message shows no alerts from before."""
    house = policy((person("owner", "22:30-06:30"),), (escalation("home", step("owner")),))
    async with household(make_settings, house, berlin(24, 1), {}) as home:
        for minutes in (180, 20, 10):
            async with home.running():
                await looks(home)
                assert await runs(home, 5) == []
            home.clock.move(minutes=minutes)
        async with home.running():
            assert await looks(home) == []
            home.clock.time = berlin(24, 6, 30)
            last = "from 03:35 to 03:45, for 10 min; 3 times since 00:05, for 3 h 30 min in all"
            assert await looks(home) == [f"owner: INFO Nothing was accepted {last}."]


async def test_a_computer_that_slept_was_away(make_settings):
    """And so was one whose clock was wrong after its start."""
    async with household(make_settings, HOUSE, berlin(23, 14), {}) as home, home.running():
        await looks(home)
        home.clock.set_forward(hours=2)
        said = away("13:00", "15:00", "2 h")
        assert await looks(home) == [f"owner: {said}", f"partner: {said}"]
        assert await runs(home, 2) == []
