"""The buttons of an incident, and what becomes of one that was pressed on a page that may be old. Pure.

A page says what it showed, as a message's link does: where that has become worse since, or open again, or where another
person has it, nothing is done, and the page shows how it stands. So it is where the same person has done something else
meanwhile on another page: nothing may say that it is done which isn't.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from alertgate.answers import Verdict
from alertgate.group.by_link import SILENCES, SNOOZE, before
from alertgate.group.silencing import PRESSED_TWICE, is_of_device, why_not
from alertgate.marks import holding, mark
from alertgate.model import Incident, IncidentStatus
from alertgate.notify.names import event_name, where
from alertgate.notify.render.text import one_line
from alertgate.policy.matchers import Subject
from alertgate.policy.silences import matches
from alertgate.silence import Silence

SNOOZES = (1, 2, 4, 8, 24)
"""For how many hours an incident can be snoozed."""


class ConsoleAct(StrEnum):
    """What the buttons of an incident do."""

    ACKNOWLEDGE = "acknowledge"
    SNOOZE = "snooze"
    SNOOZE_LONGER = "snooze-longer"  # asks for how long
    RESOLVE = "resolve"
    SILENCE = "silence"  # its device
    UNSILENCE = "unsilence"  # ends a silence that holds it
    HAND_BACK = "hand-back"  # whoever has it can't after all


HOURS = MappingProxyType(
    {
        ConsoleAct.SNOOZE: (int(SNOOZE.total_seconds()) // 3600,),
        ConsoleAct.SNOOZE_LONGER: SNOOZES,
        ConsoleAct.SILENCE: SILENCES,
    }
)
"""For how many hours an act that ends by itself may last; the first one is meant where none is said."""
ASKED_FIRST = frozenset({ConsoleAct.SNOOZE_LONGER, ConsoleAct.RESOLVE, ConsoleAct.SILENCE, ConsoleAct.HAND_BACK})
"""What a second page asks about: for how long, or because it tells others something that may be wrong."""
_LABELS = MappingProxyType(
    {
        ConsoleAct.ACKNOWLEDGE: "I'm on it",
        ConsoleAct.SNOOZE: "Snooze 1 h",
        ConsoleAct.SNOOZE_LONGER: "Snooze longer",
        ConsoleAct.RESOLVE: "It's over",
        ConsoleAct.SILENCE: "Silence this device",
        ConsoleAct.HAND_BACK: "Hand it back",
    }
)


@dataclass(frozen=True, slots=True)
class ActButton:
    """One button, or a link to a page that asks first."""

    act: ConsoleAct
    label: str
    asks: bool = False
    first: bool = False
    """Whether it is the one that a sleepy reader looks for."""
    silence: str = ""
    """The id of the silence that it ends."""


@dataclass(frozen=True, slots=True)
class Acts:
    """The buttons of one incident, for the macro `acts` of `incident_macros.html`."""

    path: str
    """Where they are sent, and asked about."""
    color: str
    seen: str
    """What the page shows of it: sent back with each button."""
    to: str
    """The page of this service to go back to."""
    buttons: tuple[ActButton, ...]


def acts(incident: Incident, device_name: str | None, silences: Sequence[Silence], now: datetime, *, to: str) -> Acts:
    """Return the buttons that would change something; `silences` may be all that there are."""
    if incident.status is IncidentStatus.RESOLVED:
        made: list[ActButton] = []
    else:
        made = [_button(incident, act) for act in _offered(incident)]
        made += [_ending(incident, each) for each in silencing(incident, device_name, silences, now)]
    return Acts(f"/incidents/{incident.id}/acts", incident.severity, seen(incident), to, tuple(made))


def called(incident: Incident, device_name: str | None) -> str:
    """Return what an incident is called: its device and part, and its event."""
    return f"{where(incident, device_name)}: {event_name(incident)}"


def silencing(
    incident: Incident, device_name: str | None, silences: Sequence[Silence], now: datetime
) -> tuple[Silence, ...]:
    """Return the silences that hold what would be said of an incident now."""
    subject = Subject.of(incident, device_name)
    return tuple(each for each in silences if each.lasts(now) and matches(each, subject))


def _offered(incident: Incident) -> list[ConsoleAct]:
    takes = [ConsoleAct.ACKNOWLEDGE] if incident.status is IncidentStatus.OPEN or incident.is_snoozed else []
    silences = [ConsoleAct.SILENCE] if why_not(incident) is None else []
    returns = [ConsoleAct.HAND_BACK] if incident.status is IncidentStatus.ACKNOWLEDGED else []
    return [*takes, ConsoleAct.SNOOZE, ConsoleAct.SNOOZE_LONGER, ConsoleAct.RESOLVE, *silences, *returns]


def _button(incident: Incident, act: ConsoleAct) -> ActButton:
    is_first = act is ConsoleAct.ACKNOWLEDGE and incident.status is IncidentStatus.OPEN
    return ActButton(act, _LABELS[act], act in ASKED_FIRST, is_first)


def _ending(incident: Incident, silence: Silence) -> ActButton:
    """Return the button that ends a silence; one that holds more than the device is asked about first."""
    label, asks = f"End {one_line(silence.author, 40)}'s silence", not is_of_device(silence, incident)
    return ActButton(ConsoleAct.UNSILENCE, label, asks, silence=silence.id)


def seen(incident: Incident) -> str:
    """Return what a page that shows an incident remembers of it."""
    return " ".join(dict.fromkeys([mark(incident), mark(before(incident)), holding(incident)]))


def judge(
    act: ConsoleAct, incident: Incident, shown: Collection[str], by: str, until: datetime | None = None
) -> Verdict:
    """Decide what becomes of a button that `by` pressed on a page that showed the incident as these marks say.

    A snooze would last `until` then.
    """
    if act is ConsoleAct.UNSILENCE:
        return Verdict.DONE  # whatever was shown, more is told then
    if incident.status is IncidentStatus.RESOLVED:
        return Verdict.OVER
    has_it = incident.status is IncidentStatus.ACKNOWLEDGED
    is_done = {ConsoleAct.ACKNOWLEDGE: has_it and not incident.is_snoozed, ConsoleAct.HAND_BACK: not has_it}
    if is_done.get(act):
        return Verdict.ALREADY
    if mark(incident) not in shown:
        return Verdict.CHANGED
    if has_it and holding(incident) not in shown and act in _OF_WHO_HAS_IT:
        is_pressed_twice = incident.acknowledged_by == by and _ends_then(incident, until)
        return Verdict.ALREADY if is_pressed_twice else Verdict.CHANGED
    return Verdict.DONE


def _ends_then(incident: Incident, until: datetime | None) -> bool:
    """Return whether an incident is snoozed until about then."""
    ends_at = incident.snoozed_until
    return until is not None and ends_at is not None and abs(until - ends_at) <= PRESSED_TWICE


_OF_WHO_HAS_IT = frozenset({ConsoleAct.ACKNOWLEDGE, ConsoleAct.SNOOZE, ConsoleAct.SNOOZE_LONGER, ConsoleAct.HAND_BACK})
"""What depends on who has it."""


def lasting(act: ConsoleAct, hours: str) -> timedelta | None:
    """Return how long an act lasts; None if it doesn't end by itself. Raises ValueError for what no button says."""
    allowed = HOURS.get(act)
    if allowed is None:
        return None
    if hours and hours not in map(str, allowed):
        raise ValueError(f"it can't last {one_line(hours, 20)} hours")
    return timedelta(hours=int(hours or allowed[0]))
