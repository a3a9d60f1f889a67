"""The archive of alerts, the page and the pictures of each, and those that couldn't be read."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from alertgate.credential import in_words
from alertgate.errors import NotFound
from alertgate.model import Alert, AlertStatus, Signal, Source
from alertgate.notify.render import content
from alertgate.notify.render.pictures import pictures
from alertgate.notify.render.text import one_line
from alertgate.prove.history import Most, Trail, trail
from alertgate.prove.timeline import events_of
from alertgate.store import alerts as alert_rows
from alertgate.store import search
from alertgate.store.search import Sought
from alertgate.web.console import story
from alertgate.web.console.filters import FilterReader
from alertgate.web.console.hiding import hider
from alertgate.web.console.lists import Line, show_list
from alertgate.web.console.pages import ConsoleRoute, shown
from alertgate.web.console.times import Times
from alertgate.web.console.viewer import CurrentViewer, Viewer
from alertgate.web.dependencies import CurrentGate, Gate
from alertgate.web.link_page import state

ON_A_PAGE_OF_BODIES = 10
MOST = Most(notifications=40, attempts=120)
"""How much of what was sent about its incident an alert's page tells."""
BEGINNING = 500
"""Characters of a body in the list of those that couldn't be read."""
PICTURE_HEADERS = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)


@dataclass(frozen=True, slots=True)
class ListedAlert(Line):
    """An alert in the list."""

    received_at: datetime
    status: str
    """Empty if it is one like any other."""
    says: str


@dataclass(frozen=True, slots=True)
class Unread:
    """An alert that couldn't be read."""

    id: str
    received_at: datetime
    source: str
    request: str
    size: str
    why: tuple[str, ...]
    body: story.Raw


@router.api_route("/alerts", methods=["GET", "HEAD"])
async def list_alerts(request: Request, gate: CurrentGate, viewer: CurrentViewer) -> Response:
    """Show the newest alerts, or those that are looked for."""
    reader = FilterReader(request.query_params.multi_items(), viewer.times, gate.device_names)
    filters = reader.read(AlertStatus, "incident")
    more = {"statuses": list(AlertStatus)}
    return await show_list(
        request, gate, viewer, "alerts.html", filters, search.find_alerts, lambda each: _line(each, gate), more=more
    )


def _line(alert: Alert, gate: Gate) -> ListedAlert:
    over = alert.signal is Signal.RESOLVED
    return ListedAlert(
        id=alert.id,
        tag="ALL-CLEAR" if over else alert.severity.upper(),
        color="over" if over else alert.severity,
        name=_who(alert, gate),
        event=one_line(alert.event, 80),
        received_at=alert.received_at,
        status="" if alert.status is AlertStatus.ACCEPTED else str(alert.status),
        says=content.essence(alert),
    )


def _who(alert: Alert, gate: Gate) -> str:
    """Return the device's name, or else its id, or else the alert's source."""
    return one_line(gate.device_names(alert.device) or alert.device or alert.source, 60)


@router.api_route("/alerts/{alert_id}", methods=["GET", "HEAD"])
async def show_alert(
    alert_id: UUID,
    request: Request,
    gate: CurrentGate,
    viewer: CurrentViewer,
    order: Annotated[str, Query()] = "newest",
) -> Response:
    """Show all that is stored of an alert, and what became of it. Raises NotFound."""
    found = await gate.store.read(lambda connection: trail(connection, str(alert_id), gate.device_names, MOST))
    if found is None:
        raise _missing(alert_id)
    return shown(request, viewer, "alert.html", _values(found, gate, viewer, oldest_first=order == "oldest"))


def _values(found: Trail, gate: Gate, viewer: Viewer, *, oldest_first: bool) -> dict[str, object]:
    alert, incident, times = found.alert, found.incident, viewer.times
    hide = hider((each.notification for each in found.told), is_operator=viewer.is_operator)
    words, data = story.words_and_data(alert)
    return {
        "line": _line(alert, gate),
        "facts": list(_facts(alert, gate, times)),
        "errors": [story.line(each) for each in alert.errors],
        "words": words,
        "data": data,
        "fields": story.also_sent(alert),
        "pictures": story.shots(alert),
        "received": None if alert.data is None else story.received(alert.data),
        "raw": story.body(alert.raw) if alert.raw is not None else None,
        "incident": incident,
        "state": state(incident, times) if incident else "",
        "story": story.happenings(events_of(found, times.zone, times.now), hide, oldest_first=oldest_first),
        "oldest_first": oldest_first,
        "left_out": found.left_out,
    }


def _facts(alert: Alert, gate: Gate, times: Times) -> list[tuple[str, str]]:
    """Return what is stored beside the content, if there is anything, with what it is."""
    name = gate.device_names(alert.device)
    facts = [
        ("Received", times.time(alert.received_at)),
        ("Published", times.time(alert.published_at) if alert.published_at else None),
        ("From", _came(alert)),
        ("Device", f"{name} ({alert.device})" if name else alert.device),
        ("Event", alert.event),
        ("Severity", alert.severity),
        ("Signal", alert.signal),
        ("Status", alert.status),
        ("Why", alert.reason),
        ("Incident key", alert.incident_key),
        ("Sender's id", alert.repeat_key),
        ("Request", alert.request_id),
        ("Alert", alert.id),
    ]
    return [(label, story.line(str(value))) for label, value in facts if value]


def _came(alert: Alert) -> str:
    if alert.source in (Source.ALERTGATE, Source.WATCH):
        return "alertgate itself"
    return f"the {alert.source} webhook, let in{in_words(alert.credential) or ' by a credential that is not known'}"


@router.api_route("/alerts/{alert_id}/picture/{number}", methods=["GET", "HEAD"])
async def picture(alert_id: UUID, number: int, gate: CurrentGate, viewer: CurrentViewer) -> Response:  # noqa: ARG001  (lets in)
    """Return a picture that a device sent, as what its bytes are. Raises NotFound."""
    found = await gate.store.read(lambda connection: alert_rows.get(connection, str(alert_id)))
    if found is None:
        raise _missing(alert_id)
    inside = pictures(found.data)
    if not 0 <= number < len(inside):
        raise NotFound(f"Alert {alert_id} has {len(inside)} pictures, and none of this number.")
    kind, bytes_ = inside[number]
    name = f"{alert_id}-{number}.{kind.removeprefix('image/')}"
    headers = {**PICTURE_HEADERS, "Content-Disposition": f'inline; filename="{name}"'}
    return Response(bytes_, media_type=kind, headers=headers)


@router.api_route("/quarantine", methods=["GET", "HEAD"])
async def list_quarantined(request: Request, gate: CurrentGate, viewer: CurrentViewer) -> Response:
    """Show the bodies that were let in but couldn't be read, the newest first."""
    filters = FilterReader(request.query_params.multi_items(), viewer.times, gate.device_names).read(AlertStatus)
    sought = Sought(status=AlertStatus.QUARANTINED, since=filters.sought.since, until=filters.sought.until)
    return await show_list(
        request,
        gate,
        viewer,
        "quarantine.html",
        replace(filters, sought=sought),
        search.find_alerts,
        _unread,
        ON_A_PAGE_OF_BODIES,
    )


def _unread(alert: Alert) -> Unread:
    raw = alert.raw or b""
    return Unread(
        id=alert.id,
        received_at=alert.received_at,
        source=_came(alert),
        request=story.line(alert.request_id or "", 80),
        size="1 byte" if len(raw) == 1 else f"{len(raw):,} bytes",
        why=tuple(story.line(each, 300) for each in alert.errors[:5]),
        body=story.body(raw, BEGINNING),
    )


def _missing(alert_id: UUID) -> NotFound:
    return NotFound(f"There is no alert {alert_id}; it was never stored, or retention deleted it.")
