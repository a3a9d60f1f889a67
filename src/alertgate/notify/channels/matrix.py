"""Matrix rooms: `matrix:!room:example.org`, through the account of MATRIX_TOKEN at MATRIX_URL."""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from urllib.parse import quote

from alertgate.addresses import mask
from alertgate.clock import Clock, SystemClock
from alertgate.config import Settings
from alertgate.model import ChannelName, Target
from alertgate.notify.channels.base import (
    AttemptFailed,
    Channel,
    Finding,
    Level,
    Message,
    Outcome,
    Permanent,
    Reason,
    Sent,
    Transient,
)
from alertgate.notify.channels.hook import advise, repeat_id, said_by, soon
from alertgate.notify.channels.service import LONGEST_WAIT, Reply, Service
from alertgate.policy.surroundings import AddressCheck

LARGEST = 16_000
"""Bytes of the text. An event may have 65,536, escaped and with all that its server adds."""
_API = "/_matrix/client/v3"
_ROOM = re.compile(r"![^\s:\x00-\x1f]{1,250}(:[A-Za-z0-9.\-\[\]:]{1,230})?")
_LOGIN = Transient(Reason.CREDENTIALS, "")
_SLOWER = Transient(Reason.TRY_LATER, "")
_TOO_LARGE = Permanent(Reason.TOO_LARGE, "", of_content=True)
_UNREADABLE = Permanent(Reason.FORMAT, "", of_content=True)
_CODES: Mapping[str, Transient | Permanent] = MappingProxyType(
    {
        **dict.fromkeys(("M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", "M_USER_DEACTIVATED", "M_USER_LOCKED"), _LOGIN),
        "M_USER_SUSPENDED": _LOGIN,
        "M_FORBIDDEN": Permanent(Reason.REFUSED, ""),
        "M_NOT_FOUND": Permanent(Reason.NO_SUCH_RECIPIENT, ""),
        "M_TOO_LARGE": _TOO_LARGE,
        **dict.fromkeys(("M_BAD_JSON", "M_NOT_JSON", "M_INVALID_PARAM", "M_MISSING_PARAM"), _UNREADABLE),
        "M_LIMIT_EXCEEDED": _SLOWER,
    }
)
_STATUSES: Mapping[int, Transient | Permanent] = MappingProxyType({401: _LOGIN, 413: _TOO_LARGE, 429: _SLOWER})
"""What an answer without a known code means."""


def check_room(address: str) -> None:
    """Raise ValueError unless an address is a room's id, which is the room's for ever."""
    if address.startswith("#"):
        raise ValueError(
            f"{mask(address)!r} is a room's name, which can be given to another room: write its id, which begins "
            "with ! (in Element: room settings, Advanced, internal room ID)"
        )
    if not _ROOM.fullmatch(address):
        raise ValueError(
            f"{mask(address)!r} is not the id of a Matrix room: write one like !AbCdEf:example.org, from the room's "
            "settings"
        )


def outcome(reply: Reply, now: datetime) -> Outcome:
    """Return what an answer means."""
    said = reply.json
    code, event = said.get("errcode"), said.get("event_id")
    if reply.is_success:
        if isinstance(event, str) and event:
            return Sent(reply.said(event))
        return Transient(Reason.TRY_LATER, f"{reply.said()} (not an answer of a homeserver)")
    words = reply.said(f"{code} {said.get('error', '')}" if code else None)
    wait = reply.retry_after(now) or _milliseconds(said.get("retry_after_ms"))
    found = _CODES.get(str(code)) or _STATUSES.get(reply.status)
    if found is None:  # it may be for what the room is: others are written to meanwhile
        return Transient(Reason.TRY_LATER, words, Transient(Reason.RECIPIENT_BUSY, words, retry_in=wait), retry_in=wait)
    if isinstance(found, Permanent):
        return replace(found, reply=words)
    return replace(found, reply=words, retry_in=wait if found.reason is Reason.TRY_LATER else None)


def _milliseconds(value: object) -> timedelta | None:
    if not isinstance(value, int | float) or not 0 < value < float("inf"):
        return None
    return min(timedelta(milliseconds=min(value, 1e12)), LONGEST_WAIT)


class Matrix:
    """Writes into rooms. A repeat that says the same is recognised by its transaction id."""

    name = ChannelName.MATRIX
    capacity = 2
    repeats_safely = True

    def __init__(self, settings: Settings, clock: Clock, url: str, token: str) -> None:
        self._clock = clock
        self._service = Service(settings, str(self.name), [token], url=url)
        self._headers = {"Authorization": f"Bearer {token}"}

    async def send(self, message: Message, deadline: float) -> Outcome:
        """Write a message, as plain text that mentions nobody."""
        text = said_by(message, LARGEST, size=lambda text: len(text.encode(errors="replace")))
        event = {"msgtype": "m.text", "body": text, "m.mentions": {}}  # m.notice would ring nobody
        path = f"{_room(message.to)}/send/m.room.message/{repeat_id(message)}"
        try:
            reply = await self._service.ask("PUT", path, deadline, headers=self._headers, json=event)
        except AttemptFailed as failed:
            return failed.outcome
        return outcome(reply, self._clock.now())

    async def rehearse(self, to: str | None, deadline: float) -> Outcome:
        """Ask whose token it is, and whether that account is in the room."""
        try:
            reply = await self._service.ask("GET", f"{_API}/account/whoami", deadline, headers=self._headers)
            user = reply.json.get("user_id")
            if not reply.is_success or not isinstance(user, str):
                return outcome(reply, self._clock.now())
            if to is None:
                return Sent(reply.said(user))
            path = f"{_room(to)}/state/m.room.member/{quote(user, safe='')}"
            member = await self._service.ask("GET", path, deadline, headers=self._headers)
        except AttemptFailed as failed:
            return failed.outcome
        joined = member.json.get("membership")
        if member.is_success and joined == "join":
            return Sent(reply.said(f"{user} is in the room"))
        if member.is_success or member.json.get("errcode") == "M_NOT_FOUND":
            return Permanent(Reason.REFUSED, member.said(f"{user} isn't in the room"))
        return outcome(member, self._clock.now())

    async def close(self) -> None:
        """Close the connections."""
        await self._service.close()


def _room(address: str) -> str:
    return f"{_API}/rooms/{quote(address, safe='')}"


ADDRESSES: Mapping[ChannelName, AddressCheck] = MappingProxyType({ChannelName.MATRIX: check_room})
_ADVICE = MappingProxyType(
    {
        Reason.CREDENTIALS: "the homeserver refuses MATRIX_TOKEN: log in anew and set the new token; logging out in an "
        "app ends the token of that session (docs/channels/matrix.md)",
        Reason.REFUSED: "the account of MATRIX_TOKEN may not write there: invite it to the room, and join with it",
        Reason.RECIPIENT_BUSY: "the homeserver takes nothing for this room, though it does for others: its own words "
        "say more; it is tried again",
        Reason.NO_SUCH_RECIPIENT: "the homeserver doesn't know this room: compare its id with that in the room's "
        "settings",
        Reason.CONNECTION: "the homeserver can't be reached: check MATRIX_URL and this machine's network; in a private "
        "network it needs CHANNELS_PRIVATE=true",
        Reason.TRY_LATER: "the homeserver can't take messages now, or MATRIX_URL isn't one; they are sent as soon "
        "as it can",
    }
)


def advice(settings: Settings, outcome: Outcome) -> str | None:  # noqa: ARG001  (the Provider protocol's signature)
    """Return what went wrong and what to change."""
    return advise("the homeserver", outcome, _ADVICE)


def missing(settings: Settings) -> str | None:
    """Return which of both settings is missing."""
    lacks = [name for name in ("MATRIX_URL", "MATRIX_TOKEN") if getattr(settings, name.lower()) is None]
    return f"set {' and '.join(lacks)}" if lacks else None


def from_settings(settings: Settings, clock: Clock) -> list[Channel]:
    """Return the channel, if there is an account."""
    url, token = settings.matrix_url, settings.matrix_token
    return [Matrix(settings, clock, url, token.get_secret_value())] if url and token else []


def findings(settings: Settings) -> list[Finding]:
    """Warn about a token that others can read on its way."""
    if settings.matrix_url and settings.matrix_url.startswith("http://") and not settings.channels_private:
        text = "begins with http://, so MATRIX_TOKEN can be read on its way: use https://"
        return [Finding(Level.WARN, "MATRIX_URL", text)]
    return []


async def check(settings: Settings, told: Collection[Target]) -> list[Finding]:
    """Ask whose token it is, and whether that account is in each room."""
    rooms = [address for name, address in told if name is ChannelName.MATRIX]
    found = []
    for channel in from_settings(settings, SystemClock()):
        try:
            for room in rooms or (None,):
                answer = await channel.rehearse(room, soon())
                what = f"matrix {mask(room)}" if room else "matrix"
                level = Level.OK if isinstance(answer, Sent) else Level.FAIL
                text = "; ".join(filter(None, [answer.reply, advice(settings, answer)]))
                found.append(Finding(level, what, text))
        finally:
            await channel.close()
    return found
