"""Health, for anyone who asks: load balancers, containers, people."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from alertgate import __version__
from alertgate.prove.health import OK
from alertgate.web.services import WithServices

router = APIRouter(tags=["health"])


class Healthy(BaseModel):
    """It can store."""

    status: Literal["healthy"]
    timestamp: datetime
    version: str


class Unhealthy(BaseModel):
    """Something is wrong; each check says `ok` or what it is."""

    status: Literal["unhealthy"]
    checks: dict[str, str]


class Live(BaseModel):
    """The process is up."""

    status: Literal["live"]


class Ready(BaseModel):
    """Every check says `ok`."""

    status: Literal["ready"]
    checks: dict[str, str]


@router.get("/health", responses={200: {"model": Healthy}, 503: {"model": Unhealthy}})
async def health(services: WithServices) -> JSONResponse:
    """Tell whether alerts can be stored. Never depends on a mail server."""
    stored = await services.health.can_store()
    if stored != OK:
        return JSONResponse({"status": "unhealthy", "checks": {"store": stored}}, status_code=503)
    now = services.clock.now().isoformat()
    return JSONResponse({"status": "healthy", "timestamp": now, "version": __version__})


@router.get("/health/live", responses={200: {"model": Live}})
async def live() -> JSONResponse:
    """Tell that the process is up."""
    return JSONResponse({"status": "live"})


@router.get("/health/ready", responses={200: {"model": Ready}, 503: {"model": Unhealthy}})
async def ready(services: WithServices) -> JSONResponse:
    """Tell whether the store is writable, the delivery loop runs, and the service isn't stopping."""
    checks = dict(await services.health.ready())
    if all(check == OK for check in checks.values()):
        return JSONResponse({"status": "ready", "checks": checks})
    return JSONResponse({"status": "unhealthy", "checks": checks}, status_code=503)
