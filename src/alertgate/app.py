"""The composition root: settings become a running gate, with its order of starting and stopping."""

import random
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import structlog
from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from alertgate import __version__
from alertgate.accept.record import Recorder
from alertgate.clock import Clock, SystemClock
from alertgate.config import Settings
from alertgate.model import ChannelName, uuid7
from alertgate.notify.channels.base import Channel
from alertgate.notify.channels.outbox import Outbox
from alertgate.notify.channels.smtp import MailChannel, MailServer
from alertgate.notify.deliver import Deliverer
from alertgate.notify.gateways import doubts
from alertgate.notify.plan import targets
from alertgate.prove.health import Health
from alertgate.store.engine import Store, make_private_dir
from alertgate.web import api, docs, ops, problems, webhooks
from alertgate.web.headers import Frame
from alertgate.web.limits import Limits
from alertgate.web.services import Services

DESCRIPTION = """Particle webhooks and signed webhooks come in; email and text messages go out.
A 2xx answer means that the alert is on disk, and that every recipient will be told or the failure will be visible."""

log = structlog.stdlib.get_logger("alertgate")


def new_id(at: datetime) -> str:
    """Return a fresh UUIDv7."""
    return uuid7(at, secrets.token_bytes(8))


def open_channels(settings: Settings) -> list[Channel]:
    """Return the channels that the settings call for: the mail server's two, or the outbox alone."""
    if settings.mail_host is None:
        make_private_dir(settings.data_dir)
        return [Outbox(settings.outbox_dir, settings.mail_from)]
    server = MailServer(settings)
    return [MailChannel(ChannelName.EMAIL, server, settings), MailChannel(ChannelName.SMS, server, settings)]


def open_gate(settings: Settings, *, clock: Clock | None = None, channels: Sequence[Channel] | None = None) -> Services:
    """Open the store and put all parts together; nothing runs yet but the store's writer.

    Raises ConfigError, StoreInUse, StoreTooNew, StoreUnavailable.
    """
    clock = clock or SystemClock()
    store = Store(settings)
    store.open(exclusive=True)
    deliverer = Deliverer(
        store,
        open_channels(settings) if channels is None else channels,
        settings,
        clock,
        owner=secrets.token_hex(8),
        new_id=new_id,
        chance=random.random,
    )
    return Services(
        settings=settings,
        clock=clock,
        new_id=new_id,
        store=store,
        recorder=Recorder(settings.grouping, targets(settings), new_id),
        deliverer=deliverer,
        health=Health(store, clock, lambda: deliverer.last_round),
        limits=Limits(settings, clock),
    )


def create_app(gate: Services) -> FastAPI:
    """Return the application that serves an open gate, and closes it at the end."""
    settings = gate.settings

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        _announce(gate)
        try:
            await gate.deliverer.start()
            yield
            gate.health.draining = True
            await gate.deliverer.stop(settings.shutdown_timeout)
        finally:
            gate.store.close()
            log.info("stopped")

    app = FastAPI(
        title="alertgate",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if settings.docs_enabled else None,
        redirect_slashes=False,
    )
    app.state.services = gate
    routers = [webhooks.router, ops.router, api.router, *([docs.router] if settings.docs_enabled else [])]
    problems.install(app, routers)
    for router in routers:
        app.include_router(router)
    app.add_middleware(Frame, clock=gate.clock, new_id=gate.new_id)
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))
    return app


def _announce(gate: Services) -> None:
    """Say at start what an operator should know before anything happens."""
    settings = gate.settings
    log.info("starting", version=__version__, store=gate.store.dialect, recipients=len(targets(settings)))
    if settings.mail_host is None:
        log.warning(
            "no mail server is configured: messages go to the outbox and nobody is told; set SMTP_EMAIL or SMTP_HOST",
            outbox=str(settings.outbox_dir),
        )
    for _, address in targets(settings):
        if doubt := doubts(address, gate.clock.now().date()):
            log.warning("a text message gateway is in doubt", problem=doubt.text)
    for name, secret in (
        ("PARTICLE_WEBHOOK_SECRET", settings.particle_webhook_secret),
        ("WEBHOOK_SECRET", settings.webhook_secret),
        ("API_TOKEN", settings.api_token),
    ):
        if secret is None:
            log.warning("a secret isn't set: what it guards is switched off and answers 503", setting=name)
