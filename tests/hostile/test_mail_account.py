"""Whoever may send alerts can't use up the mail account: its daily limit is counted as messages are claimed."""

import asyncio
from collections import Counter

import pytest

from alertgate.notify.budget import Budget
from tests.conftest import Running, serving
from tests.fakes import FakeClock, MailSink, mail_sink, until
from tests.flow.test_nothing_is_lost import mail_settings

LIMIT = 20


def _subjects(sink: MailSink) -> Counter[bool]:
    """Return how many mails are about something critical, and how many aren't."""
    return Counter("CRITICAL" in str(one.mail["Subject"]) for one in sink.messages)


async def _flood(gates: list[Running], severity: str, count: int) -> None:
    """Post signed openings to all replicas at once."""
    posts = (
        gates[number % len(gates)].generic(event=f"{severity}-{number}", severity=severity) for number in range(count)
    )
    assert {answer.status_code for answer in await asyncio.gather(*posts)} == {202}


async def _at_rest(gates: list[Running], sink: MailSink, count: int) -> None:
    """Wait until `count` mails have come, and every replica has looked for more since."""
    await sink.received(count)
    for gate in gates:
        deliverer, clock = gate.gate.deliverer, gate.gate.clock

        async def nothing_is_being_sent(deliverer=deliverer) -> bool:
            return not deliverer.here

        for _ in range(2):
            await until(nothing_is_being_sent)
            clock.move(seconds=6)
            seen = clock.monotonic()
            deliverer.wake()
            await until(lambda seen=seen, it=deliverer: asyncio.sleep(0, (it.last_round or 0) >= seen))
    assert len(sink.messages) == count


async def _is(gates: list[Running], level: Budget) -> bool:
    return all(gate.gate.deliverer.budgets["mail"] is level for gate in gates)


async def _attack(gates: list[Running], sink: MailSink) -> None:
    clock = gates[0].gate.clock
    await _flood(gates, "info", 40)
    await _at_rest(gates, sink, 16)  # 80 %: what is less than critical is gathered now
    clock.move(minutes=6)
    await _at_rest(gates, sink, 17)  # the other 24, as one message, with what alertgate says of its limit
    await _flood(gates, "info", 40)
    await _flood(gates, "critical", 12)
    await _at_rest(gates, sink, LIMIT)
    await until(lambda: _is(gates, Budget.EXHAUSTED))
    assert _subjects(sink)[False] <= LIMIT - LIMIT // 10
    clock.move(minutes=30)
    await _at_rest(gates, sink, LIMIT)


async def test_a_flood_of_openings_stays_within_the_limit(make_settings):
    """Forty signed openings of severity info, then forty more and twelve critical ones: the last tenth is for those."""
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), smtp_daily_limit=LIMIT, flood_limit=0, smtp_connections=10)
        async with serving(settings, clock=FakeClock()) as service:
            await _attack([service], sink)


@pytest.mark.postgres
async def test_two_replicas_with_many_connections_stay_within_one_limit(make_settings, postgres_database):
    """Exactly the limit: each claim counts what the other replica has claimed."""
    clock = FakeClock()
    async with mail_sink() as sink:
        settings = make_settings(
            **mail_settings(sink.port),
            smtp_daily_limit=LIMIT,
            flood_limit=0,
            smtp_connections=10,
            database_url=postgres_database,
        )
        async with serving(settings, clock=clock) as one, serving(settings, clock=clock) as two:
            await _attack([one, two], sink)
