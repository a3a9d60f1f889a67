"""Which silence holds what would be said of an incident at a time, and until when. Pure.

Silences hold, and never cancel. One is judged whenever the incident would speak, by what it is like then: a rise in
severity is judged anew. alertgate's own troubles are never silenced, whatever a silence matches.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from alertgate.credential import Credential
from alertgate.local_time import day_and_time
from alertgate.model import Incident, Source
from alertgate.own_events import WatchEvent
from alertgate.policy.matchers import Matcher, Subject
from alertgate.silence import Silence

SilencedUntil = Callable[[datetime], datetime | None]
"""Returns when what would be said at a time may be said; None if no silence holds it."""


def never(_: datetime) -> None:
    """No silence holds anything."""


class SilenceReason(StrEnum):
    """Why an incident is silenced at a time, or isn't."""

    SILENCED = "silenced"
    UNMATCHED = "unmatched"  # no silence matches it
    TOO_SEVERE = "too_severe"  # one matches, but the incident is as severe as its `unless`
    NOT_NOW = "not_now"  # one matches, but it hasn't begun, or is over
    OWN_TROUBLE = "own_trouble"  # it is alertgate's own, which no silence holds


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether an incident is silenced at a time, and why."""

    reason: SilenceReason
    silence: Silence | None = None
    """The one that holds it, and of several the one that ends last."""
    until: datetime | None = None
    """When no silence holds it any more: another one may follow at once."""


def matcher_of(silence: Silence) -> Matcher:
    """Return what an incident must be like for a silence to hold it."""
    return Matcher(silence.event, silence.device, silence.source, silence.min_severity)


def matches(silence: Silence, subject: Subject) -> bool:
    """Return whether a silence holds an incident like this while it lasts."""
    return _refusal(silence, subject) is None


def by_link(known: Iterable[Silence], incident: Incident) -> tuple[Silence, ...]:
    """Return the silences of an incident's device that people began by link."""
    subject = Subject.of(incident, None)
    return tuple(each for each in known if each.credential is Credential.LINK and _is_about(each, subject))


def lasting(known: Iterable[Silence], at: datetime) -> Silence | None:
    """Return the silence that lasts at a time; of several, the one that is over last."""
    return max((each for each in known if each.lasts(at)), key=lambda silence: silence.over_at, default=None)


def _is_about(silence: Silence, subject: Subject) -> bool:
    """Return whether a silence is about what is like this, however severe it is.

    One that was begun by link is about one device, by its id alone: another device may have that as its name. That many
    devices say nothing is about none of them: whoever silences one mustn't miss that all are gone.
    """
    if subject.source is Source.WATCH and subject.event == WatchEvent.NO_WEBHOOKS:
        subject = replace(subject, device=None, device_name=None)
    elif silence.credential is Credential.LINK:
        subject = replace(subject, device_name=None)
    return matcher_of(silence).matches(subject)


def _refusal(silence: Silence, subject: Subject) -> SilenceReason | None:
    if subject.source is Source.ALERTGATE:
        return SilenceReason.OWN_TROUBLE
    if not _is_about(silence, subject):
        return SilenceReason.UNMATCHED
    if silence.unless and subject.severity.rank >= silence.unless.rank:
        return SilenceReason.TOO_SEVERE
    return None


def in_words(silence: Silence, until: datetime, now: datetime, zone: ZoneInfo) -> str:
    """Return by whom something is silenced, until when and why, for a trail."""
    because = f" ({silence.note})" if silence.note else ""
    return f"silenced by {silence.author} until {day_and_time(until, now, zone)}{because}"


class Silences:
    """Judges by the silences that one transaction has read; remembers what each incident is matched by."""

    def __init__(self, known: Sequence[Silence] = ()) -> None:
        self._known = known
        self._matching: dict[Subject, tuple[Silence, ...]] = {}

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return bool(self._known)

    def judge(self, subject: Subject, at: datetime) -> Judged:
        """Decide which silence holds an incident at a time."""
        matching = self._matching_of(subject)
        if not matching:
            return Judged(_nearest(_refusal(silence, subject) for silence in self._known))
        lasting = [silence for silence in matching if silence.lasts(at)]
        if not lasting:
            return Judged(SilenceReason.NOT_NOW)
        last = max(lasting, key=lambda silence: silence.over_at)
        return Judged(SilenceReason.SILENCED, last, _end(matching, last.over_at))

    def until(self, subject: Subject) -> SilencedUntil:
        """Return until when an incident like this is silenced, as a function of the time."""
        return lambda at: self.judge(subject, at).until

    def last_stretch(self, subject: Subject, now: datetime) -> tuple[datetime, datetime] | None:
        """Return when the time began in which an incident was silenced last, and when that ended; None if never."""
        over = [each for each in self._matching_of(subject) if each.ever_lasts and each.over_at <= now]
        if not over:
            return None
        last = max(over, key=lambda silence: silence.over_at)
        return _begin(over, last.begins_at), last.over_at

    def _matching_of(self, subject: Subject) -> tuple[Silence, ...]:
        found = self._matching.get(subject)
        if found is None:
            found = tuple(silence for silence in self._known if matches(silence, subject))
            self._matching[subject] = found
        return found


def _nearest(refusals: Iterable[SilenceReason | None]) -> SilenceReason:
    """Return the reason that came closest to holding."""
    return max((each for each in refusals if each), key=_CLOSENESS.index, default=SilenceReason.UNMATCHED)


_CLOSENESS = (SilenceReason.UNMATCHED, SilenceReason.OWN_TROUBLE, SilenceReason.TOO_SEVERE)


def _end(matching: Sequence[Silence], until: datetime) -> datetime:
    """Return when the last of the silences is over that follow each other without a gap."""
    while later := max((each.over_at for each in matching if each.lasts(until)), default=None):
        until = later
    return until


def _begin(matching: Sequence[Silence], since: datetime) -> datetime:
    """Return when the first of the silences began that followed each other without a gap."""
    while earlier := min((e.begins_at for e in matching if e.begins_at < since <= e.over_at), default=None):
        since = earlier
    return since
