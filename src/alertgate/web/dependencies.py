"""The gate that routes work with, and the dependency that injects it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from alertgate.accept.device_watch_job import DeviceWatch
from alertgate.accept.failed_senders import FailedSenders
from alertgate.accept.intake import IntakeContext
from alertgate.accept.own import OwnAlerts
from alertgate.accept.record import Recorder
from alertgate.accept.volume import Volume
from alertgate.accept.watch import Watch
from alertgate.clock import Clock
from alertgate.config import Settings
from alertgate.group.actions import IncidentActions
from alertgate.group.answers import Answers
from alertgate.group.by_link import LinkActions
from alertgate.group.silencing import Silencer
from alertgate.metrics import Metrics
from alertgate.notify.channels.base import Channel
from alertgate.notify.deliver import Deliverer
from alertgate.notify.directory import Directory
from alertgate.notify.escalation_job import EscalationJob
from alertgate.notify.follow import FollowJob
from alertgate.notify.tester import Tester
from alertgate.periodic import Job
from alertgate.policy.device_names import DeviceNames
from alertgate.policy.keeper import PolicyKeeper
from alertgate.prove.audit import Auditor
from alertgate.prove.health import Health
from alertgate.prove.hourly import HourlyCounter
from alertgate.prove.outstanding import FailureWatch
from alertgate.store.engine import Store
from alertgate.web.console.lookout import Lookout
from alertgate.web.limits import Limits
from alertgate.web.unverified import UnverifiedBodies


@dataclass(frozen=True, slots=True)
class Gate:
    """One running gate."""

    settings: Settings
    clock: Clock
    new_id: Callable[[datetime], str]
    store: Store
    policies: PolicyKeeper
    directory: Directory
    device_names: DeviceNames
    recorder: Recorder
    own_alerts: OwnAlerts
    watch: Watch
    device_watch: DeviceWatch
    volume: Volume
    failed_senders: FailedSenders
    actions: IncidentActions
    silencer: Silencer
    escalations: EscalationJob
    poll_every: float
    """Seconds between two looks for what is due, unless something wakes a job."""
    answers: Answers
    follower: FollowJob
    listeners: Sequence[Job]
    """What hears people's answers from services that must be asked for them."""
    link_actions: LinkActions
    channels: Sequence[Channel]
    deliverer: Deliverer
    health: Health
    auditor: Auditor
    failures: FailureWatch
    tester: Tester
    hourly: HourlyCounter
    limits: Limits
    lookout: Lookout
    """Who looks at the console, and what they are to be told."""
    unverified: UnverifiedBodies
    metrics: Metrics


async def _gate(request: Request) -> Gate:
    gate: Gate = request.app.state.gate
    return gate


CurrentGate = Annotated[Gate, Depends(_gate)]


def intake(request: Request, gate: Gate) -> IntakeContext:
    """Return what is known about a webhook request before its body is parsed, with the policy's rules of now."""
    now = gate.clock.now()
    policy, state = gate.policies.current.policy, request.state
    return IntakeContext(
        gate.new_id(now),
        now,
        gate.settings.severities,
        state.request_id,
        state.let_in,
        policy.events,
        policy.devices,
    )


def client_address(request: Request) -> str:
    """Return the caller's address; behind a trusted proxy, the forwarded one."""
    return request.client.host if request.client else "unknown"
