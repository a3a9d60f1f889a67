"""The strip of the last day: alerts by hour, by severity. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from alertgate.model import Severity
from alertgate.store.counts import HourCount
from alertgate.web.console.svg import Series, bars
from alertgate.web.console.times import Times

HOURS = 24
MOST = 20_000
"""Alerts that are counted: where there are more, the older ones aren't."""
_HOUR = timedelta(hours=1)
_WORST_FIRST = tuple(sorted(Severity, key=lambda severity: -severity.rank))


@dataclass(frozen=True, slots=True)
class Strip:
    """The plot, the times under it, and what it shows in words."""

    plot: Markup
    marks: tuple[str, ...]
    text: str
    hours: tuple[tuple[str, str], ...]
    """The hours in which alerts came, with how many."""


def begins_at(times: Times) -> datetime:
    """Return when the first of the strip's hours began: they are those of the reader's clock."""
    local = times.now.astimezone(times.zone)
    into_hour = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return times.now - into_hour - (HOURS - 1) * _HOUR


def strip(counts: Sequence[HourCount], times: Times) -> Strip:
    """Return the strip of what was counted from its beginning on."""
    numbers: Counter[tuple[int, Severity]] = Counter()
    for each in counts:
        numbers[min(max(each.hour, 0), HOURS - 1), each.severity] += each.number
    labels = [times.day_minute(begins_at(times) + _HOUR * hour) for hour in range(HOURS)]
    series = [Series(one, one, [numbers[hour, one] for hour in range(HOURS)]) for one in _WORST_FIRST]
    totals = [sum(numbers[hour, one] for one in Severity) for hour in range(HOURS)]
    text = _text(series, labels, totals)
    came = [hour for hour in range(HOURS) if totals[hour]]
    return Strip(
        bars(series, "Alerts of the last 24 hours, by hour", text),
        (*(labels[hour] for hour in (0, 8, 16)), "now"),
        text,
        tuple((labels[hour], _by_severity([(each.name, each.values[hour]) for each in series])) for hour in came),
    )


def _by_severity(numbers: Sequence[tuple[str, float | None]]) -> str:
    return ", ".join(f"{number:,.0f} {name}" for name, number in numbers if number)


def _text(series: Sequence[Series], labels: Sequence[str], totals: Sequence[int]) -> str:
    total = sum(totals)
    if not total:
        return "No alert came in the last 24 hours."
    parts = _by_severity([(each.name, sum(value or 0 for value in each.values)) for each in series])
    came = "1 alert" if total == 1 else f"{total:,} alerts"
    least = "At least " if total >= MOST else ""
    most = max(totals)
    busiest = f" Most came in the hour from {labels[totals.index(most)]}: {most:,}." if total > 1 else ""
    return f"{least}{came} in the last 24 hours: {parts}.{busiest}"
