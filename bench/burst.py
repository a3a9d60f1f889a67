"""A thousand devices publish at once, as after a power cut or a change of the weather."""

import asyncio
from pathlib import Path
from statistics import median

from bench import sides
from bench.figure import Figure
from bench.load import ROUNDS
from bench.mail import Answers, answers
from bench.posts import Burst, alert, at_once, percentile

DEVICES = 1000
TOLD_WITHIN = 60.0
"""Time limit for all messages of a burst, in seconds."""


async def burst(directory: Path) -> list[Figure]:
    """Measure one alert from each device at once: the time to the answers, and to the messages to one recipient."""
    bursts: list[Burst] = []
    messages: list[tuple[float, float]] = []
    async with answers() as taken, sides.gate(directory, taken.port, recipient_sms="") as gate:
        for number in range(ROUNDS + 1):
            before = len(taken.times)
            found = await at_once(gate.port, [_alert(number, device) for device in range(DEVICES)])
            await _told(taken, before + DEVICES)
            if number:  # the first round is a warm-up
                bursts.append(found)
                messages.append((taken.times[before] - found.begun, taken.times[-1] - found.begun))
    last = [each.seconds[-1] for each in bursts]
    devices = f"{DEVICES:,} devices at once"
    return [
        Figure(f"{devices}: p99 of the answers", "", "", [percentile(each.seconds, 0.99) for each in bursts], unit="s"),
        Figure(f"{devices}: last answer", "", "", last, f"all 202; {DEVICES / median(last):,.0f} requests/s", unit="s"),
        Figure(f"{devices}: first message at the mail server", "", "", [first for first, _ in messages], unit="s"),
        Figure(
            f"{devices}: last message, one recipient",
            "",
            "",
            [end for _, end in messages],
            f"{DEVICES:,} messages; {DEVICES / median(end for _, end in messages):,.0f} a second",
            unit="s",
        ),
    ]


def _alert(number: int, device: int) -> bytes:
    """Return an alert from a device that is in no other round."""
    return alert(event="alarm/power", data="lost", coreid=f"{number:08x}{device:016x}", event_id=f"{number}-{device}")


async def _told(taken: Answers, count: int) -> None:
    """Wait until the mail server has accepted `count` messages. Raises RuntimeError after a minute."""
    try:
        async with asyncio.timeout(TOLD_WITHIN):
            while len(taken.times) < count:
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise RuntimeError(f"{len(taken.times):,} messages came, not {count:,}: the figure is invalid") from None
