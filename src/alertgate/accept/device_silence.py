"""Decide whether a device says nothing that should: fine, late, silent, and heard again. Pure.

Deadlines count from its last sign of life, or from when it was first watched, or from when the cloud noticed that it is
away. They move by the times in which nobody could hear it, and by nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from alertgate.device import Device, DeviceState, Downtime
from alertgate.policy.devices import Expected

OVERDUE = frozenset({DeviceState.LATE, DeviceState.SILENT})


class SilenceReason(StrEnum):
    """Why a device stands as it does."""

    NOT_WATCHED = "not_watched"  # nobody expects anything of it
    AWAITED = "awaited"  # it was never heard of, and isn't expected yet
    IN_TIME = "in_time"  # its next word isn't due
    LATE = "late"  # it is due, but its grace isn't over
    SILENT = "silent"  # its grace is over
    HEARD_AGAIN = "heard_again"  # it was silent, and has spoken since
    MOVED = "moved"  # it was silent, and isn't by what counts now: the policy, or a time in which nobody could hear it


ENDS = frozenset({SilenceReason.NOT_WATCHED, SilenceReason.HEARD_AGAIN, SilenceReason.MOVED})
"""The reasons that end the incident of a silence."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """When a device is late, and when it is silent, unless it speaks before."""

    since: datetime
    """From when they count."""
    late_at: datetime
    silent_at: datetime

    def state(self, now: datetime) -> DeviceState:
        """Return how a device stands that hasn't spoken since."""
        if now < self.late_at:
            return DeviceState.FINE
        return DeviceState.LATE if now < self.silent_at else DeviceState.SILENT


def deadlines(device: Device, expected: Expected, downtimes: Sequence[Downtime]) -> Deadlines | None:
    """Return when a device is late and silent; None while nothing is expected of it."""
    heard = [at for at in (device.last_seen_at, device.watched_since) if at]
    if expected.every is None or expected.within is None or not heard:
        return None
    since = max(heard)
    late_at = moved(since, expected.every, downtimes)
    if device.offline_at and since < device.offline_at < late_at:
        # Until about then the cloud knew that it was there. Where it was late already, that would only delay things.
        since = device.offline_at
        late_at = moved(since, expected.every, downtimes)
    return Deadlines(since, late_at, moved(since, expected.within, downtimes))


def moved(since: datetime, span: timedelta, downtimes: Sequence[Downtime]) -> datetime:
    """Return when a span is over that stands still during downtimes. These may overlap."""
    at = since + span
    counted_until = since
    for downtime in sorted(downtimes, key=lambda each: each.began_at):
        if downtime.began_at >= at:
            break
        began_at = max(downtime.began_at, counted_until)
        if downtime.ended_at > began_at:
            at += downtime.ended_at - began_at
            counted_until = downtime.ended_at
    return at


@dataclass(frozen=True, slots=True)
class Judged:
    """How a device stands now, and why; `over` is why the silence is over that it had before, if it is."""

    device: Device
    reason: SilenceReason
    over: SilenceReason | None = None


def judge(device: Device, expected: Expected, downtimes: Sequence[Downtime], now: datetime) -> Judged:
    """Decide how a device stands. Whether a silence is told is decided with all others (`device_wide`)."""
    device = _watched(device, expected, now)
    found = deadlines(device, expected, downtimes)
    over = _over(device, found, now)
    if over:
        device = replace(device, silent_since=None, told_at=None)
    if found is None:
        state = DeviceState.FINE if device.last_seen_at else DeviceState.UNKNOWN
        return Judged(_in_state(device, state, None, now), SilenceReason.NOT_WATCHED, over)
    if device.silent_since:
        return Judged(replace(device, due_at=None), SilenceReason.SILENT)
    match found.state(now):
        case DeviceState.SILENT:
            return Judged(_silent(device, found, now), SilenceReason.SILENT, over)
        case DeviceState.LATE:
            return Judged(_in_state(device, DeviceState.LATE, found.silent_at, now), SilenceReason.LATE, over)
    if device.last_seen_at is None:
        unknown = _in_state(device, DeviceState.UNKNOWN, found.late_at, now)
        return Judged(unknown, SilenceReason.AWAITED, over)
    return Judged(_in_state(device, DeviceState.FINE, found.late_at, now), SilenceReason.IN_TIME, over)


def _watched(device: Device, expected: Expected, now: datetime) -> Device:
    """Return a device that counts from now on if it wasn't watched, and not any more if nothing is expected of it."""
    if expected.every is None:
        return replace(device, watched_since=None)
    return device if device.watched_since else replace(device, watched_since=now)


def is_heard_again(device: Device) -> bool:
    """Return whether a device that was silent has spoken since."""
    heard, since = device.last_seen_at, device.silent_since
    return heard is not None and since is not None and heard > since


def _over(device: Device, found: Deadlines | None, now: datetime) -> SilenceReason | None:
    """Return why a silence is over, or None if it isn't or if there was none."""
    if device.silent_since is None:
        return None
    if found is None:
        return SilenceReason.NOT_WATCHED
    if is_heard_again(device):
        return SilenceReason.HEARD_AGAIN
    return SilenceReason.MOVED if found.state(now) is not DeviceState.SILENT else None


def _silent(device: Device, found: Deadlines, now: datetime) -> Device:
    """Return a device that has become silent; where the cloud said nothing of it, that counts as an outage."""
    was_seen_off = device.offline_at is not None and device.offline_at >= found.since
    # The stamp is its last word: if the cloud says `offline` late, it is the same outage. Who never spoke didn't go.
    stamp = (device.last_published_at or now).isoformat()
    is_known = was_seen_off or device.last_seen_at is None or stamp in device.outages
    outages = device.outages if is_known else (*device.outages, stamp)
    silent = _in_state(device, DeviceState.SILENT, None, now)
    return replace(silent, silent_since=found.since, outages=outages)


def _in_state(device: Device, state: DeviceState, due_at: datetime | None, now: datetime) -> Device:
    state_at = device.state_at if device.state is state and device.state_at else now
    return replace(device, state=state, state_at=state_at, due_at=due_at)
