"""Nothing gets through by the first contact: people hear by the next one, and what they answer ends all the rest."""

import asyncio
from contextlib import asynccontextmanager

from alertgate.model import ChannelName
from alertgate.policy.people import Contact, Person
from alertgate.policy.policy import Policy
from tests.conftest import API_BEARER
from tests.fakes import START, until
from tests.flow.household import BERLIN, MINUTE, Household, escalation, household, policy, step
from tests.services.ntfy import NtfyServer
from tests.services.pushover import OWNER, PushoverServer
from tests.services.pushover import TOKEN as PUSHOVER_TOKEN
from tests.services.server import serve
from tests.services.telegram import TOKEN as TELEGRAM_TOKEN
from tests.services.telegram import telegram
from tests.services.twilio import PHONE, Account
from tests.services.twilio import SETTINGS as TWILIO
from tests.services.twilio import service as twilio

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


def mail_later(first: Contact) -> Policy:
    """Return the policy of a household of one, who is told by mail ten minutes after a first contact."""
    carla = Person("carla", (first, Contact(ChannelName.EMAIL, "carla@example.com", MINUTE * 10)), BERLIN)
    return policy((carla,), (escalation("home", step("carla")),))


async def mail_within_a_minute(home: Household, event: str, severity: str = "critical") -> str:
    """Report something, and let 40 seconds pass; return why the mail about it was sent."""
    before = len(home.sink.messages)
    alert = (await home.says({"severity": severity}, event=event))["id"]
    home.clock.move(seconds=40)

    async def mailed() -> bool:
        home.service.gate.deliverer.wake()
        return any(event in mail.mail["Subject"] for mail in home.sink.messages[before:])

    await until(mailed)
    trail = (await home.service.trail(alert))["notifications"]
    [reason] = [each["reason"] for each in trail if each["channel"] == "email"]
    return reason


async def test_later_alarms_do_not_wait_for_a_first_contact_that_is_refused_either(make_settings, database):
    """The token was revoked, so what comes while the channel is paused for this topic isn't even tried by it."""
    async with serve(NtfyServer()) as ntfy:
        given = {"ntfy_url": ntfy.url, "ntfy_token": "tk_revoked", "channels_private": True, **database}
        house = mail_later(Contact(ChannelName.NTFY, "carlas-topic"))
        async with household(make_settings, house, START, given) as home, home.running():
            await home.says({"severity": "critical"})
            await home.heard()
            state = home.service.gate.deliverer.states[ChannelName.NTFY]
            assert state.in_doubt
            home.clock.move(seconds=5)
            for event in ("smoke", "motion"):
                reason = await mail_within_a_minute(home, event)
                assert reason.endswith("; at once, because nothing gets through by ntfy")


async def test_a_daily_limit_that_is_reached_does_not_keep_the_next_contact_waiting(make_settings, database):
    """The last text is kept for what is critical, so a warning comes by mail; and so does all once it is used up."""
    account = Account()
    async with serve(twilio(account)) as fake:
        account.fake = fake
        given = {**TWILIO, "twilio_url": fake.url, "twilio_daily_limit": 2, **database}
        house = mail_later(Contact(ChannelName.TWILIO, PHONE))
        async with household(make_settings, house, START, given) as home, home.running():
            why = "; at once, because nothing gets through by twilio"
            await home.says({"severity": "critical"}, event="first")
            await home.heard()
            assert (await mail_within_a_minute(home, "warned", "warning")).endswith(why)
            await home.says({"severity": "critical"}, event="last")
            await until(lambda: asyncio.sleep(0.01, len(account.texts) == 2))
            assert (await mail_within_a_minute(home, "smoke")).endswith(why)
            assert len(account.texts) == 2
