"""The channel `telegram`: what is sent, what each answer means, what is never shown, and what hostile answers do."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, StreamingResponse

from alertgate.clock import SystemClock
from alertgate.model import ChannelName, Severity
from alertgate.notify.breaker import ChannelState, after
from alertgate.notify.channels import telegram as provider
from alertgate.notify.channels.base import (
    CHANNEL_WIDE,
    Brief,
    Followed,
    Learned,
    Level,
    Message,
    Permanent,
    Picture,
    Reason,
    Sent,
    Transient,
)
from alertgate.notify.channels.service import Reply
from alertgate.notify.channels.telegram import outcome
from alertgate.notify.channels.telegram_text import draft, shorten, units, unpack
from alertgate.notify.evidence import Evidence, Tried, weigh
from alertgate.notify.telegram_updates import Press, Said, read
from tests.builders import for_any
from tests.services.telegram import TOKEN, telegram

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
LINK = "https://alerts.example.org/a/0123456789abcdef"
ASKS = Brief(
    "01a208b7-9a20-7004-884f-004d5a77e312",
    "CRITICAL",
    Severity.CRITICAL,
    asks=True,
    link=LINK,
    acts=(("acknowledge", "I'm on it"), ("snooze", "Snooze 1 h")),
    shown="0123456789",
)
PICTURE = Picture("jpeg", b"\xff\xd8\xff" + bytes(100))


def message(**changes: object) -> Message:
    """Return a message to Anna, with changes."""
    usual = {
        "to": "42",
        "text": "Water in the cellar.",
        "subject": "[CRITICAL] cellar: leak",
        "message_id": "n@example.org",
        "thread_id": "i@example.org",
        "date": NOW,
        "brief": ASKS,
    }
    return Message(**{**usual, **changes})


def soon(seconds: float = 5) -> float:
    """Return a deadline."""
    return asyncio.get_running_loop().time() + seconds


@pytest.fixture
async def bot():
    """Telegram, as it knows one bot."""
    async with telegram() as fake:
        yield fake


@pytest.fixture
async def channel(make_settings, bot):
    """The channel to it."""
    settings = make_settings(telegram_token=TOKEN, telegram_url=bot.url, channels_private=True)
    [opened] = provider.from_settings(settings, SystemClock())
    yield opened
    await opened.close()


def reply(status: int, body: object = "", headers: dict[str, str] | None = None) -> Reply:
    """Return an answer."""
    content = body if isinstance(body, str) else json.dumps(body)
    return Reply(status, content.encode(), MappingProxyType(headers or {}), lambda text: text)


def error(code: int, description: str, **parameters: object) -> Reply:
    """Return an error of the API."""
    body = {"ok": False, "error_code": code, "description": description, "parameters": parameters}
    return reply(code, body)


SLOW = "Too Many Requests: retry after 7"
ROWS = [
    (error(429, SLOW, retry_after=7), Transient, Reason.RECIPIENT_BUSY, timedelta(seconds=7)),
    (error(429, SLOW, retry_after=3600), Transient, Reason.TRY_LATER, timedelta(hours=1)),
    (error(429, SLOW, retry_after=1e300), Transient, Reason.TRY_LATER, timedelta(days=1)),
    (error(429, SLOW, retry_after=10**4000), Transient, Reason.TRY_LATER, timedelta(days=1)),
    (error(429, SLOW, retry_after=float("nan")), Transient, Reason.RECIPIENT_BUSY, None),
    (error(429, SLOW, retry_after="soon"), Transient, Reason.RECIPIENT_BUSY, None),
    (error(429, SLOW, retry_after=-3), Transient, Reason.RECIPIENT_BUSY, None),
    (reply(429, "slow", {"retry-after": "9"}), Transient, Reason.RECIPIENT_BUSY, timedelta(seconds=9)),
    (error(403, "Forbidden: bot was blocked by the user"), Permanent, Reason.REFUSED, None),
    (error(403, "Forbidden: bot was kicked from the supergroup chat"), Permanent, Reason.REFUSED, None),
    (error(403, "Forbidden: user is deactivated"), Permanent, Reason.REFUSED, None),
    (error(403, "Forbidden: bot can't initiate conversation with a user"), Permanent, Reason.NO_SUCH_RECIPIENT, None),
    (error(400, "Bad Request: chat not found"), Permanent, Reason.NO_SUCH_RECIPIENT, None),
    (error(400, "Bad Request: PEER_ID_INVALID"), Permanent, Reason.NO_SUCH_RECIPIENT, None),
    (error(400, "Bad Request: not enough rights to send text messages to the chat"), Permanent, Reason.REFUSED, None),
    (error(400, "Bad Request: can't parse entities: unexpected end"), Permanent, Reason.FORMAT, None),
    (error(400, "Bad Request: message is too long"), Permanent, Reason.TOO_LARGE, None),
    (error(400, "Bad Request: IMAGE_PROCESS_FAILED"), Permanent, Reason.TOO_LARGE, None),
    (error(400, "Bad Request: PHOTO_INVALID_DIMENSIONS"), Permanent, Reason.TOO_LARGE, None),
    (error(400, "Bad Request: something new"), Permanent, Reason.FORMAT, None),
    (error(413, "Request Entity Too Large"), Permanent, Reason.TOO_LARGE, None),
    (reply(413, "<html>413</html>"), Permanent, Reason.TOO_LARGE, None),
    (error(401, "Unauthorized"), Transient, Reason.CREDENTIALS, None),
    (error(404, "Not Found"), Transient, Reason.CREDENTIALS, None),
    (reply(200, {"ok": False, "error_code": 401, "description": "Unauthorized"}), Transient, Reason.CREDENTIALS, None),
    (error(500, "Internal Server Error"), Transient, Reason.TRY_LATER, None),
    (reply(502, "<html>", {"retry-after": "30"}), Transient, Reason.TRY_LATER, timedelta(seconds=30)),
    (reply(403, "<html>blocked by your provider</html>"), Transient, Reason.UNCLEAR, None),
    (reply(404, "<html>nginx</html>"), Transient, Reason.UNCLEAR, None),
    (reply(307, "", {"location": "http://169.254.169.254/"}), Transient, Reason.UNCLEAR, None),
    (reply(200, "<html>Welcome to this hotel</html>"), Transient, Reason.UNCLEAR, None),
    (reply(200, []), Transient, Reason.UNCLEAR, None),
    (reply(200, "null"), Transient, Reason.UNCLEAR, None),
    (reply(200, {"ok": "yes"}), Transient, Reason.UNCLEAR, None),
    (reply(200, "[" * 50000), Transient, Reason.UNCLEAR, None),
]


@pytest.mark.parametrize(("answer", "kind", "reason", "retry_in"), ROWS)
def test_what_an_answer_means(answer, kind, reason, retry_in):
    """Each has an outcome with its reason, and advice that names what to do."""
    found = outcome(answer, NOW)
    assert (type(found), found.reason) == (kind, reason)
    assert getattr(found, "retry_in", None) == retry_in
    assert getattr(found, "of_content", False) == (reason in (Reason.TOO_LARGE, Reason.FORMAT))
    assert provider.advice(None, found)


def test_what_concerns_one_chat_does_not_pause_the_channel():
    """A household isn't silent because one of them has blocked the bot."""
    alone = {Reason.RECIPIENT_BUSY, Reason.REFUSED, Reason.NO_SUCH_RECIPIENT, Reason.TOO_LARGE, Reason.FORMAT}
    assert alone & CHANNEL_WIDE == set()
    assert {reason for _, _, reason, _ in ROWS} - alone <= CHANNEL_WIDE


def test_a_long_wait_is_about_its_chat_unless_another_chat_has_to_wait_too():
    """Telegram doesn't say whether the bot is meant, and others are told by it."""
    state = ChannelState()
    for chat, all_wait in (("-100", False), ("42", True)):
        weighed = weigh(
            state.evidence, Tried(chat, f"to {chat}"), outcome(error(429, SLOW, retry_after=3600), NOW), NOW
        )
        state = after(state, weighed, NOW, 0.5)
        assert state.admits("77") is not all_wait
    known = weigh(Evidence(), Tried("77", "before"), Sent("ok"), NOW).evidence
    found = weigh(known, Tried("-100", "to a group"), outcome(error(429, SLOW, retry_after=61), NOW), NOW).outcome
    assert found == Transient(Reason.RECIPIENT_BUSY, f"429 {SLOW}", retry_in=timedelta(seconds=61))


@pytest.mark.parametrize(
    ("result", "receipt"),
    [
        ({"message_id": 7, "chat": {"id": -100}}, "-100:7"),
        ({"message_id": True, "chat": {"id": 4}}, None),
        ({"message_id": 7, "chat": None}, None),
        ([], None),
        ({"message_id": 10**400, "chat": {"id": 4}}, None),
    ],
)
def test_the_receipt_is_the_chat_and_the_message(result, receipt):
    """What is sent counts as sent, whatever else the answer holds."""
    found = outcome(reply(200, {"ok": True, "result": result}), NOW)
    assert found == Sent("200 ok", receipt=receipt)


async def test_a_message_has_buttons_and_its_link(channel, bot):
    """The buttons hand back what the message showed; the link is text, as Telegram refuses buttons to this machine."""
    found = await channel.send(message(), soon())
    [sent] = bot.sent
    assert isinstance(found, Sent)
    assert (found.receipt, found.follow_in) == (f"42:{sent.number}", timedelta(days=1))
    assert sent.text == f"[CRITICAL] cellar: leak\nWater in the cellar.\n{LINK}"
    assert [unpack(each["callback_data"]) for each in sent.buttons] == [
        ("acknowledge", ASKS.notification_id, "0123456789"),
        ("snooze", ASKS.notification_id, "0123456789"),
    ]
    assert bot.asked[-1].json["link_preview_options"] == {"is_disabled": True}
    assert bot.asked[-1].json["text"].startswith("<b>[CRITICAL] cellar: leak</b>\n")


async def test_what_asks_for_no_answer_has_no_buttons(channel, bot):
    """Nor is it edited later; a test message has no brief."""
    over = Brief("id", "RESOLVED", Severity.INFO, over=True, shown="0123456789")
    for each in (message(brief=over), message(brief=None, subject=None)):
        found = await channel.send(each, soon())
        assert isinstance(found, Sent)
        assert found.follow_in is None
    assert [each.buttons for each in bot.sent] == [[], []]


@pytest.mark.parametrize(
    ("brief", "is_quiet"),
    [
        (ASKS, False),
        (replace(ASKS, severity=Severity.WARNING, tag="WARNING"), False),
        (replace(ASKS, severity=Severity.INFO, tag="INFO"), True),
        (replace(ASKS, asks=False, tag="ACKNOWLEDGED"), True),
        (replace(ASKS, asks=False, tag="RESOLVED", over=True), True),
    ],
)
async def test_what_need_wake_nobody_makes_no_sound(channel, bot, brief, is_quiet):
    """An all-clear at three in the morning, or that somebody else has it."""
    await channel.send(message(brief=brief), soon())
    assert bot.asked[0].json.get("disable_notification", False) is is_quiet


async def test_a_picture_has_the_text_as_its_caption(channel, bot):
    """A long text is cut; the link and the buttons stay."""
    await channel.send(message(picture=PICTURE, text="🚿" * 2000), soon())
    [sent] = bot.sent
    assert sent.has_photo
    assert sent.text.endswith(f"🚿…\n{LINK}")
    assert units(sent.text) <= 1024
    assert len(sent.buttons) == 2


async def test_a_picture_that_telegram_would_not_take_is_left_out(channel, bot):
    """It is over 10 MB."""
    await channel.send(message(picture=Picture("png", bytes(10**7 + 1))), soon())
    assert not bot.sent[0].has_photo


async def test_a_text_is_only_text(channel, bot):
    """Markup stays markup, and no name behind an @ rings anybody."""
    hostile = "<b>x</b> <a href='tg://user?id=1'>y</a> & &lt; @everyone a@b.example @"
    await channel.send(message(text=hostile), soon())
    assert bot.sent[0].text.splitlines()[1] == hostile.replace("@e", "@\u2060e").replace("@b", "@\u2060b")


def test_no_touch_on_a_text_answers_it():
    """Telegram makes commands of a text touchable, and a touch sends them."""
    made = draft(message(text="write /ok or /SNOOZE, see /var/log and https://x.example/acknowledged"))
    assert made.text == "write /\u2060ok or /\u2060SNOOZE, see /var/log and https://x.example/acknowledged"


async def test_markup_that_is_not_understood_is_sent_as_text(channel, bot):
    """Within the same attempt, with its buttons."""
    bot.answer_failure(400, "Bad Request: can't parse entities: byte offset 7")
    assert isinstance(await channel.send(message(), soon()), Sent)
    assert "parse_mode" not in bot.asked[-1].json
    assert bot.sent[0].buttons


async def test_a_group_that_moved_is_followed(channel, bot):
    """The second message goes to its new number at once."""
    bot.moved[-7], bot.chats[-1007] = -1007, "Family"
    found = [await channel.send(message(to="-7"), soon()) for _ in range(2)]
    assert [each.receipt for each in found] == [f"-1007:{each.number}" for each in bot.sent]
    assert len(bot.asked) == 3


async def test_a_group_that_moves_in_a_circle_ends(channel, bot):
    """It is refused."""
    bot.moved[-7], bot.moved[-8] = -8, -7
    assert isinstance(await channel.send(message(to="-7"), soon()), Permanent)
    assert len(bot.asked) == 3


@pytest.mark.parametrize(
    "answer",
    [
        lambda: PlainTextResponse("<html>" + TOKEN, 200),
        lambda: JSONResponse({"ok": False, "description": [TOKEN]}, 500),
        lambda: JSONResponse({"ok": False, "error_code": 400, "description": f"no bot{TOKEN}"}, 400),
        lambda: JSONResponse(
            {"ok": False, "error_code": 400, "description": f"/bot{TOKEN.replace(':', '%3A')}/x"}, 400
        ),
        lambda: RedirectResponse(f"http://169.254.169.254/bot{TOKEN}/"),
        lambda: StreamingResponse(iter([b"x" * 100_000] * 5000)),
        lambda: JSONResponse(None),
    ],
)
async def test_hostile_answers_are_outcomes_without_the_token(channel, bot, answer):
    """Whatever answers, nothing is raised, no redirect followed, and nothing shown of the token."""
    for act in ("send", "rehearse", "settle"):
        bot.script.append(answer())
        before = len(bot.asked)
        if act == "send":
            found = await channel.send(message(), soon())
        elif act == "rehearse":
            found = await channel.rehearse("42", soon())
        else:
            found = await channel.settle(Followed("42", "42:7", NOW, "n"), message(), soon())
        assert not isinstance(found, Sent)
        assert len(bot.asked) == before + 1
        assert "AAHtest" not in f"{found!r}"


async def test_failures_to_connect_do_not_show_the_token(make_settings):
    """It is a part of the URL, which httpx names in its errors."""
    for url in ("http://127.0.0.1:9", "http://[::1]:9", "https://127.0.0.1:9"):
        settings = make_settings(telegram_token=TOKEN, telegram_url=url, channels_private=True)
        [opened] = provider.from_settings(settings, SystemClock())
        found = await opened.send(message(), soon())
        assert isinstance(found, Transient)
        assert "AAHtest" not in f"{found!r}{opened!r}{settings!r}"
        assert provider.advice(settings, found)
        await opened.close()


async def test_after_the_deadline_nothing_is_sent(channel, bot):
    """Another process may send it by then."""
    assert (await channel.send(message(), soon(-1))).reason is Reason.TIMEOUT
    assert bot.asked == []


async def test_the_message_is_edited_at_the_end(channel, bot):
    """A text, and a picture's caption; the buttons go. What says so already, or was deleted, needs nothing."""
    says = message(subject="[ACKNOWLEDGED] cellar: leak", text="anna has it.", brief=None)
    for picture in (None, PICTURE):
        found = await channel.send(message(picture=picture), soon())
        followed = Followed("42", found.receipt, NOW, "n")
        assert await channel.ask(followed, soon()) == Learned(again_in=timedelta(days=1))
        old = Followed("42", found.receipt, NOW - timedelta(days=8), "n")
        assert await channel.ask(old, soon()) == Learned()
        for _ in range(2):
            assert isinstance(await channel.settle(followed, says, soon()), Sent)
        assert (bot.sent[-1].text, bot.sent[-1].buttons) == ("[ACKNOWLEDGED] cellar: leak\nanna has it.", [])
    for receipt in ("42:1", "42:", "nonsense", "42:x"):
        found = await channel.settle(Followed("42", receipt, NOW, "n"), says, soon())
        assert isinstance(found, Sent) or found.reason is Reason.NO_SUCH_RECIPIENT


async def test_a_rehearsal_sends_nothing(channel, bot):
    """It asks for the bot, and for the chat."""
    assert isinstance(await channel.rehearse(None, soon()), Sent)
    assert isinstance(await channel.rehearse("42", soon()), Sent)
    assert (await channel.rehearse("43", soon())).reason is Reason.NO_SUCH_RECIPIENT
    assert [each.path.rpartition("/")[2] for each in bot.asked] == ["getMe", "getChat", "getChat"]
    assert bot.sent == []


async def test_check_tells_the_bot_and_its_chats(make_settings, bot):
    """And what to do about those that never pressed Start, those that moved, and a webhook of another program."""
    settings = make_settings(telegram_token=TOKEN, telegram_url=bot.url, channels_private=True)
    bot.moved[-7] = -1007
    told = [(ChannelName.TELEGRAM, each) for each in ("42", "43", "-7")] + [(ChannelName.EMAIL, "a@example.org")]
    found = await provider.check(settings, told)
    assert [(each.level, each.what) for each in found] == [
        (Level.OK, "TELEGRAM_TOKEN"),
        (Level.OK, "recipient 42"),
        (Level.FAIL, "recipient 43"),
        (Level.WARN, "recipient -7"),
    ]
    assert found[0].text == "is the bot @house_alert_bot"
    assert "press Start" in found[2].text
    assert "telegram:-1007" in found[3].text
    bot.webhook = "https://elsewhere.example"
    assert "deleteWebhook" in (await provider.check(settings, []))[1].text


@pytest.mark.parametrize(("url", "token"), [(None, TOKEN + "x"), ("http://127.0.0.1:9", TOKEN)])
async def test_check_says_what_is_wrong(make_settings, bot, url, token):
    """A token that was revoked, and a service that can't be reached: one finding, without the token."""
    settings = make_settings(telegram_token=token, telegram_url=url or bot.url, channels_private=True)
    [found] = await provider.check(settings, [(ChannelName.TELEGRAM, "42")])
    assert found.level is Level.FAIL
    assert ("@BotFather" if url is None else "TELEGRAM_URL") in found.text
    assert "AAHtest" not in found.text


def test_a_token_that_cannot_be_one_is_named(make_settings):
    """Half of it, or with the word `bot` before it."""
    assert provider.missing(make_settings()) is not None
    assert provider.from_settings(make_settings(), SystemClock()) == []
    for token, level in ((TOKEN, Level.OK), (f"bot{TOKEN}", Level.WARN), (TOKEN.partition(":")[2], Level.WARN)):
        [found] = provider.findings(make_settings(telegram_token=token))
        assert found.level is level
        assert "AAHtest" not in found.text


@pytest.mark.parametrize("address", ["42", "-1001234567890"])
def test_a_chat_is_a_number(address):
    """Of a person, a group or a channel."""
    provider.check_chat(address)


@pytest.mark.parametrize("address", ["", "@anna", "0", "+4917", "42 ", "4２", "-", "12345678901234567890", "42/7"])
def test_what_is_no_chat_is_refused_with_how_to_find_it(address):
    """A name is none: Telegram takes it for public channels alone."""
    with pytest.raises(ValueError, match="/start"):
        provider.check_chat(address)


@for_any
@given(st.text(max_size=80), st.text(max_size=300), st.integers(90, 400))
def test_any_text_fits(title, text, longest):
    """Whatever it is, and the link is whole."""
    made = draft(message(subject=title, text=text), longest)
    assert units(made.plain) <= longest
    assert made.plain.endswith(LINK)


@for_any
@given(st.text(), st.integers(0, 50))
def test_a_text_is_cut_between_characters(text, longest):
    """In the units that Telegram counts."""
    found = shorten(text, longest)
    assert units(found) <= longest
    assert found == text or text.startswith(found.removesuffix("…"))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["callback_query", "message", "chat", "from", "id", "data", "text", "message_id", "type"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@for_any
@given(ANYTHING)
def test_any_update_is_read(update):
    """Or passed over; what it names is as it should be."""
    found = read(update)
    assert found is None or (isinstance(found, Press | Said) and found.chat.lstrip("-").isdecimal() and found.who)


@pytest.mark.parametrize(
    ("text", "act", "asks"),
    [
        ("ok", "acknowledge", False),
        (" OK. ", "acknowledge", False),
        ("I’m on it!", "acknowledge", False),
        ("/ok@house_alert_bot", "acknowledge", False),
        ("Snooze", "snooze", False),
        ("not ok", None, False),
        ("ok?", None, False),
        ("/start", None, True),
        ("/start@house_alert_bot x", None, True),
        ("start", None, False),
        ("/", None, False),
        ("", None, False),
    ],
)
def test_what_is_understood(text, act, asks):
    """Only what can't be meant otherwise."""
    said = Said("42", True, "Anna", 1, text)
    assert (said.act, said.asks) == (act, asks)


@pytest.mark.parametrize(
    "data", ["", "a:", "x:1:0123456789", f"a:{'1' * 37}:0123456789", "a:1:012345678g", "a:1:0123456789\n"]
)
def test_other_data_means_nothing(data):
    """Anybody in a chat can hand back what they like."""
    assert unpack(data) is None
