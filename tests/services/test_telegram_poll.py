"""Hearing answers: what goes wrong is said once and tried again, nothing stops it, and it ends at once."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from starlette.responses import PlainTextResponse, StreamingResponse
from structlog.testing import capture_logs

from alertgate.notify.channels.telegram_bot import Bot
from alertgate.notify.lane import DeliveryTimes
from alertgate.notify.telegram_poll import TelegramPoll
from alertgate.store import polls
from tests.conftest import serving
from tests.fakes import FakeClock, until
from tests.services.telegram import TOKEN, telegram

QUICK = DeliveryTimes(poll_every=0.01)


@asynccontextmanager
async def listening_gate(make_settings, **settings):
    """A service that hears what people say to a bot."""
    async with telegram() as bot:
        given = {"telegram_token": TOKEN, "telegram_url": bot.url, "channels_private": True, **settings}
        told = {"recipient_push": "telegram:42", **given}
        with capture_logs() as lines:
            yield bot, make_settings(**told), lines


def said(lines, event):
    """Return the lines of an event."""
    return [line for line in lines if line["event"] == event]


async def asked(bot, count):
    """Wait until Telegram was asked for news so often."""

    async def is_asked():
        return len([each for each in bot.asked if each.path.endswith("/getUpdates")]) >= count

    await until(is_asked)


async def test_a_beginner_hears_what_to_write(make_settings):
    """Whoever finds the bot and presses Start is told the number of the chat, and where it goes."""
    async with listening_gate(make_settings) as (bot, settings, _), serving(settings, times=QUICK):
        bot.chats.update({7: "Eve", -1009: "Family"})
        await bot.say("/start", chat=7)
        await bot.say("/start@house_alert_bot", chat=-1009)
        await bot.say("talk among people", chat=-1009)
        await bot.say("ok", chat=-1009)
        await bot.say("/id")
        first, second, third = await bot.has_sent(3)
        assert "make telegram:7 a contact of a person in alertgate.toml" in first.text
        assert "RECIPIENT_PUSH=telegram:-1009 " in second.text
        assert third.text.startswith("alertgate tells this chat already, as telegram:42.")
        assert third.reply_to


async def test_strangers_are_answered_only_so_often(make_settings):
    """Whoever floods the bot doesn't keep it from hearing those who are told."""
    clock = FakeClock()
    async with listening_gate(make_settings) as (bot, settings, _), serving(settings, times=QUICK, clock=clock):
        bot.chats[7] = "Eve"
        for _ in range(30):
            await bot.say("hello", chat=7)
        await bot.say("hello")

        async def is_heard():
            return any(each.chat == 42 for each in bot.sent)

        await until(is_heard)
        assert len([each for each in bot.sent if each.chat == 7]) == 5


async def test_a_conflict_is_said_once_and_sending_goes_on(make_settings):
    """Another program has a webhook for the bot; once that is gone, answers are heard."""
    async with listening_gate(make_settings) as (bot, settings, lines):
        bot.webhook = "https://elsewhere.example"
        async with serving(settings, times=QUICK) as service:
            await asked(bot, 4)
            [line] = said(lines, "telegram.unheard")
            assert "deleteWebhook" in line["detail"]
            await service.particle(data="motion")
            assert len(await bot.has_sent(1)) == 1
            bot.webhook = ""
            query = await bot.press("I'm on it")
            assert "You have it." in await bot.shown(query)
            assert len(said(lines, "telegram.unheard")) == 1


@pytest.mark.parametrize(
    "answer",
    [
        lambda: PlainTextResponse("<html>hotel</html>"),
        lambda: PlainTextResponse(TOKEN, 502),
        lambda: PlainTextResponse('{"ok": true, "result": {}}'),
        lambda: PlainTextResponse("[" * 100_000),
        lambda: StreamingResponse(iter([b"x" * 100_000] * 5000)),
    ],
)
async def test_hostile_answers_are_tried_again(make_settings, answer):
    """They are said once, without the token."""
    async with listening_gate(make_settings) as (bot, settings, lines):
        bot.script.extend(answer() for _ in range(3))
        async with serving(settings, times=QUICK):
            await asked(bot, 4)
        assert len(said(lines, "telegram.unheard")) == 1
        assert "AAHtest" not in str(lines)


async def test_a_refused_token_is_tried_rarely(make_settings):
    """Telegram bans whoever asks with it again and again."""
    async with listening_gate(make_settings, telegram_token="1" + TOKEN) as (bot, settings, lines):
        async with serving(settings, times=QUICK):
            await asked(bot, 1)

            async def is_said():
                return said(lines, "telegram.unheard")

            [line] = await until(is_said)
            assert "@BotFather" in line["detail"]
        assert len(bot.asked) == 1
        assert "AAHtest" not in str(lines)


async def test_what_cannot_be_understood_is_passed_over(make_settings):
    """Else nothing that comes after it would ever be heard."""
    async with listening_gate(make_settings) as (bot, settings, lines), serving(settings, times=QUICK):
        for what in ({"message": None}, {"callback_query": [1]}, {"message": {"chat": {"id": "x"}}}, {"poll": {}}):
            await bot.update(**what)
        await bot.update(callback_query={"id": "q", "data": "a:1:0123456789", "message": {"chat": {"id": 42}}})
        await bot.say("/id")
        await bot.has_sent(1)
        assert said(lines, "telegram.defect") == []
        [line] = said(lines, "telegram.unsaid")  # Telegram doesn't know the query `q`
        assert "query is too old" in line["reply"]


async def test_what_has_no_number_is_not_asked_for_without_a_pause(make_settings):
    """It can't be confirmed, so it would come again at once, for ever."""
    async with listening_gate(make_settings) as (bot, settings, _), serving(settings, times=QUICK) as service:
        [listener] = service.gate.listeners
        await listener.stop()
        clock, answers = FakeClock(), listener._answers
        another = TelegramPoll(
            Bot(settings), service.gate.store, answers, clock, token="another", owner="another", pace=7.0
        )
        bot.script.append(PlainTextResponse('{"ok": true, "result": [{}, 1, null]}'))
        assert await another._round() == 7.0
        await another.stop()


async def test_it_ends_at_once(make_settings):
    """Not only when Telegram answers; then another process may poll."""
    async with listening_gate(make_settings) as (bot, settings, _), serving(settings, times=QUICK) as service:
        await asked(bot, 1)
        [listener] = service.gate.listeners
        async with asyncio.timeout(5):
            await listener.stop()
        name = listener._name
        assert await service.gate.store.read(lambda c: polls.get(c, name)) == polls.Poll(name)


async def test_what_is_done_is_confirmed_once(make_settings):
    """Then no number is sent any more: after a quiet week Telegram's begin anywhere."""
    async with listening_gate(make_settings) as (bot, settings, _), serving(settings, times=QUICK) as service:
        await service.particle(data="motion")
        await bot.has_sent(1)
        await bot.shown(await bot.press("I'm on it"))

        async def is_confirmed():
            return bot.confirmed

        [number] = await until(is_confirmed)
        await bot.say("/id")
        await bot.has_sent(2)
        offsets = [each.json.get("offset") for each in bot.asked if each.path.endswith("getUpdates")]
        assert offsets[:2] == [None, number + 1]
        assert offsets.count(number + 1) == 1


@pytest.mark.postgres
async def test_who_does_not_reach_telegram_lets_another_try(make_settings, postgres_database, tmp_path):
    """A replica whose network is broken doesn't keep the poll from the others."""
    shared = {"database_url": postgres_database}
    async with listening_gate(make_settings, **shared) as (bot, settings, lines):
        cut_off = settings.model_copy(update={"telegram_url": "http://127.0.0.1:9", "data_dir": tmp_path / "other"})
        async with serving(cut_off, times=QUICK):

            async def is_said():
                return said(lines, "telegram.unheard")

            await until(is_said)
            async with serving(settings, times=QUICK):
                await bot.say("/id")
                assert await bot.has_sent(1)
        assert len(said(lines, "telegram.unheard")) == 1
