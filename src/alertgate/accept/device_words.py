"""The sentences about devices that say nothing, whose batteries are low, and so on. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from alertgate.accept.device_health import RECOVERED, HealthReason, within_a_day
from alertgate.accept.device_silence import SilenceReason
from alertgate.accept.device_wide import Wide
from alertgate.device import Device
from alertgate.local_time import clock_time
from alertgate.notify.context import duration
from alertgate.policy.devices import Expected

LONGEST_IN_HOURS = 48
MOST_NAMED = 5
"""How many devices a sentence names."""
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class About:
    """What a sentence is about: a device as it is now, and as it was before."""

    device: Device
    before: Device
    expected: Expected
    name: str
    now: datetime
    zone: ZoneInfo

    def time(self, at: datetime) -> str:
        """Return a time as the readers' clocks show it, with its date unless that is today's."""
        return in_words(at, self.now, self.zone)


def in_words(at: datetime, now: datetime, zone: ZoneInfo) -> str:
    """Return a time as the readers' clocks show it, with its date unless that is today's."""
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    return clock_time(local, "%H:%M" if local.date() == today else "%Y-%m-%d %H:%M")


def away(times: Sequence[tuple[datetime, datetime]], now: datetime, zone: ZoneInfo) -> str:
    """Return when alertgate couldn't accept anything, the last time first, what it means, and what to do."""
    began, ended = times[0]
    said = f"from {in_words(began, now, zone)} to {in_words(ended, now, zone)}, for {duration(ended - began)}"
    if len(times) > 1:
        first, in_all = min(times)[0], sum((end - begin for begin, end in times), timedelta())
        said += f"; {len(times)} times since {in_words(first, now, zone)}, for {duration(in_all)} in all"
    return (
        f"Nothing was accepted {said}.\n"
        "alertgate wasn't running, or couldn't reach its database, or its computer's clock was set forward. Nobody is "
        "told of what was sent meanwhile unless it is sent again: Particle does so for two minutes at most.\n"
        "What to do: see that all is well where the devices are. If nobody stopped it, its log and its computer's say "
        "why. This is said once."
    )


def silent(about: About) -> str:
    """Return that a device says nothing, what it may mean, and what to do."""
    device, every = about.device, _hours(about.expected.every or timedelta())
    if device.last_seen_at is None:
        since = about.time(device.watched_since or about.now)
        return (
            f"{about.name} was never heard; it has been expected since {since}, every {every}.\n"
            "What to do: compare its id in alertgate.toml or DEVICES with that in Particle's console, and see that the "
            "webhook covers its events. If it isn't installed yet, remove it there."
        )
    lines = [f"{about.name} has said nothing since {about.time(device.last_seen_at)}; it should every {every}."]
    if device.offline_at and device.offline_at >= device.last_seen_at:
        lines.append(f"Particle noticed that it is offline at {about.time(device.offline_at)}.")
    if device.battery is not None:
        lines.append(f"Its battery was at {device.battery:g} %.")
    return "\n".join([*lines, "What to do: see whether it has power and a network; what it guards is unguarded."])


def _hours(every: timedelta) -> str:
    """Return a duration as people say how often something happens: `26 h`, not `1 d 2 h`."""
    hours, rest = divmod(every, timedelta(hours=1))
    return duration(every) if rest or hours > LONGEST_IN_HOURS else f"{hours} h"


def silence_over(about: About, reason: SilenceReason) -> str:
    """Return why a silence is over."""
    if reason is SilenceReason.NOT_WATCHED:
        return f"{about.name} isn't expected to say anything any more, by alertgate.toml."
    if reason is SilenceReason.MOVED:
        return (
            f"{about.name} isn't overdue by what counts now: alertgate.toml has changed, or nobody could be heard for "
            "a while."
        )
    since, heard_at = about.before.silent_since, about.device.last_seen_at
    gone = f" after {duration(heard_at - since)}" if since and heard_at else ""
    return f"{about.name}: heard again{gone}."


def health(about: About, reason: HealthReason, lasts: timedelta | None = None) -> str:
    """Return what changed about a device. `lasts` is how long its battery lasts at its pace, if that is known."""
    name, device = about.name, about.device
    gone, reset = (len(within_a_day(times, about.now)) for times in (device.outages, device.resets))
    pace = f"; {_left(lasts)} left at this pace" if lasts is not None else ""
    said = {
        HealthReason.BATTERY_LOW: f"{name}: battery at {device.battery or 0:g} %, "
        f"below {about.expected.battery} %{pace}.\n"
        f"What to do: charge or change it; this is over {RECOVERED} % above that.",
        HealthReason.BATTERY_GOOD: f"{name}: battery at {device.battery or 0:g} % again.",
        HealthReason.FLAPPING: f"{name} went away {gone} times within a day.\n"
        "Until it stays for a day, its silences aren't told one by one.\n"
        "What to do: see to its signal and its power. If it sleeps between its words, raise `flaps` in alertgate.toml.",
        HealthReason.STEADY: f"{name} hasn't gone away for a day.",
        HealthReason.GONE: f"{name} doesn't come and go any more: it stays away, which is told as a silence.",
        HealthReason.RESETTING: f"{name} was reset {reset} times within a day, by brown-outs or by its watchdog.\n"
        "What to do: see to its power supply, then to what its firmware hangs on.",
        HealthReason.NO_RESETS: f"{name} wasn't reset by a brown-out or its watchdog for a day.",
    }
    return said.get(reason, f"{name}: nobody asks for this any more, by alertgate.toml.")


def _left(lasts: timedelta) -> str:
    days = lasts / DAY
    if days < 1:
        return "less than a day"
    return "about 1 day" if round(days) == 1 else f"about {round(days)} days"


def wide(found: Wide, names: Sequence[str], watched: int, told: int, now: datetime, zone: ZoneInfo) -> str:
    """Return that many say nothing, and what to look at first. `told` of them were told one by one already."""
    since = in_words(found.since, now, zone)
    some = ", ".join(names[:MOST_NAMED]) + (f" and {found.count - MOST_NAMED} more" if len(names) > MOST_NAMED else "")
    lines = []
    if found.seems_total:
        lines.append(
            f"Nothing from Particle since {since}, {found.count} devices: "
            "Particle, your line, or this server's address."
        )
        lines.append("Until this is over, no alarm of any device arrives.")
        advice = (
            "look at status.particle.io; then open this server's /health from outside, by the address in the webhook: "
            "its name, certificate, port and line; then look for errors at the webhook in Particle's console."
        )
    else:
        lines.append(f"{found.count} of {watched} devices have said nothing since {since}; others have.")
        advice = (
            "see what they have in common: a site's power, its Wi-Fi or line, a cellular network, a product's webhook "
            "or firmware; status.particle.io tells of what is Particle's."
        )
    lines.append(f"Overdue: {some}.")
    if told:
        lines.append(f"You were told of {told} of them before.")
    return "\n".join([*lines, f"What to do: {advice}"])


class Rest(NamedTuple):
    """How many still say nothing when a wide silence is over."""

    alone: int = 0
    """Those that are told now, each by itself."""
    waiting: int = 0
    """Those whose own time isn't up."""
    before: int = 0
    """Those that were told before."""


def wide_over(found: Wide, rest: Rest, now: datetime, zone: ZoneInfo) -> str:
    """Return why a wide silence is over, and what becomes of those that still say nothing."""
    ends = "Nothing was heard of these devices, but what is expected of them has changed."
    if found.heard_at:
        gone = duration(max(found.heard_at - found.since, timedelta(0)))
        if not any(rest):
            return f"All devices are heard again, or not expected any more; it took {gone}."
        ends = f"Devices are heard again since {in_words(found.heard_at, now, zone)}, after {gone}."
    said = (
        ends,
        _counted(
            rest.alone,
            "The one that still says nothing is told by itself.",
            "The {} that still say nothing are told one by one.",
        ),
        _counted(
            rest.waiting,
            "One more is told if it says nothing by its own time.",
            "{} more are told if they say nothing by their own time.",
        ),
        _counted(
            rest.before,
            "One device that was told before still says nothing.",
            "{} devices that were told before still say nothing.",
        ),
    )
    return " ".join(filter(None, said))


def _counted(count: int, one: str, several: str) -> str:
    if not count:
        return ""
    return one if count == 1 else several.format(count)
