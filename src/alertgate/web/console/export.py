"""Incidents and who was told of them, as a file for a range of time: a proof for a landlord or an insurer.

It is read a part at a time, each in a transaction of its own, so that an export of any length takes little memory and
holds no connection. Where reading fails in the middle, the file's last line says so, and the connection breaks off.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse
from starlette.types import Send

from alertgate.errors import AlertgateError
from alertgate.store import Connection, attempts, export
from alertgate.store.engine import Store
from alertgate.uuid7 import time_of
from alertgate.web.console.export_rows import HEADER, MARK, Rows, written
from alertgate.web.console.filters import FilterReader
from alertgate.web.console.pages import HEADERS, ConsoleRoute
from alertgate.web.console.viewer import CurrentViewer
from alertgate.web.dependencies import CurrentGate

MOST_INCIDENTS = 200
MOST_NOTIFICATIONS = 1000
"""What is read at once."""

log = structlog.stdlib.get_logger("alertgate.console")
router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)


@dataclass(frozen=True, slots=True)
class Place:
    """How far an export is: all up to an incident, or up to a notification about it."""

    incident: str = ""
    notification: str | None = None
    """The last one that was written, if the incident may have more."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows, and from where the export goes on; None if it is through."""

    text: str
    then: Place | None


@dataclass(frozen=True, slots=True)
class Export:
    """What is exported."""

    since: datetime | None
    until: datetime
    rows: Rows

    def read(self, connection: Connection, place: Place) -> Part:
        """Return the rows that follow a place."""
        begun = place.incident if place.notification else None
        about = export.opened(connection, self.since, self.until, place.incident, MOST_INCIDENTS, begun=bool(begun))
        if not about:
            return Part("", None)
        after = (place.incident, place.notification or "")
        sent = export.sent(connection, about[0].id, about[-1].id, after, MOST_NOTIFICATIONS)
        then: Place | None = Place(about[-1].id) if len(about) >= MOST_INCIDENTS else None
        if len(sent) == MOST_NOTIFICATIONS:
            then = Place(sent[-1].incident_id, sent[-1].id)
            about = [each for each in about if each.id <= then.incident]
        last = attempts.last(connection, [each.id for each in sent])
        return Part(self.rows.write(about, sent, last, begun), then)


class Interrupted(AlertgateError):
    """An export ended before it was through."""


class ExportResponse(StreamingResponse):
    """A file that is broken off, and says so, if it can't be read to its end."""

    async def stream_response(self, send: Send) -> None:
        """Send it. Whoever receives a part alone sees that: its last line says so, and the answer isn't completed."""
        try:
            await super().stream_response(send)
        except Interrupted as error:
            why = str(error)
        else:
            return
        log.error("export.broken_off", detail=f"{why} Whoever downloads it was told so, and can try again.")
        last_line = written([[f"INCOMPLETE: {why}"]])
        await send({"type": "http.response.body", "body": last_line.encode(), "more_body": True})


@router.get("/incidents.csv")
async def export_incidents(request: Request, gate: CurrentGate, viewer: CurrentViewer) -> Response:
    """Send the incidents that were opened in a range of time, the oldest first, with their notifications."""
    reader = FilterReader(request.query_params.multi_items(), viewer.times, gate.device_names)
    between = reader.times()
    if reader.problems:  # the list's page says what is wrong
        return RedirectResponse(f"/incidents?{request.url.query}", 303, dict(HEADERS))
    since, until = between.since, between.until or viewer.now
    wanted = Export(since, until, Rows(viewer.times.zone, gate.device_names, viewer.is_operator))
    first = await gate.store.read(partial(wanted.read, place=Place()))
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{_name(viewer.times.zone, since, until)}"'}
    return ExportResponse(_parts(wanted, first, gate.store), media_type="text/csv; charset=utf-8", headers=headers)


def _name(zone: ZoneInfo, since: datetime | None, until: datetime) -> str:
    begin, end = (f"{each.astimezone(zone):%Y-%m-%dT%H%M}" if each else "begin" for each in (since, until))
    return f"alertgate-incidents-{begin}-to-{end}.csv"


async def _parts(wanted: Export, part: Part, store: Store) -> AsyncIterator[str]:
    """Yield the file. Raises Interrupted."""
    yield MARK + written([HEADER]) + part.text
    while (place := part.then) is not None:
        try:
            part = await store.read(partial(wanted.read, place=place))
        except AlertgateError:
            reached = f"{time_of(place.incident).astimezone(wanted.rows.zone):%Y-%m-%d %H:%M:%S}"
            raise Interrupted(
                f"The database failed, so the export ends here: it has what began up to {reached}, not all of it."
            ) from None
        yield part.text
