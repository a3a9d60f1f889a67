"""What the console shows of silences: clean texts, and what each holds now. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from alertgate.credential import in_words
from alertgate.group.silencing import GLOBS, Preview
from alertgate.model import Severity
from alertgate.notify.render.text import one_line
from alertgate.policy.matchers import Subject
from alertgate.policy.silences import matches
from alertgate.silence import Silence, SilenceState
from alertgate.store.incidents import Alike

LONGEST = 200
MOST_COMPARED = 20_000
"""Comparisons of silences with incidents for one page; beyond that what each silence holds isn't counted."""
MOST_KINDS = 20
"""Kinds of incidents that a preview names; the others are counted."""
_COLORS = {SilenceState.ACTIVE: "warning", SilenceState.PENDING: "info", SilenceState.OVER: "quiet"}

Named = Callable[[Alike], Subject]
"""Returns what a silence looks at of incidents that are alike."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a silence holds now."""

    incidents: int
    notifications: int


@dataclass(frozen=True, slots=True)
class SilenceCard:
    """A silence as the list shows it."""

    id: str
    state: SilenceState
    color: str
    what: tuple[tuple[str, str], ...]
    author: str
    how: str
    note: str
    begins_at: datetime
    over_at: datetime
    ended_by: str
    unless: Severity | None
    held: Held | None
    """None if it holds nothing now, or if that isn't counted."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What isn't over, and what waits because of silences, by what is alike for a silence."""

    incidents: Sequence[tuple[Alike, int]]
    notifications: Sequence[tuple[Alike, int]]

    def is_countable(self, silences: int) -> bool:
        """Return whether it is little enough to compare it with so many silences."""
        return silences * (len(self.incidents) + len(self.notifications)) <= MOST_COMPARED


def cards(
    found: Iterable[Silence], now: datetime, waiting: Waiting | None = None, named: Named | None = None
) -> list[SilenceCard]:
    """Return silences as cards; with `waiting`, those that last say what they hold."""
    return [_card(each, now, _held(each, now, waiting, named) if waiting and named else None) for each in found]


def _card(silence: Silence, now: datetime, held: Held | None) -> SilenceCard:
    state = silence.state(now)
    ended = f"{one_line(silence.removed_by or '', LONGEST)}{in_words(silence.removed_with)}"
    return SilenceCard(
        id=silence.id,
        state=state,
        color=_COLORS[state],
        what=tuple(what(silence)),
        author=one_line(silence.author, LONGEST),
        how=in_words(silence.credential),
        note=one_line(silence.note or "", LONGEST * 2),
        begins_at=silence.begins_at,
        over_at=silence.over_at,
        ended_by=ended if silence.removed_at else "",
        unless=silence.unless,
        held=held,
    )


def what(silence: Silence) -> Iterator[tuple[str, str]]:
    """Yield what a silence matches: each part's name, and what it must be like."""
    for name in GLOBS:
        if glob := getattr(silence, name):
            yield name, one_line(glob, LONGEST)
    if silence.min_severity:
        yield "severity", f"{silence.min_severity} or worse"


def _held(silence: Silence, now: datetime, waiting: Waiting, named: Named) -> Held | None:
    if silence.state(now) is not SilenceState.ACTIVE:
        return None
    return Held(_matched(silence, waiting.incidents, named), _matched(silence, waiting.notifications, named))


def _matched(silence: Silence, alike: Iterable[tuple[Alike, int]], named: Named) -> int:
    return sum(number for one, number in alike if matches(silence, named(one)))


@dataclass(frozen=True, slots=True)
class KindRow:
    """Incidents that are alike, as a preview names them."""

    event: str
    where: str
    severity: Severity
    number: int


@dataclass(frozen=True, slots=True)
class PreviewCard:
    """What a silence would hold if it began now."""

    card: SilenceCard
    incidents: int
    notifications: int
    kinds: tuple[KindRow, ...]
    more: int
    """How many kinds aren't named."""
    is_later: bool
    holds_critical: bool
    """Whether what is critical is held too."""
    critical_now: int
    """How many critical incidents it would hold now."""


def previewed(found: Preview, pending: Sequence[tuple[Alike, int]], named: Named, now: datetime) -> PreviewCard:
    """Return what a silence would hold. Raises ValueError if it can't be."""
    silence = found.silence
    if silence is None:
        raise ValueError("a silence with something wrong holds nothing")
    worst_first = sorted(found.alike, key=lambda each: (-each[0].severity.rank, -each[1], each[0].event))
    return PreviewCard(
        card=_card(silence, now, None),
        incidents=sum(number for _, number in found.alike),
        notifications=_matched(silence, pending, named),
        kinds=tuple(_row(one, number, named) for one, number in worst_first[:MOST_KINDS]),
        more=max(len(worst_first) - MOST_KINDS, 0),
        is_later=silence.begins_at > now,
        holds_critical=silence.unless is None,
        critical_now=sum(number for one, number in found.alike if one.severity is Severity.CRITICAL),
    )


def _row(one: Alike, number: int, named: Named) -> KindRow:
    device = named(one).device_name or one.device or ""
    return KindRow(one_line(one.event, LONGEST), one_line(device, LONGEST), one.severity, number)
