"""Where people are signed in, and signing out there. A person's session is about that person's own alone."""

from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Query, Request, Response

from alertgate.credential import signed
from alertgate.notify.render.text import one_line
from alertgate.session import LASTS, Session
from alertgate.store import sessions
from alertgate.web.console.browsers import browser
from alertgate.web.console.pages import ConsoleRoute, Notice, done, shown
from alertgate.web.console.sign_in import signed_out
from alertgate.web.console.viewer import CurrentViewer, Viewer, token_marks
from alertgate.web.dependencies import CurrentGate

AT_ONCE = 50
"""Sessions on one page."""

log = structlog.stdlib.get_logger("alertgate.console")
router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)


@router.api_route("/sessions", methods=["GET", "HEAD"])
async def show(
    request: Request, gate: CurrentGate, viewer: CurrentViewer, before: Annotated[UUID | None, Query()] = None
) -> Response:
    """Show the sessions that last: one's own first, then the newest."""
    people = gate.directory.policy.people if viewer.is_operator else {viewer.session.person or ""}
    marks = token_marks(gate) if viewer.is_operator else ()
    after = str(before) if before else None
    found = await gate.store.read(
        lambda connection: sessions.page(connection, viewer.now, people, marks, after, AT_ONCE + 1)
    )
    listed, own = found[:AT_ONCE], viewer.session
    first = [] if before else [own]
    rows = [*first, *(each for each in listed if each.id != own.id)]
    values = {
        "rows": [_row(each, own) for each in rows],
        "older": f"/sessions?before={listed[-1].id}" if len(found) > AT_ONCE else "",
        "days": LASTS.days,
    }
    return shown(request, viewer, "sessions.html", values)


def _row(session: Session, own: Session) -> dict[str, object]:
    return {
        "id": session.id,
        "own": session.id == own.id,
        "browser": browser(session.agent),
        "who": signed(one_line(session.name, 60), session.credential),
        "created_at": session.created_at,
        "seen_at": session.seen_at,
        "ends_at": session.ends_at,
    }


@router.post("/sessions/{session_id}/end")
async def end(session_id: UUID, request: Request, gate: CurrentGate, viewer: CurrentViewer) -> Response:
    """End one session, if it is theirs to end. Ending it twice is ending it once."""
    ended = await gate.store.write(lambda connection: sessions.end(connection, str(session_id), _whose(viewer)))
    if ended:
        log.info("console.signed_out", by=viewer.by, credential=viewer.credential, session_id=str(session_id))
    if str(session_id) == viewer.session.id:
        return signed_out(request, Notice.SIGNED_OUT)
    return done("/sessions", Notice.SESSION_ENDED)


@router.post("/sessions/end-all")
async def end_all(request: Request, gate: CurrentGate, viewer: CurrentViewer) -> Response:
    """End all sessions, this one too: a person's own, or with API_TOKEN those of everybody."""
    number = await gate.store.write(lambda connection: sessions.end_all(connection, _whose(viewer)))
    log.info("console.signed_out", by=viewer.by, credential=viewer.credential, sessions=number)
    return signed_out(request, Notice.SIGNED_OUT_EVERYWHERE)


def _whose(viewer: Viewer) -> str | None:
    """Return whose sessions somebody may end; None for everybody's."""
    return None if viewer.is_operator else viewer.session.person or ""
