"""Tell people that notifications have failed and nobody has dealt with that, by the contacts that still work.

Failures of notifications about alertgate's own incidents don't count here: alertgate would answer itself for ever.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime

from alertgate.accept.own import OwnAlerts
from alertgate.addresses import mask
from alertgate.model import Severity, Target, worst
from alertgate.prove.outstanding import Outstanding
from alertgate.prove.troubles import Cause, Tally, Trouble
from alertgate.store.failures import ContactFailures

ABOUT = "notifications"


def note(outstanding: Outstanding | None, targets: Collection[Target], own_alerts: OwnAlerts, now: datetime) -> None:
    """Note how many failures are outstanding, once that is known. While one is retried, it isn't over."""
    if outstanding is None or outstanding.retrying:
        return
    contacts = outstanding.contacts
    tally = summed(contacts, targets, now) if contacts else None
    severity = worst(Severity.INFO, *(contact.severity for contact in contacts))
    own_alerts.stands(Trouble.FAILED, ABOUT, tally, severity)


def summed(contacts: Sequence[ContactFailures], targets: Collection[Target], now: datetime) -> Tally:
    """Return the failures of some contacts, at least one, as one tally."""
    causes, names = Counter[Cause](), Counter[str]()
    for contact in contacts:
        causes[cause_of(contact, targets)] += contact.number
        names[f"{contact.channel} {mask(contact.address)}"] += contact.number
    return Tally(causes.total(), min(contact.since for contact in contacts), now, dict(causes), dict(names))


def cause_of(contact: ContactFailures, targets: Collection[Target]) -> Cause:
    """Return why a contact's notifications failed."""
    if (contact.channel, contact.address) not in targets:
        return Cause.RECIPIENT_REMOVED
    if contact.away:
        return Cause.CHANNEL_AWAY
    return Cause.RECIPIENT_REFUSED if contact.refused else Cause.GAVE_UP
