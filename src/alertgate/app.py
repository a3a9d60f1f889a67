"""The composition root: builds a running service from settings, and starts and stops its parts in order."""

import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from alertgate import __version__, assembly
from alertgate.accept.failed_senders import FailedSenders
from alertgate.accept.own import OwnAlerts
from alertgate.accept.own_report import Reporter
from alertgate.accept.record import Recorder
from alertgate.accept.volume import STORED, Volume
from alertgate.accept.watch import DiskUsage, Watch
from alertgate.addresses import mask_all
from alertgate.background import background
from alertgate.clock import Clock, SystemClock
from alertgate.config import Settings
from alertgate.errors import ConfigError
from alertgate.group.actions import IncidentActions
from alertgate.group.answers import ACTS, Answers
from alertgate.group.by_link import LinkActions
from alertgate.group.silencing import Silencer
from alertgate.ids import Ids
from alertgate.notify import linking
from alertgate.notify.channels import registry
from alertgate.notify.channels.base import Channel, Level
from alertgate.notify.channels.registry import open_channels
from alertgate.notify.directory import Directory, no_secrets
from alertgate.notify.lane import DeliveryTimes
from alertgate.policy.device_names import DeviceNames
from alertgate.policy.keeper import PolicyKeeper
from alertgate.policy.policy import Policy
from alertgate.policy.surroundings import Surroundings
from alertgate.prove.health import Health
from alertgate.prove.hourly import HourlyCounter
from alertgate.prove.outstanding import FailureWatch
from alertgate.store import device_lists
from alertgate.store.alerts import newest_id
from alertgate.store.engine import Store
from alertgate.store.private import open_to_others
from alertgate.web import problems
from alertgate.web.console import routes as console
from alertgate.web.dependencies import Gate
from alertgate.web.limits import Limits
from alertgate.web.middleware import RequestIds, RequestMiddleware
from alertgate.web.network import with_mapped
from alertgate.web.routes import api, devices, docs, links, ops, silences, status, twilio, webhooks, who
from alertgate.web.unverified import UnverifiedBodies

DESCRIPTION = """Particle webhooks and signed webhooks come in; email and text messages go out.
A 2xx answer means that the alert is on disk, and that every recipient will be told or the failure will be visible."""

log = structlog.stdlib.get_logger("alertgate")


def open_gate(
    settings: Settings,
    *,
    clock: Clock | None = None,
    channels: Sequence[Channel] | None = None,
    store: Store | None = None,
    times: DeliveryTimes | None = None,
    disk_usage: DiskUsage = shutil.disk_usage,
    most_stored: int = STORED,
    secrets_of_contacts: Callable[[], Mapping[str, str]] = no_secrets,
    policy: Callable[[], Policy] | None = None,
) -> Gate:
    """Open the store, read the policy and build all parts. Only the store's writer runs yet.

    `secrets_of_contacts` returns the addresses that the policy's `$CONTACT_…` stand for. `policy` returns who is told,
    in place of the policy that was read.

    Raises ConfigError, PolicyInvalid, StoreInUse, StoreTooNew, StoreUnavailable.
    """
    clock = clock or SystemClock()
    store = store or Store(settings)
    policies = _open_policies(settings, store, clock, secrets_of_contacts)
    ids = Ids(store.read_now(newest_id))
    opened = open_channels(settings, clock) if channels is None else channels
    metrics = assembly.metrics(opened, clock)
    store.writer.on_commit = metrics.committed
    in_force = policy or (lambda: policies.current.policy)
    directory = Directory(in_force, [channel.name for channel in opened], lambda: policies.secrets)
    times = times or DeliveryTimes()
    names = DeviceNames(in_force, settings.devices, store.read_now(device_lists.given_names))
    sends = assembly.sender(store, directory, settings, clock, metrics, ids, names)
    deliverer = assembly.deliverer(store, opened, directory, settings, clock, metrics, ids, times, sends, names)
    recorder = Recorder(settings.grouping, directory, ids, names)
    reporter = Reporter(recorder, ids, lambda: directory.policy.readers_zone)
    actions = IncidentActions(directory, settings.grouping.interval, ids, names)
    silencer = Silencer(ids, names, actions.tell_silenced)
    doers = assembly.doers(actions, silencer)
    answers = Answers({act: doers[act] for act in ACTS})
    own_alerts = OwnAlerts(store, reporter, clock, metrics, settings.grouping.interval, wake=deliverer.wake)
    auditor = assembly.auditor(store, deliverer, settings, clock, metrics)
    failures = FailureWatch(store, clock, metrics)
    watched = assembly.watched(settings, policies, directory, deliverer, auditor, failures, disk_usage)
    watch = Watch(watched, own_alerts, store, clock)
    return Gate(
        settings=settings,
        clock=clock,
        new_id=ids,
        store=store,
        policies=policies,
        directory=directory,
        device_names=names,
        recorder=recorder,
        own_alerts=own_alerts,
        watch=watch,
        device_watch=assembly.device_watch(
            store, recorder, directory, settings, clock, ids, metrics, names, deliverer.wake
        ),
        volume=Volume(clock, lambda: watch.is_disk_low, stored=most_stored),
        failed_senders=FailedSenders(own_alerts, clock, secrets.token_bytes(16)),
        actions=actions,
        link_actions=LinkActions(linking.links_of(settings), doers, actions),
        silencer=silencer,
        escalations=assembly.escalations(store, directory, settings, clock, metrics, ids, names),
        answers=answers,
        follower=assembly.follower(store, opened, sends, answers, clock, metrics, ids, deliverer.wake, names),
        listeners=assembly.listeners(
            store, directory, answers, settings, clock, deliverer.wake, times.poll_every, names
        ),
        poll_every=times.poll_every,
        channels=opened,
        deliverer=deliverer,
        health=Health(store, clock, lambda: deliverer.last_round),
        auditor=auditor,
        failures=failures,
        tester=assembly.tester(opened, directory, settings, clock, ids),
        hourly=HourlyCounter(store, clock),
        limits=Limits(settings, clock, metrics),
        lookout=assembly.lookout(store, clock, metrics, deliverer, auditor, policies, directory),
        unverified=UnverifiedBodies(metrics, patience=settings.body_timeout / 2),
        metrics=metrics,
    )


def _open_policies(
    settings: Settings, store: Store, clock: Clock, secrets_of_contacts: Callable[[], Mapping[str, str]]
) -> PolicyKeeper:
    """Open the store and read the policy. What is wrong with that closes the store again."""
    store.open(exclusive=True)

    def around() -> Surroundings:
        return registry.surroundings(settings, secrets_of_contacts())

    try:
        policies = PolicyKeeper(store, clock, settings.policy_file, around, named=settings.must_have_policy)
        policies.start()
        _require_people(policies)
    except ConfigError:
        store.close()
        raise
    return policies


def _require_people(policies: PolicyKeeper) -> None:
    """Raise ConfigError if there is nobody to tell; without a mail server the outbox has a recipient of its own."""
    if not policies.current.policy.people:
        problem = "RECIPIENT_EMAIL, RECIPIENT_SMS and RECIPIENT_PUSH are all empty: nobody would be notified"
        raise ConfigError([f"{problem}; set at least one, or name people in alertgate.toml"])


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
    routers = [
        webhooks.router,
        ops.router,
        status.router,
        api.router,
        silences.router,
        devices.router,
        who.router,
        links.router,
        twilio.router,
    ]
    if settings.docs_enabled:
        routers.append(docs.router)
    if settings.console_enabled:
        routers += console.ROUTERS
    problems.install(app, routers)
    for router in routers:
        app.include_router(router)
    app.add_middleware(RequestMiddleware, clock=gate.clock, metrics=gate.metrics, new_id=gate.new_id)
    trusted = with_mapped(settings.trusted_proxies)
    if trusted:  # added last, so it comes first: the request's line has the forwarded address
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=trusted)
    app.add_middleware(RequestIds, trusted=trusted)  # before that: it must see who connected
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Run the background jobs and the delivery while the application serves."""
    gate: Gate = app.state.gate
    _announce(gate)
    try:
        async with background(gate) as jobs:
            await gate.deliverer.start()
            for job in jobs:
                job.start()
            yield
            for job in jobs:
                await job.stop()
            await gate.own_alerts.close()
            await gate.deliverer.stop(gate.settings.shutdown_timeout)
            await gate.recorder.devices.close(gate.store, gate.clock)
            await gate.device_watch.close()
    finally:
        gate.store.close()
        log.info("service.stopped")


def _announce(gate: Gate) -> None:
    """Log at start what an operator should know about the settings."""
    settings = gate.settings
    store, told = gate.store, gate.directory.targets
    log.info("service.starting", version=__version__, store=store.dialect, database=store.name, recipients=len(told))
    for finding in (*registry.findings(settings, told, gate.clock.now().date()), *linking.findings(settings, told)):
        if finding.level is not Level.OK:
            log.warning("settings.doubtful", detail=finding.text, what=mask_all(finding.what))
    if settings.zone_doubt:
        log.warning("settings.doubtful", detail=settings.zone_doubt, what="TZ")
    for doubt in settings.device_doubts:
        log.warning("settings.doubtful", detail=doubt, what="DEVICES")
    if is_open := open_to_others(settings.data_dir):
        log.warning("settings.doubtful", detail=is_open, what="DATA_DIR")
    for name, secret in (
        ("PARTICLE_WEBHOOK_SECRET", settings.particle_webhook_secret),
        ("WEBHOOK_SECRET", settings.webhook_secret or settings.webhook_token),
        ("API_TOKEN", settings.api_token),
    ):
        if secret is None:
            log.warning("secret.not_set", setting=name, detail="What it guards is switched off and answers 503.")
