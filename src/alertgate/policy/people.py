"""People, their contacts, and the hours in which they want quiet. Pure.

Quiet hours hold what isn't excepted, and never drop it: `quiet_until` says until when. It is the one place that decides
it; ask it again when a hold ends, because the policy may have changed meanwhile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from alertgate.addresses import mask
from alertgate.model import ChannelName, Severity, Target
from alertgate.policy.wall_clock import Hours

SECRET_PREFIX = "$CONTACT_"  # noqa: S105  (the prefix of their names)
"""An address that begins with it is the name of a secret; no other setting can be named, so none can leak."""

SECRET_ADDRESSES = frozenset(ChannelName) - {
    ChannelName.EMAIL,
    ChannelName.SMS,
    ChannelName.OUTBOX,
    ChannelName.TELEGRAM,
    ChannelName.TWILIO,
    ChannelName.CALL,
}
"""The channels where whoever knows an address can write to it, or read it."""


def shown_address(channel: ChannelName, address: str) -> str:
    """Return an address as those who run the gate may see it: masked where it is a secret, unless it only names one."""
    return mask(address) if channel in SECRET_ADDRESSES and not address.startswith(SECRET_PREFIX) else address


@dataclass(frozen=True, slots=True)
class Contact:
    """One channel and address of a person, told `after` the first ones unless somebody has acknowledged by then."""

    channel: ChannelName
    address: str = field(repr=False)
    """As the file has it: a `$CONTACT_…` name stays one until something is sent (`resolve`)."""
    after: timedelta = timedelta(0)

    @property
    def secret(self) -> str | None:
        """The name of the secret that holds the address; None if the file holds it."""
        return self.address[1:] if self.address.startswith(SECRET_PREFIX) else None

    @property
    def shown(self) -> str:
        """The contact as logs and messages may show it: its address masked."""
        return f"{self.channel}:{self.address if self.secret else mask(self.address)}"

    def resolve(self, secrets: Mapping[str, str]) -> str | None:
        """Return the address; None if its secret isn't set."""
        return self.address if self.secret is None else secrets.get(self.secret)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When somebody wants quiet; what is at least as severe as `unless` is told all the same."""

    hours: Hours
    unless: Severity | None = None

    def hold(self, severity: Severity) -> bool:
        """Return whether they hold what is as severe as this."""
        return self.unless is None or severity.rank < self.unless.rank


@dataclass(frozen=True, slots=True)
class Person:
    """Who can be told."""

    name: str
    contacts: tuple[Contact, ...]
    zone: ZoneInfo
    quiet: QuietHours | None = None

    @property
    def shown(self) -> str:
        """The name; masked if it is an address, as that of a recipient of the settings is."""
        is_address = any(contact.address == self.name for contact in self.contacts)
        return mask(self.name) if is_address else self.name

    def quiet_until(self, at: datetime, severity: Severity) -> datetime | None:
        """Return the end of the quiet that holds such a message at a time; None if nothing holds it."""
        if self.quiet is None or not self.quiet.hold(severity) or not self.quiet.hours.contain(at, self.zone):
            return None
        return self.quiet.hours.next_change(at, self.zone)

    def quiet_from(self, at: datetime, severity: Severity) -> datetime | None:
        """Return when the next quiet that holds such a message begins; None if there is none, or one holds it now."""
        if self.quiet is None or not self.quiet.hold(severity) or self.quiet.hours.contain(at, self.zone):
            return None
        return self.quiet.hours.next_change(at, self.zone)


def recipients(targets: Sequence[Target], zone: ZoneInfo) -> Mapping[str, Person]:
    """Return the recipients of the settings as people, each of whom has one address and is named like it."""
    contacts: dict[str, tuple[Contact, ...]] = {}
    for channel, address in targets:
        contacts[address] = (*contacts.get(address, ()), Contact(channel, address))
    return MappingProxyType({name: Person(name, reached_by, zone) for name, reached_by in contacts.items()})
