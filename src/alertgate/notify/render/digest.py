"""Render a digest, one message about many incidents: as a mail, and as one text message. Pure.

The incidents are grouped by event, those that are over apart from the others. Every device is named or counted. What
ended only because no more alerts came isn't called over: nobody has said so.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from alertgate.credential import Credential
from alertgate.model import ChannelName, IncidentStatus, Severity, Source, worst
from alertgate.notify.context import DigestContext, DigestItem
from alertgate.notify.course import listed
from alertgate.notify.render import wording
from alertgate.notify.render.hand_back_words import all_handed_back
from alertgate.notify.render.mail import COLORS, LARGEST, OVER_COLOR, Bodies, encoded_size, template
from alertgate.notify.render.text import SEGMENT, gsm7, one_line, septets, short_ids, shorten, with_link

SIZES = ((1000, 100), (200, 60), (100, 40), (50, 40), (20, 30), (10, 20), (3, 20), (1, 10))
"""How many names a group shows, and how many groups a mail; tried in order until it is small enough."""
MOST_FIT = 20
"""Groups beyond which not all can fit into a text message, so that none of the attempts to show all is made."""
SHORT_NAMES = 3
"""Names of one group in a summary."""

OF_DEVICES = frozenset({Source.PARTICLE, Source.WATCH})


@dataclass(frozen=True, slots=True)
class Group:
    """The incidents of one event that are open, silent, or over; `names` are their devices' in alphabetical order."""

    event: str
    over: bool
    silent: bool
    """Whether they ended only because no more alerts came."""
    acknowledged: bool
    snoozed: bool
    silenced: bool
    severity: Severity
    incidents: int
    alerts: int
    names: tuple[str, ...]
    noun: str
    """What sent the alerts: `device` or `source`."""
    since: datetime
    until: datetime
    """When the last of them ended, or when the last alert came."""

    @property
    def tag(self) -> str:
        """`over`, what somebody has done, or the severity."""
        if self.over:
            return "over"
        done = {"SILENCED": self.silenced, "SNOOZED": self.snoozed, "ACKNOWLEDGED": self.acknowledged}
        return next((word for word, is_so in done.items() if is_so), self.severity.upper())

    @property
    def is_quiet(self) -> bool:
        """Whether somebody has it, or has silenced it."""
        return self.acknowledged or self.silenced

    def count(self) -> str:
        """Return how many devices there are, and how many alerts if there are more."""
        devices = _number(len(self.names), self.noun)
        return devices if self.alerts <= len(self.names) else f"{_number(self.alerts, 'alert')} from {devices}"

    def who(self) -> str:
        """Return the only device's name, or how many there are."""
        if self.incidents > 1:
            return self.count()
        return shorten(self.names[0], 40) + (f" ({self.alerts:,} alerts)" if self.alerts > 1 else "")

    def some_names(self, most: int) -> str:
        """Return the first names, and how many more there are."""
        more = len(self.names) - most
        return ", ".join(self.names) if more <= 0 else f"{', '.join(self.names[:most])} and {more:,} more"


def groups(context: DigestContext) -> list[Group]:
    """Return the groups: those that are over last, before them what somebody has or has silenced.

    Else the most severe first, then the largest.
    """
    by_event = sorted(context.items, key=_of_group)
    found = [_group(list(items)) for _, items in groupby(by_event, key=_of_group)]
    return sorted(found, key=_urgency)


def _urgency(group: Group) -> tuple[bool, bool, int, bool, int, str]:
    return group.over, group.is_quiet, -group.severity.rank, group.silent, -group.incidents, group.event


def _of_group(item: DigestItem) -> tuple[bool, bool, bool, bool, bool, str]:
    return item.over, item.acknowledged, item.snoozed, item.silenced, item.silent, item.event


def _group(items: Sequence[DigestItem]) -> Group:
    incidents = [item.incident for item in items]
    names = {(item.incident.device, item.where) for item in items}
    over = items[0].over
    return Group(
        event=items[0].event,
        over=over,
        silent=items[0].silent,
        acknowledged=items[0].acknowledged,
        snoozed=items[0].snoozed,
        silenced=items[0].silenced,
        severity=worst(*(incident.severity for incident in incidents)),
        incidents=len(items),
        alerts=sum(item.alerts for item in items),
        names=tuple(sorted((name for _, name in names), key=_natural)),
        noun="device" if all(incident.source in OF_DEVICES for incident in incidents) else "source",
        since=min(item.since for item in items),
        until=max((over and each.resolved_at) or each.last_alert_at for each in incidents),
    )


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts `Room 2` before `Room 10`."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [(int(part), "") if number % 2 else (0, part) for number, part in enumerate(parts)]


def is_urgent(found: Sequence[Group]) -> bool:
    """Return whether something critical is still going on."""
    return any(group.severity is Severity.CRITICAL and not (group.over or group.is_quiet) for group in found)


def subject(context: DigestContext, found: Sequence[Group]) -> str:
    """Return a subject such as `[CRITICAL] 195 alerts: power/lost and 2 more`.

    Of what was missed it is `[CRITICAL] 12 alerts of 4 incidents while mail was away, since Monday 03:12`.
    """
    said = f" {_missed(context)}" if context.missed_since else f": {_events(found)}"
    return one_line(f"[{tag(found)}] {_total(found)}{said}", 140)


def bodies(context: DigestContext, found: Sequence[Group], subject: str) -> Bodies:
    """Render a digest's text and HTML, with as many names as fit."""
    is_taken = found[0].over or found[0].acknowledged  # what is open and nobody has comes first
    view = {
        "subject": subject,
        "preview": shorten("; ".join(_summaries(context, found, [SHORT_NAMES] * len(found))), 200),
        "tag": tag(found),
        "color": OVER_COLOR if is_taken else COLORS[found[0].severity],
        "where": _total(found),
        "event": _events(found),
        "when": _missed(context) if context.missed_since else _when(context, found),
        "link": context.link,
        "button": wording.button(IncidentStatus.RESOLVED if is_taken else IncidentStatus.OPEN),
        "lead": _lead(context, found),
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


def _lead(context: DigestContext, found: Sequence[Group]) -> str:
    """Return the first sentences: why this is one message, and how much of it is over."""
    if context.missed_since:
        not_sent = _NOT_SENT.get(context.channel, f"{context.channel} couldn't be reached")
        lead = f"{not_sent} until now. This is what you missed, in one message."
    elif context.was_held:
        lead = f"{_total(found)} in one message: they were held until now."
    elif (going_on := [group for group in found if not group.over]) and all(each.acknowledged for each in going_on):
        lead = f"{_total(found)} in one message: {_who_has_them(context)}"
    elif returned := all_handed_back([item.incident for item in context.items]):
        lead = f"{_total(found)} in one message: {returned}"
    else:
        lead = f"{_total(found)} in one message: too many came for a message each."
    over = sum(group.incidents for group in found if group.over)
    total = sum(group.incidents for group in found)
    them = f"the {total:,} incidents" if context.missed_since else "them"
    return lead + (f" {over:,} of {them} {'is' if over == 1 else 'are'} over." if 0 < over < total else "")


def _who_has_them(context: DigestContext) -> str:
    """Say who has all that isn't over, and whether by a message's button, which a mail scanner may have pressed."""
    incidents = [item.incident for item in context.items if item.acknowledged]
    them = "them" if len(incidents) == len(context.items) else "those that aren't over"
    names = tuple(sorted({one_line(each.acknowledged_by or "somebody", 60) for each in incidents}))
    have = "have" if len(names) > 1 else "has"
    until = {each.snoozed_until for each in incidents}
    if None in until:
        said = f"{listed(names)} {have} {them}."
    else:
        said = f"{listed(names)} {have} snoozed {them} until {context.minute(min(filter(None, until)))}."
    if all(each.acknowledged_with is Credential.LINK for each in incidents):
        said += (
            " It was done by the button of a message: if a mail scanner pressed it, nobody has them, so please look."
        )
    return said


_NOT_SENT = {
    ChannelName.EMAIL: "Mail couldn't be sent",
    ChannelName.SMS: "Text messages couldn't be sent",
    ChannelName.OUTBOX: "The outbox couldn't be written",
    ChannelName.TWILIO: "Text messages couldn't be sent",
    ChannelName.CALL: "Calls couldn't be made",
}
_AWAY = {
    ChannelName.EMAIL: "mail was away",
    ChannelName.SMS: "text messages were away",
    ChannelName.OUTBOX: "the outbox was away",
    ChannelName.TWILIO: "text messages were away",
    ChannelName.CALL: "calls were away",
}


def _missed(context: DigestContext) -> str:
    """Return since when the contact missed this, and why."""
    since = context.day_minute(context.missed_since or context.now, "%A")
    return f"while {_AWAY.get(context.channel, f'{context.channel} was away')}, since {since}"


def summary(context: DigestContext, found: Sequence[Group]) -> list[str]:
    """Return a digest in lines: why it is one message, and a line for each of the first groups."""
    shown = found[:10]
    lines = [
        f"{each.tag}: {said}" for each, said in zip(shown, _summaries(context, shown, [5] * len(shown)), strict=True)
    ]
    return [*lines, *filter(None, [_rest(found[len(shown) :])]), _lead(context, found)]


def sms(context: DigestContext, found: Sequence[Group]) -> str:
    """Return a digest in one segment of 160 GSM-7 septets, with as many groups and names as fit."""
    text = next((text for text in _texts(context, found) if septets(text) <= SEGMENT), _shortest(found))
    return with_link(text, context.link)


def _texts(context: DigestContext, found: Sequence[Group]) -> Iterator[str]:
    """Yield texts that say less and less. Whatever isn't shown is counted."""
    head = f"{tag(found)} " if len(found) == 1 else f"{tag(found)} {_total(found)}: "
    if context.missed_since:
        head = f"{tag(found)} {_total(found)} missed since {context.day_minute(context.missed_since)}: "
    for names, longest, times in _shrinking(len(found)):
        parts = [*_summaries(context, found, names, longest, times=times), _rest(found[len(names) :])]
        yield gsm7(short_ids(head + "; ".join(filter(None, parts)).replace(" — ", " - ")), 10 * SEGMENT)


def _shrinking(number: int) -> Iterable[tuple[Sequence[int], int, bool]]:
    """Yield how many names of each group to show, how many characters of an event, and whether to say its times.

    The times are left out before groups are.
    """
    if number <= MOST_FIT:
        yield from (([most] * number, 44, True) for most in range(SHORT_NAMES, 0, -1))
        yield from (([most, *[0] * (number - 1)], 44, True) for most in range(SHORT_NAMES, -1, -1))
        yield from (([0] * number, longest, False) for longest in (44, 24))
    fewer = range(min(number, 8), 0, -1)
    yield from (([0] * shown, longest, times) for times in (True, False) for longest in (44, 24, 16) for shown in fewer)


def _shortest(found: Sequence[Group]) -> str:
    return f"{tag(found)} {_total(found)}: {_events(found)}"


def _summaries(
    context: DigestContext, found: Sequence[Group], names: Sequence[int], longest: int = 80, *, times: bool = True
) -> list[str]:
    """Return each group in a line, such as `power/lost: 3 devices since 03:12 — Cellar, Gate and 1 more`.

    `names` has the number of names for each of the groups that are shown. If all is over, the message itself says so.
    """
    lines = []
    for group, most in zip(found, names, strict=False):
        line = ("over: " if group.over and not found[0].over else "") + _what(context, group, longest, times=times)
        lines.append(f"{line} — {group.some_names(most)}" if most and group.incidents > 1 else line)
    return lines


def _what(context: DigestContext, group: Group, longest: int = 80, *, times: bool = True) -> str:
    state = f" {_span(context, group)}" if times else ", silent" if group.silent else ""
    return f"{shorten(group.event, longest)}: {group.who()}{state}"


def _shown(context: DigestContext, group: Group, names: int) -> dict[str, str]:
    """Return a group for the mail: its title, and the names unless the title has the only one."""
    listed = group.some_names(names) if group.incidents > 1 else ""
    separator = ": " if group.over else " "
    return {"title": f"{group.tag}{separator}{_what(context, group)}", "names": listed}


def _rest(left_out: Sequence[Group]) -> str:
    """Return how many events and alerts are left out, or nothing."""
    if not left_out:
        return ""
    return f"and {_number(len({group.event for group in left_out}), 'more event')}, {_total(left_out)}"


def _span(context: DigestContext, group: Group) -> str:
    """Return since when a group fires, or from when to when it fired."""
    since, until = context.day_minute(group.since), context.day_minute(group.until)
    if group.silent:
        return f"fired {since}, silent since" + (f" {until}" if until != since else "")
    if not group.over:
        return f"since {since}"
    return f"fired {since}, over {until}" if group.incidents == 1 else f"from {since} to {until}"


def _when(context: DigestContext, found: Sequence[Group]) -> str:
    """Return since when it all fires; from when to when, if all is over."""
    since, until = min(group.since for group in found), max(group.until for group in found)
    if not all(group.over for group in found):
        return f"since {context.day_minute(since)}"
    return f"from {context.day_minute(since)} to {context.day_minute(until)}"


def tag(found: Sequence[Group]) -> str:
    """Return the first word of a digest: how it is with what comes first."""
    return "RESOLVED" if found[0].over else found[0].tag


def _total(found: Sequence[Group]) -> str:
    """Return how many alerts there are, and of how many incidents if that differs; ends alone are no alerts."""
    alerts, incidents = (sum(getattr(group, of) for group in found) for of in ("alerts", "incidents"))
    if not alerts:
        return _number(incidents, "incident")
    return _number(alerts, "alert") + (f" of {_number(incidents, 'incident')}" if alerts != incidents else "")


def _events(found: Sequence[Group]) -> str:
    more = len({group.event for group in found} - {found[0].event})
    return found[0].event + (f" and {more:,} more" if more else "")


def _number(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
