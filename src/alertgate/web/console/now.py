"""What is going on: the console's first page."""

from fastapi import APIRouter, Request, Response

from alertgate.web.console.pages import ConsoleRoute, shown
from alertgate.web.console.viewer import CurrentViewer
from alertgate.web.dependencies import CurrentGate

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)


@router.api_route("/", methods=["GET", "HEAD"])
async def now(request: Request, gate: CurrentGate, viewer: CurrentViewer) -> Response:
    """Show what is going on."""
    return shown(request, viewer, "now.html", {"version": gate.settings.console_enabled})
