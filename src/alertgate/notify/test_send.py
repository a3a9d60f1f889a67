"""Send a test message to every recipient, and report each server's answer and how far its proof got."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from alertgate.channel_kinds import AS_MAIL
from alertgate.clock import Clock
from alertgate.config import Settings
from alertgate.local_time import zone_name
from alertgate.model import ChannelName, Severity, Target
from alertgate.notify.channels.base import (
    SEND_TIMEOUT,
    Brief,
    Channel,
    Followed,
    Follower,
    Learned,
    Message,
    Outcome,
    Reason,
    Sent,
    Transient,
)
from alertgate.notify.channels.registry import advice
from alertgate.notify.gateways import is_text_message
from alertgate.notify.render.push import VERSION
from alertgate.proof import Proof

LOUDNESS = Severity.WARNING
"""Of a test: it makes a sound, as somebody sends it to hear it, and rings nobody out of bed."""
ASK_EVERY = timedelta(seconds=2)
"""How often a service is asked what became of a test message, at most."""


class TestSend(NamedTuple):
    """The result of one test message."""

    channel: ChannelName
    address: str
    sent: bool
    text: str
    """The server's answer; of a failure with its reason before it."""
    advice: str | None
    """What went wrong and what to change; None if it was sent, or not tried."""
    proof: Proof | None = None
    """How far it is proved that it arrived; None if it wasn't sent, or didn't arrive."""
    proof_text: str | None = None
    """The service's word on that, beyond its answer; None if it wasn't asked."""


NO_MORE = "its service says no more"
NO_WAY = frozenset({Reason.CREDENTIALS, Reason.TOO_MANY_LOGINS, Reason.CONNECTION, Reason.TLS, Reason.TIMEOUT})
"""Failures that all recipients of a channel would meet, unless they may be about one alone; after many refused
logins, servers ban a machine."""


async def send_tests(
    settings: Settings,
    told: Collection[Target],
    channels: Sequence[Channel],
    zone: ZoneInfo,
    clock: Clock,
    new_id: Callable[[datetime], str],
    *,
    wait: timedelta = timedelta(0),
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> list[TestSend]:
    """Send one test message to each that is told over its channel, one after the other.

    `zone` is the time zone of the readers. Where the server can't be used at all, the channel's other recipients aren't
    tried. For as long as `wait` a service that knows more later is asked how far the message got; `pause` waits for
    seconds in between.
    """
    by_name = {channel.name: channel for channel in channels}
    failed: dict[ChannelName, Reason] = {}
    results = []
    for name, address in told:
        channel = by_name.get(name)
        if channel is None:
            results.append(TestSend(name, address, False, "not tried, because its channel isn't set up", None))
            continue
        if name in failed:
            text = f"{failed[name]}: not tried, because the attempt before shows that none can succeed"
            results.append(TestSend(name, address, False, text, None))
            continue
        message = _message(settings, (name, address), clock.now().astimezone(zone), new_id)
        outcome = await channel.send(message, asyncio.get_running_loop().time() + SEND_TIMEOUT)
        if outcome.reason in NO_WAY and not (isinstance(outcome, Transient) and outcome.if_alone):
            failed[name] = outcome.reason
        result = _result(settings, (name, address), outcome)
        if wait and isinstance(outcome, Sent) and name not in AS_MAIL:
            result = result._replace(proof_text=NO_MORE)
        if wait and isinstance(outcome, Sent) and outcome.receipt and isinstance(channel, Follower):
            sent = Followed(address, outcome.receipt, clock.now(), message.message_id, outcome.proof)
            result = await _followed(settings, channel, sent, result, outcome, wait, pause)
        results.append(result)
    return results


def _result(settings: Settings, target: Target, outcome: Outcome) -> TestSend:
    is_sent = isinstance(outcome, Sent)
    text = outcome.reply if is_sent else f"{outcome.reason}: {outcome.reply}"
    proof = outcome.proof if isinstance(outcome, Sent) else None
    return TestSend(*target, is_sent, text, advice(settings, target[0], outcome), proof)


async def _followed(
    settings: Settings,
    follower: Follower,
    sent: Followed,
    result: TestSend,
    outcome: Sent,
    wait: timedelta,
    pause: Callable[[float], Awaitable[None]],
) -> TestSend:
    """Ask what became of a test message until it is known, or for as long as `wait`."""
    left, again, proof = wait, outcome.follow_in, outcome.proof
    by = ""
    while again is not None and left > timedelta(0):
        step = min(again, ASK_EVERY, left) or ASK_EVERY
        await pause(step.total_seconds())
        left -= step
        learned: Learned = await follower.ask(sent, asyncio.get_running_loop().time() + SEND_TIMEOUT)
        if learned.failure:
            text = f"{learned.failure.reason}: {learned.failure.reply}"
            told = advice(settings, result.channel, learned.failure)
            return result._replace(sent=False, proof=None, proof_text=f"didn't arrive: {text}", advice=told)
        if learned.proof and learned.proof.rank > proof.rank:
            proof, by = learned.proof, f" (by {learned.by})" if learned.by else ""
        again = learned.again_in
    if proof is outcome.proof:
        late = f"its service didn't say more within {wait.total_seconds():g} s"
        return result._replace(proof_text=NO_MORE if again is None else late)
    return result._replace(proof=proof, proof_text=f"its service says so{by}")


def _message(settings: Settings, target: Target, local: datetime, new_id: Callable[[datetime], str]) -> Message:
    channel, address = target
    domain = settings.mail_from.rpartition("@")[2]
    test_id = new_id(local)
    message_id = f"{test_id}@{domain}"
    text = f"Test of alertgate, {local:%Y-%m-%d %H:%M:%S} {zone_name(local)}. If you read this, alerts reach you."
    subject = None if is_text_message(channel, address) else "[TEST] alertgate reaches you"
    facts = {"version": VERSION, "id": test_id, "kind": "test", "incidents": [], "link": None}
    brief = None if channel in AS_MAIL else Brief(test_id, "TEST", LOUDNESS, facts=facts)
    return Message(address, text, message_id, f"test.{message_id}", local, subject, brief=brief)
