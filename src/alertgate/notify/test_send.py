"""Send a test message to every recipient, and report each server's answer."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from alertgate.clock import Clock
from alertgate.config import Settings
from alertgate.model import ChannelName, Target
from alertgate.notify.channels.base import SEND_TIMEOUT, Channel, Message, Sent
from alertgate.notify.channels.registry import targets
from alertgate.notify.gateways import is_text_message


class TestSend(NamedTuple):
    """The result of one test message."""

    channel: ChannelName
    address: str
    sent: bool
    text: str


async def send_tests(
    settings: Settings, channels: Sequence[Channel], clock: Clock, new_id: Callable[[datetime], str]
) -> list[TestSend]:
    """Send one test message to each recipient over its channel, one after the other."""
    by_name = {channel.name: channel for channel in channels}
    results = []
    for name, address in targets(settings):
        message = _message(settings, (name, address), clock.now(), new_id)
        outcome = await by_name[name].send(message, asyncio.get_running_loop().time() + SEND_TIMEOUT)
        text = outcome.reply if isinstance(outcome, Sent) else f"{outcome.reason}: {outcome.reply}"
        results.append(TestSend(name, address, isinstance(outcome, Sent), text))
    return results


def _message(settings: Settings, target: Target, now: datetime, new_id: Callable[[datetime], str]) -> Message:
    channel, address = target
    domain = settings.mail_from.rpartition("@")[2]
    message_id = f"{new_id(now)}@{domain}"
    text = (
        f"Test of alertgate, {now.astimezone(settings.zone):%Y-%m-%d %H:%M:%S %Z}. If you read this, alerts reach you."
    )
    subject = None if is_text_message(channel, address) else "[TEST] alertgate reaches you"
    return Message(address, text, message_id, f"test.{message_id}", now, subject)
