"""The policy's file as commands read it, and `alertgate policy forget`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from alertgate.cli import database
from alertgate.clock import SystemClock
from alertgate.config import Settings
from alertgate.errors import PolicyInvalid
from alertgate.notify.channels.base import Finding, Level
from alertgate.policy.events import doubts
from alertgate.policy.keeper import FOLLOW_EVERY, forget, problems
from alertgate.policy.load import Policy, PolicyFile, digest, read_file, short
from alertgate.settings_load import DEFAULT_ENV_FILE, load

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


def read_policy(settings: Settings) -> Policy:
    """Return the policy of the file, or an empty one if there is no file. Raises PolicyInvalid."""
    file = read_file(settings.policy_file)
    if found := problems(file, named=settings.must_have_policy):
        raise PolicyInvalid(found)
    return file.policy or Policy()


def findings(file: PolicyFile, settings: Settings) -> Iterator[Finding]:
    """Yield what `alertgate check` finds about the policy's file."""
    found = problems(file, named=settings.must_have_policy)
    yield from (Finding(Level.FAIL, "policy", problem) for problem in found)
    if file.policy and file.text is not None:
        yield from (Finding(Level.WARN, "policy", f"{key} {doubt}") for key, doubt in doubts(file.policy.events))
        rules = len(file.policy.events)
        counted = f"has {rules} [[events]] rule{'s' * (rules != 1)}"
        yield Finding(Level.OK, "policy", f"{file.path} {counted} ({short(digest(file.text))})")
    elif not found:
        yield Finding(Level.OK, "policy", f"there is no {file.path}: events mean what their own words say")
