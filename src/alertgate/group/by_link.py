"""What a person does by the link of a message: an act on one group of its incidents, as their page showed them.

A page may be older than what it is about: a phone was offline, or lay open. So it says what it showed, and where that
has become worse since, or open again, nothing is done and the page asks again.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby
from types import MappingProxyType

from alertgate.credential import Credential
from alertgate.group.actions import Action, Applied
from alertgate.group.transitions import TransitionResult
from alertgate.links import Links
from alertgate.model import Incident, IncidentStatus, Source
from alertgate.notify.context import event_name
from alertgate.notify.news import holder
from alertgate.prove.linked import Linked, find
from alertgate.store import Connection


class LinkAct(StrEnum):
    """What the buttons of a page do."""

    ACKNOWLEDGE = "acknowledge"
    SNOOZE = "snooze"  # an acknowledgement that ends by itself
    RESOLVE = "resolve"
    SILENCE = "silence"  # the incident's device


class Verdict(StrEnum):
    """What became of an act, and why."""

    DONE = "done"
    ALREADY = "already"  # somebody did it before; the first person stays on record
    OVER = "over"  # there is nothing left to do it to
    REFUSED = "refused"  # it can't be done now; what was asked to do it says why
    CHANGED = "changed"  # it became worse, or open again, after the page was made: the page asks again


SNOOZE = timedelta(hours=1)
SILENCES = (1, 8, 24)
"""For how many hours a device can be silenced by link."""
ASKED_FIRST = frozenset({LinkAct.RESOLVE, LinkAct.SILENCE})
"""What a second page asks about, because it tells others something that may be wrong."""
_AFFECTED = MappingProxyType(
    {
        LinkAct.ACKNOWLEDGE: {IncidentStatus.OPEN},  # and what is snoozed
        LinkAct.SNOOZE: {IncidentStatus.OPEN},
        LinkAct.RESOLVE: {IncidentStatus.OPEN, IncidentStatus.ACKNOWLEDGED},
        LinkAct.SILENCE: {IncidentStatus.OPEN, IncidentStatus.ACKNOWLEDGED},
    }
)

Doer = Callable[[Connection, Action], Applied | None]
"""Does one thing to one incident, in a transaction."""
Gatherer = Callable[[Connection, Collection[str], datetime], None]


@dataclass(frozen=True, slots=True)
class LinkGroup:
    """The incidents of a message that have one event: a digest names them together, and they have one button."""

    id: str
    event: str
    incidents: tuple[Incident, ...]

    @property
    def going_on(self) -> list[Incident]:
        """Those that aren't over."""
        return [incident for incident in self.incidents if incident.status is not IncidentStatus.RESOLVED]

    @property
    def marks(self) -> list[str]:
        """What a page that shows the group remembers of it."""
        return [mark(incident) for incident in self.going_on]


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button that somebody pressed, on a page that showed the group as `marks` say."""

    act: LinkAct
    group: str
    marks: Collection[str]
    lasting: timedelta | None = None
    """How long it holds, if it is something that ends by itself."""


def mark(incident: Incident) -> str:
    """Return what tells an incident that is open again, or has another severity, from what was shown of it."""
    shown = f"{incident.id} {incident.changes} {incident.severity}"
    return hashlib.sha256(shown.encode()).hexdigest()[:10]


def groups(incidents: Sequence[Incident]) -> list[LinkGroup]:
    """Return the groups of a message's incidents: the worst first, those that are over last."""

    def event(incident: Incident) -> tuple[str, str]:
        return event_name(incident), incident.source

    found = []
    for (name, source), of_event in groupby(sorted(incidents, key=event), key=event):
        group_id = hashlib.sha256(f"{source} {name}".encode()).hexdigest()[:10]
        found.append(LinkGroup(group_id, name, tuple(of_event)))
    return sorted(found, key=_urgency)


def _urgency(group: LinkGroup) -> tuple[bool, int, str]:
    worst = max(incident.severity.rank for incident in group.going_on or group.incidents)
    return not group.going_on, -worst, group.event


def affected(group: LinkGroup, act: LinkAct) -> list[Incident]:
    """Return the incidents of a group that an act is to be done to.

    Those of one device share one silence; several devices, and alertgate itself, can't be silenced by link.
    """
    found = [incident for incident in group.incidents if _is_affected(incident, act)]
    if act is not LinkAct.SILENCE:
        return found
    devices = {None if incident.source is Source.ALERTGATE else incident.device for incident in found}
    return found[:1] if len(devices) == 1 and devices != {None} else []


def _is_affected(incident: Incident, act: LinkAct) -> bool:
    return incident.status in _AFFECTED[act] or (act is LinkAct.ACKNOWLEDGE and incident.is_snoozed)


def judge(group: LinkGroup, pressed: Pressed) -> Verdict:
    """Decide what becomes of an act."""
    changing = affected(group, pressed.act)
    if not changing:
        return Verdict.ALREADY if group.going_on else Verdict.OVER
    if any(mark(incident) not in pressed.marks for incident in changing):
        return Verdict.CHANGED
    return Verdict.DONE


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an act, and what it did to each incident."""

    verdict: Verdict
    done: tuple[tuple[Action, Applied], ...] = ()


class LinkActions:
    """Does what people ask by link, if there are `links`.

    `doers` are the acts that there are; pages have no button for any other. `gather` has what one press tells a contact
    about several incidents go as one message.
    """

    def __init__(self, links: Links | None, doers: Mapping[LinkAct, Doer], gather: Gatherer = lambda *_: None) -> None:
        self._links = links
        self._doers = doers
        self._gather = gather

    def find(self, connection: Connection, token: str, now: datetime) -> Linked | None:
        """Return what a token leads to, or None."""
        return find(connection, self._links, token, now) if self._links else None

    def has(self, act: LinkAct) -> bool:
        """Tell whether there is an act."""
        return act in self._doers

    def offered(self, group: LinkGroup) -> list[LinkAct]:
        """Return the acts that would change something about a group."""
        return [act for act in LinkAct if act in self._doers and affected(group, act)]

    def press(self, connection: Connection, linked: Linked, pressed: Pressed, now: datetime) -> Outcome:
        """Judge an act on a group, and do it to each incident that it changes. The group must be one of the link's."""
        group = group_of(linked, pressed.group)
        verdict = judge(group, pressed) if group else Verdict.CHANGED
        if group is None or verdict is not Verdict.DONE:
            return Outcome(verdict)
        notification, do = linked.notification, self._doers[pressed.act]
        contact = (notification.channel, notification.address)
        chosen = [
            Action(incident.id, holder(notification), Credential.LINK, now, pressed.lasting, contact)
            for incident in affected(group, pressed.act)
        ]
        done = tuple((action, applied) for action in chosen if (applied := do(connection, action)))
        if len(done) > 1:
            self._gather(connection, [action.incident_id for action, _ in done], now)
        refused = done and all(applied.transition.result is TransitionResult.REFUSED for _, applied in done)
        return Outcome(Verdict.REFUSED if refused else verdict, done)


def group_of(linked: Linked, group_id: str) -> LinkGroup | None:
    """Return the group of a link with this id, or None."""
    return next((group for group in groups(linked.incidents) if group.id == group_id), None)
