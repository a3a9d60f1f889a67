"""The strip of the last day: alerts by hour, by severity. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alertgate.model import Severity
from alertgate.store.counts import HourCount
from alertgate.web.console.svg import Bar, Part, Plot, stacked_bars
from alertgate.web.console.times import Times

HOURS = 24
MOST = 20_000
"""Alerts that are counted: where there are more, the older ones aren't."""
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Strip:
    """The plot, the times under it, and what it shows in words."""

    plot: Plot
    marks: tuple[str, ...]
    text: str


def begins_at(times: Times) -> datetime:
    """Return when the first of the strip's hours began: they are those of the reader's clock."""
    local = times.now.astimezone(times.zone)
    into_hour = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return times.now - into_hour - (HOURS - 1) * _HOUR


def strip(counts: Sequence[HourCount], times: Times) -> Strip:
    """Return the strip of what was counted from its beginning on."""
    since = begins_at(times)
    by_hour: dict[int, dict[Severity, int]] = {}
    for each in counts:
        by_hour.setdefault(min(each.hour, HOURS - 1), {})[each.severity] = each.number
    bars = [_bar(times.day_minute(since + _HOUR * hour), by_hour.get(hour, {})) for hour in range(HOURS)]
    text = _text(bars)
    plot = stacked_bars(bars, "Alerts of the last 24 hours, by hour", text)
    marks = tuple(times.day_minute(since + _HOUR * hour) for hour in (0, 8, 16))
    return Strip(plot, (*marks, "now"), text)


def _bar(label: str, numbers: dict[Severity, int]) -> Bar:
    worst_first = sorted(Severity, key=lambda severity: -severity.rank)
    return Bar(label, tuple(Part(str(each), str(each), numbers.get(each, 0)) for each in worst_first))


def _text(bars: Sequence[Bar]) -> str:
    total = sum(bar.number for bar in bars)
    if not total:
        return "No alert came in the last 24 hours."
    of_each = {each: sum(part.number for bar in bars for part in bar.parts if part.name == each) for each in Severity}
    parts = ", ".join(f"{number:,} {each}" for each, number in of_each.items() if number)
    most = max(bars, key=lambda bar: bar.number)
    came = "1 alert" if total == 1 else f"{total:,} alerts"
    least = "At least " if total >= MOST else ""
    busiest = f" Most came in the hour from {most.label}: {most.number:,}." if total > 1 else ""
    return f"{least}{came} in the last 24 hours: {parts}.{busiest}"
