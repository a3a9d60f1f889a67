"""Channels that POST to a web address, which is a secret and says by itself whom it reaches. What they have in common.

Each address leads to a receiver of its own: what fails at one says little about the others, and so doesn't keep them
waiting (`evidence`).
"""

import asyncio
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from json import dumps
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

import httpx

from alertgate.addresses import mask
from alertgate.clock import Clock, SystemClock
from alertgate.config import Settings
from alertgate.model import ChannelName, Target
from alertgate.notify.channels.base import (
    CHANNEL_WIDE,
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
from alertgate.notify.channels.service import Reply, Service
from alertgate.notify.render.text import shorten
from alertgate.policy.surroundings import AddressCheck

Compose = Callable[[Message], dict[str, Any]]
"""Returns what httpx sends for a message: `json`, or `content` and `headers`."""
LONGEST_URL = 2048
CHECK_WITHIN = 10.0
"""Seconds for each address that `alertgate check` tries."""


def check_url(address: str) -> None:
    """Raise ValueError unless an address is a web address."""
    try:
        url = httpx.URL(address)
        right = url.scheme in {"http", "https"} and url.host and len(address) <= LONGEST_URL
    except (httpx.InvalidURL, ValueError):
        right = False
    if not right or not address.isprintable() or " " in address:
        raise ValueError(f"{mask(address)!r} is not a web address: copy it again, whole; it begins with https://")
    if url.userinfo:
        raise ValueError(f"{mask(address)!r} has a name or a password before its host: use an address without them")


def secret_of(address: str) -> str:
    """Return what of a web address is secret: all after its host."""
    rest = re.sub(r"^[^/?#]*", "", address.partition("://")[2])
    return f"{rest} {unquote(rest)}"  # a service may repeat it either way


def alone(outcome: Transient) -> Transient:
    """Return a failure of one receiver's server: if others are reached meanwhile, it is about this one alone."""
    if outcome.reason not in CHANNEL_WIDE:
        return outcome
    return replace(outcome, if_alone=Transient(Reason.UNREACHABLE, outcome.reply, retry_in=outcome.retry_in))


def later(reply: Reply, now: datetime, said: object = None) -> Transient:
    """Return the outcome of an answer that asks to come again later."""
    return alone(Transient(Reason.TRY_LATER, reply.said(said), retry_in=reply.retry_after(now)))


_UNREADABLE = Permanent(Reason.FORMAT, "", of_content=True)
_FOR_GOOD: Mapping[int, Permanent] = MappingProxyType(
    {
        400: _UNREADABLE,
        410: Permanent(Reason.NO_SUCH_RECIPIENT, ""),
        413: Permanent(Reason.TOO_LARGE, "", of_content=True),
        415: _UNREADABLE,
        422: _UNREADABLE,
    }
)
_LATER = frozenset({408, 425, 429})


def by_status(reply: Reply, now: datetime, said: object = None) -> Outcome:
    """Return what a status means wherever nothing more is known; `said` is the part of the answer to show.

    What might be put right at the receiver is tried again: an alarm that comes late is better than none.
    """
    words = reply.said(said)
    if reply.is_success:
        return Sent(words)
    if found := _FOR_GOOD.get(reply.status):
        return replace(found, reply=words)
    if reply.status in _LATER or not 200 <= reply.status < 500:
        return later(reply, now, said)
    return Transient(Reason.REFUSED, f"{words} (a redirect, which isn't followed)" if reply.status < 400 else words)


def not_from(name: str, reply: Reply) -> Transient:
    """Return the outcome of a success that doesn't come from the service: a proxy's page, for example."""
    return alone(Transient(Reason.TRY_LATER, f"{reply.said()} (not an answer of {name})"))


def is_page(reply: Reply) -> bool:
    """Tell whether an answer is a web page."""
    return reply.body.lstrip()[:1] == b"<" or reply.headers.get("content-type", "").startswith("text/html")


def fit(text: str, most: int, form: Callable[[str], str], size: Callable[[str], int] = len) -> str:
    """Return `form` of as much of a text as has at most `most` of a size: cut before it is escaped, so never within."""
    if size(form(text)) <= most:
        return form(text)
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        fits, too_long = (middle, too_long) if size(form(shorten(text, middle))) <= most else (fits, middle)
    return form(shorten(text, fits)) if fits else ""


def said_by(message: Message, most: int, form: Callable[[str], str] = str, size: Callable[[str], int] = len) -> str:
    """Return a message as one text of at most `most`: its title, its lines, and its link, which is never cut."""
    link = message.brief.link if message.brief and message.brief.link else ""
    end = f"\n{link}" if link else ""
    whole = "\n".join(filter(None, [message.subject, message.text]))
    return fit(whole, most - size(end), form, size) + end


def repeat_id(message: Message) -> str:
    """Return what is the same for every attempt that says the same, and another one once the facts have changed.

    A receiver that has seen it drops the message, so it must not stand for news.
    """
    facts = dict(message.brief.facts) if message.brief else {}
    said = dumps([message.message_id, facts], sort_keys=True, default=str)
    return f"msg_{sha256(said.encode(errors='surrogatepass')).hexdigest()[:32]}"


@dataclass(frozen=True, slots=True)
class Form:
    """What one service takes, and what its answers mean."""

    name: ChannelName
    label: str
    """The service's name as people write it."""
    compose: Compose
    judge: Callable[[Reply, datetime], Outcome]
    plain: Compose | None = None
    """The message with less form, for a service that can't read the other one."""
    url: Callable[[str], str] = str
    """Returns the address to POST to."""
    shows_itself: bool = False
    """Whether GET at the address shows what it is, and sends nothing; `judge` understands that answer too."""
    repeats_safely: bool = False


class HookChannel:
    """POSTs messages to their recipients' addresses."""

    capacity = 4

    def __init__(self, form: Form, settings: Settings, clock: Clock) -> None:
        self.name = form.name
        self.repeats_safely = form.repeats_safely
        self._form = form
        self._clock = clock
        self._private = settings.channels_private
        self._service = Service(settings, str(form.name))

    async def send(self, message: Message, deadline: float) -> Outcome:
        """Send a message; once more in a plain form if the service can't read it."""
        sent = self._form.compose(message)
        outcome = await self._post(message, sent, deadline)
        if isinstance(outcome, Permanent) and outcome.reason is Reason.FORMAT and self._form.plain:
            plain = self._form.plain(message)
            return await self._post(message, plain, deadline) if plain != sent else outcome
        return outcome

    async def rehearse(self, to: str | None, deadline: float) -> Outcome:
        """Ask the address what it is, where that sends nothing; else whether its host answers."""
        if to is None:
            return Sent("there is no server but those of the recipients")
        if self._form.shows_itself:
            return await self._ask("GET", to, to, deadline)
        scheme, _, rest = to.partition("://")
        host = f"{scheme}://{re.split('[/?#]', rest)[0]}/"
        return await self._ask("HEAD", host, to, deadline, judge=_answers)

    async def close(self) -> None:
        """Close the connections."""
        await self._service.close()

    async def _post(self, message: Message, sent: dict[str, Any], deadline: float) -> Outcome:
        return await self._ask("POST", self._form.url(message.to), message.to, deadline, **sent)

    async def _ask(
        self,
        method: str,
        url: str,
        address: str,
        deadline: float,
        *,
        judge: Callable[[Reply, datetime], Outcome] | None = None,
        **sent: Any,
    ) -> Outcome:
        if not self._private and not url.lower().startswith("https://"):
            return Transient(Reason.REFUSED, "not sent, because http:// can be read on its way: use https://")
        try:
            reply = await self._service.ask(method, url, deadline, secret=secret_of(address), **sent)
        except AttemptFailed as failed:
            return alone(failed.outcome)
        return (judge or self._form.judge)(reply, self._clock.now())


def _answers(reply: Reply, now: datetime) -> Outcome:
    return later(reply, now) if reply.status >= 500 else Sent(f"its host answers: {reply.status}")


class Hook:
    """The `Provider` of one such channel."""

    def __init__(
        self,
        form: Form,
        *,
        check_address: AddressCheck = check_url,
        advice: Mapping[Reason, str] = MappingProxyType({}),
    ) -> None:
        self.ADDRESSES: Mapping[ChannelName, AddressCheck] = MappingProxyType({form.name: check_address})
        self._form = form
        self._advice = advice

    def advice(self, settings: Settings, outcome: Outcome) -> str | None:  # noqa: ARG002  (the Provider protocol's signature)
        """Return what went wrong and what to change."""
        return advise(self._form.label, outcome, self._advice)

    def missing(self, settings: Settings) -> str | None:  # noqa: ARG002  (the Provider protocol's signature)
        """Return None: the address has it all."""
        return None

    def from_settings(self, settings: Settings, clock: Clock) -> list[Channel]:
        """Return the channel."""
        return [HookChannel(self._form, settings, clock)]

    def findings(self, settings: Settings) -> list[Finding]:  # noqa: ARG002  (the Provider protocol's signature)
        """Return nothing: what matters is at the addresses."""
        return []

    async def check(self, settings: Settings, told: Collection[Target]) -> list[Finding]:
        """Try each address without sending, as far as that can be."""
        mine = [address for name, address in told if name is self._form.name]
        if not mine:
            return []
        [channel] = self.from_settings(settings, SystemClock())
        try:
            outcomes = [await channel.rehearse(each, soon()) for each in mine]
        finally:
            await channel.close()
        return [self._finding(settings, *each) for each in zip(mine, outcomes, strict=True)]

    def _finding(self, settings: Settings, address: str, outcome: Outcome) -> Finding:
        what = f"{self._form.name} {mask(address)}"
        if isinstance(outcome, Sent):
            return Finding(Level.OK, what, outcome.reply)
        return Finding(Level.FAIL, what, f"{outcome.reply}; {self.advice(settings, outcome)}")


def soon() -> float:
    """Return the deadline of one thing that is checked."""
    return asyncio.get_running_loop().time() + CHECK_WITHIN


def advise(label: str, outcome: Outcome, sentences: Mapping[Reason, str] = MappingProxyType({})) -> str | None:
    """Return what a failure means and what to do, by these sentences and those for every such service."""
    if isinstance(outcome, Sent):
        return None
    found = sentences.get(outcome.reason) or ADVICE.get(outcome.reason) or ADVICE[Reason.UNCLEAR]
    return found.format(label=label)


ADVICE: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.NO_SUCH_RECIPIENT: "{label} says that this address is gone: make a new one, and put it into the contact",
        Reason.REFUSED: "{label} refuses what goes to this address, and it is tried again: compare the contact's "
        "address with the one there",
        Reason.FORMAT: "{label} can't read what is sent to it: look whether the contact's address belongs to {label}",
        Reason.TOO_LARGE: "{label} takes no message of this size",
        Reason.TRY_LATER: "{label} can't take messages now; they are sent as soon as it can",
        Reason.CONNECTION: "{label} can't be reached: check this machine's network and DNS, and the host in the "
        "contact's address; private networks need CHANNELS_PRIVATE=true, a proxy HTTP_PROXY_FOR_CHANNELS=true",
        Reason.UNREACHABLE: "the server of this address can't be reached while others can: check the address and that "
        "server",
        Reason.TLS: "no secure connection to {label}: its certificate must be valid for the host in the contact's "
        "address",
        Reason.TIMEOUT: "{label} didn't answer in time, so the message may have arrived; it is sent again",
        Reason.UNCLEAR: "{label} didn't take the message: its own words say more",
        Reason.INTERNAL: "this is a defect in alertgate; the log has its traceback",
    }
)
