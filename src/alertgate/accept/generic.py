"""Turn a generic JSON body into an alert, or reject it with reasons."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema, field_validator

from alertgate.accept.fields import LONGEST_NAME, field_errors, finite
from alertgate.accept.intake import IntakeContext
from alertgate.accept.keys import incident_key
from alertgate.accept.severity import decide_severity, parse_severity
from alertgate.accept.times import LATEST, TIME_SCHEMA, read_time
from alertgate.errors import Invalid, Malformed
from alertgate.model import Alert, AlertStatus, Json, Severity, Signal, Source

LONGEST_MESSAGE = 8192
LONGEST_KEY = 256


def _severity(value: object) -> object:
    return parse_severity(value) or value


class GenericAlert(BaseModel):
    """An alert from any system that can sign JSON."""

    model_config = ConfigDict(
        extra="allow",
        hide_input_in_errors=True,
        json_schema_extra={
            "example": {
                "event": "backup/failed",
                "message": "No backup for 26 hours",
                "source": "nas",
                "severity": "critical",
                "details": {"volume": "tank", "last": "2026-11-22T03:00:00Z"},
            }
        },
    )

    event: Annotated[str, Field(min_length=1, max_length=128, description="What happened, such as `backup/failed`.")]
    message: Annotated[str, Field(min_length=1, max_length=LONGEST_MESSAGE, description="The text for people.")]
    source: (
        Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, description="The system that sends it.")] | None
    ) = None
    severity: Annotated[Severity, BeforeValidator(_severity)] | None = None
    status: Annotated[Signal, Field(description="`resolved` ends the incident.")] = Signal.FIRING
    dedup_key: (
        Annotated[
            str, Field(min_length=1, max_length=LONGEST_KEY, description="Alerts with the same key join one incident.")
        ]
        | None
    ) = None
    timestamp: (
        Annotated[
            str | float,
            WithJsonSchema({**TIME_SCHEMA, "description": "When it happened: ISO 8601 or Unix seconds."}),
        ]
        | None
    ) = None
    details: dict[str, Any] = Field(default_factory=dict, description="Further data; shown as a table.")

    @field_validator("timestamp", mode="before")
    @classmethod
    def _time(cls, value: Json) -> Json:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if (is_number and not 0 <= value <= LATEST) or (value is not None and read_time(value) is None):
            raise ValueError("is neither ISO 8601 nor Unix seconds")
        return value


def read(body: bytes, idempotency_key: str | None, context: IntakeContext) -> Alert:
    """Return the alert that a generic body holds.

    Raises Malformed if it isn't JSON, and Invalid, which names each field, if fields are missing or wrong.
    """
    try:
        parsed = GenericAlert.model_validate_json(body)
    except ValidationError as error:
        problems = field_errors(error)
        if any(problem["type"] == "json_invalid" for problem in error.errors(include_url=False)):
            raise Malformed(
                "The body is not valid JSON; nothing was stored. Send one JSON object in UTF-8.", problems
            ) from None
        raise Invalid(
            "The body is JSON, but not a valid alert; nothing was stored. Fix the fields listed in `errors`.", problems
        ) from None
    source = parsed.source or Source.GENERIC
    key = incident_key("key", parsed.dedup_key) if parsed.dedup_key else incident_key("generic", source, parsed.event)
    fields = finite(parsed.model_extra or {})
    if parsed.source:
        fields["source"] = parsed.source
    return Alert(
        id=context.id,
        received_at=context.received_at,
        source=Source.GENERIC,
        status=AlertStatus.ACCEPTED,
        signal=parsed.status,
        event=parsed.event,
        severity=decide_severity(parsed.severity, parsed.event, context.severities).severity,
        incident_key=key,
        device=parsed.source,
        message=parsed.message,
        data=finite(parsed.details) or None,
        fields=fields,
        published_at=read_time(parsed.timestamp),
        repeat_key=f"generic:{idempotency_key}" if idempotency_key else None,
        request_id=context.request_id,
    )
