"""`alertgate reload`: ask the running service to read the policy's file again."""

import os
import signal
from pathlib import Path

import typer

from alertgate.characters import escaped
from alertgate.cli.database import EnvFile
from alertgate.cli.policy import concealed, directory, findings
from alertgate.clock import SystemClock
from alertgate.config import Settings
from alertgate.errors import NotFound, PolicyInvalid
from alertgate.notify.channels import registry
from alertgate.notify.channels.base import Finding, Level
from alertgate.policy.keeper import FOLLOW_EVERY, problems
from alertgate.policy.load import PolicyFile, digest, parse, read_file, short
from alertgate.policy.surroundings import Surroundings
from alertgate.settings_load import DEFAULT_ENV_FILE, contact_secrets, load
from alertgate.store.lock import holder, holds

BY_HAND = "systemctl reload alertgate, docker compose kill -s HUP alertgate, or kill -HUP PID"


def reload(env_file: EnvFile = DEFAULT_ENV_FILE) -> None:
    """Check alertgate.toml, and ask the running service to read it, and the CONTACT_… that it names.

    Ends with 1 if somebody can't be reached.
    """
    settings = load(env_file)
    around = registry.surroundings(settings, contact_secrets(env_file))
    file = read_file(settings.policy_file, around)
    if found := problems(file, named=True):
        raise PolicyInvalid(found, file.path)
    if settings.sqlite_file is None:
        raise NotFound(
            f"Which process serves a PostgreSQL database can't be known from here; nothing was done. Use {BY_HAND}; "
            f"one of several replicas is enough, the others follow within {FOLLOW_EVERY:g} seconds."
        )
    process = holder(settings.sqlite_file)
    if process is None:
        raise NotFound(
            f"No process is known to serve {settings.sqlite_file.resolve()}; nothing was done. Run this where the "
            f"service runs, with its settings, or use {BY_HAND}."
        )
    _ask(process, settings.sqlite_file)
    name = short(digest(file.text or ""))
    typer.echo(escaped(f"Asked process {process} to read {file.path}. /health names the policy in force: {name}."))
    doubtful = _doubtful(file, settings, around)
    for each in doubtful:
        typer.echo(escaped(concealed(str(each), around.secrets)))
    if any(each.level is Level.FAIL for each in doubtful):
        typer.echo("It is in force, but somebody can't be reached: fix the findings marked fail, and reload.", err=True)
        raise typer.Exit(1)


def _doubtful(file: PolicyFile, settings: Settings, around: Surroundings) -> list[Finding]:
    """Return what `alertgate check` finds about the file and whom it tells, but for what is well."""
    now = SystemClock().now()
    told = directory(file.policy or parse("", around), settings, around.secrets).targets
    found = [*registry.about_recipients(settings, told, now.date()), *findings(file, settings, around, now)]
    return [each for each in found if each.level is not Level.OK]


def _ask(process: int, file: Path) -> None:
    """Send SIGHUP. Never to a process that doesn't serve the file: ids from a container mean others here."""
    try:
        if not holds(process, file):
            raise ProcessLookupError
        os.kill(process, signal.SIGHUP)
    except (OSError, OverflowError):
        raise NotFound(
            f"The service is process {process}, which can't be asked from here: it is another user's, or in a "
            f"container. Nothing was done. Run this as its user and where it runs, or use {BY_HAND}."
        ) from None
