"""The list of incidents, and the page of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from alertgate.errors import NotFound
from alertgate.model import Incident, IncidentStatus
from alertgate.notify.failure_words import why
from alertgate.notify.names import event_name, where
from alertgate.prove.going_on import GoingOn, read_one
from alertgate.prove.history import IncidentTrail, Most, incident_trail
from alertgate.prove.timeline import events_of_incident
from alertgate.prove.told_events import name_of
from alertgate.store import Connection, failures, search
from alertgate.store.failures import Failure
from alertgate.store.search import Found
from alertgate.web.console import story
from alertgate.web.console.filters import FilterReader
from alertgate.web.console.hiding import hider
from alertgate.web.console.incident_acts import cards
from alertgate.web.console.lists import Line, show_list
from alertgate.web.console.many import choose, offer
from alertgate.web.console.many_acts import silenced_by
from alertgate.web.console.pages import ConsoleRoute, shown
from alertgate.web.console.times import Times
from alertgate.web.console.viewer import CurrentViewer, Viewer
from alertgate.web.dependencies import CurrentGate, Gate
from alertgate.web.link_page import state

MOST = Most(notifications=40, attempts=120)
"""How much of what was sent about an incident its page tells."""
MOST_FAILURES = 20

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)


@dataclass(frozen=True, slots=True)
class ListedIncident(Line):
    """An incident in the list."""

    opened_at: datetime
    last_at: datetime
    alerts: str
    state: str


@router.api_route("/incidents", methods=["GET", "HEAD"])
async def list_incidents(request: Request, gate: CurrentGate, viewer: CurrentViewer) -> Response:
    """Show the newest incidents, or those that are looked for."""
    filters = FilterReader(request.query_params.multi_items(), viewer.times, gate.device_names).read(IncidentStatus)
    more = {"statuses": list(IncidentStatus), "latest": search.LATEST, "offer": None}

    def line(incident: Incident) -> ListedIncident:
        return _line(incident, gate, viewer.times)

    def about(connection: Connection, found: Found[Incident]) -> Mapping[str, object]:
        listed = choose(found.items, silenced_by(connection, gate, viewer.now))
        number, is_all = len(listed.incidents), found.older is None and filters.before is None
        return {"offer": offer(number if is_all else None, filters.first("/incidents")) if number > 1 else None}

    return await show_list(
        *(request, gate, viewer, "incidents.html", filters, search.find_incidents, line), more=more, about=about
    )


def _line(incident: Incident, gate: Gate, times: Times) -> ListedIncident:
    over = incident.status is IncidentStatus.RESOLVED
    return ListedIncident(
        id=incident.id,
        tag="OVER" if over else incident.severity.upper(),
        color="over" if over else incident.severity,
        name=where(incident, gate.device_names(incident.device)),
        event=event_name(incident),
        opened_at=incident.opened_at,
        last_at=incident.last_alert_at,
        alerts="1 alert" if incident.alert_count == 1 else f"{incident.alert_count:,} alerts",
        state=f"{'It was ' + incident.severity + '. ' if over else ''}{state(incident, times)}",
    )


@dataclass(frozen=True, slots=True)
class Known:
    """What one transaction has read of an incident."""

    going_on: GoingOn
    trail: IncidentTrail
    failures: list[Failure]


@router.api_route("/incidents/{incident_id}", methods=["GET", "HEAD"])
async def show_incident(
    incident_id: UUID,
    request: Request,
    gate: CurrentGate,
    viewer: CurrentViewer,
    order: Annotated[str, Query()] = "newest",
) -> Response:
    """Show an incident and its story. Raises NotFound."""
    now = viewer.now

    def read(connection: Connection) -> Known | None:
        going_on = read_one(connection, str(incident_id), now)
        trail = incident_trail(connection, str(incident_id), gate.device_names, MOST)
        if going_on is None or trail is None:
            return None
        return Known(going_on, trail, failures.of_incident(connection, str(incident_id), MOST_FAILURES))

    known = await gate.store.read(read)
    if known is None:
        raise NotFound(f"There is no incident {incident_id}; it was never stored, or retention deleted it.")
    return shown(request, viewer, "incident.html", _values(known, gate, viewer, oldest_first=order == "oldest"))


def _values(known: Known, gate: Gate, viewer: Viewer, *, oldest_first: bool) -> dict[str, object]:
    """Return what an incident's page shows."""
    trail, incident, times = known.trail, known.trail.incident, viewer.times
    latest = trail.latest[0] if trail.latest else None
    words, data = story.words_and_data(latest) if latest else ("", [])
    failed = [(each, name_of(each.notification), list(why(each, gate.settings))) for each in known.failures]
    events = events_of_incident(trail, times.zone, times.now)
    told = [*(each.notification for each in trail.told), *(each.notification for each in known.failures)]
    hide = hider(told, is_operator=viewer.is_operator)
    return {
        "card": cards(known.going_on, viewer, gate).card(incident, to=f"/incidents/{incident.id}"),
        "incident": incident,
        "failures": story.failed(failed, hide),
        "latest": latest,
        "words": words,
        "data": data,
        "pictures": story.shots(latest) if latest else [],
        "story": story.happenings(events, hide, oldest_first=oldest_first),
        "oldest_first": oldest_first,
        "left_out_alerts": max(incident.alert_count - len(trail.latest), 0),
        "left_out_told": trail.left_out,
    }
