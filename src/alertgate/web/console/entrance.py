"""The page to sign in on, and the session that begins there."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
from fastapi import Request
from fastapi.responses import RedirectResponse

from alertgate.characters import is_shown
from alertgate.credential import Credential
from alertgate.errors import Forbidden, Invalid, NotFound
from alertgate.session import LASTS, Session, fingerprint
from alertgate.store import Connection, sessions
from alertgate.web.body import read_body
from alertgate.web.console.viewer import cookie, cookie_name, is_named_otherwise, require_same_origin
from alertgate.web.dependencies import Gate, client_address
from alertgate.web.guards import let_in

LONGEST_AGENT = 200
LONGEST_ZONE = 64
LONGEST_PATH = 2000
MOST_FIELDS = 10
PLAIN_HTTP = (
    "Nobody can sign in here: this page came by plain http, and not from this machine itself, so that others on the "
    "way could read the session and use it. Open the console by https. If you did, a proxy on the way says that it was "
    "http: set TRUSTED_PROXIES to the proxy's address, so that its X-Forwarded-Proto counts, and restart alertgate."
)
GONE = (
    "This link was used before, is older than ten minutes, or was cut off. Ask for a new one on the page to sign in "
    "on, and open it where you want to be signed in."
)

log = structlog.stdlib.get_logger("alertgate.console")


def sign_in_values(
    request: Request, gate: Gate, *, to: str = "/", wrong: str = "", notice: str = "", name: str = ""
) -> dict[str, object]:
    """Return what the page to sign in on shows: `wrong` says why somebody isn't let in, `notice` what was done."""
    settings = gate.settings
    return {
        "to": local(to),
        "wrong": wrong,
        "notice": notice,
        "name": name,
        "plain_http": PLAIN_HTTP if cookie_name(request) is None else "",
        "public_url": settings.public_url,
        "has_token": settings.api_token is not None,
    }


@dataclass(frozen=True, slots=True)
class Entrant:
    """Who is let in, and with what."""

    name: str
    person: str | None
    credential: Credential
    token_mark: str | None = None


async def form_of_stranger(request: Request, gate: Gate) -> dict[str, str]:
    """Return the fields of a form of ours that somebody sends who hasn't signed in.

    Raises Forbidden, Invalid, NotFound, BodyTooLarge, BodyTooSlow, ClientGone, TooManyUnfinished.
    """
    if cookie_name(request) is None or is_named_otherwise(request):
        raise Forbidden(PLAIN_HTTP)
    require_same_origin(request, gate)
    async with gate.unverified.reading(client_address(request)) as turn:
        return form(await read_body(request, gate, turn))


async def begin(
    request: Request,
    gate: Gate,
    who: Entrant,
    zone: str,
    to: str = "/",
    claim: Callable[[Connection], bool] = lambda _: True,
) -> RedirectResponse:
    """Begin a session, in place of the one that the browser had, and return the way to a page.

    `claim` says in the transaction that stores it whether they are still let in. Raises Forbidden, NotFound.
    """
    name = cookie_name(request)
    if name is None:
        raise Forbidden(PLAIN_HTTP)
    secret, before, now = secrets.token_urlsafe(32), cookie(request), gate.clock.now()
    new = Session(
        id=gate.new_id(now),
        hash=fingerprint(secret),
        person=who.person,
        name=who.name,
        credential=who.credential,
        token_mark=who.token_mark,
        zone=known_zone(zone),
        agent=request.headers.get("user-agent", "")[:LONGEST_AGENT],
        created_at=now,
        ends_at=now + LASTS,
        seen_at=now,
    )

    def store(connection: Connection) -> bool:
        if not claim(connection):
            return False
        if before:
            sessions.end_by_hash(connection, fingerprint(before))
        sessions.add(connection, new)
        return True

    if not await gate.store.write(store):
        raise NotFound(GONE)
    let_in(request, who.credential)
    log.info("console.signed_in", by=who.name, credential=who.credential)
    return _with_cookie(RedirectResponse(local(to), 303), request, name, secret)


def _with_cookie(answer: RedirectResponse, request: Request, name: str, secret: str) -> RedirectResponse:
    """Return an answer that has the browser keep a session's secret for as long as that lasts."""
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
    return path if is_local and len(path) <= LONGEST_PATH else "/"


def known_zone(zone: str) -> str | None:
    """Return the name of a time zone that is known here, or None."""
    try:
        return ZoneInfo(zone).key if 0 < len(zone) <= LONGEST_ZONE else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
