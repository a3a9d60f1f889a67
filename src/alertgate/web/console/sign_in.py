"""Signing in and out."""

import secrets
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from alertgate.accept.credentials import CredentialCheck, bearer
from alertgate.characters import is_shown
from alertgate.credential import Credential
from alertgate.errors import Forbidden, Invalid, Unauthenticated
from alertgate.session import LASTS, Session
from alertgate.store import sessions
from alertgate.web.body import read_body
from alertgate.web.console.pages import HEADERS, ConsoleRoute, Notice, done, plain
from alertgate.web.console.viewer import CurrentViewer, cookie_name, fingerprint, require_same_origin
from alertgate.web.dependencies import CurrentGate
from alertgate.web.guards import Guard, api_guard, count_failure

LONGEST_NAME = 60
LONGEST_AGENT = 200
MOST_FIELDS = 10
NAMELESS = "console"
"""Who had API_TOKEN and didn't say a name."""

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)


@router.api_route("/sign-in", methods=["GET", "HEAD"])
async def ask(request: Request, to: Annotated[str, Query()] = "/") -> Response:
    """Show the form."""
    return plain("sign_in.html", {"to": local(to), "wrong": "", "plain_http": cookie_name(request) is None})


@router.post("/sign-in")
async def sign_in(request: Request, gate: CurrentGate) -> Response:
    """Begin a session with API_TOKEN. Raises Unauthenticated, RateLimited, SwitchedOff, Forbidden, Invalid."""
    require_same_origin(request, gate)
    name = cookie_name(request)
    if name is None:
        raise Forbidden("A session would be sent unprotected over http. Open the console by https.")
    fields = form(await read_body(request, gate))
    check = bearer([f"Bearer {fields.get('token', '')}"], api_guard.secrets(gate))
    if check is not CredentialCheck.OK:
        count_failure(request, gate, Guard.CONSOLE, check)
        raise Unauthenticated("That isn't API_TOKEN.", scheme="Session")
    secret, now = secrets.token_urlsafe(32), gate.clock.now()
    called = fields.get("name", "").strip()[:LONGEST_NAME]
    new = Session(
        id=gate.new_id(now),
        hash=fingerprint(secret),
        person=None,
        name=called if called and is_shown(called) else NAMELESS,
        credential=Credential.CONSOLE_TOKEN,
        zone=fields.get("zone") or None,
        agent=request.headers.get("user-agent", "")[:LONGEST_AGENT],
        created_at=now,
        ends_at=now + LASTS,
        seen_at=now,
    )
    await gate.store.write(lambda connection: sessions.add(connection, new))
    answer = RedirectResponse(local(fields.get("to", "/")), 303, dict(HEADERS))
    answer.set_cookie(
        name,
        secret,
        max_age=int(LASTS.total_seconds()),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
    return answer


@router.post("/sign-out")
async def sign_out(request: Request, gate: CurrentGate, viewer: CurrentViewer) -> Response:
    """End the session."""
    await gate.store.write(lambda connection: sessions.end(connection, viewer.session.id))
    answer = done("/sign-in", Notice.SIGNED_OUT)
    secure = request.url.scheme == "https"
    answer.delete_cookie(cookie_name(request) or "", path="/", secure=secure, httponly=True)
    return answer


def form(body: bytes) -> dict[str, str]:
    """Return the fields of a form, of each the last. Raises Invalid."""
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Invalid("The form can't be read, so nothing was done.") from None
    return {name: values[-1] for name, values in fields.items()}


def local(path: str) -> str:
    """Return a path of this service, or `/` for anything else: a browser takes `//` and a backslash for a host."""
    is_local = path.startswith("/") and not path.startswith("//") and "\\" not in path and is_shown(path)
    return path if is_local else "/"
