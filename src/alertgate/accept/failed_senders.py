"""Notice senders that are refused again and again: maybe a token was rotated and forgotten somewhere.

Anybody on the internet can send a wrong credential, so what is told is little, rare and never critical: a sender must
look like one, and must return with the same credential for a while. What a stranger may choose is never shown.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from alertgate.accept.credential_log import CredentialLog, Refused
from alertgate.accept.credentials import CredentialCheck
from alertgate.accept.own import OwnAlerts
from alertgate.clock import Clock
from alertgate.model import Severity, Source
from alertgate.prove.troubles import DAY, Cause, Trouble

TIMES = 5
WITHIN_AT_LEAST = timedelta(minutes=10)
"""How often a sender must have been refused, and over what time: a scanner is gone by then."""
SHORTEST_TOKEN = 16
"""The shortest token that a setting may hold: what is shorter was never right."""
MOST = 200
"""Senders that are kept in mind for each webhook."""
PARTICLE_AGENT = "ParticleBot/"
"""How the User-Agent of Particle's webhooks begins (facts of docs.particle.io/webhooks)."""
_PRODUCT = re.compile(r"[A-Za-z][A-Za-z-]{1,30}(?=/|\s|$)(?:/\d{1,3}(?:\.\d{1,4}){0,2})?")
"""A program and its version: no dot in the name, so that no phone makes a link of it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that a webhook refused with 401. `token` is empty if it had none, or a signature."""

    webhook: Source
    check: CredentialCheck
    token: str
    address: str
    user_agent: str

    @property
    def looks_like_particle(self) -> bool:
        """Whether it calls itself one of Particle's webhooks, which anybody can."""
        return self.webhook is Source.PARTICLE and self.user_agent.startswith(PARTICLE_AGENT)


class SenderReason(StrEnum):
    """Whether a sender is told of, and why."""

    FEW = "few"  # it was refused too seldom
    BRIEF = "brief"  # all of it happened within minutes, as a scanner does
    RETURNS = "returns"  # it comes again and again: told


@dataclass(frozen=True, slots=True)
class Sender:
    """How often a sender was refused, from when to when in monotonic seconds, and why last."""

    times: int
    first: float
    last: float
    cause: Cause


def cause_of(failure: Failure) -> Cause | None:
    """Return why a sender that looks like one was refused; None for what may be anybody."""
    wrong = Cause.CREDENTIAL_WRONG if not failure.token or len(failure.token) >= SHORTEST_TOKEN else None
    match failure.check:
        case CredentialCheck.MISMATCH:
            return wrong
        case CredentialCheck.EXPIRED:
            return Cause.CREDENTIAL_EXPIRED
        case CredentialCheck.SIGNATURES_OFF | CredentialCheck.TOKENS_OFF:
            return wrong and Cause.CREDENTIAL_OFF
    return Cause.CREDENTIAL_MISSING if failure.looks_like_particle else None


def judge(sender: Sender) -> SenderReason:
    """Decide whether a sender is told of."""
    if sender.times < TIMES:
        return SenderReason.FEW
    return SenderReason.RETURNS if sender.last - sender.first >= WITHIN_AT_LEAST.total_seconds() else SenderReason.BRIEF


def program(user_agent: str) -> str:
    """Return the program that a User-Agent names, such as `ParticleBot/1.1`, or nothing."""
    found = _PRODUCT.match(user_agent)
    return found[0] if found else ""


class FailedSenders:
    """Counts and logs refused senders, and raises in `own_alerts` that one returns, once a day for each webhook.

    `key` is a secret of this process, so that no token is kept.
    """

    def __init__(self, own_alerts: OwnAlerts, clock: Clock, key: bytes) -> None:
        self._own = own_alerts
        self._clock = clock
        self._key = key
        self._senders: dict[Source, dict[bytes, Sender]] = {}
        self._told_at: dict[Source, float] = {}
        self._log = CredentialLog(clock)

    def note(self, failure: Failure) -> None:
        """Note a refused request, and log it once in a while."""
        kind = Refused(failure.webhook, failure.check, bool(failure.token), failure.looks_like_particle)
        self._log.refused(kind, failure.address)
        cause = cause_of(failure)
        if cause is None:
            return
        now, day = self._clock.monotonic(), DAY.total_seconds()
        senders = self._senders.setdefault(failure.webhook, {})
        who = self._fingerprint(failure, cause)
        known = senders.get(who)
        if known is None or now - known.last > day:
            known = Sender(0, now, now, cause)
        senders[who] = counted = replace(known, times=known.times + 1, last=now, cause=cause)
        if len(senders) > MOST:
            # Of many that came once, none takes the place of one that returns.
            del senders[min(senders, key=lambda each: (senders[each].times, senders[each].last))]
        told_at = self._told_at.get(failure.webhook)
        if judge(counted) is SenderReason.RETURNS and (told_at is None or now - told_at >= day):
            self._told_at[failure.webhook] = now
            self._raise(failure, counted)

    def _raise(self, failure: Failure, sender: Sender) -> None:
        span, name = timedelta(seconds=sender.last - sender.first), program(failure.user_agent)
        self._own.raise_(
            Trouble.CREDENTIALS,
            f"{failure.webhook} webhook",
            cause=sender.cause,
            severity=Severity.WARNING,
            sender=f"{failure.address} ({name})" if name else failure.address,
            detail=f"{sender.times} requests in {span // timedelta(minutes=1)} min",
            since=self._clock.now() - span,
        )

    def _fingerprint(self, failure: Failure, cause: Cause) -> bytes:
        """Return what a sender has in common with itself: its token, or where it sends from."""
        shows = failure.token if cause in {Cause.CREDENTIAL_WRONG, Cause.CREDENTIAL_OFF} else ""
        who = f"token {shows}" if shows else f"{cause} {failure.address}"
        return hashlib.blake2b(who.encode(errors="surrogatepass"), key=self._key, digest_size=16).digest()
