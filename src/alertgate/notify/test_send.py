"""Send a test message to every recipient, and report each server's answer."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from alertgate.clock import Clock
from alertgate.config import Settings
from alertgate.local_time import zone_name
from alertgate.model import ChannelName, Target
from alertgate.notify.channels.base import SEND_TIMEOUT, Channel, Message, Reason, Sent
from alertgate.notify.channels.registry import advice
from alertgate.notify.gateways import is_text_message


class TestSend(NamedTuple):
    """The result of one test message."""

    channel: ChannelName
    address: str
    sent: bool
    text: str
    """The server's answer; of a failure with its reason before it."""
    advice: str | None
    """What went wrong and what to change; None if it was sent, or not tried."""


NO_WAY = frozenset({Reason.CREDENTIALS, Reason.TOO_MANY_LOGINS, Reason.CONNECTION, Reason.TLS, Reason.TIMEOUT})
"""Failures that all recipients of a channel would meet; after many refused logins, servers ban a machine."""


async def send_tests(
    settings: Settings,
    told: Collection[Target],
    channels: Sequence[Channel],
    zone: ZoneInfo,
    clock: Clock,
    new_id: Callable[[datetime], str],
) -> list[TestSend]:
    """Send one test message to each that is told over its channel, one after the other.

    `zone` is the time zone of the readers. Where the server can't be used at all, the
    channel's other recipients aren't tried.
    """
    by_name = {channel.name: channel for channel in channels}
    failed: dict[ChannelName, Reason] = {}
    results = []
    for name, address in told:
        if name in failed:
            text = f"{failed[name]}: not tried, because the attempt before shows that none can succeed"
            results.append(TestSend(name, address, False, text, None))
            continue
        message = _message(settings, (name, address), clock.now().astimezone(zone), new_id)
        outcome = await by_name[name].send(message, asyncio.get_running_loop().time() + SEND_TIMEOUT)
        if outcome.reason in NO_WAY:
            failed[name] = outcome.reason
        text = outcome.reply if isinstance(outcome, Sent) else f"{outcome.reason}: {outcome.reply}"
        results.append(TestSend(name, address, isinstance(outcome, Sent), text, advice(settings, name, outcome)))
    return results


def _message(settings: Settings, target: Target, local: datetime, new_id: Callable[[datetime], str]) -> Message:
    channel, address = target
    domain = settings.mail_from.rpartition("@")[2]
    message_id = f"{new_id(local)}@{domain}"
    text = f"Test of alertgate, {local:%Y-%m-%d %H:%M:%S} {zone_name(local)}. If you read this, alerts reach you."
    subject = None if is_text_message(channel, address) else "[TEST] alertgate reaches you"
    return Message(address, text, message_id, f"test.{message_id}", local, subject)
