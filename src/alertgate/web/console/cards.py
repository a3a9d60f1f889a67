"""What a card shows of an incident: clean texts, in the order in which a sleepy reader needs them. Pure."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TypeVar

from alertgate.model import ChannelName, Hold, Incident, IncidentStatus, Kind, NotificationStatus
from alertgate.notify.course import listed
from alertgate.notify.escalate import StepReason
from alertgate.notify.names import event_name, where
from alertgate.notify.render import content
from alertgate.notify.render.text import one_line
from alertgate.notify.runs import run_of
from alertgate.notify.upcoming import Upcoming, upcoming
from alertgate.policy.matchers import Subject
from alertgate.policy.policy import Policy
from alertgate.policy.silences import Judged, Silences
from alertgate.prove.going_on import GoingOn
from alertgate.store.open_incidents import Telling
from alertgate.web.console.act_buttons import Acts, acts
from alertgate.web.console.excerpts import first_names
from alertgate.web.console.times import Times
from alertgate.web.link_page import SHOWN, named, progress, state

LONGEST_WORDS = 300
MOST_NAMES = 5
MOST_CONTACTS = 20
_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True)
class Coming:
    """What comes next: a sentence around a time."""

    before: str
    at: datetime | None = None
    after: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """An incident as pages show it."""

    id: str
    tag: str
    color: str
    """A class of the style sheet."""
    quiet: bool
    """Whether a silence holds what would be said of it."""
    name: str
    event: str
    since: datetime
    alerts: str
    last_at: datetime
    words: str
    state: tuple[str, ...]
    """Who has it, until when it is snoozed or silenced."""
    told: tuple[tuple[str, str], ...]
    more_told: int
    next: tuple[Coming, ...]
    alarm: str
    """What nobody may overlook: that nobody was told, and nobody will be."""
    acts: Acts


@dataclass(frozen=True, slots=True)
class Cards:
    """Makes the cards of what one transaction has read. `paused` are the channels that can't send now."""

    read: GoingOn
    policy: Policy
    device_name: Callable[[str | None], str | None]
    times: Times
    paused: Collection[ChannelName] = ()
    unreached: Collection[str] = ()
    """Those whom nobody tells anything, as there is only the outbox for them; by name."""

    def all(self, to: str) -> list[Card]:
        """Return all cards; their buttons lead back to a page."""
        return [self.card(incident, to) for incident in self.read.incidents]

    def card(self, incident: Incident, to: str) -> Card:
        """Return one."""
        name, now = self.device_name(incident.device), self.times.now
        over = incident.status is IncidentStatus.RESOLVED
        judged = Silences(self.read.silences).judge(Subject.of(incident, name), now)
        silenced = not over and judged.until is not None
        told = list(self.read.told.get(incident.id, ()))
        contacts = self._contacts(told)
        coming = () if over else tuple(self._coming(incident, told, judged))
        latest = self.read.alerts.get(incident.last_alert_id or "")
        return Card(
            id=incident.id,
            tag="OVER" if over else "SILENCED" if silenced else incident.severity.upper(),
            color="over" if over else "quiet" if silenced else incident.severity,
            quiet=silenced,
            name=where(incident, name),
            event=event_name(incident),
            since=incident.opened_at,
            alerts="1 alert" if incident.alert_count == 1 else f"{incident.alert_count:,} alerts",
            last_at=incident.last_alert_at,
            words=one_line(content.gist(latest), LONGEST_WORDS) if latest else "",
            state=(state(incident, self.times), *(self._silenced(judged, incident) if silenced else ())),
            told=contacts[:MOST_CONTACTS],
            more_told=max(len(contacts) - MOST_CONTACTS, 0),
            next=coming,
            alarm=_alarm(incident, told, coming),
            acts=acts(incident, name, self.read.silences, now, to=to),
        )

    def _silenced(self, judged: Judged, incident: Incident) -> tuple[str, ...]:
        if judged.silence is None or judged.until is None:
            return ()
        but = f", unless it is {judged.silence.unless}" if judged.silence.unless else ""
        by, until = one_line(judged.silence.author, 60), self.times.minute(judged.until)
        worst = f" It is {incident.severity}."
        return (f"Silenced by {by} until {until}: nothing is said of it before{but}.{worst}",)

    def _contacts(self, told: list[Telling]) -> tuple[tuple[str, str], ...]:
        """Return each contact with how far it was told, in the order in which they were."""
        by_contact: dict[tuple[str, str], list[Telling]] = {}
        for each in told:
            by_contact.setdefault((each.channel, each.address), []).append(each)
        return tuple((one_line(named(of[0]), 80), self._progress(of)) for of in by_contact.values())

    def _progress(self, of_contact: list[Telling]) -> str:
        by_status = {each.status: each for each in of_contact}
        said = [self._how_far(by_status[status]) for status in SHOWN if status in by_status]
        return ", ".join(said) or "not told, as it wasn't needed"

    def _how_far(self, each: Telling) -> str:
        said = progress(each, self.times)
        if each.status is not NotificationStatus.PENDING:
            return said
        if each.channel in self.paused:
            return f"{said}: {each.channel} is paused"
        if each.hold:
            return f"{said} ({_HELD[each.hold]})"
        return f"{said}, in a digest" if each.digest_id else said

    def _coming(self, incident: Incident, told: list[Telling], judged: Judged) -> Iterable[Coming]:
        """Yield what comes next, in its order: what waits to be sent, and what the escalation does."""
        now, run = self.times.now, self.read.runs.get(incident.id)
        subject = Subject.of(incident, self.device_name(incident.device))
        found: tuple[Upcoming, ...] = ()
        if run:
            found = upcoming(self.policy, incident, subject, run_of(run), run.next_at, judged.until, now)
        coming = [_in_words(each, self.unreached) for each in found]
        yield from sorted([*self._waiting(told), *coming], key=lambda each: each.at or now)
        if found:
            return
        if judged.until:
            yield Coming("what is still to be said is said", judged.until, "when the silence ends")
        elif incident.status is IncidentStatus.ACKNOWLEDGED:
            yield Coming("Nobody is told any more, unless it gets worse or begins again.")
        elif run and run.gave_up:
            yield Coming("Nobody has answered, and reminders have ended: nobody is told any more, but of changes.")
        elif any(map(_is_to_somebody, told)) and not any(each.status is NotificationStatus.PENDING for each in told):
            yield Coming("Nobody else is told, unless something changes.")

    def _waiting(self, told: list[Telling]) -> Iterable[Coming]:
        waits = [each for each in told if each.status is NotificationStatus.PENDING and _is_to_somebody(each)]
        stuck = [each for each in waits if each.channel in self.paused and each.hold is None]
        for (kind, channel), of in _together(stuck, lambda each: (each.kind, each.channel)):
            yield Coming(f"{_whom(kind, of)}, once {channel} works again")
        later = [each for each in waits if each not in stuck and each.due_at > self.times.now]
        for (kind, at, hold), of in _together(later, lambda each: (each.kind, each.due_at, each.hold)):
            held = f"({_HELD[hold]})" if hold else ""
            yield Coming(_whom(kind, of), at, _HELD[hold] if hold is Hold.DELAYED else held)


def _together(tellings: Iterable[Telling], key: Callable[[Telling], _Key]) -> Iterable[tuple[_Key, list[Telling]]]:
    found: dict[_Key, list[Telling]] = {}
    for each in tellings:
        found.setdefault(key(each), []).append(each)
    return found.items()


def _whom(kind: Kind, tellings: list[Telling]) -> str:
    """Return who is told, with what that is where it isn't the incident itself."""
    return f"{_ABOUT.get(kind, '')}{first_names(_by_channel(tellings), MOST_NAMES)}"


_ABOUT = MappingProxyType(
    {
        Kind.UPDATE: "an update to ",
        Kind.CHANGES: "an update to ",
        Kind.REMINDER: "a reminder to ",
        Kind.UNANSWERED: "that nobody answered, to ",
        Kind.ACKNOWLEDGEMENT: "who has it, to ",
        Kind.SILENCE: "who silenced it, to ",
        Kind.RESOLUTION: "that it was over, to ",
    }
)
"""What a message that waits says, where it isn't the incident itself."""
_HELD = MappingProxyType(
    {
        Hold.DELAYED: "unless acknowledged",
        Hold.QUIET_HOURS: "quiet hours",
        Hold.OUTSIDE_HOURS: "outside the escalation's hours",
        Hold.SILENCED: "silenced",
    }
)


def _who(each: Telling) -> str:
    """Return whom it tells: by name, or by the contact where the policy has given none."""
    return named(each) if each.person in (None, each.address) else str(each.person)


def _by_channel(tellings: list[Telling]) -> list[str]:
    """Return whom these tell, and by which channels; a bare address says that itself."""
    found: dict[str, list[str]] = {}
    for each in tellings:
        found.setdefault(_who(each), []).extend([] if each.person in (None, each.address) else [each.channel])
    return [f"{who} by {listed(tuple(dict.fromkeys(by)))}" if by else who for who, by in found.items()]


_NEXT = MappingProxyType(
    {
        StepReason.SILENCED: ("what is still to be said is said", "when the silence ends"),
        StepReason.SNOOZE_OVER: ("it starts anew with {who}", "unless it is over by then"),
        StepReason.FORGOTTEN: ("it starts anew with {who}", "because alerts go on"),
        StepReason.REMINDER: ("reminder {number} to {who}", "unless acknowledged"),
        StepReason.NOBODY_ANSWERED: ("reminders end, which {who} hear", "unless acknowledged"),
        StepReason.FIRST_STEP: ("{who}", "unless it is over by then"),
        StepReason.ALL_QUIET: ("{who}", "unless acknowledged, because all before have quiet hours"),
        StepReason.NOBODY_ON_CALL: ("{who}", "unless acknowledged, because nobody is on call before"),
        StepReason.STAND_IN: ("{who}", "unless it is over by then, because nobody is on call"),
    }
)
"""What is said before and after the time at which an escalation does something next."""


def _in_words(found: Upcoming, unreached: Collection[str]) -> Coming:
    """Return what an escalation does next as a sentence; it says who isn't told by that."""
    usual = ("{who}", "unless acknowledged") if found.kind else ("what comes next is decided", "")
    before, after = _NEXT.get(found.reason, usual)
    held = " (held until then)" if found.hold else ""
    names = [f"{name} (by the outbox only)" if name in unreached else name for name in found.who]
    return Coming(before.format(who=first_names(names, MOST_NAMES), number=found.number), found.at, f"{after}{held}")


def _alarm(incident: Incident, told: list[Telling], coming: tuple[Coming, ...]) -> str:
    """Return what nobody may overlook about an incident that nobody has; empty if there is nothing."""
    if incident.status is not IncidentStatus.OPEN:
        return ""
    if _tells_somebody(told):
        return ""
    if any(each.status is NotificationStatus.FAILED for each in told):
        return "NOBODY COULD BE TOLD of it: whoever reads this is the first to know."
    if any(each.status in _GOING for each in told):
        return "NOBODY WAS TOLD of it, only the outbox has it: whoever reads this is the first to know."
    return "" if coming else "NOBODY WAS TOLD of it, and nobody will be: whoever reads this is the first to know."


_GOING = frozenset({NotificationStatus.SENT, NotificationStatus.SENDING, NotificationStatus.PENDING})
"""How far a message has got that was or will be sent."""


def _tells_somebody(told: Iterable[Telling]) -> bool:
    """Return whether anybody was or will be told."""
    return any(each.status in _GOING and _is_to_somebody(each) for each in told)


def _is_to_somebody(each: Telling) -> bool:
    """Return whether a person gets it: nobody gets what is only written to the outbox."""
    return each.channel is not ChannelName.OUTBOX
