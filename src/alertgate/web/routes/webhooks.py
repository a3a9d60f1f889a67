"""The two webhooks: parse the body that the guard let in, record it, answer."""

import asyncio
import json
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response

from alertgate.accept import generic, particle
from alertgate.accept.credentials import Presented, presented_by, standard_headers
from alertgate.accept.fields import distinct
from alertgate.accept.record import Recorded, Result
from alertgate.accept.repeats import SenderId
from alertgate.accept.rulings import Understood
from alertgate.errors import FieldError, Invalid, StoreError, StoreRefused, StoreTooSlow, WrongContentType
from alertgate.id_kind import IdKind
from alertgate.model import Alert, AlertStatus, Source
from alertgate.notify.render.text import one_line
from alertgate.web.body import media_type
from alertgate.web.dependencies import CurrentGate, Gate, intake
from alertgate.web.guards import GenericBody, ParticleBody
from alertgate.web.openapi import (
    GENERIC_ANSWERS,
    GENERIC_BODY,
    GENERIC_HOW,
    PARTICLE_ANSWERS,
    PARTICLE_BODY,
    PARTICLE_QUERY,
)
from alertgate.web.refusals import report_shortened, reported

STORE_WITHIN = 12.0
"""Seconds for a commit: Particle waits for 20, and a locked SQLite file is given up on after 5."""
LONGEST_ANSWER = 500
"""Bytes: Particle publishes the answer to the device in chunks of 512, each of which is billed."""

EVENTS = {
    Result.ACCEPTED: "alert.accepted",
    Result.QUARANTINED: "alert.quarantined",
    Result.DUPLICATE: "alert.repeated",
    Result.IGNORED: "alert.ignored",
    Result.VITALS: "alert.vitals",
}
"""The log's event for each result."""

log = structlog.stdlib.get_logger("alertgate.accept")
router = APIRouter(tags=["webhooks"])
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


# The last decorator runs first: POST, which Particle sends unless told otherwise, comes first in /docs.
@router.delete(
    "/webhook/particle",
    status_code=202,
    operation_id="particle_delete",
    responses=PARTICLE_ANSWERS,
    openapi_extra=PARTICLE_QUERY,
)
@router.get(
    "/webhook/particle",
    status_code=202,
    operation_id="particle_get",
    responses=PARTICLE_ANSWERS,
    openapi_extra=PARTICLE_QUERY,
)
@router.put(
    "/webhook/particle",
    status_code=202,
    operation_id="particle_put",
    responses=PARTICLE_ANSWERS,
    openapi_extra=PARTICLE_BODY,
)
@router.post(
    "/webhook/particle",
    status_code=202,
    operation_id="particle",
    responses=PARTICLE_ANSWERS,
    openapi_extra=PARTICLE_BODY,
)
async def particle_webhook(request: Request, gate: CurrentGate, body: ParticleBody) -> Response:
    """Take an event from Particle Cloud, in any of the forms that it sends."""
    understood = particle.understand(body, media_type(request), intake(request, gate), request.scope["query_string"])
    alert = understood.alert
    with reported(request, gate, Source.PARTICLE, lambda: alert):
        gate.limits.count_device(alert.device or "unknown")
    recorded = await _record(understood, request, gate)
    if recorded.result is Result.QUARANTINED and gate.settings.particle_strict:
        errors = tuple(FieldError("", error) for error in alert.errors)
        raise Invalid(f"The body can't be read; it is kept as alert {alert.id}. Fix the webhook's template.", errors)
    return _answer(recorded, alert)


@router.post(
    "/webhook/generic",
    status_code=202,
    operation_id="generic",
    description=GENERIC_HOW,
    responses=GENERIC_ANSWERS,
    openapi_extra=GENERIC_BODY,
)
async def generic_webhook(request: Request, gate: CurrentGate, body: GenericBody) -> Response:
    """Take an alert from any other system, signed or with a bearer token."""
    _check_coding(request)
    understood = generic.understand(body, _sender_id(request), intake(request, gate))
    return _answer(await _record(understood, request, gate), understood.alert)


def _check_coding(request: Request) -> None:
    """Refuse a compressed body. The content type isn't checked: many senders name none, or a wrong one, for JSON."""
    coding = ",".join(request.headers.getlist("content-encoding")).strip().lower()
    if coding not in ("", "identity"):
        raise WrongContentType(f"The body is compressed ({coding[:20]}); send it as it is. Nothing was stored.")


def _sender_id(request: Request) -> SenderId | None:
    """Return what the sender calls the event: where it signs an id, that one alone."""
    signed = standard_headers(request.headers).message_id
    if presented_by(request.headers) in (Presented.STANDARD, Presented.SVIX) and signed:
        return SenderId(IdKind.WEBHOOK_ID, distinct(signed, generic.LONGEST_KEY))
    key = request.headers.get("idempotency-key") or signed
    return SenderId(IdKind.IDEMPOTENCY_KEY, distinct(key, generic.LONGEST_KEY)) if key else None


async def _record(understood: Understood, request: Request, gate: Gate) -> Recorded:
    """Commit the alert: nothing may be answered before. Raises TooMuchStored, StoreUnavailable or StoreRefused."""
    alert = understood.alert
    with reported(request, gate, alert.source, lambda: alert):
        fitted = gate.volume.fit(alert)
        try:
            recorded = await _commit(understood._replace(alert=fitted.alert), gate)
        except StoreError:
            gate.volume.give_back(fitted)
            raise
    if recorded.result is Result.DUPLICATE:
        gate.volume.give_back(fitted)  # else whoever replays one request would use up the budget of all others
    else:
        gate.volume.count(alert.source, recorded.beside)
        report_shortened(request, gate, fitted)
    if recorded.due:
        gate.deliverer.wake()
    seconds = gate.clock.monotonic() - request.state.started
    gate.metrics.alert_recorded(alert.source, recorded.result, seconds)
    _log(recorded, alert)
    if recorded.hint:
        gate.metrics.own_alert_recorded()
        _log_hint(recorded.hint)
    return recorded


async def _commit(understood: Understood, gate: Gate) -> Recorded:
    try:
        async with asyncio.timeout(STORE_WITHIN):
            return await gate.store.write_batch(gate.recorder.record, understood)
    except TimeoutError:
        raise StoreTooSlow(
            f"The database didn't commit an alert within {STORE_WITHIN:g} s; it may still do so."
        ) from None
    except StoreRefused as error:
        log.error(  # noqa: TRY400  (it is the database's error)
            "alert.refused",
            detail="the database works, but doesn't take this alert: it isn't stored, nobody is told what it says, "
            "and its sender was answered 503; please report it",
            **_about(understood.alert),
            error=str(error),
        )
        raise


def _log(recorded: Recorded, alert: Alert) -> None:
    structlog.contextvars.bind_contextvars(alert_id=recorded.alert_id)  # the request's own line names it too
    more = {"errors": list(alert.errors)} if alert.errors else {}
    log.info(
        EVENTS[recorded.result],
        incident_id=recorded.incident_id,
        **_about(alert),
        reason=recorded.reason,
        **more,
    )


def _log_hint(hint: Alert) -> None:
    log.warning(
        "hint.reported",
        detail=one_line(hint.message or "", 200),
        alert_id=hint.id,
        incident_id=hint.incident_id,
        event_name=hint.event,
        severity=hint.severity,
    )


def _about(alert: Alert) -> dict[str, Any]:
    """Return what the log says of an alert: nothing of its content."""
    return {"source": alert.source, "event_name": alert.event, "device": alert.device, "severity": alert.severity}


def _answer(recorded: Recorded, alert: Alert) -> Response:
    if recorded.result is Result.DUPLICATE:
        return _json({"status": recorded.result, "id": recorded.alert_id}, 200)
    answer: dict[str, Any] = {"status": recorded.result, "id": recorded.alert_id}
    if recorded.result in (Result.IGNORED, Result.VITALS):
        return _json(answer, 202)
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
