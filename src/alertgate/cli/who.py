"""`alertgate who`: who would be told of an incident, when and why."""

from pathlib import Path
from typing import Annotated

import typer

from alertgate.characters import escaped
from alertgate.cli.database import EnvFile
from alertgate.cli.policy import looked, stored_policy
from alertgate.clock import SystemClock
from alertgate.config import Settings
from alertgate.errors import PolicyInvalid
from alertgate.model import Severity, Source
from alertgate.notify.channels.registry import surroundings
from alertgate.notify.forecast import forecast
from alertgate.notify.forecast_words import lines
from alertgate.policy.device_names import DeviceNames
from alertgate.policy.keeper import problems
from alertgate.policy.load import FileState, digest, parse, read_file, short
from alertgate.policy.matchers import Subject
from alertgate.policy.policy import Policy
from alertgate.policy.written import read_moment
from alertgate.settings_load import DEFAULT_ENV_FILE, load
from alertgate.store import device_lists
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


def _policy(settings: Settings, env_file: Path) -> Policy:
    """Return the file's policy; without a file the one that is in force. Says so where that may surprise."""
    around = surroundings(settings, {})
    file = read_file(settings.policy_file, around)
    found = problems(file, named=settings.must_have_policy)
    stored = stored_policy(settings)
    if file.state is FileState.MISSING and stored and stored.text:
        kept = f"policy {short(stored.digest)}, which is kept in the database, is in force"
        typer.echo(escaped(f"There is no {file.path}: {kept}, and is shown here."), err=True)
        return parse(stored.text, around)
    if found:
        raise PolicyInvalid(found, file.path)
    if file.policy is None:
        place = env_file.resolve()
        by = f"the recipients of {place} are told" if place.exists() else f"there is no {place} either"
        typer.echo(escaped(f"There is no {file.path}, and {by}."), err=True)
        return parse("", around)
    if stored and file.text is not None and stored.digest != digest(file.text):
        typer.echo(escaped(f"{file.path} isn't in force yet: run `alertgate reload`."), err=True)
    return file.policy


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
    policy = _policy(settings, env_file)
    try:
        opens_at = read_moment(at, SystemClock().now(), policy.zone)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--at") from None
    names = DeviceNames.of_policy(policy, settings.devices, looked(settings, device_lists.given_names) or {})
    subject = Subject(event, severity, source, *names.find(device))
    for each in lines(forecast(policy, subject, opens_at), policy):
        typer.echo(escaped(each))
