"""`alertgate explain`: what happened to an alert, or what a body would mean."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from alertgate.accept.intake import IntakeContext
from alertgate.app import new_id
from alertgate.cli import database, tried
from alertgate.cli.policy import read_policy
from alertgate.clock import SystemClock
from alertgate.config import Settings
from alertgate.errors import NotFound, Rejected
from alertgate.prove.history import trail
from alertgate.prove.timeline import tell
from alertgate.settings_load import DEFAULT_ENV_FILE, load


def explain(
    alert_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="The alert's id.")] = None,
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
    """Show what happened to an alert, one line per event; with --try, what a body would mean, without storing it."""
    if (alert_id is None) is (body is None):
        raise typer.BadParameter("give the id of one alert, or --try with a file")
    settings = load(env_file)
    if body is not None:
        _try(settings, body, is_generic=is_generic)
    elif alert_id is not None:
        _explain(settings, alert_id, env_file)


def _try(settings: Settings, file: Path, *, is_generic: bool) -> None:
    rules = read_policy(settings).events
    try:
        body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise NotFound(f"{file} can't be read: {error.strerror}. Name a file with a webhook's body.") from None
    now = SystemClock().now()
    context = IntakeContext(new_id(now), now, settings.severities, rules=rules)
    try:
        understood = tried.understand(body, context, is_generic=is_generic)
    except Rejected as error:
        raise Rejected("\n".join([str(error), *(f"  - {problem}" for problem in error.errors)])) from None
    typer.echo(tried.tell(understood, rules))


def _explain(settings: Settings, alert_id: str, env_file: Path) -> None:
    with database.existing(settings, env_file) as store:
        found = store.read_now(lambda connection: trail(connection, alert_id.strip().lower(), settings.device_name))
        newest = database.content(store)
    if found is None and newest is None:
        raise NotFound(f"There is no alert {alert_id}: this database holds no alerts at all. Is it the service's?")
    if found is None:
        raise NotFound(
            f"There is no alert {alert_id} in this database, whose newest one is of {newest}: it was never stored "
            "there, or retention deleted it."
        )
    name = settings.device_name(found.alert.device)
    typer.echo(tell(found, name, settings.zone, SystemClock().now()))
