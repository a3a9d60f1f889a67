"""The API for people and programs that hold the token."""

from uuid import UUID

from fastapi import APIRouter

from alertgate.errors import NotFound
from alertgate.prove.history import trail
from alertgate.web.guards import ApiGuard
from alertgate.web.services import WithServices
from alertgate.web.views import AlertTrail, AsciiJson, show_trail

router = APIRouter(prefix="/api", tags=["api"], dependencies=[ApiGuard])


@router.get("/alerts/{alert_id}", response_model=AlertTrail)
async def get_alert(alert_id: UUID, services: WithServices) -> AsciiJson:
    """Return one alert's whole trail: received, grouped, each notification, each attempt."""
    found = await services.store.read(lambda connection: trail(connection, str(alert_id)))
    if found is None:
        raise NotFound(f"There is no alert {alert_id}; it never was, or retention has removed it.")
    return show_trail(found)
