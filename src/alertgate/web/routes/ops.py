"""Health for load balancers, containers and people, without a credential; and metrics for Prometheus."""

from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from alertgate import __version__
from alertgate.errors import StoreUnavailable
from alertgate.model import ChannelName, NotificationStatus
from alertgate.notify.budget import Budget, daily_limits
from alertgate.prove.health import OK
from alertgate.store import device_lists, silences
from alertgate.store.counts import queues
from alertgate.web.dependencies import CurrentGate, Gate
from alertgate.web.guards import KnowsToken, metrics_guard
from alertgate.web.problem_answers import Answers, guarded

router = APIRouter(tags=["health"])

METRICS_ANSWERS: Answers = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus' text form"},
    **guarded("METRICS_TOKEN"),
}


_DEGRADED = (
    "with the API token: paused channels, the daily limit of mail, a policy file that can't be used, what the auditor "
    "found, outstanding failures, alerts and senders refused, a disk that is almost full; without it, only that there "
    "is something"
)
SOMETHING = "something doesn't work as it should: GET /status, or this with the API token, says what"
"""What strangers hear of all that: what is down tells them when to come."""


class Healthy(BaseModel):
    """Alerts can be stored."""

    status: Literal["healthy"]
    timestamp: datetime
    version: str
    policy: str | None = Field(default=None, description="Names the policy in force; left out when there is none")
    degraded: list[str] = Field(default=[], description=f"Left out when everything works: {_DEGRADED}")


class Unhealthy(BaseModel):
    """Something is wrong; each check says `ok` or what it is."""

    status: Literal["unhealthy"]
    checks: dict[str, str]
    degraded: list[str] = Field(
        default=[],
        description=f"On `/health/ready`: {_DEGRADED}",
    )


class Live(BaseModel):
    """The process is up."""

    status: Literal["live"]


class Ready(BaseModel):
    """Every check says `ok`."""

    status: Literal["ready"]
    checks: dict[str, str]
    degraded: list[str] = Field(description=_DEGRADED[0].upper() + _DEGRADED[1:])


@router.get("/health", responses={200: {"model": Healthy}, 503: {"model": Unhealthy}})
async def health(gate: CurrentGate, knows_token: KnowsToken) -> JSONResponse:
    """Tell whether alerts can be stored. Never depends on a mail server. The API token may be sent, to hear more."""
    stored = await gate.health.can_store()
    if stored != OK:
        return JSONResponse({"status": "unhealthy", "checks": {"store": stored}}, status_code=503)
    now = gate.clock.now().isoformat()
    answer: dict[str, Any] = {"status": "healthy", "timestamp": now, "version": __version__}
    if policy := gate.policies.current.name:
        answer["policy"] = policy
    if troubles := _shown(degraded(gate), knows_token=knows_token):
        answer["degraded"] = troubles
    return JSONResponse(answer)


@router.get("/health/live", responses={200: {"model": Live}})
async def live() -> JSONResponse:
    """Tell that the process is up."""
    return JSONResponse({"status": "live"})


@router.get("/health/ready", responses={200: {"model": Ready}, 503: {"model": Unhealthy}})
async def ready(gate: CurrentGate, knows_token: KnowsToken) -> JSONResponse:
    """Tell whether the store is writable, the delivery loop runs, and the service isn't stopping."""
    checks = dict(await gate.health.ready())
    troubles = _shown(degraded(gate), knows_token=knows_token)
    if all(check == OK for check in checks.values()):
        return JSONResponse({"status": "ready", "checks": checks, "degraded": troubles})
    return JSONResponse({"status": "unhealthy", "checks": checks, "degraded": troubles}, status_code=503)


def _shown(troubles: list[str], *, knows_token: bool) -> list[str]:
    return troubles if knows_token or not troubles else [SOMETHING]


def degraded(gate: Gate) -> list[str]:
    """Return what doesn't work as it should while alerts are still accepted, so that no load balancer turns away."""
    audit, outstanding = gate.auditor.latest, gate.failures.latest
    return [
        *paused_channels(gate),
        *limits_near(gate),
        *policy_problems(gate),
        *(audit.say() if audit else []),
        *(outstanding.say() if outstanding else []),
        *gate.own_alerts.degraded(),
    ]


def paused_channels(gate: Gate) -> list[str]:
    """Return a line for each channel that can't send now."""
    states = gate.deliverer.states
    return [f"channel {name} is paused: {state.reason}" for name, state in states.items() if not state.up]


def limits_near(gate: Gate) -> list[str]:
    """Return a line for each daily limit that holds something back, or nearly does."""
    budgets = gate.deliverer.budgets
    limits = [(each, budgets[each.account]) for each in daily_limits(gate.settings)]
    return [_LIMITED[level].format(**each._asdict()) for each, level in limits if level in _LIMITED]


def policy_problems(gate: Gate) -> list[str]:
    """Return a line for each thing that is wrong with the policy's file."""
    trouble = gate.policies.trouble
    return [*([trouble] if trouble else []), *(f"{key} {text}" for key, text in gate.policies.unreachable)]


_LIMITED = {
    Budget.LOW: "{setting} is near: what isn't critical goes out as digests",
    Budget.RESERVE: "{setting} is close: only critical notifications go out",
    Budget.EXHAUSTED: "{setting} is reached: {stops} goes out until there is room again",
}


@router.get("/metrics", dependencies=[Depends(metrics_guard)], responses=METRICS_ANSWERS, response_class=Response)
async def metrics(request: Request, gate: CurrentGate) -> Response:
    """Give the metrics to Prometheus, as text or as OpenMetrics."""
    gate.metrics.store_state(up=await gate.health.can_store() == OK)
    await _look_at_queue(gate)
    content, content_type = gate.metrics.exposition(request.headers.get("accept", ""))
    return Response(content, headers={"Content-Type": content_type})


async def _look_at_queue(gate: Gate) -> None:
    now = gate.clock.now()
    try:
        waiting = await gate.store.read(queues)
        active = await gate.store.read(lambda connection: silences.number_lasting(connection, now))
        held = await gate.store.read(silences.number_held)
        standing = await gate.store.read(device_lists.numbers)
        last_seen = await gate.store.read(device_lists.last_seen) if gate.settings.metrics_devices else {}
    except StoreUnavailable:
        gate.metrics.queue_unknown()
        return
    depths: dict[tuple[ChannelName, NotificationStatus], int] = {}
    for channel, queue in waiting.items():
        depths[channel, NotificationStatus.PENDING] = queue.pending
        depths[channel, NotificationStatus.SENDING] = queue.sending
    oldest = {
        channel: (now - queue.oldest_due_at).total_seconds()
        for channel, queue in waiting.items()
        if queue.oldest_due_at
    }
    gate.metrics.queue(depths, oldest)
    gate.metrics.silenced(active, held)
    gate.metrics.devices(standing)
    gate.metrics.devices_last_seen(
        {(device, gate.device_names(device) or ""): (now - at).total_seconds() for device, at in last_seen.items()}
    )
