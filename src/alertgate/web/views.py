"""How alerts and what became of them look in the API."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from fastapi.responses import Response
from pydantic import BaseModel, Field

from alertgate.model import Alert, Attempt
from alertgate.prove.history import Trail


class AlertView(BaseModel):
    """One accepted webhook event."""

    id: str
    received_at: datetime
    source: str
    status: str = Field(description="`accepted` or `quarantined`")
    signal: str = Field(description="`firing` or `resolved`")
    event: str
    severity: str
    key: str = Field(description="The key of its incident")
    device: str | None
    message: str | None
    data: Any
    fields: dict[str, Any] = Field(description="Everything else that the body said")
    published_at: datetime | None
    dedup: str | None
    errors: list[str] = Field(description="Why it is quarantined")
    raw: str | None = Field(description="The whole body of a quarantined alert; bytes that are no UTF-8 as escapes")
    request_id: str | None
    incident_id: str | None
    grouping: str | None = Field(description="Why it opened, joined or resolved its incident, and who hears of it when")


class IncidentView(BaseModel):
    """The open problem that alerts belong to."""

    id: str
    key: str
    status: str
    source: str
    event: str
    device: str | None
    severity: str
    opened_at: datetime
    last_alert_at: datetime
    alert_count: int
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    resolved_at: datetime | None
    resolved_by: str | None


class AttemptView(BaseModel):
    """One try to hand a notification over."""

    id: str
    started_at: datetime
    seconds: float
    outcome: str
    reason: str
    reply: str = Field(description="The server's own words")


class NotificationView(BaseModel):
    """One message to one recipient."""

    id: str
    incident_id: str
    channel: str
    address: str
    kind: str
    status: str
    severity: str
    reason: str
    created_at: datetime
    due_at: datetime
    attempts: list[AttemptView]
    lease_owner: str | None
    lease_until: datetime | None
    finished_at: datetime | None


class AlertTrail(BaseModel):
    """One alert's whole trail."""

    alert: AlertView
    incident: IncidentView | None
    notifications: list[NotificationView]


def show_trail(trail: Trail) -> "AsciiJson":
    """Return a trail as the API's answer."""
    return AsciiJson(
        {
            "alert": _alert(trail.alert),
            "incident": asdict(trail.incident) if trail.incident else None,
            "notifications": [
                {**asdict(told.notification), "attempts": [_attempt(attempt) for attempt in told.attempts]}
                for told in trail.told
            ],
        }
    )


def _alert(alert: Alert) -> dict[str, Any]:
    raw = alert.raw.decode(errors="backslashreplace") if alert.raw is not None else None
    return {**asdict(alert), "raw": raw}


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {name: value for name, value in asdict(attempt).items() if name != "notification_id"}


class AsciiJson(Response):
    """JSON in ASCII: a device's text may hold lone surrogates, which JSON can escape and UTF-8 can't say."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Write the JSON."""
        return json.dumps(content, default=_plain, separators=(",", ":")).encode("ascii")


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
