"""Taking many incidents at once in the console: the page that asks, and the act on exactly those that it showed."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response

from alertgate.answers import Verdict
from alertgate.errors import Invalid
from alertgate.group.actions import Action
from alertgate.group.portions import PORTION, do_portion
from alertgate.model import Incident, IncidentStatus, Severity
from alertgate.policy.matchers import Subject
from alertgate.policy.silences import Silences
from alertgate.store import Connection, incidents, search, silences
from alertgate.store.search import Sought
from alertgate.web.body import read_body
from alertgate.web.console.act_buttons import ConsoleAct, lasting
from alertgate.web.console.entrance import form, local
from alertgate.web.console.filters import FilterReader
from alertgate.web.console.incident_acts import NO_BUTTON
from alertgate.web.console.many import (
    ACTS,
    LOOKED_AT,
    MOST_KINDS,
    PATH,
    Many,
    Taken,
    choose,
    judge_all,
    kinds,
    label,
    most_in,
    outcome,
    read_seen,
)
from alertgate.web.console.pages import ConsoleRoute, Notice, done, shown
from alertgate.web.console.viewer import CurrentViewer, Viewer
from alertgate.web.dependencies import CurrentGate, Gate
from alertgate.web.portions import do_all

PAGES = ("/", "/incidents")
"""Whose incidents can be taken at once."""
_NOTICES = {ConsoleAct.ACKNOWLEDGE: Notice.ALL_ACKNOWLEDGED, ConsoleAct.SNOOZE: Notice.ALL_SNOOZED}

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)


@router.api_route(PATH, methods=["GET", "HEAD"])
async def ask(request: Request, gate: CurrentGate, viewer: CurrentViewer) -> Response:
    """Ask before the act on all incidents of a page that nobody has. Changes nothing. Raises Invalid."""
    to = request.query_params.get("to", "/")
    many = await _read(to, _sought(to, viewer, gate), viewer, gate)
    return _page(request, viewer, gate, many, to)


@router.post(PATH)
async def press(request: Request, gate: CurrentGate, viewer: CurrentViewer) -> Response:
    """Do an act to those incidents that the page showed and that are still so. Doing it twice is once.

    What it wasn't done to, and what came since, is asked about. Raises Invalid.
    """
    fields = form(await read_body(request, gate))
    (act, seen), to = _pressed(fields), fields.get("to", "/")
    sought = _sought(to, viewer, gate)
    taken = await do_all(gate, partial(_do, act=act, seen=seen, viewer=viewer, gate=gate)) or Taken({})
    left = await _read(to, sought, viewer, gate)
    if notice := outcome(act, taken, seen, left, was_all=fields.get("all") == "yes"):
        status = 409 if taken.verdicts.get(Verdict.CHANGED) else 200
        return _page(request, viewer, gate, left, to, notice=notice, status=status)
    return done(to, _NOTICES[act])


def _do(
    connection: Connection,
    beyond: str,
    *,
    act: ConsoleAct,
    seen: Mapping[str, frozenset[str]],
    viewer: Viewer,
    gate: Gate,
) -> Taken:
    """Do the act to those incidents of one portion that are as the page showed them."""
    rest = sorted(each for each in seen if each > beyond)
    some = rest[:PORTION]
    verdicts = judge_all(
        act, incidents.by_id(connection, some), {each: seen[each] for each in some}, viewer.by, viewer.now
    )
    actions = [
        Action(each, viewer.by, viewer.credential, viewer.now, lasting(act, ""))
        for each, judged in verdicts.items()
        if judged.is_to_do
    ]
    do = gate.actions.snooze if act is ConsoleAct.SNOOZE else gate.actions.acknowledge
    did = do_portion(connection, do, actions, gate.actions, is_whole=len(seen) <= PORTION)
    numbers = Counter(judged.verdict for judged in verdicts.values())
    return Taken(numbers, did, some[-1] if len(rest) > PORTION else None)


def _pressed(fields: Mapping[str, str]) -> tuple[ConsoleAct, dict[str, frozenset[str]]]:
    """Return what a form asks for, and what its page showed. Raises Invalid for what no button says."""
    act = fields.get("act", "")
    if act not in ACTS:
        raise Invalid(f"{NO_BUTTON}.")
    try:
        return ConsoleAct(act), read_seen(fields.get("seen", ""))
    except ValueError:
        raise Invalid(f"{NO_BUTTON}: open the page again.") from None


def _sought(to: str, viewer: Viewer, gate: Gate) -> Sought | None:
    """Return what the page that led here looks for; None if it shows nothing that can be taken. Raises Invalid.

    What can't be read must not mean all there is.
    """
    path, _, query = to.partition("?")
    if path not in PAGES or local(to) != to:
        raise Invalid("No page of the console leads here like that, so nothing was done. Open the list again.")
    pairs = parse_qsl(query) if path == "/incidents" else []
    filters = FilterReader(pairs, viewer.times, gate.device_names).read(IncidentStatus)
    if filters.problems:
        raise Invalid("The list's filters can't be used, so nothing was done. Open the list again.", filters.problems)
    if filters.sought.status not in (None, IncidentStatus.OPEN):
        return None
    return replace(filters.sought, status=IncidentStatus.OPEN)


def silenced_by(connection: Connection, gate: Gate, now: datetime) -> Callable[[Incident], bool]:
    """Return what tells whether a silence holds an incident now."""
    known = Silences(tuple(silences.over_after(connection, now)))

    def is_silenced(incident: Incident) -> bool:
        return known.judge(Subject.of(incident, gate.device_names(incident.device)), now).until is not None

    return is_silenced


async def _read(to: str, sought: Sought | None, viewer: Viewer, gate: Gate) -> Many:
    """Return what can be taken of what a page looks for."""
    if sought is None:
        return Many()
    most = most_in(gate.settings.max_body_bytes, to)

    def find(connection: Connection) -> Many:
        found = search.find_incidents(connection, sought, None, LOOKED_AT)
        is_silenced = silenced_by(connection, gate, viewer.now)
        return choose(found.items, is_silenced, most, goes_on=found.older is not None)

    return await (gate.store.search if sought.text else gate.store.read)(find)


def _page(
    request: Request,
    viewer: Viewer,
    gate: Gate,
    many: Many,
    to: str,
    *,
    notice: str = "",
    status: int = 200,
) -> Response:
    """Show what an act would take, with its buttons, or that there is nothing to take."""
    number = len(many.incidents)
    of_kinds = kinds(many.incidents, gate.device_names)
    values = {
        "notice": notice,
        "notice_color": "",
        "many": many,
        "number": number,
        "critical": len([each for each in many.incidents if each.severity is Severity.CRITICAL]),
        "label": label(number, is_all=many.is_all),
        "kinds": of_kinds[:MOST_KINDS],
        "more_kinds": max(len(of_kinds) - MOST_KINDS, 0),
        "color": many.incidents[0].severity if many.incidents else "",
        "others_hear": gate.directory.policy.has_people,
        "to": to,
    }
    return shown(request, viewer, "many_ask.html", values, status)
