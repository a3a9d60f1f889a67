"""What devices are called: by alertgate.toml, else by DEVICES, else by the name that somebody gave by the API."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Self

from alertgate.policy.policy import Policy
from alertgate.store import Connection, device_lists
from alertgate.store.engine import Store

FOLLOW_EVERY = 60.0
"""Seconds after which a replica knows the names that were given by another one."""
NONE: Mapping[str, str] = MappingProxyType({})


class DeviceNames:
    """Returns the name of a device's id, if it has one. `policy` returns the policy in force, `settings` are DEVICES.

    It may be called anywhere: what the store has is kept in memory, and read again by `follow`.
    """

    def __init__(
        self, policy: Callable[[], Policy], settings: Mapping[str, str] = NONE, given: Mapping[str, str] = NONE
    ) -> None:
        self._policy = policy
        self._settings = settings
        self._given = given
        self._named: tuple[Policy, Mapping[str, str]] | None = None
        """The names of the policy that was looked at last."""

    @classmethod
    def of_policy(cls, policy: Policy, settings: Mapping[str, str] = NONE, given: Mapping[str, str] = NONE) -> Self:
        """Return the names by one policy."""
        return cls(lambda: policy, settings, given)

    def __call__(self, device: str | None) -> str | None:
        """Return the name of a device; None if it has none, or if there is no device."""
        if not device:
            return None
        return self.configured(device) or self._given.get(device.lower())

    def configured(self, device: str | None) -> str | None:
        """Return the name that alertgate.toml or DEVICES has; whoever has read the device knows the one of the API."""
        known = (device or "").lower()
        return self._of_policy().get(known) or self._settings.get(known)

    def find(self, given: str | None) -> tuple[str | None, str | None]:
        """Return the id and the name of a device that is given by either; one that isn't known is both."""
        if given is None:
            return None, None
        wanted = given.casefold()
        found = next((device for device in self._all() if (self(device) or "").casefold() == wanted), given)
        return found, self(found) or given

    def containing(self, text: str) -> frozenset[str]:
        """Return the ids of all devices whose name contains a text, in any case."""
        sought, by_policy = text.casefold(), self._of_policy()
        named = {**self._given, **self._settings, **by_policy}  # what comes last is what a device is called
        return frozenset(device for device, name in named.items() if sought in name.casefold())

    async def follow(self, store: Store) -> None:
        """Read again which names were given by the API. Raises StoreUnavailable."""
        self._given = await store.read(device_lists.given_names)

    def look(self, connection: Connection) -> None:
        """Do the same in a transaction."""
        self._given = device_lists.given_names(connection)

    def _all(self) -> list[str]:
        return [*dict.fromkeys([*self._of_policy(), *self._settings, *self._given])]

    def _of_policy(self) -> Mapping[str, str]:
        policy = self._policy()
        if self._named is None or self._named[0] is not policy:
            names = {rule.pattern.lower(): rule.name for rule in policy.devices if rule.is_id and rule.name}
            self._named = (policy, names)
        return self._named[1]
