"""Devices, for people and programs that hold the API's token."""

from datetime import timedelta
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from alertgate.credential import Credential
from alertgate.errors import NotFound
from alertgate.prove.device_list import DeviceFinder
from alertgate.store import Connection
from alertgate.web import device_naming as naming
from alertgate.web.answers import AsciiJson
from alertgate.web.cursor import seal_text, unseal_text
from alertgate.web.dependencies import CurrentGate, Gate
from alertgate.web.device_views import (
    DeviceList,
    DeviceQuery,
    DeviceStoryView,
    DeviceView,
    NameRequest,
    StoryQuery,
    show_device,
    show_devices,
    show_story,
)
from alertgate.web.guards import ApiBody, api_guard
from alertgate.web.openapi import body_of
from alertgate.web.problem_answers import API_BODY, GUARDED, NAME_TAKEN, NO_DEVICE, WRONG

LISTING = "devices"

router = APIRouter(prefix="/api/devices", tags=["api"], dependencies=[Depends(api_guard)], responses=GUARDED)


@router.get("", response_model=DeviceList, responses=WRONG)
async def list_devices(gate: CurrentGate, query: Annotated[DeviceQuery, Query()]) -> AsciiJson:
    """Return devices in the order of their ids: when each was last heard, how it stands, its battery and signal."""
    key, now = gate.settings.secret_key, gate.clock.now()
    after = unseal_text(LISTING, query.cursor, key) if query.cursor is not None else None
    find = partial(_finder(gate).page, wanted=query.wanted(now), after=after, limit=query.limit + 1, glob=query.device)
    found = await gate.store.read(find)
    page = found[: query.limit]
    more = seal_text(LISTING, page[-1].device.id, key) if len(found) > query.limit else None
    return show_devices(page, more, now)


@router.get("/{device_id}", response_model=DeviceStoryView, responses={**NO_DEVICE, **WRONG})
async def get_device(device_id: str, gate: CurrentGate, query: Annotated[StoryQuery, Query()]) -> AsciiJson:
    """Return one device: its vitals, the last and hour by hour, and its incidents."""
    now = gate.clock.now()
    since = now - timedelta(hours=query.hours)

    def read(connection: Connection) -> AsciiJson | None:
        found = _finder(gate).story(connection, device_id.lower(), since)
        return show_story(found, now) if found else None

    shown = await gate.store.read(read)
    if shown is None:
        raise _missing(device_id)
    return shown


@router.patch(
    "/{device_id}",
    response_model=DeviceView,
    responses={**NO_DEVICE, **NAME_TAKEN, **API_BODY},
    openapi_extra=body_of(NameRequest, "application/json"),
)
async def name_device(device_id: str, body: ApiBody, gate: CurrentGate) -> AsciiJson:
    """Name a device that was heard, or take that name away; a name in alertgate.toml or DEVICES comes before it."""
    wanted = NameRequest.read(body)
    found = await naming.name_device(gate, device_id.lower(), wanted.name, wanted.by, Credential.API_TOKEN)
    if found is None:
        raise _missing(device_id)
    return show_device(_finder(gate).known(found), gate.clock.now())


def _finder(gate: Gate) -> DeviceFinder:
    return DeviceFinder(gate.device_names, gate.policies.current.policy.devices)


def _missing(device_id: str) -> NotFound:
    return NotFound(f"There is no device {device_id}; nothing of it was ever received.")
