"""Plots: alerts by hour and severity, how soon people heard, and what became of deliveries."""

from fastapi import APIRouter, Request, Response

from alertgate.errors import Invalid
from alertgate.store import hourly
from alertgate.web.console.pages import ConsoleRoute, shown
from alertgate.web.console.plot_views import Span, alerts, delays, deliveries, in_bars, span_ids
from alertgate.web.console.viewer import CurrentViewer
from alertgate.web.dependencies import CurrentGate

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)


@router.api_route("/plots", methods=["GET", "HEAD"])
async def plots(request: Request, gate: CurrentGate, viewer: CurrentViewer, span: str = Span.DAY) -> Response:
    """Show the plots of a day, a week or a month. Raises Invalid for another span."""
    if span not in set(Span):
        raise Invalid(f"There are no plots of {span!r}. Choose one of {', '.join(Span)}.")
    chosen = Span(span)
    ids = span_ids(chosen, viewer.now)
    counted = await gate.store.read(lambda connection: hourly.of_hours(connection, ids))
    bars = in_bars(chosen, counted, viewer.times)
    values = {
        "chosen": chosen,
        "spans": list(Span),
        "plots": [alerts(chosen, bars), delays(chosen, bars), *deliveries(chosen, bars)],
        "counted_at": gate.hourly.ran_at,
    }
    return shown(request, viewer, "plots.html", values)
