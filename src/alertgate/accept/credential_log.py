"""Say in the log that a webhook refuses a credential, and which one to copy where: once in a while, not for each.

Anybody on the internet can send a wrong credential, so there is one line for each kind of it in a while, and what was
sent is never in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import structlog

from alertgate.accept.credentials import CredentialCheck
from alertgate.clock import Clock
from alertgate.model import Source

EVERY = 600.0
"""Seconds between two lines about the same kind of refusal."""

log = structlog.stdlib.get_logger("alertgate.accept")


@dataclass(frozen=True, slots=True)
class Refused:
    """A kind of refusal; there are few of them. `bearer`: it had a token; `particle`: it calls itself Particle's."""

    webhook: Source
    check: CredentialCheck
    bearer: bool
    particle: bool


@dataclass(slots=True)
class _Said:
    at: float
    unsaid: int = 0
    """How many came since."""


class CredentialLog:
    """Logs refused credentials."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._said: dict[Refused, _Said] = {}

    def refused(self, refused: Refused, client: str) -> None:
        """Log a request that a webhook refused, unless its kind was logged lately or tells nothing."""
        remedy = remedy_for(refused)
        if remedy is None:
            return
        now, said = self._clock.monotonic(), self._said.get(refused)
        if said and now - said.at < EVERY:
            said.unsaid += 1
            return
        self._said[refused] = _Said(now)
        facts = {"webhook": refused.webhook, "client": client, "unsaid": said.unsaid if said else 0}
        log.warning("credential.refused", detail=f"{refused.check}: {remedy}", **facts)


def remedy_for(refused: Refused) -> str | None:
    """Return what to change, as a sentence; None for what scanners send, without a credential."""
    match refused.check:
        case CredentialCheck.MISMATCH if refused.webhook is Source.PARTICLE:
            return f"if it is a webhook of yours, {_COPY_FOR_PARTICLE}"
        case CredentialCheck.MISSING | CredentialCheck.MALFORMED if refused.particle:
            return f"if it is a webhook of yours, {_COPY_FOR_PARTICLE}"
        case CredentialCheck.MISMATCH if refused.bearer:
            return "if it is a sender of yours, copy WEBHOOK_TOKEN into it from this service's .env"
        case _ if refused.webhook is Source.PARTICLE:
            return None
        case check:
            return _GENERIC.get(check)


_COPY_FOR_PARTICLE = (
    "copy PARTICLE_WEBHOOK_SECRET from this service's .env into Particle's console: the integration's HTTP header "
    "Authorization, after the word Bearer"
)
_GENERIC: Mapping[CredentialCheck, str] = MappingProxyType(
    {
        CredentialCheck.MISMATCH: "if it is a sender of yours, copy WEBHOOK_SECRET into it from this service's .env, "
        "and sign the body's bytes as they are sent",
        CredentialCheck.EXPIRED: "set the clock of the sender, or of this machine",
        CredentialCheck.SIGNATURES_OFF: "set it and restart, or have the sender send WEBHOOK_TOKEN",
        CredentialCheck.TOKENS_OFF: "set it and restart, or have the sender sign with WEBHOOK_SECRET",
    }
)
