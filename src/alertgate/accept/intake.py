"""What is known of a webhook request before its body is read."""

from dataclasses import dataclass
from datetime import datetime

from alertgate.rules import SeverityRules


@dataclass(frozen=True, slots=True)
class IntakeContext:
    """The facts that a reader of bodies needs beside the body."""

    id: str
    received_at: datetime
    severities: SeverityRules
    request_id: str | None = None
