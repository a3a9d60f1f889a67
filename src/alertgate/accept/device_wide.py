"""Decide whether many devices fall silent together, and which silences are told each by itself. Pure.

One incident says that nothing comes from many, rather than one for each. Who is late counts too: where all devices lost
their way to the gate at once, their grace ends one after the other. While others speak, who is only a little late
doesn't.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from alertgate.device import DeviceState, Downtime
from alertgate.model import Json

LEAST = 5
PART = 4
"""Silence is wide if so many devices are overdue, and a quarter of those of which something is expected."""
TOGETHER = timedelta(minutes=5)
"""A silence that was told longer ago than this began by itself."""
JITTER = 10
"""A tenth of the time between two words is how regularly devices are thought to speak, five minutes at the most. A
device is only a little late for a tenth of its grace."""
LOOK = timedelta(minutes=1)
"""How long the first silences wait where it may turn out within that time that there are many."""

MOST_INTERVALS = 3
"""So many GROUP_INTERVALs after the first that came back, and once its own time is over as well, who wasn't heard is
told even if others still come back."""


class WideReason(StrEnum):
    """What is done about the silences that nobody has been told of, and why."""

    NOTHING = "nothing"  # there is nothing to tell
    ALONE = "alone"  # they are few: each is told by itself
    WAIT = "wait"  # within a minute it may turn out that they are many
    WIDE = "wide"  # they are many: one incident tells of all
    LASTS = "lasts"  # one told already of those that began together; others are told each by itself
    SPREADS = "spreads"  # while nobody is heard, others fall silent whose people don't know of it: they are told, too
    ANEW = "anew"  # somebody was heard after all: each is looked at once more, and is decided about by that
    OVER = "over"  # all were heard again
    REMAINS = "remains"  # some were heard again, the last some time ago: the others are told each by itself


@dataclass(frozen=True, slots=True)
class Overdue:
    """A device that is late or silent."""

    id: str
    since: datetime
    """When its deadlines began to count: its last sign of life, mostly."""
    late_at: datetime
    silent_at: datetime
    state: DeviceState
    told_at: datetime | None = None
    may_tell: bool = True
    """Whether its silence is told at all: not while it flaps."""
    is_reached: bool = True
    """Whether an incident of the wide silence that lasts, if one does, tells its people."""

    @property
    def is_untold(self) -> bool:
        """Whether it is silent, and that is still to be told."""
        return self.state is DeviceState.SILENT and self.told_at is None and self.may_tell

    def is_gone(self, at: datetime) -> bool:
        """Return whether it is silent by then, or about to be, or more than a little late."""
        return self.silent_at <= at + TOGETHER or self.late_at + (self.silent_at - self.late_at) / JITTER <= at


@dataclass(frozen=True, slots=True)
class Wide:
    """The wide silence that lasts."""

    at: datetime
    """When it was recognised."""
    since: datetime
    """When the last of its devices was heard; if `seems_total`, when any device was."""
    count: int
    """How many devices it was when it was told last."""
    seems_total: bool
    """Whether most of those should have spoken since anything was heard at all: so people look at the gate first."""
    quiet_since: datetime | None = None
    """When any device was last heard before it was recognised."""
    quiet_until: datetime | None = None
    """When any device was heard then of which something is expected; None while none was."""
    is_total: bool = False
    """Whether at least half of all were overdue by then: so it was nobody's fault but Particle's or the line's, and
    deadlines moved."""
    heard_at: datetime | None = None
    """When the first of its devices was heard again; if it is total, any device."""
    heard_last: datetime | None = None
    """When the last of them was: while they come back one after the other, the others may still come."""
    returned: int = 0
    """How many that became overdue while nobody was heard spoke before it was judged what the quiet was."""
    told: Mapping[str, str] = field(default_factory=dict)
    """The keys of its incidents, by the escalation that each went to."""

    def as_json(self) -> Json:
        """Return it as the store keeps it."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value.isoformat() if name in _TIMES and value else value for name, value in values.items()}

    @classmethod
    def of(cls, stored: Json) -> "Wide | None":
        """Return what the store kept, or None if it kept nothing."""
        if not stored:
            return None
        read = datetime.fromisoformat
        values: dict[str, Any] = {
            name: read(value) if name in _TIMES and value else value for name, value in stored.items()
        }
        if values.get("is_total") and "told" not in values:
            # The version before hasn't moved the deadlines yet: that is done now, as the quiet is judged once more.
            values["quiet_until"] = None
        return cls(**values)

    def moved(self, by: timedelta) -> "Wide":
        """Return it with its times moved."""
        times: dict[str, Any] = {name: at + by for name in _TIMES if (at := getattr(self, name))}
        return replace(self, **times)

    def is_quiet_over(self, watched_heard: datetime | None) -> bool:
        """Return whether it is to be judged what the quiet was, because some device was heard.

        It must be one of which something is expected: whoever tries the webhook by hand may make up any other.
        """
        is_news = watched_heard is not None and (self.quiet_since is None or watched_heard > self.quiet_since)
        return self.quiet_until is None and is_news

    def may_end(self, watched_heard: datetime | None, now: datetime, interval: timedelta) -> bool:
        """Return whether there may be more to decide than that it lasts."""
        return self.is_quiet_over(watched_heard) or self.is_settled(now, interval) or self.is_long_back(now, interval)

    def settles_at(self, interval: timedelta) -> datetime | None:
        """Return when those are told that aren't heard by then, unless more are; None while none was heard again."""
        return self.heard_last + interval if self.heard_last else None

    def is_settled(self, now: datetime, interval: timedelta) -> bool:
        """Return whether devices were heard again, but none lately."""
        at = self.settles_at(interval)
        return at is not None and now >= at

    def is_long_back(self, now: datetime, interval: timedelta, every: timedelta = timedelta(0)) -> bool:
        """Return whether a device that should speak so often has had the time to come back, like the first of them."""
        return self.heard_at is not None and now >= self.heard_at + max(MOST_INTERVALS * interval, every)

    def heard(self, now: datetime, again: Sequence[Overdue] = ()) -> "Wide":
        """Return it after some of its devices were heard again."""
        returned = self.returned + sum(self.is_in_quiet(each) for each in again)
        return replace(self, heard_at=self.heard_at or now, heard_last=now, returned=returned)

    def is_in_quiet(self, overdue: Overdue) -> bool:
        """Return whether a device became late while nobody was heard: who was gone before says nothing of the quiet."""
        return self.quiet_since is None or overdue.late_at > self.quiet_since

    def covers(self, overdue: Overdue) -> bool:
        """Return whether a device was overdue with the others.

        While it seems that nobody is heard at all each one is; and after that, until it has had the time to come back.
        """
        if overdue.since > self.at:
            return False
        if self.is_total or (self.seems_total and self.quiet_until is None):
            return True
        return overdue.late_at <= self.at and (self.seems_total or overdue.is_gone(self.at))


_TIMES = ("at", "since", "quiet_since", "quiet_until", "heard_at", "heard_last")


@dataclass(frozen=True, slots=True)
class WideDecision:
    """What is done now."""

    reason: WideReason
    wide: Wide | None = None
    """The wide silence from now on."""
    alone: Sequence[Overdue] = ()
    """Those whose silences are told now, each by itself."""
    together: Sequence[Overdue] = ()
    """Those of which one message tells now, if one does."""
    to: Sequence[Overdue] = ()
    """Those whose people get it."""
    covered: Sequence[Overdue] = ()
    """Those of which nothing more is told while it lasts."""
    outage: Downtime | None = None
    """The time in which nobody could be heard, if that ended now: deadlines move by it."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is known of all devices of which something is expected."""

    overdue: Sequence[Overdue]
    watched: int
    """How many there are."""
    last_heard: datetime | None
    """When any device at all was last heard."""
    watched_heard: datetime | None
    """When any of these was."""
    soon: int = 0
    """How many more become late within LOOK, unless they speak."""
    unheard: int = 0
    """How many weren't heard since the wide silence that lasts began, whenever they should have been."""


def decide(fleet: Fleet, wide: Wide | None, now: datetime, interval: timedelta, new_id: str) -> WideDecision:
    """Decide what is told. `interval` is GROUP_INTERVAL; `new_id` is for an outage."""
    if wide is None:
        return _beside(fleet.overdue, fleet, now)
    if wide.is_quiet_over(fleet.watched_heard):
        judged = _after_quiet(fleet, wide, now)
        return WideDecision(WideReason.ANEW, judged, outage=_outage(judged, new_id))
    return _while_wide(fleet, wide, now, interval)


def _beside(overdue: Sequence[Overdue], fleet: Fleet, now: datetime) -> WideDecision:
    """Return what is told of those of whom no wide silence tells."""
    untold = [each for each in overdue if each.is_untold]
    if not untold:
        return WideDecision(WideReason.NOTHING)
    fresh = [each for each in overdue if each.may_tell and _is_fresh(each, now)]
    gone = [each for each in fresh if each.is_gone(now)]
    heard = fleet.last_heard
    seems_total = _seems_total(gone, heard)
    together = fresh if seems_total else gone
    if _are_many(len(together), fleet.watched):
        since = heard if seems_total and heard else max(each.since for each in together)
        begun = Wide(now, since, len(together), seems_total, quiet_since=heard)
        return WideDecision(WideReason.WIDE, begun, together=together, to=together, covered=untold)
    if _are_many(len(together) + fleet.soon, fleet.watched):
        waited = [each for each in untold if now >= each.silent_at + LOOK]
        return WideDecision(WideReason.ALONE if waited else WideReason.WAIT, alone=waited)
    return WideDecision(WideReason.ALONE, alone=untold)


def _are_many(count: int, watched: int) -> bool:
    return count >= LEAST and count * PART >= watched


def _is_fresh(overdue: Overdue, now: datetime) -> bool:
    return overdue.told_at is None or now - overdue.told_at <= TOGETHER


def _seems_total(gone: Sequence[Overdue], last_heard: datetime | None) -> bool:
    """Return whether most of these should have spoken since any device was heard at all, rather than just before."""
    if last_heard is None:
        return True
    since_then = [each for each in gone if each.late_at > last_heard + min(TOGETHER, _every(each) / JITTER)]
    return len(since_then) * 2 >= len(gone)


def _every(overdue: Overdue) -> timedelta:
    return overdue.late_at - overdue.since


def _while_wide(fleet: Fleet, wide: Wide, now: datetime, interval: timedelta) -> WideDecision:
    covered = [each for each in fleet.overdue if each.told_at is None and wide.covers(each)]
    unreached = [each for each in covered if each.is_untold and not each.is_reached]
    apart = {each.id for each in fleet.overdue} - {each.id for each in covered}
    spreads = wide.seems_total and wide.quiet_until is None
    if not spreads:
        apart |= {each.id for each in unreached}
    beside = _beside([each for each in fleet.overdue if each.id in apart], fleet, now)
    known = [each for each in covered if each.is_untold and each.id not in apart]
    if beside.wide:
        # It covers those of the one before, too, which may be months ago and about devices long gone.
        return replace(beside, covered=(*beside.covered, *known))
    if wide.is_total:
        # Deadlines have moved, so hardly any is overdue; who is silent by those is decided about as without this.
        ends = WideReason.REMAINS if fleet.unheard else WideReason.OVER
        is_over = not fleet.unheard or wide.is_settled(now, interval)
        return WideDecision(ends if is_over else WideReason.LASTS, None if is_over else wide, beside.alone)
    if not covered:
        return WideDecision(WideReason.OVER, alone=beside.alone)
    if wide.is_settled(now, interval):
        return WideDecision(WideReason.REMAINS, alone=(*beside.alone, *known))
    if spreads and unreached:
        grown = replace(wide, count=len(covered))
        return WideDecision(WideReason.SPREADS, grown, beside.alone, together=covered, to=unreached, covered=known)
    stays = {each.id for each in known if wide.is_long_back(now, interval, _every(each))}
    alone = (*beside.alone, *(each for each in known if each.id in stays))
    return WideDecision(WideReason.LASTS, wide, alone, covered=[each for each in known if each.id not in stays])


def _after_quiet(fleet: Fleet, wide: Wide, now: datetime) -> Wide:
    """Return a wide silence in which some device was heard. It is total if half of all became overdue in the quiet.

    It is judged after the first that speak again were looked at, who aren't overdue any more.
    """
    in_it = sum(wide.is_in_quiet(each) for each in fleet.overdue) + wide.returned
    if in_it * 2 < fleet.watched and not wide.is_total:
        return replace(wide, quiet_until=now)
    return replace(wide.heard(now), quiet_until=now, is_total=True)


def _outage(wide: Wide, new_id: str) -> Downtime | None:
    if not (wide.is_total and wide.quiet_since and wide.quiet_until and wide.quiet_until > wide.quiet_since):
        return None
    return Downtime(new_id, wide.quiet_since, wide.quiet_until)
