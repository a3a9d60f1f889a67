"""Naming a device, whichever way it is asked for."""

import structlog

from alertgate.credential import Credential
from alertgate.device import Device
from alertgate.errors import Conflict
from alertgate.store import Connection, device_lists
from alertgate.web.dependencies import Gate

log = structlog.stdlib.get_logger("alertgate.api")


async def name_device(gate: Gate, device_id: str, name: str | None, by: str, credential: Credential) -> Device | None:
    """Name a device that was heard, or take its name away; return None if it isn't known. Raises Conflict."""
    _refuse_taken(name, device_id, gate)
    now = gate.clock.now()

    def give(connection: Connection) -> Device | None:
        device_lists.give_name(connection, device_id, name, now)
        return device_lists.get(connection, device_id)

    found = await gate.store.write(give)
    if found:
        await gate.device_names.follow(gate.store)
        log.info("device.named", device=device_id, name=name, by=by, credential=credential)
    return found


def _refuse_taken(name: str | None, device_id: str, gate: Gate) -> None:
    """Raise Conflict if another device has a name: nobody could tell which of the two is meant."""
    if name is None:
        return
    other, _ = gate.device_names.find(name)
    if other not in (name, device_id):
        raise Conflict(f"Nothing was changed: {other} is called {name} already. Choose another name.")
