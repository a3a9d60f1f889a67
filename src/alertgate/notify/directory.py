"""Who can be told now: the people of the policy in force, and the channels and addresses that reach them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Self
from zoneinfo import ZoneInfo

from alertgate.addresses import mask
from alertgate.model import ChannelName, Target
from alertgate.policy.people import Contact, Person, recipients
from alertgate.policy.policy import Policy
from alertgate.policy.surroundings import BY_MAIL, channel_of

NO_SECRETS: Mapping[str, str] = MappingProxyType({})


def no_secrets() -> Mapping[str, str]:
    """Return no addresses, where the policy names none by a secret."""
    return NO_SECRETS


class Directory:
    """Looks people and targets up in the policy in force, which `policy` returns.

    `channels` are in use; `secrets` returns the addresses that the policy only names, the same mapping until it is
    read again.
    """

    def __init__(
        self,
        policy: Callable[[], Policy],
        channels: Collection[ChannelName],
        secrets: Callable[[], Mapping[str, str]] = no_secrets,
    ) -> None:
        self._policy = policy
        self._channels = frozenset(channels)
        self._secrets = secrets
        self._indexed: tuple[Policy, Mapping[str, str]] | None = None
        self._by_target: dict[Target, tuple[Person, ...]] = {}

    @classmethod
    def of(cls, targets: Sequence[Target]) -> Self:
        """Return the directory of a gate without a policy, whose recipients are all told at once."""
        policy = Policy(people=recipients(targets, ZoneInfo("UTC")))
        return cls(lambda: policy, {channel for channel, _ in targets})

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._policy()

    @property
    def targets(self) -> tuple[Target, ...]:
        """All channels and addresses by which somebody can be told."""
        return tuple(self._index())

    @property
    def unsent(self) -> tuple[str, ...]:
        """Those with a contact for which there is only the outbox, by name; masked if that is an address."""
        return self._names(is_outbox=True)

    @property
    def unreached(self) -> frozenset[str]:
        """Those of them for whom there is nothing else, so that nobody tells them anything."""
        return frozenset(self.unsent).difference(self._names(is_outbox=False))

    def _names(self, *, is_outbox: bool) -> tuple[str, ...]:
        found = [(each, who) for each, who in self._index().items() if (each[0] is ChannelName.OUTBOX) is is_outbox]
        names = (mask(one.name) if one.name == address else one.name for (_, address), who in found for one in who)
        return tuple(dict.fromkeys(names))

    @property
    def named(self) -> set[Target]:
        """The targets of all contacts; where its address isn't known, a contact counts by what the policy says."""
        contacts = (contact for person in self.policy.people.values() for contact in person.contacts)
        return {self.target(contact) or (contact.channel, contact.address) for contact in contacts}

    def target(self, contact: Contact) -> Target | None:
        """Return the channel and address of a contact; None if the secret that holds the address isn't set."""
        address = contact.resolve(self._secrets())
        if address is None:
            return None
        channel = channel_of(contact.channel, address)
        stands_in = channel not in self._channels and channel in BY_MAIL
        outbox = stands_in and ChannelName.OUTBOX in self._channels
        return (ChannelName.OUTBOX if outbox else channel), address

    @property
    def by_secret(self) -> Mapping[Target, str]:
        """Whom the contacts are of whose addresses the policy only names, by channel and that name with its `$`."""
        contacts = ((one.name, contact) for one in self.policy.people.values() for contact in one.contacts)
        return {(contact.channel, contact.address): name for name, contact in contacts if contact.secret}

    def meant(self, target: Target) -> Target:
        """Return what the name of a secret in place of an address stands for, if that is set; any other as it is."""
        contact = Contact(*target)
        return (self.target(contact) if contact.secret else None) or target

    def people(self, target: Target) -> tuple[Person, ...]:
        """Return the people whom a target reaches; none if it isn't in the policy any more."""
        return self._index().get(target, ())

    def gone(self, addresses: Collection[str]) -> set[str]:
        """Return those of these by which nobody is told any more.

        None while the policy can't be read, or any contact's address isn't known: it may be one of them.
        """
        found = set(addresses).difference(address for _, address in self._index())
        contacts = (contact for person in self.policy.people.values() for contact in person.contacts)
        is_known = not self.policy.stands_in and (not found or all(map(self.target, contacts)))
        return found if is_known else set()

    def _index(self) -> Mapping[Target, tuple[Person, ...]]:
        policy, secrets = self.policy, self._secrets()
        if self._indexed is None or policy is not self._indexed[0] or secrets is not self._indexed[1]:
            found: dict[Target, tuple[Person, ...]] = {}
            for person in policy.people.values():
                for target in filter(None, map(self.target, person.contacts)):
                    if person not in found.get(target, ()):
                        found[target] = (*found.get(target, ()), person)
            self._indexed, self._by_target = (policy, secrets), found
        return self._by_target
