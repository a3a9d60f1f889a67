"""Signing in by a link to one's own contact: no password to forget, and the session knows who acts."""

import asyncio
import secrets
from collections.abc import Iterator
from datetime import datetime
from functools import partial

import structlog
from fastapi import APIRouter, Request, Response
from starlette.background import BackgroundTask

from alertgate.addresses import mask
from alertgate.credential import Credential
from alertgate.errors import NotFound, RateLimited, StoreError, SwitchedOff
from alertgate.local_time import zone_name
from alertgate.model import Severity, Target
from alertgate.notify.budget import Budget, daily_limits, limit_of
from alertgate.notify.channels.base import SEND_TIMEOUT, Channel, Sent
from alertgate.notify.channels.registry import advice
from alertgate.notify.gateways import is_text_message
from alertgate.notify.sign_in_message import is_of_one_person, message
from alertgate.policy.people import Person
from alertgate.session import LASTS, LINK_LASTS, SignIn, fingerprint
from alertgate.store import sessions
from alertgate.web.console.entrance import GONE, PLAIN_HTTP, Entrant, begin, form_of_stranger
from alertgate.web.console.pages import ConsoleRoute, Notice, done, plain
from alertgate.web.console.viewer import cookie_name
from alertgate.web.dependencies import CurrentGate, Gate, client_address
from alertgate.web.guards import Guard

TOKEN_BYTES = 16
"""128 bits, which nobody guesses in ten minutes; more would leave a text message no room."""
NO_ROOM = frozenset({Budget.RESERVE, Budget.EXHAUSTED})

Reached = tuple[Channel, Target]

log = structlog.stdlib.get_logger("alertgate.console")
router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)


@router.post("/sign-in-link")
async def ask(request: Request, gate: CurrentGate) -> Response:
    """Send a link to whom the form names, if anybody. The answer is the same, and comes before that is looked at.

    Raises SwitchedOff, Forbidden, Invalid, RateLimited.
    """
    fields = await form_of_stranger(request, gate)
    if gate.settings.public_url is None:
        raise SwitchedOff("This is switched off, because PUBLIC_URL isn't set. Set it and restart alertgate.")
    gate.limits.count_asker(client_address(request))
    answer = done("/sign-in", Notice.LINK_ASKED)
    answer.background = BackgroundTask(send, gate, fields.get("person", ""))
    return answer


@router.api_route("/sign-in/{token}", methods=["GET", "HEAD"])
async def show(token: str, request: Request, gate: CurrentGate) -> Response:
    """Show the button that uses a link: programs that look at mails open links. Raises NotFound, RateLimited."""
    link = await _find(token, request, gate)
    person = gate.directory.policy.people[link.person]
    local = link.ends_at.astimezone(person.zone)
    values = {
        "person": person.shown,
        "until": f"{local:%H:%M} {zone_name(local)}",
        "days": LASTS.days,
        "plain_http": PLAIN_HTTP if cookie_name(request) is None else "",
    }
    return plain("sign_in_link.html", values, more={"Referrer-Policy": "strict-origin"})  # without the path's token


@router.post("/sign-in/{token}")
async def use(token: str, request: Request, gate: CurrentGate) -> Response:
    """Use a link up, and begin the session of its person. Raises Forbidden, NotFound, RateLimited, Invalid."""
    fields = await form_of_stranger(request, gate)
    link = await _find(token, request, gate)
    who = Entrant(gate.directory.policy.people[link.person].shown, link.person, Credential.CONSOLE)
    claim = partial(sessions.use_up, link_id=link.id)
    return await begin(request, gate, who, fields.get("zone", ""), claim=claim)


async def _find(token: str, request: Request, gate: Gate) -> SignIn:
    """Return a link that counts, and count one that leads nowhere. Raises NotFound, RateLimited."""
    hash_, now = fingerprint(token), gate.clock.now()
    link = await gate.store.read(lambda connection: sessions.find_link(connection, hash_, now))
    if link and link.person in gate.directory.policy.people:
        return link
    gate.metrics.auth_failed(Guard.CONSOLE)
    gate.limits.count_failed_sign_in(client_address(request))
    raise NotFound(GONE)


async def send(gate: Gate, asked: str) -> None:
    """Send a link to each contact that is a person's own, if somebody is called so and has links left."""
    person = _person(gate, asked)
    if person is None:
        return
    try:
        gate.limits.count_sign_in_link(person.name)
    except RateLimited:
        return  # the metrics count it; a line for each would let strangers fill the log
    contacts = _wake_nobody(list(_contacts(gate, person)), person, gate.clock.now())
    if not contacts:
        log.warning("console.link_not_sent", person=person.shown, detail=NO_CONTACT)
        return
    try:
        url = await _new_link(gate, person)
    except StoreError as error:
        log.warning("console.link_not_sent", person=person.shown, detail=f"it can't be stored: {error}")
        return
    await asyncio.gather(*(_send(gate, person, url, channel, target) for channel, target in contacts))


NO_CONTACT = (
    "this person has no contact that is theirs alone on a channel that works now: mail, text message, ntfy, Pushover, "
    "or a chat with one person in Telegram"
)


def _person(gate: Gate, asked: str) -> Person | None:
    wanted = asked.strip().casefold()
    return next((each for each in gate.directory.policy.people.values() if each.name.casefold() == wanted), None)


def _contacts(gate: Gate, person: Person) -> Iterator[Reached]:
    """Yield a person's own contacts, with their channels that work."""
    states = gate.deliverer.states
    channels = {channel.name: channel for channel in gate.channels if states[channel.name].up}
    for target in filter(None, map(gate.directory.target, person.contacts)):
        alone = gate.directory.people(target) == (person,)
        if alone and is_of_one_person(target) and target[0] in channels:
            yield channels[target[0]], target


def _wake_nobody(contacts: list[Reached], person: Person, at: datetime) -> list[Reached]:
    """Return the contacts that make no sound in quiet hours, if there are any: a stranger may have asked."""
    if not person.quiet_until(at, Severity.INFO):
        return contacts
    return [each for each in contacts if not is_text_message(*each[1])] or contacts


async def _new_link(gate: Gate, person: Person) -> str:
    token, now = secrets.token_urlsafe(TOKEN_BYTES), gate.clock.now()
    link = SignIn(gate.new_id(now), fingerprint(token), person.name, now, now + LINK_LASTS)
    await gate.store.write(lambda connection: sessions.add_link(connection, link))
    return f"{gate.settings.public_url}/sign-in/{token}"


async def _send(gate: Gate, person: Person, url: str, channel: Channel, target: Target) -> None:
    """Send a link to one contact; what its account keeps for alerts isn't touched."""
    limit = limit_of(channel.name, daily_limits(gate.settings))
    shown = {"person": person.shown, "channel": channel.name, "to": mask(target[1])}
    try:
        gate.limits.count_link_message(limit.account)
    except RateLimited as limited:
        log.warning("console.link_not_sent", **shown, detail=str(limited))
        return
    if limit.limit and gate.deliverer.budgets.get(limit.account) in NO_ROOM:
        log.warning("console.link_not_sent", **shown, detail=f"what is left of {limit.setting} is kept for alerts")
        return
    now = gate.clock.now().astimezone(person.zone)
    domain = gate.settings.mail_from.rpartition("@")[2]
    sent = message(target, person.name, url, gate.new_id(now), domain, now)
    outcome = await channel.send(sent, asyncio.get_running_loop().time() + SEND_TIMEOUT)
    if isinstance(outcome, Sent):
        log.info("console.link_sent", **shown)
    else:
        # Without the server's own words, which may repeat the link.
        detail = f"{outcome.reason}: {advice(gate.settings, channel.name, outcome)}"
        log.warning("console.link_not_sent", **shown, detail=detail)
