"""Decide about one device: how it stands, and what is to be told of it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

from alertgate.accept import device_health, device_silence
from alertgate.accept.device_health import HealthReason
from alertgate.accept.device_silence import OVERDUE, SilenceReason
from alertgate.accept.device_wide import Overdue
from alertgate.device import Device, DeviceState, Downtime
from alertgate.model import Severity
from alertgate.own_events import WatchEvent
from alertgate.policy.device_names import NONE
from alertgate.policy.devices import DeviceRule, Expected, expected
from alertgate.setting_lists import DEVICE_ID

GAP = timedelta(seconds=30)
"""A process didn't listen if its watch didn't look for longer; and a clock that goes back by more was set back."""
AWAY = timedelta(minutes=5)
"""People are told that no process ran for this long. An update takes less, and senders don't try for longer."""
SEVERITIES: Mapping[WatchEvent, Severity] = MappingProxyType(
    {
        WatchEvent.SILENT: Severity.WARNING,
        WatchEvent.FLAPPING: Severity.WARNING,
        WatchEvent.BATTERY: Severity.WARNING,
        WatchEvent.RESETS: Severity.WARNING,
    }
)
"""What they are unless SEVERITY_RULES says otherwise. A wide silence is as severe as that of one device: so it takes
the same routes."""
EVENTS: Mapping[HealthReason, WatchEvent] = MappingProxyType(
    {
        HealthReason.BATTERY_LOW: WatchEvent.BATTERY,
        HealthReason.BATTERY_GOOD: WatchEvent.BATTERY,
        HealthReason.BATTERY_NOT_WATCHED: WatchEvent.BATTERY,
        HealthReason.FLAPPING: WatchEvent.FLAPPING,
        HealthReason.STEADY: WatchEvent.FLAPPING,
        HealthReason.GONE: WatchEvent.FLAPPING,
        HealthReason.FLAPPING_NOT_WATCHED: WatchEvent.FLAPPING,
        HealthReason.RESETTING: WatchEvent.RESETS,
        HealthReason.NO_RESETS: WatchEvent.RESETS,
        HealthReason.RESETS_NOT_WATCHED: WatchEvent.RESETS,
    }
)
BEGINNINGS = frozenset({HealthReason.BATTERY_LOW, HealthReason.FLAPPING, HealthReason.RESETTING})


class Wanted(NamedTuple):
    """What is expected of a device, and whether any rule is about it."""

    expected: Expected
    any_rule: bool


class Expectations:
    """What the rules expect of devices. Those of one device are found by its id, so that thousands cost nothing.

    `names` are those of DEVICES, which also names devices of other senders, of which no sign of life is known.
    """

    def __init__(self, rules: Sequence[DeviceRule], names: Mapping[str, str] = NONE) -> None:
        self._by_id: dict[str, list[DeviceRule]] = {}
        for rule in rules:
            if rule.is_id:
                self._by_id.setdefault(rule.pattern.lower(), []).append(rule)
        self._globs = tuple(rule for rule in rules if not rule.is_id)
        particles = {each: name for each, name in names.items() if DEVICE_ID.fullmatch(each)}
        self._names = {**particles, **{each.pattern.lower(): each.name for each in rules if each.is_id and each.name}}
        self._known: dict[tuple[int, ...], Wanted] = {}
        """What devices are wanted to do that the same rules are about."""

    @cached_property
    def awaited(self) -> Sequence[str]:
        """The ids, in lower case, of which something is expected though they may never have been heard."""
        named = {**self._by_id, **self._names}
        return [each for each in named if self.of(each, self._names.get(each)).expected.every]

    def of(self, device: str, name: str | None, *, was_heard: bool = True) -> Wanted:
        """Return what is expected of a device; nothing if nothing of it `was_heard` ever, and nobody names it."""
        if not was_heard and name is None and device.lower() not in self._by_id:
            return NOTHING
        rules = [*self._by_id.get(device.lower(), ()), *(each for each in self._globs if each.matches(device, name))]
        if not rules:
            return NOTHING
        key = tuple(map(id, rules))  # the rules live as long as this
        if key not in self._known:
            self._known[key] = Wanted(expected(rules, device, name), any_rule=True)
        return self._known[key]


NOTHING = Wanted(Expected(), any_rule=False)


@dataclass(frozen=True, slots=True)
class Looked:
    """A device as it stands now, and what changed."""

    before: Device
    device: Device
    wanted: Wanted
    reason: SilenceReason
    over: SilenceReason | None = None
    """Why its silence is over that was told by itself, if it was and is."""
    health: Sequence[HealthReason] = ()

    @property
    def was_heard(self) -> bool:
        """Whether it was overdue and isn't any more because it spoke."""
        heard, overdue_at = self.device.last_seen_at, self.before.state_at
        was_overdue = self.before.state in OVERDUE and self.device.state is DeviceState.FINE
        return bool(was_overdue and heard and overdue_at and heard >= overdue_at - GAP)


def look(device: Device, wanted: Wanted, downtimes: Sequence[Downtime], now: datetime) -> Looked:
    """Decide how a device stands now."""
    judged = device_silence.judge(device, wanted.expected, downtimes, now)
    after, battery = device_health.judge_battery(judged.device, wanted.expected)
    after, flapping = device_health.judge_flapping(after, wanted.expected, now)
    after, resets = device_health.judge_resets(after, now, watched=wanted.any_rule)
    times = [*device_health.looks_again_at(after, now), *([after.due_at] if after.due_at else [])]
    if after.state is DeviceState.SILENT and not after.is_told and not after.flapping:
        times.append(now)  # whether it is told alone is decided with the others
    after = replace(after, due_at=min(times, default=None))
    health = [reason for reason in (battery, flapping, resets) if reason]
    return Looked(device, after, wanted, judged.reason, judged.over if device.is_told else None, health)


def overdue(device: Device, wanted: Wanted, downtimes: Sequence[Downtime]) -> Overdue | None:
    """Return a late or silent device as those see it who decide about all of them; None if nothing is expected."""
    found = device_silence.deadlines(device, wanted.expected, downtimes)
    if found is None:
        return None
    since = device.silent_since or found.since
    may_tell = not device.flapping
    return Overdue(device.id, since, found.late_at, found.silent_at, device.state, device.told_at, may_tell)


def was_overdue(looked: Looked, downtimes: Sequence[Downtime]) -> Overdue | None:
    """Return how a device stood that was heard since: its last sign of life before that isn't stored any more."""
    before, wanted = looked.before, looked.wanted
    every, within = wanted.expected.every, wanted.expected.within
    if every is None or within is None or before.state_at is None:
        return None
    since = before.silent_since or before.state_at - every
    late_at = device_silence.moved(since, every, downtimes) if before.silent_since else before.state_at
    return Overdue(before.id, since, late_at, device_silence.moved(since, within, downtimes), before.state)


class Listening(NamedTuple):
    """Since when this process accepts, and for how long it has run since it looked before that, or since its start."""

    since: datetime
    runs_for: timedelta


class Passed(NamedTuple):
    """What the time since the watch ran last was."""

    downtime: tuple[datetime, datetime] | None = None
    is_told: bool = False
    """Whether people are told of the downtime."""
    set_back: timedelta | None = None
    """By how much the clock was set back."""


def passed(ran_at: datetime | None, listening: Listening, now: datetime) -> Passed:
    """Return whether nobody could hear a device since the watch ran last, or the clock was set back.

    Whoever watches next has heard what was said since it accepts. A downtime is told if no process ran for that long,
    by a clock that stands still while the computer sleeps: where one ran and couldn't store anything, it has refused
    what came, and says that itself.
    A clock that was set forward looks like a time in which nobody listened, and is the same to every deadline.
    That it was set back a process sees in the turn in which it begins to listen, or begins anew because its clock
    jumped. Later on, a turn in the future is one by a replica whose clock is ahead.
    """
    if ran_at is None:
        return Passed()
    if listening.since - ran_at > GAP:
        is_told = listening.since - ran_at - listening.runs_for >= AWAY
        return Passed(downtime=(ran_at, listening.since), is_told=is_told)
    is_set_back = listening.since >= now and ran_at - now > GAP
    return Passed(set_back=ran_at - now) if is_set_back else Passed()
