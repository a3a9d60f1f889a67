"""What alertgate.toml could expect of devices, by how regularly they spoke: text to paste, with the evidence. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from alertgate import gaps
from alertgate.model import Json
from alertgate.policy.written import show_duration
from alertgate.prove.device_list import KnownDevice

MINUTE = timedelta(minutes=1)
FORTNIGHT = timedelta(days=14)
FEWEST = 10
"""Silences in a fortnight; fewer show no habit."""
LONGEST = timedelta(days=7)
"""What a device is expected to say once in; one that speaks less often would be missed too late."""
FEWEST_DAYS = 7
"""Days with silences, among which one may be a day of its own."""
FAR = 2
"""Times the longest silence of all other days: so far off is a day on which the device was away."""
ROUND = (
    *(timedelta(minutes=number) for number in (1, 2, 3, 5, 8, 12, 20, 30, 45, 60, 90)),
    *(timedelta(hours=number) for number in (2, 3, 4, 6, 8, 10, 13, 18, 30, 36)),
    *(timedelta(days=number) for number in (2, 3, 4, 5, 6, 7)),
)
"""What is suggested, from the shortest to LONGEST."""


class Verdict(StrEnum):
    """What is suggested for a device, and if nothing is, why."""

    SUGGESTED = "suggested"
    WATCHED = "watched"  # alertgate.toml expects something of it already
    NEW = "new"  # it isn't known for a fortnight
    FEW = "few"  # it hardly spoke in that time
    SELDOM = "seldom"  # its silences are longer than LONGEST


WHY = {
    Verdict.WATCHED: "expected already",
    Verdict.NEW: "known for less than a fortnight",
    Verdict.FEW: f"heard less than {FEWEST + 1} times in a fortnight",
    Verdict.SELDOM: f"silent for longer than {LONGEST.days} days at a time",
}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a device could be expected to do, and by what evidence."""

    verdict: Verdict
    every: timedelta | None = None
    silences: int = 0
    quantiles: tuple[timedelta, ...] = ()
    """Lengths that half of its silences, 99 % and all of them don't exceed."""
    left_out: tuple[date, timedelta] | None = None
    """A day on which it was away for much longer than ever else, and for how long."""


def suggest(known: KnownDevice, now: datetime) -> Suggestion:
    """Return what can be expected of a device by what it did in the last fortnight."""
    device, today = known.device, now.date()
    if known.expected.every:
        return Suggestion(Verdict.WATCHED)
    if device.first_seen_at is None or now - device.first_seen_at < FORTNIGHT:
        return Suggestion(Verdict.NEW)
    silences = gaps.number(device.gaps, today)
    if silences < FEWEST:
        return Suggestion(Verdict.FEW)
    usual, left_out = _without_an_outage(device.gaps, today)
    longest = gaps.quantile(usual, 1, today) or LONGEST
    every = next((each for each in ROUND if each >= longest), None)
    if every is None:
        return Suggestion(Verdict.SELDOM)
    quantiles = tuple(filter(None, (gaps.quantile(usual, share, today) for share in (0.5, 0.99, 1))))
    return Suggestion(Verdict.SUGGESTED, every, silences, quantiles, left_out)


def _without_an_outage(counted: Json, today: date) -> tuple[Json, tuple[date, timedelta] | None]:
    """Return the silences without those of the one day on which the device was away, if there is one such day.

    A silence that is repeated is a habit: each night, or each weekend, of which a fortnight has two.
    """
    found = ((gaps.quantile({day: of_day}, 1, today), day) for day, of_day in gaps.read(counted).items())
    by_length = sorted((length, day) for length, day in found if length)
    if len(by_length) < FEWEST_DAYS or by_length[-1][0] <= FAR * by_length[-2][0]:
        return counted, None
    length, worst = by_length[-1]
    usual = {day: of_day for day, of_day in gaps.read(counted).items() if day != worst}
    return usual, (date.fromisoformat(worst), length)


def lines(devices: Iterable[KnownDevice], named: frozenset[str], now: datetime) -> Iterator[str]:
    """Yield what can be pasted into alertgate.toml, each with its evidence, and how many have no suggestion and why.

    `named` are the ids that have a table there.
    """
    number, left_out = 0, Counter[Verdict]()
    for known in devices:
        found = suggest(known, now)
        if found.every is None:
            left_out[found.verdict] += 1
            continue
        number += 1
        yield from table(known, found, named, now)
        yield ""
    yield f"# {_counted(number)} could be watched like this; nothing is, unless alertgate.toml says so."
    yield from (f"# {_counted(count)} left out: {WHY[verdict]}." for verdict, count in sorted(left_out.items()))


def table(known: KnownDevice, found: Suggestion, named: frozenset[str], now: datetime) -> Iterator[str]:
    """Yield what can be pasted for one device, with its evidence; nothing if nothing is suggested."""
    if found.every:
        yield from _evidence(known, found, now)
        yield from _table(known, found.every, has_table=known.device.id in named)


def _evidence(known: KnownDevice, found: Suggestion, now: datetime) -> Iterator[str]:
    half, most, longest = map(show_duration, found.quantiles)
    yield f"# {known.name or 'It has no name'}. {found.silences:,} silences in a fortnight:"
    yield f"# half of them up to {half}, 99 % up to {most}, the longest {longest}."
    if found.left_out:
        day, length = found.left_out
        yield f"# Without {day}, when it was silent for {show_duration(length)}: it was probably away."
    silent_for = known.silent_for(now)
    if silent_for and found.every and silent_for > found.every:
        whole = show_duration(silent_for // MINUTE * MINUTE)
        yield f"# Now it has been silent for {whole}: expect an incident at once."


def _table(known: KnownDevice, every: timedelta, *, has_table: bool) -> Iterator[str]:
    said = f'expect_every = "{show_duration(every)}"'
    if has_table:
        yield f'# It has a table already: add this to [devices."{known.device.id}"].'
        yield f"# {said}"
    else:
        yield f'[devices."{known.device.id}"]'
        yield said


def _counted(number: int) -> str:
    return "1 device" if number == 1 else f"{number:,} devices"
