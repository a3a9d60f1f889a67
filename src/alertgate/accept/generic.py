"""Turn a generic JSON body into an alert, or reject it with reasons.

It is rejected only if there is nothing to tell. Any other wrong value is stored, and the alert goes through.
"""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from alertgate.accept.all_clear import DecidedSignal, SignalReason, decide_signal, doubt
from alertgate.accept.fields import (
    LONGEST_NAME,
    as_text,
    distinct,
    field_errors,
    finite,
    read_data,
    read_json,
    shortened,
)
from alertgate.accept.intake import IntakeContext
from alertgate.accept.keys import EventKey, incident_key, part_of
from alertgate.accept.repeats import SenderId, content_digest, repeat_key
from alertgate.accept.resent import guarded
from alertgate.accept.rulings import Said, Understood, find_ruling, ruled, ruled_key
from alertgate.accept.severity import decide_severity
from alertgate.accept.times import TIME_SCHEMA, read_time
from alertgate.errors import FieldError, Invalid, Malformed, Rejected
from alertgate.model import Alert, AlertStatus, Json, Signal, Source
from alertgate.policy.events import Ruling
from alertgate.words import read_severity, read_word, values_of

LONGEST_EVENT = 128
LONGEST_MESSAGE = 8192
LONGEST_KEY = 256

Text = Annotated[Annotated[str, Field(min_length=1)], BeforeValidator(as_text)]


class GenericAlert(BaseModel):
    """An alert from any other system, as JSON."""

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

    event: Annotated[Text, Field(description="What happened, such as `backup/failed`; up to 128 characters.")]
    message: Annotated[Text, Field(description="The text for people; up to 8,192 characters.")]
    source: Annotated[str | None, BeforeValidator(as_text), Field(description="The system that sends it.")] = None
    severity: Annotated[
        Any,
        WithJsonSchema({"type": "string"}),
        Field(description="`info`, `warning`, `critical`, or a common word for one of them."),
    ] = None
    status: Annotated[
        Any,
        WithJsonSchema({"type": "string"}),
        Field(description="`resolved`, or a common word for it, resolves the incident; any other fires."),
    ] = None
    dedup_key: Annotated[
        str | None,
        BeforeValidator(as_text),
        Field(description="Alerts of one source with the same key join one incident."),
    ] = None
    timestamp: Annotated[
        Any,
        WithJsonSchema(TIME_SCHEMA),
        Field(description="When it happened: ISO 8601 with its zone, or Unix seconds."),
    ] = None
    details: Annotated[
        Any, WithJsonSchema({"type": "object"}), Field(description="Further data; shown as a table.")
    ] = None


def understand(body: bytes, sender_id: SenderId | None, context: IntakeContext) -> Understood:
    """Return the alert that a generic body holds.

    Raises Malformed if it isn't JSON or reading it fails, and Invalid if it isn't an object with an `event` and a
    `message`.
    """
    try:
        return _alert(_parse(body), sender_id, context)
    except Rejected:
        raise
    except RecursionError:
        problem = FieldError("", "Invalid JSON: it is nested too deeply")
        raise Malformed("The body is nested too deeply; nothing was stored.", (problem,)) from None
    except Exception as error:
        problem = FieldError("", f"reading it failed: {type(error).__name__}")
        raise Malformed(
            "alertgate can't read this body, which is a defect in it; nothing was stored. Send less of `details`, and "
            "please report it.",
            (problem,),
        ) from error


def _parse(body: bytes) -> GenericAlert:
    try:
        value = read_json(body)
    except ValueError as error:
        raise Malformed(
            "The body is not valid JSON; nothing was stored. Send one JSON object in UTF-8.",
            (FieldError("", str(error)),),
        ) from None
    try:
        if isinstance(value, dict):
            return GenericAlert.model_validate(value)
        problems: tuple[FieldError, ...] = (FieldError("", "Input should be an object"),)
    except ValidationError as error:
        problems = field_errors(error)
    raise Invalid(
        "The body is JSON, but not a valid alert; nothing was stored. Fix the fields listed in `errors`.", problems
    )


def _alert(parsed: GenericAlert, sender_id: SenderId | None, context: IntakeContext) -> Understood:
    others = finite(parsed.model_extra or {})
    claims = [*values_of("severity", {"severity": parsed.severity}, others)]
    details = read_data(parsed.details)
    statuses = [*values_of("status", {"status": parsed.status}, others)]
    decided = decide_signal(statuses, [details, others], parsed.event, details)
    said = Said(Source.GENERIC, parsed.event, details, parsed.source, parsed.message, statuses, claims, others)
    ruling = find_ruling(said, context)
    key = _event_key(parsed, details, others, ruling)
    alert = Alert(
        id=context.id,
        received_at=context.received_at,
        source=Source.GENERIC,
        status=AlertStatus.ACCEPTED,
        signal=decided.signal,
        event=shortened(parsed.event, LONGEST_EVENT),
        severity=decide_severity(claims, parsed.event, context.severities).severity,
        incident_key=key.key,
        device=shortened(parsed.source, LONGEST_NAME) if parsed.source else None,
        message=shortened(parsed.message, LONGEST_MESSAGE),
        data=details if isinstance(details, dict | list) and details else None,
        fields={**others, **finite(_uninterpreted(parsed, decided, details))},
        published_at=read_time(parsed.timestamp),
        repeat_key=repeat_key(sender_id.kind, parsed.source, sender_id.text) if sender_id else None,
        id_kind=sender_id.kind if sender_id else None,
        content=content_digest(parsed.source, parsed.event, finite(_without_time(parsed))),
        request_id=context.request_id,
        credential=context.credential,
        reason=doubt(decided),
    )
    return guarded(ruled(alert, said, ruling, key.whole), parsed.timestamp)


def _without_time(parsed: GenericAlert) -> dict[str, Json]:
    """Return all fields but the time. pydantic's `model_dump` would copy all that they hold, piece by piece."""
    return {name: value for name, value in parsed if name != "timestamp"}


def _event_key(parsed: GenericAlert, details: Json, others: dict[str, Json], ruling: Ruling | None) -> EventKey:
    """Return the incident key: a rule's `key` takes precedence over the sender's `dedup_key`."""
    source = distinct(parsed.source or Source.GENERIC, LONGEST_NAME)
    if parsed.dedup_key and not (ruling and ruling.part):
        return EventKey(incident_key("key", source, distinct(parsed.dedup_key, LONGEST_KEY)))
    return ruled_key("generic", source, distinct(parsed.event, LONGEST_EVENT), part_of(details, others), ruling)


def _uninterpreted(parsed: GenericAlert, decided: DecidedSignal, details: Json) -> dict[str, Json]:
    """Return, in full, the values that were cut or couldn't be interpreted."""
    limits = {"event": LONGEST_EVENT, "message": LONGEST_MESSAGE, "source": 0, "dedup_key": LONGEST_KEY}
    aside = {name: text for name, longest in limits.items() if len(text := getattr(parsed, name) or "") > longest}
    understood = {
        "severity": read_severity(parsed.severity) is not None,
        "status": decided.reason is SignalReason.SAYS_RESOLVED or read_word(parsed.status) == Signal.FIRING,
        "timestamp": read_time(parsed.timestamp) is not None,
        "details": isinstance(details, dict | list),
    }
    unread = {name: getattr(parsed, name) for name, known in understood.items() if not known}
    return {**aside, **{name: value for name, value in unread.items() if value not in (None, "")}}
