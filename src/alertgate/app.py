"""The composition root: builds a running service from settings, and starts and stops its parts in order."""

import random
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from threading import Lock

import structlog
from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from alertgate import __version__
from alertgate.accept import failure_trouble, own, policy_trouble
from alertgate.accept.own import OwnAlerts, OwnRules
from alertgate.accept.record import Recorder, Result
from alertgate.addresses import mask_all
from alertgate.clock import Clock, SystemClock
from alertgate.config import Settings
from alertgate.errors import PolicyInvalid
from alertgate.group import sweep
from alertgate.group.actions import IncidentActions
from alertgate.metrics import LabelValues, Metrics
from alertgate.notify.attempt import Sender
from alertgate.notify.budget import MAIL, Budget
from alertgate.notify.channels import registry
from alertgate.notify.channels.base import Channel, Level, Reason
from alertgate.notify.channels.registry import open_channels, targets
from alertgate.notify.claim import Claimer
from alertgate.notify.deliver import Deliverer
from alertgate.notify.flood import FloodRules
from alertgate.notify.lane import DeliveryTimes
from alertgate.notify.upkeep import NotificationUpkeep
from alertgate.periodic import Periodic
from alertgate.policy.keeper import FOLLOW_EVERY, PolicyKeeper
from alertgate.prove import audit as auditing
from alertgate.prove import housekeeping
from alertgate.prove.audit import AuditFinding, Auditor
from alertgate.prove.health import Health
from alertgate.prove.outstanding import FailureWatch
from alertgate.store.alerts import newest_id
from alertgate.store.engine import Store
from alertgate.uuid7 import time_of, uuid7
from alertgate.web import problems
from alertgate.web.dependencies import Gate
from alertgate.web.guards import Guard
from alertgate.web.limits import Limits, RateBudget
from alertgate.web.middleware import RequestMiddleware
from alertgate.web.routes import api, docs, ops, status, webhooks

DESCRIPTION = """Particle webhooks and signed webhooks come in; email and text messages go out.
A 2xx answer means that the alert is on disk, and that every recipient will be told or the failure will be visible."""

MICROSECOND = timedelta(microseconds=1)
MILLISECOND = timedelta(milliseconds=1)

log = structlog.stdlib.get_logger("alertgate")


def new_id(at: datetime) -> str:
    """Return a fresh UUIDv7."""
    return uuid7(at, random.randbytes(8))  # noqa: S311  (ids aren't secret: reading what they name requires a token)


class Ids:
    """Makes ever-increasing UUIDv7s, even after the clock was set back: the newest must sort last.

    `newest` is the newest id that an earlier run stored.
    """

    def __init__(self, newest: str | None) -> None:
        self._last = time_of(newest) + MILLISECOND if newest else datetime.min.replace(tzinfo=UTC)
        self._lock = Lock()

    def __call__(self, at: datetime) -> str:
        """Return a fresh id for `at`, or for a microsecond after the previous one if that is later."""
        with self._lock:
            self._last = at if at > self._last else self._last + MICROSECOND
            return new_id(self._last)


def open_gate(
    settings: Settings,
    *,
    clock: Clock | None = None,
    channels: Sequence[Channel] | None = None,
    store: Store | None = None,
    times: DeliveryTimes | None = None,
) -> Gate:
    """Open the store, read the policy and build all parts. Only the store's writer runs yet.

    Raises ConfigError, PolicyInvalid, StoreInUse, StoreTooNew, StoreUnavailable.
    """
    clock = clock or SystemClock()
    store = store or Store(settings)
    store.open(exclusive=True)
    policies = PolicyKeeper(store, clock, settings.policy_file, named=settings.must_have_policy)
    try:
        policies.start()
    except PolicyInvalid:
        store.close()
        raise
    ids = Ids(store.read_now(newest_id))
    opened = open_channels(settings) if channels is None else channels
    metrics = _metrics(opened, clock)
    store.writer.on_commit = metrics.committed
    deliverer = _deliverer(store, opened, settings, clock, metrics, ids, times or DeliveryTimes())
    recorder = Recorder(settings.grouping, targets(settings), ids, settings.device_name)
    own_rules = OwnRules(settings.grouping.interval, settings.zone)
    return Gate(
        settings=settings,
        clock=clock,
        new_id=ids,
        store=store,
        policies=policies,
        recorder=recorder,
        own_alerts=OwnAlerts(store, recorder, clock, metrics, ids, own_rules, wake=deliverer.wake),
        actions=IncidentActions(targets(settings), ids),
        channels=opened,
        deliverer=deliverer,
        health=Health(store, clock, lambda: deliverer.last_round),
        auditor=_auditor(store, deliverer, settings, clock, metrics),
        failures=FailureWatch(store, clock, metrics),
        limits=Limits(settings, clock, metrics),
        metrics=metrics,
    )


def _metrics(channels: Sequence[Channel], clock: Clock) -> Metrics:
    labels = LabelValues(
        channels=[channel.name for channel in channels],
        results=Result,
        reasons=Reason,
        findings=AuditFinding,
        guards=Guard,
        budgets=RateBudget,
    )
    return Metrics(__version__, clock, labels)


def _auditor(store: Store, deliverer: Deliverer, settings: Settings, clock: Clock, metrics: Metrics) -> Auditor:
    return Auditor(
        store,
        clock,
        metrics,
        working=lambda: [name for name, state in deliverer.states.items() if state.up],
        held=lambda: MAIL if deliverer.budget is Budget.RESERVE else (),
        stopped=lambda: MAIL if deliverer.budget is Budget.EXHAUSTED else (),
        interval=settings.grouping.interval,
    )


def _deliverer(
    store: Store,
    channels: Sequence[Channel],
    settings: Settings,
    clock: Clock,
    metrics: Metrics,
    ids: Ids,
    times: DeliveryTimes,
) -> Deliverer:
    owner = secrets.token_hex(8)
    names = [channel.name for channel in channels]
    rules = FloodRules(settings.flood_limit, settings.grouping.interval)
    return Deliverer(
        store,
        channels,
        Claimer(rules, settings.smtp_daily_limit, owner=owner, new_id=ids),
        Sender(store, settings, clock, metrics, new_id=ids, chance=random.random),
        NotificationUpkeep(store, settings, clock, metrics, channels=names, owner=owner),
        clock,
        metrics,
        owner=owner,
        chance=random.random,
        times=times,
    )


def create_app(gate: Gate) -> FastAPI:
    """Return the application that serves an open gate, and closes it at the end."""
    settings = gate.settings
    app = FastAPI(
        title="alertgate",
        version=__version__,
        description=DESCRIPTION,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if settings.docs_enabled else None,
        redirect_slashes=False,
    )
    app.state.gate = gate
    routers = [webhooks.router, ops.router, status.router, api.router]
    if settings.docs_enabled:
        routers.append(docs.router)
    problems.install(app, routers)
    for router in routers:
        app.include_router(router)
    app.add_middleware(RequestMiddleware, clock=gate.clock, metrics=gate.metrics, new_id=gate.new_id)
    if settings.trusted_proxies:  # added last, so it comes first: the request's line has the forwarded address
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Run the background jobs and the delivery while the application serves."""
    gate: Gate = app.state.gate
    _announce(gate)
    try:
        async with _beats(gate) as beats:
            jobs = [*_background(gate), *beats]
            await gate.deliverer.start()
            for job in jobs:
                job.start()
            yield
            for job in jobs:
                await job.stop()
            await gate.own_alerts.close()
            await gate.deliverer.stop(gate.settings.shutdown_timeout)
    finally:
        gate.store.close()
        log.info("service.stopped")


@asynccontextmanager
async def _beats(gate: Gate) -> AsyncIterator[list[Periodic]]:
    """Yield the heartbeat job, if HEARTBEAT_URL is set."""
    settings = gate.settings
    if not settings.heartbeat_url:
        yield []
        return
    import httpx  # noqa: PLC0415  (slow to import, and few installations need it)

    from alertgate.prove.heartbeat import TIMEOUT, Heartbeat  # noqa: PLC0415

    async with httpx.AsyncClient(timeout=TIMEOUT) as client:
        beat = Heartbeat(settings.heartbeat_url.get_secret_value(), gate.auditor, client).beat
        yield [Periodic("heartbeat", settings.heartbeat_interval, beat)]


def _background(gate: Gate) -> list[Periodic]:
    """Return the periodic jobs that run beside requests and delivery."""
    settings, store, clock = gate.settings, gate.store, gate.clock

    async def audit() -> None:
        await gate.auditor.run()

    return [
        Periodic("sweep", sweep.EVERY, lambda: sweep.resolve_quiet(store, settings.grouping, clock)),
        Periodic("own alerts", own.EVERY, lambda: report_own(gate)),
        Periodic("audit", auditing.EVERY, audit),
        Periodic("policy", FOLLOW_EVERY, gate.policies.follow),
        Periodic("checkpoint", housekeeping.CHECKPOINT_EVERY, store.checkpoint),
        Periodic(
            "retention",
            housekeeping.RETENTION_EVERY,
            lambda: housekeeping.delete_expired(store, clock, settings.retention_days),
        ),
    ]


async def report_own(gate: Gate) -> None:
    """Note how the lasting troubles stand, and report what is due of all troubles."""
    policy_trouble.note(gate.policies, gate.own_alerts)
    await gate.failures.look()
    failure_trouble.note(gate.failures.latest, targets(gate.settings), gate.own_alerts, gate.clock.now())
    await gate.own_alerts.run()


def _announce(gate: Gate) -> None:
    """Log at start what an operator should know about the settings."""
    settings = gate.settings
    log.info("service.starting", version=__version__, store=gate.store.dialect, recipients=len(targets(settings)))
    for finding in registry.findings(settings, gate.clock.now().date()):
        if finding.level is not Level.OK:
            log.warning("settings.doubtful", detail=finding.text, what=mask_all(finding.what))
    for name, secret in (
        ("PARTICLE_WEBHOOK_SECRET", settings.particle_webhook_secret),
        ("WEBHOOK_SECRET", settings.webhook_secret or settings.webhook_token),
        ("API_TOKEN", settings.api_token),
    ):
        if secret is None:
            log.warning("secret.not_set", setting=name, detail="What it guards is switched off and answers 503.")
