"""Calls by Twilio, which read the essence aloud and take a digit: `call:+491701111111`."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import timedelta
from types import MappingProxyType

from alertgate.clock import Clock
from alertgate.config import Settings
from alertgate.model import ChannelName, Target
from alertgate.notify.channels import twilio_account
from alertgate.notify.channels.base import (
    AttemptFailed,
    Channel,
    Finding,
    Message,
    Outcome,
    Reason,
    Transient,
)
from alertgate.notify.channels.twilio_account import CALL_PATH, Account, Line, check_number, made_at
from alertgate.notify.channels.twilio_advice import advice
from alertgate.notify.channels.twilio_twiml import call
from alertgate.policy.surroundings import AddressCheck

__all__ = ["ADDRESSES", "advice", "check", "findings", "from_settings", "missing"]

ADDRESSES: Mapping[ChannelName, AddressCheck] = MappingProxyType({ChannelName.CALL: check_number})
RINGS_FOR = 30
"""Seconds."""
GOING_ON = frozenset({"queued", "initiated", "ringing", "in-progress"})
LASTS = timedelta(minutes=10)
"""A call that goes on for longer isn't waited for: nobody listens for so long, so its status is wrong."""


def missing(settings: Settings) -> str | None:
    """Return what to set before calls can be made: they come from a number."""
    if lacks := twilio_account.missing(settings):
        return lacks
    is_service = settings.twilio_from and settings.twilio_from.startswith("MG")
    return "set TWILIO_FROM to a number: a messaging service can't call" if is_service else None


class Calls(Line):
    """Makes calls, and asks what became of them."""

    name = ChannelName.CALL
    repeats_safely = False
    resource = "Calls"

    def __init__(self, account: Account, clock: Clock) -> None:
        super().__init__(account)
        self._clock = clock
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """By number: who looks whether a call goes on waits until one that is being made can be seen."""

    async def send(self, message: Message, deadline: float) -> Outcome:
        """Call, unless a call to the number is going on: it would be busy. It may be that of an attempt before."""
        async with self._turns[message.to]:
            try:
                if await self._is_engaged(message.to, deadline):
                    return Transient(Reason.RECIPIENT_BUSY, "a call to this number is going on, maybe this one's")
            except AttemptFailed as failed:
                if message.repeats_since:
                    return failed.outcome
            return await self._call(message, deadline)

    async def _is_engaged(self, number: str, deadline: float) -> bool:
        """Return whether a call of ours to a number is going on. Raises AttemptFailed."""
        since = self._clock.now() - LASTS
        calls = await self._account.listed(self.resource, number, deadline)
        return any(each.get("status") in GOING_ON and made_at(each) >= since for each in calls)

    async def _call(self, message: Message, deadline: float) -> Outcome:
        fields = {
            "To": message.to,
            "From": self._account.sender,
            "Twiml": call(message, self._action(message)),
            "Timeout": str(RINGS_FOR),
            "MachineDetection": "Enable",
        }
        callback = self._account.callback()
        if callback:
            callback |= {"StatusCallbackEvent": "completed"}
        return await self._account.send(self.resource, fields, callback, deadline)

    def _action(self, message: Message) -> str | None:
        """Return where a digit goes, if the message asks for one and Twilio can reach us."""
        if not (self._account.public_url and message.brief and message.brief.asks):
            return None
        return f"{self._account.public_url}{CALL_PATH}/{message.brief.notification_id}"


def from_settings(settings: Settings, clock: Clock) -> list[Channel]:
    """Return the channel, if the settings configure it."""
    return [] if missing(settings) else [Calls(Account(settings, clock), clock)]


def findings(settings: Settings) -> list[Finding]:  # noqa: ARG001  (`twilio` says it)
    """Return nothing: what is to say of Twilio's settings, `twilio` says."""
    return []


async def check(settings: Settings, told: Collection[Target]) -> list[Finding]:  # noqa: ARG001  (`twilio` does it)
    """Return nothing: `twilio` checks the account, and whether its number can call."""
    return []
