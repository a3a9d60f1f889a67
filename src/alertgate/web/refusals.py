"""Report requests with a right credential that are refused: their alerts may be lost, so somebody must hear of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fastapi import Request

from alertgate.accept import generic
from alertgate.accept.credentials import CredentialCheck, Presented, presented_by
from alertgate.accept.failed_senders import Failure
from alertgate.accept.volume import Fitted, Shortening, size_of
from alertgate.errors import (
    BodyTooLarge,
    RateLimited,
    Rejected,
    StoreError,
    StoreRefused,
    StoreTooSlow,
    StoreUnavailable,
    TooMuchStored,
)
from alertgate.model import Alert, Severity, Signal, Source
from alertgate.prove.troubles import Cause, Trouble
from alertgate.web.dependencies import Gate, client_address, intake
from alertgate.web.limits import RateBudget


@contextmanager
def reported(
    request: Request, gate: Gate, webhook: Source, read: Callable[[], Alert | None] = lambda: None
) -> Iterator[None]:
    """Report what is refused with 413, 429 or 503 inside. Only for requests whose credential was checked before.

    `read` returns the alert, or None where the body can't be read or never was.
    """
    try:
        yield
    except (BodyTooLarge, RateLimited, StoreError) as error:
        alert = read()
        if alert and isinstance(error, StoreUnavailable):
            gate.health.refused(size_of(alert))
        if isinstance(error, TooMuchStored):
            gate.metrics.rate_limited(RateBudget.STORED)
        gate.own_alerts.raise_(
            Trouble.REFUSED,
            f"{webhook} webhook",
            cause=cause_of(error, webhook),
            severity=weight(alert),
            sender=_sender(request, gate, webhook, alert),
        )
        raise


def report_shortened(request: Request, gate: Gate, fitted: Fitted) -> None:
    """Report that an alert was shortened; while the disk is almost full, its own incident says so."""
    alert = fitted.alert
    if fitted.why is Shortening.BUDGET:
        gate.own_alerts.raise_(
            Trouble.SHORTENED,
            f"{alert.source} webhook",
            cause=Cause.CONTENT_LIMIT,
            severity=Severity.WARNING,
            sender=_sender(request, gate, alert.source, alert),
        )


def unauthenticated(request: Request, gate: Gate, webhook: Source, check: CredentialCheck) -> None:
    """Note that a webhook refused a request with 401: its sender may be one of ours."""
    headers, token = request.headers, ""
    if presented_by(headers) is Presented.BEARER:
        token = headers.get("authorization", "").partition(" ")[2].strip()
    agent = headers.get("user-agent", "")
    gate.failed_senders.note(Failure(webhook, check, token, client_address(request), agent))


def cause_of(error: BodyTooLarge | RateLimited | StoreError, webhook: Source) -> Cause:
    """Return why a webhook refused a request."""
    match error:
        case BodyTooLarge():
            return Cause.TOO_LARGE
        case TooMuchStored():
            return Cause.BYTES_LIMIT
        case RateLimited():
            return Cause.DEVICE_LIMIT if webhook is Source.PARTICLE else Cause.ADDRESS_LIMIT
        case StoreRefused():
            return Cause.STORE_REFUSED
        case StoreTooSlow():
            return Cause.STORE_SLOW
        case _:
            return Cause.STORE_UNAVAILABLE


def weight(alert: Alert | None) -> Severity:
    """Return how bad it is that an alert was refused: like the alert, but a lost all-clear is a warning at most."""
    if alert is None:
        return Severity.WARNING
    if alert.signal is Signal.RESOLVED and alert.severity is Severity.CRITICAL:
        return Severity.WARNING
    return alert.severity


def readable(body: bytes, request: Request, gate: Gate) -> Alert | None:
    """Return the alert that a generic body would have been, or None."""
    try:
        return generic.understand(body, None, intake(request, gate)).alert
    except Rejected:
        return None


def _sender(request: Request, gate: Gate, webhook: Source, alert: Alert | None) -> str:
    """Return whom to look for: Particle's addresses are those of all devices, other senders have their own."""
    if webhook is Source.PARTICLE and alert and alert.device:
        return gate.device_names(alert.device) or alert.device
    return client_address(request)
