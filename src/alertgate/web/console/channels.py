"""Channels: how each is doing, what waits, and what failed: to be retried, or dismissed."""

from datetime import datetime, timedelta
from functools import partial

from fastapi import APIRouter, Request, Response

from alertgate.notify.budget import daily_limits, limit_of
from alertgate.notify.channels import registry
from alertgate.store import Connection, counts, failures
from alertgate.web.console import channel_view
from alertgate.web.console.pages import ConsoleRoute, shown
from alertgate.web.console.viewer import CurrentViewer
from alertgate.web.dependencies import CurrentGate, Gate

MOST_FAILURES = 20
"""Outstanding failures that are listed; when these are dealt with, the next ones are."""
DAY = timedelta(days=1)
MOST_PROOFS = 2000
"""Messages of the last day that are counted, the latest: after a storm there are very many."""
PATH = "/channels"

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)


@router.api_route(PATH, methods=["GET", "HEAD"])
async def channels(request: Request, gate: CurrentGate, viewer: CurrentViewer) -> Response:
    """Show each channel, and the failures with which nobody has dealt."""
    facts, rows = await _look(gate, viewer.now)
    limits = daily_limits(gate.settings)
    accounts = {limit_of(name, limits).account for name in facts.states}
    found = registry.findings(gate.settings, gate.directory.targets, viewer.now.date())
    cards = channel_view.cards(facts)
    values = {
        "cards": [card for card in cards if not card.is_idle],
        "idle": [card.name for card in cards if card.is_idle],
        "limits": channel_view.limits(limits, gate.deliverer.usage, accounts),
        "failures": rows,
        "counted_all": sum(number for each in facts.proofs.values() for number in each.values()) < MOST_PROOFS,
        "most_proofs": MOST_PROOFS,
        "outstanding": sum(facts.outstanding.values()),
        "findings": channel_view.finding_rows(found),
        "missing": channel_view.missing_rows(registry.missing(gate.settings)),
        "until": viewer.now.isoformat(),
    }
    return shown(request, viewer, "channels.html", values)


async def _look(gate: Gate, now: datetime) -> tuple[channel_view.Facts, list[channel_view.FailureRow]]:
    def read(connection: Connection) -> tuple[channel_view.Facts, list[failures.Failure]]:
        outstanding = {name: count.number for name, count in failures.counts(connection).items()}
        facts = channel_view.Facts(
            states=gate.deliverer.states,
            queues=counts.queues(connection),
            proofs=counts.proofs_since(connection, now - DAY, MOST_PROOFS),
            outstanding=outstanding,
            targets=gate.directory.targets,
            advise=partial(registry.advice, gate.settings),
        )
        return facts, failures.latest(connection, MOST_FAILURES) if outstanding else []

    facts, found = await gate.store.read(read)
    return facts, channel_view.failure_rows(found, gate.device_names)
