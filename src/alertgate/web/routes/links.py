"""The pages behind the links of messages: GET shows and changes nothing, POST acts.

Whoever holds a link may use it, so nothing but the token says who asks: no login, no cookie, no script. All that isn't
a link that works is answered alike.
"""

from collections.abc import Callable, Coroutine
from datetime import timedelta
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qs

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.convertors import Convertor, register_url_convertor

from alertgate.credential import Credential
from alertgate.errors import AlertgateError, Invalid, NotFound
from alertgate.group.by_link import (
    ASKED_FIRST,
    SILENCES,
    SNOOZE,
    LinkAct,
    LinkGroup,
    Outcome,
    Pressed,
    Verdict,
    group_of,
)
from alertgate.links import fingerprint
from alertgate.prove.linked import Story, story
from alertgate.store import Connection
from alertgate.web.acts import log_act
from alertgate.web.body import read_body
from alertgate.web.dependencies import CurrentGate, Gate, client_address
from alertgate.web.link_page import LinkPage
from alertgate.web.middleware import LET_IN
from alertgate.web.pages import page
from alertgate.web.problems import describe

MOST_FIELDS = 10
"""Fields of a form; ours have four."""
GONE = (
    "This link leads nowhere. It may be cut off, be too old, or be made with a key that was changed since. If "
    "something is going on, the newest message about it has a link that works."
)


class PageRoute(APIRoute):
    """A route whose errors are pages too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, around FastAPI's own."""
        handle = super().get_route_handler()

        async def handle_for_people(request: Request) -> Response:
            try:
                return await handle(request)
            except AlertgateError as error:
                problem, headers = describe(request, error)
                return page("link_refused.html", problem, problem["status"], headers)

        return handle_for_people


class Anything(Convertor[str]):
    """The rest of a path, whatever it is: Starlette's own `path` ends at a line break."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        """Return it as it is."""
        return value

    def to_string(self, value: str) -> str:
        """Return it as it is."""
        return value


register_url_convertor("anything", Anything())
_Found = TypeVar("_Found")
router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.api_route("/a/{token:anything}", methods=["GET", "HEAD"])
async def show(token: str, request: Request, gate: CurrentGate) -> Response:
    """Show what a link is about, or ask before an act that tells others something. Changes nothing."""
    _limit(token, request, gate)
    found = await gate.store.read(lambda connection: _story(connection, token, gate))
    shown = _require(found, request)
    asked = request.query_params
    group = group_of(shown.linked, asked.get("group", ""))
    act = _act(asked.get("ask", ""))
    if group and act in ASKED_FIRST and act in gate.link_actions.offered(group):
        return _ask(shown, group, act, gate)
    return _page(shown, gate)


@router.post("/a/{token:anything}")
async def press(token: str, request: Request, gate: CurrentGate) -> Response:
    """Do what a button of the page says, if what it is about is still as the page showed it. Doing it twice is once."""
    _limit(token, request, gate)
    linked = await gate.store.read(lambda connection: gate.link_actions.find(connection, token, gate.clock.now()))
    structlog.contextvars.bind_contextvars(notification_id=_require(linked, request).notification.id)
    pressed = _pressed(await read_body(request, gate), gate)

    def act(connection: Connection) -> Outcome | None:
        now = gate.clock.now()
        linked = gate.link_actions.find(connection, token, now)
        return gate.link_actions.press(connection, linked, pressed, now) if linked else None

    outcome = _require(await gate.store.write(act), request)
    for action, applied in outcome.done:
        log_act(action, applied)
    if any(applied.due for _, applied in outcome.done):
        gate.deliverer.wake()
    shown = _require(await gate.store.read(lambda connection: _story(connection, token, gate)), request)
    return _answer(outcome, pressed, shown, gate)


def _answer(outcome: Outcome, pressed: Pressed, shown: Story, gate: Gate) -> Response:
    """Return the page after an act: how things stand now, or, if nothing was done, the question once more."""
    if outcome.verdict is Verdict.REFUSED:
        _, refused = outcome.done[0]
        return _page(shown, gate, notice=f"Nothing was done: {refused.transition.reason}.", status=409)
    if outcome.verdict is not Verdict.CHANGED:
        notice = _DONE[pressed.act] if outcome.verdict is Verdict.DONE else _NOT_NEEDED[outcome.verdict]
        return _page(shown, gate, notice=notice, done=True)
    group = group_of(shown.linked, pressed.group)
    if group and pressed.act in ASKED_FIRST and pressed.act in gate.link_actions.offered(group):
        return _ask(shown, group, pressed.act, gate, notice=AGAIN, status=409)
    return _page(shown, gate, notice=AGAIN, status=409)


AGAIN = "It changed after this page was loaded, so nothing was done. Look again; press again if you still mean it."
_DONE = MappingProxyType(
    {
        LinkAct.ACKNOWLEDGE: "You have it. Nobody is told any more, unless it gets worse or begins again.",
        LinkAct.SNOOZE: "You have it for an hour. If it isn't over by then, everything starts anew.",
        LinkAct.RESOLVE: "It is over. Everybody who was told hears that.",
        LinkAct.SILENCE: "The device is silenced. What is open at the end of that is told then.",
    }
)
_NOT_NEEDED = MappingProxyType(
    {
        Verdict.ALREADY: "Nothing was changed: that had been done before.",
        Verdict.OVER: "Nothing was changed: it is over already.",
    }
)


class _Question(NamedTuple):
    """What a second page asks."""

    question: str
    consequence: str
    answers: tuple[tuple[int, str], ...]
    """Hours, and what the button says."""


_QUESTIONS = MappingProxyType(
    {
        LinkAct.RESOLVE: _Question(
            "Is it over?",
            "Everybody who was told hears that it is over. If another alert comes, everything starts anew.",
            ((0, "Yes, it's over"),),
        ),
        LinkAct.SILENCE: _Question(
            "Silence this device?",
            "Nobody is told of anything that it reports meanwhile. What is open at the end is told then.",
            tuple((hours, f"Silence it for {hours} h") for hours in SILENCES),
        ),
    }
)


def _limit(token: str, request: Request, gate: Gate) -> None:
    gate.limits.count_link(client_address(request), fingerprint(token))


def _story(connection: Connection, token: str, gate: Gate) -> Story | None:
    now = gate.clock.now()
    linked = gate.link_actions.find(connection, token, now)
    return story(connection, linked, now) if linked else None


def _require(found: _Found | None, request: Request) -> _Found:
    """Return what a link leads to, and note that its holder was let in. Raises NotFound."""
    if found is None:
        raise NotFound(GONE)
    setattr(request.state, LET_IN, Credential.LINK)
    return found


def _act(text: str) -> LinkAct | None:
    return LinkAct(text) if text in set(LinkAct) else None


def _pressed(body: bytes, gate: Gate) -> Pressed:
    """Read the form of a button. Raises Invalid for one that no page has."""
    try:
        fields = parse_qs(body.decode(), max_num_fields=MOST_FIELDS)
    except ValueError:
        fields = {}
    given = {name: values[-1] for name, values in fields.items()}
    act, hours = _act(given.get("act", "")), given.get("hours", "")
    silencing = act is LinkAct.SILENCE
    if act is None or not gate.link_actions.has(act) or (silencing and hours not in map(str, SILENCES)):
        raise Invalid("No button of this page sends this, so nothing was done. Open the link again, and press one.")
    lasting = timedelta(hours=int(hours)) if silencing else SNOOZE if act is LinkAct.SNOOZE else None
    return Pressed(act, given.get("group", ""), frozenset(given.get("seen", "").split()), lasting)


def _made(shown: Story, gate: Gate) -> LinkPage:
    settings = gate.settings
    zone = gate.directory.policy.readers_zone
    return LinkPage(shown, gate.link_actions.offered, settings.device_name, zone, gate.clock.now())


def _page(shown: Story, gate: Gate, *, notice: str = "", done: bool = False, status: int = 200) -> Response:
    return page("link.html", {**_made(shown, gate).view(), "notice": notice, "done": done}, status)


def _ask(shown: Story, group: LinkGroup, act: LinkAct, gate: Gate, *, notice: str = "", status: int = 200) -> Response:
    asked = {"title": _QUESTIONS[act].question, "act": act, "notice": notice, **_QUESTIONS[act]._asdict()}
    return page("link_ask.html", {**asked, "group": _made(shown, gate).group(group)}, status)
