"""Keeps the policy that is in force: reads its file at start and on SIGHUP, and shares it by the store.

The last good policy stays in force if the file turns bad or vanishes, also at the next start. Replicas on one database
follow each other: whichever read its file last decides for all.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

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
    FAILED = "failed"  # the last good one: alertgate failed when it was to read the file again


TROUBLES = {
    PolicyReason.FILE_MISSING: "is missing",
    PolicyReason.FILE_INVALID: "is invalid (the log names each problem)",
    PolicyReason.STORE_FAILED: "can't be stored (send SIGHUP again once the database works)",
    PolicyReason.STORED_INVALID: "isn't used, because the stored policy is from another version of alertgate",
    PolicyReason.FAILED: "couldn't be read again, because alertgate itself failed (the log says how)",
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


class _Choice(NamedTuple):
    """What is in force from now on, and what the log has to say of it."""

    in_force: InForce
    problems: Sequence[str] = ()
    unreachable: Sequence[Doubt] = ()
    doubts: Sequence[Doubt] = ()
    unreadable: str | None = None
    """The digest of the stored policy that this version can't read."""


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
        unwatched = ", and no device is watched" if self.current.policy.stands_in else ""
        return f"the policy file {self._path} {problem}; {kept} in force{unwatched}"

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
            raise PolicyInvalid(found, self._path)
        self._adopt(self._choice(stored, choose(file, stored, named=self._named), file))

    async def reload(self) -> None:
        """Read the file again. A file that can't be used changes nothing, and is logged. Never raises."""
        async with self._turn:
            try:
                self._adopt(await self._read_again())
            except StoreError as error:
                self._keep(PolicyReason.STORE_FAILED, [str(error)])
            except Exception as error:  # nobody waits for a signal's outcome: whoever sent it must be told
                log.exception("policy.failed", detail="a defect in alertgate; please report it")
                self._keep(PolicyReason.FAILED, [type(error).__name__])

    async def follow(self) -> None:
        """Take over the policy that another process has stored. Raises StoreUnavailable."""
        async with self._turn:
            known = await self._store.read(policies.current_digest)
            if known in (None, self.current.digest, self._unreadable):
                return
            await asyncio.to_thread(self._look_again)
            if stored := await self._store.read(policies.get):
                self._adopt(await asyncio.to_thread(self._choice, stored, PolicyReason.FOLLOWED))

    async def _read_again(self) -> _Choice:
        """Read the file and store it; what takes long for a large one is done in threads."""
        await asyncio.to_thread(self._look_again)
        file = await asyncio.to_thread(read_file, self._path, self._surroundings)
        now = self._clock.now()
        stored = await self._store.write(lambda connection: settle(connection, file, now))
        return await asyncio.to_thread(self._choice, stored, choose(file, stored, named=self._named), file)

    def _look_again(self) -> None:
        """Read the addresses again that the policy only names; those that can't be read stay as they were."""
        try:
            self._surroundings = self._look_around()
        except ConfigError as error:
            detail = (
                "CONTACT_… can't be read again, so what they held before counts: correct that and send SIGHUP again"
            )
            log.error("policy.secrets_kept", detail=detail, problems=error.problems)  # noqa: TRY400

    def _choice(self, stored: StoredPolicy | None, reason: PolicyReason, file: PolicyFile | None = None) -> _Choice:
        """Return what is in force from now on, for this reason. `file` is the one that was read, if one was."""
        found = problems(file, named=True) if file else []
        if stored is None:
            return _Choice(replace(self.current, reason=reason), found)
        try:
            policy = (file and file.policy) or self._known(stored)
        except PolicyInvalid as invalid:
            return _Choice(self._without(), invalid.problems, unreadable=stored.digest)
        in_force = InForce(policy, stored.digest, reason)
        if reason in TROUBLES or reason is PolicyReason.NO_FILE:
            return _Choice(in_force, found)
        return _Choice(in_force, found, list(unreachable(policy, self._surroundings)), self._doubts(policy))

    def _without(self) -> InForce:
        """Return what is in force while the stored policy can't be read: the one before, if there is one."""
        if self.current.name:
            return replace(self.current, reason=PolicyReason.STORED_INVALID)
        return InForce(replace(self.current.policy, stands_in=True), "", PolicyReason.STORED_INVALID)

    def _known(self, stored: StoredPolicy) -> Policy:
        """Return a stored policy. Raises PolicyInvalid if this version can't read it.

        A contact of it whose channel isn't set up any more reaches nobody, but all the others stay in force.
        """
        is_current = stored.digest == self.current.digest
        return self.current.policy if is_current else parse(stored.text, replace(self._surroundings, missing={}))

    def _doubts(self, policy: Policy) -> Sequence[Doubt]:
        try:
            return list(doubts(policy, self._clock.now()))
        except Exception:  # a policy that is right mustn't be refused because of what is only advice
            log.exception("policy.failed", detail="what is doubtful in the policy isn't known; please report it")
            return ()

    def _adopt(self, choice: _Choice) -> None:
        """Put a policy in force, and log it."""
        self.current, self._unreadable = choice.in_force, choice.unreadable
        if self.trouble:
            self._keep(self.current.reason, choice.problems)
        elif self.current.reason is not PolicyReason.NO_FILE:
            self._announce(choice)

    def _keep(self, reason: PolicyReason, found: Sequence[str]) -> None:
        self.current = replace(self.current, reason=reason)
        log.error("policy.kept", detail=self.trouble, problems=list(found), policy=self.current.name)

    def _announce(self, choice: _Choice) -> None:
        policy = choice.in_force.policy
        counts = {"event_rules": len(policy.events), "people": len(policy.people), "routes": len(policy.routes)}
        log.info("policy.loaded", policy=self.current.name, reason=self.current.reason, **counts)
        for key, doubt in choice.unreachable:
            log.error("policy.unreachable", detail=doubt, key=key)
        for key, doubt in choice.doubts:
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
