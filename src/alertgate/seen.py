"""What is kept in mind of stored alerts, so that the next ones can be judged."""

from datetime import datetime
from typing import NamedTuple, Self

from alertgate.credential import Credential
from alertgate.model import Alert


class Seen(NamedTuple):
    """What is kept in mind of a stored alert, to recognise its repeats and to compare times."""

    id: str
    incident_key: str
    incident_id: str | None
    repeat_key: str | None
    content: str | None
    received_at: datetime
    published_at: datetime | None
    credential: Credential | None = None

    @classmethod
    def of(cls, alert: Alert) -> Self:
        """Return it for an alert that is to be stored."""
        return cls(*(getattr(alert, name) for name in cls._fields))
