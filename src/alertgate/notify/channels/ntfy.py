"""ntfy: push messages by a server that anybody may run. https://docs.ntfy.sh/publish/ (API of server 2.16)."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from alertgate.addresses import mask
from alertgate.clock import Clock, SystemClock
from alertgate.config import Settings
from alertgate.model import ChannelName, Target
from alertgate.notify.channels.base import (
    CHANNEL_WIDE,
    SEND_TIMEOUT,
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
from alertgate.notify.channels.hidden import Secrets, without
from alertgate.notify.channels.ntfy_message import as_headers, fully, plainly
from alertgate.notify.channels.ntfy_topic import Topic, authorization, check_topic, secrets_of, topic_of
from alertgate.notify.channels.service import Reply, Service
from alertgate.outbound import is_local
from alertgate.policy.surroundings import AddressCheck

ONE_MORE = timedelta(seconds=5)
"""After so long the server allows one more request of those that it counts."""
LOOK_AGAIN = timedelta(days=1)
KEPT = timedelta(days=7)
"""How long a notification may stay on a phone, to be cleared there once its incident is over."""
TOO_LARGE = frozenset({40014, 41301, 41303, 42905})
"""Attachments are off or too large, the body is, or the day's bytes for attachments are used up."""
NO_TOPIC = frozenset({40009, 40010})
SHORTEST_TOPIC = 10
"""Characters of a public topic that isn't guessed soon."""


class Ntfy:
    """Publishes to topics on NTFY_URL, and on other servers by whole addresses."""

    name = ChannelName.NTFY
    capacity = 4
    repeats_safely = False  # Android and the web replace a repeat, iOS and older servers don't
    settles = True

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        token = settings.ntfy_token.get_secret_value() if settings.ntfy_token else ""
        self._authorization = authorization(token)
        self._own = Service(settings, "ntfy", secrets_of(token), url=settings.ntfy_url)
        self._others = Service(settings, "ntfy")  # never the same client: it may not be one for private networks

    async def send(self, message: Message, deadline: float) -> Outcome:
        """Publish a message. What the server can't read is sent once more without buttons and pictures."""
        try:
            topic = topic_of(message.to, self._settings.ntfy_url)
            reply = await self._publish(topic, message, deadline)
            found = outcome(reply, self._clock.now())
            if found.reason is Reason.FORMAT:
                plain = {"topic": topic.name, **plainly(message)}
                reply = await self._ask(topic, "POST", "/", deadline, json=plain)
                found = outcome(reply, self._clock.now())
        except AttemptFailed as failed:
            return _of(topic, failed.outcome)
        except ValueError as error:  # the address was checked when the policy was read
            return Permanent(Reason.NO_SUCH_RECIPIENT, f"the address {error}")
        brief = message.brief
        # A server that doesn't name the sequence is too old to clear it.
        if brief and brief.asks and isinstance(found, Sent) and reply.json.get("sequence_id") == brief.notification_id:
            found = replace(found, receipt=brief.notification_id, follow_in=LOOK_AGAIN)
        return _of(topic, found)

    async def rehearse(self, to: str | None, deadline: float) -> Outcome:
        """Ask how the server is, and whether it knows the login."""
        try:
            topic = topic_of(to or "alertgate", self._settings.ntfy_url)
            reply = await self._ask(topic, "GET", "/v1/health", deadline)
            if reply.json.get("healthy") is not True:
                found = outcome(reply, self._clock.now())
                unclear = Transient(Reason.UNCLEAR, reply.said())
                return _of(topic, unclear if isinstance(found, Sent | Permanent) else found)
            if self._login(topic):
                reply = await self._ask(topic, "GET", "/v1/account", deadline)
                if reply.status in (401, 403):
                    return _of(topic, outcome(reply, self._clock.now()))
        except AttemptFailed as failed:
            return _of(topic, failed.outcome)
        except ValueError as error:
            return Permanent(Reason.NO_SUCH_RECIPIENT, f"the address {error}")
        return Sent("the server is healthy" + (", and takes the login" if self._login(topic) else ""))

    async def ask(self, sent: Followed, deadline: float) -> Learned:  # noqa: ARG002  (nothing is asked)
        """Return that nothing more is known, and keep the notification in mind for as long as phones show it."""
        is_shown = self._clock.now() - sent.sent_at < KEPT
        return Learned(again_in=LOOK_AGAIN if is_shown else None)

    async def settle(self, sent: Followed, message: Message, deadline: float) -> Outcome:  # noqa: ARG002
        """Clear the notification on the phones. If the server can't, it stays there, silent: that does no harm."""
        try:
            topic = topic_of(sent.to, self._settings.ntfy_url)
            reply = await self._ask(topic, "PUT", f"/{topic.name}/{sent.receipt}/clear", deadline)
            found = outcome(reply, self._clock.now())
        except AttemptFailed as failed:
            return _of(topic, failed.outcome)
        except ValueError as error:
            return Permanent(Reason.NO_SUCH_RECIPIENT, f"the address {error}")
        can_later = isinstance(found, Transient) and found.reason in (Reason.TRY_LATER, Reason.DAILY_LIMIT)
        return _of(topic, found if can_later else Sent(reply.said()))

    async def close(self) -> None:
        """Close all connections."""
        await self._own.close()
        await self._others.close()

    async def _publish(self, topic: Topic, message: Message, deadline: float) -> Reply:
        said = fully(message)
        if message.picture is None:
            return await self._ask(topic, "POST", "/", deadline, json={"topic": topic.name, **said})
        headers = as_headers({**said, "filename": f"picture.{message.picture.subtype}"})
        content = message.picture.content
        return await self._ask(topic, "PUT", f"/{topic.name}", deadline, headers=headers, content=content)

    def _login(self, topic: Topic) -> str | None:
        return topic.authorization or (self._authorization if topic.is_own else None)

    async def _ask(self, topic: Topic, method: str, path: str, deadline: float, **sent: Any) -> Reply:
        """Send a request to a topic's server: the login of NTFY_URL goes to no other one."""
        if login := self._login(topic):
            sent["headers"] = {**sent.get("headers", {}), "Authorization": login}
        service = self._own if topic.is_own else self._others
        url = path if topic.is_own else f"{topic.server}{path}"
        return await service.ask(method, url, deadline, secret=topic.name, **sent)


def outcome(reply: Reply, now: datetime) -> Outcome:
    """Return what an answer means. Pure."""
    body = reply.json
    code = body["code"] if isinstance(body.get("code"), int) else None
    said = reply.said(body["error"] if isinstance(body.get("error"), str) else None)
    if reply.is_success and isinstance(body.get("id"), str):
        return Sent(reply.said(f"accepted as {body['id']}"))
    if code in NO_TOPIC:
        return Permanent(Reason.NO_SUCH_RECIPIENT, said)
    if reply.status == 413 or code in TOO_LARGE:
        return Permanent(Reason.TOO_LARGE, said, of_content=True)
    if reply.status == 400:
        return Permanent(Reason.FORMAT, said)
    if reply.status in (401, 403):
        return Transient(Reason.CREDENTIALS, said, if_alone=Permanent(Reason.REFUSED, said))
    return _not_now(reply.status, code, said, reply.retry_after(now))


def _not_now(status: int, code: int | None, said: str, wait: timedelta | None) -> Transient:
    if code == 42908:
        return Transient(Reason.DAILY_LIMIT, said, retry_in=wait)
    if code == 42909:
        return Transient(Reason.TOO_MANY_LOGINS, said, retry_in=wait or timedelta(minutes=1))
    if status == 429:
        return Transient(Reason.TRY_LATER, said, retry_in=wait or ONE_MORE)
    is_busy = status >= 500 or status == 408
    return Transient(Reason.TRY_LATER if is_busy else Reason.UNCLEAR, said, retry_in=wait)


def _of(topic: Topic, found: Outcome) -> Outcome:
    """Return an outcome without the topic's own secrets; what another server says is about its contact alone."""
    found = without(found, Secrets(topic.secrets).hide)
    if topic.is_own or not isinstance(found, Transient) or found.reason not in CHANNEL_WIDE:
        return found
    if found.reason is Reason.CREDENTIALS:
        return Permanent(Reason.REFUSED, found.reply)
    return replace(found, reason=Reason.RECIPIENT_BUSY, if_alone=None)


def missing(settings: Settings) -> str | None:  # noqa: ARG001  (as all providers have it)
    """Return None: a topic is all that it takes."""
    return None


def from_settings(settings: Settings, clock: Clock) -> list[Channel]:
    """Return the channel."""
    return [Ntfy(settings, clock)]


def findings(settings: Settings) -> list[Finding]:
    """Warn of a login that anybody on its way can read."""
    if settings.ntfy_token and settings.ntfy_url.startswith("http:") and not is_local(settings.ntfy_url):
        text = "begins with http://, so anybody on the way can read NTFY_TOKEN and every message: use https"
        return [Finding(Level.WARN, "NTFY_URL", text)]
    return []


async def check(settings: Settings, told: Collection[Target]) -> list[Finding]:
    """Ask each server that a told topic is on how it is, and whether it knows the login."""
    addresses = [address for name, address in told if name is ChannelName.NTFY]
    topics = [topic_of(address, settings.ntfy_url) for address in addresses]
    channel, found = Ntfy(settings, SystemClock()), list[Finding]()
    own = [topic for topic in topics if topic.is_own]
    if own:
        found.append(await _checked(settings, channel, None, "NTFY_URL"))
    for address, topic in zip(addresses, topics, strict=True):
        if not topic.is_own:
            found.append(await _checked(settings, channel, address, f"contact ntfy:{mask(address)}"))
    await channel.close()
    public = [topic for topic in own if not settings.ntfy_token]
    if any(len(topic.name) < SHORTEST_TOPIC for topic in public):
        text = f"is shorter than {SHORTEST_TOPIC} characters, and whoever guesses it can read and send: choose another"
        found.append(Finding(Level.WARN, "an ntfy topic", text))
    return found


async def _checked(settings: Settings, channel: Ntfy, to: str | None, what: str) -> Finding:
    answer = await channel.rehearse(to, asyncio.get_running_loop().time() + SEND_TIMEOUT)
    if isinstance(answer, Sent):
        return Finding(Level.OK, what, answer.reply)
    return Finding(Level.FAIL, what, f"{answer.reply}; {advice(settings, answer)}")


ADDRESSES: Mapping[ChannelName, AddressCheck] = MappingProxyType({ChannelName.NTFY: check_topic})

_ADVICE: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.CREDENTIALS: "the server doesn't let alertgate send to the topic: correct NTFY_TOKEN, allow its user to "
        "write there, or choose another topic if somebody else has reserved this one",
        Reason.TOO_MANY_LOGINS: "the server saw too many wrong logins and refuses all for a while: correct NTFY_TOKEN",
        Reason.TRY_LATER: "the server is overloaded or limits how fast messages may come: they are tried again",
        Reason.DAILY_LIMIT: "the day's messages are used up until midnight UTC: use a server of your own (NTFY_URL), "
        "or an account with a higher limit (NTFY_TOKEN)",
        Reason.UNCLEAR: "what answers isn't an ntfy server: correct NTFY_URL, which is the address that the app is "
        "given as its server, without a topic",
        Reason.RECIPIENT_BUSY: "the contact's own server can't be used now: it is tried again",
        Reason.NO_SUCH_RECIPIENT: "the server doesn't allow a topic of this name: choose another, in the app too",
        Reason.TOO_LARGE: "the server takes no picture, or none as large: the message goes without it",
        Reason.FORMAT: "the server can't read the message, which is a defect: report it with the server's version",
        Reason.REFUSED: "the server refuses this contact's topic alone: correct the topic or the login in its address",
        Reason.CONNECTION: "the server can't be reached: correct NTFY_URL, or start the server; one in a private "
        "network needs CHANNELS_PRIVATE=true",
        Reason.TLS: "the server's certificate isn't trusted: renew it, or correct the host's name in NTFY_URL",
        Reason.TIMEOUT: "the server doesn't answer in time, and the message may have gone out: it is sent again",
        Reason.INTERNAL: "this is a defect in alertgate: report it with the log",
    }
)


def advice(settings: Settings, outcome: Outcome) -> str | None:  # noqa: ARG001  (the sentences name the settings)
    """Return what to do, as one sentence; None if the message was sent."""
    return _ADVICE.get(outcome.reason)
