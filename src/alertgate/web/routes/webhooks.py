"""The two webhooks: guard, read, record, answer."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Literal

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.types import ASGIApp, Receive, Scope, Send

from alertgate.accept import generic, particle
from alertgate.accept.intake import IntakeContext
from alertgate.accept.record import Recorded, Result
from alertgate.errors import AlertgateError, FieldError, Invalid, StoreTooSlow, WrongContentType
from alertgate.model import Alert, AlertStatus
from alertgate.web.body import media_type, read_body
from alertgate.web.dependencies import Gate
from alertgate.web.guards import SHOW_PARTICLE, SHOW_SIGNATURES, particle_guard, signed_body
from alertgate.web.problems import Problem, answer, documented

STORE_WITHIN = 12.0
"""Seconds for a commit: Particle waits for 20, and a locked SQLite file is given up on after 5."""
LONGEST_ANSWER = 500
"""Bytes: Particle publishes the answer to the device in chunks of 512, each of which is billed."""


router = APIRouter(tags=["webhooks"])
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Straight:
    """Calls the webhooks' endpoints straight, within a frame of their own, and leaves everything else to `app`.

    In `app` they stand for the OpenAPI document, and for what comes by another method. What the framework does around
    and before an endpoint costs more than storing an alert does (docs/adr/0007).
    """

    def __init__(self, app: FastAPI, frame: Callable[[ASGIApp], ASGIApp]) -> None:
        self._app = app
        self._framed = frame(self._call)
        routes = [route for route in router.routes if isinstance(route, APIRoute)]
        self._routes = {(method, route.path): route for route in routes for method in route.methods or ()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the application's life."""
        route = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["app"], scope["route"] = self._app, route
        await self._framed(scope, receive, send)

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await scope["route"].endpoint(request)
        except AlertgateError as error:
            response = answer(request, error)
        await response(scope, receive, send)


class Accepted(BaseModel):
    """The alert is on disk."""

    status: Literal["accepted"]
    id: str
    incident: str | None


class Duplicate(BaseModel):
    """The same event came before; nothing new was stored."""

    status: Literal["duplicate"]
    id: str


class Quarantined(BaseModel):
    """The body can't be read; it was kept whole, and its recipients are told."""

    status: Literal["quarantined"]
    id: str
    errors: list[str]


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema whose references to its own `$defs`, which nobody finds in a larger document, are resolved."""
    definitions = schema.pop("$defs", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, list):
            return [resolved(item) for item in node]
        if not isinstance(node, dict):
            return node
        if reference := node.get("$ref"):
            rest = {name: value for name, value in node.items() if name != "$ref"}
            return resolved({**definitions[reference.rpartition("/")[2]], **rest})
        return {name: resolved(value) for name, value in node.items()}

    inlined: dict[str, Any] = resolved(schema)
    return inlined


PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: documented("No or wrong credential", "WWW-Authenticate"),
    408: documented("The body took too long"),
    413: documented("The body is too large"),
    429: documented("Over the rate limit", "Retry-After"),
    503: documented("Can't be stored now, or this webhook is switched off", "Retry-After"),
}
PARTICLE_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": Duplicate, "description": "Seen before"},
    202: {"model": Accepted | Quarantined, "description": "On disk"},
    422: documented("Can't be read; kept all the same (with PARTICLE_STRICT)"),
    **PROBLEMS,
}
GENERIC_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": Duplicate, "description": "Seen before"},
    202: {"model": Accepted, "description": "On disk"},
    400: {**documented("Not valid JSON"), "model": Problem},
    415: documented("Not JSON by its content type"),
    422: documented("Fields are missing or wrong"),
    **PROBLEMS,
}

_PARTICLE_FIELDS = {
    "type": "object",
    "required": ["event"],
    "properties": {
        "event": {"type": "string", "maxLength": 256, "example": "alarm/motion"},
        "data": {"description": "Text, text that holds JSON, any JSON value, or a `data:` URL."},
        "coreid": {"type": "string", "description": "The device's id.", "example": "3f002b000000000000000000"},
        "published_at": {"type": "string", "format": "date-time"},
        "event_id": {"type": "string", "description": "Unique for each event; makes repeats recognisable."},
    },
    "additionalProperties": True,
}
PARTICLE_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _PARTICLE_FIELDS},
            particle.FORM: {
                "schema": _PARTICLE_FIELDS,
                "example": {"event": "demo", "data": "mydata", "coreid": "3f002b000000000000000000"},
            },
        },
    }
}
GENERIC_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": _inlined(generic.GenericBody.model_json_schema())}},
    },
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "schema": {"type": "string", "maxLength": generic.LONGEST_KEY},
            "description": "The same key again is answered 200 duplicate.",
        },
        {
            "name": "webhook-id",
            "in": "header",
            "schema": {"type": "string"},
            "description": "Standard Webhooks: the message's id; the same again is answered 200 duplicate.",
        },
        {
            "name": "webhook-timestamp",
            "in": "header",
            "schema": {"type": "string"},
            "description": "Standard Webhooks: Unix seconds, at most five minutes from now.",
        },
    ],
}


@router.post(
    "/webhook/particle",
    status_code=202,
    operation_id="particle",
    responses=PARTICLE_ANSWERS,
    openapi_extra=PARTICLE_BODY,
    dependencies=SHOW_PARTICLE,
)
@router.put(
    "/webhook/particle",
    status_code=202,
    operation_id="particle_put",
    responses=PARTICLE_ANSWERS,
    openapi_extra=PARTICLE_BODY,
    dependencies=SHOW_PARTICLE,
)
async def particle_webhook(request: Request) -> Response:
    """Take an event from Particle Cloud, in any of the forms that it sends."""
    gate: Gate = request.app.state.gate
    particle_guard(request, gate)
    body = await read_body(request, gate)
    alert = particle.read(body, media_type(request), _intake(request, gate))
    gate.limits.count_device(alert.device or "unknown")
    recorded = await _record(alert, request, gate)
    if recorded.result is Result.QUARANTINED and gate.settings.particle_strict:
        errors = tuple(FieldError("", error) for error in alert.errors)
        raise Invalid(f"The body can't be read; it is kept as alert {alert.id}. Mend the webhook's template.", errors)
    return _answer(recorded, alert)


@router.post(
    "/webhook/generic",
    status_code=202,
    operation_id="generic",
    responses=GENERIC_ANSWERS,
    openapi_extra=GENERIC_BODY,
    dependencies=SHOW_SIGNATURES,
)
async def generic_webhook(request: Request) -> Response:
    """Take a signed alert from any other system."""
    gate: Gate = request.app.state.gate
    body = await signed_body(request, gate)
    if (kind := media_type(request)) and kind != "application/json" and not kind.endswith("+json"):
        raise WrongContentType(f"The content type is {kind[:80]}; send application/json. Nothing was stored.")
    if (coding := request.headers.get("content-encoding", "").strip().lower()) not in ("", "identity"):
        raise WrongContentType(f"The body is compressed ({coding[:20]}); send it as it is. Nothing was stored.")
    alert = generic.read(body, _idempotency_key(request), _intake(request, gate))
    return _answer(await _record(alert, request, gate), alert)


def _intake(request: Request, gate: Gate) -> IntakeContext:
    now = gate.clock.now()
    return IntakeContext(gate.new_id(now), now, gate.settings.severities, request.state.request_id)


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key") or request.headers.get("webhook-id")
    if key and len(key) > generic.LONGEST_KEY:
        raise Invalid(
            "Nothing was stored.", (FieldError("Idempotency-Key", f"is over {generic.LONGEST_KEY} characters"),)
        )
    return key or None


async def _record(alert: Alert, request: Request, gate: Gate) -> Recorded:
    """Commit; only then is there anything to answer."""
    try:
        async with asyncio.timeout(STORE_WITHIN):
            recorded = await gate.store.write_batch(gate.recorder.record, alert)
    except TimeoutError:
        raise StoreTooSlow(f"The database didn't commit an alert within {STORE_WITHIN:g} s; it may yet.") from None
    if recorded.due:
        gate.deliverer.wake()
    seconds = gate.clock.monotonic() - request.state.started
    gate.metrics.alert_recorded(alert.source, recorded.result, seconds)
    request.state.facts.update(
        result=recorded.result,
        alert_id=recorded.alert_id,
        incident_id=recorded.incident_id,
        source=alert.source,
        event_name=alert.event,
        device=alert.device,
        severity=alert.severity,
        reason=recorded.reason,
        **({"errors": list(alert.errors)} if alert.errors else {}),
    )
    return recorded


def _answer(recorded: Recorded, alert: Alert) -> Response:
    if recorded.result is Result.DUPLICATE:
        return _json({"status": recorded.result, "id": recorded.alert_id}, 200)
    answer: dict[str, Any] = {"status": recorded.result, "id": recorded.alert_id}
    if alert.status is AlertStatus.QUARANTINED:
        answer["errors"] = _fit(answer, alert.errors)
    else:
        answer["incident"] = recorded.incident_id
    return _json(answer, 202)


def _json(answer: dict[str, Any], status: int) -> Response:
    return Response(_encode(answer), status, media_type="application/json")


def _fit(answer: dict[str, Any], errors: tuple[str, ...]) -> list[str]:
    """Return as many errors as keep the answer short."""
    kept: list[str] = []
    for error in errors:
        if len(json.dumps({**answer, "errors": [*kept, error]}, ensure_ascii=False).encode()) > LONGEST_ANSWER:
            break
        kept.append(error)
    return kept
