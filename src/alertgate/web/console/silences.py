"""Silences: which there are and what they hold; begin one, after a look at what it would hold; end one."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from alertgate.errors import NotFound
from alertgate.group.silencing import Preview, SilenceResult
from alertgate.model import Severity
from alertgate.silence import Silence
from alertgate.store import Connection, incidents, silences
from alertgate.store.incidents import Alike
from alertgate.web.acts import log_silence, log_silence_end
from alertgate.web.body import read_body
from alertgate.web.console import silence_form, silence_view
from alertgate.web.console.entrance import form
from alertgate.web.console.fields import Fields
from alertgate.web.console.pages import ConsoleRoute, Notice, done, shown
from alertgate.web.console.viewer import CurrentViewer, Viewer
from alertgate.web.cursor import seal, unseal
from alertgate.web.dependencies import CurrentGate, Gate

AT_ONCE = 50
"""Silences on a page."""
LISTING = "console/silences"
OVER_LISTING = "console/silences/over"
FIRST = {"lasting": "2h", "unless": Severity.CRITICAL}
"""What a new form has."""

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)

Cursor = Annotated[str | None, Query(max_length=100)]


@router.api_route("/silences", methods=["GET", "HEAD"])
async def silences_page(request: Request, gate: CurrentGate, viewer: CurrentViewer, cursor: Cursor = None) -> Response:
    """Show the silences that aren't over, also those that begin later, and what each holds."""
    now, key = viewer.now, gate.settings.secret_key
    before = unseal(LISTING, cursor, key) if cursor else None

    def read(connection: Connection) -> tuple[list[Silence], int, silence_view.Waiting]:
        return (
            silences.page(connection, now, before, AT_ONCE + 1),
            silences.number_held(connection),
            silence_view.Waiting(
                incidents.unresolved_alike(connection), silences.pending_alike(connection, silenced=True)
            ),
        )

    found, held, waiting = await gate.store.read(read)
    page = found[:AT_ONCE]
    is_counted = waiting.is_countable(len(page))
    named = gate.silencer.subject if is_counted else None
    values = {
        "cards": silence_view.cards(page, now, waiting, named),
        "held": held,
        "is_counted": is_counted,
        "next": f"/silences?cursor={seal(LISTING, page[-1].id, key)}" if len(found) > AT_ONCE else None,
    }
    return shown(request, viewer, "silences.html", values)


@router.api_route("/silences/over", methods=["GET", "HEAD"])
async def over(request: Request, gate: CurrentGate, viewer: CurrentViewer, cursor: Cursor = None) -> Response:
    """Show the silences that are over, newest first."""
    now, key = viewer.now, gate.settings.secret_key
    before = unseal(OVER_LISTING, cursor, key) if cursor else None
    found = await gate.store.read(partial(silences.over, now=now, before=before, limit=AT_ONCE + 1))
    page = found[:AT_ONCE]
    values = {
        "cards": silence_view.cards(page, now),
        "next": f"/silences/over?cursor={seal(OVER_LISTING, page[-1].id, key)}" if len(found) > AT_ONCE else None,
    }
    return shown(request, viewer, "silences_over.html", values)


@router.api_route("/silences/new", methods=["GET", "HEAD"])
async def ask(request: Request, viewer: CurrentViewer) -> Response:
    """Show the form; the address may fill it in."""
    given = {**FIRST, **request.query_params}
    return _form(request, viewer, Fields(silence_form.NAMES, given))


@router.post("/silences/new")
async def begin(request: Request, gate: CurrentGate, viewer: CurrentViewer) -> Response:
    """Show what a silence would hold; with `confirmed`, begin it. What is wrong is said beside its field."""
    given, now = form(await read_body(request, gate)), viewer.now
    asked = silence_form.Asked(viewer.by, viewer.credential, viewer.times.zone, now)
    fields, wanted = silence_form.read(given, asked)
    if fields.wrong or given.get("confirmed") == "change":
        return _form(request, viewer, fields)
    if given.get("confirmed") == "yes":
        begun = await gate.store.write(partial(gate.silencer.begin_once, wanted=wanted, now=now))
        if begun.silence:
            if begun.result is SilenceResult.BEGUN:
                log_silence(begun.silence)
            return done("/silences", Notice.SILENCE_BEGUN)
        silence_form.refuse(fields, begun.errors)
        return _form(request, viewer, fields)

    def read(connection: Connection) -> tuple[Preview, list[tuple[Alike, int]]]:
        return gate.silencer.preview(connection, wanted, now), silences.pending_alike(connection, silenced=False)

    found, pending = await gate.store.read(read)
    silence_form.refuse(fields, found.errors)
    if fields.wrong:
        return _form(request, viewer, fields)
    silence_form.date(fields, wanted, viewer.times.zone)
    preview = silence_view.previewed(found, pending, gate.silencer.subject, now)
    return shown(request, viewer, "silence_preview.html", {"preview": preview, "values": fields.values})


@router.post("/silences/{silence_id}/end")
async def end(silence_id: UUID, gate: CurrentGate, viewer: CurrentViewer) -> Response:
    """End a silence now: what it held is told at once. Raises NotFound."""
    ended = partial(
        gate.silencer.end, silence_id=str(silence_id), by=viewer.by, credential=viewer.credential, now=viewer.now
    )
    ending = await gate.store.write(ended)
    if ending is None or ending.silence is None:
        raise NotFound(f"There is no silence {silence_id}; it was never stored, or retention deleted it.")
    if ending.result is not SilenceResult.ENDED:
        return done("/silences", Notice.SILENCE_WAS_OVER)
    log_silence_end(ending.silence)
    await _release(gate)
    return done("/silences", Notice.SILENCE_ENDED)


async def _release(gate: Gate) -> None:
    await gate.escalations.run()
    gate.deliverer.wake()


def _form(request: Request, viewer: Viewer, fields: Fields) -> Response:
    values = {"values": fields.values, "wrong": fields.wrong, "severities": list(Severity), "zone": viewer.times.zone}
    return shown(request, viewer, "silence_new.html", values, 422 if fields.wrong else 200)
