"""Telegram's Bot API, as far as a bot that writes and hears answers uses it.

From core.telegram.org/bots/api and the open server tdlib/telegram-bot-api: which fields are taken, what is refused and
in which words, and which updates are handed out until when.
"""

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from email.parser import BytesParser
from html import unescape
from typing import Any

from starlette.responses import JSONResponse, Response

from tests.fakes import START, until
from tests.services.server import Asked, FakeService, serve

TOKEN = "123456789:AAHtestTESTtestTESTtestTESTtestTEST"
_TAGS = re.compile(r"</?(?:b|i|u|s|code|pre|a href=\"[^\"<>]*\"|a)>")
_ENTITY = re.compile(r"&(?!(?:lt|gt|amp|quot|#\d+|#x[0-9a-fA-F]+);)")


@dataclass
class Sent:
    """A message in a chat, as it is now."""

    chat: int
    number: int
    text: str
    """As people read it."""
    buttons: list[dict[str, str]]
    has_photo: bool = False
    edits: int = 0
    reply_to: int | None = None

    @property
    def json(self) -> dict[str, Any]:
        said = {"caption": self.text, "photo": [{}]} if self.has_photo else {"text": self.text}
        kind = "private" if self.chat > 0 else "supergroup"
        return {"message_id": self.number, "date": 1, "chat": {"id": self.chat, "type": kind}, **said}


class Refused(Exception):
    """An error of the API."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        self.code, self.description, self.parameters = code, description, parameters


@dataclass
class Query:
    """A button that was pressed, and what the phone showed then."""

    id: str
    shown: str | None = None
    alert: bool = False


class TelegramFake(FakeService):
    """A bot's chats, messages and updates.

    `moved` has the new numbers of groups, `polls` how many requests wait for updates now, `now` is its clock.
    """

    def __init__(self) -> None:
        super().__init__(self._handle)
        self.now: Callable[[], datetime] = lambda: START
        self.chats: dict[int, str] = {42: "Anna"}
        self.moved: dict[int, int] = {}
        self.webhook = ""
        self.sent: list[Sent] = []
        self.updates: list[dict[str, Any]] = []
        self.queries: dict[str, Query] = {}
        self.confirmed: list[int] = []
        self.polls = 0
        self._numbers, self._ids = itertools.count(100), itertools.count(7000)
        self._came = asyncio.Condition()
        self._turn = 0

    # What people do

    async def press(self, label: str, sent: Sent | None = None, *, first_name: str = "Anna", **changes: Any) -> Query:
        """Press a button of the newest message, or of another one."""
        sent = sent or self.sent[-1]
        [data] = [each["callback_data"] for each in sent.buttons if each["text"] == label]
        return await self.send_data(data, sent, first_name=first_name, **changes)

    async def send_data(self, data: str, sent: Sent, *, first_name: str = "Anna", chat: int | None = None) -> Query:
        """Hand back any data, as a program of one's own can."""
        query = Query(f"query-{next(self._ids)}")
        self.queries[query.id] = query
        message = sent.json if chat is None else {**sent.json, "chat": {"id": chat, "type": "private"}}
        person = {"id": 42, "is_bot": False, "first_name": first_name, "username": "anna"}
        await self.update(callback_query={"id": query.id, "from": person, "message": message, "data": data})
        return query

    async def say(self, text: str, chat: int = 42, reply_to: Sent | None = None, first_name: str = "Anna") -> None:
        """Write to the bot."""
        kind = "private" if chat > 0 else "supergroup"
        message = {
            "message_id": next(self._numbers),
            "date": int(self.now().timestamp()),
            "chat": {"id": chat, "type": kind},
            "from": {"id": 42, "is_bot": False, "first_name": first_name},
            "text": text,
        }
        if reply_to:
            message["reply_to_message"] = reply_to.json
        await self.update(message=message)

    async def update(self, **what: Any) -> None:
        """Let something happen."""
        async with self._came:
            self.updates.append({"update_id": next(self._ids), **what})
            self._came.notify_all()

    def answer_failure(self, code: int, description: str, **parameters: int) -> None:
        """Answer the next request with an error."""
        body = {"ok": False, "error_code": code, "description": description}
        self.answer(code, {**body, "parameters": parameters} if parameters else body)

    async def shown(self, query: Query) -> str:
        """Wait until the phone shows what became of a press."""

        async def is_shown() -> bool:
            return query.shown is not None

        await until(is_shown)
        return query.shown or ""

    async def has_sent(self, count: int) -> list[Sent]:
        """Wait until there are so many messages."""

        async def are_there() -> bool:
            return len(self.sent) >= count

        await until(are_there)
        return self.sent

    async def edited(self, sent: Sent, times: int = 1) -> str:
        """Wait until a message was edited so often; return what it says now."""

        async def is_edited() -> bool:
            return sent.edits >= times

        await until(is_edited)
        return sent.text

    async def end_polls(self) -> None:
        """End what waits for updates."""
        async with self._came:
            self._turn += 1
            self._came.notify_all()

    # What the service does

    async def _handle(self, asked: Asked) -> Response:
        try:
            result = await self._method(asked.path)(_fields(asked))
        except Refused as refused:
            body = {"ok": False, "error_code": refused.code, "description": refused.description}
            more = {"parameters": refused.parameters} if refused.parameters else {}
            return JSONResponse({**body, **more}, refused.code)
        return JSONResponse({"ok": True, "result": result})

    def _method(self, path: str) -> Callable[[dict[str, Any]], Awaitable[Any]]:
        prefix, _, method = path.rpartition("/")
        if prefix != f"/bot{TOKEN}":
            raise Refused(401, "Unauthorized")
        do: Callable[[dict[str, Any]], Awaitable[Any]] | None = getattr(self, f"_{method.lower()}", None)
        if do is None:
            raise Refused(404, "Not Found")
        return do

    async def _getme(self, _: dict[str, Any]) -> Any:
        return {"id": 123456789, "is_bot": True, "first_name": "Alerts", "username": "house_alert_bot"}

    async def _getwebhookinfo(self, _: dict[str, Any]) -> Any:
        return {"url": self.webhook, "pending_update_count": 0}

    async def _getchat(self, fields: dict[str, Any]) -> Any:
        chat = self._chat(fields)
        return {"id": chat, "type": "private", "first_name": self.chats[chat]}

    async def _sendmessage(self, fields: dict[str, Any]) -> Any:
        return self._send(fields, "text", 4096)

    async def _sendphoto(self, fields: dict[str, Any]) -> Any:
        if not fields.get("photo"):
            raise Refused(400, "Bad Request: there is no photo in the request")
        return self._send(fields, "caption", 1024)

    def _send(self, fields: dict[str, Any], name: str, longest: int) -> Any:
        chat = self._chat(fields)
        text = _parsed(fields, name, longest)
        buttons = _buttons(fields)
        reply_to = fields.get("reply_parameters", {}).get("message_id")
        made = Sent(chat, next(self._numbers), text, buttons, has_photo=name == "caption", reply_to=reply_to)
        self.sent.append(made)
        return made.json

    async def _editmessagetext(self, fields: dict[str, Any]) -> Any:
        return self._edit(fields, "text", 4096)

    async def _editmessagecaption(self, fields: dict[str, Any]) -> Any:
        return self._edit(fields, "caption", 1024)

    def _edit(self, fields: dict[str, Any], name: str, longest: int) -> Any:
        chat = self._chat(fields)
        found = [each for each in self.sent if (each.chat, each.number) == (chat, fields.get("message_id"))]
        if not found:
            raise Refused(400, "Bad Request: message to edit not found")
        [sent] = found
        if sent.has_photo and name == "text":
            raise Refused(400, "Bad Request: there is no text in the message to edit")
        text, buttons = _parsed(fields, name, longest), _buttons(fields)
        if (text, buttons) == (sent.text, sent.buttons):
            raise Refused(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are exactly the "
                "same as a current content and reply markup of the message",
            )
        sent.text, sent.buttons, sent.edits = text, buttons, sent.edits + 1
        return sent.json

    async def _answercallbackquery(self, fields: dict[str, Any]) -> Any:
        query = self.queries.get(fields.get("callback_query_id", ""))
        if query is None:
            raise Refused(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        if len(fields.get("text", "")) > 200:
            raise Refused(400, "Bad Request: MESSAGE_TOO_LONG")
        query.shown, query.alert = fields.get("text", ""), fields.get("show_alert") is True
        return True

    async def _getupdates(self, fields: dict[str, Any]) -> Any:
        if self.webhook:
            raise Refused(
                409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete it"
            )
        self._turn += 1
        turn = self._turn
        offset = fields.get("offset", 0)
        async with self._came:
            self._came.notify_all()  # a newer request ends an older one
            self.confirmed += [each["update_id"] for each in self.updates if each["update_id"] < offset]
            self.updates = [each for each in self.updates if each["update_id"] >= offset]
            self.polls += 1
            try:
                async with asyncio.timeout(min(fields.get("timeout", 0), 50)):
                    await self._came.wait_for(lambda: self.updates or turn != self._turn)
            except TimeoutError:
                pass
            finally:
                self.polls -= 1
        if turn != self._turn:
            raise Refused(
                409,
                "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
            )
        wanted = fields.get("allowed_updates") or ["message", "callback_query"]
        return [each for each in self.updates if set(each) & set(wanted)][: fields.get("limit", 100)]

    def _chat(self, fields: dict[str, Any]) -> int:
        try:
            chat = int(fields.get("chat_id", ""))
        except ValueError:
            raise Refused(400, "Bad Request: chat not found") from None
        if chat in self.moved:
            moved = "Bad Request: group chat was upgraded to a supergroup chat"
            raise Refused(400, moved, migrate_to_chat_id=self.moved[chat])
        if chat not in self.chats:
            raise Refused(400, "Bad Request: chat not found")
        return chat


def _fields(asked: Asked) -> dict[str, Any]:
    kind = asked.headers.get("content-type", "")
    if kind.startswith("application/json"):
        return asked.json
    mail = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + asked.body)
    found: dict[str, Any] = {}
    for part in mail.get_payload():
        name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        found[name] = content if part.get_filename() else content.decode()
    return {name: json.loads(each) if name == "reply_markup" else each for name, each in found.items()}


def _parsed(fields: dict[str, Any], name: str, longest: int) -> str:
    """Return a text as people read it."""
    text = fields.get(name, "")
    if fields.get("parse_mode") == "HTML":
        bare = _TAGS.sub("", text)
        if "<" in bare or _ENTITY.search(bare):
            raise Refused(400, "Bad Request: can't parse entities: Unsupported start tag at byte offset 0")
        text = unescape(bare)
    if not text.strip() and name == "text":
        raise Refused(400, "Bad Request: message text is empty")
    if len(text.encode("utf-16-le")) // 2 > longest:
        raise Refused(400, f"Bad Request: {'message is' if name == 'text' else 'message caption is'} too long")
    return text


def _buttons(fields: dict[str, Any]) -> list[dict[str, str]]:
    found = [each for row in fields.get("reply_markup", {}).get("inline_keyboard", []) for each in row]
    if any(not 1 <= len(each["callback_data"].encode()) <= 64 for each in found):
        raise Refused(400, "Bad Request: BUTTON_DATA_INVALID")
    return found


@asynccontextmanager
async def telegram() -> AsyncIterator[TelegramFake]:
    """Serve a bot's API."""
    async with serve(TelegramFake()) as fake:
        assert isinstance(fake, TelegramFake)
        try:
            yield fake
        finally:
            await fake.end_polls()
