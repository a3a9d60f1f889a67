"""What makes a repeat of an event recognisable: the same event delivered again is stored once. Pure.

Particle delivers at least once, and one event may come through two templates with different fields.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from alertgate.accept.keys import bounded_key
from alertgate.group.order import is_same, stamp
from alertgate.id_kind import IdKind
from alertgate.model import Alert, Incident, IncidentStatus, Json, Signal
from alertgate.rules import GroupingRules
from alertgate.seen import Seen

WITH_TIME = timedelta(hours=24)
"""How long the same id with the same time of publication is a repeat."""
WITHOUT_ID = timedelta(minutes=10)
"""How long the same time of publication is a repeat, if one of the two has no id."""
ID_ALONE = MappingProxyType(
    {
        IdKind.EVENT_ID: timedelta(minutes=10),  # firmware may number its events from 1 after each reboot
        IdKind.IDEMPOTENCY_KEY: timedelta(hours=1),
        IdKind.WEBHOOK_ID: timedelta(hours=24),
        IdKind.OWN_TIME: timedelta(hours=24),
    }
)
"""How long the same id is a repeat where neither alert has a time of publication."""


METADATA = frozenset(
    (
        "eventid",
        "publishedat",
        "coreid",
        "userid",
        "productid",
        "fwversion",
        "productversion",
        "version",
        "public",
        "ttl",
    )
)
"""Fields that Particle can add to any event; names in lower case without underscores.

Source: Particle's "Webhooks" reference, default fields and template variables.
"""


class SenderId(NamedTuple):
    """What a sender calls an event."""

    kind: IdKind
    text: str


class Identity(NamedTuple):
    """By what a repeat of an alert is recognised; without `content` it has no repeats."""

    content: str | None = None
    id_kind: IdKind | None = None
    repeat_key: str | None = None


class RepeatReason(StrEnum):
    """Whether an alert repeats a stored one, and why."""

    NEW = "new"  # nothing stored is the same event
    SAME_ID = "same_id"  # the same event with the same id, and with the same time of publication or none
    SAME_TIME = "same_time"  # the same event with the same time of publication, and one of the two has no id
    REUSED_ID = "reused_id"  # the same id was used for something else, or too long ago: a new alert


def repeat_key(kind: IdKind, device: str | None, identity: str) -> str:
    """Return the key under which a sender's id of an event is stored: ids are the device's own."""
    return bounded_key(kind, device or "", identity)


def content_digest(device: str | None, event: str, *content: Json) -> str:
    """Return what an alert has in common with its repeats, and with no other."""
    seen = json.dumps([device, event, *content], sort_keys=True)
    return hashlib.sha256(seen.encode()).hexdigest()[:32]


def without_metadata(fields: Mapping[str, Json]) -> dict[str, Json]:
    """Return the fields of a Particle body without those that depend on the webhook's template."""
    return {name: value for name, value in fields.items() if name.replace("_", "").casefold() not in METADATA}


def find_repeat(
    alert: Alert, same_id: Iterable[Seen], newest: Seen | None, last: Incident | None, rules: GroupingRules
) -> tuple[RepeatReason, Seen | None]:
    """Return the stored alert that `alert` repeats, if there is one, and why.

    `same_id` are the stored alerts with its repeat key, and `last` is the newest incident with its incident key.
    `newest` is the last alert with that key, unless something else happened to its incident since: then the same time
    means another event (a bouncing reed publishes the same twice in a second, and means it).
    """
    stored_before = list(same_id)
    for stored in stored_before:
        if _same_content(stored, alert) and _repeats_by_id(stored, alert, last, rules):
            return RepeatReason.SAME_ID, stored
    if newest and _same_content(newest, alert) and _repeats_by_time(newest, alert):
        return RepeatReason.SAME_TIME, newest
    return (RepeatReason.REUSED_ID if stored_before else RepeatReason.NEW), None


def _same_content(stored: Seen, alert: Alert) -> bool:
    return stored.content is not None and stored.content == alert.content


def _repeats_by_id(stored: Seen, alert: Alert, last: Incident | None, rules: GroupingRules) -> bool:
    age = alert.received_at - stored.received_at
    if (stored.published_at is None) != (alert.published_at is None):
        return False
    if stored.published_at and alert.published_at and not is_same(stored.published_at, alert.published_at):
        return False
    if stamp(stored, rules) or stamp(alert, rules):  # by our clock of one of the two: it may have jumped since
        return age <= WITH_TIME
    # Without a time, or with a clock that stands still, an id may be one that firmware counts anew after each reboot.
    if alert.id_kind is None or age > ID_ALONE[alert.id_kind]:
        return False
    has_time = alert.published_at is not None
    return has_time or alert.id_kind is IdKind.WEBHOOK_ID or not _would_be_missed(stored, alert, last)


def _would_be_missed(stored: Seen, alert: Alert, last: Incident | None) -> bool:
    """Return whether something would be lost if an alert whose id has no time were a repeat.

    Of a firing alert whose stored one belongs to an incident that is over, nobody would hear. A generic all-clear says
    that what has fired since the stored one is over: whoever has seen an old one may have sent it ahead, under the key
    of this one, which isn't signed.
    """
    is_open = last is not None and last.status is not IncidentStatus.RESOLVED
    if alert.signal is Signal.RESOLVED:
        return alert.id_kind is IdKind.IDEMPOTENCY_KEY and is_open
    return not (last and is_open and last.id == stored.incident_id)


def _repeats_by_time(stored: Seen, alert: Alert) -> bool:
    if not (stored.published_at and alert.published_at) or (stored.repeat_key and alert.repeat_key):
        return False
    age = alert.received_at - stored.received_at
    return is_same(stored.published_at, alert.published_at) and age <= WITHOUT_ID


REPEATS = {
    RepeatReason.SAME_ID: "a repeat: the same event with the same id is stored already",
    RepeatReason.SAME_TIME: "a repeat: the same event with the same time is stored already",
    RepeatReason.REUSED_ID: "a new alert, although its id was used before",
}
"""Reasons as sentences; a new alert needs none."""
