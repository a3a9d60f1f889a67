"""How far it is proved that a message arrived."""

from enum import StrEnum


class Proof(StrEnum):
    """How far it is proved that a message reached somebody: a ladder, never claimed higher than the service proves."""

    SENT = "sent"  # the service took it
    DELIVERED = "delivered"  # it is on the phone
    SEEN = "seen"  # somebody opened it
    ACKNOWLEDGED = "acknowledged"  # somebody answered it

    @property
    def rank(self) -> int:
        """0 for sent, up to 3 for acknowledged."""
        return list(Proof).index(self)
