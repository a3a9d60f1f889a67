"""Devices: the list of them, and what is known of each."""

import json
from functools import partial
from typing import Annotated
from urllib.parse import unquote_to_bytes, urlencode

from fastapi import APIRouter, Query, Request, Response

from alertgate.device import DeviceState
from alertgate.errors import Conflict, Invalid, NotFound
from alertgate.notify.render.text import one_line
from alertgate.prove.device_list import DeviceFinder
from alertgate.prove.device_overview import Overview, history, overview
from alertgate.store.device_pages import Place, Shown
from alertgate.web import device_naming as naming
from alertgate.web.body import read_body
from alertgate.web.console.device_page import LONG, SHORT, DevicePage
from alertgate.web.console.device_rows import LONGEST_NAME, counts, device_path, row
from alertgate.web.console.entrance import form
from alertgate.web.console.pages import ConsoleRoute, Notice, done, shown
from alertgate.web.console.viewer import CurrentOperator, CurrentViewer, Viewer
from alertgate.web.convertors import ANYTHING
from alertgate.web.cursor import seal_text, unseal_text
from alertgate.web.dependencies import CurrentGate, Gate
from alertgate.web.device_views import NameRequest

ONE = f"/devices/{{device_id:{ANYTHING}}}"
LISTING = "console devices"
OFFLINE = "offline"
STATES = (*DeviceState, OFFLINE)
LONGEST_TEXT = 200

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)


@router.api_route("/devices", methods=["GET", "HEAD"])
async def list_devices(
    request: Request,
    gate: CurrentGate,
    viewer: CurrentViewer,
    state: str = "",
    text: Annotated[str, Query(max_length=LONGEST_TEXT)] = "",
    low: str = "",
    after: str = "",
) -> Response:
    """Show devices, the silent ones first. Raises Invalid for a state that there isn't."""
    if state not in ("", *STATES):
        raise Invalid(f"There is no state {state!r}. Choose one of {', '.join(STATES)}.")
    wanted = Shown(
        state=DeviceState(state) if state in set(DeviceState) else None, offline=state == OFFLINE, low=bool(low)
    )
    place = _place(after, gate) if after else None
    read = partial(overview, finder=_finder(gate), shown=wanted, after=place, text=text.strip(), now=viewer.now)
    found = await gate.store.read(read)
    filters = {"state": state, "text": text, "low": low}
    values = {
        **filters,
        "states": STATES,
        "counts": counts(found.numbers),
        "any": sum(found.numbers.by_state.values()),
        "rows": [row(each, found) for each in found.devices],
        "is_first": place is None,
        "next": _next(found, filters, gate),
        "all": "/devices" if any(filters.values()) or place else "",
    }
    return shown(request, viewer, "devices.html", values)


def _next(found: Overview, filters: dict[str, str], gate: Gate) -> str | None:
    if found.is_last:
        return None
    last = found.devices[-1].device
    cursor = seal_text(LISTING, f"{last.state} {last.id}", gate.settings.secret_key)
    return f"/devices?{urlencode({**{key: value for key, value in filters.items() if value}, 'after': cursor})}"


def _place(after: str, gate: Gate) -> Place:
    state, _, device = unseal_text(LISTING, after, gate.settings.secret_key).partition(" ")
    if state not in set(DeviceState):
        raise Invalid("This page of the list doesn't exist. Begin with the first one.")
    return Place(DeviceState(state), device)


@router.api_route(ONE, methods=["GET", "HEAD"])
async def show_device(request: Request, gate: CurrentGate, viewer: CurrentViewer) -> Response:
    """Show all that is known of a device. Raises NotFound."""
    return await _shown(request, gate, viewer)


@router.api_route(ONE, methods=["POST"])
async def name_device(request: Request, gate: CurrentGate, viewer: CurrentOperator) -> Response:
    """Name a device, or take its name away. Raises NotFound."""
    device_id = _id(request)
    given = form(await read_body(request, gate)).get("name", "").strip()
    try:
        name = NameRequest.read(json.dumps({"name": given}).encode()).name if given else None
        found = await naming.name_device(gate, device_id, name, viewer.by, viewer.credential)
    except Invalid as error:
        wrong = f"Nothing was changed: the name {error.errors[0].message}."
        return await _shown(request, gate, viewer, wrong=wrong, given=given, status=422)
    except Conflict as error:
        return await _shown(request, gate, viewer, wrong=str(error), given=given, status=409)
    if found is None:
        raise _missing(device_id)
    return done(device_path(device_id), Notice.DEVICE_NAMED if name else Notice.DEVICE_UNNAMED)


async def _shown(
    request: Request, gate: Gate, viewer: Viewer, *, wrong: str = "", given: str | None = None, status: int = 200
) -> Response:
    device_id, finder = _id(request), _finder(gate)
    days = LONG if request.query_params.get("days") == str(LONG) else SHORT
    read = partial(history, finder=finder, device_id=device_id, now=viewer.now)
    found = await gate.store.read(read)
    if found is None:
        raise _missing(device_id)
    rules = gate.policies.current.policy.devices
    named = frozenset(rule.pattern.lower() for rule in rules if rule.is_id)
    view = DevicePage(found, named, gate.device_names.configured(device_id), viewer.times, days)
    return shown(request, viewer, "device.html", {"view": view, "wrong": wrong, "given": given}, status)


def _id(request: Request) -> str:
    """Return the device's id, in lower case as the register has it. Raises NotFound for bytes that are no text.

    It is read from the bytes of the path: where those are no UTF-8, the server's text of them is another one.
    """
    raw: bytes = request.scope["raw_path"]
    try:
        in_path = unquote_to_bytes(raw.partition(b"/devices/")[2]).decode(errors="surrogatepass")
    except UnicodeDecodeError:
        raise _missing(request.path_params["device_id"]) from None
    return (in_path or request.query_params.get("id", "")).lower()


def _finder(gate: Gate) -> DeviceFinder:
    return DeviceFinder(gate.device_names, gate.policies.current.policy.devices)


def _missing(device_id: str) -> NotFound:
    return NotFound(f"There is no device {one_line(device_id, LONGEST_NAME)}; nothing of it was ever received.")
