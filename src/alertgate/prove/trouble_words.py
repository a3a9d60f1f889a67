"""The sentences about alertgate's own troubles, in one table. Pure."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from alertgate.channel_kinds import AS_MAIL
from alertgate.local_time import clock_time
from alertgate.model import ChannelName
from alertgate.own_events import AWAY_EVENT
from alertgate.prove.cause_words import CAUSES
from alertgate.prove.hint_words import TITLES
from alertgate.prove.troubles import BEGIN_ONCE, OTHERS, Cause, Subject, Tally, Trouble

Name = TypeVar("Name")

MOST_NAMED = 3
"""How many senders a sentence names; the alert's data has more."""

LEAD = "alertgate itself has a problem."


class TroubleWords(NamedTuple):
    """The words for one kind of trouble."""

    title: str
    """For a subject; it never changes during an incident."""
    one: str
    """What occurred, once; `{about}` and `{whose}` are replaced."""
    many: str
    """What occurred, several times; `{count}` is replaced too."""
    means: str
    over: str
    detail: str = ""
    """The sentence that says the latest detail, `{detail}`."""
    lead: str = LEAD
    """The first sentence of a message about its beginning."""
    whose: str = "from"
    """What stands before the names of the senders."""


TROUBLES: Mapping[Trouble, TroubleWords] = MappingProxyType(
    {
        Trouble.REFUSED: TroubleWords(
            title="alerts refused",
            one="1 alert{whose} refused",
            many="{count:,} alerts{whose} refused",
            means="Nobody is told of a refused alert unless its sender sends it again.",
            over="None was refused since. Nobody was told of those that weren't sent again.",
        ),
        Trouble.SHORTENED: TroubleWords(
            title="alerts shortened",
            one="1 alert{whose} shortened",
            many="{count:,} alerts{whose} shortened",
            means="None is lost. Of each only the beginning was stored, so that the disk doesn't fill up.",
            over="None was shortened since.",
        ),
        Trouble.POLICY: TroubleWords(
            title="file can't be used",
            one="Policy file not used",
            many="Policy file not used",
            means="What was in force before stays in force; what the file says now doesn't count.",
            over="A good policy is in force again, or it was forgotten on purpose.",
        ),
        Trouble.CHANNEL: TroubleWords(
            title="channel paused",
            one="Channel {about} paused",
            many="Channel {about} paused",
            means="Its notifications wait, and one at a time is tried. They are sent when it works again, or fail for "
            "good after GIVE_UP_AFTER.",
            over="No process finds it paused any more; what waited is on its way.",
            detail="The last answer was: {detail}",
        ),
        Trouble.CREDENTIALS: TroubleWords(
            title="sender refused",
            one="Requests{whose} refused",
            many="Requests{whose} refused",
            means="If this is a sender of yours, its alerts are lost: nobody is told of them. This is said once a day.",
            over="Look for answers 401 in the log to see whether it goes on.",
            detail="Seen so far: {detail}.",
            lead="alertgate refuses a sender that may be yours.",
        ),
        Trouble.LIMIT: TroubleWords(
            title="daily limit near",
            one="The daily limit of {about} is near",
            many="The daily limit of {about} is near",
            means="From 80 % on, what isn't critical goes as digests; from 90 % on, only what is critical; at the "
            "limit nothing, until there is room again.",
            over="There is room again.",
            detail="Messages within 24 hours: {detail}.",
        ),
        Trouble.DISK: TroubleWords(
            title="disk almost full",
            one="Disk almost full",
            many="Disk almost full",
            means="Until there is room, only the beginning of large alerts is stored, and only a quarter of "
            "RETENTION_DAYS kept. When it is full, alerts are refused: nobody is told of them unless their senders "
            "send them again.",
            over="There is room again.",
            detail="Free: {detail}.",
        ),
        Trouble.AUDIT: TroubleWords(
            title="audit",
            one="Audit failed",
            many="Audit failed",
            means="Somebody may not have been told of an alert, or is told late.",
            over="No process finds it any more.",
            detail="Found: {detail}.",
        ),
        Trouble.FAILED: TroubleWords(
            title="not delivered",
            one="1 notification{whose} not delivered",
            many="{count:,} notifications{whose} not delivered",
            means="These recipients were not told. `alertgate failures` and /status list what of.",
            over="All were delivered, dismissed, or made needless by later ones.",
            whose="to",
        ),
    }
)

_TITLES: Mapping[str, str] = {
    **{trouble.value: words.title for trouble, words in TROUBLES.items()},
    **{hint.value: title for hint, title in TITLES.items()},
    AWAY_EVENT: "was away",
}
_LEADS: Mapping[str, str] = {
    **{trouble.value: words.lead for trouble, words in TROUBLES.items()},
    AWAY_EVENT: "alertgate was away, and is back.",
}


def title(event: str, about: str | None) -> str:
    """Return the title of an own incident, such as `alerts refused (generic webhook)`."""
    named = _TITLES.get(event, event)
    return f"{named} ({about})" if about else named


def lead(event: str) -> str:
    """Return the first sentence of a message about the beginning of an own trouble."""
    return _LEADS.get(event, LEAD)


def message(subject: Subject, tally: Tally | None, now: datetime, *, over: bool) -> str:
    """Return what happened, what it means, and what to do, one line each; or, if it is over, that it is.

    The first line is short enough for a text message. `now` is in the time zone of the readers. Without a tally, there
    is nothing to say about the past.
    """
    words = TROUBLES[subject.trouble]
    if tally is None:
        return words.over if over else words.means
    count = words.one if tally.count == 1 else words.many
    happened = count.format(count=tally.count, whose=_whose(tally.senders, words.whose), about=subject.about)
    when = _when(tally, now, over=over, lasting=subject.trouble in BEGIN_ONCE)
    lines = [f"{happened} {when}: {_why(tally.causes)}."]
    if over:
        return "\n".join([*lines, words.over])
    if tally.detail:
        lines.append(words.detail.format(detail=tally.detail))
    means = next((text for cause in _by_count(tally.causes) if (text := CAUSES[cause].means)), words.means)
    return "\n".join([*lines, means, f"What to do: {_remedies(subject, tally)}"])


def _remedies(subject: Subject, tally: Tally) -> str:
    """Return what to do. The settings of a service are other ones than the mail server's, and its page has them."""
    if subject.trouble is Trouble.CHANNEL and subject.about not in AS_MAIL:
        page = ChannelName.TWILIO if subject.about == ChannelName.CALL else subject.about
        return (
            "Run `alertgate check`, which asks the service and names what to correct; the table in "
            f"docs/channels/{page}.md has each failure. alertgate tries again by itself."
        )
    return " ".join(CAUSES[cause].remedy for cause in _by_count(tally.causes))


def _when(tally: Tally, now: datetime, *, over: bool, lasting: bool) -> str:
    first, last = (_minute(time.astimezone(now.tzinfo), now) for time in (tally.first, tally.last))
    if (over and first == last) or (tally.count == 1 and not lasting):
        return f"at {first}"
    return f"from {first} to {last}" if over else f"since {first}"


def _minute(time: datetime, now: datetime) -> str:
    return clock_time(time, "%H:%M" if time.date() == now.date() else "%Y-%m-%d %H:%M")


def _whose(senders: Mapping[str, int], preposition: str) -> str:
    names = [name for name in _by_count(senders) if name != OTHERS]
    if not names:
        return ""
    others = len(names) - MOST_NAMED
    if OTHERS in senders:
        return f" {preposition} {', '.join(names[:MOST_NAMED])} and others"
    if others > 0:
        return f" {preposition} {', '.join(names[:MOST_NAMED])} and {others} more"
    return f" {preposition} {', '.join([*names[:-2], ' and '.join(names[-2:])])}"


def _why(causes: Mapping[Cause, int]) -> str:
    if len(causes) == 1:
        return CAUSES[next(iter(causes))].why
    return ", ".join(f"{CAUSES[cause].why} ({causes[cause]:,})" for cause in _by_count(causes))


def _by_count(counts: Mapping[Name, int]) -> list[Name]:
    return sorted(counts, key=lambda name: -counts[name])
