"""Quiet hours, and an escalation's hours, catch what becomes due within them, whenever it was planned.

What is planned within them is held from the start. This is for all that was planned before: a retry, what an outage
left over, what waited in a flood.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import structlog

from alertgate.contact_state import Due
from alertgate.local_time import day_and_time
from alertgate.model import ABOUT_OTHERS, Hold, Incident, Severity, worst
from alertgate.notify.directory import Directory
from alertgate.notify.escalator import Escalator
from alertgate.notify.recipients import WORDS
from alertgate.notify.runs import Runs
from alertgate.notify.tellings import held
from alertgate.policy.people import Person
from alertgate.policy.policy import Policy
from alertgate.policy.stopped_clock import opening
from alertgate.store import Connection, escalations, holds, incidents
from alertgate.store.holds import Addressed, Caught

CAUGHT = "due now, but held until {until} ({why})"
log = structlog.stdlib.get_logger("alertgate.deliver")


def may_hold(policy: Policy, now: datetime) -> bool:
    """Return whether there is anybody, or an escalation, whose hours hold something now."""
    asleep = any(person.quiet_until(now, Severity.INFO) for person in policy.people.values())
    return asleep or any(opening(escalation, now) for escalation in policy.escalations.values())


def without_untimely(connection: Connection, due: Sequence[Due], escalator: Escalator, now: datetime) -> list[Due]:
    """Return what of this may be sent now; hold the rest. What was given up on waits as it is."""
    if not (due and may_hold(escalator.policy, now)):
        return list(due)
    addressed = holds.addressed(connection, [each.id for each in due])
    ids = {each.incident_id for each in addressed.values()}
    about, runs = incidents.by_id(connection, ids), Runs(escalations.of_incidents(connection, ids))
    going, caught = [], defaultdict[Caught, list[str]](list)
    for each in due:
        to = addressed[each.id]
        if found := _held(escalator, runs, about[to.incident_id], each, to, now):
            caught[found].append(each.id)
        else:
            going.append(each)
    for one, some in caught.items():
        if number := holds.hold(connection, some, one):
            log.info("notifications.held", detail=one.said, number=number, until=str(one.until))
    return going


def _held(
    escalator: Escalator, runs: Runs, incident: Incident, due: Due, to: Addressed, now: datetime
) -> Caught | None:
    """Return what holds a notification now; None if nothing does."""
    policy, escalation = escalator.policy, escalator.escalation_of(incident, runs)
    found = []
    for person in _people(escalator.directory, due, to):
        until, reason = held(person, escalation, urgency(due, incident), now)
        if reason is None:
            return None
        found.append((until, Hold(reason), person))
    if not found:
        return None
    until, hold, person = min(found, key=lambda each: each[0])
    via = to.via if to.via and policy.told([to.via], now) else person.name
    said = CAUGHT.format(until=day_and_time(until, now, person.zone), why=WORDS[hold])
    return Caught(until, hold, person.name, via, said)


def urgency(due: Due, incident: Incident) -> Severity:
    """Return how severe a notification is to whoever is asleep: as its incident, but nobody is woken by good news."""
    if due.kind in ABOUT_OTHERS:
        return due.severity
    return worst(due.severity, incident.severity)


def _people(directory: Directory, due: Due, to: Addressed) -> Sequence[Person]:
    """Return whom a notification is for; if that name is gone from the policy, whoever has the address now."""
    person = directory.policy.people.get(to.person or "")
    return [person] if person else directory.people((to.channel, due.address))
