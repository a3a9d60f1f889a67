"""Turn the bodies of Particle's webhooks into alerts.

A body that can't be read becomes a quarantined alert, never an error: Particle stops calling a host name whose
failures outnumber its successes, so one bad template would silence every device.

Source: Particle's "Webhooks" reference (bodies, default fields, template variables), and its "Typed publish" page
(binary data as `data:` URLs).
"""

import hashlib
import html
import json
import re
from datetime import datetime
from typing import Annotated, Any, NamedTuple
from urllib.parse import parse_qsl

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema, model_validator
from pydantic_core import from_json

from alertgate.accept.fields import LONGEST_EVENT, LONGEST_NAME, field_errors, finite
from alertgate.accept.intake import IntakeContext
from alertgate.accept.keys import incident_key
from alertgate.accept.severity import decide_severity
from alertgate.accept.times import TIME_SCHEMA, read_time
from alertgate.errors import FieldError
from alertgate.model import Alert, AlertStatus, Json, Signal, Source
from alertgate.rules import SeverityRules

UNREADABLE = "unreadable"
"""The event of a quarantined alert whose own event can't be extracted."""

FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 200


def _text(value: object) -> object:
    """Ids arrive as numbers when a template leaves out the quotes."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _present(value: object) -> object:
    """Treat empty text, or a template variable that Particle didn't fill in, as absent."""
    text = _text(value)
    return None if isinstance(text, str) and (not text.strip() or "{{" in text) else text


Name = Annotated[Annotated[str, Field(max_length=LONGEST_NAME)] | None, BeforeValidator(_present)]


class ParticleEvent(BaseModel):
    """An event as Particle's webhooks send it. All other fields are kept as they are."""

    model_config = ConfigDict(
        extra="allow",
        hide_input_in_errors=True,
        json_schema_extra={"example": {"event": "demo", "data": "mydata", "coreid": "3f002b000000000000000000"}},
    )

    event: Annotated[
        str, Field(min_length=1, max_length=LONGEST_EVENT, description="The event's name."), BeforeValidator(_text)
    ]
    data: Any = Field(None, description="Text, text that holds JSON, any JSON value, or a `data:` URL.")
    coreid: Name = Field(None, description="The device's id.")
    published_at: Annotated[Any, WithJsonSchema(TIME_SCHEMA)] = Field(None, description="When it was published.")
    event_id: Name = Field(None, description="Unique for each event; makes repeats recognisable.")

    @model_validator(mode="before")
    @classmethod
    def _name_is_event(cls, value: Any) -> Any:
        # {{{PARTICLE_EVENT_JSON}}}, the whole event, has its name under "name".
        if isinstance(value, dict) and "event" not in value and "name" in value:
            return {**value, "event": value["name"]}
        return value


class _Salvage(NamedTuple):
    event: str | None
    device: str | None


def read(body: bytes, content_type: str | None, context: IntakeContext) -> Alert:
    """Return the alert that a Particle body holds, or a quarantined one with the reasons if it can't be read.

    `content_type` is the header's bare media type in lower case, or None: Particle sends none with a custom body.
    """
    try:
        parsed = _parse_form(body) if content_type == FORM else ParticleEvent.model_validate_json(body)
    except ValidationError as error:
        return _quarantined(body, field_errors(error), context)
    except ValueError as error:
        return _quarantined(body, (FieldError("", str(error)),), context)
    data = read_data(parsed.data)
    published_at = read_time(parsed.published_at)
    fields = finite(parsed.model_extra or {})
    if published_at is None and parsed.published_at not in (None, ""):
        fields["published_at"] = finite(parsed.published_at)
    if parsed.event_id:
        fields["event_id"] = parsed.event_id
    return Alert(
        id=context.id,
        received_at=context.received_at,
        source=Source.PARTICLE,
        status=AlertStatus.ACCEPTED,
        signal=_signal(data),
        event=parsed.event,
        severity=decide_severity(_claimed(data, fields), parsed.event, context.severities).severity,
        incident_key=incident_key("particle", parsed.coreid or "", parsed.event),
        device=parsed.coreid,
        data=data,
        fields=fields,
        published_at=published_at,
        repeat_key=_repeat_key(parsed, published_at),
        request_id=context.request_id,
    )


def read_data(value: Json) -> Json:
    """Return an event's data; text that holds a JSON object or list is parsed, even if it is escaped for HTML.

    `{{PARTICLE_EVENT_VALUE}}` with two braces escapes the quotes of a JSON text for HTML.
    """
    if isinstance(value, str):
        for text in (value, html.unescape(value)):
            if text.lstrip()[:1] in ("{", "["):
                try:
                    return finite(from_json(text))
                except (ValueError, TypeError):  # TypeError: it contains bytes that aren't UTF-8
                    continue
        return value
    return finite(value)


def _parse_form(body: bytes) -> ParticleEvent:
    # A device may publish bytes that aren't UTF-8. They are kept as surrogates, so that the alert isn't lost.
    text = body.decode("utf-8", errors="surrogateescape")
    pairs = parse_qsl(text, keep_blank_values=True, errors="surrogateescape", max_num_fields=MOST_FIELDS)
    return ParticleEvent.model_validate(dict(pairs))


def _claimed(data: Json, fields: dict[str, Json]) -> Json:
    return data.get("severity") if isinstance(data, dict) and "severity" in data else fields.get("severity")


def _signal(data: Json) -> Signal:
    return Signal.RESOLVED if isinstance(data, dict) and data.get("status") == Signal.RESOLVED else Signal.FIRING


def _repeat_key(parsed: ParticleEvent, published_at: datetime | None) -> str | None:
    if parsed.event_id:
        return f"particle:{parsed.event_id}"
    if published_at is None or not parsed.coreid:
        return None  # two equal bodies without a time may be two events
    seen = json.dumps([parsed.coreid, parsed.event, parsed.published_at, parsed.data], sort_keys=True, default=str)
    return f"particle:{hashlib.sha256(seen.encode()).hexdigest()}"


def _quarantined(body: bytes, errors: tuple[FieldError, ...], context: IntakeContext) -> Alert:
    salvage = _salvage(body)
    event = salvage.event or UNREADABLE
    return Alert(
        id=context.id,
        received_at=context.received_at,
        source=Source.PARTICLE,
        status=AlertStatus.QUARANTINED,
        signal=Signal.FIRING,
        event=event,
        severity=_severity_of_unreadable(event, context.severities),
        incident_key=incident_key(UNREADABLE, salvage.device or "", event),
        device=salvage.device,
        errors=tuple(map(str, errors)),
        raw=body,
        request_id=context.request_id,
    )


def _severity_of_unreadable(event: str, rules: SeverityRules) -> Any:
    return decide_severity(None, event, rules).severity


def _salvage(body: bytes) -> _Salvage:
    """Extract the event and the device from a broken body, so that its notifications can name them."""
    text = body[:65536].decode("utf-8", errors="replace")
    found = re.findall(r'"(event|coreid)"\s*:\s*"([^"\\\x00-\x1f]{1,128})"', text)
    # Particle sends event, data, coreid in this order. The data probably broke the body and may contain the same
    # names, so the first event and the last coreid count.
    events = [value for name, value in found if name == "event"]
    devices = [value for name, value in found if name == "coreid"]
    return _Salvage(next(iter(events), None), next(reversed(devices), None))
