"""Many incidents at once: which of them one act takes, what its page says of them, and what became of it. Pure.

The page says what it showed of each, as an incident's own buttons do (`act_buttons`): what came or changed since isn't
touched. Nothing is resolved or silenced so: an all-clear for many by one tap may be wrong for one.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from alertgate.answers import Verdict
from alertgate.group.by_link import before
from alertgate.group.portions import Did
from alertgate.marks import mark
from alertgate.model import Incident, IncidentStatus, Severity
from alertgate.notify.names import event_name, where
from alertgate.web.console.act_buttons import ConsoleAct, judge, lasting
from alertgate.web.console.entrance import local
from alertgate.web.console.excerpts import first_names

PATH = "/incidents/acts"
ACTS = (ConsoleAct.ACKNOWLEDGE, ConsoleAct.SNOOZE)
MOST = 500
"""Incidents that one act takes."""
LOOKED_AT = 1000
"""Incidents, the newest, of which the worst are taken."""
MOST_KINDS = 20
MOST_NAMES = 3
_EACH = 60
"""Bytes of a form that an incident takes."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The link to the page that asks."""

    label: str
    href: str


def offer(number: int | None, to: str) -> Offer | None:
    """Return the link for so many incidents on a page, None if not known how many; None if there is nothing to gain."""
    if (number is not None and number < 2) or local(to) != to:
        return None
    is_too_many = number is not None and number > MOST
    said = label(MOST, is_all=False) if is_too_many else label(number)
    return Offer(said, f"{PATH}?{urlencode({'to': to})}")


def label(number: int | None, *, is_all: bool = True) -> str:
    """Return what the button says that takes a number of incidents, and whether these are all."""
    if number is None:
        return "I'm on it: all of them"
    if not is_all:
        return f"I'm on it: the worst {number:,}"
    return "I'm on it" if number == 1 else f"I'm on it: all {number:,}"


@dataclass(frozen=True, slots=True)
class Many:
    """The incidents that one act takes: nobody has them, and no silence holds them. The worst first."""

    incidents: tuple[Incident, ...] = ()
    more: int = 0
    """How many others there are, as far as was looked."""
    silenced: int = 0
    goes_on: bool = False
    """Whether older ones weren't looked at."""

    @property
    def is_all(self) -> bool:
        """Whether there is nothing more to take."""
        return not (self.more or self.goes_on)

    @property
    def seen(self) -> str:
        """What a page that shows them remembers of them."""
        return " ".join(".".join((each.id, *_marks(each))) for each in self.incidents)


def choose(
    found: Sequence[Incident], is_silenced: Callable[[Incident], bool], most: int = MOST, *, goes_on: bool = False
) -> Many:
    """Return which of the incidents that a page is about one act takes."""
    untaken = [each for each in found if each.status is IncidentStatus.OPEN]
    speaking = [each for each in untaken if not is_silenced(each)]
    worst_first = sorted(speaking, key=lambda each: (-each.severity.rank, each.id))
    return Many(tuple(worst_first[:most]), max(len(speaking) - most, 0), len(untaken) - len(speaking), goes_on=goes_on)


def most_in(max_bytes: int, to: str) -> int:
    """Return how many incidents fit into a form of so many bytes."""
    return max(1, min(MOST, (max_bytes - len(urlencode({"act": ConsoleAct.ACKNOWLEDGE, "to": to}))) // _EACH))


def _marks(incident: Incident) -> list[str]:
    return list(dict.fromkeys([mark(incident), mark(before(incident))]))


def read_seen(text: str) -> dict[str, frozenset[str]]:
    """Return the marks of each incident that a page showed, by its id. Raises ValueError for what no page says."""
    each_said = [each.split(".") for each in text.split()]
    if not 0 < len(each_said) <= MOST:
        raise ValueError(f"{len(each_said)} incidents")
    return {str(UUID(incident_id)): frozenset(marks) for incident_id, *marks in each_said}


@dataclass(frozen=True, slots=True)
class Kind:
    """Incidents of one event and severity, as the page that asks names them."""

    severity: Severity
    event: str
    devices: str
    number: int


def kinds(incidents: Sequence[Incident], device_name: Callable[[str | None], str | None]) -> list[Kind]:
    """Return the kinds of incidents, the worst first, then the most frequent."""
    devices: dict[tuple[Severity, str], list[str]] = {}
    for each in incidents:
        devices.setdefault((each.severity, event_name(each)), []).append(where(each, device_name(each.device)))
    made = [
        Kind(severity, event, first_names(sorted(set(names)), MOST_NAMES), len(names))
        for (severity, event), names in devices.items()
    ]
    return sorted(made, key=lambda each: (-each.severity.rank, -each.number, each.event))


@dataclass(frozen=True, slots=True)
class Judged:
    """What becomes of an act on one incident."""

    verdict: Verdict
    is_to_do: bool = False
    """Whether it is to be done; what the same person had done before counts as done, too."""


def judge_all(
    act: ConsoleAct, found: Mapping[str, Incident], seen: Mapping[str, Collection[str]], by: str, now: datetime
) -> dict[str, Judged]:
    """Decide what becomes of an act by somebody on incidents of which a page showed so much."""
    lasts = lasting(act, "")
    until = now + lasts if lasts else None
    return {each: _judge(act, found.get(each), marks, by, until) for each, marks in seen.items()}


def _judge(
    act: ConsoleAct, incident: Incident | None, marks: Collection[str], by: str, until: datetime | None
) -> Judged:
    verdict = judge(act, incident, marks, by, until) if incident else Verdict.OVER
    if incident and verdict is Verdict.ALREADY and incident.acknowledged_by == by:
        return Judged(Verdict.DONE)
    return Judged(verdict, verdict is Verdict.DONE)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of an act on many incidents, or of a portion of it."""

    verdicts: Mapping[Verdict, int]
    """Of how many; what the same person had done before counts as done."""
    done: tuple[Did, ...] = ()
    beyond: str | None = None

    def followed_by(self, later: "Taken") -> "Taken":
        """Return what became of both portions."""
        both = Counter(self.verdicts)
        both.update(later.verdicts)
        return Taken(both, (*self.done, *later.done), later.beyond)


def outcome(act: ConsoleAct, taken: Taken, shown: Collection[str], now: Many, *, was_all: bool) -> str:
    """Return what became of an act on what a page showed, and what there is `now`; empty if all of it was done.

    `was_all`: there was nothing more than the page showed.
    """
    of, has = taken.verdicts, len(shown)
    done, over, already = (of.get(each, 0) for each in (Verdict.DONE, Verdict.OVER, Verdict.ALREADY))
    changed = has - done - over - already
    since = len([each for each in now.incidents if each.id not in shown]) + now.more
    if done == has and not since and not now.goes_on:
        return ""
    sentences = [_had(done, has, act)]
    if over:
        sentences.append(f"{over:,} {_be(over)} over.")
    if already:
        sentences.append(f"{already:,} {'was' if already == 1 else 'were'} taken by somebody else before.")
    if changed:
        sentences.append(f"{changed:,} changed after the page was loaded, and {_not(changed)} touched.")
    if since:
        came = "has come since" if since == 1 else "have come since"
        sentences.append(f"{since:,} {came if was_all else f'more {_be(since)} open'}.")
    if now.goes_on and not since:
        sentences.append("What is older wasn't looked at.")
    if now.incidents:
        sentences.append("Look again, and press again if you mean these, too.")
    return " ".join(sentences)


def _had(done: int, has: int, act: ConsoleAct) -> str:
    lasts = " for an hour" if act is ConsoleAct.SNOOZE else ""
    if done == has:
        return f"You have {'it' if has == 1 else f'all {has:,}'}{lasts}."
    return f"You have {done:,} of the {has:,}{lasts}." if done else "Nothing was done."


def _be(number: int) -> str:
    return "is" if number == 1 else "are"


def _not(number: int) -> str:
    return "wasn't" if number == 1 else "weren't"
