"""Who may pass: guards around the pure checks of `accept.authenticate`.

Those of the API are FastAPI dependencies, and `async`, because the framework runs others in a thread pool.
"""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import SecretStr

from alertgate.accept.credentials import CredentialCheck, bearer, hub_signature, standard_webhook
from alertgate.errors import SwitchedOff, Unauthenticated
from alertgate.web.body import read_body
from alertgate.web.dependencies import CurrentGate, Gate, client_address
from alertgate.web.problems import documented


class Guard(StrEnum):
    """What is guarded; also a metric's label."""

    PARTICLE = "particle"
    GENERIC = "generic"
    API = "api"
    METRICS = "metrics"


# These classes only describe the credentials in the OpenAPI document; the checks below read the headers themselves.
_PARTICLE = HTTPBearer(
    auto_error=False, scheme_name="ParticleBearer", description="`Authorization: Bearer PARTICLE_WEBHOOK_SECRET`"
)
_API = HTTPBearer(auto_error=False, scheme_name="ApiToken", description="`Authorization: Bearer API_TOKEN`")
_METRICS = HTTPBearer(
    auto_error=False, scheme_name="MetricsToken", description="`Authorization: Bearer METRICS_TOKEN`, if that is set"
)
_HUB = APIKeyHeader(
    name="X-Hub-Signature-256",
    auto_error=False,
    scheme_name="HubSignature",
    description="`sha256=` and the hex HMAC-SHA256 of the raw body with WEBHOOK_SECRET",
)
_STANDARD = APIKeyHeader(
    name="webhook-signature",
    auto_error=False,
    scheme_name="StandardWebhooks",
    description="Standard Webhooks: `webhook-id`, `webhook-timestamp` and `webhook-signature`",
)


def particle_guard(request: Request, gate: Gate) -> None:
    """Let Particle pass. Raises SwitchedOff, RateLimited, Unauthenticated."""
    settings = gate.settings
    _check_bearer(
        request,
        gate,
        Guard.PARTICLE,
        "PARTICLE_WEBHOOK_SECRET",
        settings.particle_webhook_secret,
        settings.particle_webhook_secret_previous,
        # All of the world's Particle devices call from the same few addresses: somebody else's wrong token, or one
        # webhook that kept the old one, must not cost these devices their alerts.
        shared=True,
    )


async def api_guard(request: Request, gate: CurrentGate, _: Annotated[object, Security(_API)]) -> None:
    """Let holders of the API token pass. Raises SwitchedOff, RateLimited, Unauthenticated."""
    settings = gate.settings
    _check_bearer(request, gate, Guard.API, "API_TOKEN", settings.api_token, settings.api_token_previous)


async def metrics_guard(request: Request, gate: CurrentGate, _: Annotated[object, Security(_METRICS)]) -> None:
    """Let holders of the metrics token pass, and anyone while none is set.

    Raises SwitchedOff (the previous token alone is set), RateLimited, Unauthenticated.
    """
    present, previous = gate.settings.metrics_token, gate.settings.metrics_token_previous
    if present or previous:
        _check_bearer(request, gate, Guard.METRICS, "METRICS_TOKEN", present, previous)


async def signed_body(request: Request, gate: Gate) -> bytes:
    """Return the raw body of a generic webhook, once its signature holds.

    Raises SwitchedOff, RateLimited, BodyTooLarge, BodyTooSlow, ClientGone, Unauthenticated.
    """
    settings = gate.settings
    secrets = _secrets("WEBHOOK_SECRET", settings.webhook_secret, settings.webhook_secret_previous)
    address = client_address(request)
    gate.limits.check_failures(address)
    gate.limits.count_generic(address)
    body = await read_body(request, gate)
    verdict = _judge_signature(request, body, secrets, gate)
    if verdict is not CredentialCheck.OK:
        gate.metrics.auth_failed(Guard.GENERIC)
        gate.limits.count_failure(address)
        raise Unauthenticated(
            f"{_sentence(verdict)} Sign the raw body with WEBHOOK_SECRET, and send X-Hub-Signature-256 or the three "
            "Standard Webhooks headers.",
            scheme="Signature",
        )
    return body


GUARDED: dict[int | str, dict[str, Any]] = {
    401: documented("No or wrong token", "WWW-Authenticate"),
    429: documented("Too many failed requests from this address", "Retry-After"),
    503: documented("The database can't be used now, or this is switched off", "Retry-After"),
}
"""How the OpenAPI document shows what a bearer's guard answers."""

# The webhooks call their guards themselves (docs/adr/0007); to the framework these only show the credentials.
SHOW_PARTICLE = [Security(_PARTICLE)]
SHOW_SIGNATURES = [Security(_HUB), Security(_STANDARD)]
ApiGuard = Depends(api_guard)
MetricsGuard = Depends(metrics_guard)


def _check_bearer(
    request: Request,
    gate: Gate,
    guard: Guard,
    setting: str,
    present: SecretStr | None,
    previous: SecretStr | None,
    *,
    shared: bool = False,
) -> None:
    """Check a bearer. `shared`: good callers come from the same addresses as bad ones, so those pass all the same."""
    secrets = _secrets(setting, present, previous)
    address = client_address(request)
    if not shared:
        gate.limits.check_failures(address)
    verdict = bearer(request.headers.getlist("authorization"), secrets)
    if verdict is not CredentialCheck.OK:
        gate.metrics.auth_failed(guard)
        gate.limits.check_failures(address)
        gate.limits.count_failure(address)
        raise Unauthenticated(f"{_sentence(verdict)} Send Authorization: Bearer with {setting}.", scheme="Bearer")


def _judge_signature(request: Request, body: bytes, secrets: list[str], gate: Gate) -> CredentialCheck:
    headers = request.headers
    if "x-hub-signature-256" in headers or "webhook-signature" not in headers:
        return hub_signature(headers.getlist("x-hub-signature-256"), body, secrets)
    return standard_webhook(
        headers.get("webhook-id", ""),
        headers.get("webhook-timestamp", ""),
        headers["webhook-signature"],
        body,
        secrets,
        gate.clock.now(),
    )


def _secrets(setting: str, present: SecretStr | None, previous: SecretStr | None) -> list[str]:
    if present is None:
        raise SwitchedOff(f"This is switched off, because {setting} isn't set. Set it and restart alertgate.")
    return [secret.get_secret_value() for secret in (present, previous) if secret is not None]


def _sentence(verdict: CredentialCheck) -> str:
    return f"{verdict[0].upper()}{verdict[1:]}."
