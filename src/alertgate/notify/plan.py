"""Whom to tell, how, and when, with the reason. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from alertgate.config import Settings
from alertgate.model import ChannelName, ContactState, Incident, IncidentStatus, Kind, Target
from alertgate.notify.gateways import is_gateway

NOBODY = "operator@localhost"
"""Whom messages in the outbox are addressed to while no recipient is set."""


def targets(settings: Settings) -> list[Target]:
    """Return every address that is told of an incident, with the channel that reaches it."""
    texts = [*settings.recipient_sms, *filter(is_gateway, settings.recipient_email)]
    mails = [address for address in settings.recipient_email if address not in texts]
    if settings.mail_host is None:
        return [(ChannelName.OUTBOX, address) for address in dict.fromkeys([*mails, *texts])] or [
            (ChannelName.OUTBOX, NOBODY)
        ]
    return [(ChannelName.EMAIL, address) for address in mails] + [
        (ChannelName.SMS, address) for address in dict.fromkeys(texts)
    ]


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan a new message."""

    kind: Kind
    due_at: datetime
    because: str


@dataclass(frozen=True, slots=True)
class Expedite:
    """Send the message that is pending at `due_at`; None leaves its time, because it waits for a retry."""

    due_at: datetime | None
    kind: Kind
    """What an update becomes by it."""
    because: str


@dataclass(frozen=True, slots=True)
class Skip:
    """Say nothing more than is planned already."""

    because: str


Choice = Plan | Expedite | Skip


def on_alert(incident: Incident, heard: ContactState, now: datetime, interval: timedelta) -> Choice:
    """Decide what one address hears of an alert that joined, or opened, `incident`."""
    if incident.status is IncidentStatus.ACKNOWLEDGED:
        return Skip(f"acknowledged by {incident.acknowledged_by}")
    if heard.pending_id:
        return Skip("the message that is pending will say it")
    if heard.told_at is None:
        return _first(heard, now, interval)
    if heard.told_at + interval <= now:
        return Plan(Kind.UPDATE, now, f"last told at {heard.told_at:%H:%M:%S}, longer ago than the group interval")
    due_at = heard.told_at + interval
    return Plan(Kind.UPDATE, due_at, f"update due at {due_at:%H:%M:%S}, because told at {heard.told_at:%H:%M:%S} UTC")


def on_escalation(incident: Incident, heard: ContactState, now: datetime) -> Choice:
    """Decide what one address hears of an alert that raised the severity: it speaks at once."""
    if heard.pending_id:
        return _expedite(heard, Kind.ESCALATION, now, f"severity rose to {incident.severity}")
    return Plan(Kind.ESCALATION, now, f"severity rose to {incident.severity}")


def on_resolution(heard: ContactState, now: datetime) -> Choice:
    """Decide what one address hears of the end: once, and only if it heard, or will hear, of the beginning."""
    if heard.pending_id:
        return _expedite(heard, Kind.RESOLUTION, now, "resolved; the message that is pending will say it")
    if heard.told_at is None:
        return Skip("never told of this incident")
    return Plan(Kind.RESOLUTION, now, "resolved")


def _first(heard: ContactState, now: datetime, interval: timedelta) -> Plan:
    """Tell an address that hasn't heard of the incident; one that refused a message isn't tried for every alert."""
    if heard.failed_at is None or heard.failed_at + interval <= now:
        return Plan(Kind.OPENING, now, "nothing said of this incident yet")
    due_at = heard.failed_at + interval
    return Plan(
        Kind.OPENING, due_at, f"due at {due_at:%H:%M:%S}, because a message failed at {heard.failed_at:%H:%M:%S} UTC"
    )


def _expedite(heard: ContactState, kind: Kind, now: datetime, because: str) -> Expedite:
    # A message that waits for a retry keeps its time: its server is in trouble, and hammering it helps nobody.
    return Expedite(None if heard.pending_tries else now, kind, because)
