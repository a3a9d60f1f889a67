"""`alertgate devices`: when each device was last heard, how it stands, and what could be expected of it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated

import typer

from alertgate.characters import escaped
from alertgate.cli import database
from alertgate.cli.database import EnvFile
from alertgate.cli.policy import device_names, in_force_or_none
from alertgate.clock import SystemClock
from alertgate.device import DeviceState
from alertgate.notify.context import duration
from alertgate.notify.render.text import shorten
from alertgate.policy.policy import Policy
from alertgate.prove import device_suggestions
from alertgate.prove.device_list import DeviceFinder, KnownDevice
from alertgate.settings_load import DEFAULT_ENV_FILE, load
from alertgate.store import Connection
from alertgate.store.device_lists import WantedDevices

MOST = 1000
LONGEST = 32
"""Characters of a name in the table."""
WORST_FIRST = (DeviceState.SILENT, DeviceState.LATE, DeviceState.UNKNOWN, DeviceState.FINE)
HEADING = ("DEVICE", "STATE", "LAST HEARD", "EXPECTED", "BATTERY", "SIGNAL", "ID")
NONE = "No device was ever heard: each appears with its first event."
NO_SUCH = "No device is like that."


def devices(
    device: Annotated[str | None, typer.Argument(help="A glob over the device's id or name, in any case.")] = None,
    state: Annotated[DeviceState | None, typer.Option(help="Only those that stand like this.")] = None,
    suggest: Annotated[
        bool, typer.Option("--suggest", help="Print what alertgate.toml could expect of each, with the evidence.")
    ] = False,
    most: Annotated[int, typer.Option("--limit", min=1, max=MOST, help="List at most this many.")] = 100,
    env_file: EnvFile = DEFAULT_ENV_FILE,
) -> None:
    """List devices, the silent ones first: the last sign of life against what is expected, battery and signal."""
    settings, now = load(env_file), SystemClock().now()
    with database.existing(settings, env_file) as store:
        policy = in_force_or_none(settings, store) or Policy()
        finder = DeviceFinder(device_names(settings, store), policy.devices)
        if suggest:
            named = frozenset(rule.pattern.lower() for rule in policy.devices if rule.is_id)
            found = store.read_now(lambda connection: list(_all(connection, finder, device)))
            shown = device_suggestions.lines(found, named, now) if found else ()
        else:
            found = store.read_now(lambda connection: _worst(connection, finder, device, state, most + 1))
            shown = _table(found[:most], now) if found else ()
    for line in shown:
        typer.echo(escaped(line))
    if not found:
        typer.echo(NONE if device is None and state is None else NO_SUCH)
    elif not suggest and len(found) > most:
        typer.echo("More aren't listed; --limit lists more.")


def _worst(
    connection: Connection, finder: DeviceFinder, glob: str | None, state: DeviceState | None, most: int
) -> list[KnownDevice]:
    found: list[KnownDevice] = []
    for each in (state,) if state else WORST_FIRST:
        found += finder.page(connection, WantedDevices(state=each), None, most - len(found), glob)
    return found


def _all(connection: Connection, finder: DeviceFinder, glob: str | None) -> Iterator[KnownDevice]:
    last: str | None = None
    while page := finder.page(connection, WantedDevices(), last, MOST, glob):
        yield from page
        last = page[-1].device.id


def _table(found: Sequence[KnownDevice], now: datetime) -> Iterator[str]:
    rows = [HEADING, *(_row(each, now) for each in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADING))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _row(known: KnownDevice, now: datetime) -> tuple[str, ...]:
    device, every = known.device, known.expected.every
    return (
        shorten(known.name, LONGEST) if known.name else "-",
        device.state,
        _heard(known.silent_for(now)),
        f"every {duration(every)}" if every else "-",
        _percent(device.battery) + (" LOW" if device.battery_low else ""),
        _percent(device.strength),
        device.id,
    )


def _heard(ago: timedelta | None) -> str:
    return f"{duration(ago)} ago" if ago is not None else "never"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} %"
