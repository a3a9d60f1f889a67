"""What a sender calls its own id of an event."""

from enum import StrEnum


class IdKind(StrEnum):
    """What a sender calls its own id of an event; each is a repeat for another time (`accept/repeats.py`)."""

    EVENT_ID = "event_id"  # Particle's, or the firmware's own number
    IDEMPOTENCY_KEY = "idempotency_key"
    WEBHOOK_ID = "webhook_id"  # Standard Webhooks: signed
    OWN_TIME = "own_time"  # none of the sender's: the content and time of an all-clear whose id isn't signed
