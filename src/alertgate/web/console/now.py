"""What is going on: the console's first page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request, Response

from alertgate.accept.channel_trouble import CAUSES as CHANNEL_CAUSES
from alertgate.addresses import mask
from alertgate.device import DeviceState
from alertgate.errors import StoreError
from alertgate.model import ChannelName, Source
from alertgate.notify.channels.outbox import NOBODY
from alertgate.policy.policy import Policy
from alertgate.policy.schedules import on_call
from alertgate.prove.cause_words import CAUSES
from alertgate.prove.going_on import Open, read_open
from alertgate.prove.health import OK
from alertgate.store import Connection, counts, device_lists
from alertgate.store.counts import HourCount
from alertgate.web.console.channel_view import state_word
from alertgate.web.console.excerpts import first_names
from alertgate.web.console.incident_acts import cards
from alertgate.web.console.many import offer
from alertgate.web.console.pages import ConsoleRoute, shown
from alertgate.web.console.strip import MOST, begins_at, strip
from alertgate.web.console.verdict import Facts, Known, judge
from alertgate.web.console.viewer import CurrentViewer
from alertgate.web.dependencies import CurrentGate, Gate
from alertgate.web.routes.ops import limits_near, policy_problems

MOST_SHOWN = 25
"""Incidents; the others are counted."""
MOST_NAMES = 8
_WEBHOOKS = {Source.PARTICLE: "Particle's webhook", Source.GENERIC: "the generic webhook"}

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)


@dataclass(frozen=True, slots=True)
class Read:
    """What one transaction has read."""

    open: Open
    silent: int
    heard: tuple[Source, datetime] | None
    by_hour: Sequence[HourCount]


@router.api_route("/", methods=["GET", "HEAD"])
async def now(request: Request, gate: CurrentGate, viewer: CurrentViewer) -> Response:
    """Show whether all is well, and what is going on. What can't be known is said, and nothing hidden for it."""
    health = await gate.health.ready()
    since = begins_at(viewer.times)

    def read(connection: Connection) -> Read:
        return Read(
            read_open(connection, viewer.now, MOST_SHOWN, gate.device_names),
            device_lists.numbers(connection).get(DeviceState.SILENT, 0),
            counts.last_webhook(connection),
            counts.alerts_by_hour(connection, since, MOST),
        )

    try:
        found = await gate.store.read(read)
    except StoreError:
        found = None
    shown_cards = cards(found.open.shown, viewer, gate).all("/") if found else []
    said = judge(_facts(gate, health["store"], health["delivery"], found), viewer.now)
    values = {
        "said": said,
        "on_call": on_call_now(gate.directory.policy, viewer.now),
        "channels": channels_now(gate),
        "heard": (_WEBHOOKS[found.heard[0]], found.heard[1]) if found and found.heard else None,
        "audited_at": gate.auditor.latest.at if gate.auditor.latest else None,
        "known": found is not None,
        "cards": shown_cards,
        "offer": offer(found.open.untaken, "/") if found else None,
        "number": found.open.number if found else 0,
        "more": max(found.open.number - len(shown_cards), 0) if found else 0,
        "strip": strip(found.by_hour, viewer.times) if found else None,
    }
    return shown(request, viewer, "now.html", values)


def _facts(gate: Gate, stored: str, delivery: str, found: Read | None) -> Facts:
    outstanding = gate.failures.latest
    return Facts(
        stored="" if stored == OK else stored,
        delivery="" if delivery == OK else delivery,
        can_tell=any(channel is not ChannelName.OUTBOX for channel, _ in gate.directory.targets),
        unsent=gate.directory.unsent,
        paused=_paused(gate),
        limits=limits_near(gate),
        policy=policy_problems(gate),
        own=gate.own_alerts.degraded(),
        failures=outstanding.say() if outstanding else None,
        audit=gate.auditor.latest,
        known=_known(found) if found else None,
    )


def _paused(gate: Gate) -> list[str]:
    """Return a line for each channel that can't send now, with why in words."""
    paused = {name: state.reason for name, state in gate.deliverer.states.items() if not state.up}
    causes = {name: CHANNEL_CAUSES.get(reason) if reason else None for name, reason in paused.items()}
    whys = {name: CAUSES[cause].why if cause else paused[name] for name, cause in causes.items()}
    return [f"channel {name} is paused: {why}" for name, why in whys.items()]


def _known(found: Read) -> Known:
    going_on = found.open
    return Known(
        going_on.number, going_on.untaken, going_on.worst, found.silent, found.heard, silenced=going_on.silenced
    )


def channels_now(gate: Gate) -> list[tuple[str, str]]:
    """Return the channels by which somebody is told, each with how it is doing."""
    used = sorted({channel for channel, _ in gate.directory.targets})
    return [(name, state_word(name, gate.deliverer.states.get(name))) for name in used]


def on_call_now(policy: Policy, at: datetime) -> list[tuple[str, str]]:
    """Return who is on call by each schedule of the policy; without schedules, whoever is told."""
    if policy.schedules:
        return [(name, first_names(on_call(each, at).who, MOST_NAMES)) for name, each in policy.schedules.items()]
    if not set(policy.people) - {NOBODY}:
        return [("", "nobody: there are no recipients")]
    if not policy.has_people:
        return [("", f"everyone: {first_names([mask(name) for name in policy.people], MOST_NAMES)}")]
    return [("", f"everyone: {first_names(list(policy.people), MOST_NAMES)}")]
