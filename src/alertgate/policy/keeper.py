"""Keeps the policy that is in force: reads its file at start and on SIGHUP, and shares it by the store.

The last good policy stays in force if the file turns bad or vanishes, also at the next start. Replicas on one database
follow each other: whichever read its file last decides for all.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import structlog

from alertgate.clock import Clock
from alertgate.errors import ConfigError, PolicyInvalid, StoreError
from alertgate.policy.doubts import Doubt, doubts, unreachable
from alertgate.policy.load import FileState, PolicyFile, digest, parse, read_file, short
from alertgate.policy.policy import Policy
from alertgate.policy.surroundings import Surroundings
from alertgate.store import Connection, policies
from alertgate.store.engine import Store
from alertgate.store.policies import StoredPolicy

FOLLOW_EVERY = 5.0
"""Seconds after which a replica has the policy that another one has read."""

log = structlog.stdlib.get_logger("alertgate.policy")


class PolicyReason(StrEnum):
    """Why a policy is in force, or none."""

    NO_FILE = "no_file"  # none: there is no file, and nothing is stored, or it was forgotten on purpose
    FILE = "file"  # this process has read it from its file
    FOLLOWED = "followed"  # another process has
    FILE_MISSING = "file_missing"  # the last good one: the file has vanished
    FILE_INVALID = "file_invalid"  # the last good one: the file has problems
    STORE_FAILED = "store_failed"  # the last good one: the new one couldn't be stored
    STORED_INVALID = "stored_invalid"  # none, or the one before: this version can't read the stored one


TROUBLES = {
    PolicyReason.FILE_MISSING: "is missing",
    PolicyReason.FILE_INVALID: "is invalid (the log names each problem)",
    PolicyReason.STORE_FAILED: "can't be stored (send SIGHUP again once the database works)",
    PolicyReason.STORED_INVALID: "isn't used, because the stored policy is from another version of alertgate",
}
"""What is wrong with the file, for the reasons that need a person."""


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy in force, and why it is that one. `digest` is that of its text, or empty if there is none."""

    policy: Policy
    digest: str
    reason: PolicyReason

    @property
    def name(self) -> str | None:
        """How logs and `/health` name the policy; None if there is none."""
        return short(self.digest) if self.digest and self.digest != digest("") else None


def choose(file: PolicyFile, stored: StoredPolicy | None, *, named: bool) -> PolicyReason:
    """Decide which policy is in force. `named`: the settings name the file, so that it must exist."""
    if file.state is FileState.READ:
        return PolicyReason.FILE
    if file.state is FileState.INVALID:
        return PolicyReason.FILE_INVALID
    return PolicyReason.FILE_MISSING if named or (stored and stored.text) else PolicyReason.NO_FILE


class PolicyKeeper:
    """Has the policy in force as `current`. `named`: the settings name the file.

    `look_around` returns what a file needs to know of the service, with the secrets as they are now.
    """

    def __init__(
        self, store: Store, clock: Clock, path: Path, look_around: Callable[[], Surroundings], *, named: bool
    ) -> None:
        self._store = store
        self._clock = clock
        self._path = path
        self._look_around = look_around
        self._surroundings = look_around()
        self._named = named
        self._turn = asyncio.Lock()
        self._unreadable: str | None = None
        """The digest of the stored policy that this version can't read."""
        self.current = InForce(parse("", self._surroundings), "", PolicyReason.NO_FILE)

    @property
    def trouble(self) -> str | None:
        """Return what is wrong with the policy's file, or None."""
        problem = TROUBLES.get(self.current.reason)
        if problem is None:
            return None
        kept = f"the last good policy ({self.current.name}) stays" if self.current.name else "no policy is"
        return f"the policy file {self._path} {problem}; {kept} in force"

    @property
    def secrets(self) -> Mapping[str, str]:
        """The addresses that the policy only names, as they were last read."""
        return self._surroundings.secrets

    @property
    def unreachable(self) -> list[Doubt]:
        """The contacts that nothing can reach, each with what to do."""
        return list(unreachable(self.current.policy, self._surroundings))

    def start(self) -> None:
        """Read the file. Raises PolicyInvalid if it can't be used and no policy was ever in force."""
        file = read_file(self._path, self._surroundings)
        with self._store.transaction() as connection:
            stored = settle(connection, file, self._clock.now())
        if stored is None and (found := problems(file, named=self._named)):
            raise PolicyInvalid(found)
        self._adopt(file, stored)

    async def reload(self) -> None:
        """Read the file again. A file that can't be used changes nothing, and is logged."""
        async with self._turn:
            await asyncio.to_thread(self._look_again)
            file = await asyncio.to_thread(read_file, self._path, self._surroundings)
            now = self._clock.now()
            try:
                stored = await self._store.write(lambda connection: settle(connection, file, now))
            except StoreError as error:
                self.current = replace(self.current, reason=PolicyReason.STORE_FAILED)
                log.error("policy.kept", detail=self.trouble, problems=[str(error)], policy=self.current.name)  # noqa: TRY400
                return
            self._adopt(file, stored)

    async def follow(self) -> None:
        """Take over the policy that another process has stored. Raises StoreUnavailable."""
        async with self._turn:
            known = await self._store.read(policies.current_digest)
            if known in (None, self.current.digest, self._unreadable):
                return
            await asyncio.to_thread(self._look_again)
            stored = await self._store.read(policies.get)
            if stored and self._take(stored, PolicyReason.FOLLOWED):
                self._announce()

    def _look_again(self) -> None:
        """Read the addresses again that the policy only names; those that can't be read stay as they were."""
        try:
            self._surroundings = self._look_around()
        except ConfigError as error:
            detail = (
                "CONTACT_… can't be read again, so what they held before counts: correct that and send SIGHUP again"
            )
            log.error("policy.secrets_kept", detail=detail, problems=error.problems)  # noqa: TRY400

    def _adopt(self, file: PolicyFile, stored: StoredPolicy | None) -> None:
        """Put the policy in force that `choose` names, and log it."""
        reason = choose(file, stored, named=self._named)
        if file.policy and stored:
            self.current = InForce(file.policy, stored.digest, reason)
        elif stored is None:
            self.current = replace(self.current, reason=reason)
        elif not self._take(stored, reason):
            return
        if self.trouble:
            log.error("policy.kept", detail=self.trouble, problems=problems(file, named=True), policy=self.current.name)
        elif reason is not PolicyReason.NO_FILE:
            self._announce()

    def _take(self, stored: StoredPolicy, reason: PolicyReason) -> bool:
        """Put a stored policy in force; return whether this version can read it."""
        try:
            policy = parse(stored.text, self._surroundings)
        except PolicyInvalid as invalid:
            self._unreadable = stored.digest
            self.current = replace(self.current, reason=PolicyReason.STORED_INVALID)
            log.error("policy.kept", detail=self.trouble, problems=invalid.problems, policy=self.current.name)  # noqa: TRY400
            return False
        self.current = InForce(policy, stored.digest, reason)
        return True

    def _announce(self) -> None:
        policy = self.current.policy
        counts = {"event_rules": len(policy.events), "people": len(policy.people), "routes": len(policy.routes)}
        log.info("policy.loaded", policy=self.current.name, reason=self.current.reason, **counts)
        for key, doubt in self.unreachable:
            log.error("policy.unreachable", detail=doubt, key=key)
        for key, doubt in doubts(policy, self._clock.now()):
            log.warning("policy.doubtful", detail=doubt, key=key)


def settle(connection: Connection, file: PolicyFile, now: datetime) -> StoredPolicy | None:
    """Store what a file says, if it can be used; return the stored policy, or None if there never was one."""
    stored = policies.get(connection)
    if file.text is None or (stored and stored.digest == digest(file.text)):
        return stored
    new = StoredPolicy(file.text, digest(file.text), now)
    policies.save(connection, new)
    return new


def forget(connection: Connection, now: datetime) -> StoredPolicy | None:
    """End the stored policy on purpose; return it, or None if there was none."""
    stored = policies.get(connection)
    if stored is None or not stored.text:
        return None
    policies.save(connection, StoredPolicy("", digest(""), now))
    return stored


def problems(file: PolicyFile, *, named: bool) -> list[str]:
    """Return what is wrong with a file; a file that isn't named may be missing."""
    if file.state is FileState.MISSING and named:
        return [f"{file.path} is missing: restore it, or name another file in POLICY_FILE"]
    return list(file.problems)
