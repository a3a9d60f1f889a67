"""What the HTTP surface works with, and the dependencies that hand it to routes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from alertgate.accept.record import Recorder
from alertgate.clock import Clock
from alertgate.config import Settings
from alertgate.notify.deliver import Deliverer
from alertgate.prove.health import Health
from alertgate.store.engine import Store
from alertgate.web.limits import Limits


@dataclass(frozen=True, slots=True)
class Services:
    """One running gate."""

    settings: Settings
    clock: Clock
    new_id: Callable[[datetime], str]
    store: Store
    recorder: Recorder
    deliverer: Deliverer
    health: Health
    limits: Limits


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


WithServices = Annotated[Services, Depends(_services)]


def client_address(request: Request) -> str:
    """Return the caller's address; behind a trusted proxy, the one that it forwards."""
    return request.client.host if request.client else "unknown"
