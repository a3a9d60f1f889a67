"""The API for people and programs that hold the token."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Query

from alertgate.credential import Credential
from alertgate.errors import Conflict, NotFound
from alertgate.group.actions import Action
from alertgate.group.portions import Doer
from alertgate.group.transitions import TransitionResult
from alertgate.model import Attempt, Notification
from alertgate.notify.dismiss import DismissResult
from alertgate.notify.replay import ReplayResult
from alertgate.notify.test_send import send_tests
from alertgate.prove.history import incident_trail, told, trail
from alertgate.store import Connection, alerts, attempts, incidents, notifications
from alertgate.web import failure_acts
from alertgate.web.acts import log_act, log_tests
from alertgate.web.answers import (
    AlertPage,
    AsciiJson,
    fill_page,
    show_alerts,
    show_incident,
    show_incident_trail,
    show_incidents,
    show_notification,
    show_notifications,
    show_test_send,
    show_trail,
)
from alertgate.web.cursor import seal, unseal
from alertgate.web.dependencies import CurrentGate, Gate
from alertgate.web.guards import ApiBody, api_guard
from alertgate.web.openapi import BY, SNOOZE
from alertgate.web.problem_answers import (
    API_BODY,
    GUARDED,
    NOT_ACKNOWLEDGED,
    NOT_DISMISSED,
    NOT_HANDED_BACK,
    NOT_RETRIED,
    WRONG,
    WRONG_ID,
    missing,
)
from alertgate.web.queries import AlertQuery, By, IncidentQuery, NotificationQuery, PageQuery, Snooze
from alertgate.web.views import (
    AlertList,
    AlertTrail,
    DismissedCount,
    IncidentList,
    IncidentTrailView,
    IncidentView,
    NotificationList,
    NotificationView,
    TestSendList,
)

log = structlog.stdlib.get_logger("alertgate.api")
router = APIRouter(prefix="/api", tags=["api"], dependencies=[Depends(api_guard)], responses=GUARDED)


@router.get("/alerts", response_model=AlertList, responses=WRONG)
async def list_alerts(gate: CurrentGate, query: Annotated[AlertQuery, Query()]) -> AsciiJson:
    """Return alerts, newest first; what arrives between two pages neither repeats nor hides older ones."""
    before, wanted = _before("alerts", query, gate), query.wanted()

    def read(connection: Connection) -> AlertPage:
        return fill_page(alerts.page(connection, wanted, before, query.limit + 1), query.limit)

    page = await gate.store.read(read)
    return show_alerts(page, _next("alerts", page.last, gate) if page.last else None)


@router.get("/alerts/{alert_id}", response_model=AlertTrail, responses={**missing("alert"), **WRONG_ID})
async def get_alert(alert_id: UUID, gate: CurrentGate) -> AsciiJson:
    """Return one alert's trail: received, grouped, each notification, each attempt."""
    now, device_name = gate.clock.now(), gate.device_names

    def read(connection: Connection) -> AsciiJson | None:
        found = trail(connection, str(alert_id), device_name)
        return show_trail(found, now) if found else None

    shown = await gate.store.read(read)
    if shown is None:
        raise NotFound(f"There is no alert {alert_id}; it was never stored, or retention deleted it.")
    return shown


@router.get("/incidents", response_model=IncidentList, responses=WRONG)
async def list_incidents(gate: CurrentGate, query: Annotated[IncidentQuery, Query()]) -> AsciiJson:
    """Return incidents, newest first; what opens between two pages neither repeats nor hides older ones."""
    before, wanted = _before("incidents", query, gate), query.wanted()
    found = await gate.store.read(lambda connection: incidents.page(connection, wanted, before, query.limit + 1))
    page = found[: query.limit]
    return show_incidents(page, _next("incidents", page[-1].id, gate) if len(found) > query.limit else None)


@router.get("/incidents/{incident_id}", response_model=IncidentTrailView, responses={**missing("incident"), **WRONG_ID})
async def get_incident(incident_id: UUID, gate: CurrentGate) -> AsciiJson:
    """Return one incident with its latest alerts, each notification, each attempt."""
    now, device_name = gate.clock.now(), gate.device_names

    def read(connection: Connection) -> AsciiJson | None:
        found = incident_trail(connection, str(incident_id), device_name)
        return show_incident_trail(found, now) if found else None

    shown = await gate.store.read(read)
    if shown is None:
        raise _no_incident(incident_id)
    return shown


@router.post(
    "/incidents/{incident_id}/acknowledge",
    response_model=IncidentView,
    responses={**missing("incident"), **NOT_ACKNOWLEDGED, **API_BODY},
    openapi_extra=BY,
)
async def acknowledge(incident_id: UUID, body: ApiBody, gate: CurrentGate) -> AsciiJson:
    """Acknowledge an incident: what is pending is cancelled; a higher severity or a reopening notifies again."""
    return await _act(gate, gate.actions.acknowledge, _action(incident_id, body, gate))


@router.post(
    "/incidents/{incident_id}/resolve",
    response_model=IncidentView,
    responses={**missing("incident"), **API_BODY},
    openapi_extra=BY,
)
async def resolve(incident_id: UUID, body: ApiBody, gate: CurrentGate) -> AsciiJson:
    """Resolve an incident: everybody who was told of it is told, and the next alert opens a new one."""
    return await _act(gate, gate.actions.resolve, _action(incident_id, body, gate))


@router.post(
    "/incidents/{incident_id}/snooze",
    response_model=IncidentView,
    responses={**missing("incident"), **NOT_ACKNOWLEDGED, **API_BODY},
    openapi_extra=SNOOZE,
)
async def snooze(incident_id: UUID, body: ApiBody, gate: CurrentGate) -> AsciiJson:
    """Acknowledge an incident for an hour, or as long as the body says; then its escalation starts anew."""
    wanted = Snooze.read(body)
    lasting, now = timedelta(minutes=wanted.minutes), gate.clock.now()
    action = Action(str(incident_id), wanted.by, Credential.API_TOKEN, now, lasting)
    return await _act(gate, gate.actions.snooze, action)


@router.post(
    "/incidents/{incident_id}/hand-back",
    response_model=IncidentView,
    responses={**missing("incident"), **NOT_HANDED_BACK, **API_BODY},
    openapi_extra=BY,
)
async def hand_back(incident_id: UUID, body: ApiBody, gate: CurrentGate) -> AsciiJson:
    """Take an acknowledgement back: the incident is open again, and its escalation starts anew at once."""
    return await _act(gate, gate.actions.hand_back, _action(incident_id, body, gate))


@router.get("/notifications", response_model=NotificationList, responses=WRONG)
async def list_notifications(gate: CurrentGate, query: Annotated[NotificationQuery, Query()]) -> AsciiJson:
    """Return notifications, newest first, each with its last attempt; with `outstanding`, failures to deal with."""
    before, wanted, limit = _before("notifications", query, gate), query.wanted(), query.limit

    def read(connection: Connection) -> tuple[list[Notification], dict[str, Attempt]]:
        found = notifications.page(connection, wanted, before, limit + 1, outstanding=query.outstanding)
        return found, attempts.last(connection, [each.id for each in found[:limit]])

    found, last = await gate.store.read(read)
    page = found[:limit]
    return show_notifications(page, last, _next("notifications", page[-1].id, gate) if len(found) > limit else None)


@router.post(
    "/notifications/{notification_id}/retry",
    response_model=NotificationView,
    responses={**missing("notification"), **NOT_RETRIED, **WRONG_ID},
)
async def retry(notification_id: UUID, gate: CurrentGate) -> AsciiJson:
    """Send a failed notification again: it is due now, and GIVE_UP_AFTER counts from now."""
    done = await failure_acts.retry(gate, str(notification_id), By().by, Credential.API_TOKEN)
    if done.notification is None:
        raise NotFound(done.reason)
    if done.result is not ReplayResult.PENDING:
        raise Conflict(done.reason)
    return await _shown(done.notification, gate)


@router.post(
    "/notifications/{notification_id}/dismiss",
    response_model=NotificationView,
    responses={**missing("notification"), **NOT_DISMISSED, **API_BODY},
    openapi_extra=BY,
)
async def dismiss_notification(notification_id: UUID, body: ApiBody, gate: CurrentGate) -> AsciiJson:
    """Say that nothing more need be done about a failed notification: it is no longer outstanding."""
    done = await failure_acts.dismiss_one(gate, str(notification_id), By.read(body).by, Credential.API_TOKEN)
    if done.notification is None:
        raise NotFound(done.reason)
    if done.result is DismissResult.NOT_FAILED:
        raise Conflict(done.reason)
    return await _shown(done.notification, gate)


@router.post("/notifications/dismiss", response_model=DismissedCount, responses=API_BODY, openapi_extra=BY)
async def dismiss_all(body: ApiBody, gate: CurrentGate) -> AsciiJson:
    """Dismiss all failures that are outstanding now."""
    number = await failure_acts.dismiss_all(gate, By.read(body).by, Credential.API_TOKEN)
    return AsciiJson({"dismissed": number})


@router.post("/send-test", response_model=TestSendList)
async def send_test(gate: CurrentGate) -> AsciiJson:
    """Send a test notification to everybody who can be told, and report each server's answer."""
    told = gate.directory
    outcomes = await send_tests(
        gate.settings, told.targets, gate.channels, told.policy.readers_zone, gate.clock, gate.new_id
    )
    log_tests(outcomes, By().by, Credential.API_TOKEN)
    return show_test_send(outcomes)


def _before(listing: str, query: PageQuery, gate: Gate) -> str | None:
    return unseal(listing, query.cursor, gate.settings.secret_key) if query.cursor is not None else None


def _next(listing: str, last_id: str, gate: Gate) -> str:
    return seal(listing, last_id, gate.settings.secret_key)


def _action(incident_id: UUID, body: bytes, gate: Gate) -> Action:
    return Action(str(incident_id), By.read(body).by, Credential.API_TOKEN, gate.clock.now())


async def _act(gate: Gate, do: Doer, action: Action) -> AsciiJson:
    """Answer with the incident after the action, of which people hear. Raises NotFound, Conflict."""
    applied = await gate.store.write(lambda connection: do(connection, action))
    if applied is None:
        raise _no_incident(action.incident_id)
    transition = applied.transition
    if transition.result is TransitionResult.REFUSED:
        raise Conflict(f"Incident {action.incident_id} stays as it was: {transition.reason}.")
    log_act(action, applied)
    if applied.due:
        gate.deliverer.wake()
    return show_incident(transition.incident)


async def _shown(notification: Notification, gate: Gate) -> AsciiJson:
    """Answer with a notification that was changed."""
    [shown] = await gate.store.read(lambda connection: told(connection, [notification]))
    return show_notification(shown)


def _no_incident(incident_id: UUID | str) -> NotFound:
    return NotFound(f"There is no incident {incident_id}; it was never stored, or retention deleted it.")
