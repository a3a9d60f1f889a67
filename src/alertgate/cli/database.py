"""The service's database as commands open it: never a new one, and named on standard error."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import Annotated

import typer

from alertgate.config import Settings
from alertgate.errors import StoreMissing
from alertgate.store import alerts
from alertgate.store.engine import Store
from alertgate.telemetry import configure_logging
from alertgate.uuid7 import time_of

EnvFile = Annotated[Path, typer.Option("--env-file", help="The file to read settings from, besides the environment.")]


def named(settings: Settings) -> Store:
    """Return the store, unopened, and say which it is."""
    configure_logging("error", "console")
    store = Store(settings)
    typer.echo(f"Database: {store.name}", err=True)
    return store


@contextmanager
def existing(settings: Settings, env_file: Path) -> Iterator[Store]:
    """Open the store that a service has made, whether or not one is using it. Raises StoreMissing, with a remedy."""
    store = named(settings)
    with explained(env_file):
        store.open_existing()
    try:
        yield store
    finally:
        store.close()


@contextmanager
def explained(env_file: Path) -> Iterator[None]:
    """Add to StoreMissing where the settings came from, and what to do."""
    try:
        yield
    except StoreMissing as error:
        raise StoreMissing(f"{error} {_where(env_file)}") from None


def require_data_dir(settings: Settings, env_file: Path) -> None:
    """Raise StoreMissing if there is no DATA_DIR."""
    if not settings.data_dir.is_dir():
        raise StoreMissing(
            f"There is no DATA_DIR at {settings.data_dir.resolve()}, and none was made. {_where(env_file)}"
        )


def _where(env_file: Path) -> str:
    """Say which settings led there, and what to do."""
    place = env_file.resolve()
    settings = f"The settings are those of {place}" if place.exists() else f"There is no {place}"
    return (
        f"{settings}. Run this in the directory of the service's .env, or name that file in --env-file; for a service "
        "that has never run, start it first."
    )


def content(store: Store) -> str | None:
    """Say of when the newest alert is, to compare with what is expected of the service; None if there is none."""
    newest = store.read_now(alerts.newest_id)
    return f"{time_of(newest).astimezone(UTC):%Y-%m-%d %H:%M} UTC" if newest else None
