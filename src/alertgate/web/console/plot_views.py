"""The plots of the last day, week or month: alerts, how fast people heard, and what became of deliveries. Pure."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, TypeVar

from markupsafe import Markup

from alertgate.model import Json, Severity
from alertgate.prove.hourly import added, begins, hours, quantile
from alertgate.store.hourly import Hour
from alertgate.web.console import svg
from alertgate.web.console.times import Times

WORST_FIRST = tuple(sorted(Severity, key=lambda severity: -severity.rank))
OUTCOMES = (("sent", "over"), ("transient", "warning"), ("permanent", "critical"))
"""Outcomes of attempts, each with its class of the style sheet."""
OUTCOME_WORDS = {"sent": "sent", "transient": "tried again later", "permanent": "failed for good"}
Counted = TypeVar("Counted")
SHARES = ((0.5, "half within", "info"), (0.95, "95 % within", "warning"))


class Span(StrEnum):
    """How far back plots go."""

    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"

    @property
    def words(self) -> str:
        """What it is called."""
        return {Span.DAY: "24 hours", Span.WEEK: "7 days", Span.MONTH: "30 days"}[self]

    @property
    def hours(self) -> int:
        """How many hours it has; the running one counts."""
        return {Span.DAY: 24, Span.WEEK: 7 * 24, Span.MONTH: 30 * 24}[self]

    @property
    def step(self) -> str:
        """What each bar stands for."""
        return {Span.DAY: "hour", Span.WEEK: "6 hours", Span.MONTH: "day"}[self]

    def label(self, local: datetime) -> str:
        """Return what the bar is called that an hour belongs to, by the reader's clock."""
        match self:
            case Span.DAY:
                return f"{local:%a %H:00}"
            case Span.WEEK:
                return f"{local:%a %m-%d} {local.hour // 6 * 6:02}:00"
            case Span.MONTH:
                return f"{local:%a %m-%d}"


class Bar(NamedTuple):
    """The hours that one bar shows together."""

    label: str
    counts: Sequence[Json]


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot, with its legend, its range, what it says in a sentence, and the numbers that it shows."""

    name: str
    picture: Markup
    legend: Sequence[tuple[str, str]]
    top: str
    begin: str
    end: str
    said: str
    head: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]


def span_ids(span: Span, now: datetime) -> list[str]:
    """Return the ids of the hours of a span, the oldest first."""
    return hours(now, span.hours)[::-1]


def in_bars(span: Span, counted: Mapping[str, Hour], times: Times) -> list[Bar]:
    """Return what was counted, by bars from the oldest to the newest; hours that weren't counted had nothing."""
    found: dict[str, list[Json]] = {}
    for each in span_ids(span, times.now):
        label = span.label(begins(each).astimezone(times.zone))
        of_bar = found.setdefault(label, [])
        if each in counted:
            of_bar.append(counted[each].counts)
    return [Bar(label, counts) for label, counts in found.items()]


def alerts(span: Span, shown: Sequence[Bar]) -> Plot:
    """Return the plot of alerts by severity."""
    by_bar = [added(each["alerts"] for each in bar.counts) for bar in shown]
    series = [svg.Series(one, one, [counts[one] for counts in by_bar]) for one in WORST_FIRST]
    total = added(by_bar)
    parts = ", ".join(f"{total[one]:,} {one}" for one in WORST_FIRST if total[one])
    number = "1 alert" if total.total() == 1 else f"{total.total():,} alerts"
    said = f"{number} in the last {span.words}: {parts}." if parts else f"No alert came in the last {span.words}."
    return _bars("Alerts", span, shown, series, said, [str(one) for one in WORST_FIRST])


def deliveries(span: Span, shown: Sequence[Bar]) -> list[Plot]:
    """Return a plot of what became of attempts for each channel that had any."""
    channels = sorted({channel for bar in shown for each in bar.counts for channel in each["deliveries"]})
    return [_channel(channel, span, shown) for channel in channels]


def _channel(channel: str, span: Span, shown: Sequence[Bar]) -> Plot:
    by_bar = [added(each["deliveries"].get(channel, {}) for each in bar.counts) for bar in shown]
    series = [svg.Series(OUTCOME_WORDS[one], css, [counts[one] for counts in by_bar]) for one, css in OUTCOMES]
    total = added(by_bar)
    parts = ", ".join(f"{total[one]:,} {OUTCOME_WORDS[one]}" for one, _ in OUTCOMES if total[one])
    said = f"Attempts by {channel} in the last {span.words}: {parts or 'none'}."
    return _bars(f"Deliveries by {channel}", span, shown, series, said, [OUTCOME_WORDS[one] for one, _ in OUTCOMES])


def delays(span: Span, shown: Sequence[Bar]) -> Plot:
    """Return the plot of how soon the first notification of an incident was sent."""
    by_bar = [_buckets(bar.counts) for bar in shown]
    series = [svg.Series(words, css, [quantile(each, share) for each in by_bar]) for share, words, css in SHARES]
    top = max((value for each in series for value in each.values if value is not None), default=0.0)
    whole = sum(by_bar, Counter[int]())
    number = "1 incident" if whole.total() == 1 else f"{whole.total():,} incidents"
    parts = ", ".join(f"{words} {_seconds(quantile(whole, share))}" for share, words, _ in SHARES)
    said = f"First notifications of {number}: {parts}." if whole else f"None was sent in the last {span.words}."
    name = "From an event to its first notification"
    return Plot(
        name=name,
        picture=svg.lines(series, f"{name}, by {span.step}", said, top=top),
        legend=[(each.name, each.css) for each in series],
        top=_seconds(top) if top else "—",
        begin=shown[0].label,
        end=shown[-1].label,
        said=said,
        head=["From", *(words for _, words, _ in SHARES), "incidents"],
        rows=[
            (bar.label, [*(_seconds(quantile(each, share)) for share, _, _ in SHARES), f"{each.total():,}"])
            for bar, each in _newest_first(shown, by_bar, bool)
        ],
    )


def _buckets(counts: Sequence[Json]) -> Counter[int]:
    return Counter({int(number): count for number, count in added(each["delays"] for each in counts).items()})


def _bars(
    name: str, span: Span, shown: Sequence[Bar], series: Sequence[svg.Series], said: str, head: Sequence[str]
) -> Plot:
    by_bar = list(zip(*(each.values for each in series), strict=True))
    return Plot(
        name=name,
        picture=svg.bars(series, f"{name}, by {span.step}", said),
        legend=[(each.name, each.css) for each in series],
        top=f"{svg.highest(series):,.0f}",
        begin=shown[0].label,
        end=shown[-1].label,
        said=said,
        head=["From", *head],
        rows=[(bar.label, [f"{value:,}" for value in values]) for bar, values in _newest_first(shown, by_bar, any)],
    )


def _newest_first(
    shown: Sequence[Bar], counted: Sequence[Counted], has_any: Callable[[Counted], bool]
) -> list[tuple[Bar, Counted]]:
    return [(bar, each) for bar, each in zip(shown, counted, strict=True) if has_any(each)][::-1]


def _seconds(seconds: float | None) -> str:
    """Return a delay as people say it."""
    if seconds is None:
        return "—"
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{timedelta(seconds=seconds) / timedelta(seconds=size):.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
