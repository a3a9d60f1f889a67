"""The list of all channels. To add one, write a module beside this one and add it to PROVIDERS."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import date

from alertgate.addresses import mask
from alertgate.clock import Clock
from alertgate.config import Settings
from alertgate.errors import ConfigError
from alertgate.model import ChannelName, Target
from alertgate.notify.channels import (
    apprise,
    discord,
    matrix,
    ntfy,
    outbox,
    pushover,
    slack,
    smtp,
    teams,
    telegram,
    twilio,
    twilio_call,
    webhook,
)
from alertgate.notify.channels.base import Channel, Finding, Level, Outcome, Provider
from alertgate.notify.gateways import gateway_warning
from alertgate.policy.people import SECRET_ADDRESSES, shown_address
from alertgate.policy.surroundings import BY_MAIL, Surroundings, channel_of

SERVICES: tuple[Provider, ...] = (
    ntfy,
    pushover,
    telegram,
    twilio,
    twilio_call,
    webhook.PROVIDER,
    slack.PROVIDER,
    discord.PROVIDER,
    teams.PROVIDER,
    matrix,
    apprise,
)
PROVIDERS: tuple[Provider, ...] = (smtp, outbox, *SERVICES)


def advice(settings: Settings, channel: ChannelName, outcome: Outcome) -> str | None:
    """Return what went wrong on a channel and what to change, as one sentence; None if nothing went wrong."""
    provider = next((each for each in SERVICES if channel in each.ADDRESSES), smtp)
    return provider.advice(settings, outcome)


def open_channels(settings: Settings, clock: Clock) -> list[Channel]:
    """Return the channels that the settings configure. Raises StoreUnavailable."""
    return [channel for provider in PROVIDERS for channel in provider.from_settings(settings, clock)]


def in_use(settings: Settings) -> frozenset[ChannelName]:
    """Return the names of the channels that the settings configure, without opening them."""
    by_mail = frozenset(BY_MAIL) if settings.mail_host else frozenset({ChannelName.OUTBOX})
    others = {name for provider in SERVICES if not provider.missing(settings) for name in provider.ADDRESSES}
    return by_mail | others


def targets(settings: Settings) -> list[Target]:
    """Return every recipient's address with the channel that reaches it; they are told where nobody is named.

    Raises ConfigError for one of RECIPIENT_PUSH that can't be told.
    """
    return [*smtp.targets(settings), *outbox.targets(settings), *pushed(settings)]


def pushed(settings: Settings, providers: Collection[Provider] = PROVIDERS) -> list[Target]:
    """Return the recipients that RECIPIENT_PUSH names. Raises ConfigError."""
    around, found, problems = _around(settings, providers), [], []
    names = ", ".join("sms" if name is ChannelName.TWILIO else name for name in around.channels if name not in BY_MAIL)
    for text in settings.recipient_push:
        channel, _, address = text.partition(":")
        if channel not in around.channels:
            known = f"where CHANNEL is one of {names}: write one like ntfy:alarm-x7Kq"
            problems.append(f"RECIPIENT_PUSH: {mask(text)} isn't CHANNEL:ADDRESS, {known}")
            continue
        try:
            around.check(ChannelName(channel), address)
        except ValueError as error:
            problems.append(f"RECIPIENT_PUSH: {mask(text)} {str(error).replace(address or '-', mask(address))}")
        else:
            found.append((channel_of(ChannelName(channel), address), address))
    if problems:
        raise ConfigError(problems)
    return found


def surroundings(settings: Settings, secrets: Mapping[str, str]) -> Surroundings:
    """Return what the policy's file needs to know of the service; `secrets` has the values of `CONTACT_…`.

    Raises ConfigError for a recipient of the settings that can't be told.
    """
    return replace(_around(settings), secrets=secrets, recipients=targets(settings))


def _around(settings: Settings, providers: Collection[Provider] = PROVIDERS) -> Surroundings:
    checks = {name: check for provider in providers for name, check in provider.ADDRESSES.items()}
    lacking = [(provider, text) for provider in providers if (text := provider.missing(settings))]
    missing = {name: text for provider, text in lacking for name in provider.ADDRESSES}
    return Surroundings(zone=settings.zone, channels=checks, missing=missing)


def missing(settings: Settings) -> Mapping[ChannelName, str]:
    """Return what to set before each of the channels that the settings don't configure can be used."""
    by_mail = {} if settings.mail_host else dict.fromkeys(BY_MAIL, "set SMTP_EMAIL or SMTP_HOST (docs/mail.md)")
    return {**by_mail, **_around(settings).missing}


def findings(settings: Settings, told: Collection[Target], today: date) -> list[Finding]:
    """Return what an operator should know about the addresses that are told, and about the channels."""
    written = any(channel is ChannelName.OUTBOX for channel, _ in told)  # else nobody is told by mail
    providers = [provider for provider in PROVIDERS if provider is not outbox or written]
    about_channels = [finding for provider in providers for finding in provider.findings(settings)]
    return [*about_recipients(settings, told, today), *about_channels]


def about_recipients(settings: Settings, told: Collection[Target], today: date) -> list[Finding]:
    """Return what an operator should know about the addresses that are told, and those that no longer are."""
    about_addresses = [_about(target, today) for target in told if target[1] != outbox.NOBODY]
    return [*about_addresses, *_untold(settings, told)]


def _untold(settings: Settings, told: Collection[Target]) -> Iterator[Finding]:
    """Yield the recipients of the settings who aren't told, because the policy names people."""
    addresses = {address for _, address in told}
    pushed = [each.partition(":")[2] for each in settings.recipient_push]
    named = {
        "RECIPIENT_EMAIL": settings.recipient_email,
        "RECIPIENT_SMS": settings.recipient_sms,
        "RECIPIENT_PUSH": pushed,
    }
    for name, address in ((name, address) for name, given in named.items() for address in given):
        if address not in addresses:
            text = "isn't told, because alertgate.toml has people: make it a contact of one, or take it out of"
            yield Finding(Level.WARN, name, f"{mask(address)} {text} {name}")


def _about(target: Target, today: date) -> Finding:
    channel, address = target
    if warning := gateway_warning(address, today):
        return Finding(Level.FAIL if warning.dead else Level.WARN, f"recipient {address}", warning.text)
    what = f"{channel} {shown_address(*target)}" if channel in SECRET_ADDRESSES else f"recipient {address}"
    return Finding(Level.OK, what, f"is told by {channel}")
