"""Open the store for a command, whether or not a service is using it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from alertgate.config import Settings
from alertgate.store.engine import Store
from alertgate.telemetry import configure_logging

EnvFile = Annotated[Path, typer.Option("--env-file", help="The file to read settings from, besides the environment.")]


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """Open the store, and close it at the end."""
    configure_logging("error", "console")
    store = Store(settings)
    store.open(exclusive=False)
    try:
        yield store
    finally:
        store.close()
