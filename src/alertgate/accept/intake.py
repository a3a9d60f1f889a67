"""What is known about a webhook request before its body is parsed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from alertgate.credential import Credential
from alertgate.policy.devices import DeviceRule
from alertgate.policy.events import EventRule
from alertgate.rules import SeverityRules


@dataclass(frozen=True, slots=True)
class IntakeContext:
    """What the parsers need besides the body."""

    id: str
    received_at: datetime
    severities: SeverityRules
    request_id: str | None = None
    credential: Credential | None = None
    """What let the request in."""
    rules: Sequence[EventRule] = ()
    """The policy's `[[events]]`, in order."""
    devices: Sequence[DeviceRule] = ()
    """The policy's `[devices]`."""
