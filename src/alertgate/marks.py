"""What tells an incident that has become worse, or is open again, from what somebody was shown of it. Pure."""

import hashlib

from alertgate.model import ChannelName, Incident, IncidentStatus

ANSWERED_BY_SERVICE = frozenset({ChannelName.PUSHOVER, ChannelName.TELEGRAM, ChannelName.TWILIO, ChannelName.CALL})
"""The channels whose service brings answers, which mean the incident as the message showed it."""


def mark(incident: Incident) -> str:
    """Return the mark of an incident as it stands: ten hexadecimal digits.

    One that is open although somebody had it is open again since that ended: snoozed, forgotten, or handed back.
    """
    ended = incident.acknowledged_at if incident.status is IncidentStatus.OPEN else None
    return digest(f"{incident.id} {incident.changes} {incident.severity} {ended or ''}")


def holding(incident: Incident) -> str:
    """Return the mark of who has an incident, and until when."""
    return digest(f"{incident.id} {incident.status} {incident.acknowledged_at} {incident.snoozed_until}")


def digest(text: str) -> str:
    """Return ten hexadecimal digits that stand for a text."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:10]
