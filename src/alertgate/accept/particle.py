"""Turn the bodies of Particle's webhooks into alerts.

A body that can't be read becomes a quarantined alert, never an error: Particle stops calling a host name whose
failures outnumber its successes, so one bad template would silence every device.

Source: Particle's "Webhooks" reference (bodies, default fields, template variables), and its "Typed publish" page
(binary data as `data:` URLs).
"""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import parse_qsl

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import from_json

from alertgate.accept.all_clear import decide_signal, doubt
from alertgate.accept.device_signs import sign_of
from alertgate.accept.fields import LONGEST_EVENT, LONGEST_NAME, as_text, field_errors, finite, read_data
from alertgate.accept.intake import IntakeContext
from alertgate.accept.keys import incident_key, part_of
from alertgate.accept.repeats import Identity, content_digest, repeat_key, without_metadata
from alertgate.accept.rulings import Said, Understood, find_ruling, ruled, ruled_key
from alertgate.accept.salvage import Salvage, salvage
from alertgate.accept.severity import decide_severity
from alertgate.accept.spellings import joined, respell_both
from alertgate.accept.times import TIME_SCHEMA, read_time
from alertgate.errors import FieldError
from alertgate.id_kind import IdKind
from alertgate.model import Alert, AlertStatus, Json, Signal, Source
from alertgate.policy.devices import OF_THE_CLOUD, is_named
from alertgate.words import is_absent, is_variable, values_of

UNREADABLE = "unreadable"
"""The event of a quarantined alert whose own event can't be extracted."""

FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 200


def _text(value: object) -> object:
    """Ids arrive as numbers if a template leaves out the quotes, and names in a form may not be UTF-8."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return as_text(value) if is_number or isinstance(value, str) else value


def _present(value: object) -> object:
    """Treat blank text, or a template variable that Particle didn't fill in, as absent."""
    return None if is_absent(value) else _text(value)


Name = Annotated[Annotated[str, Field(max_length=LONGEST_NAME)] | None, BeforeValidator(_present)]


class ParticleEvent(BaseModel):
    """An event as Particle's webhooks send it. All other fields are kept as they are."""

    model_config = ConfigDict(
        extra="allow",
        hide_input_in_errors=True,
        json_schema_extra={
            "example": {"event": "alarm/motion", "data": "Motion in the hall", "coreid": "3f002b000000000000000000"}
        },
    )

    event: Annotated[
        str,
        Field(min_length=1, max_length=LONGEST_EVENT, description="The event's name.", examples=["alarm/motion"]),
        BeforeValidator(_text),
    ]
    data: Any = Field(
        None,
        description="Text, text that holds JSON, any JSON value, or a `data:` URL.",
        examples=["Motion in the hall"],
    )
    coreid: Name = Field(None, description="The device's id.", examples=["3f002b000000000000000000"])
    published_at: Annotated[Any, WithJsonSchema(TIME_SCHEMA)] = Field(None, description="When it was published.")
    event_id: Name = Field(None, description="Unique for each event; makes repeats recognisable.")


def understand(body: bytes, content_type: str | None, context: IntakeContext, query: bytes = b"") -> Understood:
    """Return the alert that a Particle request holds, or a quarantined one with the reasons if it can't be read.

    `content_type` is the header's bare media type in lower case, or None: Particle sends none with a custom body.
    `query` is the raw query string; if it and the body have the same field, the body's value is used.
    """
    try:
        return _accepted(*_fields(body, content_type, query), context)
    except ValidationError as error:
        errors = field_errors(error)
    except ValueError as error:
        errors = (FieldError("", str(error)),)
    except Exception as error:  # noqa: BLE001  (whatever fails here, the alert mustn't be lost)
        errors = (FieldError("", f"reading it failed: {type(error).__name__}"),)
    alert = _quarantined(body, query, errors, context)
    return Understood(alert, sign=sign_of(alert))


def _found(body: bytes, query: bytes) -> tuple[dict[str, Json], Salvage]:
    """Return the query's fields beside an unreadable body, and what both still tell; nothing if that fails too."""
    try:
        asked = _readable(query) if body else {}
        return asked, salvage(body or query, asked, query if body else b"")
    except Exception:  # noqa: BLE001  (the body was unreadable before: it is kept, and told, whatever else fails)
        return {}, Salvage(None, None, "")


def _fields(body: bytes, content_type: str | None, query: bytes) -> tuple[dict[str, Json], dict[str, Json]]:
    """Return the fields of query and body. Raises ValueError, which says why they can't be read."""
    asked = _readable(query) if body else _parse_form(query)
    if asked and not body:
        return asked, {}
    if content_type == FORM:
        return asked, _parse_form(body)
    try:
        parsed = from_json(body)
    except ValueError as error:
        raise ValueError(f"Invalid JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise ValueError("Input should be an object")  # noqa: TRY004  (it is about the body, not about an argument)
    return asked, parsed


def _parse_form(text: bytes) -> dict[str, Json]:
    # A device may publish bytes that aren't UTF-8. They are kept as surrogates, so that the alert isn't lost.
    pairs = parse_qsl(
        text.decode(errors="surrogateescape"),
        keep_blank_values=True,
        errors="surrogateescape",
        max_num_fields=MOST_FIELDS,
    )
    return dict(pairs)


def _accepted(asked: dict[str, Json], said: dict[str, Json], context: IntakeContext) -> Understood:
    """Return the alert with these fields of a query and a body. Raises ValidationError."""
    spelled = respell_both(asked, said)
    parsed = ParticleEvent.model_validate(spelled.fields)
    data = read_data(parsed.data)
    published_at = read_time(parsed.published_at)
    fields = finite({**(parsed.model_extra or {}), **_unread(spelled.fields), **spelled.replaced})
    statuses, severities = ([*values_of(name, data, fields)] for name in ("status", "severity"))
    signal = decide_signal(statuses, [data, fields], parsed.event, data)
    if published_at is None and parsed.published_at not in (None, ""):
        fields["published_at"] = finite(parsed.published_at)
    if parsed.event_id:
        fields["event_id"] = parsed.event_id
    own = Said(Source.PARTICLE, parsed.event, data, parsed.coreid, None, statuses, severities, fields)
    ruling = find_ruling(own, context)
    content = content_digest(parsed.coreid, parsed.event, data, without_metadata(fields))
    identity = _identity(joined(asked, said), parsed, published_at, content)
    key = ruled_key("particle", parsed.coreid or "", parsed.event, part_of(data, fields), ruling)
    alert = Alert(
        id=context.id,
        received_at=context.received_at,
        source=Source.PARTICLE,
        status=AlertStatus.ACCEPTED,
        signal=signal.signal,
        event=parsed.event,
        severity=decide_severity(severities, parsed.event, context.severities).severity,
        incident_key=key.key,
        device=parsed.coreid,
        data=data,
        fields=fields,
        published_at=published_at,
        repeat_key=identity.repeat_key,
        id_kind=identity.id_kind,
        content=identity.content,
        request_id=context.request_id,
        credential=context.credential,
        reason=doubt(signal),
    )
    named = alert.event in OF_THE_CLOUD and is_named(context.devices, alert.device)
    sign = sign_of(alert, vitals=ruling is not None and ruling.rule.vitals)
    return ruled(alert, own, ruling, key.whole, named=named)._replace(sign=sign)


def _unread(fields: dict[str, Json]) -> dict[str, Json]:
    """Return the template variables that stand where an id should, so that they can be seen."""
    return {name: text for name in ("coreid", "event_id") if is_variable(text := fields.get(name))}


def _identity(sent: dict[str, Json], parsed: ParticleEvent, published_at: datetime | None, content: str) -> Identity:
    """Return by what a repeat is recognised.

    Only an id and a time that were sent under Particle's own names count: under any other, they may be firmware's
    counters or dates, which many events share.
    """
    event_id, time = sent.get("event_id"), sent.get("published_at")
    if parsed.event_id and _is_plain(event_id) and parsed.event_id == _text(event_id):
        return Identity(content, IdKind.EVENT_ID, repeat_key(IdKind.EVENT_ID, parsed.coreid, parsed.event_id))
    if published_at is None or not parsed.coreid or not _is_plain(time) or time != parsed.published_at:
        return Identity()  # two equal bodies without a time may be two events
    return Identity(content)


def _is_plain(value: Json) -> bool:
    return isinstance(value, str | int | float) and not is_absent(value)


def _quarantined(body: bytes, query: bytes, errors: tuple[FieldError, ...], context: IntakeContext) -> Alert:
    asked, found = _found(body, query)
    event = found.event or UNREADABLE
    return Alert(
        id=context.id,
        received_at=context.received_at,
        source=Source.PARTICLE,
        status=AlertStatus.QUARANTINED,
        signal=Signal.FIRING,
        event=event,
        severity=decide_severity((), event, context.severities).severity,
        incident_key=incident_key(UNREADABLE, found.sender, event),
        device=found.device,
        fields=asked,
        errors=tuple(map(str, errors)),
        raw=body or query,
        request_id=context.request_id,
        credential=context.credential,
    )


def _readable(query: bytes) -> dict[str, Json]:
    """Return a query string's fields, or all of it as one field if it can't be parsed."""
    try:
        return _parse_form(query)
    except ValueError:
        return {"query": query.decode(errors="surrogateescape")}
