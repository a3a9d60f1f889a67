"""Who looks at the console: the dependency that lets a request in by its session, or doesn't."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Depends, Request

from alertgate.credential import Credential
from alertgate.errors import Forbidden, StoreError, SwitchedOff, Unauthenticated
from alertgate.session import Session, fingerprint, token_mark
from alertgate.store import sessions
from alertgate.web.console.times import Times
from alertgate.web.dependencies import CurrentGate, Gate
from alertgate.web.guards import api_guard, let_in

COOKIE = "__Host-alertgate"
LOCAL_COOKIE = "alertgate"
"""At a loopback address without https, where a browser takes no cookie with the prefix `__Host-`."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_OF_PROXIES = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
"""Headers that a browser doesn't send."""
_OTHERS = frozenset({"same-site", "cross-site"})
SAFE = frozenset({"GET", "HEAD"})


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


def is_loopback(request: Request) -> bool:
    """Tell whether the browser calls this machine itself; `make run` is opened so. A proxy may say that it did."""
    return request.url.hostname in _LOOPBACK and not any(name in request.headers for name in _OF_PROXIES)


def is_named_otherwise(request: Request) -> bool:
    """Tell whether a page of ours, by its own word, is called by another name than loopback: a proxy changed `Host`."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site", "same-origin")
    return is_loopback(request) and origin is not None and site == "same-origin" and _host(origin) not in _LOOPBACK


def cookie_name(request: Request) -> str | None:
    """Return the name of the session's cookie; None where no browser would keep it safely: on http, not at loopback."""
    if request.url.scheme == "https":
        return COOKIE
    return LOCAL_COOKIE if is_loopback(request) else None


def cookie(request: Request) -> str | None:
    """Return what the session's cookie holds, if the browser sent one."""
    name = cookie_name(request)
    return request.cookies.get(name) or None if name else None


def require_same_origin(request: Request, gate: Gate) -> None:
    """Let an unsafe method in from a page of ours alone. Raises Forbidden.

    `Sec-Fetch-Site` says where a request comes from, where a browser sends it (https, and loopback); an older one sends
    `Origin` (Fetch, 3.1; RFC 6454).
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site == "same-origin" or (site is None and origin is not None and _is_own(origin, request, gate)):
        return
    raise Forbidden("This wasn't sent by a page of this service, so nothing was done. Open the console, and try again.")


def refuse_parts_of_others(request: Request) -> None:
    """Refuse what a page of another origin loads as a part of itself, but follow its links. Raises Forbidden.

    A page at a neighbouring name or port has the session's cookie sent too. It reads nothing, but could use up the
    session's streams, search again and again, and learn by how long that takes what there is to be found.
    """
    site, dest = request.headers.get("sec-fetch-site"), request.headers.get("sec-fetch-dest")
    if site in _OTHERS and dest != "document":
        raise Forbidden("A page of another site asked for this. Open the console by itself.")


def page_before(request: Request, gate: Gate) -> str:
    """Return which page of ours a form was sent from, with its query, or "" where the browser doesn't say."""
    with suppress(ValueError):
        parts = urlsplit(request.headers.get("referer", ""))
        if _is_own(f"{parts.scheme}://{parts.netloc}", request, gate):
            return urlunsplit(("", "", parts.path, parts.query, "")) if not parts.path.startswith("//") else ""
    return ""


def _is_own(origin: str, request: Request, gate: Gate) -> bool:
    return origin in {f"{request.url.scheme}://{request.url.netloc}", _origin(gate.settings.public_url)}


def _origin(url: str | None) -> str | None:
    """Return the origin of PUBLIC_URL as browsers write it: without what is usual."""
    if url is None:
        return None
    parts = urlsplit(url.lower())
    usual = ":443" if parts.scheme == "https" else ":80"
    return f"{parts.scheme}://{parts.netloc.removesuffix(usual)}"


def _host(origin: str) -> str | None:
    with suppress(ValueError):
        return urlsplit(origin).hostname
    return None


async def _viewer(request: Request, gate: CurrentGate) -> Viewer:
    """Return who has signed in. Raises Unauthenticated, Forbidden."""
    refuse_parts_of_others(request)
    secret, now = cookie(request), gate.clock.now()
    found = None
    if secret:
        hash_ = fingerprint(secret)
        found = await gate.store.read(lambda connection: sessions.find(connection, hash_, now))
    if found is None or not _counts(found, gate):
        raise Unauthenticated("You aren't signed in, or not any more.", scheme="Session")
    let_in(request, found.credential)
    if request.method not in SAFE:
        require_same_origin(request, gate)
    if found.is_to_be_seen(now):
        await _see(found, gate, now)
    return Viewer(found, Times(zone_of(found, gate), now))


async def _see(session: Session, gate: Gate, now: datetime) -> None:
    """Note that a session is used. While nothing can be stored, pages are looked at all the same."""
    with suppress(StoreError):
        await gate.store.write(lambda connection: sessions.see(connection, session.id, now))


def _counts(session: Session, gate: Gate) -> bool:
    marks = token_marks(gate) if session.person is None else ()
    return session.counts(gate.directory.policy.people, marks)


def token_marks(gate: Gate) -> Collection[str]:
    """Return the marks of the values of API_TOKEN that are valid now."""
    with suppress(SwitchedOff):
        return frozenset(map(token_mark, api_guard.secrets(gate)))
    return ()


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
