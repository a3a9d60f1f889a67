"""`alertgate explain`: what happened to an alert, or what a body would mean."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from alertgate.accept.intake import IntakeContext
from alertgate.cli import database, tried
from alertgate.cli.policy import device_names, read_policy, readers_zone
from alertgate.clock import SystemClock
from alertgate.config import Settings
from alertgate.errors import NotFound, Rejected
from alertgate.ids import new_id
from alertgate.notify.channels.registry import surroundings
from alertgate.prove.history import DeviceName, IncidentTrail, Trail, incident_trail, trail
from alertgate.prove.timeline import tell, tell_incident
from alertgate.settings_load import DEFAULT_ENV_FILE, load
from alertgate.store import Connection, notifications


def explain(
    alert_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The id of an alert, an incident or a notification.")
    ] = None,
    body: Annotated[
        Path | None,
        typer.Option("--try", metavar="FILE", help="Show what a body would mean, rule by rule; `-` is standard input."),
    ] = None,
    is_generic: Annotated[
        bool, typer.Option("--generic", help="The body is for the generic webhook, and not Particle's.")
    ] = False,
    env_file: Annotated[
        Path, typer.Option("--env-file", help="The file to read settings from, besides the environment.")
    ] = DEFAULT_ENV_FILE,
) -> None:
    """Show what happened to an alert or an incident, one line per event.

    With --try, show what a body would mean, without storing it.
    """
    if (alert_id is None) is (body is None):
        raise typer.BadParameter("give the id of one alert or incident, or --try with a file")
    settings = load(env_file)
    if body is not None:
        _try(settings, body, is_generic=is_generic)
    elif alert_id is not None:
        _explain(settings, alert_id, env_file)


def _try(settings: Settings, file: Path, *, is_generic: bool) -> None:
    policy = read_policy(settings, surroundings(settings, {}))
    try:
        body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise NotFound(f"{file} can't be read: {error.strerror}. Name a file with a webhook's body.") from None
    now = SystemClock().now()
    context = IntakeContext(new_id(now), now, settings.severities, rules=policy.events, devices=policy.devices)
    try:
        understood = tried.understand(body, context, is_generic=is_generic)
    except Rejected as error:
        raise Rejected("\n".join([str(error), *(f"  - {problem}" for problem in error.errors)])) from None
    typer.echo(tried.tell(understood, policy.events))


def _explain(settings: Settings, given: str, env_file: Path) -> None:
    with database.existing(settings, env_file) as store:
        names = device_names(settings, store)
        found = store.read_now(lambda connection: _found(connection, given.strip().lower(), names))
        newest, zone = database.content(store), readers_zone(settings, store)
    if found is None and newest is None:
        raise NotFound(f"There is no alert {given}: this database holds no alerts at all. Is it the service's?")
    if found is None:
        raise NotFound(
            f"There is no alert {given} in this database, whose newest one is of {newest}, and no incident or "
            "notification: it was never stored there, or retention deleted it."
        )
    now = SystemClock().now()
    if isinstance(found, Trail):
        typer.echo(tell(found, names(found.alert.device), zone, now))
    else:
        typer.echo(tell_incident(found, names(found.incident.device), zone, now))


def _found(connection: Connection, given: str, device_name: DeviceName) -> Trail | IncidentTrail | None:
    """Return what has an id: an alert, an incident, or the incident of a notification."""
    if found := trail(connection, given, device_name) or incident_trail(connection, given, device_name):
        return found
    notification = notifications.get(connection, given)
    return incident_trail(connection, notification.incident_id, device_name) if notification else None
