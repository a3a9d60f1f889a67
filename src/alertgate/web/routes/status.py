"""`/status`: how the gate is doing, for whoever looks after it."""

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from alertgate import __version__
from alertgate.addresses import mask, mask_all
from alertgate.device import DeviceState
from alertgate.model import ChannelName
from alertgate.notify.breaker import ChannelState
from alertgate.proof import Proof
from alertgate.store import Connection, device_lists, device_watch, failures, silences
from alertgate.store.counts import Queue, alerts_since, attempts_since, failed_since, proofs_since, queues
from alertgate.store.failures import Failure
from alertgate.web.answers import AsciiJson, silence_view
from alertgate.web.dependencies import CurrentGate, Gate
from alertgate.web.guards import api_guard
from alertgate.web.problem_answers import GUARDED
from alertgate.web.routes.ops import degraded
from alertgate.web.views import SilenceView

MOST = 20
MOST_DOWNTIMES = 5
"""How many outstanding failures are listed."""

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
    proved: dict[str, int] = Field(
        description="Notifications of the last day that were sent, by how far it is proved that they arrived: `sent`, "
        "`delivered`, `seen`, `acknowledged`; of the whole database"
    )


class OutstandingFailure(BaseModel):
    """A failed notification with which nobody has dealt, and what to do."""

    id: str
    incident_id: str
    event: str
    device: str | None
    severity: str
    channel: str
    to: str = Field(description="The address, masked")
    failed_at: datetime | None
    reason: str | None = Field(description="Of the last attempt; null if there was none")
    reply: str | None = Field(description="The server's own words, with addresses masked")
    retry: str = Field(description="The command that sends it after all")
    dismiss: str = Field(description="The command that ends it otherwise")


class OutstandingFailures(BaseModel):
    """The failed notifications with which nobody has dealt."""

    number: int
    latest: list[OutstandingFailure] = Field(description="The latest first, at most 20")


class Counts(BaseModel):
    """What happened in a span of time."""

    alerts: dict[str, int] = Field(description="By status: accepted, quarantined, ignored")
    attempts: dict[str, int] = Field(description="By outcome: sent, transient, permanent")
    failed: int = Field(description="Messages that failed for good")


class Silenced(BaseModel):
    """What silences hold now."""

    number: int = Field(description="Silences that hold what they match now")
    held: int = Field(description="Notifications that they hold; an incident that hasn't been told yet has none")
    latest: list[SilenceView] = Field(description="With those that begin later, the latest first, at most 20")


class DowntimeView(BaseModel):
    """A time in which no device could be heard, or nobody watched: deadlines of devices moved by it."""

    began_at: datetime
    ended_at: datetime


class Status(BaseModel):
    """How the gate is doing."""

    version: str
    timestamp: datetime
    policy: str | None = Field(description="The SHA-256 of the policy in force; null when there is none")
    degraded: list[str]
    mail_budget: str = Field(description="Of SMTP_DAILY_LIMIT: `plenty`, `low`, `reserve` or `exhausted`")
    twilio_budget: str = Field(description="The same of TWILIO_DAILY_LIMIT")
    channels: dict[str, ChannelView]
    outstanding_failures: OutstandingFailures
    silences: Silenced
    devices: dict[str, int] = Field(description="How many are `unknown`, `fine`, `late` and `silent`")
    downtimes: list[DowntimeView] = Field(description="The last times in which nobody could hear devices, at most 5")
    last_hour: Counts
    last_day: Counts


@router.get("/status", response_model=Status)
async def status(gate: CurrentGate) -> AsciiJson:
    """Tell how long the queue is, how each channel is doing, what failed, and what was done lately."""
    now, current = gate.clock.now(), gate.policies.current

    def ask(
        connection: Connection,
    ) -> tuple[dict[ChannelName, Queue], dict[ChannelName, dict[str, int]], list[Any]]:
        return (
            queues(connection),
            proofs_since(connection, now - timedelta(days=1)),
            [
                _outstanding(connection),
                _silences(connection, now),
                _devices(connection),
                _downtimes(connection),
                _counts(connection, now - timedelta(hours=1)),
                _counts(connection, now - timedelta(days=1)),
            ],
        )

    waiting, proved, (outstanding, silenced, devices, downtimes, hour, day) = await gate.store.read(ask)
    return AsciiJson(
        {
            "version": __version__,
            "timestamp": now,
            "policy": current.digest if current.name else None,
            "degraded": degraded(gate),
            "mail_budget": gate.deliverer.budgets["mail"],
            "twilio_budget": gate.deliverer.budgets["twilio"],
            "channels": _channels(gate, waiting, proved),
            "outstanding_failures": outstanding,
            "silences": silenced,
            "devices": devices,
            "downtimes": downtimes,
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


def _outstanding(connection: Connection) -> dict[str, Any]:
    return {
        "number": failures.number(connection),
        "latest": [_failure(each) for each in failures.latest(connection, MOST)],
    }


def _silences(connection: Connection, now: datetime) -> dict[str, Any]:
    latest = silences.page(connection, now, None, MOST)
    return {
        "number": silences.number_lasting(connection, now),
        "held": silences.number_held(connection),
        "latest": [silence_view(each, now) for each in latest],
    }


def _devices(connection: Connection) -> dict[str, int]:
    found = device_lists.numbers(connection)
    return {state: found.get(state, 0) for state in DeviceState}


def _downtimes(connection: Connection) -> list[dict[str, Any]]:
    latest = device_watch.known_downtimes(connection)[: -MOST_DOWNTIMES - 1 : -1]
    return [{"began_at": each.began_at, "ended_at": each.ended_at} for each in latest]


def _failure(failure: Failure) -> dict[str, Any]:
    notification, incident, attempt = failure.notification, failure.incident, failure.attempt
    return {
        "id": notification.id,
        "incident_id": incident.id,
        "event": incident.event,
        "device": incident.device,
        "severity": notification.severity,
        "channel": notification.channel,
        "to": mask(notification.address),
        "failed_at": notification.finished_at,
        "reason": attempt.reason if attempt else None,
        "reply": mask_all(attempt.reply) if attempt else None,
        "retry": f"alertgate retry {notification.id}",
        "dismiss": f"alertgate dismiss {notification.id}",
    }


def _channels(
    gate: Gate, waiting: dict[ChannelName, Queue], proved: dict[ChannelName, dict[str, int]]
) -> dict[str, Any]:
    """What waits on a channel that isn't configured any more is shown too: nobody sends it."""
    states = gate.deliverer.states
    return {
        name: {
            **_channel(states.get(name), waiting.get(name, Queue(0, 0, None))),
            "proved": proved.get(name, dict.fromkeys(Proof, 0)),
        }
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
