"""Who may pass: FastAPI dependencies around the pure checks of `accept.credentials`.

Each is a security scheme, so what guards a path also documents it. A guard returns the body that it let in: an endpoint
without its guard has no body. They are `async`, because FastAPI runs plain functions in a thread pool.
"""

from enum import StrEnum
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security import APIKeyHeader
from fastapi.security.base import SecurityBase
from pydantic import SecretStr

from alertgate.accept.credentials import CredentialCheck, bearer, hub_signature, standard_webhook
from alertgate.config import Settings
from alertgate.errors import SwitchedOff, Unauthenticated
from alertgate.web.body import read_body
from alertgate.web.dependencies import Gate, client_address


class Guard(StrEnum):
    """What is guarded; also a metric's label."""

    PARTICLE = "particle"
    GENERIC = "generic"
    API = "api"
    METRICS = "metrics"


class BearerScheme(SecurityBase):
    """Checks that a request has the bearer token of `setting`, or its previous one."""

    def __init__(self, guard: Guard, setting: str, scheme_name: str, note: str = "") -> None:
        self.model = HTTPBearerModel(description=f"`Authorization: Bearer {setting}`{note}")
        self.scheme_name = scheme_name
        self._guard = guard
        self._setting = setting

    def secrets(self, gate: Gate) -> list[str]:
        """Return the tokens that are valid now. Raises SwitchedOff."""
        return _secrets(gate.settings, self._setting)

    def check_token(self, request: Request, gate: Gate, secrets: list[str]) -> None:
        """Check the token, and count a failure. Raises RateLimited, Unauthenticated."""
        check = bearer(request.headers.getlist("authorization"), secrets)
        if check is not CredentialCheck.OK:
            _count_failure(request, gate, self._guard)
            raise Unauthenticated(
                f"{_sentence(check)} Send Authorization: Bearer with {self._setting}.", scheme="Bearer"
            )


class BearerGuard(BearerScheme):
    """Lets in requests with the token, unless there were too many failures from their address."""

    async def __call__(self, request: Request) -> None:
        """Let the request in. Raises SwitchedOff, RateLimited, Unauthenticated."""
        gate: Gate = request.app.state.gate
        secrets = self.secrets(gate)
        gate.limits.check_failures(client_address(request))
        self.check_token(request, gate, secrets)


class MetricsGuard(BearerGuard):
    """Lets everybody in while no metrics token is set."""

    async def __call__(self, request: Request) -> None:
        """Let the request in. Raises SwitchedOff (only the previous token is set), RateLimited, Unauthenticated."""
        settings = request.app.state.gate.settings
        if settings.metrics_token or settings.metrics_token_previous:
            await super().__call__(request)


class ParticleGuard(BearerScheme):
    """Lets in Particle's webhooks."""

    async def __call__(self, request: Request) -> bytes:
        """Return the body.

        Raises SwitchedOff, RateLimited, Unauthenticated, BodyTooLarge, BodyTooSlow, ClientGone.
        """
        gate: Gate = request.app.state.gate
        # Callers share IPs, so a spent failure budget must not block a valid token (docs/adr/0006).
        self.check_token(request, gate, self.secrets(gate))
        return await read_body(request, gate)


particle_guard = ParticleGuard(Guard.PARTICLE, "PARTICLE_WEBHOOK_SECRET", "ParticleBearer")
api_guard = BearerGuard(Guard.API, "API_TOKEN", "ApiToken")
metrics_guard = MetricsGuard(Guard.METRICS, "METRICS_TOKEN", "MetricsToken", ", if that is set")

_HUB_SIGNATURE = APIKeyHeader(
    name="X-Hub-Signature-256",
    auto_error=False,
    scheme_name="HubSignature",
    description="`sha256=` and the hex HMAC-SHA256 of the raw body with WEBHOOK_SECRET",
)
_STANDARD_WEBHOOKS = APIKeyHeader(
    name="webhook-signature",
    auto_error=False,
    scheme_name="StandardWebhooks",
    description="Standard Webhooks: `webhook-id`, `webhook-timestamp` and `webhook-signature`",
)


async def signature_guard(
    request: Request,
    hub: Annotated[str | None, Security(_HUB_SIGNATURE)],
    standard: Annotated[str | None, Security(_STANDARD_WEBHOOKS)],
) -> bytes:
    """Return the body of a generic webhook, once its signature has been checked.

    Raises SwitchedOff, RateLimited, BodyTooLarge, BodyTooSlow, ClientGone, Unauthenticated.
    """
    gate: Gate = request.app.state.gate
    secrets = _secrets(gate.settings, "WEBHOOK_SECRET")
    address = client_address(request)
    gate.limits.check_failures(address)
    gate.limits.count_generic(address)
    body = await read_body(request, gate)
    if standard is not None and hub is None:
        check = _check_standard_webhook(request, standard, body, secrets, gate)
    else:
        check = hub_signature(request.headers.getlist("x-hub-signature-256"), body, secrets)
    if check is not CredentialCheck.OK:
        _count_failure(request, gate, Guard.GENERIC)
        raise Unauthenticated(
            f"{_sentence(check)} Sign the raw body with WEBHOOK_SECRET, and send X-Hub-Signature-256 or the three "
            "Standard Webhooks headers.",
            scheme="Signature",
        )
    return body


async def api_body(request: Request, _: Annotated[None, Depends(api_guard)]) -> bytes:
    """Return the body of an API request. FastAPI runs the guard once for each request."""
    return await read_body(request, request.app.state.gate)


ParticleBody = Annotated[bytes, Depends(particle_guard)]
SignedBody = Annotated[bytes, Depends(signature_guard)]
ApiBody = Annotated[bytes, Depends(api_body)]


def _check_standard_webhook(
    request: Request, signature: str, body: bytes, secrets: list[str], gate: Gate
) -> CredentialCheck:
    headers = request.headers
    return standard_webhook(
        headers.get("webhook-id", ""),
        headers.get("webhook-timestamp", ""),
        signature,
        body,
        secrets,
        gate.clock.now(),
    )


def _secrets(settings: Settings, setting: str) -> list[str]:
    """Return the values of a secret that are valid now: the present one, and the previous one if it is set."""
    present: SecretStr | None = getattr(settings, setting.lower())
    previous: SecretStr | None = getattr(settings, f"{setting.lower()}_previous")
    if present is None:
        raise SwitchedOff(f"This is switched off, because {setting} isn't set. Set it and restart alertgate.")
    return [secret.get_secret_value() for secret in (present, previous) if secret is not None]


def _count_failure(request: Request, gate: Gate, guard: Guard) -> None:
    """Count a failed authentication. Raises RateLimited when the address has no failures left."""
    address = client_address(request)
    gate.metrics.auth_failed(guard)
    gate.limits.check_failures(address)
    gate.limits.count_failure(address)


def _sentence(check: CredentialCheck) -> str:
    return f"{check[0].upper()}{check[1:]}."
