"""What the page of one device shows: how it stands, what it reported, and what could be expected of it. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from markupsafe import Markup

from alertgate import gaps
from alertgate.characters import escaped
from alertgate.device import Device, VitalsHour
from alertgate.model import Alert, AlertStatus, Incident, IncidentStatus, Signal
from alertgate.notify.context import duration
from alertgate.notify.render.content import essence
from alertgate.notify.render.text import one_line
from alertgate.prove import device_suggestions
from alertgate.prove.device_overview import MOST, History
from alertgate.prove.device_suggestions import WHY, Verdict
from alertgate.web.console import svg
from alertgate.web.console.device_rows import (
    COLORS,
    LONGEST_NAME,
    LONGEST_WORDS,
    MEANINGS,
    Said,
    device_path,
    expected_words,
    is_low,
    of_device,
    said,
    said_words,
    shown_name,
)
from alertgate.web.console.times import Times
from alertgate.web.link_page import state

SHORT, LONG = 7, 30
"""Days that plots show."""
STEPS = {SHORT: timedelta(hours=2), LONG: timedelta(hours=8)}
"""How long each of their points is."""
HOUR = timedelta(hours=1)
WHOLE = 100.0
"""Per cent."""


class Fact(NamedTuple):
    """One line about a device."""

    name: str
    value: str
    at: datetime | None = None


class IncidentLine(NamedTuple):
    """One incident of a device."""

    path: str
    words: str
    severity: str
    state: str
    """Who has it; empty if it is over."""
    at: datetime
    alerts: int


class AlertLine(NamedTuple):
    """One alert of a device."""

    path: str
    at: datetime
    event: str
    words: str
    status: str


class Plot(NamedTuple):
    """A plot, with what its lines are called and the numbers that it shows, by day."""

    name: str
    picture: Markup
    lines: Sequence[tuple[str, str]]
    top: str
    days: Sequence[tuple[str, Sequence[str]]]


@dataclass(frozen=True)
class DevicePage:
    """Everything that the page of a device shows."""

    history: History
    named: frozenset[str]
    """The ids that have a table in alertgate.toml."""
    configured: str | None
    """Its name there, or in DEVICES: that comes before one that is given here."""
    times: Times
    days: int

    @property
    def device(self) -> Device:
        """The device."""
        return self.history.story.known.device

    @property
    def name(self) -> str:
        """What it is called, else its id."""
        return shown_name(self.history.story.known)

    @property
    def id(self) -> str:
        """Its id, as it can be shown."""
        return one_line(self.device.id, 4 * LONGEST_NAME)

    @property
    def path(self) -> str:
        """Where its page is."""
        return device_path(self.device.id)

    @property
    def color(self) -> str:
        """A class of the style sheet."""
        return COLORS[self.device.state]

    @property
    def meaning(self) -> str:
        """What its state means."""
        return MEANINGS[self.device.state]

    @property
    def expected(self) -> str:
        """What alertgate.toml expects of it, in a sentence."""
        expected = self.history.story.known.expected
        if not expected.every:
            return "Nothing: it may be silent for ever. See below what could be expected of it."
        silent = f"silent after {duration(expected.grace)} of grace"
        battery = f"; its battery is low below {expected.battery} %" if expected.battery is not None else ""
        return f"A sign of life every {duration(expected.every)}, {silent}{battery}."

    @property
    def expectation(self) -> str:
        """The same, in a few words."""
        return expected_words(self.history.story.known.expected)

    @property
    def said(self) -> Said | None:
        """What it reported last."""
        return said(*self.history.latest) if self.history.latest else None

    @cached_property
    def facts(self) -> list[Fact]:
        """What is known of it, as far as it is."""
        device = self.device
        percent: list[tuple[str, float | None, datetime | None]] = [
            ("Battery", device.battery, device.battery_at),
            ("Signal strength", device.strength, device.vitals_at),
            ("Signal quality", device.quality, device.vitals_at),
        ]
        text = {"Firmware": device.firmware, "Product": device.product, "Last event": device.last_event}
        times = {
            "Last published": device.last_published_at,
            "First heard": device.first_seen_at,
            "Watched since": device.watched_since,
        }
        return [
            *(Fact(name, f"{value:.0f} %", at) for name, value, at in percent if value is not None),
            *(Fact(name, one_line(value, LONGEST_WORDS)) for name, value in text.items() if value),
            *(Fact(name, "", at) for name, at in times.items() if at),
            Fact("Events", f"{device.events:,}, counted once a minute at most"),
        ]

    @property
    def warnings(self) -> list[str]:
        """What isn't as it should be."""
        device = self.device
        found = {
            "It goes away again and again: an incident says so.": device.flapping,
            "It is reset again and again: an incident says so.": device.resetting,
            "Its battery is low.": is_low(self.history.story.known),
        }
        return [text for text, is_so in found.items() if is_so]

    @property
    def open(self) -> list[IncidentLine]:
        """Its incidents that aren't over."""
        return [_line(each, self.times) for each in self.history.open]

    @property
    def over(self) -> list[IncidentLine]:
        """Its incidents that are over."""
        return [_line(each, self.times) for each in self.history.over]

    @property
    def more_open(self) -> int:
        """How many that aren't over aren't listed."""
        return max(self.history.unresolved - len(self.history.open), 0)

    @property
    def is_cut(self) -> bool:
        """Whether there may be more incidents that are over."""
        return len(self.history.over) == MOST

    @property
    def alerts(self) -> list[AlertLine]:
        """Its newest alerts."""
        return [_alert(each) for each in self.history.alerts]

    @property
    def incidents_path(self) -> str:
        """Where all its incidents are."""
        return of_device("/incidents", self.device.id)

    @property
    def alerts_path(self) -> str:
        """Where all its alerts are."""
        return of_device("/alerts", self.device.id)

    @property
    def outages(self) -> list[datetime]:
        """When it went offline lately, the latest first."""
        return _times(self.device.outages)

    @property
    def resets(self) -> list[datetime]:
        """When it was reset by a brown-out or a watchdog lately, the latest first."""
        return _times(self.device.resets)

    @cached_property
    def pace(self) -> str:
        """How regularly it spoke in the last fortnight."""
        counted, today = self.device.gaps, self.times.now.date()
        shares = ((0.5, "half of them up to"), (0.99, "99 % up to"), (1, "the longest"))
        found = [(words, gaps.quantile(counted, share, today)) for share, words in shares]
        if not any(length for _, length in found):
            return "Nothing is known yet of how regularly it speaks."
        said = ", ".join(f"{words} {duration(length)}" for words, length in found if length)
        return f"{gaps.number(counted, today):,} silences between two signs of life in the last fortnight: {said}."

    @cached_property
    def suggestion(self) -> str:
        """What can be pasted into alertgate.toml; empty if nothing is suggested."""
        known, now = self.history.story.known, self.times.now
        found = device_suggestions.suggest(known, now)
        return "\n".join(map(escaped, device_suggestions.table(known, found, self.named, now)))

    @cached_property
    def why_none(self) -> str:
        """Why nothing is suggested."""
        verdict = device_suggestions.suggest(self.history.story.known, self.times.now).verdict
        return "" if verdict is Verdict.SUGGESTED else f"Nothing is suggested: {WHY[verdict]}."

    @cached_property
    def plots(self) -> list[Plot]:
        """What it said of itself, of what it did say."""
        found = (
            self._plot("Battery", [("charge", "info", "battery")]),
            self._plot("Signal", [("strength", "info", "strength"), ("quality", "warning", "quality")]),
            self._plot("Memory", [("used", "info", "memory")]),
            self._plot("Uptime", [("hours", "info", "uptime")], unit="h", scale=HOUR.total_seconds()),
        )
        return [each for each in found if each]

    def _plot(
        self, name: str, fields: Sequence[tuple[str, str, str]], unit: str = "%", scale: float = 1.0
    ) -> Plot | None:
        hours = [each for each in self.history.story.hours if each.at > self.times.now - timedelta(days=self.days)]
        by_field = {field: _scaled(hours, field, scale) for _, _, field in fields}
        values = [value for points in by_field.values() for _, value in points]
        if not values:
            return None
        top = WHOLE if unit == "%" else max(*values, 1.0)
        series = [svg.Series(label, css, self._stretches(by_field[field])) for label, css, field in fields]
        described = "; ".join(
            f"{label} between {min(lows):.0f} and {max(lows):.0f} {unit}"
            for label, _, field in fields
            if (lows := [value for _, value in by_field[field]])
        )
        return Plot(
            name=name,
            picture=svg.lines(series, f"{name} in the last {self.days} days", described, top=top),
            lines=[(label, css) for label, css, _ in fields],
            top=f"{top:.0f} {unit}",
            days=self._by_day([by_field[field] for _, _, field in fields], unit),
        )

    def _stretches(self, points: Iterable[tuple[datetime, float]]) -> list[float | None]:
        """Return the lowest value of each stretch of time; None where there is none."""
        step, now = STEPS[self.days], self.times.now
        number = timedelta(days=self.days) // step
        found: list[float | None] = [None] * number
        for at, value in points:
            index = number - 1 - min(max((now - at) // step, 0), number - 1)
            lowest = found[index]
            found[index] = value if lowest is None else min(value, lowest)
        return found

    def _by_day(self, series: Sequence[Sequence[tuple[datetime, float]]], unit: str) -> list[tuple[str, list[str]]]:
        """Return the lowest and the highest value of each line on each day, the latest first."""
        by_day: dict[str, list[list[float]]] = {}
        for number, points in enumerate(series):
            for at, value in points:
                day = f"{at.astimezone(self.times.zone):%Y-%m-%d}"
                by_day.setdefault(day, [[] for _ in series])[number].append(value)
        return [(day, [_spread(each, unit) for each in by_day[day]]) for day in sorted(by_day, reverse=True)]


def _scaled(hours: Sequence[VitalsHour], field: str, scale: float) -> list[tuple[datetime, float]]:
    return [(hour.at, getattr(hour, field) / scale) for hour in hours if getattr(hour, field) is not None]


def _spread(values: Sequence[float], unit: str) -> str:
    return f"{min(values):.0f} to {max(values):.0f} {unit}" if values else "—"


def _times(texts: Sequence[str]) -> list[datetime]:
    return [datetime.fromisoformat(each) for each in reversed(texts)]


def _line(incident: Incident, times: Times) -> IncidentLine:
    is_over = incident.status is IncidentStatus.RESOLVED
    return IncidentLine(
        path=f"/incidents/{incident.id}",
        words=said_words(incident, None),
        severity="over" if is_over else str(incident.severity),
        state="" if is_over else state(incident, times),
        at=(incident.resolved_at or incident.last_alert_at) if is_over else incident.opened_at,
        alerts=incident.alert_count,
    )


def _alert(alert: Alert) -> AlertLine:
    signal = "over" if alert.signal is Signal.RESOLVED else str(alert.severity)
    status = signal if alert.status is AlertStatus.ACCEPTED else str(alert.status)
    event = one_line(alert.event, LONGEST_NAME)
    return AlertLine(f"/alerts/{alert.id}", alert.received_at, event, one_line(essence(alert), LONGEST_WORDS), status)
