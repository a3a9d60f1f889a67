"""Who would be told of an incident, when and why: a form, and its answer as a timeline."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from fastapi import APIRouter, Request, Response

from alertgate.model import Severity, Source
from alertgate.notify import forecast_words
from alertgate.notify.forecast import Forecast, forecast
from alertgate.notify.render.text import one_line
from alertgate.policy.matchers import Subject
from alertgate.policy.policy import Policy
from alertgate.policy.silences import Judged, Silences
from alertgate.policy.written import show_duration
from alertgate.silence import Silence
from alertgate.store import Connection, device_lists, silences
from alertgate.web.console.fields import Fields
from alertgate.web.console.pages import ConsoleRoute, shown
from alertgate.web.console.viewer import CurrentViewer, Viewer
from alertgate.web.dependencies import CurrentGate, Gate
from alertgate.web.queries import LONGEST_NAME
from alertgate.web.routes.who import LONGEST_EVENT

MOST_DEVICES = 200
"""Devices that are suggested; any other may be typed."""
LONGEST = 300
NOW = "now"
NAMES = ("event", "device", "severity", "source", "at", "on")
FIRST = {"severity": Severity.WARNING, "source": Source.PARTICLE, "at": NOW}

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)


@dataclass(frozen=True, slots=True)
class Step:
    """One message of the timeline."""

    at: datetime
    after: str
    """How long after the incident opened."""
    text: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The answer."""

    opens_at: datetime
    what: str
    where: str
    steps: tuple[Step, ...]
    reminders: str
    nobody: str
    silenced_by: str
    """Who silences it then; empty if nobody does, and nothing is held."""
    silenced_until: datetime | None


@router.api_route("/people/who", methods=["GET", "HEAD"])
async def who(request: Request, gate: CurrentGate, viewer: CurrentViewer) -> Response:
    """Show the form; with an event in the address, also who would be told. What is wrong is said beside its field."""
    given = request.query_params
    is_asked = "event" in given
    fields = Fields(NAMES, {**({} if is_asked else FIRST), **given})
    asked = _asked(fields, gate, viewer) if is_asked else None

    def read(connection: Connection) -> tuple[list[str], list[Silence]]:
        known = device_lists.page(connection, device_lists.WantedDevices(), None, MOST_DEVICES)
        names = [gate.device_names(each.id) or each.id for each in known]
        return names, silences.over_after(connection, viewer.now) if asked else []

    devices, known = await gate.store.read(read)
    values = {
        "values": fields.values,
        "wrong": fields.wrong,
        "devices": sorted({one_line(name, LONGEST_NAME) for name in devices}),
        "severities": list(Severity),
        "sources": list(Source),
        "zone": viewer.times.zone,
        "timeline": await _timeline(gate.directory.policy, *asked, known) if asked else None,
    }
    return shown(request, viewer, "who.html", values, 422 if fields.wrong else 200)


def _asked(fields: Fields, gate: Gate, viewer: Viewer) -> tuple[Subject, datetime] | None:
    """Return what is asked about; None if something is wrong."""
    event = fields.text("event", LONGEST_EVENT)
    device = fields.text("device", LONGEST_NAME)
    severity = fields.choice("severity", Severity) or Severity.WARNING
    source = fields.choice("source", Source) or Source.PARTICLE
    typed = {name: fields.moment(name, viewer.now, viewer.times.zone) for name in ("at", "on")}
    if not event:
        fields.wrong.setdefault("event", "is missing: name an event, as in leak/cellar")
    if typed["on"] and fields.values["at"] not in ("", NOW):
        fields.wrong.setdefault("on", "and a time are both given: leave one of them out")
    if fields.wrong or event is None:
        return None
    subject = Subject(event, severity, source, *gate.device_names.find(device))
    return subject, typed["on"] or typed["at"] or viewer.now


async def _timeline(policy: Policy, subject: Subject, opens_at: datetime, known: list[Silence]) -> Timeline:
    find = partial(forecast, policy, subject, opens_at)
    found = await asyncio.to_thread(find)  # seconds, if a step names a hundred schedules
    return _shown(found, policy, Silences(known).judge(subject, opens_at))


def _shown(found: Forecast, policy: Policy, judged: Judged) -> Timeline:
    subject = found.subject
    device = subject.device_name or subject.device
    silence = judged.silence
    return Timeline(
        opens_at=found.opens_at,
        what=one_line(f"{subject.event}{f' from {device}' if device else ''}, {subject.severity}", LONGEST),
        where=one_line(forecast_words.where(found), LONGEST),
        steps=tuple(
            Step(
                each.at,
                show_duration(each.at - found.opens_at) if each.at > found.opens_at else "at once",
                one_line(forecast_words.line(each), LONGEST),
            )
            for each in found.told
        ),
        reminders=forecast_words.reminders(found, policy),
        nobody="" if found.told else forecast_words.NOBODY if policy.people else forecast_words.NO_PEOPLE,
        silenced_by=one_line(silence.author, LONGEST) if silence else "",
        silenced_until=judged.until,
    )
