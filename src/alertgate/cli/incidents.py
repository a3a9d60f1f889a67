"""Commands about incidents, beside the API: list, ack, snooze, hand back, resolve. The service sends what is due."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from alertgate.characters import escaped
from alertgate.cli import database
from alertgate.cli.database import EnvFile
from alertgate.cli.person import By, checked
from alertgate.cli.policy import device_names, directory_in_force, readers_zone
from alertgate.clock import SystemClock
from alertgate.credential import Credential
from alertgate.group.actions import Action, Applied, IncidentActions
from alertgate.group.portions import Did, do_portion, finish
from alertgate.group.transitions import TransitionResult
from alertgate.ids import new_id
from alertgate.model import Incident, IncidentStatus, Resolution
from alertgate.policy.device_names import DeviceNames
from alertgate.policy.written import read_duration
from alertgate.settings_load import DEFAULT_ENV_FILE, load
from alertgate.store import Connection, alerts, incidents
from alertgate.store.pages import Wanted
from alertgate.web.queries import LONGEST_SNOOZE

MOST = 1000
UNRESOLVED = (IncidentStatus.OPEN, IncidentStatus.ACKNOWLEDGED)

Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Incidents' ids, or ids of their alerts.")]
Act = Callable[[IncidentActions, Connection, Action], Applied | None]


def list_incidents(
    all_: Annotated[bool, typer.Option("--all", help="List resolved ones too.")] = False,
    most: Annotated[int, typer.Option("--limit", min=1, max=MOST, help="List at most this many, the newest.")] = 50,
    env_file: EnvFile = DEFAULT_ENV_FILE,
) -> None:
    """List incidents that aren't resolved, the newest first."""
    settings = load(env_file)
    wanted = tuple(IncidentStatus) if all_ else UNRESOLVED
    with database.existing(settings, env_file) as store:
        newest, zone = database.content(store), readers_zone(settings, store)
        names = device_names(settings, store)
        found = store.read_now(lambda connection: _newest(connection, wanted, most + 1))
    for incident in found[:most]:
        for line in _lines(incident, names, zone):
            typer.echo(escaped(line))
    if not found:
        of = f"the newest alert is of {newest}" if newest else "this database holds no alerts at all"
        typer.echo(f"No incident {'is there' if all_ else 'is unresolved'}; {of}.")
        return
    more = "More aren't listed; --limit lists more. " if len(found) > most else ""
    acts = "`alertgate ack ID` and `alertgate resolve ID` act on them; "
    can_act = any(incident.status in UNRESOLVED for incident in found[:most])
    typer.echo(f"{more}{acts if can_act else ''}`alertgate explain ID` tells more.")


def ack(ids: Ids, by: By, env_file: EnvFile = DEFAULT_ENV_FILE) -> None:
    """Acknowledge incidents: what waits to be sent about them is cancelled."""
    _act(env_file, ids, checked(by), IncidentActions.acknowledge)


def snooze(
    ids: Ids,
    by: By,
    lasting: Annotated[str, typer.Option("--for", help="How long, from a minute to a week: 90m, 2h, 1d.")] = "1h",
    env_file: EnvFile = DEFAULT_ENV_FILE,
) -> None:
    """Acknowledge incidents for a time; if they aren't over by then, everything starts anew."""
    _act(env_file, ids, checked(by), IncidentActions.snooze, _duration(lasting))


def hand_back(ids: Ids, by: By, env_file: EnvFile = DEFAULT_ENV_FILE) -> None:
    """Take acknowledgements back: nobody has these incidents, and everything starts anew at once."""
    _act(env_file, ids, checked(by), IncidentActions.hand_back)


def resolve(ids: Ids, by: By, env_file: EnvFile = DEFAULT_ENV_FILE) -> None:
    """Resolve incidents: whoever was told of one is told that it is over."""
    _act(env_file, ids, checked(by), IncidentActions.resolve)


def _duration(text: str) -> timedelta:
    """Return how long a snooze lasts. Raises BadParameter with the limits."""
    try:
        lasting = read_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"--for {error}") from None
    if not timedelta(minutes=1) <= lasting <= timedelta(minutes=LONGEST_SNOOZE):
        raise typer.BadParameter("--for is from a minute to a week: 90m, 2h, 1d")
    return lasting


def _act(env_file: Path, ids: list[str], by: str, act: Act, lasting: timedelta | None = None) -> None:
    """Act on each in a short transaction of its own; exit with 1 if one of them isn't as it was to be.

    What that tells a contact is one message.
    """
    good, settings = True, load(env_file)
    with database.existing(settings, env_file) as store:
        told, names = directory_in_force(settings, env_file, store), device_names(settings, store)
        actions = IncidentActions(told, settings.grouping.interval, new_id, names)
        now, done = SystemClock().now(), list[Did]()
        try:
            for given in ids:
                with store.transaction() as connection:
                    incident_id = _incident_id(connection, given.strip().lower())
                    action = Action(incident_id, by, Credential.COMMAND_LINE, now, lasting)
                    did = do_portion(connection, partial(act, actions), [action], actions, is_whole=len(ids) == 1)
                applied = did[0][1] if did else None
                done += did
                typer.echo(escaped(_said(given, applied)))
                good = good and applied is not None and applied.transition.result is not TransitionResult.REFUSED
        finally:  # also if it is interrupted, or its output is closed
            if len(ids) > 1:
                with store.transaction() as connection:
                    finish(connection, done, actions)
    if not good:
        raise typer.Exit(1)


def _incident_id(connection: Connection, given: str) -> str:
    """Return the id of the incident that is meant: an alert's id means the alert's incident."""
    alert = alerts.get(connection, given)
    return alert.incident_id or given if alert else given


def _said(given: str, applied: Applied | None) -> str:
    """Return what was done about an incident, as a sentence."""
    if applied is None:
        return (
            f"There is no incident {given}; `alertgate list` lists them. It was never stored, or retention deleted it."
        )
    incident, reason = applied.transition.incident, applied.transition.reason
    match applied.transition.result:
        case TransitionResult.CHANGED:
            did = f"; {applied.cancelled} cancelled" if applied.cancelled else ""
            did += f"; {applied.due} to be sent now" if applied.due else ""
            return f"Incident {incident.id} is {reason}{did}."
        case TransitionResult.ALREADY:
            return f"Incident {incident.id} stays as it was: {reason}{_by(incident)}."
        case TransitionResult.REFUSED:
            return f"Incident {incident.id} stays as it was: {reason}; its next alert opens a new one."


def _newest(connection: Connection, wanted: tuple[IncidentStatus, ...], most: int) -> list[Incident]:
    found = [each for status in wanted for each in incidents.page(connection, Wanted(status=status), None, most)]
    return sorted(found, key=lambda incident: incident.id, reverse=True)[:most]


def _lines(incident: Incident, device_name: DeviceNames, zone: ZoneInfo) -> Iterator[str]:
    """Yield an incident in two lines: what it is, and how it stands."""
    device = device_name(incident.device) or incident.device
    what = f"[{incident.severity.upper()}] {incident.event}" + (f" from {device}" if device else "")
    opened, last = (at.astimezone(zone) for at in (incident.opened_at, incident.last_alert_at))
    count = "1 alert" if incident.alert_count == 1 else f"{incident.alert_count:,} alerts"
    yield f"{incident.id}  {what}"
    at = f"opened {opened:%Y-%m-%d %H:%M:%S}, last {last:%Y-%m-%d %H:%M:%S}"
    yield f"    {incident.status}{_by(incident)}, {count}, {at}"


def _by(incident: Incident) -> str:
    """Say who acknowledged or resolved an incident, if a person did."""
    if incident.status is IncidentStatus.ACKNOWLEDGED:
        return f" by {incident.acknowledged_by}"
    return f" by {incident.resolved_by}" if incident.resolution is Resolution.PERSON else ""
