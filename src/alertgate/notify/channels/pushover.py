"""Pushover: push messages, and emergencies that ring until somebody acknowledges (https://pushover.net/api)."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import structlog

from alertgate.addresses import mask
from alertgate.clock import Clock, SystemClock
from alertgate.config import Settings
from alertgate.model import ChannelName, Target
from alertgate.notify.channels.base import (
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
from alertgate.notify.channels.pushover_answers import (
    ASK_AGAIN,
    ASK_LATER,
    MOST_ASKED,
    Quota,
    check_key,
    is_done,
    learned,
    outcome,
    receipt_in,
)
from alertgate.notify.channels.pushover_message import attached, fully, is_emergency, plainly
from alertgate.notify.channels.service import Reply, Service
from alertgate.policy.surroundings import AddressCheck

CONNECTIONS = 2
"""More at the same time are refused."""

log = structlog.stdlib.get_logger("alertgate.pushover")


class Pushover:
    """Sends to user and group keys.

    Each emergency has the tag of its notification, by which it is cancelled though nobody knows its receipt: before it
    is sent again, and when it is settled.
    """

    name = ChannelName.PUSHOVER
    capacity = CONNECTIONS
    repeats_safely = False
    settles = True

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._token = settings.pushover_token.get_secret_value() if settings.pushover_token else ""
        self._service = Service(settings, "Pushover", [self._token], url=settings.pushover_url)
        self._clock = clock
        self._room = asyncio.Semaphore(CONNECTIONS)
        self._asking = asyncio.Lock()  # one question at a time, so that an alarm never waits for two
        self._is_low = False

    async def send(self, message: Message, deadline: float) -> Outcome:
        """Send a message, as an emergency if it is critical and asks. Sends once more as text what can't be read."""
        tag = message.brief.notification_id if message.brief and is_emergency(message) else None
        if tag and message.repeats_since:
            with suppress(AttemptFailed):  # ringing twice is better than not at all
                await self._cancel(tag, message.to, deadline)
        try:
            found = await self._send(message, fully(message), deadline)
            if found.reason is Reason.FORMAT:
                found = await self._send(replace(message, picture=None), plainly(message), deadline)
        except AttemptFailed as failed:
            return failed.outcome
        return found

    async def rehearse(self, to: str | None, deadline: float) -> Outcome:
        """Ask how many messages are left this month, and whether Pushover knows the key."""
        try:
            reply = await self._ask("GET", "/1/apps/limits.json", deadline, params={"token": self._token})
            found = outcome(reply, self._clock.now())
            quota = Quota.in_answer(reply.json)
            if isinstance(found, Sent) and quota and not quota.remaining:
                wait = quota.wait(self._clock.now())
                return Transient(Reason.DAILY_LIMIT, "no message is left this month", retry_in=wait)
            if isinstance(found, Sent) and to:
                data = {"token": self._token, "user": to}
                reply = await self._ask("POST", "/1/users/validate.json", deadline, secret=to, data=data)
                return outcome(reply, self._clock.now())
        except AttemptFailed as failed:
            return failed.outcome
        return Sent(f"{found.reply}: {quota}") if isinstance(found, Sent) and quota else found

    async def ask(self, sent: Followed, deadline: float) -> Learned:
        """Ask whether somebody has acknowledged an emergency; without a receipt that can't be asked."""
        now = self._clock.now()
        if now - sent.sent_at > MOST_ASKED:
            return Learned()
        if not sent.receipt:
            return Learned(again_in=ASK_LATER)
        try:
            async with self._asking:
                path, params = f"/1/receipts/{sent.receipt}.json", {"token": self._token}
                reply = await self._ask("GET", path, deadline, secret=sent.to, params=params)
        except AttemptFailed:
            return Learned(again_in=ASK_AGAIN)
        return learned(reply, sent, now)

    async def settle(self, sent: Followed, message: Message, deadline: float) -> Outcome:  # noqa: ARG002
        """Cancel an emergency, also what rings of the same notification without our knowing its receipt."""
        try:
            async with self._asking:
                reply = await self._cancel(sent.notification_id, sent.to, deadline)
                if sent.receipt and not is_done(reply):
                    path, data = f"/1/receipts/{sent.receipt}/cancel.json", {"token": self._token}
                    reply = await self._ask("POST", path, deadline, secret=sent.to, data=data)
        except AttemptFailed as failed:
            return failed.outcome
        found = outcome(reply, self._clock.now())
        if isinstance(found, Sent) or reply.status == 429 or reply.status >= 500:
            return found
        return Permanent(Reason.REFUSED, found.reply)  # Pushover blocks who repeats what it refuses

    async def close(self) -> None:
        """Close all connections."""
        await self._service.close()

    async def _send(self, message: Message, said: Mapping[str, str], deadline: float) -> Outcome:
        data = {"token": self._token, "user": message.to, **said}
        picture = attached(message)
        files = {"files": {"attachment": picture}} if picture else {}
        reply = await self._ask("POST", "/1/messages.json", deadline, secret=message.to, data=data, **files)
        self._count(Quota.in_headers(reply.headers))
        found = outcome(reply, self._clock.now())
        if isinstance(found, Sent) and "expire" in said and (receipt := receipt_in(reply)):
            return replace(found, receipt=receipt, follow_in=ASK_AGAIN)
        return found

    async def _cancel(self, tag: str, to: str, deadline: float) -> Reply:
        path = f"/1/receipts/cancel_by_tag/{tag}.json"
        return await self._ask("POST", path, deadline, secret=to, data={"token": self._token})

    async def _ask(self, method: str, path: str, deadline: float, **sent: Any) -> Reply:
        async with self._room:
            return await self._service.ask(method, path, deadline, **sent)

    def _count(self, quota: Quota | None) -> None:
        """Log once that few messages are left."""
        if quota and quota.is_low and not self._is_low:
            log.warning("pushover.quota_low", detail=f"{quota}; then Pushover takes no more", left=quota.remaining)
        if quota:
            self._is_low = quota.is_low


ADDRESSES: Mapping[ChannelName, AddressCheck] = MappingProxyType({ChannelName.PUSHOVER: check_key})


def missing(settings: Settings) -> str | None:
    """Return what to set first."""
    return None if settings.pushover_token else "set PUSHOVER_TOKEN (docs/channels/pushover.md)"


def from_settings(settings: Settings, clock: Clock) -> list[Channel]:
    """Return the channel, if there is a token."""
    return [] if missing(settings) else [Pushover(settings, clock)]


def findings(settings: Settings) -> list[Finding]:  # noqa: ARG001  (nothing is doubtful by a token alone)
    """Return nothing: `check` says the rest."""
    return []


async def check(settings: Settings, told: Collection[Target]) -> list[Finding]:
    """Ask Pushover whether it knows the token, how many messages are left, and whether it knows each key."""
    if missing(settings):
        return []
    channel, found = Pushover(settings, SystemClock()), list[Finding]()
    deadline = asyncio.get_running_loop().time() + SEND_TIMEOUT
    answer = await channel.rehearse(None, deadline)
    found.append(_finding(settings, "PUSHOVER_TOKEN", answer))
    keys = [address for name, address in told if name is ChannelName.PUSHOVER]
    for key in keys if isinstance(answer, Sent) else ():
        found.append(_finding(settings, f"contact pushover:{mask(key)}", await channel.rehearse(key, deadline)))
    await channel.close()
    return found


def _finding(settings: Settings, what: str, answer: Outcome) -> Finding:
    if isinstance(answer, Sent):
        return Finding(Level.OK, what, f"is known to Pushover ({answer.reply})")
    return Finding(Level.FAIL, what, f"{answer.reply}; {advice(settings, answer)}")


_ADVICE: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.CREDENTIALS: "Pushover doesn't know the token: set PUSHOVER_TOKEN to the API token of your application "
        "at pushover.net, which isn't your user key",
        Reason.NO_SUCH_RECIPIENT: "Pushover doesn't know the key, or no device has it: correct the contact, or install "
        "the app and log in",
        Reason.DAILY_LIMIT: "the month's messages are used up: buy more at pushover.net, or wait for its next month",
        Reason.TRY_LATER: "Pushover is overloaded: the message is sent again",
        Reason.HOST_REFUSED: "Pushover has blocked this machine's address after too many wrong requests: wait, and "
        "correct what failed before",
        Reason.UNCLEAR: "what answers isn't Pushover: correct PUSHOVER_URL, or the proxy on the way",
        Reason.TOO_LARGE: "Pushover takes no picture as large: the message goes without it",
        Reason.FORMAT: "Pushover can't read the message, which is a defect: report it",
        Reason.REFUSED: "Pushover refuses this: see its words",
        Reason.CONNECTION: "Pushover can't be reached: check this machine's way to the internet, and PUSHOVER_URL",
        Reason.TLS: "the certificate isn't trusted: check PUSHOVER_URL, and what intercepts TLS on the way",
        Reason.TIMEOUT: "Pushover doesn't answer in time, and the message may have gone out: it is sent again",
        Reason.INTERNAL: "this is a defect in alertgate: report it with the log",
    }
)


def advice(settings: Settings, outcome: Outcome) -> str | None:  # noqa: ARG001  (the sentences name the settings)
    """Return what to do, as one sentence; None if the message was sent."""
    return _ADVICE.get(outcome.reason)
