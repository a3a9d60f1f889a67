"""What people do about an incident in the console: the buttons of its cards, and the pages that ask first.

POST acts if the incident is still as the page showed it, and leads back to that page; GET asks, and changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from alertgate.answers import Verdict
from alertgate.errors import Conflict, Invalid, NotFound
from alertgate.group.actions import Action, Applied
from alertgate.group.silencing import SilenceResult
from alertgate.group.transitions import Transition, TransitionResult
from alertgate.model import Incident, IncidentStatus
from alertgate.notify.render.text import one_line
from alertgate.prove.going_on import GoingOn, read_one
from alertgate.silence import Silence
from alertgate.store import Connection, incidents
from alertgate.web.acts import log_act
from alertgate.web.body import read_body
from alertgate.web.console.act_buttons import ASKED_FIRST, HOURS, ConsoleAct, called, judge, lasting
from alertgate.web.console.cards import Cards
from alertgate.web.console.entrance import form, local
from alertgate.web.console.pages import HEADERS, ConsoleRoute, Notice, done, shown
from alertgate.web.console.viewer import CurrentViewer, Viewer
from alertgate.web.dependencies import CurrentGate, Gate
from alertgate.web.link_page import held

CHANGED = (
    "It changed after the page was loaded, so nothing was done. This is how it stands now; press again if you still "
    "mean it."
)

NO_BUTTON = "No button of the console says that, so nothing was done"
PATH = "/incidents/{incident_id}/acts"
router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)


class Question(NamedTuple):
    """What a page asks before an act, and what follows from it."""

    question: str
    consequence: str
    answers: tuple[tuple[int, str], ...]
    """Hours, and what the button says."""


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button that somebody pressed, and on which page."""

    act: ConsoleAct
    fields: Mapping[str, str]

    @property
    def to(self) -> str:
        """Where to go back to."""
        return local(self.fields.get("to", "/"))

    @property
    def shown(self) -> frozenset[str]:
        """What the page showed."""
        return frozenset(self.fields.get("seen", "").split())


class Done(NamedTuple):
    """What became of a button, and what it did."""

    verdict: Verdict
    incident: Incident
    """As it is afterwards."""
    applied: Applied | None = None


@router.api_route(PATH, methods=["GET", "HEAD"])
async def ask(incident_id: UUID, request: Request, gate: CurrentGate, viewer: CurrentViewer) -> Response:
    """Ask before an act that tells others something, or for how long it is to last. Raises NotFound, Invalid.

    Who comes back to where a button was sent is led to the incident.
    """
    if "act" not in request.query_params:
        return RedirectResponse(f"/incidents/{incident_id}", 303, dict(HEADERS))
    pressed = _pressed(request.query_params)
    return _page(request, viewer, gate, await _read(str(incident_id), viewer, gate), pressed)


@router.post(PATH)
async def press(incident_id: UUID, request: Request, gate: CurrentGate, viewer: CurrentViewer) -> Response:
    """Do what a button says, if the incident is still as its page showed it. Doing it twice is once.

    Raises NotFound, Conflict, Invalid.
    """
    pressed = _pressed(form(await read_body(request, gate)))
    action = _action(str(incident_id), pressed, viewer)
    found = await gate.store.write(partial(_do, pressed=pressed, action=action, gate=gate))
    if found is None:
        raise _missing(incident_id)
    if found.verdict is Verdict.CHANGED:
        now_so = await _read(str(incident_id), viewer, gate)
        return _page(request, viewer, gate, now_so, pressed, notice=CHANGED, status=409)
    if found.applied:
        await _tell(action, found.applied, gate)
    if found.verdict is Verdict.REFUSED and found.applied:
        raise Conflict(f"Nothing was done: {found.applied.transition.reason}.")
    return done(pressed.to, _notice(found, pressed.act, viewer))


def _do(connection: Connection, pressed: Pressed, action: Action, gate: Gate) -> Done | None:
    """Judge a button and do what it says, in one transaction; None if there is no such incident."""
    incident = incidents.get(connection, action.incident_id)
    if incident is None:
        return None
    until = action.now + action.lasting if action.lasting else None
    verdict = judge(pressed.act, incident, pressed.shown, action.by, until)
    if verdict is not Verdict.DONE:
        return Done(verdict, incident)
    applied = _apply(connection, pressed, action, gate)
    if applied is None:
        return None
    return Done(_VERDICTS[applied.transition.result], applied.transition.incident, applied)


_VERDICTS = MappingProxyType(
    {
        TransitionResult.CHANGED: Verdict.DONE,
        TransitionResult.ALREADY: Verdict.ALREADY,
        TransitionResult.REFUSED: Verdict.REFUSED,
    }
)


def _apply(connection: Connection, pressed: Pressed, action: Action, gate: Gate) -> Applied | None:
    match pressed.act:
        case ConsoleAct.ACKNOWLEDGE:
            return gate.actions.acknowledge(connection, action)
        case ConsoleAct.SNOOZE | ConsoleAct.SNOOZE_LONGER:
            return gate.actions.snooze(connection, action)
        case ConsoleAct.RESOLVE:
            return gate.actions.resolve(connection, action)
        case ConsoleAct.HAND_BACK:
            return gate.actions.hand_back(connection, action)
        case ConsoleAct.SILENCE:
            return gate.silencer.silence_device(connection, action)
        case ConsoleAct.UNSILENCE:
            return _unsilence(connection, pressed.fields.get("silence", ""), action, gate)


def _unsilence(connection: Connection, silence_id: str, action: Action, gate: Gate) -> Applied | None:
    """End one silence, which the page named; None if there is no such silence."""
    incident = incidents.get(connection, action.incident_id)
    ended = gate.silencer.end(connection, silence_id, action.by, action.credential, action.now)
    if incident is None or ended is None or ended.silence is None:
        return None
    if ended.result is not SilenceResult.ENDED:
        return Applied(Transition(TransitionResult.ALREADY, incident, "the silence was over already"))
    changed = Transition(TransitionResult.CHANGED, incident, f"a silence was ended by {action.by}")
    return Applied(changed, ended=(ended.silence,))


async def _tell(action: Action, applied: Applied, gate: Gate) -> None:
    """Log an act, and send what it made due."""
    log_act(action, applied)
    if applied.ended:
        await gate.escalations.run()
    if applied.due or applied.ended:
        gate.deliverer.wake()


def _notice(found: Done, act: ConsoleAct, viewer: Viewer) -> Notice:
    """Return what the page says then. Who pressed twice reads the same twice."""
    incident = found.incident
    if found.verdict is Verdict.OVER:
        mine = act is ConsoleAct.RESOLVE and incident.resolved_by == viewer.by
        return Notice.RESOLVED if mine else Notice.OVER_BEFORE
    if found.verdict is not Verdict.ALREADY:
        return _NOTICES[act]
    if act is ConsoleAct.HAND_BACK:
        return Notice.HANDED_BACK if incident.handed_back_by == viewer.by else Notice.NOBODY_HAS_IT
    if act in (ConsoleAct.SILENCE, ConsoleAct.UNSILENCE):
        return Notice.SILENCED_BEFORE
    return _NOTICES[act] if incident.acknowledged_by == viewer.by else Notice.HAD_BEFORE


_NOTICES = MappingProxyType(
    {
        ConsoleAct.ACKNOWLEDGE: Notice.ACKNOWLEDGED,
        ConsoleAct.SNOOZE: Notice.SNOOZED,
        ConsoleAct.SNOOZE_LONGER: Notice.SNOOZED,
        ConsoleAct.RESOLVE: Notice.RESOLVED,
        ConsoleAct.SILENCE: Notice.SILENCED,
        ConsoleAct.UNSILENCE: Notice.UNSILENCED,
        ConsoleAct.HAND_BACK: Notice.HANDED_BACK,
    }
)


def _pressed(fields: Mapping[str, str]) -> Pressed:
    """Return what an address or a form asks for. Raises Invalid for what no button says."""
    act = fields.get("act", "")
    if act not in set(ConsoleAct):
        raise Invalid(f"{NO_BUTTON}.")
    return Pressed(ConsoleAct(act), fields)


def _action(incident_id: str, pressed: Pressed, viewer: Viewer) -> Action:
    """Return what is to be done, by whom. Raises Invalid for what no button says."""
    try:
        lasts = lasting(pressed.act, pressed.fields.get("hours", ""))
    except ValueError as error:
        raise Invalid(f"{NO_BUTTON}: {error}.") from None
    return Action(incident_id, viewer.by, viewer.credential, viewer.now, lasts)


async def _read(incident_id: str, viewer: Viewer, gate: Gate) -> GoingOn:
    found = await gate.store.read(partial(read_one, incident_id=incident_id, now=viewer.now))
    if found is None:
        raise _missing(incident_id)
    return found


def cards(read: GoingOn, viewer: Viewer, gate: Gate) -> Cards:
    """Return what makes the cards of what was read."""
    paused = [name for name, each in gate.deliverer.states.items() if not each.up]
    return Cards(
        read, gate.directory.policy, gate.device_names, viewer.times, paused, unreached=gate.directory.unreached
    )


def _page(
    request: Request,
    viewer: Viewer,
    gate: Gate,
    read: GoingOn,
    pressed: Pressed,
    *,
    notice: str = "",
    status: int = 200,
) -> Response:
    """Show an incident as it stands, with the question of an act if that can still be done."""
    [incident] = read.incidents
    silence = next((each for each in read.silences if each.id == pressed.fields.get("silence")), None)
    asked = question(pressed.act, incident, silence, viewer) if pressed.act in ASKED_FIRST or silence else None
    is_over = incident.status is IncidentStatus.RESOLVED and silence is None
    values = {
        "title": asked.question if asked and not is_over else called(incident, gate.device_names(incident.device)),
        "notice": notice,
        "card": cards(read, viewer, gate).card(incident, pressed.to),
        "asked": None if is_over else asked,
        "act": pressed.act,
        "silence": silence.id if silence else "",
        "to": pressed.to,
    }
    return shown(request, viewer, "incident_ask.html", values, status)


_SNOOZED = "Nobody is told meanwhile, unless it gets worse or begins again."
_HEARD = "What is still open at the end is told then. The others who were told hear who silenced it."


def question(act: ConsoleAct, incident: Incident, silence: Silence | None, viewer: Viewer) -> Question | None:
    """Return what is asked before an act, or None."""
    match act:
        case ConsoleAct.SNOOZE_LONGER:
            said = f"{_SNOOZED} If it isn't over by then, everything starts anew."
            return Question("Snooze it for how long?", said, _answers(act, "Snooze it for {} h"))
        case ConsoleAct.RESOLVE:
            said = "Everybody who was told hears that it is over. If another alert comes, everything starts anew."
            return Question("Is it over?", said, ((0, "Yes, it's over"),))
        case ConsoleAct.HAND_BACK if incident.status is IncidentStatus.ACKNOWLEDGED:
            said = "Nobody would have it any more. Everybody is asked again, as at the beginning."
            return Question("Hand it back?", said, ((0, "Yes, hand it back"),))
        case ConsoleAct.SILENCE:
            said = f"{held(incident)} {_HEARD}"
            return Question("Silence this device?", said, _answers(act, "Silence it for {} h"))
        case ConsoleAct.UNSILENCE if silence:
            return Question("End this silence?", _released(silence, viewer), ((0, "Yes, end it"),))
    return None


def _answers(act: ConsoleAct, label: str) -> tuple[tuple[int, str], ...]:
    return tuple((hours, label.format(hours)) for hours in HOURS[act])


def _released(silence: Silence, viewer: Viewer) -> str:
    """Return what a silence holds, beyond the incident on whose card it stands."""
    globs = {"event": silence.event, "device": silence.device, "source": silence.source}
    what = " and ".join(f"{name} {one_line(glob, 60)}" for name, glob in globs.items() if glob)
    by, until = one_line(silence.author, 60), viewer.times.minute(silence.ends_at)
    return f"{by} silenced all with {what} until {until}. That ends for all of it, and what was held is told now."


def _missing(incident_id: object) -> NotFound:
    return NotFound(f"There is no incident {incident_id}; it was never stored, or retention deleted it.")
