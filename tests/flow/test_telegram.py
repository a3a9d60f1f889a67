"""People are told by a Telegram bot and answer there: from the webhook to the message, and back by long polling."""

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from alertgate.credential import Credential
from alertgate.group.sweep import resolve_quiet
from alertgate.marks import digest
from alertgate.model import ChannelName
from alertgate.policy.people import Contact, Person
from alertgate.proof import Proof
from alertgate.store import notifications, polls
from alertgate.store.engine import Store
from tests.conftest import API_BEARER, copy_template
from tests.fakes import START, until
from tests.flow.household import BERLIN, MINUTE, Household, escalation, household, person, policy, step
from tests.services.telegram import TOKEN, TelegramFake, telegram

ANNA = Person(
    "anna", (Contact(ChannelName.TELEGRAM, "42"), Contact(ChannelName.EMAIL, "anna@example.com", MINUTE * 3)), BERLIN
)
HOUSE = policy((ANNA, person("ben", later=3)), (escalation("home", step("anna", "ben")),))


@asynccontextmanager
async def home_with_bot(make_settings, made=HOUSE, **settings):
    """A household whose people a bot tells."""
    async with telegram() as bot:
        given = {"telegram_token": TOKEN, "telegram_url": bot.url, "channels_private": True, **settings}
        async with household(make_settings, made, START, given) as home:
            bot.now = home.clock.now
            yield home, bot


async def incident(home: Household, number: str):
    """Return an incident as the API shows it."""
    answer = await home.service.client.get(f"/api/incidents/{number}", headers=API_BEARER)
    return answer.json()["incident"]


def proofs(connection, number: str) -> list[tuple[Proof | None, str | None]]:
    """Return how far each of Telegram's messages about an incident is proved, and by whom."""
    told = notifications.of_incident(connection, number)
    return [(each.proof, each.proved_by) for each in told if each.channel is ChannelName.TELEGRAM]


async def test_a_press_acknowledges_and_ends_what_waits(make_settings, database):
    """Without a public URL: the incident has a holder, the mails that wait are cancelled, and the message shows it."""
    async with home_with_bot(make_settings, **database, public_url=None) as (home, bot), home.running():
        number = (await home.says("water"))["incident"]
        [told] = await bot.has_sent(1)
        assert "[WARNING] cellar: leak" in told.text
        assert [each["text"] for each in told.buttons] == ["I'm on it", "Snooze 1 h"]
        assert await home.heard() == ["ben: WARNING A new alert."]
        query = await bot.press("I'm on it")
        assert (await bot.shown(query)).startswith("WARNING cellar: leak - You have it.")
        assert not query.alert
        found = await incident(home, number)
        assert (found["status"], found["acknowledged_by"]) == ("acknowledged", "anna")
        assert found["acknowledged_with"] == Credential.TELEGRAM
        [proved] = await home.service.gate.store.read(lambda connection: proofs(connection, number))
        assert proved == (Proof.ACKNOWLEDGED, "Anna")
        text = await bot.edited(told)
        assert text.startswith("[ACKNOWLEDGED] cellar: leak")
        assert "anna has it: acknowledged at 14:03." in text
        assert told.buttons == []
        assert await home.heard() == ["ben: ACKNOWLEDGED anna has it: acknowledged at 14:03. You needn't do anything."]
        assert await home.sleeps(30) == []


async def test_the_message_shows_that_somebody_else_has_it(make_settings):
    """Whichever way they answered."""
    async with home_with_bot(make_settings) as (home, bot), home.running():
        await home.says("water")
        [told] = await bot.has_sent(1)
        await home.heard()
        await home.presses("ben", "I'm on it")
        assert "ben has it: acknowledged at 14:03." in await bot.edited(told)
        assert told.buttons == []


async def test_the_message_shows_the_end(make_settings):
    """And that it needs no answer any more."""
    async with home_with_bot(make_settings) as (home, bot), home.running():
        number = (await home.says("water"))["incident"]
        [told] = await bot.has_sent(1)
        await home.heard()
        await home.post(f"incidents/{number}/resolve", by="ben")
        assert (await bot.edited(told)).startswith("[RESOLVED] cellar: leak")
        assert told.buttons == []


async def test_the_message_of_what_only_went_quiet_stays(make_settings):
    """Whoever slept through it finds it in the morning, and not that it is over: nobody has said so."""
    async with home_with_bot(make_settings) as (home, bot), home.running():
        number = (await home.says("water"))["incident"]
        [told] = await bot.has_sent(1)
        said = told.text
        await home.heard()
        for _ in range(3):
            await home.sleeps(30)
            await resolve_quiet(home.service.gate.store, home.service.gate.settings.grouping, home.clock)
        assert (await incident(home, number))["resolution"] == "silence"
        await home.service.gate.follower.run()
        assert (told.text, len(told.buttons)) == (said, 2)
        query = await bot.press("I'm on it")
        assert "Nobody has said that it is over." in await bot.shown(query)


async def test_a_message_that_is_edited_is_as_late_as_it_was(make_settings):
    """It came at once, and somebody took it after a while."""
    async with home_with_bot(make_settings) as (home, bot), home.running():
        await home.says("water")
        [told] = await bot.has_sent(1)
        await home.heard()
        home.clock.move(minutes=2)
        await bot.shown(await bot.press("I'm on it"))
        text = await bot.edited(told)
        assert "anna has it: acknowledged at 14:05." in text
        assert "late" not in text


async def test_a_press_after_the_severity_rose_does_nothing(make_settings):
    """Whoever pressed didn't see how bad it is by now, and is told so."""
    async with home_with_bot(make_settings) as (home, bot), home.running():
        number = (await home.says({"severity": "warning"}))["incident"]
        [old] = await bot.has_sent(1)
        await home.heard()
        await home.says({"severity": "critical"})
        _, new = await bot.has_sent(2)
        query = await bot.press("I'm on it", old)
        said = "It changed after this message: look at the newest one, and answer that."
        assert await bot.shown(query) == f"CRITICAL cellar: leak - {said}"
        assert query.alert
        assert (await incident(home, number))["status"] == "open"
        assert "You have it." in await bot.shown(await bot.press("I'm on it", new))
        assert (await incident(home, number))["status"] == "acknowledged"


async def test_a_snooze_starts_anew(make_settings):
    """After an hour the message comes again, with buttons."""
    async with home_with_bot(make_settings) as (home, bot), home.running():
        await home.says("water")
        [told] = await bot.has_sent(1)
        assert (await bot.shown(await bot.press("Snooze 1 h"))).endswith(" - Snoozed for an hour. Then it starts anew.")
        assert "anna has snoozed it until 15:03." in await bot.edited(told)
        await home.sleeps(61)
        first, second = await bot.has_sent(2)
        assert second.buttons
        assert "It is open again: anna had snoozed it until 15:03." in await bot.edited(first, 2)
        assert first.buttons == []


@pytest.mark.parametrize("again", ["handed back", "worse"])
async def test_no_message_says_that_somebody_has_what_nobody_has(make_settings, database, again):
    """What said so says that it is open again, and by whose button the next one took it."""
    async with home_with_bot(make_settings, **database) as (home, bot), home.running():
        number = (await home.says({"severity": "warning"}))["incident"]
        [told] = await bot.has_sent(1)
        assert await home.heard() == ["ben: WARNING A new alert."]
        await bot.shown(await bot.press("I'm on it"))
        assert "anna has it: acknowledged at 14:03." in await bot.edited(told)
        await home.heard()
        if again == "handed back":
            await home.presses("ben", "anna can't after all", "Yes, hand it back")
            said = "anna can't after all, says ben: nobody has it."
        else:
            await home.says({"severity": "critical"})
            said = "It is open again: anna acknowledged it at 14:03, but alerts go on."
        _, new = await bot.has_sent(2)
        assert said in await bot.edited(told, 2)
        assert (told.buttons, [each["text"] for each in new.buttons]) == ([], ["I'm on it", "Snooze 1 h"])
        query = await bot.press("I'm on it", new)
        assert "You have it." in await bot.shown(query)
        assert (await incident(home, number))["status"] == "acknowledged"
        assert "anna has it: acknowledged at 14:03." in await bot.edited(told, 3)
        assert "anna has it: acknowledged at 14:03." in await bot.edited(new)


async def test_a_press_twice_changes_nothing(make_settings):
    """Two people in a group press at the same time."""
    async with home_with_bot(make_settings) as (home, bot), home.running():
        number = (await home.says("water"))["incident"]
        [told] = await bot.has_sent(1)
        before = replace(told)
        await bot.shown(await bot.press("I'm on it", before, first_name="Anna"))
        second = await bot.press("I'm on it", before, first_name="Eve")
        assert (await bot.shown(second)).endswith("Nothing was changed: somebody has it already.")
        assert (await incident(home, number))["acknowledged_by"] == "anna"


async def test_a_reply_answers_too(make_settings):
    """`ok` to the message that is meant; a bare one where only one thing is open."""
    async with home_with_bot(make_settings) as (home, bot), home.running():
        first = (await home.says("water"))["incident"]
        await bot.has_sent(1)
        second = (await home.says("cold", event="heating"))["incident"]
        await bot.has_sent(2)
        await home.heard()
        await bot.say("Ok")
        said = (await bot.has_sent(3))[2]
        assert said.text == (
            "Nothing was done, because it isn't sure what you mean. Open here: WARNING cellar: heating; WARNING "
            "cellar: leak. Reply to the message that you mean, or press its button."
        )
        await bot.say("OK!", reply_to=bot.sent[0])
        assert (await bot.has_sent(4))[3].text.startswith("WARNING cellar: leak - You have it.")
        assert [(await incident(home, each))["status"] for each in (first, second)] == ["acknowledged", "open"]
        await bot.say("snooze")
        assert (await bot.has_sent(5))[4].text.startswith("WARNING cellar: heating - Snoozed for an hour.")
        assert (await incident(home, second))["snoozed_until"]


async def test_strangers_change_nothing(make_settings):
    """Neither with a button of a message that they know of, nor with words; they hear how a chat is told."""
    async with home_with_bot(make_settings) as (home, bot), home.running():
        bot.chats[666] = "Eve"
        number = (await home.says("water"))["incident"]
        [told] = await bot.has_sent(1)
        data = told.buttons[0]["callback_data"]
        query = await bot.send_data(data, told, first_name="Eve", chat=666)
        assert await bot.shown(query) == "Nothing was done: alertgate doesn't know this message any more."
        await bot.say("ok", chat=666)
        assert "make telegram:666 a contact" in (await bot.has_sent(2))[1].text
        assert (await incident(home, number))["status"] == "open"


async def test_a_chat_that_is_told_no_more_changes_nothing(make_settings):
    """The policy no longer names it."""
    async with home_with_bot(make_settings) as (home, bot), home.running():
        number = (await home.says("water"))["incident"]
        await bot.has_sent(1)
        await home.heard()
        home.policy = policy((person("ben"),), (escalation("home", step("ben")),))
        query = await bot.press("I'm on it")
        assert await bot.shown(query) == "Nothing was done: this chat isn't told by alertgate any more."
        assert (await incident(home, number))["status"] == "open"


async def test_a_group_says_who_pressed(make_settings):
    """Also after it has become a supergroup, with another number than the policy has."""
    group = Person("family", (Contact(ChannelName.TELEGRAM, "-7"),), BERLIN)
    async with home_with_bot(make_settings, policy((group,), (escalation("home", step("family")),))) as (home, bot):
        bot.moved[-7] = -1007
        bot.chats[-1007] = "Family"
        async with home.running():
            number = (await home.says("water"))["incident"]
            [told] = await bot.has_sent(1)
            assert told.chat == -1007
            await bot.shown(await bot.press("I'm on it", first_name="Eve\u202e\n<b>"))
            assert "Eve\ufffd <b> has it" in await bot.edited(told)
            assert (await incident(home, number))["acknowledged_by"] == "Eve\ufffd <b>"


async def waits(bot: TelegramFake) -> bool:
    """Tell whether somebody listens."""
    return bot.polls > 0


@pytest.mark.postgres
async def test_one_replica_polls_and_another_takes_over(make_settings, postgres_database):
    """Telegram would refuse the second; what was pressed meanwhile isn't lost."""
    async with home_with_bot(make_settings, database_url=postgres_database) as (home, bot):
        first, second = home.running(), home.running()
        await first.__aenter__()
        await until(lambda: waits(bot))
        async with second:
            number = (await home.says("water"))["incident"]
            [told] = await bot.has_sent(1)
            assert bot.polls == 1
            await first.__aexit__(None, None, None)
            query = await bot.press("I'm on it", told)
            assert "You have it." in await bot.shown(query)
            assert (await incident(home, number))["status"] == "acknowledged"
            assert len([each for each in bot.asked if each.path.endswith("getUpdates")]) < 10


async def test_a_poller_that_was_killed_is_replaced(make_settings, database):
    """Its lease ends by itself, and what it has done is confirmed, not done again."""
    name = f"telegram:{digest(TOKEN)}"
    async with home_with_bot(make_settings, **database) as (home, bot):
        settings = make_settings(**home.database)
        copy_template(settings)
        store = Store(settings)
        store.open(exclusive=True)
        with store.transaction() as connection:
            assert polls.take(connection, name, "of the dead", START)
            assert polls.advance(connection, name, "of the dead", "7001")
        store.close()
        await bot.say("/start")
        await bot.say("/start")
        async with home.running():
            home.clock.move(seconds=59)
            await home.heard()
            assert bot.asked == []
            home.clock.move(seconds=1)
            await bot.has_sent(1)
            await until(lambda: waits(bot))
            assert len(bot.sent) == 1
            assert bot.confirmed == [7000, 7001]


async def test_without_a_token_nobody_polls(service):
    """There is nobody to ask."""
    assert service.gate.listeners == []
