"""`alertgate who`: who would be told of an incident, when and why."""

from typing import Annotated

import typer

from alertgate.characters import escaped
from alertgate.cli.database import EnvFile
from alertgate.cli.policy import read_policy
from alertgate.clock import SystemClock
from alertgate.model import Severity, Source
from alertgate.notify.channels.registry import surroundings
from alertgate.notify.forecast import forecast
from alertgate.notify.forecast_words import lines
from alertgate.policy.matchers import Subject
from alertgate.policy.written import read_moment
from alertgate.settings_load import DEFAULT_ENV_FILE, load
from alertgate.words import read_severity


def _event(text: str) -> str:
    if not text.strip():
        raise typer.BadParameter("is blank: name an event, as in leak/cellar")
    return text


def _severity(text: str) -> Severity:
    found = read_severity(text)
    if found is None:
        raise typer.BadParameter(f"{text} is no severity: write info, warning or critical")
    return found


def who(
    event: Annotated[str, typer.Option(parser=_event, metavar="TEXT", help="The event's name.")],
    device: Annotated[str | None, typer.Option(help="The device's id or name; a generic sender's own name.")] = None,
    severity: Annotated[
        Severity,
        typer.Option(parser=_severity, metavar="SEVERITY", help="How severe it is: info, warning or critical."),
    ] = Severity.WARNING,
    source: Annotated[Source, typer.Option(help="The webhook, or alertgate itself.")] = Source.PARTICLE,
    at: Annotated[str, typer.Option(help='When it opens: now, "Sat 03:00" or "2026-12-24 08:00".')] = "now",
    env_file: EnvFile = DEFAULT_ENV_FILE,
) -> None:
    """Show who would be told of an incident, when and why, by alertgate.toml as it is now; sends nothing."""
    settings = load(env_file)
    policy = read_policy(settings, surroundings(settings, {}))
    try:
        opens_at = read_moment(at, SystemClock().now(), policy.zone)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--at") from None
    subject = Subject(event, severity, source, *settings.device_and_name(device))
    for each in lines(forecast(policy, subject, opens_at), policy):
        typer.echo(escaped(each))
