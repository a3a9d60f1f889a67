"""Commands about failed notifications. The service that shares the database sends those that are retried."""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from alertgate.characters import escaped
from alertgate.cli import database
from alertgate.cli.database import EnvFile
from alertgate.cli.person import By, checked
from alertgate.cli.policy import device_names, directory_in_force, readers_zone
from alertgate.clock import Clock, SystemClock
from alertgate.config import Settings
from alertgate.credential import Credential
from alertgate.errors import NotFound
from alertgate.notify import dismiss as dismissing
from alertgate.notify.directory import Directory
from alertgate.notify.dismiss import Dismissal, Dismissed, DismissResult
from alertgate.notify.failure_words import why
from alertgate.notify.replay import Replay, Replayed, ReplayResult, replay
from alertgate.policy.device_names import DeviceNames
from alertgate.policy.people import shown_address
from alertgate.prove.told_events import name_of
from alertgate.settings_load import DEFAULT_ENV_FILE, load
from alertgate.store import failures as failure_rows
from alertgate.store.engine import Store
from alertgate.store.failures import Failure

NOTHING = "No failed notification is outstanding. The newest alert is of {}."
THEN = "Fix the cause and run `alertgate retry --all`, or `alertgate dismiss --all`; with ids, only for these."
MOST = 1000

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="The notifications' ids.")]


def failures(
    most: Annotated[int, typer.Option("--limit", min=1, max=MOST, help="List at most this many, the latest.")] = 100,
    env_file: EnvFile = DEFAULT_ENV_FILE,
) -> None:
    """List outstanding failures: failed notifications that nobody has retried or dismissed."""
    settings = load(env_file)
    with database.existing(settings, env_file) as store:
        newest = _newest(store)
        number = store.read_now(failure_rows.number)
        found = store.read_now(lambda connection: failure_rows.latest(connection, most))
        zone, names = readers_zone(settings, store), device_names(settings, store)
    for failure in found:
        for line in _lines(failure, settings, names, zone):
            typer.echo(escaped(line))
    if not number:
        typer.echo(NOTHING.format(newest))
        return
    left_out = f" ({number - len(found):,} aren't listed; --limit lists more)" if number > len(found) else ""
    typer.echo(f"{number:,} outstanding{left_out}. {THEN}")


def retry(
    ids: Ids = None,
    all_: Annotated[bool, typer.Option("--all", help="Retry all outstanding failures.")] = False,
    env_file: EnvFile = DEFAULT_ENV_FILE,
) -> None:
    """Retry failed notifications; the running service sends them."""
    settings = _settings(env_file, ids, all_=all_)
    with database.existing(settings, env_file) as store:
        newest, told = _newest(store), directory_in_force(settings, env_file, store)
        done = list(_shown(_retried(store, _wanted(store, ids), told, SystemClock())))
    _finish(done, ids, {ReplayResult.PENDING}, newest)


def dismiss(
    by: By,
    ids: Ids = None,
    all_: Annotated[bool, typer.Option("--all", help="Dismiss all outstanding failures.")] = False,
    env_file: EnvFile = DEFAULT_ENV_FILE,
) -> None:
    """Dismiss failed notifications: nothing more need be done about them, and they are outstanding no longer."""
    by = checked(by)
    with database.existing(_settings(env_file, ids, all_=all_), env_file) as store:
        newest = _newest(store)
        done = list(_shown(_dismissed(store, _wanted(store, ids), by, SystemClock())))
    _finish(done, ids, {DismissResult.DISMISSED, DismissResult.ALREADY}, newest)


def _settings(env_file: Path, ids: Sequence[str] | None, *, all_: bool) -> Settings:
    """Return the settings, if the command's arguments make sense."""
    if bool(ids) is all_:
        raise typer.BadParameter("give the ids of notifications, or --all; `alertgate failures` lists them")
    return load(env_file)


def _newest(store: Store) -> str:
    """Return of when the newest alert is. Raises NotFound if there is none: it is probably another database."""
    if newest := database.content(store):
        return newest
    raise NotFound("Nothing was done: this database holds no alerts at all. Is it the service's?")


def _wanted(store: Store, ids: Sequence[str] | None) -> list[str]:
    """Return the ids given, or those of all outstanding failures: of several that say the same, the last is one."""
    return [each.strip().lower() for each in ids] if ids else store.read_now(failure_rows.ids)


def _retried(store: Store, ids: Sequence[str], told: Directory, clock: Clock) -> Iterator[Replayed]:
    """Retry each in a short transaction of its own, so as not to block a running service."""
    for notification_id in ids:
        with store.transaction() as connection:
            wanted = Replay(notification_id, Credential.COMMAND_LINE, clock.now(), told.targets, told.meant)
            done = replay(connection, wanted)
        yield done


def _dismissed(store: Store, ids: Sequence[str], by: str, clock: Clock) -> Iterator[Dismissed]:
    """Dismiss some in each transaction."""
    for start in range(0, len(ids), dismissing.AT_A_TIME):
        some = ids[start : start + dismissing.AT_A_TIME]
        with store.transaction() as connection:
            wanted = [Dismissal(each, by, Credential.COMMAND_LINE, clock.now()) for each in some]
            done = [dismissing.dismiss(connection, each) for each in wanted]
        yield from done


def _shown(done: Iterable[Replayed | Dismissed]) -> Iterator[ReplayResult | DismissResult]:
    """Print what was done, a line for each; yield the results."""
    for each in done:
        told = each.notification
        to = f"{told.channel:6} {shown_address(told.channel, told.address)}: " if told else ""
        typer.echo(f"{to}{each.reason}")
        yield each.result


def _finish(
    done: Sequence[ReplayResult | DismissResult],
    ids: Sequence[str] | None,
    good: AbstractSet[ReplayResult | DismissResult],
    newest: str,
) -> None:
    """Say if there was nothing to do; exit with 1 if something that was named couldn't be done."""
    if not done:
        typer.echo(NOTHING.format(newest))
    if ids and not good >= set(done):
        raise typer.Exit(1)


def _lines(failure: Failure, settings: Settings, device_name: DeviceNames, zone: ZoneInfo) -> Iterator[str]:
    """Yield a failure in two lines: what wasn't told to whom, and why."""
    notification, incident = failure.notification, failure.incident
    device = device_name(incident.device) or incident.device
    what = f"[{notification.severity.upper()}] {incident.event}" + (f" from {device}" if device else "")
    failed = (notification.finished_at or notification.created_at).astimezone(zone)
    to = name_of(notification)
    yield f"{notification.id}  {to}, {failed:%Y-%m-%d %H:%M:%S}: {what}"
    yield from (f"    {each}" for each in why(failure, settings))
