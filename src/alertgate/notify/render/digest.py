"""Render a digest, one message about many incidents: as a mail, and as one text message. Pure.

The incidents are grouped by event, those that are over apart from the others. Every device is named or counted.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from alertgate.model import Severity, Source, worst
from alertgate.notify.context import DigestContext, DigestItem
from alertgate.notify.render.mail import COLORS, LARGEST, OVER_COLOR, Bodies, encoded_size, template
from alertgate.notify.render.text import SEGMENT, gsm7, one_line, septets, shorten

SIZES = ((1000, 100), (200, 60), (100, 40), (50, 40), (20, 30), (10, 20), (3, 20), (1, 10))
"""How many names a group shows, and how many groups a mail; tried in order until it is small enough."""
SHORT_NAMES = 3
"""Names of one group in a summary."""


@dataclass(frozen=True, slots=True)
class Group:
    """The incidents of one event that are open, or over. `names` are those of its devices, in alphabetical order."""

    event: str
    over: bool
    severity: Severity
    incidents: int
    names: tuple[str, ...]
    noun: str
    """What sent the alerts: `device` or `source`."""
    since: datetime
    until: datetime | None

    @property
    def tag(self) -> str:
        """`over`, or the severity."""
        return "over" if self.over else self.severity.upper()

    def count(self) -> str:
        """Return how many devices there are, and how many alerts if there are more."""
        devices = _number(len(self.names), self.noun)
        return devices if self.incidents == len(self.names) else f"{_number(self.incidents, 'alert')} from {devices}"

    def who(self) -> str:
        """Return the only device's name, or how many there are."""
        return self.names[0] if self.incidents == 1 else self.count()

    def some_names(self, most: int) -> str:
        """Return the first names, and how many more there are."""
        more = len(self.names) - most
        return ", ".join(self.names) if more <= 0 else f"{', '.join(self.names[:most])} and {more:,} more"


def groups(context: DigestContext) -> list[Group]:
    """Return the groups: the open ones first, then the most severe, then the largest."""
    by_event = sorted(context.items, key=_of_group)
    found = [_group(list(items)) for _, items in groupby(by_event, key=_of_group)]
    return sorted(found, key=lambda each: (each.over, -each.severity.rank, -each.incidents, each.event))


def _of_group(item: DigestItem) -> tuple[bool, str]:
    return item.over, item.event


def _group(items: Sequence[DigestItem]) -> Group:
    incidents = [item.incident for item in items]
    names = {(item.incident.device, item.where) for item in items}
    ended = [incident.resolved_at for incident in incidents if incident.resolved_at]
    return Group(
        event=items[0].event,
        over=items[0].over,
        severity=worst(*(incident.severity for incident in incidents)),
        incidents=len(items),
        names=tuple(sorted((name for _, name in names), key=_natural)),
        noun="device" if all(incident.source is Source.PARTICLE for incident in incidents) else "source",
        since=min(incident.opened_at for incident in incidents),
        until=max(ended, default=None) if items[0].over else None,
    )


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts `Room 2` before `Room 10`."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [(int(part), "") if number % 2 else (0, part) for number, part in enumerate(parts)]


def is_urgent(found: Sequence[Group]) -> bool:
    """Return whether something critical is still going on."""
    return any(group.severity is Severity.CRITICAL and not group.over for group in found)


def subject(found: Sequence[Group]) -> str:
    """Return a subject such as `[CRITICAL] 195 alerts: power/lost and 2 more`."""
    return one_line(f"[{_tag(found)}] {_total(found)}: {_events(found)}", 140)


def bodies(context: DigestContext, found: Sequence[Group], subject: str) -> Bodies:
    """Render a digest's text and HTML, with as many names as fit."""
    over = sum(group.incidents for group in found if group.over)
    total = sum(group.incidents for group in found)
    lead = f"{_total(found)} in one message: too many came for a message each."
    if 0 < over < total:
        lead += f" {over:,} of them {'is' if over == 1 else 'are'} over."
    view = {
        "subject": subject,
        "preview": shorten("; ".join(_summaries(context, found, [SHORT_NAMES] * len(found))), 200),
        "tag": _tag(found),
        "color": OVER_COLOR if found[0].over else COLORS[found[0].severity],
        "where": _total(found),
        "event": _events(found),
        "when": _span(
            context,
            min(group.since for group in found),
            max(g.until or context.now for g in found),
            over=over == total,
        ),
        "lead": lead,
        "facts": [("Digest", context.digest_id), ("Sent", context.time(context.now))],
    }
    for names, most in SIZES:
        shown = {
            **view,
            "groups": [_shown(context, group, names) for group in found[:most]],
            "rest": _rest(found[most:]),
        }
        made = Bodies(template("digest.txt").render(shown), template("digest.html").render(shown))
        if sum(map(encoded_size, made)) <= LARGEST:
            break
    return made


def sms(context: DigestContext, found: Sequence[Group]) -> str:
    """Return a digest in one segment of 160 GSM-7 septets, with as many groups and names as fit."""
    return next((text for text in _texts(context, found) if septets(text) <= SEGMENT), gsm7(_shortest(found)))


def _texts(context: DigestContext, found: Sequence[Group]) -> Iterator[str]:
    """Yield texts that say less and less. Whatever isn't shown is counted."""
    head = f"{_tag(found)} " if len(found) == 1 else f"{_tag(found)} {_total(found)}: "
    for names, longest in _shrinking(len(found)):
        parts = [*_summaries(context, found, names, longest), _rest(found[len(names) :])]
        yield gsm7(head + "; ".join(filter(None, parts)).replace(" — ", " - "), 10 * SEGMENT)


def _shrinking(number: int) -> Iterable[tuple[Sequence[int], int]]:
    """Yield how many names of each group to show, fewer groups at last, and how many characters of an event."""
    yield from (([most] * number, 44) for most in range(SHORT_NAMES, 0, -1))
    yield from (([most, *[0] * (number - 1)], 44) for most in range(SHORT_NAMES, 0, -1))
    yield from (([0] * shown, longest) for longest in (44, 24, 16) for shown in range(min(number, 8), 0, -1))


def _shortest(found: Sequence[Group]) -> str:
    return f"{_tag(found)} {_total(found)}: {_events(found)}"


def _summaries(context: DigestContext, found: Sequence[Group], names: Sequence[int], longest: int = 80) -> list[str]:
    """Return each group in a line, such as `power/lost: 3 devices since 03:12 — Cellar, Gate and 1 more`.

    `names` has the number of names for each of the groups that are shown. If all is over, the message itself says so.
    """
    lines = []
    for group, most in zip(found, names, strict=False):
        line = ("over: " if group.over and not found[0].over else "") + _what(context, group, longest)
        lines.append(f"{line} — {group.some_names(most)}" if most and group.incidents > 1 else line)
    return lines


def _what(context: DigestContext, group: Group, longest: int = 80) -> str:
    span = _span(context, group.since, group.until or context.now, over=group.over)
    return f"{shorten(group.event, longest)}: {shorten(group.who(), 40)} {span}"


def _shown(context: DigestContext, group: Group, names: int) -> dict[str, str]:
    """Return a group for the mail: its title, and the names unless the title has the only one."""
    listed = group.some_names(names) if group.incidents > 1 else ""
    separator = ": " if group.over else " "
    return {"title": f"{group.tag}{separator}{_what(context, group)}", "names": listed}


def _rest(left_out: Sequence[Group]) -> str:
    """Return how many events and alerts are left out, or nothing."""
    if not left_out:
        return ""
    alerts = _number(sum(group.incidents for group in left_out), "alert")
    return f"and {_number(len({group.event for group in left_out}), 'more event')}, {alerts}"


def _span(context: DigestContext, since: datetime, until: datetime, *, over: bool) -> str:
    return f"from {context.minute(since)} to {context.minute(until)}" if over else f"since {context.minute(since)}"


def _tag(found: Sequence[Group]) -> str:
    return "RESOLVED" if found[0].over else found[0].tag


def _total(found: Sequence[Group]) -> str:
    return _number(sum(group.incidents for group in found), "alert")


def _events(found: Sequence[Group]) -> str:
    more = len({group.event for group in found} - {found[0].event})
    return found[0].event + (f" and {more:,} more" if more else "")


def _number(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
