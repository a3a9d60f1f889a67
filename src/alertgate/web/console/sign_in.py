"""Signing in with API_TOKEN, and signing out."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Query, Request, Response

from alertgate.accept.credentials import CredentialCheck, bearer
from alertgate.characters import is_shown
from alertgate.credential import Credential
from alertgate.errors import RateLimited, Unauthenticated
from alertgate.session import token_mark
from alertgate.store import sessions
from alertgate.web.console.entrance import Entrant, begin, form_of_stranger, sign_in_values
from alertgate.web.console.pages import ConsoleRoute, Notice, done, plain, said
from alertgate.web.console.viewer import CurrentViewer, cookie_name
from alertgate.web.dependencies import CurrentGate, Gate, client_address
from alertgate.web.guards import Guard, api_guard
from alertgate.web.problems import describe

LONGEST_NAME = 60
NAMELESS = "console"
"""Who had API_TOKEN and didn't say a name."""

log = structlog.stdlib.get_logger("alertgate.console")
router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)


@router.api_route("/sign-in", methods=["GET", "HEAD"])
async def ask(request: Request, gate: CurrentGate, to: Annotated[str, Query()] = "/") -> Response:
    """Show the forms."""
    return plain("sign_in.html", sign_in_values(request, gate, to=to, notice=said(request)))


@router.post("/sign-in")
async def sign_in(request: Request, gate: CurrentGate) -> Response:
    """Begin a session with API_TOKEN. Raises SwitchedOff, Forbidden, Invalid."""
    fields = await form_of_stranger(request, gate)
    secrets, token = api_guard.secrets(gate), fields.get("token", "").strip()
    check = bearer([f"Bearer {token}"], secrets)
    if check is not CredentialCheck.OK:
        return _refuse(request, gate, fields)
    called = fields.get("name", "").strip()[:LONGEST_NAME]
    name = called if called and is_shown(called) else NAMELESS
    who = Entrant(name, None, Credential.CONSOLE_TOKEN, token_mark(token))
    return await begin(request, gate, who, fields.get("zone", ""), fields.get("to", "/"))


def _refuse(request: Request, gate: Gate, fields: dict[str, str]) -> Response:
    """Count a wrong token, and show the form again with what was filled in."""
    address = client_address(request)
    gate.metrics.auth_failed(Guard.CONSOLE)
    error: RateLimited | Unauthenticated
    try:
        gate.limits.count_failed_sign_in(address)
    except RateLimited as limited:
        error = limited
    else:
        log.warning("console.sign_in_failed", client=address, detail="what was sent isn't API_TOKEN")
        error = Unauthenticated(
            "That isn't API_TOKEN. It is the value in the service's settings (.env), without quotes.", scheme="Session"
        )
    problem, headers = describe(request, error)
    values = sign_in_values(
        request, gate, to=fields.get("to", "/"), wrong=str(error), name=fields.get("name", "")[:LONGEST_NAME]
    )
    return plain("sign_in.html", values, problem["status"], headers)


@router.post("/sign-out")
async def sign_out(request: Request, gate: CurrentGate, viewer: CurrentViewer) -> Response:
    """End the session."""
    await gate.store.write(lambda connection: sessions.end(connection, viewer.session.id))
    log.info("console.signed_out", by=viewer.by, credential=viewer.credential)
    return signed_out(request, Notice.SIGNED_OUT)


def signed_out(request: Request, notice: Notice) -> Response:
    """Return the way to the sign-in, without the cookie of a session that has ended."""
    answer = done("/sign-in", notice)
    secure = request.url.scheme == "https"
    answer.delete_cookie(cookie_name(request) or "", path="/", secure=secure, httponly=True, samesite="lax")
    return answer
