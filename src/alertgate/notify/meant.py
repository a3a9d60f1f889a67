"""Which incident an answer means that names no message, such as `ok` by text or in a chat. Pure.

Whoever writes it has read something, and writing and carrying it take a moment. What changed within that moment isn't
guessed: it would take what its writer never meant, and nobody would be told of that any more.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from alertgate.model import ABOUT_OTHERS, Incident, IncidentStatus, Notification
from alertgate.notify.news import holder

LATELY = timedelta(days=1)
"""How old the message may be that an answer means."""
MOMENT = timedelta(minutes=2)
"""How long it takes to write an answer, and to bring it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a number or a chat was told about an incident, and the incident as it is now."""

    incident: Incident
    messages: tuple[Notification, ...]
    """The newest first; never none."""

    @property
    def newest(self) -> Notification:
        """The last message."""
        return self.messages[0]

    @property
    def is_open(self) -> bool:
        """Whether nobody has it, and it isn't over."""
        return self.incident.status is IncidentStatus.OPEN

    @property
    def is_alone(self) -> bool:
        """Whether the last message tells of nothing else."""
        return self.newest.digest_id is None and self.newest.shown is not None

    def ended_since(self, at: datetime, by: str | None = None) -> bool:
        """Return whether it ended after a time, or was taken then: not by who was told here, nor by who answers."""
        one = self.incident
        if one.status is IncidentStatus.ACKNOWLEDGED and one.acknowledged_by in (holder(self.newest), by):
            return False
        ended_at = one.resolved_at or one.acknowledged_at
        return not self.is_open and ended_at is not None and ended_at > at

    def changed_since(self, at: datetime) -> bool:
        """Return whether the first message that shows it as it is came after a time, and an older one differs."""
        alike = list(takewhile(lambda each: each.shown == self.newest.shown, self.messages))
        shown_at = alike[-1].finished_at
        return len(alike) < len(self.messages) and shown_at is not None and shown_at > at


def by_incident(sent: Iterable[Notification], about: Mapping[str, Incident]) -> list[Told]:
    """Return messages, the newest first, by their incidents. What tells what others have done isn't answered."""
    messages: dict[str, list[Notification]] = {}
    for each in sent:
        if each.kind not in ABOUT_OTHERS:
            messages.setdefault(each.incident_id, []).append(each)
    return [Told(about[key], tuple(each)) for key, each in messages.items()]


def choose(told: Sequence[Told], at: datetime, by: str | None = None) -> Told | None:
    """Return what an answer means that `by` wrote at a time, or None if that isn't sure.

    It is the only open one, if that has a message of its own. Unless a moment ago another one ended, or the first
    message came that shows this one as it is: then what was told before may be meant. If none is open, it is the last
    one, to say how that stands.
    """
    going_on = [each for each in told if each.is_open]
    if not going_on:
        return told[0]
    only, since = going_on[0], at - MOMENT
    is_one = len(going_on) == 1 and only.is_alone
    has_changed = only.changed_since(since) or any(each.ended_since(since, by) for each in told)
    return only if is_one and not has_changed else None
