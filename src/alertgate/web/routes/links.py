"""The pages behind the links of messages: GET shows and changes nothing, POST acts.

Whoever holds a link may use it, so nothing but the token says who asks: no login, no cookie, no script. All that isn't
a link that works is answered alike.
"""

from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qs, urlencode

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from alertgate.answers import WORDS, Verdict
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
    affected,
    group_of,
)
from alertgate.links import fingerprint, is_like_a_token
from alertgate.prove.linked import Story, story
from alertgate.store import Connection
from alertgate.web.body import read_body
from alertgate.web.convertors import ANYTHING
from alertgate.web.dependencies import CurrentGate, Gate, client_address
from alertgate.web.link_page import LinkPage, held
from alertgate.web.middleware import LET_IN
from alertgate.web.pages import ROBOTS, page
from alertgate.web.portions import do_all
from alertgate.web.problems import describe

MOST_FIELDS = 10
"""Fields of a form; ours have four."""
GONE = (
    "It leads nowhere any more: it may be cut off, be too old, or be made with a key that was changed since. If "
    "something is going on, the newest message about it has a link that works."
)


_TITLES = MappingProxyType({404: "This link leads nowhere", 409: "Nothing was done", 422: "Nothing was done"})
"""What the pages of some errors say first: what it means, and not what it is called."""


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
                shown = {**problem, "title": _TITLES.get(problem["status"], problem["title"])}
                return page("link_refused.html", shown, problem["status"], headers)

        return handle_for_people


_Found = TypeVar("_Found")
router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.api_route(f"/a/{{token:{ANYTHING}}}", methods=["GET", "HEAD"])
async def show(token: str, request: Request, gate: CurrentGate) -> Response:
    """Show what a link is about, or ask before an act that tells others something. Changes nothing."""
    await _let_in(token, request, gate)

    def shown(connection: Connection) -> Response | None:
        found = _story(connection, token, gate)
        return _asked(found, request.query_params, gate) if found else None

    return _require(await gate.store.read(shown), request)


def _asked(shown: Story, asked: Mapping[str, str], gate: Gate) -> Response:
    """Return what a query asks for: a question, what an act has done if that still is so, or how things stand."""
    group = group_of(shown.linked, asked.get("group", ""))
    if group is None:
        return _page(shown, gate)
    act = _act(asked.get("ask", ""))
    if act in ASKED_FIRST and act in gate.link_actions.offered(group):
        return _ask(shown, group, act, gate)
    done = _act(asked.get("did", ""))
    verdict = asked.get("was", "")
    if done and asked.get("stands") == group.standing(f"{done} {verdict}"):
        return _page(shown, gate, notice=_said(done, verdict, group), done=True)
    return _page(shown, gate)


@router.post(f"/a/{{token:{ANYTHING}}}")
async def press(token: str, request: Request, gate: CurrentGate) -> Response:
    """Do what a button of the page says, if what it is about is still as the page showed it. Doing it twice is once.

    What was done is shown by GET, so that a page that is loaded again does nothing.
    """
    structlog.contextvars.bind_contextvars(notification_id=await _let_in(token, request, gate))
    pressed = _pressed(await read_body(request, gate), gate)
    outcome = await _do(token, pressed, request, gate)

    def answered(connection: Connection) -> Response | None:
        found = _story(connection, token, gate)
        return _answer(outcome, pressed, found, gate) if found else None

    return _require(await gate.store.read(answered), request)


async def _do(token: str, pressed: Pressed, request: Request, gate: Gate) -> Outcome:
    """Do an act, in as many transactions as it has portions, and send what it made due."""
    now = gate.clock.now()

    def act(connection: Connection, beyond: str) -> Outcome | None:
        linked = gate.link_actions.find(connection, token, now)
        return gate.link_actions.press(connection, linked, pressed, now, beyond) if linked else None

    return _require(await do_all(gate, act), request)


def _answer(outcome: Outcome, pressed: Pressed, shown: Story, gate: Gate) -> Response:
    """Return where the page says what was done, or, if nothing was, the page with the question once more."""
    if outcome.verdict is Verdict.REFUSED:
        _, refused = outcome.done[0]
        return _page(shown, gate, notice=f"Nothing was done: {refused.transition.reason}.", status=409)
    group = group_of(shown.linked, pressed.group)
    if outcome.verdict is not Verdict.CHANGED and group:
        did = {
            "did": pressed.act,
            "was": outcome.verdict,
            "group": group.id,
            "stands": group.standing(f"{pressed.act} {outcome.verdict}"),
        }
        return RedirectResponse(f"?{urlencode(did)}", 303, {"X-Robots-Tag": ROBOTS})
    notice = AGAIN_PARTLY if outcome.done else AGAIN
    if group and pressed.act in ASKED_FIRST and pressed.act in gate.link_actions.offered(group):
        return _ask(shown, group, pressed.act, gate, notice=notice, status=409)
    return _page(shown, gate, notice=notice, status=409)


AGAIN = "It changed after this page was loaded, so nothing was done. Look again; press again if you still mean it."
AGAIN_PARTLY = (
    "Some of it changed meanwhile, so this wasn't done to all of it. Look again; press again if you still mean it."
)
_DONE = MappingProxyType(
    {
        LinkAct.ACKNOWLEDGE: "You have it. Nobody is told any more, unless it gets worse or begins again.",
        LinkAct.SNOOZE: "You have it for an hour. If it isn't over by then, everything starts anew.",
        LinkAct.RESOLVE: "It is over. Everybody who was told hears that.",
        LinkAct.SILENCE: "The device is silenced. What is open at the end of that is told then.",
        LinkAct.UNSILENCE: "The device isn't silenced any more. What was held is told now.",
        LinkAct.HAND_BACK: "Nobody has it any more. Everybody is asked again, as at the beginning.",
    }
)
_NOT_NEEDED: Mapping[str, str] = MappingProxyType(
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
            "What is still open at the end is told then. The others who were told hear who silenced it.",
            tuple((hours, f"Silence it for {hours} h") for hours in SILENCES),
        ),
        LinkAct.HAND_BACK: _Question(
            "Hand it back?",
            "Nobody would have it any more. Everybody is asked again, as at the beginning.",
            ((0, "Yes, hand it back"),),
        ),
    }
)


async def _let_in(token: str, request: Request, gate: Gate) -> str:
    """Return the id of the notification whose link this is, and count the request. Raises NotFound and RateLimited.

    By address only what leads nowhere is counted, so that a stranger keeps nobody out.
    """
    found = None
    if is_like_a_token(token):
        found = await gate.store.read(lambda connection: gate.link_actions.notification(connection, token))
    if found is None:
        gate.limits.count_wrong_link(client_address(request))
        raise NotFound(GONE)
    gate.limits.count_link(fingerprint(token))
    return found.id


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


def _said(done: LinkAct, verdict: str, group: LinkGroup) -> str:
    """Return what a page says of an act: nothing reads as snoozed that somebody has for good."""
    if verdict == Verdict.ALREADY and done is LinkAct.SNOOZE and not all(each.is_snoozed for each in group.going_on):
        return WORDS[Verdict.ALREADY]
    return _NOT_NEEDED.get(verdict) or _DONE[done]


def _made(shown: Story, gate: Gate) -> LinkPage:
    zone = gate.directory.policy.readers_zone
    return LinkPage(shown, gate.link_actions.offered, gate.device_names, zone, gate.clock.now())


def _page(shown: Story, gate: Gate, *, notice: str = "", done: bool = False, status: int = 200) -> Response:
    return page("link.html", {**_made(shown, gate).view(), "notice": notice, "done": done}, status)


def _ask(shown: Story, group: LinkGroup, act: LinkAct, gate: Gate, *, notice: str = "", status: int = 200) -> Response:
    asked = {"title": _QUESTIONS[act].question, "act": act, "notice": notice, **_QUESTIONS[act]._asdict()}
    if act is LinkAct.SILENCE:
        [worst] = affected(group, LinkAct.SILENCE)
        asked["consequence"] = f"{held(worst)} {_QUESTIONS[act].consequence}"
    view = _made(shown, gate).group(group)
    if act is LinkAct.HAND_BACK and view.quiet:
        asked["consequence"] = f"{_QUESTIONS[act].consequence} But not yet: {view.state[0]}"
    return page("link_ask.html", {**asked, "group": view}, status)
