"""What a person does by the link of a message: an act on one group of its incidents, as their page showed them.

A page may be older than what it is about: a phone was offline, or lay open. So it says what it showed, and where that
has become worse since, or open again, nothing is done and the page asks again.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby
from types import MappingProxyType

from alertgate.answers import Verdict
from alertgate.credential import Credential
from alertgate.group.actions import Action
from alertgate.group.portions import PORTION, Did, Doer, Gatherer, do_portion
from alertgate.group.silencing import why_not
from alertgate.group.transitions import TransitionResult
from alertgate.links import Links
from alertgate.marks import digest, holding, mark
from alertgate.model import Incident, IncidentStatus, Notification, Source
from alertgate.notify.names import event_name
from alertgate.notify.news import holder
from alertgate.policy.silences import by_link, lasting
from alertgate.prove.linked import Linked, find, notification_of
from alertgate.silence import Silence
from alertgate.store import Connection


class LinkAct(StrEnum):
    """What the buttons of a page do."""

    ACKNOWLEDGE = "acknowledge"
    SNOOZE = "snooze"  # an acknowledgement that ends by itself
    RESOLVE = "resolve"
    SILENCE = "silence"  # the incident's device
    UNSILENCE = "unsilence"  # ends that again
    HAND_BACK = "hand-back"  # whoever has it can't after all


SNOOZE = timedelta(hours=1)
SILENCES = (1, 8, 24)
"""For how many hours a device can be silenced by link."""
ASKED_FIRST = frozenset({LinkAct.RESOLVE, LinkAct.SILENCE, LinkAct.HAND_BACK})
"""What a second page asks about, because it tells others something that may be wrong."""
_AFFECTED: Mapping[LinkAct, Collection[IncidentStatus]] = MappingProxyType(
    {
        LinkAct.ACKNOWLEDGE: {IncidentStatus.OPEN},  # and what is snoozed
        LinkAct.SNOOZE: {IncidentStatus.OPEN},
        LinkAct.RESOLVE: {IncidentStatus.OPEN, IncidentStatus.ACKNOWLEDGED},
        LinkAct.SILENCE: {IncidentStatus.OPEN, IncidentStatus.ACKNOWLEDGED},
        LinkAct.UNSILENCE: set(IncidentStatus),
        LinkAct.HAND_BACK: {IncidentStatus.ACKNOWLEDGED},
    }
)


@dataclass(frozen=True, slots=True)
class LinkGroup:
    """The incidents of a message that have one event: a digest names them together, and they have one button."""

    id: str
    event: str
    incidents: tuple[Incident, ...]
    silences: tuple[Silence, ...] = ()
    """Of its only device: those that people began by link."""
    silence: Silence | None = None
    """The one of them that lasts."""

    @property
    def going_on(self) -> list[Incident]:
        """Those that aren't over."""
        return [incident for incident in self.incidents if incident.status is not IncidentStatus.RESOLVED]

    @property
    def marks(self) -> list[str]:
        """What a page that shows the group remembers of it."""
        shown = [each for incident in self.going_on for each in (mark(incident), mark(before(incident)))]
        held = [holding(each) for each in self.going_on if each.status is IncidentStatus.ACKNOWLEDGED]
        return [*dict.fromkeys(shown), *held, *filter(None, [self.silence_mark])]

    @property
    def silence_mark(self) -> str:
        """What tells that a silence of its device is over from what was shown before that; empty if none is."""
        if self.silence or not self.silences:
            return ""
        return digest(max(self.silences, key=lambda each: each.over_at).id)

    def standing(self, said: str) -> str:
        """Return what tells how it stands: what is `said` of an act holds as long as this is the same."""
        fields = ("id", "status", "changes", "severity", "acknowledged_at", "snoozed_until")
        stands = [[str(getattr(incident, name)) for name in fields] for incident in self.incidents]
        return digest(repr((said, stands, self.silence)))

    def beyond(self, incident_id: str) -> "LinkGroup":
        """Return the group without its incidents up to this id."""
        return replace(self, incidents=tuple(each for each in self.incidents if each.id > incident_id))


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button that somebody pressed, on a page that showed the group as `marks` say."""

    act: LinkAct
    group: str
    marks: Collection[str]
    lasting: timedelta | None = None
    """How long it holds, if it is something that ends by itself."""


def before(incident: Incident) -> Incident:
    """Return an incident as if nobody had had it: who saw it open may act on it while somebody has it."""
    return replace(incident, acknowledged_at=None)


def groups(linked: Linked) -> list[LinkGroup]:
    """Return the groups of a message's incidents: what nobody has first, of that the worst; what is over last."""

    def event(incident: Incident) -> tuple[str, str]:
        is_own = incident.source in (Source.ALERTGATE, Source.WATCH)
        return event_name(incident) if is_own else incident.event, incident.source

    found = []
    for (name, source), of_event in groupby(sorted(linked.incidents, key=event), key=event):
        found.append(_group(digest(f"{source} {name}"), tuple(of_event), linked))
    return sorted(found, key=_urgency)


def _group(group_id: str, incidents: tuple[Incident, ...], linked: Linked) -> LinkGroup:
    made = LinkGroup(group_id, event_name(incidents[0]), incidents)
    about = made.going_on or incidents
    if not _is_one_device(about):
        return made
    begun = by_link(linked.silences, about[0])
    return replace(made, silences=begun, silence=lasting(begun, linked.read_at) if linked.read_at else None)


def _is_one_device(incidents: Collection[Incident]) -> bool:
    return len({(incident.source, incident.device) for incident in incidents}) == 1


def _urgency(group: LinkGroup) -> tuple[bool, bool, int, str]:
    worst = max(incident.severity.rank for incident in group.going_on or group.incidents)
    is_open = not group.silence and any(incident.status is IncidentStatus.OPEN for incident in group.going_on)
    return not group.going_on, not is_open, -worst, group.event


def affected(group: LinkGroup, act: LinkAct) -> list[Incident]:
    """Return the incidents of a group that an act is to be done to.

    Those of one device share one silence, begun for the worst of them; several devices, and alertgate itself, can't be
    silenced by link.
    """
    found = [incident for incident in group.incidents if _is_affected(incident, act)]
    if act is LinkAct.UNSILENCE:
        return found[:1] if group.silence else []
    if act is not LinkAct.SILENCE:
        return found
    worst = sorted(found, key=lambda incident: -incident.severity.rank)[:1]
    return worst if _is_one_device(found) and why_not(worst[0]) is None else []


def _is_affected(incident: Incident, act: LinkAct) -> bool:
    return incident.status in _AFFECTED[act] or (act is LinkAct.ACKNOWLEDGE and incident.is_snoozed)


def judge(group: LinkGroup, pressed: Pressed) -> Verdict:
    """Decide what becomes of an act."""
    changing = affected(group, pressed.act)
    if not changing:
        return Verdict.ALREADY if group.going_on else Verdict.OVER
    if pressed.act is LinkAct.UNSILENCE:
        return Verdict.DONE  # whatever was shown, more is told then
    if any(mark(incident) not in pressed.marks for incident in changing):
        return Verdict.CHANGED
    if pressed.act is LinkAct.HAND_BACK and any(holding(incident) not in pressed.marks for incident in changing):
        return Verdict.CHANGED  # another one has it by now
    if pressed.act is LinkAct.SILENCE and group.silence_mark and group.silence_mark not in pressed.marks:
        return Verdict.CHANGED
    return Verdict.DONE


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an act, and what it did to each incident."""

    verdict: Verdict
    done: tuple[Did, ...] = ()
    beyond: str | None = None
    """Up to which incident it was done, if there are more: press again, beyond that."""

    def followed_by(self, later: "Outcome") -> "Outcome":
        """Return what became of both portions of an act. What others did meanwhile needs nothing."""
        verdict = self.verdict if later.verdict in (Verdict.ALREADY, Verdict.OVER) else later.verdict
        return Outcome(verdict, (*self.done, *later.done), later.beyond)


class LinkActions:
    """Does what people ask by link, if there are `links`.

    `doers` are the acts that there are; pages have no button for any other. `gatherer` has what one press tells a
    contact about several incidents go as one message.
    """

    def __init__(self, links: Links | None, doers: Mapping[LinkAct, Doer], gatherer: Gatherer) -> None:
        self._links = links
        self._doers = doers
        self._gatherer = gatherer

    def find(self, connection: Connection, token: str, now: datetime) -> Linked | None:
        """Return what a token leads to, or None."""
        return find(connection, self._links, token, now) if self._links else None

    def notification(self, connection: Connection, token: str) -> Notification | None:
        """Return the notification of a token, or None; whatever is wrong with it, at the same cost."""
        return notification_of(connection, self._links, token) if self._links else None

    def has(self, act: LinkAct) -> bool:
        """Tell whether there is an act."""
        return act in self._doers

    def offered(self, group: LinkGroup) -> list[LinkAct]:
        """Return the acts that would change something about a group."""
        return [act for act in LinkAct if act in self._doers and affected(group, act)]

    def press(
        self, connection: Connection, linked: Linked, pressed: Pressed, now: datetime, beyond: str = ""
    ) -> Outcome:
        """Judge an act on a group, and do it to each incident that it changes. The group must be one of the link's.

        Only to the first PORTION of them, beyond an id. All portions have one time: what they tell is one message.
        """
        found = group_of(linked, pressed.group)
        group = found.beyond(beyond) if found else None
        verdict = judge(group, pressed) if group else Verdict.CHANGED
        if group is None or verdict is not Verdict.DONE:
            return Outcome(verdict)
        notification, do = linked.notification, self._doers[pressed.act]
        contact = (notification.channel, notification.address)
        changing = sorted(affected(group, pressed.act), key=lambda incident: incident.id)
        chosen = [
            Action(incident.id, holder(notification), Credential.LINK, now, pressed.lasting, contact)
            for incident in changing[:PORTION]
        ]
        more = chosen[-1].incident_id if len(changing) > PORTION else None
        done = do_portion(connection, do, chosen, self._gatherer, is_whole=not (more or beyond))
        refused = done and all(applied.transition.result is TransitionResult.REFUSED for _, applied in done)
        return Outcome(Verdict.REFUSED if refused else verdict, done, more)


def group_of(linked: Linked, group_id: str) -> LinkGroup | None:
    """Return the group of a link with this id, or None."""
    return next((group for group in groups(linked) if group.id == group_id), None)
