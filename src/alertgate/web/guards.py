"""Who may pass: FastAPI dependencies around the pure checks of `accept.credentials`.

Each is a security scheme, so what guards a path also documents it. A guard returns the body that it let in: an endpoint
without its guard has no body. They are `async`, because FastAPI runs plain functions in a thread pool.
"""

from contextlib import suppress
from enum import StrEnum
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security import APIKeyHeader
from fastapi.security.base import SecurityBase
from pydantic import SecretStr

from alertgate.accept.credentials import (
    CredentialCheck,
    Presented,
    bearer,
    hub_signature,
    presented_by,
    standard_headers,
    standard_webhook,
)
from alertgate.config import Settings
from alertgate.credential import Credential
from alertgate.errors import RateLimited, SwitchedOff, Unauthenticated
from alertgate.model import Source
from alertgate.web.body import read_body
from alertgate.web.dependencies import Gate, client_address
from alertgate.web.middleware import LET_IN
from alertgate.web.refusals import readable, reported, unauthenticated


class Guard(StrEnum):
    """What is guarded; also a metric's label."""

    PARTICLE = "particle"
    GENERIC = "generic"
    API = "api"
    METRICS = "metrics"
    TWILIO = "twilio"
    CONSOLE = "console"


_WEBHOOKS = {Guard.PARTICLE: Source.PARTICLE, Guard.GENERIC: Source.GENERIC}


class BearerScheme(SecurityBase):
    """Checks that a request has the bearer token of `setting`, or its previous one."""

    def __init__(self, guard: Guard, setting: str, scheme_name: str, credential: Credential, note: str = "") -> None:
        self.model = HTTPBearerModel(
            description=f"The value of `{setting}` from `.env`{note}. It is sent as `Authorization: Bearer …`."
        )
        self.scheme_name = scheme_name
        self._guard = guard
        self._setting = setting
        self._credential = credential

    def secrets(self, gate: Gate) -> list[str]:
        """Return the tokens that are valid now. Raises SwitchedOff."""
        return _secrets(gate.settings, self._setting)

    def check_token(self, request: Request, gate: Gate, secrets: list[str]) -> None:
        """Check the token, and count a failure. Raises RateLimited, Unauthenticated."""
        check = bearer(request.headers.getlist("authorization"), secrets)
        if check is not CredentialCheck.OK:
            count_failure(request, gate, self._guard, check)
            raise Unauthenticated(
                f"{sentence(check)} Send Authorization: Bearer with {self._setting}.", scheme="Bearer"
            )
        let_in(request, self._credential)


class BearerGuard(BearerScheme):
    """Lets in requests with the token."""

    async def __call__(self, request: Request) -> None:
        """Let the request in. Raises SwitchedOff, RateLimited, Unauthenticated."""
        gate: Gate = request.app.state.gate
        self.check_token(request, gate, self.secrets(gate))


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
        self.check_token(request, gate, self.secrets(gate))
        with reported(request, gate, Source.PARTICLE):
            return await read_body(request, gate)


class WebhookToken(BearerScheme):
    """Documents the generic webhook's bearer token, which `generic_guard` checks."""

    async def __call__(self) -> None:
        """Do nothing: the token is only one of the ways in."""


particle_guard = ParticleGuard(Guard.PARTICLE, "PARTICLE_WEBHOOK_SECRET", "ParticleBearer", Credential.PARTICLE)
api_guard = BearerGuard(Guard.API, "API_TOKEN", "ApiToken", Credential.API_TOKEN)
metrics_guard = MetricsGuard(
    Guard.METRICS, "METRICS_TOKEN", "MetricsToken", Credential.METRICS_TOKEN, ", if that is set"
)

_HUB_SIGNATURE = APIKeyHeader(
    name="X-Hub-Signature-256",
    auto_error=False,
    scheme_name="HubSignature",
    description="Not the secret, but what it signs: `sha256=` and the hex HMAC-SHA256 of a raw body with the value of "
    "`WEBHOOK_SECRET` from `.env`. A page can't make it; the webhook's description shows shell lines that do.",
)
_STANDARD_WEBHOOKS = APIKeyHeader(
    name="webhook-signature",
    auto_error=False,
    scheme_name="StandardWebhooks",
    description="Not the secret, but what it signs, as Standard Webhooks do: `webhook-id`, `webhook-timestamp` and "
    "`webhook-signature`, or the same as `svix-…`. A page can't make it.",
)
_WEBHOOK_TOKEN = WebhookToken(
    Guard.GENERIC,
    "WEBHOOK_TOKEN",
    "WebhookToken",
    Credential.WEBHOOK_TOKEN,
    ", if you set one: for senders that can't sign, such as this page",
)
_HOW_TO_SIGN = (
    "Sign the raw body with WEBHOOK_SECRET, and send X-Hub-Signature-256 or the three Standard Webhooks headers."
)
_HOW_TO_SEND_A_TOKEN = "Send Authorization: Bearer with WEBHOOK_TOKEN."  # noqa: S105  (the name of a setting)


async def generic_guard(
    request: Request,
    _hub: Annotated[str | None, Security(_HUB_SIGNATURE)],
    _standard: Annotated[str | None, Security(_STANDARD_WEBHOOKS)],
    _token: Annotated[None, Security(_WEBHOOK_TOKEN)],
) -> bytes:
    """Return the body of a generic webhook, once its signature or its bearer token has been checked.

    Raises SwitchedOff, RateLimited, BodyTooLarge, BodyTooSlow, ClientGone, Unauthenticated.
    """
    gate: Gate = request.app.state.gate
    secrets = _secrets_if_set(gate.settings, "WEBHOOK_SECRET")
    tokens = _secrets_if_set(gate.settings, "WEBHOOK_TOKEN")
    if not (secrets or tokens):
        raise SwitchedOff(
            "This is switched off, because WEBHOOK_SECRET isn't set, nor is WEBHOOK_TOKEN. "
            "Set one of them and restart alertgate."
        )
    address = client_address(request)
    if presented_by(request.headers) is Presented.BEARER or not secrets:
        _require(_check_without_body(request, tokens), request, gate)
        with reported(request, gate, Source.GENERIC):
            body = await read_body(request, gate)
    else:
        async with gate.unverified.reading(address) as turn:
            body = await read_body(request, gate, turn)
        _require(_check_signature(request, body, secrets, gate), request, gate)
    # Only now: what others send from the same address without a credential must not cost a good sender its alerts.
    with reported(request, gate, Source.GENERIC, lambda: readable(body, request, gate)):
        gate.limits.count_generic(address)
    return body


async def knows_api_token(request: Request) -> bool:
    """Tell whether a request to a path that is open to all has the API token.

    A wrong one is answered as none is, so that no health check fails by it, but counted: it mustn't be guessed here.
    """
    gate: Gate = request.app.state.gate
    secrets = _secrets_if_set(gate.settings, "API_TOKEN")
    check = bearer(request.headers.getlist("authorization"), secrets)
    if check is CredentialCheck.OK:
        let_in(request, Credential.API_TOKEN)
    elif secrets and check not in (CredentialCheck.MISSING, CredentialCheck.MALFORMED):
        with suppress(RateLimited):
            count_failure(request, gate, Guard.API, check)
    return check is CredentialCheck.OK


async def api_body(request: Request, _: Annotated[None, Depends(api_guard)]) -> bytes:
    """Return the body of an API request. FastAPI runs the guard once for each request."""
    return await read_body(request, request.app.state.gate)


ParticleBody = Annotated[bytes, Depends(particle_guard)]
GenericBody = Annotated[bytes, Depends(generic_guard)]
ApiBody = Annotated[bytes, Depends(api_body)]
KnowsToken = Annotated[bool, Depends(knows_api_token)]


def _check_without_body(request: Request, tokens: list[str]) -> CredentialCheck:
    """Judge a bearer token, or a signature while WEBHOOK_SECRET isn't set."""
    if presented_by(request.headers) is not Presented.BEARER:
        return CredentialCheck.SIGNATURES_OFF
    authorization = request.headers.getlist("authorization")
    return CredentialCheck.TOKENS_OFF if authorization and not tokens else bearer(authorization, tokens)


def _check_signature(request: Request, body: bytes, secrets: list[str], gate: Gate) -> CredentialCheck:
    if presented_by(request.headers) is Presented.HUB:
        return hub_signature(request.headers.getlist(Presented.HUB), body, secrets)
    return standard_webhook(*standard_headers(request.headers), body, secrets, gate.clock.now())


def _require(check: CredentialCheck, request: Request, gate: Gate) -> None:
    """Raise Unauthenticated, with what to send instead, unless the check is OK. Raises RateLimited too."""
    if check is CredentialCheck.OK:
        is_token = presented_by(request.headers) is Presented.BEARER
        let_in(request, Credential.WEBHOOK_TOKEN if is_token else Credential.WEBHOOK_SECRET)
        return
    count_failure(request, gate, Guard.GENERIC, check)
    settings = gate.settings
    ways = [_HOW_TO_SIGN] if settings.webhook_secret else []
    ways += [_HOW_TO_SEND_A_TOKEN] if settings.webhook_token else []
    by_token = settings.webhook_token and (
        presented_by(request.headers) is Presented.BEARER or not settings.webhook_secret
    )
    raise Unauthenticated(f"{sentence(check)} {' Or: '.join(ways)}", scheme="Bearer" if by_token else "Signature")


def _secrets(settings: Settings, setting: str) -> list[str]:
    """Return the values of a secret that are valid now. Raises SwitchedOff if it isn't set."""
    secrets = _secrets_if_set(settings, setting)
    if not secrets:
        raise SwitchedOff(f"This is switched off, because {setting} isn't set. Set it and restart alertgate.")
    return secrets


def _secrets_if_set(settings: Settings, setting: str) -> list[str]:
    """Return the present value of a secret and the previous one if that is set; nothing if the present one isn't."""
    present: SecretStr | None = getattr(settings, setting.lower())
    previous: SecretStr | None = getattr(settings, f"{setting.lower()}_previous")
    if present is None:
        return []
    return [secret.get_secret_value() for secret in (present, previous) if secret is not None]


def count_failure(request: Request, gate: Gate, guard: Guard, check: CredentialCheck) -> None:
    """Count a failed authentication. Raises RateLimited when the address has no failures left.

    Only for a credential that was found wrong: callers share addresses, so what others send must not keep a right one
    out (docs/adr/0006).
    """
    address = client_address(request)
    gate.metrics.auth_failed(guard)
    if guard in _WEBHOOKS:
        unauthenticated(request, gate, _WEBHOOKS[guard], check)
    gate.limits.check_failures(address)
    gate.limits.count_failure(address)


def let_in(request: Request, credential: Credential) -> None:
    """Note the credential that was found right: what it does is recorded with it, and its line in the log written."""
    setattr(request.state, LET_IN, credential)


def sentence(check: CredentialCheck) -> str:
    """Return what is wrong with a credential, as a sentence."""
    return f"{check[0].upper()}{check[1:]}."
