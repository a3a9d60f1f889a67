"""What a household gets when the mail server refuses one of its addresses, or all of them, without a clear cause."""

import asyncio
from collections.abc import Callable

import pytest

from alertgate.model import ChannelName
from alertgate.notify.evidence import TRIES
from tests.conftest import API_BEARER, Running, serving
from tests.fakes import FakeClock, MailSink, mail_sink, until
from tests.flow.test_nothing_is_lost import mail_settings, raise_alert

BAD, GOOD, THIRD = "bad@example.org", "good@example.com", "third@example.net"
UNCLEAR = "550 5.7.1 Access denied"
NOT_VERIFIED = "554 Message rejected: Email address is not verified. The following identities failed the check"


def refusing(*addresses: str, reply: str = UNCLEAR, at: str = "RCPT") -> Callable[[str, str, str], str | None]:
    """Refuse these recipients, and accept all others."""
    return lambda command, address, _said: reply if command == at and address in addresses else None


def household(sink: MailSink, *addresses: str, **changes) -> dict:
    """Settings for these recipients, in the order in which they are told."""
    return {**mail_settings(sink.port), "recipient_email": ",".join(addresses), "flood_limit": 0, **changes}


async def states(service: Running, alert_id: str) -> dict[str, str]:
    """Return the status of each recipient's notification."""
    return {each["address"]: each["status"] for each in (await service.trail(alert_id))["notifications"]}


async def attempts(service: Running, alert_id: str, address: str) -> list[dict]:
    """Return the attempts at a recipient's notification."""
    found = (await service.trail(alert_id))["notifications"]
    return [attempt for each in found if each["address"] == address for attempt in each["attempts"]]


async def tried(service: Running, alert_id: str, address: str, times: int) -> list[dict]:
    """Wait until a recipient's notification has so many attempts, and isn't being sent."""

    async def so_often():
        made = await attempts(service, alert_id, address)
        return len(made) >= times and (await states(service, alert_id))[address] != "sending" and made

    return await until(so_often)


async def paused(service: Running) -> list[str]:
    """Return the paused channels that /health names; what failed is outstanding there sooner or later."""
    degraded = (await service.client.get("/health", headers=API_BEARER)).json().get("degraded", [])
    return [line for line in degraded if line.startswith("channel ")]


async def next_try(service: Running, clock: FakeClock, **later: float) -> None:
    """Let time pass, and wake the delivery loop."""
    clock.move(**later)
    service.gate.deliverer.wake()


@pytest.mark.parametrize(("reply", "at"), [(UNCLEAR, "RCPT"), (NOT_VERIFIED, "DATA")])
async def test_one_bad_address_doesnt_delay_the_other_and_fails_visibly(make_settings, database, reply, at):
    """The good one hears at once, without any time passing; the bad one's failure is seen after a few tries."""
    clock = FakeClock()
    async with mail_sink() as sink:
        sink.judge = refusing(BAD, reply=reply, at=at)
        settings = household(sink, BAD, GOOD, smtp_connections=1, **database)
        async with serving(make_settings(**settings), clock=clock) as service:
            alert_id = await raise_alert(service.client)
            [mail] = await sink.received(1)
            assert mail.to == GOOD
            await tried(service, alert_id, BAD, 1)
            for number in range(2, TRIES + 2):
                await next_try(service, clock, minutes=3)
                made = await tried(service, alert_id, BAD, number)
            assert [each["outcome"] for each in made] == [*["transient"] * TRIES, "permanent"]
            assert [each["reason"] for each in made[1:]] == ["refused"] * TRIES
            assert await states(service, alert_id) == {BAD: "failed", GOOD: "sent"}
            assert await paused(service) == []
            assert len(sink.messages) == 1


async def test_two_connections_at_once_come_to_the_same_end(make_settings):
    """If the good one was accepted just before, it takes one more message to it to show whom the refusal is about."""
    clock = FakeClock()
    async with mail_sink() as sink:
        sink.judge = refusing(BAD, reply=NOT_VERIFIED, at="DATA")
        settings = make_settings(**household(sink, BAD, GOOD, smtp_connections=2))
        async with serving(settings, clock=clock) as service:
            alert_id = await raise_alert(service.client)
            [mail] = await sink.received(1)
            assert mail.to == GOOD
            await tried(service, alert_id, BAD, 1)
            await raise_alert(service.client, coreid="another")
            await sink.received(2)
            await service.settled()
            for _ in range(TRIES + 1):
                await next_try(service, clock, minutes=20)
                await service.settled()
            assert await states(service, alert_id) == {BAD: "failed", GOOD: "sent"}
            assert await paused(service) == []


async def test_later_alerts_reach_the_good_address_at_once_too(make_settings):
    """Night after night, the bad address delays nothing, and each of its failures is recorded."""
    clock = FakeClock()
    async with mail_sink() as sink:
        sink.judge = refusing(BAD)
        async with serving(make_settings(**household(sink, BAD, GOOD, smtp_connections=1)), clock=clock) as service:
            for night in range(4):
                alert_id = await raise_alert(service.client, coreid=f"device-{night}")
                await sink.received(night + 1)
                await tried(service, alert_id, BAD, 1)
                for _ in range(TRIES + 2):
                    await next_try(service, clock, minutes=4)
                    await service.settled()
                assert await states(service, alert_id) == {BAD: "failed", GOOD: "sent"}
                await next_try(service, clock, hours=20)


@pytest.mark.parametrize(
    ("reply", "at", "reason"), [(UNCLEAR, "RCPT", "unclear"), (NOT_VERIFIED, "DATA", "sender_refused")]
)
async def test_a_single_recipient_in_doubt_is_said_and_retried_until_it_works(make_settings, reply, at, reason):
    """The channel counts as paused, nothing fails for good, and the mail arrives once the cause is fixed."""
    clock = FakeClock()
    async with mail_sink() as sink:
        sink.judge = refusing(BAD, reply=reply, at=at)
        async with serving(make_settings(**household(sink, BAD)), clock=clock) as service:
            alert_id = await raise_alert(service.client)
            for number in range(1, 2 * TRIES):
                await tried(service, alert_id, BAD, number)
                assert await paused(service) == [f"channel email is paused: {reason}"]
                await next_try(service, clock, minutes=20)
            sink.judge = refusing()
            await next_try(service, clock, minutes=20)
            [mail] = await sink.received(1)
            assert mail.to == BAD
            await until(lambda: asyncio.sleep(0, service.gate.deliverer.states[ChannelName.EMAIL].up))
            assert await paused(service) == []


async def test_two_domains_refused_in_the_same_words_pause_the_channel_for_all(make_settings):
    """It is about us: nobody else is tried until the probe, which then goes to who wasn't tried yet."""
    clock = FakeClock()
    async with mail_sink() as sink:
        sink.judge = refusing(BAD, GOOD, reply="554 5.7.1 <x@y.z>: Relay access denied")
        settings = household(sink, BAD, GOOD, THIRD, smtp_connections=1)
        async with serving(make_settings(**settings), clock=clock) as service:
            alert_id = await raise_alert(service.client)
            for address in (BAD, GOOD):
                await tried(service, alert_id, address, 1)
            await until(lambda: asyncio.sleep(0, not service.gate.deliverer.here))
            state = service.gate.deliverer.states[ChannelName.EMAIL]
            assert (state.up, state.in_doubt, sink.recipients_seen) == (False, False, [BAD, GOOD])
            assert await paused(service) == ["channel email is paused: relay_refused"]
            await next_try(service, clock, seconds=80)
            [mail] = await sink.received(1)
            assert (mail.to, sink.recipients_seen[:3]) == (THIRD, [BAD, GOOD, THIRD])


async def test_probes_take_turns_between_recipients(make_settings):
    """A bad address with many, and more severe, alerts doesn't keep the channel paused for those that would pass."""
    clock = FakeClock()
    async with mail_sink() as sink:
        sink.judge = refusing(BAD, GOOD)
        settings = household(sink, BAD, GOOD, smtp_connections=1, severity_rules="leak=critical")
        async with serving(make_settings(**settings), clock=clock) as service:
            for number in range(5):
                await raise_alert(service.client, event="leak", coreid=f"d{number}")
            await until(lambda: asyncio.sleep(0, {BAD, GOOD} <= set(sink.recipients_seen)))
            await until(lambda: asyncio.sleep(0, not service.gate.deliverer.here))
            sink.judge = refusing(BAD)
            before = len(sink.recipients_seen)
            while len(sink.recipients_seen) < before + 2:
                seen = len(sink.recipients_seen)
                await next_try(service, clock, minutes=2)
                await until(lambda seen=seen: asyncio.sleep(0, len(sink.recipients_seen) > seen))
                await until(lambda: asyncio.sleep(0, not service.gate.deliverer.here))
            [mail] = await sink.received(1)
            assert (mail.to, "5 alerts while mail was away" in mail.mail["Subject"]) == (GOOD, True)
            assert GOOD in sink.recipients_seen[before : before + 2]


async def test_a_message_that_alone_is_refused_doesnt_hold_up_the_others(make_settings):
    """The only recipient gets all later alerts, and the one that the server never takes fails visibly."""
    clock = FakeClock()
    async with mail_sink() as sink:
        sink.judge = lambda command, _address, said: UNCLEAR if command == "DATA" and "poison" in said else None
        async with serving(make_settings(**household(sink, GOOD, smtp_connections=1)), clock=clock) as service:
            poison = await raise_alert(service.client, event="poison")
            await tried(service, poison, GOOD, 1)
            await raise_alert(service.client, event="leak")
            for _ in range(TRIES + 3):
                await next_try(service, clock, minutes=2)
                await service.settled()
            [mail] = await sink.received(1)
            assert "leak" in mail.mail["Subject"]
            assert await states(service, poison) == {GOOD: "failed"}
            await raise_alert(service.client, event="fire")
            await sink.received(2)  # at once: the channel isn't paused


async def test_a_full_mailbox_and_a_doubtful_refusal_dont_wake_each_other(make_settings):
    """Each is tried at its own pace, not as fast as the server answers."""
    clock = FakeClock()
    async with mail_sink() as sink:
        replies = {BAD: UNCLEAR, GOOD: "452 4.2.2 mailbox full"}
        sink.judge = lambda command, address, _said: replies[address] if command == "RCPT" else None
        async with serving(make_settings(**household(sink, BAD, GOOD)), clock=clock) as service:
            alert_id = await raise_alert(service.client)
            for address in (BAD, GOOD):
                await tried(service, alert_id, address, 1)
            for _ in range(20):
                await next_try(service, clock, minutes=20)
                await until(lambda: asyncio.sleep(0, not service.gate.deliverer.here))
            assert len(sink.recipients_seen) <= 2 + 20 * 2
            assert await states(service, alert_id) == {BAD: "pending", GOOD: "pending"}
