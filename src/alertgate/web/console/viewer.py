"""Who looks at the console: the dependency that lets a request in by its session, or doesn't."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Depends, Request

from alertgate.credential import Credential
from alertgate.errors import Forbidden, Unauthenticated
from alertgate.session import Session
from alertgate.store import sessions
from alertgate.web.console.times import Times
from alertgate.web.dependencies import CurrentGate, Gate
from alertgate.web.middleware import LET_IN

COOKIE = "__Host-alertgate"
LOCAL_COOKIE = "alertgate"
"""At a loopback address without https, where a browser takes no cookie with the prefix `__Host-`."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who has signed in, and how they read times."""

    session: Session
    times: Times

    @property
    def by(self) -> str:
        """Whom what is done is recorded of."""
        return self.session.name

    @property
    def credential(self) -> Credential:
        """What is recorded beside that."""
        return self.session.credential

    @property
    def is_operator(self) -> bool:
        """Whether they had API_TOKEN: settings, sending tests and other people's sessions need that."""
        return self.session.person is None

    @property
    def now(self) -> datetime:
        """The time of the request."""
        return self.times.now


def fingerprint(secret: str) -> str:
    """Return what the store keeps of a cookie."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def is_loopback(request: Request) -> bool:
    """Tell whether the browser calls this machine itself; `make run` is opened so."""
    return request.url.hostname in _LOOPBACK


def cookie_name(request: Request) -> str | None:
    """Return the name of the session's cookie; None where no browser would keep it safely: on http, not at loopback."""
    if request.url.scheme == "https":
        return COOKIE
    return LOCAL_COOKIE if is_loopback(request) else None


def require_same_origin(request: Request, gate: Gate) -> None:
    """Let an unsafe method in from a page of ours alone. Raises Forbidden.

    `Sec-Fetch-Site` says where a request comes from, where a browser sends it (https, and loopback); an older one sends
    `Origin` (Fetch, 3.1; RFC 6454).
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    own = {f"{request.url.scheme}://{request.url.netloc}", _origin(gate.settings.public_url)}
    if site == "same-origin" or (site is None and origin is not None and origin in own):
        return
    raise Forbidden("This wasn't sent by a page of this service, so nothing was done. Open the console, and try again.")


def _origin(url: str | None) -> str | None:
    parts = urlsplit(url or "")
    return f"{parts.scheme}://{parts.netloc}" if url else None


async def _viewer(request: Request, gate: CurrentGate) -> Viewer:
    """Return who has signed in. Raises Unauthenticated, Forbidden."""
    name, now = cookie_name(request), gate.clock.now()
    secret = request.cookies.get(name) if name else None
    found = None
    if secret:
        hash_ = fingerprint(secret)
        found = await gate.store.read(lambda connection: sessions.find(connection, hash_, now))
    if found is None or not found.is_known(gate.directory.policy.people):
        raise Unauthenticated("You aren't signed in, or not any more.", scheme="Session")
    setattr(request.state, LET_IN, found.credential)
    if request.method not in _SAFE:
        require_same_origin(request, gate)
    return Viewer(found, Times(zone_of(found, gate), now))


def zone_of(session: Session, gate: Gate) -> ZoneInfo:
    """Return the zone that somebody reads times in: their browser's, or what the policy says."""
    policy = gate.directory.policy
    person = policy.people.get(session.person or "")
    fallback = person.zone if person else policy.readers_zone
    try:
        return ZoneInfo(session.zone) if session.zone else fallback
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return fallback


CurrentViewer = Annotated[Viewer, Depends(_viewer)]


async def _operator(viewer: CurrentViewer) -> Viewer:
    """Return who has signed in with API_TOKEN. Raises Unauthenticated, Forbidden."""
    if not viewer.is_operator:
        raise Forbidden("This needs API_TOKEN: sign out, and sign in with it.")
    return viewer


CurrentOperator = Annotated[Viewer, Depends(_operator)]
