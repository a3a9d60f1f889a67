"""Whether all is well, in one line that can be trusted. Pure.

Whatever can't be known says so: "all is well" stands only where everything was looked at, and lately.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from alertgate.model import Severity, Source
from alertgate.prove.audit import Audit
from alertgate.prove.going_on import MOST_COUNTED
from alertgate.web.console.excerpts import first_names
from alertgate.web.console.times import roughly

MOST_NAMES = 5
AUDIT_IS_OLD = timedelta(minutes=2)
"""The auditor looks four times a minute."""


class Reason(StrEnum):
    """Why all is well, or isn't; in the order in which they are said."""

    UNREADABLE = "unreadable"  # the database can't be read: nothing that is shown is known
    UNWRITABLE = "unwritable"  # no alert can be stored
    STUCK = "stuck"  # nothing is sent
    NOBODY = "nobody"  # there is nobody who could be told
    CRITICAL = "critical"  # a critical incident is open, and nobody has it
    AUDIT_FOUND = "audit_found"
    PAUSED = "paused"
    NOBODY_HAS_IT = "nobody_has_it"  # incidents are open
    UNSENT = "unsent"  # mails to some are only written to the outbox
    FAILURES = "failures"  # notifications failed, and nobody has dealt with that
    POLICY = "policy"
    LIMIT = "limit"
    OWN_TROUBLE = "own_trouble"
    AUDIT_OLD = "audit_old"
    UNAUDITED = "unaudited"  # the auditor hasn't looked yet
    UNCOUNTED = "uncounted"  # failures haven't been counted yet
    SILENT = "silent"  # devices are
    GOING_ON = "going_on"  # somebody has each incident
    UNHEARD = "unheard"  # no webhook has ever come
    WELL = "well"


class Level(StrEnum):
    """How bad that is; the value is a class of the style sheet."""

    CRITICAL = "critical"
    WARNING = "warning"
    UNKNOWN = "unknown"
    INFO = "info"
    WELL = "over"


_LEVELS = MappingProxyType(
    {
        Reason.UNREADABLE: Level.CRITICAL,
        Reason.UNWRITABLE: Level.CRITICAL,
        Reason.STUCK: Level.CRITICAL,
        Reason.NOBODY: Level.CRITICAL,
        Reason.AUDIT_FOUND: Level.CRITICAL,
        Reason.PAUSED: Level.CRITICAL,
        Reason.CRITICAL: Level.CRITICAL,
        Reason.NOBODY_HAS_IT: Level.WARNING,
        Reason.UNSENT: Level.WARNING,
        Reason.FAILURES: Level.WARNING,
        Reason.POLICY: Level.WARNING,
        Reason.LIMIT: Level.WARNING,
        Reason.OWN_TROUBLE: Level.WARNING,
        Reason.AUDIT_OLD: Level.UNKNOWN,
        Reason.UNAUDITED: Level.UNKNOWN,
        Reason.UNCOUNTED: Level.UNKNOWN,
        Reason.SILENT: Level.WARNING,
        Reason.GOING_ON: Level.INFO,
        Reason.UNHEARD: Level.UNKNOWN,
        Reason.WELL: Level.WELL,
    }
)
_WORDS = MappingProxyType(
    {
        Level.CRITICAL: "NOT WELL",
        Level.WARNING: "LOOK",
        Level.UNKNOWN: "NOT KNOWN",
        Level.INFO: "GOING ON",
        Level.WELL: "ALL IS WELL",
    }
)


@dataclass(frozen=True, slots=True)
class Known:
    """What the database knows."""

    number: int
    """Of the incidents that aren't over."""
    untaken: int
    """How many of them nobody has, or has silenced."""
    worst: Severity | None
    """Of those."""
    silent: int
    """Devices that are silent."""
    heard: tuple[Source, datetime] | None
    """The last webhook."""
    silenced: int = 0
    """How many incidents a silence holds that nobody has."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the verdict is made from. Each line of a tuple is a sentence of its own."""

    stored: str = ""
    """Why alerts can't be stored; empty if they can."""
    delivery: str = ""
    """Why nothing is sent; empty if the loop runs."""
    can_tell: bool = True
    """Whether there is anybody to tell, by more than the outbox."""
    unsent: Sequence[str] = ()
    """Those whose mails are only written to the outbox, because no mail server is set."""
    paused: Sequence[str] = ()
    limits: Sequence[str] = ()
    policy: Sequence[str] = ()
    own: Sequence[str] = ()
    failures: Sequence[str] | None = ()
    """None: they haven't been counted yet."""
    audit: Audit | None = None
    known: Known | None = None
    """None: the database can't be read."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing that is so, and what to do about it."""

    reason: Reason
    sentence: str
    todo: str = ""
    link: str = ""
    """The page that says more."""

    @property
    def level(self) -> Level:
        """How bad it is."""
        return _LEVELS[self.reason]

    @property
    def word(self) -> str:
        """The same in a word."""
        return _WORDS[self.level]


def judge(facts: Facts, now: datetime) -> list[Verdict]:
    """Return what is so, the worst first; the first one is the verdict."""
    order = list(Reason)
    found = sorted(_all(facts, now), key=lambda each: order.index(each.reason))
    return found or [_well(facts, now)]


def _all(facts: Facts, now: datetime) -> Iterator[Verdict]:
    if facts.stored:
        todo = "Senders are told to try again, and do for a while. See to the database, its disk and the log at once."
        yield Verdict(Reason.UNWRITABLE, f"No alert can be stored: {facts.stored}.", todo)
    if facts.delivery:
        yield Verdict(Reason.STUCK, f"Nothing is sent: {facts.delivery}.", "Its log says why.")
    yield from _told(facts)
    for line in facts.paused:
        todo = "What is due waits, and is sent once it works. Its page has the server's own words."
        yield Verdict(Reason.PAUSED, _sentence(line), todo, "/channels")
    for line in facts.failures or ():
        yield Verdict(Reason.FAILURES, _sentence(line), link="/channels")
    for line in facts.policy:
        todo = "Run `alertgate check`, and mend the file."
        yield Verdict(Reason.POLICY, _sentence(line), todo)
    for line in facts.limits:
        yield Verdict(Reason.LIMIT, _sentence(line), link="/channels")
    for line in facts.own:
        yield Verdict(Reason.OWN_TROUBLE, _sentence(line), link="/incidents")
    if facts.failures is None:
        yield Verdict(Reason.UNCOUNTED, "Whether messages have failed isn't known yet.", "Load this page again.")
    yield from _audited(facts.audit, now)
    yield from _stands(facts.known)


def _told(facts: Facts) -> Iterator[Verdict]:
    """Yield whether some or all can't be told, by the settings alone."""
    todo = "Set one, and whom to tell, as README's “Real mail” says, and restart."
    if facts.can_tell and facts.unsent:
        them = first_names(facts.unsent, MOST_NAMES)
        said = f"No mail server is set: mails to {them} are only written to the outbox, which tells nobody."
        yield Verdict(Reason.UNSENT, said, todo, "/people")
    elif facts.unsent:
        said = "Nobody is told of anything: no mail server is set, so messages are only written to the outbox."
        yield Verdict(Reason.NOBODY, said, todo, "/people")
    elif not facts.can_tell:
        todo = "Set RECIPIENT_EMAIL, or name people in alertgate.toml."
        yield Verdict(Reason.NOBODY, "Nobody can be told of anything: there are no recipients.", todo, "/people")


def _audited(audit: Audit | None, now: datetime) -> Iterator[Verdict]:
    if audit is None:
        said = "The auditor hasn't looked yet, so nobody knows whether all that was to be told was told."
        yield Verdict(Reason.UNAUDITED, said, "It looks every 15 seconds: load this page again.")
        return
    for line in audit.say():
        yield Verdict(Reason.AUDIT_FOUND, f"The auditor found {line}.")
    if now - audit.at > AUDIT_IS_OLD:
        said = f"The auditor last looked {roughly(now - audit.at)} ago, so what is so now isn't known."
        yield Verdict(Reason.AUDIT_OLD, said, "If that persists, restart the service, and read its log.")


def _stands(known: Known | None) -> Iterator[Verdict]:
    if known is None:
        said = "The database can't be read, so what is going on isn't known."
        yield Verdict(Reason.UNREADABLE, said, "See to the database, its disk and the log; then load this page again.")
        return
    if known.number:
        yield _open(known)
    if known.silent:
        yield Verdict(
            Reason.SILENT, f"{_number(known.silent, 'device')} silent for longer than expected.", link="/devices"
        )
    if known.heard is None:
        said = "No webhook has come yet, so nothing is known of any device."
        yield Verdict(Reason.UNHEARD, said, "Publish an event, and see it arrive here.", "/alerts")


def _open(known: Known) -> Verdict:
    are = _number(known.number, "incident")
    if not known.untaken:
        has = "it" if known.number == 1 else "each of them"
        silenced = ", or has silenced it" if known.silenced else ""
        return Verdict(Reason.GOING_ON, f"{are} going on, and somebody has {has}{silenced}.")
    reason = Reason.CRITICAL if known.worst is Severity.CRITICAL else Reason.NOBODY_HAS_IT
    at_least = "at least " if known.number >= MOST_COUNTED else ""
    some = f"{at_least}{known.untaken:,} of them"
    nobody = "it" if known.number == 1 else "any of them" if known.untaken == known.number else some
    return Verdict(reason, f"{are} going on, and nobody has {nobody}.", "Press “I'm on it” below, and look after it.")


def _number(number: int, noun: str) -> str:
    if number == 1:
        return f"1 {noun} is"
    return f"More than {MOST_COUNTED:,} {noun}s are" if number >= MOST_COUNTED else f"{number:,} {noun}s are"


def _well(facts: Facts, now: datetime) -> Verdict:
    audited = roughly(now - facts.audit.at) if facts.audit else ""
    when = "just now" if audited == "now" else f"{audited} ago"
    said = f"Nothing is going on, and all that was due was told: the auditor looked {when}."
    return Verdict(Reason.WELL, said)


def _sentence(line: str) -> str:
    """Return a line as a sentence."""
    said = line[:1].upper() + line[1:]
    return said if said.endswith((".", "!", "?")) else f"{said}."
