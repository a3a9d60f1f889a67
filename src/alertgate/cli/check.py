"""The findings of `alertgate check`: each is ok, warn or fail, and says what to do."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import combinations

from pydantic import SecretStr

from alertgate.accept.credentials import SECRET_PREFIX, fits_libraries
from alertgate.cli import policy
from alertgate.config import Settings
from alertgate.errors import StoreInUse, Unavailable
from alertgate.notify import linking
from alertgate.notify.channels import registry
from alertgate.notify.channels.base import Finding, Level
from alertgate.policy.load import PolicyFile, parse
from alertgate.policy.surroundings import Surroundings
from alertgate.setting_sources import Doubt
from alertgate.store.engine import Store
from alertgate.store.private import open_to_others

STRONG = 24
"""Characters that a random secret needs to be practically impossible to guess."""


async def run(
    settings: Settings,
    doubts: Sequence[Doubt],
    file: PolicyFile,
    around: Surroundings,
    now: datetime,
    *,
    offline: bool,
) -> list[Finding]:
    """Check everything, and the policy's file as it was read; with `offline`, don't connect to the mail server.

    What is fine by the settings alone is left out where the mail server was asked about the same.
    """
    # Of a file with problems nobody knows whom it would tell: they are said, and nothing that follows from them.
    known_people = () if file.problems else (file.policy or parse("", around),)
    told = [each for one in known_people for each in policy.directory(one, settings, around.secrets).targets]
    findings = [
        *(Finding(Level.FAIL if doubt.is_wrong else Level.WARN, doubt.name, doubt.text) for doubt in doubts),
        *_secrets(settings),
        *_recipients(settings, file),
        *([Finding(Level.WARN, "time zone", settings.zone_doubt)] if settings.zone_doubt else []),
        *(Finding(Level.WARN, "DEVICES", doubt) for doubt in settings.device_doubts),
        *_links(settings),
        *linking.findings(settings, told),
        *registry.findings(settings, told, now.date()),
        *policy.findings(file, settings, around, now),
        *policy.in_force(file, settings),
        *policy.unheard(file, settings),
        _store(settings),
        *([Finding(Level.WARN, "DATA_DIR", is_open)] if (is_open := open_to_others(settings.data_dir)) else []),
    ]
    if offline:
        return _concealed(findings, around)
    answers = [finding for provider in registry.PROVIDERS for finding in await provider.check(settings, told)]
    asked_about = {finding.what for finding in answers}
    known = [each for each in findings if each.level is not Level.OK or each.what not in asked_about]
    return _concealed(known + answers, around)


def _concealed(findings: Iterable[Finding], around: Surroundings) -> list[Finding]:
    """Return findings without the addresses that the policy only names."""
    hide = partial(policy.concealed, secrets=around.secrets)
    return [Finding(each.level, hide(each.what), hide(each.text)) for each in findings]


def _secrets(settings: Settings) -> Iterator[Finding]:
    named: dict[str, SecretStr | None] = {
        "PARTICLE_WEBHOOK_SECRET": settings.particle_webhook_secret,
        "WEBHOOK_SECRET": settings.webhook_secret,
        "WEBHOOK_TOKEN": settings.webhook_token,
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
        if secret is None and name == "WEBHOOK_SECRET" and settings.webhook_token:
            yield Finding(Level.OK, name, "isn't set: the generic webhook takes WEBHOOK_TOKEN and no signatures")
        elif secret is None and name in guards:
            yield Finding(Level.WARN, name, f"isn't set: {guards[name]} is switched off and answers 503")
        elif secret is not None and (len(texts[name]) < STRONG or len(set(texts[name])) < STRONG // 3):
            yield Finding(Level.WARN, name, "is weak: use one that `alertgate init` generates")
        elif name == "WEBHOOK_SECRET" and not fits_libraries(texts[name]):
            yield _unfit(name, texts[name])
        elif secret is not None:
            yield Finding(Level.OK, name, "is set")
    if not (settings.particle_webhook_secret or settings.webhook_secret or settings.webhook_token):
        yield Finding(
            Level.FAIL, "webhooks", "both are switched off: no alert can be received; set at least one secret"
        )
    for one, other in combinations(texts, 2):
        if texts[one] == texts[other]:
            yield Finding(Level.WARN, one, f"equals {other}: a leak of one exposes both; use different secrets")


def _unfit(name: str, secret: str) -> Finding:
    """Return the finding for a secret that the Standard Webhooks libraries reject, or turn into another key."""
    level = Level.WARN if secret.startswith(SECRET_PREFIX) else Level.OK
    return Finding(
        level,
        name,
        "is set, but only for X-Hub-Signature-256: the Standard Webhooks libraries can't use it, because they expect "
        f"`{SECRET_PREFIX}` and padded standard base64, as `alertgate init` writes it",
    )


def _recipients(settings: Settings, file: PolicyFile) -> Iterator[Finding]:
    named = settings.recipient_email or settings.recipient_sms or settings.recipient_push
    if named or file.problems or (file.policy and file.policy.has_people):
        return
    text = "none is set: nobody is told; set RECIPIENT_EMAIL or RECIPIENT_PUSH, or people in alertgate.toml"
    yield Finding(Level.FAIL, "recipients", text)


def _links(settings: Settings) -> Iterator[Finding]:
    if not settings.public_url:
        text = "isn't set: messages have no link by which somebody could say that they take care of it (docs/links.md)"
        yield Finding(Level.OK, "PUBLIC_URL", text)


def _store(settings: Settings) -> Finding:
    store = Store(settings)
    try:
        return Finding(Level.OK, "store", store.look())
    except StoreInUse:
        return Finding(Level.OK, "store", f"{store.name} is being served by a running alertgate")
    except Unavailable as error:
        return Finding(Level.FAIL, "store", str(error))
