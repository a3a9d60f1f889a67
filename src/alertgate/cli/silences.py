"""Commands about silences. The service that shares the database holds what they match."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from alertgate.characters import escaped
from alertgate.cli import database
from alertgate.cli.database import EnvFile
from alertgate.cli.person import By, checked
from alertgate.cli.policy import device_names, readers_zone
from alertgate.clock import SystemClock
from alertgate.config import Settings
from alertgate.credential import Credential
from alertgate.credential import in_words as how
from alertgate.group.silencing import GLOBS, Silenced, Silencer, SilenceResult, Wanted
from alertgate.ids import Ids
from alertgate.model import Severity
from alertgate.policy.written import read_duration, read_moment
from alertgate.settings_load import DEFAULT_ENV_FILE, load
from alertgate.silence import Silence, SilenceState
from alertgate.store import silences as rows
from alertgate.store.alerts import newest_id
from alertgate.store.engine import Store

MOST = 1000
WHEN = "08:00 or Sat 08:00, the next one, or 2026-11-27T08:00, in the zone of messages"
_OPTIONS = {"by": "--by", "note": "--because", "begins_at": "--from", "ends_at": "--until", "for": "--for"}
_MATCHED = {0: "No incident that it matches is open now.", 1: "It matches 1 incident that is open now."}


def silence(
    by: By,
    event: Annotated[str | None, typer.Argument(help="A glob over the event's name; '*' silences everything.")] = None,
    device: Annotated[str | None, typer.Option(help="A glob over the device's id or name.")] = None,
    source: Annotated[str | None, typer.Option(help="A glob over particle, generic or a sender's name.")] = None,
    lasting: Annotated[str | None, typer.Option("--for", help="How long: 90m, 2h, 1d12h.")] = None,
    until: Annotated[str | None, typer.Option(help=f"Until when instead: {WHEN}.")] = None,
    begin: Annotated[str | None, typer.Option("--from", help=f"From when on, if not now: {WHEN}.")] = None,
    unless: Annotated[Severity | None, typer.Option(help="Tell what is at least as severe all the same.")] = None,
    min_severity: Annotated[Severity | None, typer.Option(help="Silence only what is at least as severe.")] = None,
    because: Annotated[str | None, typer.Option(help="Why; it is kept with the silence.")] = None,
    env_file: EnvFile = DEFAULT_ENV_FILE,
) -> None:
    """Silence incidents for a time: what is to be said of them is held, and what is still open is told at the end."""
    if (lasting is None) is (until is None):
        raise typer.BadParameter("say for how long: --for 2h, or --until 08:00")
    settings, now = load(env_file), SystemClock().now()
    with database.existing(settings, env_file) as store:
        zone = readers_zone(settings, store)
        begins_at = _moment(begin, "--from", now, zone)
        wanted = Wanted(
            by=checked(by),
            credential=Credential.COMMAND_LINE,
            event=event,
            device=device,
            source=source,
            begins_at=begins_at,
            ends_at=_moment(until, "--until", begins_at or now, zone),
            lasting=_duration(lasting),
            unless=unless,
            min_severity=min_severity,
            note=because.strip() if because else None,
        )
        with store.transaction() as connection:
            done = _silencer(store, settings).begin(connection, wanted, now)
    if done.silence is None:
        raise typer.BadParameter(
            "; ".join(f"{_OPTIONS.get(e.field, e.field)} {e.message}".strip() for e in done.errors)
        )
    _show(done.silence, zone, now)
    matched = f"It matches {done.open_incidents:,} incidents that are open now."
    typer.echo(f"{_MATCHED.get(done.open_incidents, matched)} `alertgate unsilence {done.silence.id}` ends it.")


def silences(
    all_: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    most: Annotated[int, typer.Option("--limit", min=1, max=MOST, help="List at most this many, the latest.")] = 100,
    env_file: EnvFile = DEFAULT_ENV_FILE,
) -> None:
    """List the silences that aren't over, also those that begin later."""
    settings, now = load(env_file), SystemClock().now()
    with database.existing(settings, env_file) as store:
        found = store.read_now(lambda connection: rows.page(connection, None if all_ else now, None, most))
        newest, zone = database.content(store), readers_zone(settings, store)
    for each in found:
        _show(each, zone, now)
    if not found:
        typer.echo(f"Nothing is silenced. The newest alert is of {newest or 'no time: there is none'}.")


def unsilence(
    silence_id: Annotated[str, typer.Argument(metavar="ID", help="The silence's id; `alertgate silences` has it.")],
    by: By,
    env_file: EnvFile = DEFAULT_ENV_FILE,
) -> None:
    """End a silence now; the running service tells what it held."""
    settings, by, now = load(env_file), checked(by), SystemClock().now()
    with database.existing(settings, env_file) as store:
        zone = readers_zone(settings, store)
        with store.transaction() as connection:
            wanted = silence_id.strip().lower()
            silencer = _silencer(store, settings)
            done = silencer.end(connection, wanted, by, Credential.COMMAND_LINE, now)
    typer.echo(_ended(silence_id, done, zone))
    if done is None or done.result is SilenceResult.OVER:
        raise typer.Exit(1)


def _silencer(store: Store, settings: Settings) -> Silencer:
    return Silencer(Ids(store.read_now(newest_id)), device_names(settings, store))


def _ended(silence_id: str, done: Silenced | None, zone: ZoneInfo) -> str:
    if done is None or done.silence is None:
        return f"There is no silence {silence_id}; `alertgate silences` lists them."
    one = done.silence
    match done.result:
        case SilenceResult.ALREADY:
            return (
                f"{one.id} was ended before, by {one.removed_by} at {one.over_at.astimezone(zone):%Y-%m-%d %H:%M:%S}."
            )
        case SilenceResult.OVER:
            return f"{one.id} came to its end at {one.ends_at.astimezone(zone):%Y-%m-%d %H:%M:%S}."
    return f"{one.id} is ended; what it held is told now."


def _show(silence: Silence, zone: ZoneInfo, now: datetime) -> None:
    for line in _lines(silence, zone, now):
        typer.echo(escaped(line))


def _lines(silence: Silence, zone: ZoneInfo, now: datetime) -> Iterator[str]:
    """Yield a silence in two lines: what is silenced and when, and by whom and why."""
    state = silence.state(now)
    begins, ends = (at.astimezone(zone) for at in (silence.begins_at, silence.ends_at))
    what = [f"{name} {glob}" for name in GLOBS if (glob := getattr(silence, name))]
    what += [f"at least {silence.min_severity}"] if silence.min_severity else []
    what += [f"unless {silence.unless}"] if silence.unless else []
    since = f"from {begins:%Y-%m-%d %H:%M} " if state is SilenceState.PENDING else ""
    yield f"{silence.id}  {state}: {', '.join(what)}, {since}until {ends:%Y-%m-%d %H:%M %Z}"
    because = f": {silence.note}" if silence.note else ""
    ended = f"; ended by {silence.removed_by}{how(silence.removed_with)}" if silence.removed_at else ""
    yield f"    by {silence.author}{how(silence.credential)}{because}{ended}"


def _duration(text: str | None) -> timedelta | None:
    try:
        return read_duration(text) if text is not None else None
    except ValueError as error:
        raise typer.BadParameter(f"--for {error}") from None


def _moment(text: str | None, option: str, after: datetime, zone: ZoneInfo) -> datetime | None:
    """Return a time that somebody wrote; of a time of day, the next one after another time."""
    try:
        return read_moment(text.strip(), after + timedelta.resolution, zone) if text is not None else None
    except ValueError as error:
        raise typer.BadParameter(f"{option} {error}") from None
