"""People: who can be told now, what proves that their contacts work, and a test message to each."""

import asyncio
import math
from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from alertgate.errors import Conflict, FieldError, Invalid, RateLimited
from alertgate.model import Target
from alertgate.notify.tester import MOST, Tests
from alertgate.policy.people import Contact, Person
from alertgate.store.last_told import last_told
from alertgate.web.acts import log_tests
from alertgate.web.body import read_body
from alertgate.web.console import people_view
from alertgate.web.console.entrance import form
from alertgate.web.console.pages import ConsoleRoute, Notice, done, shown
from alertgate.web.console.viewer import CurrentOperator, CurrentViewer, Viewer
from alertgate.web.dependencies import CurrentGate, Gate

MOST_PEOPLE = 50
MOST_CONTACTS = 60
"""On one page; a person's are never on two."""
PATH = "/people"

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)

Begin = Annotated[int, Query(alias="from", ge=0, le=100_000)]


@router.api_route(PATH, methods=["GET", "HEAD"])
async def people(request: Request, gate: CurrentGate, viewer: CurrentViewer, begin: Begin = 0) -> Response:
    """Show the people of the policy, or the recipients of the settings."""
    current = gate.policies.current
    policy, known = gate.directory.policy, tuple(gate.directory.policy.people.values())
    end = _end_of_page(known, begin)
    page = list(enumerate(known))[begin:end]
    targets = {target for _, one in page for contact in one.contacts if (target := gate.directory.target(contact))}
    told = await gate.store.read(partial(last_told, targets=sorted(targets)))
    facts = people_view.Facts(policy, viewer.now, gate.directory.target, told, gate.deliverer.states, gate.tester.last)
    values = {
        "cards": await asyncio.to_thread(people_view.cards, page, facts),  # schedules take time where there are many
        "has_people": policy.has_people,
        "total": len(known),
        "digest": current.digest,
        "begin": begin,
        "next": f"{PATH}?from={end}" if end < len(known) else None,
    }
    return shown(request, viewer, "people.html", values)


def _end_of_page(known: Sequence[Person], begin: int) -> int:
    """Return the place after the last person of a page that begins at a place."""
    end, contacts = begin, 0
    while end < min(len(known), begin + MOST_PEOPLE):
        contacts += len(known[end].contacts)
        if end > begin and contacts > MOST_CONTACTS:
            break
        end += 1
    return end


@router.post("/people/test")
async def test(request: Request, gate: CurrentGate, viewer: CurrentOperator) -> Response:
    """Send a test message to a contact, or to all of a person. Raises Forbidden, Invalid, Conflict, RateLimited."""
    given = form(await read_body(request, gate))
    place, contacts = _chosen(gate, given)
    targets = [target for contact in contacts if (target := gate.directory.target(contact))]
    if not targets:
        raise Conflict("Nothing was sent: the secret that holds the address isn't set. Set it and reload the policy.")
    tests = await _sent(gate, viewer, targets)
    answer = done(PATH, _notice(tests), **({"from": given["from"]} if given.get("from", "").isdecimal() else {}))
    answer.headers["Location"] += f"#person-{place}"
    return answer


async def _sent(gate: Gate, viewer: Viewer, targets: list[Target]) -> Tests:
    tests = await gate.tester.test(targets)
    log_tests([each.result for each in tests.sent], viewer.by, viewer.credential)
    if tests.left and not tests.sent:
        wait = math.ceil(tests.wait)
        raise RateLimited(
            f"Nothing was sent: at most {MOST} test messages go out within a minute. Try again in {wait} s.",
            retry_after=wait,
        )
    return tests


def _notice(tests: Tests) -> Notice:
    if tests.left:
        return Notice.TESTED_IN_PART
    if not tests.sent:
        return Notice.TESTED_BEFORE
    return Notice.TESTED if all(each.result.sent for each in tests.sent) else Notice.TEST_FAILED


def _chosen(gate: Gate, given: dict[str, str]) -> tuple[int, tuple[Contact, ...]]:
    """Return the person's place and the contacts that a form names, by the policy that it was made from."""
    if given.get("policy") != gate.policies.current.digest:
        raise Conflict("Nothing was sent: the policy has changed since the page was made. Open the page again.")
    known = tuple(gate.directory.policy.people.values())
    person, contact = given.get("person", ""), given.get("contact", "")
    try:
        contacts = known[_place(person)].contacts
        return int(person), (contacts[_place(contact)],) if contact else contacts
    except (ValueError, IndexError):
        problem = FieldError("person", "or `contact` names nobody that the policy has")
        raise Invalid("Nothing was sent: the form can't be read. Open the page again.", (problem,)) from None


def _place(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MOST_PEOPLE * MOST_CONTACTS))):
        raise ValueError(text)
    return int(text)
