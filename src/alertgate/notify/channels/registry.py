"""The list of all channels. To add one, write a module beside this one and add it to PROVIDERS."""

from datetime import date

from alertgate.clock import Clock
from alertgate.config import Settings
from alertgate.model import Target
from alertgate.notify.channels import outbox, smtp
from alertgate.notify.channels.base import Channel, Finding, Level, Provider
from alertgate.notify.gateways import gateway_warning

PROVIDERS: tuple[Provider, ...] = (smtp, outbox)


def open_channels(settings: Settings, clock: Clock) -> list[Channel]:
    """Return the channels that the settings configure. Raises StoreUnavailable."""
    return [channel for provider in PROVIDERS for channel in provider.from_settings(settings, clock)]


def targets(settings: Settings) -> list[Target]:
    """Return every recipient's address with the channel that reaches it."""
    return [target for provider in PROVIDERS for target in provider.targets(settings)]


def findings(settings: Settings, today: date) -> list[Finding]:
    """Return what an operator should know about the recipients' addresses and their channels."""
    about_addresses = [_about(target, today) for target in targets(settings) if target[1] != outbox.NOBODY]
    return about_addresses + [finding for provider in PROVIDERS for finding in provider.findings(settings)]


def _about(target: Target, today: date) -> Finding:
    channel, address = target
    if warning := gateway_warning(address, today):
        return Finding(Level.FAIL if warning.dead else Level.WARN, f"recipient {address}", warning.text)
    return Finding(Level.OK, f"recipient {address}", f"is told by {channel}")
