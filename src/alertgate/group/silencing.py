"""What a person does with silences: begin one, end one, silence the device of an incident; each in one commit.

Nothing that waits is looked for: whatever becomes due is judged by the silences there are then (`notify.mute`).
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from alertgate.characters import is_shown
from alertgate.credential import Credential
from alertgate.errors import FieldError
from alertgate.group.actions import Action, Applied
from alertgate.group.transitions import Transition, TransitionResult
from alertgate.model import Incident, IncidentStatus, Severity, Source
from alertgate.policy.matchers import Subject
from alertgate.policy.silences import by_link, matches
from alertgate.prove import watch_words
from alertgate.silence import Silence
from alertgate.store import Connection, incidents, silences

LONGEST = timedelta(days=90)
"""From begin to end: what is to be quiet for longer is for the policy to say."""
FARTHEST = timedelta(days=366)
"""How far ahead one may begin."""
SHORTEST_BY_LINK = timedelta(hours=1)
LONGEST_BY_LINK = timedelta(hours=24)
PRESSED_TWICE = timedelta(minutes=5)
"""A silence of the device that ends at most this much earlier is what is asked for: a button was pressed twice."""
MOST = 500
"""Silences that aren't over: each is compared with each incident that speaks."""
LONGEST_GLOB = 200
LONGEST_NOTE = 300
LONGEST_AUTHOR = 128
GLOBS = ("event", "device", "source")
_SPECIAL = re.compile(r"([*?\[])")

Tell = Callable[[Connection, Incident, Action], int]
"""Tells the others that somebody has silenced the device of an incident; returns how many notifications are due."""


class SilenceResult(StrEnum):
    """What became of a request about a silence."""

    BEGUN = "begun"  # it is stored; it may begin later
    REFUSED = "refused"  # `errors` say why
    ENDED = "ended"  # what it held is released
    ALREADY = "already"  # somebody ended it before; the first person stays on record
    OVER = "over"  # it came to its end by itself


@dataclass(frozen=True, slots=True)
class Wanted:
    """A silence that somebody asks for. Without `begins_at` it begins now, and so it does if that is past.

    Either `ends_at` or `lasting` is set.
    """

    by: str
    credential: Credential
    ends_at: datetime | None = None
    lasting: timedelta | None = None
    begins_at: datetime | None = None
    event: str | None = None
    device: str | None = None
    source: str | None = None
    min_severity: Severity | None = None
    unless: Severity | None = None
    note: str | None = None

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        """Return when it begins and ends; a beginning that is too far ahead is only as far that this can be seen."""
        begins_at = min(max(self.begins_at or now, now), now + FARTHEST + timedelta(days=1))
        return begins_at, self.ends_at or begins_at + (self.lasting or timedelta(0))


@dataclass(frozen=True, slots=True)
class Silenced:
    """A result, with the silence as it is afterwards."""

    result: SilenceResult
    silence: Silence | None = None
    errors: tuple[FieldError, ...] = ()
    open_incidents: int = 0
    """How many incidents that aren't over it matches now."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a silence would be and hold."""

    silence: Silence | None = None
    """None if something is wrong with it, which `errors` say."""
    alike: tuple[tuple[incidents.Alike, int], ...] = ()
    """The kinds of incidents that aren't over and that it matches now, with their numbers."""
    errors: tuple[FieldError, ...] = ()


class Silencer:
    """Begins and ends silences. `new_id` returns an id for a time, `device_name` the name of a device's id.

    `tell` tells the others of a silence that somebody begins by link.
    """

    def __init__(
        self,
        new_id: Callable[[datetime], str],
        device_name: Callable[[str | None], str | None] = lambda _: None,
        tell: Tell = lambda *_: 0,
    ) -> None:
        self._new_id = new_id
        self._device_name = device_name
        self._tell = tell

    def begin(self, connection: Connection, wanted: Wanted, now: datetime) -> Silenced:
        """Store a silence, unless something is wrong with it."""
        found = tuple(problems(wanted, now))
        if not found and silences.number_not_over(connection, now) >= MOST:
            found = (FieldError("", f"there are {MOST} silences that aren't over: end some of them first"),)
        if found:
            return Silenced(SilenceResult.REFUSED, errors=found)
        new = _silence(self._new_id(now), wanted, now)
        silences.add(connection, new)
        alike = self.matching(connection, new)
        return Silenced(SilenceResult.BEGUN, new, open_incidents=sum(number for _, number in alike))

    def preview(self, connection: Connection, wanted: Wanted, now: datetime) -> Preview:
        """Return what a silence would hold, and store nothing."""
        found = tuple(problems(wanted, now))
        if found:
            return Preview(errors=found)
        new = _silence("", wanted, now)
        return Preview(new, tuple(self.matching(connection, new)))

    def begin_once(self, connection: Connection, wanted: Wanted, now: datetime) -> Silenced:
        """Store a silence, unless the same person began the same one just now: a button was pressed twice."""
        begins_at, ends_at = wanted.span(now)
        for each in silences.over_after(connection, now):
            apart = max(now - each.created_at, abs(each.begins_at - begins_at), abs(each.ends_at - ends_at))
            if _is_alike(each, wanted) and each.author == wanted.by and apart < PRESSED_TWICE:
                return Silenced(SilenceResult.ALREADY, each)
        return self.begin(connection, wanted, now)

    def end(
        self, connection: Connection, silence_id: str, by: str, credential: Credential, now: datetime
    ) -> Silenced | None:
        """End a silence before its end, and release what it held; return None if there is no such silence."""
        found = silences.get(connection, silence_id)
        if found is None:
            return None
        if found.removed_at or found.ends_at <= now:
            return Silenced(SilenceResult.ALREADY if found.removed_at else SilenceResult.OVER, found)
        silences.remove(connection, silence_id, by, credential, now)
        silences.look_again(connection, now)
        return Silenced(SilenceResult.ENDED, silences.get(connection, silence_id))

    def silence_device(self, connection: Connection, action: Action) -> Applied | None:
        """Silence the device of an incident, as the buttons of pages do; None if there is no such incident.

        Only while the incident is open, and for LONGEST_BY_LINK at most: who holds a link has no other credential, and
        for longer there are the API and the console's page of silences.
        What is critical is told all the same, unless the incident is: then its reader knew what they silenced.
        """
        incident, now = incidents.get(connection, action.incident_id), action.now
        if incident is None:
            return None
        if reason := why_not(incident):
            return Applied(Transition(TransitionResult.REFUSED, incident, reason))
        wanted, known = _by_link(incident, action), silences.over_after(connection, now)
        if earlier := _as_wanted(known, wanted, now):
            reason = f"its device is silenced until {earlier.ends_at:%Y-%m-%d %H:%M} UTC already"
            return Applied(Transition(TransitionResult.ALREADY, incident, reason))
        done = self._extend(connection, known, wanted, now) or self.begin(connection, wanted, now)
        if done.silence is None:
            return Applied(Transition(TransitionResult.REFUSED, incident, "; ".join(map(str, done.errors))))
        changed = Transition(TransitionResult.CHANGED, incident, f"its device was silenced by {action.by}")
        return Applied(changed, due=self._tell(connection, incident, action), silence=done.silence)

    def unsilence_device(self, connection: Connection, action: Action) -> Applied | None:
        """End what people began by link for the device of an incident; None if there is no such incident."""
        incident, now = incidents.get(connection, action.incident_id), action.now
        if incident is None:
            return None
        begun = by_link(silences.over_after(connection, now), incident)
        if not begun:
            return Applied(Transition(TransitionResult.ALREADY, incident, "its device isn't silenced"))
        done = [self.end(connection, each.id, action.by, action.credential, now) for each in begun]
        ended = tuple(each.silence for each in done if each and each.silence)
        reason = f"the silence of its device was ended by {action.by}"
        return Applied(Transition(TransitionResult.CHANGED, incident, reason), ended=ended)

    @staticmethod
    def _extend(connection: Connection, known: Iterable[Silence], wanted: Wanted, now: datetime) -> Silenced | None:
        """Have the silence end later that the same person began in the same way, if there is one."""
        for each in known:
            if _is_alike(each, wanted) and each.lasts(now) and each.author == wanted.by:
                _, ends_at = wanted.span(now)
                silences.extend(connection, each.id, ends_at)
                return Silenced(SilenceResult.BEGUN, replace(each, ends_at=ends_at))
        return None

    def matching(self, connection: Connection, silence: Silence) -> Iterator[tuple[incidents.Alike, int]]:
        """Yield the kinds of incidents that aren't over and that a silence matches, with their numbers."""
        alike = incidents.unresolved_alike(connection)
        return ((one, number) for one, number in alike if matches(silence, self.subject(one)))

    def subject(self, incident: incidents.Alike) -> Subject:
        """Return what a silence looks at."""
        name = self._device_name(incident.device)
        return Subject(incident.event, incident.severity, incident.source, incident.device, name)


def _silence(silence_id: str, wanted: Wanted, now: datetime) -> Silence:
    begins_at, ends_at = wanted.span(now)
    return Silence(
        id=silence_id,
        event=wanted.event,
        device=wanted.device,
        source=wanted.source,
        min_severity=wanted.min_severity,
        unless=wanted.unless,
        begins_at=begins_at,
        ends_at=ends_at,
        author=wanted.by,
        credential=wanted.credential,
        note=wanted.note,
        created_at=now,
    )


def _as_wanted(known: Iterable[Silence], wanted: Wanted, now: datetime) -> Silence | None:
    """Return the silence that holds as much of a device already, for as long as is wanted, if there is one."""
    _, ends_at = wanted.span(now)
    for each in known:
        holds_all = not (each.event or each.min_severity) and each.unless in (None, wanted.unless)
        is_of_device = each.device == wanted.device and each.source in (None, wanted.source)
        if holds_all and is_of_device and each.lasts(now) and ends_at - each.ends_at <= PRESSED_TWICE:
            return each
    return None


def _is_alike(silence: Silence, wanted: Wanted) -> bool:
    """Return whether a silence was begun with the same kind of credential, and holds the same."""
    of_device = (silence.event, silence.device, silence.source, silence.min_severity, silence.unless)
    asked = (wanted.event, wanted.device, wanted.source, wanted.min_severity, wanted.unless)
    return silence.credential is wanted.credential and of_device == asked


def _by_link(incident: Incident, action: Action) -> Wanted:
    return Wanted(
        action.by,
        action.credential,
        lasting=min(action.lasting or SHORTEST_BY_LINK, LONGEST_BY_LINK),
        device=_glob(incident),
        source=str(incident.source),
        unless=held_unless(incident),
    )


def held_unless(incident: Incident) -> Severity | None:
    """Return from which severity on a silence of an incident's device by link lets everything be told."""
    return None if incident.severity is Severity.CRITICAL else Severity.CRITICAL


def _glob(incident: Incident) -> str:
    """Return what matches an incident's device alone: its special characters stand for themselves."""
    return _SPECIAL.sub(r"[\1]", incident.device or "")


def is_of_device(silence: Silence, incident: Incident) -> bool:
    """Return whether a silence holds what one device reports, that of an incident, and nothing else."""
    return silence.device is not None and silence.device == _glob(incident)


def why_not(incident: Incident) -> str | None:
    """Return why the device of an incident can't be silenced by link, or None."""
    if incident.status is IncidentStatus.RESOLVED:
        return "the incident is over: there is nothing to silence"
    if incident.source is Source.ALERTGATE:
        return "it is about alertgate itself, which can't be silenced"
    if watch_words.is_of_many(incident):
        return "it is about many devices, and not about one"
    if not incident.device:
        return "the incident names no device"
    return next(map(str, _text("device", _glob(incident), LONGEST_GLOB)), None)


def problems(wanted: Wanted, now: datetime) -> Iterator[FieldError]:
    """Yield what is wrong with a silence that somebody asks for."""
    if not any(getattr(wanted, name) for name in GLOBS):
        yield FieldError("", 'it says nothing of event, device or source; event "*" silences everything')
    for name in GLOBS:
        yield from _text(name, getattr(wanted, name), LONGEST_GLOB)
    yield from _text("note", wanted.note, LONGEST_NOTE)
    yield from _text("by", wanted.by, LONGEST_AUTHOR)
    if wanted.unless and wanted.min_severity and wanted.unless.rank <= wanted.min_severity.rank:
        yield FieldError("unless", f"leaves nothing to silence of what is {wanted.min_severity} or worse")
    if wanted.unless is Severity.INFO:
        yield FieldError("unless", "leaves nothing to silence: everything is info or worse")
    begins_at, ends_at = wanted.span(now)
    if begins_at - now > FARTHEST:
        yield FieldError("begins_at", f"is more than {FARTHEST.days} days ahead")
    field = "ends_at" if wanted.ends_at else "for"
    if ends_at <= begins_at:
        yield FieldError(field, "isn't after the beginning" if ends_at > now else "is no time to come")
    elif ends_at - begins_at > LONGEST:
        yield FieldError(field, f"is more than {LONGEST.days} days after the beginning")


def _text(name: str, value: str | None, longest: int) -> Iterator[FieldError]:
    if value is None:
        return
    if len(value) > longest:
        yield FieldError(name, f"has more than {longest} characters")
    elif not is_shown(value):
        yield FieldError(name, "is blank, or holds a character that can't be shown, such as a line break")
