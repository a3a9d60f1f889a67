"""Tell people that notifications have failed and nobody has dealt with that, by the contacts that still work.

Failures of notifications about alertgate's own incidents don't count here: alertgate would answer itself for ever.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from alertgate.accept.own import OwnAlerts
from alertgate.addresses import mask
from alertgate.model import Severity, Target, worst
from alertgate.prove.outstanding import Outstanding
from alertgate.prove.troubles import Cause, Tally, Trouble
from alertgate.store.failures import ContactFailures

ABOUT = "notifications"
NOBODY: Mapping[Target, str] = MappingProxyType({})


def note(
    outstanding: Outstanding | None,
    targets: Collection[Target],
    own_alerts: OwnAlerts,
    seen_at: datetime,
    by_secret: Mapping[Target, str] = NOBODY,
) -> None:
    """Note how many failures were outstanding at a time, once that is known. While one is retried, it isn't over.

    `by_secret` says whom contacts are of whose addresses the policy only names.
    """
    if outstanding is None or outstanding.retrying:
        return
    contacts = outstanding.contacts
    tally = summed(contacts, targets, seen_at, by_secret) if contacts else None
    severity = worst(Severity.INFO, *(contact.severity for contact in contacts))
    own_alerts.stands(Trouble.FAILED, ABOUT, tally, severity, seen_at=seen_at)


def summed(
    contacts: Sequence[ContactFailures],
    targets: Collection[Target],
    now: datetime,
    by_secret: Mapping[Target, str] = NOBODY,
) -> Tally:
    """Return the failures of some contacts, at least one, as one tally."""
    causes, names = Counter[Cause](), Counter[str]()
    for contact in contacts:
        causes[cause_of(contact, targets, by_secret)] += contact.number
        names[_name(contact, by_secret)] += contact.number
    return Tally(causes.total(), min(contact.since for contact in contacts), now, dict(causes), dict(names))


def _name(contact: ContactFailures, by_secret: Mapping[Target, str]) -> str:
    """Return how a contact is named: where its address isn't known, by the person and the secret's name."""
    if person := by_secret.get((contact.channel, contact.address)):
        return f"{person} ({contact.channel} {contact.address})"
    return f"{contact.channel} {mask(contact.address)}"


def cause_of(contact: ContactFailures, targets: Collection[Target], by_secret: Mapping[Target, str] = NOBODY) -> Cause:
    """Return why a contact's notifications failed."""
    if (contact.channel, contact.address) in by_secret:
        return Cause.RECIPIENT_UNSET
    if (contact.channel, contact.address) not in targets:
        return Cause.RECIPIENT_REMOVED
    if contact.away:
        return Cause.SERVICE_REFUSED if contact.waits_for_another else Cause.CHANNEL_AWAY
    return Cause.RECIPIENT_REFUSED if contact.refused else Cause.GAVE_UP
