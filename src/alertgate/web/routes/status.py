"""`/status`: how the gate is doing, for whoever looks after it."""

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from alertgate import __version__
from alertgate.addresses import mask_all
from alertgate.model import ChannelName
from alertgate.notify.breaker import ChannelState
from alertgate.store import Connection
from alertgate.store.counts import Queue, alerts_since, attempts_since, failed_since, queues
from alertgate.web.dependencies import CurrentGate, Gate
from alertgate.web.guards import api_guard
from alertgate.web.openapi import GUARDED
from alertgate.web.routes.ops import degraded
from alertgate.web.views import AsciiJson

router = APIRouter(tags=["health"], dependencies=[Depends(api_guard)], responses=GUARDED)


class ChannelView(BaseModel):
    """One channel, as this process has seen it since its start."""

    state: str = Field(description="`up`, `paused` or `not configured`")
    pending: int
    sending: int
    oldest_due_at: datetime | None
    paused_at: datetime | None
    probe_at: datetime | None = Field(description="When the next probe is sent, while it is paused")
    failures: int = Field(description="Failures in a row that concern the whole channel")
    last_success: datetime | None
    last_error: datetime | None
    last_error_reason: str | None
    last_error_reply: str | None


class Counts(BaseModel):
    """What happened in a span of time."""

    alerts: dict[str, int] = Field(description="By status: accepted, quarantined, ignored")
    attempts: dict[str, int] = Field(description="By outcome: sent, transient, permanent")
    failed: int = Field(description="Messages that failed for good")


class Status(BaseModel):
    """How the gate is doing."""

    version: str
    timestamp: datetime
    degraded: list[str]
    mail_budget: str = Field(description="Of SMTP_DAILY_LIMIT: `plenty`, `low`, `reserve` or `exhausted`")
    channels: dict[str, ChannelView]
    last_hour: Counts
    last_day: Counts


@router.get("/status", response_model=Status)
async def status(gate: CurrentGate) -> AsciiJson:
    """Tell how long the queue is, how each channel is doing, and what was done lately."""
    now = gate.clock.now()

    def ask(connection: Connection) -> tuple[dict[ChannelName, Queue], dict[str, Any], dict[str, Any]]:
        return (
            queues(connection),
            _counts(connection, now - timedelta(hours=1)),
            _counts(connection, now - timedelta(days=1)),
        )

    waiting, hour, day = await gate.store.read(ask)
    return AsciiJson(
        {
            "version": __version__,
            "timestamp": now,
            "degraded": degraded(gate),
            "mail_budget": gate.deliverer.budget,
            "channels": _channels(gate, waiting),
            "last_hour": hour,
            "last_day": day,
        }
    )


def _counts(connection: Connection, since: datetime) -> dict[str, Any]:
    return {
        "alerts": alerts_since(connection, since),
        "attempts": attempts_since(connection, since),
        "failed": failed_since(connection, since),
    }


def _channels(gate: Gate, waiting: dict[ChannelName, Queue]) -> dict[str, Any]:
    """What waits on a channel that isn't configured any more is shown too: nobody sends it."""
    states = gate.deliverer.states
    return {
        name: _channel(states.get(name), waiting.get(name, Queue(0, 0, None)))
        for name in ChannelName
        if name in states or name in waiting
    }


def _channel(state: ChannelState | None, queue: Queue) -> dict[str, Any]:
    known = state or ChannelState()
    return {
        "state": "not configured" if state is None else "up" if known.up else "paused",
        "pending": queue.pending,
        "sending": queue.sending,
        "oldest_due_at": queue.oldest_due_at,
        "paused_at": known.paused_at,
        "probe_at": known.probe_at,
        "failures": known.failures,
        "last_success": known.succeeded_at,
        "last_error": known.failed_at,
        "last_error_reason": known.reason,
        "last_error_reply": mask_all(known.reply) or None,
    }
