"""alertgate's own troubles: what is known about one, and when it is reported as an alert of the gate itself. Pure.

`accept/own.py` records these alerts; `trouble_words.py` has their sentences. A notification about an own incident must
never raise a trouble: alertgate would answer itself for ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError

from alertgate.model import Incident, Json, Severity
from alertgate.own_events import ABOUT_DELIVERY, AUDIT_EVENT, CHANNEL_EVENT, CREDENTIALS_EVENT, FAILED_EVENT

Name = TypeVar("Name")

MOST_SENDERS = 20
OTHERS = "others"
"""The senders beyond MOST_SENDERS, counted together."""

GOES_ON = 0.5
"""A trouble goes on if it occurred within this part of GROUP_INTERVAL; else its end will say how often it occurred."""
SAY_AGAIN = 0.8
"""The part of GROUP_INTERVAL between two reports of a trouble that goes on. Less than 1: another replica, for which it
is over, waits for GROUP_INTERVAL, and must see the report before it says so."""
ABANDONED = 2
"""How many times GROUP_INTERVAL an incident stays open whose process has ended without a word."""
CONFIRMED_FOR = timedelta(minutes=5)
"""Stands for GROUP_INTERVAL where processes confirm that a trouble lasts: all of them must use the same."""
DAY = timedelta(days=1)


class Trouble(StrEnum):
    """What can be wrong with the gate; the value is the event of its alerts."""

    REFUSED = "alertgate/refused"  # alerts with a right credential were answered 413, 429 or 503
    SHORTENED = "alertgate/shortened"  # of alerts only the beginning was stored, because they were so many large ones
    POLICY = "alertgate/policy"  # the policy's file can't be used, so what was in force before stays so
    CHANNEL = CHANNEL_EVENT  # a channel has been paused for longer than a minute
    CREDENTIALS = CREDENTIALS_EVENT  # a sender is refused again and again, because its credential is wrong
    LIMIT = "alertgate/limit"  # an account nears SMTP_DAILY_LIMIT or TWILIO_DAILY_LIMIT
    DISK = "alertgate/disk"  # the disk of DATA_DIR is almost full
    AUDIT = AUDIT_EVENT  # the auditor has found something for longer than a minute
    FAILED = FAILED_EVENT  # failed notifications are outstanding, about other incidents than alertgate's own


LASTING = frozenset({Trouble.POLICY, Trouble.LIMIT, Trouble.DISK, Trouble.FAILED})
"""Troubles that begin once and last until they are cleared. All processes see the same, so any of them may clear it."""
CONFIRMED = frozenset({Trouble.CHANNEL, Trouble.AUDIT})
"""Troubles that begin once, and that each process sees for itself: they last as long as any process confirms it."""
DAILY = frozenset({Trouble.CREDENTIALS})
"""Troubles that are said once a day at most. Nobody says when they are over: strangers can make them occur."""
BEGIN_ONCE = LASTING | CONFIRMED | DAILY
"""The others occur again and again, and are counted."""
NEEDLESS_ONCE_OVER = frozenset(trouble for trouble in Trouble if trouble in ABOUT_DELIVERY)
"""Troubles of which nobody needs to hear who wasn't told before they ended: what they held up says so itself."""
SHOWN_BY_PARTS = frozenset({Trouble.POLICY, Trouble.CHANNEL, Trouble.LIMIT, Trouble.AUDIT, Trouble.FAILED})
"""Troubles that `/health` shows by the part of the gate that has them, which knows more."""


class Cause(StrEnum):
    """Why a trouble occurred."""

    ADDRESS_LIMIT = "address_limit"
    DEVICE_LIMIT = "device_limit"
    BYTES_LIMIT = "bytes_limit"
    CONTENT_LIMIT = "content_limit"
    TOO_LARGE = "too_large"
    STORE_UNAVAILABLE = "store_unavailable"
    STORE_SLOW = "store_slow"
    STORE_REFUSED = "store_refused"
    POLICY_MISSING = "policy_missing"
    POLICY_INVALID = "policy_invalid"
    POLICY_UNSTORED = "policy_unstored"
    POLICY_FOREIGN = "policy_foreign"
    POLICY_UNREAD = "policy_unread"  # the same, and there is none before it that could stay in force
    POLICY_FAILED = "policy_failed"
    CHANNEL_LOGIN = "channel_login"
    CHANNEL_LOGINS = "channel_logins"
    CHANNEL_BUSY = "channel_busy"
    CHANNEL_LIMIT = "channel_limit"
    CHANNEL_SENDER = "channel_sender"
    CHANNEL_RELAY = "channel_relay"
    CHANNEL_HOST = "channel_host"
    CHANNEL_CONNECTION = "channel_connection"
    CHANNEL_TLS = "channel_tls"
    CHANNEL_TIMEOUT = "channel_timeout"
    CHANNEL_STORAGE = "channel_storage"
    CHANNEL_REFUSED = "channel_refused"  # and it isn't clear what
    CREDENTIAL_WRONG = "credential_wrong"
    CREDENTIAL_MISSING = "credential_missing"
    CREDENTIAL_EXPIRED = "credential_expired"
    CREDENTIAL_OFF = "credential_off"
    LIMIT_NEAR = "limit_near"
    LIMIT_REACHED = "limit_reached"
    DISK_LOW = "disk_low"
    DISK_FULL = "disk_full"
    AUDIT_OVERDUE = "audit_overdue"
    AUDIT_LEASES = "audit_leases"
    AUDIT_NOBODY_TOLD = "audit_nobody_told"
    AUDIT_UNWATCHED = "audit_unwatched"
    AUDIT_UNREADABLE = "audit_unreadable"
    RECIPIENT_REFUSED = "recipient_refused"
    RECIPIENT_REMOVED = "recipient_removed"
    SERVICE_REFUSED = "service_refused"
    RECIPIENT_UNSET = "recipient_unset"
    GAVE_UP = "gave_up"
    CHANNEL_AWAY = "channel_away"


class Subject(NamedTuple):
    """A trouble, and the part of the gate that has it, such as `generic webhook`: one incident each."""

    trouble: Trouble
    about: str


@dataclass(frozen=True, slots=True)
class Tally:
    """How often a trouble occurred, and why, from when to when, and whose alerts it affected."""

    count: int
    first: datetime
    last: datetime
    causes: Mapping[Cause, int]
    senders: Mapping[str, int]
    detail: str = ""
    """What the sentences add to the latest cause, such as a server's reply."""

    def plus(self, later: "Tally | None") -> "Tally":
        """Return the sum of two tallies."""
        if later is None:
            return self
        return Tally(
            self.count + later.count,
            min(self.first, later.first),
            max(self.last, later.last),
            _sum(self.causes, later.causes),
            _bounded(_sum(self.senders, later.senders)),
            later.detail or self.detail,
        )

    def as_json(self) -> Json:
        """Return the tally as the data of an alert."""
        return _TALLY.dump_python(self, mode="json", exclude_defaults=True)


_TALLY = TypeAdapter(Tally)


def read_tally(data: Json) -> Tally | None:
    """Return the tally that an alert's data holds; None if another version wrote it in another form."""
    try:
        return _TALLY.validate_python(data)
    except ValidationError:
        return None


def once(at: datetime, cause: Cause, sender: str, detail: str = "") -> Tally:
    """Return the tally of one occurrence. An empty `sender` names none."""
    return Tally(1, at, at, {cause: 1}, {sender: 1} if sender else {}, detail)


def add_up(trouble: Trouble, earlier: Tally | None, later: Tally | None) -> Tally | None:
    """Return two tallies of a trouble as one. One that begins once has its first time, and its latest cause."""
    if earlier and later and trouble in BEGIN_ONCE:
        return replace(later, first=min(earlier.first, later.first))
    return earlier.plus(later) if earlier else later


def is_news(said: Tally | None, now: Tally) -> bool:
    """Return whether how a trouble that begins once stands is worth saying, after `said` was, maybe by another process.

    A new cause and a new sender are. More of the same is only if it doubled, so that what grows for days is said
    seldom: each report is a message to people.
    """
    if said is None:
        return True
    return bool(now.causes.keys() - said.causes or now.senders.keys() - said.senders) or now.count >= 2 * said.count


def _sum(one: Mapping[Name, int], other: Mapping[Name, int]) -> dict[Name, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def _bounded(senders: dict[str, int]) -> dict[str, int]:
    """Return the first MOST_SENDERS senders, with all others as one."""
    named = [name for name in senders if name != OTHERS][:MOST_SENDERS]
    rest = sum(senders.values()) - sum(senders[name] for name in named)
    return {name: senders[name] for name in named} | ({OTHERS: rest} if rest else {})


@dataclass(frozen=True, slots=True)
class Known:
    """What one process knows about a trouble."""

    last_at: datetime
    """When it last occurred here."""
    unsaid: Tally | None
    """What occurred here and isn't reported yet."""
    severity: Severity
    """The worst of what isn't reported yet."""
    uncovered: bool
    """Whether it occurred after its incident was last seen open: then no message has told of that."""
    cleared: bool = False
    """Whether it is known to be over."""
    lasts: bool = False
    """Whether it is one of CONFIRMED, and lasts here."""
    left_before: datetime | None = None
    """If it is known to be over: only an incident that was opened before this is; None: any."""


class Step(StrEnum):
    """What to do about a trouble now, and why."""

    OPEN = "open"  # report it: no incident is open
    WORSE = "worse"  # report it: what is unsaid is more severe than the incident
    GO_ON = "go_on"  # report it: it goes on and the last report is some time ago, or this process ends and would forget
    CONFIRM = "confirm"  # note that it lasts, so that no other process says that it is over; nobody is told again
    END = "end"  # it hasn't occurred for GROUP_INTERVAL, or was cleared: report that it is over
    ABANDONED = "abandoned"  # the process that reported it is gone: report that it is over
    FORGET = "forget"  # it is over here, and everything was said
    SAID = "said"  # another process, or an earlier run of this one, has reported it
    WAIT = "wait"  # nothing now


ENDS = frozenset({Step.END, Step.ABANDONED})
SILENT = frozenset({Step.FORGET, Step.SAID, Step.WAIT})
"""Steps that report nothing."""


def decide(  # noqa: PLR0911  (a table of cases)
    known: Known | None,
    incident: Incident | None,
    now: datetime,
    interval: timedelta,
    *,
    said: Tally | None = None,
    closing: bool = False,
    lasting: bool = False,
) -> Step:
    """Decide what to report about a trouble. `incident` is its open incident, and `said` what was last reported of it.

    `closing`: this process ends now.
    `lasting`: it doesn't occur again while it lasts, so that it isn't over before it is cleared.
    """
    if known is None:
        abandoned = incident is not None and not lasting and now - incident.last_alert_at >= interval * ABANDONED
        return Step.ABANDONED if abandoned else Step.WAIT
    if incident is None:
        return _without_incident(known, now, interval, closing=closing, lasting=lasting)
    if known.unsaid and known.severity.rank > incident.severity.rank:
        return Step.WORSE
    if known.cleared and known.left_before and incident.opened_at >= known.left_before:
        return Step.FORGET
    since_report, since_last = now - incident.last_alert_at, now - known.last_at
    if known.cleared or (not lasting and min(since_report, since_last) >= interval):
        return Step.END
    goes_on = since_report >= interval * SAY_AGAIN and (lasting or since_last < interval * GOES_ON)
    if not known.unsaid:
        return Step.CONFIRM if goes_on and known.lasts else Step.WAIT
    if lasting and not is_news(said, known.unsaid):
        return Step.SAID
    return Step.GO_ON if goes_on or closing else Step.WAIT


def _without_incident(known: Known, now: datetime, interval: timedelta, *, closing: bool, lasting: bool) -> Step:
    if known.unsaid and known.uncovered:
        return Step.OPEN
    # Its incident was resolved, by a person or another replica, before this process said all that it knows. That is
    # stored with the end, and nobody is told again.
    if known.cleared or closing or (not lasting and now - known.last_at >= interval):
        return Step.END if known.unsaid else Step.FORGET
    return Step.WAIT


def decide_confirmed(known: Known | None, incident: Incident | None, now: datetime, *, closing: bool = False) -> Step:
    """Decide what to report about a trouble of CONFIRMED."""
    if known and incident and not (known.lasts or known.unsaid) and incident.last_alert_at > known.last_at:
        known = None  # another process saw it later, and will say that it is over
    return decide(known, incident, now, CONFIRMED_FOR, closing=closing)


def decide_daily(known: Known | None, newest: Incident | None, now: datetime) -> Step:
    """Decide whether to report a trouble of DAILY. `newest` is the last incident of it, open or not."""
    if known is None or not known.unsaid:
        return Step.FORGET if known else Step.WAIT
    if newest and newest.opened_at <= now < newest.opened_at + DAY:
        return Step.FORGET
    return Step.OPEN
