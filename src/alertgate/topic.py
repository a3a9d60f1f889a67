"""What the pages of the console are about, and what may change while somebody looks at them. Pure."""

from enum import StrEnum


class Topic(StrEnum):
    """One thing that changes. A page names those that it shows."""

    ALERTS = "alerts"
    INCIDENTS = "incidents"
    """With their notifications and escalations."""
    DEVICES = "devices"
    CHANNELS = "channels"
    """With what was sent, and what the service finds wrong with itself."""
    SILENCES = "silences"
    PEOPLE = "people"
    """With the proofs of their contacts, and with the policy."""
    PLOTS = "plots"
    """What the hours of the last month had."""
    SESSIONS = "sessions"
