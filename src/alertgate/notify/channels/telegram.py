"""The channel `telegram`: a bot writes to a chat, with buttons, and shows there later who has it.

What people answer is heard by `notify/telegram_poll.py`.
"""

import asyncio
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

import structlog

from alertgate.addresses import mask
from alertgate.clock import Clock, SystemClock
from alertgate.config import Settings
from alertgate.model import ChannelName, Json, Target
from alertgate.notify.channels.base import (
    AttemptFailed,
    Channel,
    Finding,
    Followed,
    Learned,
    Level,
    Message,
    Outcome,
    Permanent,
    Reason,
    Sent,
    Transient,
)
from alertgate.notify.channels.service import Reply
from alertgate.notify.channels.telegram_bot import (
    Bot,
    description,
    is_ok,
    mapping,
    moved_to,
    result,
    status,
    wait,
    whole,
    words,
)
from alertgate.notify.channels.telegram_text import LONGEST, LONGEST_CAPTION, draft, keyboard
from alertgate.policy.surroundings import AddressCheck

LARGEST_PICTURE = 10 * 10**6
"""Bytes."""
ALL_OF_US = timedelta(seconds=60)
"""From a longer wait on, Telegram may mean the bot and not one chat; it doesn't say."""
LOOK_AGAIN = timedelta(days=1)
"""Telegram knows nothing more of a message; what is waited for is the end of its incident."""
EDITED_FOR = timedelta(days=7)
"""For how long after it was sent a message is edited once somebody has its incident, or it is over."""
CHECK_WITHIN = 15.0
NO_PREVIEW: Mapping[str, Json] = MappingProxyType({"link_preview_options": {"is_disabled": True}})
"""Or Telegram would open the link."""
_TOKEN = re.compile(r"[0-9]{5,}:[A-Za-z0-9_-]{30,}")
_CHAT = re.compile(r"-?[1-9][0-9]{0,15}")
_NOBODY = ("chat not found", "user not found", "peer_id_invalid", "chat_id is empty", "can't initiate conversation")
_NO_RIGHT = ("rights", "write_forbidden", "was deactivated", "kicked", "topic_closed", "restricted", "forbidden")
_TOO_LARGE = ("too long", "too big", "too large", "image_process_failed", "photo_invalid", "wrong file", "file must be")
_GONE = ("message to edit not found", "message_id_invalid", "message can't be found")

log = structlog.stdlib.get_logger("alertgate.telegram")


class Telegram:
    """Sends by a bot. A group's new number is learned again after a start: Telegram says it each time."""

    name = ChannelName.TELEGRAM
    capacity = 4
    repeats_safely = False
    settles = True

    def __init__(self, bot: Bot, clock: Clock) -> None:
        self._bot = bot
        self._clock = clock
        self._moved: dict[str, str] = {}

    async def send(self, message: Message, deadline: float) -> Outcome:
        """Send a message; once more to where its group has moved, and as plain text if its markup isn't understood."""
        plain = False
        try:
            for _ in range(3):
                reply = await self._post(message, deadline, plain=plain)
                if new := moved_to(reply):
                    self._move(message.to, new)
                elif not plain and cannot_parse(reply):
                    plain = True
                else:
                    break
        except AttemptFailed as failed:
            return failed.outcome
        return _followed(outcome(reply, self._clock.now()), message)

    async def _post(self, message: Message, deadline: float, *, plain: bool) -> Reply:
        chat = self._moved.get(message.to, message.to)
        picture, buttons = message.picture, keyboard(message.brief)
        more: dict[str, Json] = {"reply_markup": buttons} if buttons else {}
        more |= {"disable_notification": True} if message.brief and message.brief.is_quiet else {}
        if picture and len(picture.content) <= LARGEST_PICTURE:
            said = _said("caption", message, LONGEST_CAPTION, plain=plain)
            return await self._bot.upload("sendPhoto", deadline, picture, chat_id=chat, **said, **more)
        said = _said("text", message, LONGEST, plain=plain)
        return await self._bot.call("sendMessage", deadline, chat_id=chat, **said, **NO_PREVIEW, **more)

    def _move(self, old: str, new: str) -> None:
        if self._moved.get(old) != new:
            self._moved[old] = new
            log.warning(
                "telegram.moved",
                detail="a group has become a supergroup, and has a new number: write that, which `alertgate check` "
                "tells, in its place; until then each start finds it out again",
                address=mask(old),
            )

    async def rehearse(self, to: str | None, deadline: float) -> Outcome:
        """Ask whether the token is a bot's, or whether the bot knows a chat."""
        try:
            if to is None:
                reply = await self._bot.call("getMe", deadline)
            else:
                reply = await self._bot.call("getChat", deadline, chat_id=self._moved.get(to, to))
                if new := moved_to(reply):
                    reply = await self._bot.call("getChat", deadline, chat_id=new)
        except AttemptFailed as failed:
            return failed.outcome
        return Sent(words(reply)) if is_ok(reply) else outcome(reply, self._clock.now())

    async def ask(self, sent: Followed, deadline: float) -> Learned:  # noqa: ARG002  (the Follower protocol's signature)
        """Return nothing new: Telegram doesn't say whether a message was read."""
        is_edited = self._clock.now() - sent.sent_at < EDITED_FOR
        return Learned(again_in=LOOK_AGAIN if is_edited else None)

    async def settle(self, sent: Followed, message: Message, deadline: float) -> Outcome:
        """Show in the chat who has it, or that it is over, and take the buttons away."""
        try:
            reply = await self._edit(sent, message, deadline, plain=False)
            if cannot_parse(reply):
                reply = await self._edit(sent, message, deadline, plain=True)
        except AttemptFailed as failed:
            return failed.outcome
        said = description(reply).lower()
        if is_ok(reply) or "message is not modified" in said or any(each in said for each in _GONE):
            return Sent(words(reply))
        return outcome(reply, self._clock.now())

    async def _edit(self, sent: Followed, message: Message, deadline: float, *, plain: bool) -> Reply:
        """Edit a message; one with a picture has a caption in place of a text."""
        chat, _, number = sent.receipt.partition(":")
        which: dict[str, Json] = {"chat_id": chat, "message_id": int(number) if number.isdecimal() else 0}
        said = _said("text", message, LONGEST, plain=plain)
        reply = await self._bot.call("editMessageText", deadline, **which, **said, **NO_PREVIEW)
        if "no text in the message" in description(reply).lower():
            said = _said("caption", message, LONGEST_CAPTION, plain=plain)
            reply = await self._bot.call("editMessageCaption", deadline, **which, **said)
        return reply

    async def close(self) -> None:
        """Close all connections."""
        await self._bot.close()


def _said(name: str, message: Message, longest: int, *, plain: bool) -> dict[str, Json]:
    made = draft(message, longest)
    return {name: made.plain} if plain else {name: made.html, "parse_mode": "HTML"}


def cannot_parse(reply: Reply) -> bool:
    """Tell whether Telegram didn't understand a message's markup."""
    return status(reply) == 400 and "can't parse entities" in description(reply).lower()


def _followed(found: Outcome, message: Message) -> Outcome:
    """Return an outcome by which the message is edited once somebody has it, if it asks for that."""
    if not isinstance(found, Sent) or not (message.brief and message.brief.asks):
        return found
    return Sent(found.reply, receipt=found.receipt, follow_in=LOOK_AGAIN)


def outcome(reply: Reply, now: datetime) -> Outcome:
    """Return what Telegram's answer to a message means. Pure."""
    code, said = status(reply), words(reply)
    if is_ok(reply):
        chat = whole(mapping(result(reply).get("chat")).get("id"))
        number = whole(result(reply).get("message_id"))
        return Sent(said, receipt=f"{chat}:{number}" if chat and number else None)
    if code == 429:
        return _too_many(reply, now)
    if code == 413:
        return Permanent(Reason.TOO_LARGE, said, of_content=True)
    if code >= 500 or code in (408, 409, 421):
        return Transient(Reason.TRY_LATER, said, retry_in=reply.retry_after(now))
    if not description(reply):
        return Transient(Reason.UNCLEAR, f"not an answer of Telegram: {said}")
    return Transient(Reason.CREDENTIALS, said) if code in (401, 404) else _refused(code, description(reply), said)


def _too_many(reply: Reply, now: datetime) -> Transient:
    seconds = wait(reply)
    retry_in = timedelta(seconds=seconds) if seconds else reply.retry_after(now)
    of_chat = Transient(Reason.RECIPIENT_BUSY, words(reply), retry_in=retry_in)
    if retry_in is None or retry_in <= ALL_OF_US:
        return of_chat
    return replace(of_chat, reason=Reason.TRY_LATER, if_alone=of_chat)


def _refused(code: int, why: str, said: str) -> Permanent:
    """Return what a refusal of this message means."""
    lower = why.lower()
    if any(each in lower for each in _NOBODY):
        return Permanent(Reason.NO_SUCH_RECIPIENT, said)
    if any(each in lower for each in _TOO_LARGE):
        return Permanent(Reason.TOO_LARGE, said, of_content=True)
    if code == 403 or any(each in lower for each in _NO_RIGHT):
        return Permanent(Reason.REFUSED, said)
    return Permanent(Reason.FORMAT, said, of_content=True)


def check_chat(address: str) -> None:
    """Raise ValueError unless an address is the number of a chat."""
    if not _CHAT.fullmatch(address):
        raise ValueError(
            f"telegram:{mask(address)} isn't the number of a chat: write to the bot, or in the group, /start; it "
            "answers with what to write (docs/channels/telegram.md)"
        )


ADDRESSES: Mapping[ChannelName, AddressCheck] = MappingProxyType({ChannelName.TELEGRAM: check_chat})

_ADVICE = {
    Reason.CREDENTIALS: "TELEGRAM_TOKEN isn't a bot's (any more): ask @BotFather for it (/mybots, API Token), and set "
    "it whole, with its number and colon",
    Reason.TRY_LATER: "Telegram takes nothing from the bot for a while: it is tried again by itself",
    Reason.RECIPIENT_BUSY: "Telegram takes no more messages to this chat for a moment: it is tried again by itself",
    Reason.NO_SUCH_RECIPIENT: "the bot doesn't know this chat: its person must open the bot and press Start, or the "
    "bot be added to the group; then compare the number with what the bot answers to /start",
    Reason.REFUSED: "the chat refuses the bot: its person has blocked or deleted it and must press Start again, or it "
    "was taken out of the group, or may not write there",
    Reason.TOO_LARGE: "the message or its picture is larger than Telegram takes",
    Reason.FORMAT: "Telegram can't read the message: this is a defect in alertgate",
    Reason.UNCLEAR: "what answers isn't Telegram: check TELEGRAM_URL, and what stands between",
    Reason.CONNECTION: "Telegram can't be reached: check TELEGRAM_URL, the network, and whether Telegram is blocked "
    "there (HTTP_PROXY_FOR_CHANNELS)",
    Reason.TLS: "there is no secure connection to TELEGRAM_URL: something stands between, or its certificate is bad",
    Reason.TIMEOUT: "Telegram didn't answer in time: it may have the message, which is sent again",
    Reason.INTERNAL: "this is a defect in alertgate; the log has its traceback",
}


def advice(settings: Settings, outcome: Outcome) -> str | None:  # noqa: ARG001  (the Provider protocol's signature)
    """Return what went wrong and what to change, as one sentence; None if nothing went wrong."""
    return None if isinstance(outcome, Sent) else _ADVICE.get(outcome.reason, "Telegram refused the message")


def missing(settings: Settings) -> str | None:
    """Return what to set before chats can be told."""
    return None if settings.telegram_token else "set TELEGRAM_TOKEN, which @BotFather gives for a bot of yours"


def from_settings(settings: Settings, clock: Clock) -> list[Channel]:
    """Return the channel, if TELEGRAM_TOKEN is set."""
    return [Telegram(Bot(settings), clock)] if settings.telegram_token else []


def findings(settings: Settings) -> list[Finding]:
    """Say if TELEGRAM_TOKEN can't be one."""
    token = settings.telegram_token
    if token is None:
        return []
    if not _TOKEN.fullmatch(token.get_secret_value()):
        text = "doesn't look like a bot's token: @BotFather writes it like 123456789:AAH…, and all of it is wanted"
        return [Finding(Level.WARN, "TELEGRAM_TOKEN", text)]
    return [Finding(Level.OK, "TELEGRAM_TOKEN", "is set")]


async def check(settings: Settings, told: Collection[Target]) -> list[Finding]:
    """Ask Telegram for the bot's name, whether its buttons work, and whether it knows each chat that is told."""
    if settings.telegram_token is None:
        return []
    bot = Bot(settings)
    try:
        return await _asked(bot, [address for channel, address in told if channel is ChannelName.TELEGRAM])
    finally:
        await bot.close()


async def _asked(bot: Bot, chats: Collection[str]) -> list[Finding]:
    try:
        me = await bot.call("getMe", _soon())
        if not is_ok(me):
            return [_failed("TELEGRAM_TOKEN", me)]
        found = [Finding(Level.OK, "TELEGRAM_TOKEN", f"is the bot @{_text(result(me).get('username'))}")]
        hook = await bot.call("getWebhookInfo", _soon())
        if is_ok(hook) and result(hook).get("url"):
            text = "has a webhook of another program, so buttons and replies don't reach alertgate; sending works: "
            text += "make a bot for alertgate alone, or have that program remove it (deleteWebhook)"
            found.append(Finding(Level.WARN, "TELEGRAM_TOKEN", text))
        return [*found, *[await _known(bot, chat) for chat in chats]]
    except AttemptFailed as failed:
        text = f"{failed.outcome.reply}; {_ADVICE[failed.outcome.reason]}"
        return [Finding(Level.FAIL, "TELEGRAM_TOKEN", text)]


async def _known(bot: Bot, chat: str) -> Finding:
    what = f"recipient {chat}"
    reply = await bot.call("getChat", _soon(), chat_id=chat)
    if is_ok(reply):
        name = _text(result(reply).get("title") or result(reply).get("first_name"))
        return Finding(Level.OK, what, f"is a chat that the bot knows: {name}")
    if new := moved_to(reply):
        return Finding(Level.WARN, what, f"is a group that has a new number: write telegram:{new} in its place")
    return _failed(what, reply)


def _failed(what: str, reply: Reply) -> Finding:
    found = outcome(reply, SystemClock().now())
    return Finding(Level.FAIL, what, f"{found.reply}; {_ADVICE[found.reason]}")


def _text(value: object) -> str:
    text = value if isinstance(value, str) else "?"
    return "".join(each if each.isprintable() else " " for each in text)[:64]


def _soon() -> float:
    return asyncio.get_running_loop().time() + CHECK_WITHIN
