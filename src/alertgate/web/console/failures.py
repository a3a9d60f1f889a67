"""The buttons of failed notifications: send one again, or say that nothing more need be done.

They are the operator's: a failure may be anybody's, and who dismisses it ends what says that somebody wasn't told.
"""

from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter, Request, Response

from alertgate.errors import Conflict, FieldError, Invalid, NotFound
from alertgate.notify.dismiss import DismissResult
from alertgate.notify.replay import ReplayResult
from alertgate.web import failure_acts
from alertgate.web.body import read_body
from alertgate.web.console.entrance import form, local
from alertgate.web.console.pages import ConsoleRoute, Notice, done
from alertgate.web.console.viewer import CurrentOperator
from alertgate.web.dependencies import CurrentGate

CHANNELS = "/channels"
"""Where all failures are listed."""

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)


@router.post("/notifications/{notification_id}/retry")
async def retry(notification_id: UUID, request: Request, gate: CurrentGate, viewer: CurrentOperator) -> Response:
    """Send a failed notification again. Raises NotFound, Conflict, which says why nothing would come of it."""
    fields = form(await read_body(request, gate))
    replayed = await failure_acts.retry(gate, str(notification_id), viewer.by, viewer.credential)
    if replayed.result is ReplayResult.UNKNOWN:
        raise NotFound(replayed.reason)
    if replayed.result in (ReplayResult.UNREACHABLE, ReplayResult.SAID_ALREADY):
        raise Conflict(replayed.reason)
    is_retried = replayed.result is ReplayResult.PENDING
    return done(local(fields.get("to", "/")), Notice.RETRIED if is_retried else Notice.NOT_FAILED)


@router.post("/notifications/{notification_id}/dismiss")
async def dismiss(notification_id: UUID, request: Request, gate: CurrentGate, viewer: CurrentOperator) -> Response:
    """Note that nothing more need be done about a failed notification. Raises NotFound."""
    fields = form(await read_body(request, gate))
    dismissed = await failure_acts.dismiss_one(gate, str(notification_id), viewer.by, viewer.credential)
    if dismissed.result is DismissResult.UNKNOWN:
        raise NotFound(dismissed.reason)
    is_failed = dismissed.result is not DismissResult.NOT_FAILED
    return done(local(fields.get("to", "/")), Notice.DISMISSED if is_failed else Notice.NOT_FAILED)


@router.post("/notifications/dismiss")
async def dismiss_all(request: Request, gate: CurrentGate, viewer: CurrentOperator) -> Response:
    """Dismiss all failures that were outstanding when the page was made: none that nobody has seen. Raises Invalid."""
    given = form(await read_body(request, gate)).get("until", "")
    try:
        until = datetime.fromisoformat(given).astimezone(UTC)
    except (ValueError, OverflowError):
        problem = FieldError("until", "is no time")
        raise Invalid("The form can't be read, so nothing was done. Open the page again.", (problem,)) from None
    number = await failure_acts.dismiss_all(gate, viewer.by, viewer.credential, until)
    return done(CHANNELS, Notice.ALL_DISMISSED if number else Notice.NOT_FAILED)
