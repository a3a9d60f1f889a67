"""The sentences about alertgate's own troubles, in one table. Pure."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from alertgate.prove.hint_words import TITLES
from alertgate.prove.troubles import LASTING, OTHERS, Cause, Subject, Tally, Trouble

Name = TypeVar("Name")

MOST_NAMED = 3
"""How many senders a sentence names; the alert's data has more."""


class TroubleWords(NamedTuple):
    """The words for one kind of trouble."""

    title: str
    """For a subject; it never changes during an incident."""
    one: str
    """What occurred, once; `{whose}` is replaced."""
    many: str
    """What occurred, several times; `{count}` and `{whose}` are replaced."""
    means: str
    over: str
    whose: str = "from"
    """What stands before the names of the senders."""


class CauseWords(NamedTuple):
    """The words for one cause."""

    why: str
    remedy: str


TROUBLES: Mapping[Trouble, TroubleWords] = MappingProxyType(
    {
        Trouble.REFUSED: TroubleWords(
            title="alerts refused",
            one="1 alert{whose} refused",
            many="{count:,} alerts{whose} refused",
            means="Nobody is told of a refused alert unless its sender sends it again.",
            over="None was refused since. Nobody was told of those that weren't sent again.",
        ),
        Trouble.POLICY: TroubleWords(
            title="file can't be used",
            one="Policy file not used",
            many="Policy file not used",
            means="What was in force before stays in force; what the file says now doesn't count.",
            over="A good policy is in force again, or it was forgotten on purpose.",
        ),
        Trouble.FAILED: TroubleWords(
            title="not delivered",
            one="1 notification{whose} not delivered",
            many="{count:,} notifications{whose} not delivered",
            means="They won't be sent again by themselves: these recipients were not told. `alertgate failures` and "
            "/status list them.",
            over="All were delivered, dismissed, or made needless by later ones.",
            whose="to",
        ),
    }
)
CAUSES: Mapping[Cause, CauseWords] = MappingProxyType(
    {
        Cause.ADDRESS_LIMIT: CauseWords(
            "over RATE_LIMIT",
            "Find out why so much is sent from one address. If that is right, raise RATE_LIMIT; if it is your proxy's "
            "address, set TRUSTED_PROXIES.",
        ),
        Cause.DEVICE_LIMIT: CauseWords(
            "over PARTICLE_RATE_LIMIT",
            "Find out why the device publishes so often. If that is right, raise PARTICLE_RATE_LIMIT.",
        ),
        Cause.TOO_LARGE: CauseWords("larger than MAX_BODY_BYTES", "Send less in one alert, or raise MAX_BODY_BYTES."),
        Cause.STORE_UNAVAILABLE: CauseWords(
            "the database couldn't be used", "Look for store.failed in the log: it has the database's error."
        ),
        Cause.STORE_SLOW: CauseWords(
            "the database was too slow",
            "Look for what slows the database down, such as a lock or a full disk. Some of the alerts may be stored "
            "all the same.",
        ),
        Cause.STORE_REFUSED: CauseWords(
            "the database refused what they hold",
            "Look for alert.refused in the log: it has the alerts' events and the database's error. Please report it, "
            "because alertgate should store any alert.",
        ),
        Cause.POLICY_MISSING: CauseWords(
            "missing",
            "Restore the file, or name another one in POLICY_FILE; then send SIGHUP. To have no policy, run "
            "`alertgate policy forget`.",
        ),
        Cause.POLICY_INVALID: CauseWords(
            "invalid", "Run `alertgate check`, which names each problem; fix the file, and send SIGHUP."
        ),
        Cause.POLICY_UNSTORED: CauseWords(
            "the database couldn't store it", "Send SIGHUP again: the database works now."
        ),
        Cause.POLICY_FOREIGN: CauseWords(
            "the stored policy is from another version of alertgate",
            "Run the same version everywhere, then send SIGHUP.",
        ),
        Cause.RECIPIENT_REFUSED: CauseWords(
            "refused for good",
            "Tell these people yourself. Correct the address, or have the server accept it; then run `alertgate retry "
            "--all`. What needn't be sent any more: `alertgate dismiss`.",
        ),
        Cause.RECIPIENT_REMOVED: CauseWords(
            "the recipient is no longer in the settings",
            "Dismiss them with `alertgate dismiss`, or add the recipient again and run `alertgate retry --all`.",
        ),
        Cause.GAVE_UP: CauseWords(
            "given up after GIVE_UP_AFTER",
            "Find out why nothing was accepted: /status has each channel's last error. Then run `alertgate retry "
            "--all`. What needn't be sent any more: `alertgate dismiss`.",
        ),
    }
)


_TITLES: Mapping[str, str] = {
    **{trouble.value: words.title for trouble, words in TROUBLES.items()},
    **{hint.value: title for hint, title in TITLES.items()},
}


def title(event: str, about: str | None) -> str:
    """Return the title of an own incident, such as `alerts refused (generic webhook)`."""
    named = _TITLES.get(event, event)
    return f"{named} ({about})" if about else named


def message(subject: Subject, tally: Tally | None, now: datetime, *, over: bool) -> str:
    """Return what happened, what it means, and what to do, one line each; or, if it is over, that it is.

    The first line is short enough for a text message. `now` is in the time zone of the readers. Without a tally, there
    is nothing to say about the past.
    """
    words = TROUBLES[subject.trouble]
    if tally is None:
        return words.over if over else words.means
    count = words.one if tally.count == 1 else words.many
    happened = count.format(count=tally.count, whose=_whose(tally.senders, words.whose))
    when = _when(tally, now, over=over, lasting=subject.trouble in LASTING)
    first_line = f"{happened} {when}: {_why(tally.causes)}."
    if over:
        return f"{first_line}\n{words.over}"
    remedies = " ".join(CAUSES[cause].remedy for cause in _by_count(tally.causes))
    return f"{first_line}\n{words.means}\nWhat to do: {remedies}"


def _when(tally: Tally, now: datetime, *, over: bool, lasting: bool) -> str:
    first, last = (_minute(time.astimezone(now.tzinfo), now) for time in (tally.first, tally.last))
    if (over and first == last) or (tally.count == 1 and not lasting):
        return f"at {first}"
    return f"from {first} to {last}" if over else f"since {first}"


def _minute(time: datetime, now: datetime) -> str:
    return f"{time:{'%H:%M' if time.date() == now.date() else '%Y-%m-%d %H:%M'}}"


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
