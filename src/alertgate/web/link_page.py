"""What the page of a link shows: clean texts for its template, in the order in which a sleepy reader needs them."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

from alertgate.addresses import mask
from alertgate.credential import in_words
from alertgate.group.by_link import ASKED_FIRST, LinkAct, LinkGroup, affected, groups
from alertgate.group.silencing import held_unless
from alertgate.model import (
    ChannelName,
    Incident,
    IncidentStatus,
    NotificationStatus,
    Resolution,
    Source,
    worst,
)
from alertgate.notify.context import LocalTimes, MessageContext
from alertgate.notify.names import where
from alertgate.notify.news import holder
from alertgate.notify.render import content, wording
from alertgate.notify.render.hand_back_words import cannot, handed_back, is_handed_back
from alertgate.notify.render.text import one_line, rows
from alertgate.policy.matchers import Subject
from alertgate.policy.silences import Silences, matches
from alertgate.proof import Proof
from alertgate.prove.linked import Story
from alertgate.store.links import ToldContact
from alertgate.store.open_incidents import Telling

MOST_GROUPS = 20
"""Events of a digest that are shown; when somebody has these, the next ones are."""
MOST_STATES = 5
"""Sentences about how one group stands."""
MOST_NAMES = 60
"""Devices of one group that are named; the others are counted."""


class Button(NamedTuple):
    """One button: what it does, what it says, and whether another page asks first."""

    act: LinkAct
    label: str
    asks: bool


LABELS = MappingProxyType(
    {
        LinkAct.ACKNOWLEDGE: "I'm on it",
        LinkAct.SNOOZE: "Snooze 1 h",
        LinkAct.RESOLVE: "It's over",
        LinkAct.SILENCE: "Silence this device",
        LinkAct.UNSILENCE: "End the silence",
        LinkAct.HAND_BACK: "I can't after all",
    }
)


SHOWN = (
    NotificationStatus.SENT,
    NotificationStatus.SENDING,
    NotificationStatus.PENDING,
    NotificationStatus.FAILED,
)
"""How far a contact was told, in the order in which that is said."""


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group as the page shows it."""

    id: str
    event: str
    tag: str
    color: str
    """A class of the style sheet."""
    quiet: bool
    """Whether nothing is said of it for now, so that no button needs to be pressed."""
    names: tuple[str, ...]
    more: int
    """How many devices aren't named."""
    state: tuple[str, ...]
    changed: str
    marks: str
    buttons: tuple[Button, ...]


@dataclass(frozen=True, slots=True)
class LinkPage(LocalTimes):
    """Makes the page of a link. `offered` says which acts a group has, `device_name` what a device is called."""

    story: Story
    offered: Callable[[LinkGroup], Collection[LinkAct]]
    device_name: Callable[[str | None], str | None]
    zone: ZoneInfo
    now: datetime

    def view(self) -> dict[str, object]:
        """Return what the page's template shows."""
        found = groups(self.story.linked)
        shown = [self.group(group) for group in found[:MOST_GROUPS]]
        first = shown[0]
        return {
            "title": f"{first.names[0]}: {first.event}" if self._single else f"{len(self._incidents)} incidents",
            "tag": first.tag,
            "color": first.color,
            "groups": shown,
            "single": self._single,
            "more": _left_out(found[MOST_GROUPS:]),
            "told": [
                self._told(list(each)) for _, each in groupby(sorted(self.story.told, key=_contact), key=_contact)
            ],
            **(self._details() if self.story.alerts else {"when": "", "words": "", "rows": [], "events": []}),
        }

    @property
    def _incidents(self) -> Sequence[Incident]:
        return self.story.linked.incidents

    @property
    def _single(self) -> bool:
        return len(self._incidents) == 1

    def group(self, group: LinkGroup) -> GroupView:
        """Return one group as it is shown."""
        names = sorted({self._where(incident) for incident in group.incidents})
        severity = worst(*(incident.severity for incident in group.going_on or group.incidents))
        over, silenced = not group.going_on, self._silenced(group)
        return GroupView(
            id=group.id,
            event=group.event,
            tag="OVER" if over else "SILENCED" if silenced else severity.upper(),
            color="over" if over else "quiet" if silenced else severity,
            quiet=bool(silenced),
            names=tuple(names[:MOST_NAMES]),
            more=max(len(names) - MOST_NAMES, 0),
            state=(*silenced, *self._states(group)),
            changed=self._changed(group),
            marks=" ".join(group.marks),
            buttons=tuple(Button(act, self._label(act, group), act in ASKED_FIRST) for act in self.offered(group)),
        )

    def _label(self, act: LinkAct, group: LinkGroup) -> str:
        """Return what a button says: who hands back what somebody else has says so of them."""
        if act is LinkAct.HAND_BACK:
            had = affected(group, act)
            is_mine = {taker(each) for each in had} == {one_line(holder(self.story.linked.notification), 60)}
            return LABELS[act] if is_mine else cannot(had)
        return LABELS[act]

    def _where(self, incident: Incident) -> str:
        return where(incident, self.device_name(incident.device))

    def _states(self, group: LinkGroup) -> list[str]:
        """Return how a group stands: the sentences that a reader looks for."""
        if len(group.incidents) == 1:
            return [state(group.incidents[0], self)]
        by_state = Counter(_state_of_many(incident) for incident in group.incidents)
        first = [f"{number:,} {state}" for state, number in sorted(by_state.items())[:MOST_STATES]]
        left_out = by_state.total() - sum(number for _, number in sorted(by_state.items())[:MOST_STATES])
        return [*first, *([f"{left_out:,} more"] if left_out else [])]

    def _silenced(self, group: LinkGroup) -> list[str]:
        """Return until when a silence holds what would be said, if that is so for all of a group."""
        known, first = Silences(self.story.silences), None
        for incident in group.going_on:
            judged = known.judge(self._subject(incident), self.now)
            if judged.until is None or judged.silence is None:
                return []
            if first is None or judged.until < first[0]:
                first = judged.until, judged.silence
        if first is None:
            return []
        until, silence = first
        but = f", unless it is {silence.unless}" if silence.unless else ""
        said = f"Silenced by {one_line(silence.author, 60)} until {self.minute(until)}"
        return [f"{said}: nothing is said of it before{but}."]

    def _subject(self, incident: Incident) -> Subject:
        return Subject.of(incident, self.device_name(incident.device))

    def _changed(self, group: LinkGroup) -> str:
        """Return what the message didn't say yet, because it happened later; empty if there is nothing."""
        sent_at = self.story.linked.notification.claimed_at
        news = [each for each in group.going_on if sent_at and each.changed_at and each.changed_at > sent_at]
        if not news:
            return ""
        severity = worst(*(each.severity for each in news))
        return f"This changed after your message was sent: it is {severity} and open now."

    def _told(self, statuses: list[ToldContact]) -> tuple[str, str]:
        """Return a contact, and how far it was told."""
        contact, by_status = statuses[0], {each.status: each for each in statuses}
        said = [progress(by_status[status], self) for status in SHOWN if status in by_status]
        mine = self.story.linked.notification
        own = " (this message)" if _contact(contact) == (mine.channel, mine.address) else ""
        return f"{one_line(named(contact), 80)}{own}", ", ".join(said) or "not told, as it wasn't needed"

    def _details(self) -> dict[str, object]:
        """Return the story of an only incident."""
        [incident] = self._incidents
        context = MessageContext(
            self.story.linked.notification,
            incident,
            self.story.alerts,
            self.device_name(incident.device),
            self.zone,
            self.now,
            message_domain="",
        )
        latest = context.latest
        return {
            "when": wording.when(context),
            "words": content.words(latest, 600) or ("" if content.is_table(latest) else content.essence(latest)),
            "rows": rows(latest.data, most=12, room=1500) if content.is_table(latest) else [],
            "events": self._events(context),
        }

    def _events(self, context: MessageContext) -> list[tuple[str, str]]:
        """Return what happened, newest first."""
        incident = context.incident
        happened = [(alert.received_at, wording.line(context, alert, 120)) for alert in context.alerts]
        if len(context.alerts) < incident.alert_count:
            happened.append((incident.opened_at, "it began"))
        if incident.acknowledged_at:
            did = "snoozed" if incident.snoozed_until else "took"
            took = f"{taker(incident)} {did} it{in_words(incident.acknowledged_with)}"
            happened.append((incident.acknowledged_at, took))
        if incident.handed_back_at:
            by, how = one_line(incident.handed_back_by or "Somebody", 60), in_words(incident.handed_back_with)
            happened.append((incident.handed_back_at, f"{by} handed it back{how}"))
        if incident.resolved_at and incident.status is IncidentStatus.RESOLVED:
            happened.append((incident.resolved_at, f"over{_how(incident)}{in_words(incident.resolved_with)}"))
        happened += self._silence_events(incident)
        newest_first = sorted(happened, key=lambda event: event[0], reverse=True)
        return [(self.clock(at), text) for at, text in newest_first]

    def _silence_events(self, incident: Incident) -> Iterator[tuple[datetime, str]]:
        """Yield when silences of the incident began, as far as that is past, and by whom they were ended."""
        subject, end = self._subject(incident), incident.resolved_at or self.now
        for each in self.story.silences:
            if not (each.ever_lasts and matches(each, subject)) or each.begins_at > end:
                continue
            by, until = one_line(each.author, 60), self.minute(each.ends_at)
            yield each.begins_at, f"{by} silenced it until {until}{in_words(each.credential)}"
            if each.removed_at:
                ended_by = one_line(each.removed_by or "somebody", 60)
                yield each.removed_at, f"{ended_by} ended the silence{in_words(each.removed_with)}"


def progress(each: ToldContact | Telling, times: LocalTimes) -> str:
    """Return how far what a contact is told has got. The outbox tells nobody, so what it got or gets isn't told."""
    if each.channel is ChannelName.OUTBOX and each.status is not NotificationStatus.FAILED:
        is_written = each.status is NotificationStatus.SENT
        written = f"written to the outbox only, at {times.minute(each.finished_at or each.due_at)}"
        return f"not told: {written if is_written else 'to be written to the outbox only'}"
    match each.status:
        case NotificationStatus.SENT:
            proved = "" if each.proof in (None, Proof.SENT) else f" ({each.proof})"
            return f"told at {times.minute(each.finished_at or each.due_at)}{proved}"
        case NotificationStatus.SENDING:
            return "being told right now"
        case NotificationStatus.PENDING:
            return f"to be told at {times.minute(each.due_at)}" if each.due_at > times.now else "to be told next"
        case _:
            return "couldn't be told"


def state(incident: Incident, times: LocalTimes) -> str:
    """Return who has an incident, or that it is over."""
    match incident.status:
        case IncidentStatus.ACKNOWLEDGED:
            at = f" (taken at {times.minute(incident.acknowledged_at)})" if incident.acknowledged_at else ""
            if incident.snoozed_until:
                until = times.minute(incident.snoozed_until)
                return f"{taker(incident)} has snoozed it until {until}. Then it starts anew."
            return f"{taker(incident)} has it{at}."
        case IncidentStatus.RESOLVED:
            return f"Over at {times.minute(incident.resolved_at or incident.last_alert_at)}{_how(incident)}."
        case _:
            return handed_back(incident) or "Nobody has it yet."


def _left_out(groups_left: Sequence[LinkGroup]) -> str:
    """Return how much isn't shown, or nothing."""
    if not groups_left:
        return ""
    incidents = sum(len(group.incidents) for group in groups_left)
    events = f"{len(groups_left):,} more {'events' if len(groups_left) > 1 else 'event'}"
    return f"and {events} with {incidents:,} incidents: shown here once somebody has some of these."


def taker(incident: Incident) -> str:
    """Return who has an incident, or had it."""
    return one_line(incident.acknowledged_by or "Somebody", 60)


def _state_of_many(incident: Incident) -> str:
    match incident.status:
        case IncidentStatus.ACKNOWLEDGED:
            return f"{'snoozed' if incident.snoozed_until else 'taken'} by {taker(incident)}"
        case IncidentStatus.RESOLVED:
            return "over"
        case _:
            return "open: nobody has it any more" if is_handed_back(incident) else "open: nobody has it yet"


def _how(incident: Incident) -> str:
    match incident.resolution:
        case Resolution.SILENCE:
            return ", because no more alerts came"
        case Resolution.ALERT:
            return "" if incident.source in (Source.ALERTGATE, Source.WATCH) else ", by its sender"
        case Resolution.PERSON:
            return f", by {one_line(incident.resolved_by or 'somebody', 60)}"
        case None:
            return ""


def named(each: ToldContact | Telling) -> str:
    """Return a contact with the name of its person, if the policy has given one."""
    masked = mask(each.address)
    return masked if each.person in (None, each.address) else f"{each.person}, {each.channel} {masked}"


def _contact(each: ToldContact) -> tuple[ChannelName, str]:
    return each.channel, each.address


def held(incident: Incident) -> str:
    """Return what a silence of an incident's device would hold."""
    if unless := held_unless(incident):
        return f"Until it ends nobody is told of anything that the device reports, unless it is {unless}."
    return "Until it ends nobody is told of anything that the device reports, NOT EVEN IF IT IS CRITICAL."
