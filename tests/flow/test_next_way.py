"""The mail server is down: people hear by their next contact, and what they answer ends all the rest."""

from contextlib import asynccontextmanager

from alertgate.model import ChannelName
from alertgate.policy.people import Contact, Person
from tests.conftest import API_BEARER
from tests.fakes import START, until
from tests.flow.household import BERLIN, MINUTE, escalation, household, policy, step
from tests.services.pushover import OWNER, PushoverServer
from tests.services.pushover import TOKEN as PUSHOVER_TOKEN
from tests.services.server import serve
from tests.services.telegram import TOKEN as TELEGRAM_TOKEN
from tests.services.telegram import telegram

ANNA = Person(
    "anna",
    (Contact(ChannelName.EMAIL, "anna@example.com"), Contact(ChannelName.TELEGRAM, "42", MINUTE * 10)),
    BERLIN,
)
BEN = Person("ben", (Contact(ChannelName.PUSHOVER, OWNER),), BERLIN)
HOUSE = policy((ANNA, BEN), (escalation("home", step("anna", "ben")),))


@asynccontextmanager
async def house(make_settings, database):
    """A household with a mail server that is away, a bot, and Pushover."""
    async with telegram() as bot, serve(PushoverServer()) as pushover:
        given = {
            "telegram_token": TELEGRAM_TOKEN,
            "telegram_url": bot.url,
            "pushover_token": PUSHOVER_TOKEN,
            "pushover_url": pushover.url,
            "channels_private": True,
            **database,
        }
        async with household(make_settings, HOUSE, START, given) as home:
            await home.sink.stop()
            async with home.running():
                yield home, bot, pushover


async def test_the_next_contact_is_told_within_a_minute(make_settings, database):
    """With the reason in the trail; who answers on the phone ends the mail, the ringing, and the buttons."""
    async with house(make_settings, database) as (home, bot, pushover):
        answer = await home.says({"severity": "critical"})
        for _ in range(6):
            home.clock.move(seconds=10)
            await home.heard()
        [told] = await bot.has_sent(1)
        assert home.clock.now() - START == MINUTE
        trail = (await home.service.trail(answer["id"]))["notifications"]
        [late] = [each for each in trail if each["channel"] == "telegram"]
        assert late["reason"].endswith("; at once, because nothing gets through by email")
        [emergency] = pushover.emergencies.values()
        assert emergency.rings
        await bot.shown(await bot.press("I'm on it", told))

        async def quiet() -> bool:
            await home.service.gate.follower.run()
            return not emergency.rings

        await until(quiet)
        assert "anna has it" in await bot.edited(told)
        assert told.buttons == []
        found = (await home.service.client.get(f"/api/incidents/{answer['incident']}", headers=API_BEARER)).json()
        assert found["incident"]["acknowledged_by"] == "anna"
        trail = (await home.service.trail(answer["id"]))["notifications"]
        [mail] = [each for each in trail if each["channel"] == "email" and each["kind"] == "opening"]
        assert mail["status"] == "cancelled"


async def test_who_hears_by_the_first_way_is_not_told_twice(make_settings, database):
    """The mail server works, so the bot waits for its ten minutes."""
    async with house(make_settings, database) as (home, bot, _):
        await home.sink.start()
        await home.says({"severity": "critical"})
        for _ in range(6):
            home.clock.move(seconds=10)
            await home.heard()
        assert [mail.to for mail in home.sink.messages] == ["anna@example.com"]
        assert bot.sent == []
        home.clock.move(minutes=10)
        await home.heard()
        await bot.has_sent(1)
