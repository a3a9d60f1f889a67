"""The console's pages: their templates, their policy, and their errors, which are pages too."""

import hashlib
from collections.abc import Callable, Coroutine, Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from alertgate.errors import AlertgateError, FieldError, Invalid, StoreError, Unauthenticated
from alertgate.web.console.entrance import sign_in_values
from alertgate.web.console.viewer import SAFE, Viewer, page_before
from alertgate.web.dependencies import Gate
from alertgate.web.middleware import LET_IN
from alertgate.web.pages import ROBOTS
from alertgate.web.problems import describe

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "X-Robots-Tag": ROBOTS,
    "Referrer-Policy": "same-origin",
}
NAVIGATION = (
    ("/", "Now"),
    ("/incidents", "Incidents"),
    ("/devices", "Devices"),
    ("/people", "People"),
    ("/silences", "Silences"),
    ("/channels", "Channels"),
    ("/alerts", "Alerts"),
    ("/quarantine", "Quarantine"),
    ("/plots", "Plots"),
)
LIVE = "x-live"
"""The header with which a page's script asks for the page without its frame."""


class Notice(StrEnum):
    """What a page says was done, after the redirect that follows a form; the value stands in its address."""

    SIGNED_OUT = "signed-out"
    TESTED = "tested"
    TEST_FAILED = "test-failed"
    TESTED_BEFORE = "tested-before"
    TESTED_IN_PART = "tested-in-part"
    RETRIED = "retried"
    DISMISSED = "dismissed"
    ALL_DISMISSED = "all-dismissed"
    DEVICE_NAMED = "device-named"
    DEVICE_UNNAMED = "device-unnamed"
    SIGNED_OUT_EVERYWHERE = "signed-out-everywhere"
    SESSION_ENDED = "session-ended"
    LINK_ASKED = "link-asked"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    ALL_ACKNOWLEDGED = "all-acknowledged"
    ALL_SNOOZED = "all-snoozed"
    RESOLVED = "resolved"
    SILENCED = "silenced"
    UNSILENCED = "unsilenced"
    HANDED_BACK = "handed-back"
    NOBODY_HAS_IT = "nobody-has-it"
    HAD_BEFORE = "had-before"
    SILENCED_BEFORE = "silenced-before"
    OVER_BEFORE = "over-before"
    NOT_FAILED = "not-failed"
    SILENCE_BEGUN = "silence-begun"
    SILENCE_ENDED = "silence-ended"
    SILENCE_WAS_OVER = "silence-was-over"

    @property
    def text(self) -> str:
        """The sentence."""
        return _NOTICES[self]


_LOOK_FURTHER = frozenset({Notice.TEST_FAILED, Notice.TESTED_IN_PART})
"""What doesn't say that all is done."""
_NOTICES = {
    Notice.SIGNED_OUT: "You are signed out.",
    Notice.TESTED: "The test was sent; what the server said stands beside each contact.",
    Notice.TEST_FAILED: "Not every test could be sent; why, and what to do, stands beside each contact.",
    Notice.TESTED_BEFORE: "Nothing was sent again: the last test was just now. Its result stands beside each contact.",
    Notice.TESTED_IN_PART: "Some contacts weren't tested, so that no server takes offence at too many messages. "
    "Press again in a minute: those that were tested just now are left out.",
    Notice.RETRIED: "It is sent again now.",
    Notice.DISMISSED: "It is dismissed.",
    Notice.ALL_DISMISSED: "They are dismissed.",
    Notice.DEVICE_NAMED: "The device has its name now.",
    Notice.DEVICE_UNNAMED: "The device has no name any more that was given here.",
    Notice.SIGNED_OUT_EVERYWHERE: "You are signed out everywhere.",
    Notice.SESSION_ENDED: "That browser isn't signed in any more.",
    Notice.LINK_ASKED: "If there is a person of that name with contacts of their own, a link is on its way to these. "
    "It works once, within ten minutes. Nobody gets more than three links an hour: look for one that came before, too.",
    Notice.ACKNOWLEDGED: "You have it. Nobody is told any more, unless it gets worse or begins again.",
    Notice.SNOOZED: "You have it for now. If it isn't over by the end of that, everything starts anew.",
    Notice.ALL_ACKNOWLEDGED: "You have them all. Nobody is told any more about these, unless one gets worse or begins "
    "again.",
    Notice.ALL_SNOOZED: "You have them all for an hour. What isn't over by then starts anew.",
    Notice.RESOLVED: "It is over. Everybody who was told hears that.",
    Notice.SILENCED: "The device is silenced. What is open at the end of that is told then.",
    Notice.UNSILENCED: "The silence is over. What it held is told now.",
    Notice.HANDED_BACK: "Nobody has it any more. Everybody is asked again, as at the beginning.",
    Notice.NOBODY_HAS_IT: "Nothing was changed: nobody has it.",
    Notice.HAD_BEFORE: "Nothing was changed: somebody has it already.",
    Notice.SILENCED_BEFORE: "Nothing was changed: that had been done before.",
    Notice.OVER_BEFORE: "Nothing was changed: it is over already.",
    Notice.NOT_FAILED: "Nothing was done: it isn't a failure any more. How it stands is below.",
    Notice.SILENCE_BEGUN: "The silence is stored.",
    Notice.SILENCE_ENDED: "The silence is ended; what it held is told now.",
    Notice.SILENCE_WAS_OVER: "That silence was over already.",
}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("alertgate.web.console"),
        autoescape=select_autoescape(["html", "svg"]),
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(navigation=NAVIGATION, static=static_url)
    return environment


@cache
def static_file(name: str) -> bytes:
    """Return one of the console's own files. Raises FileNotFoundError."""
    return (files("alertgate.web.console") / "static" / name).read_bytes()


@cache
def static_url(name: str) -> str:
    """Return a file's path, which changes with its content, so that browsers may keep it for ever."""
    return f"/static/{name}?v={hashlib.sha256(static_file(name)).hexdigest()[:12]}"


def shown(request: Request, viewer: Viewer, template: str, values: Mapping[str, object], status: int = 200) -> Response:
    """Return a page for somebody who has signed in. `values` are what its template shows.

    A template also has `viewer`, `t` (its times), `path` and `notice`, and extends `frame`.
    """
    context = {
        "viewer": viewer,
        "t": viewer.times,
        "path": request.url.path,
        "query": request.url.query,
        "notice": said(request),
        "notice_color": "" if request.query_params.get("said") in _LOOK_FURTHER else "done",
        "frame": "piece.html" if LIVE in request.headers else "frame.html",
        **values,
    }
    return HTMLResponse(_environment().get_template(template).render(context), status, dict(HEADERS))


def said(request: Request) -> str:
    """Return what a page's address says was done, if a page of ours led there: another site could say anything."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return ""
    name = request.query_params.get("said", "")
    return Notice(name).text if name in set(Notice) else ""


def plain(
    template: str, values: Mapping[str, object], status: int = 200, more: Mapping[str, str] | None = None
) -> Response:
    """Return a page for anybody: the sign-in, or an error."""
    return HTMLResponse(_environment().get_template(template).render(values), status, {**HEADERS, **(more or {})})


def done(path: str, notice: Notice, **query: str) -> Response:
    """Return the redirect to the page that says what was done, so that loading it again does nothing.

    A query that the path has already is kept.
    """
    path, _, before = path.partition("?")
    kept = [each for each in parse_qsl(before) if each[0] not in {"said", *query}]
    said = urlencode([("said", notice), *query.items(), *kept])
    return RedirectResponse(f"{path}?{said}", 303, dict(HEADERS))


class ConsoleRoute(APIRoute):
    """A route whose errors are pages: who isn't signed in gets the sign-in, and comes back afterwards."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, around FastAPI's own."""
        handle = super().get_route_handler()

        async def handle_for_people(request: Request) -> Response:
            gate: Gate = request.app.state.gate
            started = gate.clock.monotonic()
            try:
                return await handle(request)
            except AlertgateError as error:
                return refused(request, error)
            except RequestValidationError as error:
                problems = tuple(FieldError(".".join(map(str, e["loc"][1:])), e["msg"]) for e in error.errors())
                return refused(request, Invalid("What the address or the form says can't be used.", problems))
            finally:
                if LIVE in request.headers and getattr(request.state, LET_IN):  # strangers change nobody's hints
                    gate.lookout.fetched(gate.clock.monotonic() - started)

        return handle_for_people


_UNREAD = {
    "title": "The database can't be read",
    "detail": "So neither who you are nor what is going on is known. The log says why; see to the database and its "
    "disk, and then load this page again.",
}


def refused(request: Request, error: AlertgateError) -> Response:
    """Return the page for an error."""
    problem, headers = describe(request, error)
    if isinstance(error, Unauthenticated):
        gate = request.app.state.gate
        wrong = "" if request.method in SAFE else _NOT_DONE
        values = sign_in_values(request, gate, to=_back(request, gate), wrong=wrong)
        return plain("sign_in.html", values, problem["status"], headers)
    if isinstance(error, StoreError) and request.method in SAFE:
        problem = {**problem, **_UNREAD}
    return plain("refused.html", problem, problem["status"], headers)


_NOT_DONE = "You were signed out, so nothing was done. Sign in, look at the page again, and press again."


def _back(request: Request, gate: Gate) -> str:
    """Return the page to come back to after signing in: of a form, the page that it stood on.

    What that page said was done before isn't said again.
    """
    is_safe = request.method in SAFE
    before = f"{request.url.path}?{request.url.query}" if is_safe else page_before(request, gate)
    path, _, query = before.partition("?")
    kept = [each for each in query.split("&") if each and not each.startswith("said=")]
    return f"{path}?{'&'.join(kept)}" if kept else path
