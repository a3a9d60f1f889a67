"""Whether alertgate can do its work: each finding is ok, warn or fail, with what to do."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import combinations

from pydantic import SecretStr

from alertgate.config import Settings
from alertgate.errors import StoreInUse, Unavailable
from alertgate.notify.channels.base import Sent
from alertgate.notify.channels.smtp import MailServer
from alertgate.notify.gateways import gateway_warning
from alertgate.notify.plan import targets
from alertgate.store.engine import Store

STRONG = 24
"""Characters from which a random secret can't be guessed in any time that matters."""


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of the result."""

    level: Level
    what: str
    text: str


async def run(settings: Settings, now: datetime, *, offline: bool) -> list[CheckResult]:
    """Look at everything; `offline` leaves the mail server alone."""
    findings = [*_secrets(settings), *_recipients(settings, now), *_mail(settings), _store(settings)]
    if settings.mail_host and not offline:
        findings.append(await _smtp(settings))
    return findings


def _secrets(settings: Settings) -> Iterator[CheckResult]:
    named: dict[str, SecretStr | None] = {
        "PARTICLE_WEBHOOK_SECRET": settings.particle_webhook_secret,
        "WEBHOOK_SECRET": settings.webhook_secret,
        "API_TOKEN": settings.api_token,
        "SECRET_KEY": settings.secret_key,
    }
    guards = {
        "PARTICLE_WEBHOOK_SECRET": "the Particle webhook",
        "WEBHOOK_SECRET": "the generic webhook",
        "API_TOKEN": "the API",
    }
    texts = {name: secret.get_secret_value() for name, secret in named.items() if secret}
    for name, secret in named.items():
        if secret is None and name in guards:
            yield CheckResult(Level.WARN, name, f"isn't set: {guards[name]} is switched off and answers 503")
        elif secret is not None and (len(texts[name]) < STRONG or len(set(texts[name])) < STRONG // 3):
            yield CheckResult(Level.WARN, name, "is weak: use one that `alertgate init` makes")
        elif secret is not None:
            yield CheckResult(Level.OK, name, "is set")
    if not (settings.particle_webhook_secret or settings.webhook_secret):
        yield CheckResult(
            Level.FAIL, "webhooks", "both are switched off: no alert can come in; set at least one secret"
        )
    for one, other in combinations(texts, 2):
        if texts[one] == texts[other]:
            yield CheckResult(Level.WARN, one, f"equals {other}: who knows one knows both; make them differ")


def _recipients(settings: Settings, now: datetime) -> Iterator[CheckResult]:
    if not (settings.recipient_email or settings.recipient_sms):
        yield CheckResult(Level.WARN, "recipients", "none is set: nobody is told; set RECIPIENT_EMAIL")
        return
    for channel, address in targets(settings):
        doubt = gateway_warning(address, now.date())
        if doubt:
            yield CheckResult(Level.FAIL if doubt.dead else Level.WARN, f"recipient {address}", doubt.text)
        else:
            yield CheckResult(Level.OK, f"recipient {address}", f"is told by {channel}")


def _mail(settings: Settings) -> Iterator[CheckResult]:
    if settings.mail_host is None:
        yield CheckResult(
            Level.WARN,
            "mail",
            f"no server is set: messages go to {settings.outbox_dir}, and nobody is told; set SMTP_EMAIL or SMTP_HOST",
        )
        return
    if settings.smtp_security == "none":
        yield CheckResult(Level.WARN, "SMTP_SECURITY", "is none: mails, and the password, cross the network readable")
    if settings.smtp_password is None and settings.smtp_security != "none":
        yield CheckResult(Level.WARN, "SMTP_PASSWORD", "isn't set: mail is handed over without a login")


def _store(settings: Settings) -> CheckResult:
    try:
        return CheckResult(Level.OK, "store", Store(settings).look())
    except StoreInUse:
        return CheckResult(Level.OK, "store", f"{settings.sqlite_file} is being served by a running alertgate")
    except Unavailable as error:
        return CheckResult(Level.FAIL, "store", str(error))


async def _smtp(settings: Settings) -> CheckResult:
    server = MailServer(settings)
    outcome = await server.check()
    what = f"mail server {settings.mail_host}:{settings.mail_port}"
    if isinstance(outcome, Sent):
        login = "and takes the login" if settings.smtp_password else "without a login"
        return CheckResult(Level.OK, what, f"answers {login}: {outcome.reply}")
    return CheckResult(Level.FAIL, what, f"{outcome.reason}: {outcome.reply}")
