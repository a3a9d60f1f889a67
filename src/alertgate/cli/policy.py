"""The policy's file as commands read it, and `alertgate policy forget`."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

import typer

from alertgate.addresses import mask
from alertgate.cli import database
from alertgate.clock import SystemClock
from alertgate.config import Settings
from alertgate.errors import AlertgateError, PolicyInvalid
from alertgate.notify.channels.base import Finding, Level
from alertgate.notify.channels.registry import in_use, surroundings
from alertgate.notify.directory import Directory
from alertgate.policy import device_tables
from alertgate.policy.device_names import DeviceNames
from alertgate.policy.doubts import doubts, unreachable
from alertgate.policy.keeper import FOLLOW_EVERY, forget, problems
from alertgate.policy.load import FileState, PolicyFile, digest, parse, read_file, short
from alertgate.policy.policy import UTC, Policy
from alertgate.policy.problem_words import key
from alertgate.policy.surroundings import Surroundings
from alertgate.settings_load import DEFAULT_ENV_FILE, contact_secrets, load
from alertgate.store import Connection, device_lists, policies
from alertgate.store.engine import Store
from alertgate.store.policies import StoredPolicy

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="Manage the policy that is kept in the database.")


@app.callback()
def _root() -> None:
    pass  # with one command only, Typer would make it the whole program


@app.command("forget")
def forget_policy(
    env_file: Annotated[Path, typer.Option("--env-file", help="The file to read settings from.")] = DEFAULT_ENV_FILE,
) -> None:
    """End the policy that is kept in the database; running services notice within seconds."""
    settings = load(env_file)
    with database.existing(settings, env_file) as store, store.transaction() as connection:
        ended = forget(connection, SystemClock().now())
    if ended is None:
        typer.echo("No policy is stored; nothing was changed.")
        return
    typer.echo(f"Policy {short(ended.digest)} is forgotten; running services drop it within {FOLLOW_EVERY:g} seconds.")
    if settings.policy_file.exists():
        typer.echo(f"{settings.policy_file} is still there: the next start or SIGHUP puts it in force again.")


def read_policy(settings: Settings, around: Surroundings) -> Policy:
    """Return the policy of the file, or what applies if there is none. Raises PolicyInvalid."""
    file = read_file(settings.policy_file, around)
    if found := problems(file, named=settings.must_have_policy):
        raise PolicyInvalid(found, file.path)
    return file.policy or parse("", around)


def stored_policy(settings: Settings) -> StoredPolicy | None:
    """Return the policy that is kept in the database; None if none is, or if there is no database to look into."""
    return looked(settings, policies.get)


def looked(settings: Settings, read: Callable[[Connection], T]) -> T | None:
    """Return what is read from the database; None if there is no database to look into."""
    store = Store(settings)
    try:
        store.open_existing()
    except AlertgateError:
        return None
    try:
        return store.read_now(read)
    except AlertgateError:
        return None
    finally:
        store.close()


def directory(policy: Policy, settings: Settings, secrets: Mapping[str, str]) -> Directory:
    """Return who can be told by a policy."""
    return Directory(lambda: policy, in_use(settings), lambda: secrets)


def directory_of_file(settings: Settings, env_file: Path) -> Directory:
    """Return who can be told by the policy's file. Raises PolicyInvalid."""
    secrets = contact_secrets(env_file)
    return directory(read_policy(settings, surroundings(settings, secrets)), settings, secrets)


def directory_in_force(settings: Settings, env_file: Path, store: Store) -> Directory:
    """Return who can be told by the policy that services on a database go by. Raises PolicyInvalid."""
    stored = store.read_now(policies.get)
    if stored is None:
        return directory_of_file(settings, env_file)
    secrets = contact_secrets(env_file)
    return directory(parse(stored.text, surroundings(settings, secrets)), settings, secrets)


def readers_zone(settings: Settings, store: Store) -> ZoneInfo:
    """Return the zone in which commands write and read times: that of the messages of services on a database.

    A policy that can't be read keeps no command from its work.
    """
    if settings.zone:
        return settings.zone
    policy = in_force_or_none(settings, store)
    return policy.readers_zone if policy else UTC


def device_names(settings: Settings, store: Store) -> DeviceNames:
    """Return what devices are called by the policy that services on a database go by.

    A policy that can't be read keeps no command from its work.
    """
    policy = in_force_or_none(settings, store) or Policy()
    return DeviceNames.of_policy(policy, settings.devices, store.read_now(device_lists.given_names))


def in_force_or_none(settings: Settings, store: Store) -> Policy | None:
    """Return the policy that services on a database go by; None if this version can't read it."""
    stored, around = store.read_now(policies.get), surroundings(settings, {})
    try:
        return read_policy(settings, around) if stored is None else parse(stored.text, around)
    except PolicyInvalid:
        return None


def concealed(text: str, secrets: Mapping[str, str]) -> str:
    """Return a text with the addresses masked that the policy only names."""
    for secret in sorted(filter(None, secrets.values()), key=len, reverse=True):
        text = text.replace(secret, mask(secret))
    return text


def findings(file: PolicyFile, settings: Settings, around: Surroundings, now: datetime) -> Iterator[Finding]:
    """Yield what is to say about the policy's file."""
    found = problems(file, named=settings.must_have_policy)
    yield from (Finding(Level.FAIL, "policy", problem) for problem in found)
    if file.policy and file.text is not None:
        yield from (
            Finding(Level.FAIL, "policy", f"{where} {text}") for where, text in unreachable(file.policy, around)
        )
        doubtful = doubts(file.policy, now)
        yield from (Finding(Level.WARN, "policy", f"{where} {text}") for where, text in doubtful)
        yield Finding(Level.OK, "policy", f"{file.path} has {_counts(file.policy)} ({short(digest(file.text))})")


def unheard(file: PolicyFile, settings: Settings) -> Iterator[Finding]:
    """Yield which tables of `[devices]` match no device that was ever heard, once some were."""
    rules = file.policy.devices if file.policy else ()
    known = looked(settings, device_lists.known) if any(not rule.is_id for rule in rules) else None
    if not file.policy or not known:
        return
    names = DeviceNames.of_policy(file.policy, settings.devices, {device: name for device, name in known if name})
    for glob, text in device_tables.unheard(rules, [(device, names(device)) for device, _ in known]):
        yield Finding(Level.WARN, "policy", f"{key(('devices', glob))} {text}")


def in_force(file: PolicyFile, settings: Settings) -> Iterator[Finding]:
    """Yield how the policy that services go by differs from the file."""
    stored = stored_policy(settings)
    kept = short(stored.digest) if stored and stored.text else None
    if file.state is FileState.MISSING and kept:
        text = f"there is no {file.path}, but policy {kept} is kept in the database, and is in force"
        yield Finding(Level.FAIL, "policy", f"{text}: restore the file, or run `alertgate policy forget`")
    elif file.state is FileState.MISSING and not settings.must_have_policy:
        yield Finding(Level.OK, "policy", f"there is no {file.path}: events mean what their own words say")
    elif stored and file.text is not None and stored.digest != digest(file.text):
        by = f"by policy {kept}" if kept else "by none"
        text = f"{file.path} isn't in force yet: a running service goes {by}; run `alertgate reload`, or restart it"
        yield Finding(Level.WARN, "policy", text)


def _counts(policy: Policy) -> str:
    rules, people, routes = len(policy.events), len(policy.people), len(policy.routes)
    counted = f"{rules} [[events]] rule{'s' * (rules != 1)}"
    counted += f", {len(policy.devices)} [devices] table{'s' * (len(policy.devices) != 1)}" * bool(policy.devices)
    if not (policy.has_people or routes):
        return counted
    return f"{counted}, {people} {'person' if people == 1 else 'people'} and {routes} [[routes]]"
