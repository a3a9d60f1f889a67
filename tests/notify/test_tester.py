"""Tests that people ask for: how many within a minute, and what pressing twice does."""

import asyncio

from alertgate.model import ChannelName
from alertgate.notify import test_send, tester
from tests.fakes import FakeClock


async def test_tests_are_few():
    """Ten within a minute, of which none is to the same contact; the others wait, and two presses at once are one."""
    clock, sent_to = FakeClock(), []

    async def send(targets):
        await asyncio.sleep(0)
        sent_to.extend(targets)
        return [test_send.TestSend(*target, True, "250 ok", None) for target in targets]

    tests = tester.Tester(send, clock)
    targets = [(ChannelName.EMAIL, f"{number}@example.org") for number in range(tester.MOST + 2)]
    first, second = await asyncio.gather(tests.test(targets[:3]), tests.test(targets[:3]))
    assert (len(first.sent), len(second.sent), second.left, len(sent_to)) == (3, 0, 0, 3)
    many = await tests.test(targets)
    assert (len(many.sent), many.left, len(sent_to)) == (tester.MOST - 3, 2, tester.MOST)
    assert 0 < many.wait <= 60
    clock.move(seconds=29)
    assert (await tests.test(targets[:1])).sent == ()
    clock.move(seconds=31)
    assert len((await tests.test(targets[:1])).sent) == 1
    assert tests.last(targets[0]).at == clock.now()
    assert tests.last((ChannelName.EMAIL, "x")) is None
