"""A Telegram bot over HTTP, and how to read what its service answers. The token is a part of every URL."""

import json
from typing import Any
from urllib.parse import quote

from alertgate.config import Settings
from alertgate.model import Json
from alertgate.notify.channels.base import Picture
from alertgate.notify.channels.service import MOST_BYTES, Reply, Service

DAY = 86400.0


class Bot:
    """The bot of TELEGRAM_TOKEN, which must be set."""

    def __init__(self, settings: Settings) -> None:
        token = settings.telegram_token.get_secret_value() if settings.telegram_token else ""
        self._path = f"/bot{quote(token, safe=':')}/"
        self._service = Service(settings, "Telegram", [token], url=settings.telegram_url)

    async def call(self, method: str, deadline: float, *, most: int = MOST_BYTES, **parameters: Json) -> Reply:
        """Call a method of the Bot API. Raises AttemptFailed."""
        return await self._service.ask("POST", self._path + method, deadline, most=most, json=parameters)

    async def upload(self, method: str, deadline: float, picture: Picture, **parameters: Json) -> Reply:
        """Call a method with a picture. Raises AttemptFailed."""
        fields = {name: each if isinstance(each, str) else json.dumps(each) for name, each in parameters.items()}
        files = {"photo": (f"picture.{picture.subtype}", picture.content, f"image/{picture.subtype}")}
        return await self._service.ask("POST", self._path + method, deadline, data=fields, files=files)

    async def close(self) -> None:
        """Close the connections."""
        await self._service.close()


def is_ok(reply: Reply) -> bool:
    """Tell whether the method did what was asked; a page of something else in between isn't that."""
    return reply.is_success and reply.json.get("ok") is True


def status(reply: Reply) -> int:
    """Return the status, also of a server that says the error in the body alone."""
    code = whole(reply.json.get("error_code"))
    return code if reply.is_success and code else reply.status


def description(reply: Reply) -> str:
    """Return what went wrong in Telegram's words; empty if these aren't its."""
    found = reply.json.get("description")
    return found if isinstance(found, str) else ""


def words(reply: Reply) -> str:
    """Return what was answered as one line, without secrets."""
    if is_ok(reply):
        return reply.said("ok")
    return reply.said(description(reply) or None)


def result(reply: Reply) -> dict[str, Json]:
    """Return the object that a method returned; empty if there is none."""
    return mapping(reply.json.get("result"))


def moved_to(reply: Reply) -> str | None:
    """Return the new number of a group that has become a supergroup, or None."""
    number = whole(mapping(reply.json.get("parameters")).get("migrate_to_chat_id"))
    return str(number) if number and not is_ok(reply) else None


def wait(reply: Reply) -> float | None:
    """Return for how many seconds Telegram asks to wait, a day at most; None if it doesn't."""
    found = mapping(reply.json.get("parameters")).get("retry_after")
    if not isinstance(found, int | float) or isinstance(found, bool) or not found > 0:
        return None
    return float(min(found, DAY))


def mapping(value: Any) -> dict[str, Json]:
    """Return a value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def whole(value: Any) -> int | None:
    """Return a value if it is a whole number that can be an id, else None."""
    is_id = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53
    return value if is_id else None
