"""Who hears that somebody has acknowledged an incident: the others who were told of it, once each. Pure.

A mail scanner may have pressed the button of a message. So its person hears of that too: by another contact, or by the
same one where nobody else hears of it, or the alarm would end unseen.
"""

from collections.abc import Mapping
from datetime import datetime

from alertgate.addresses import mask
from alertgate.contact_state import ContactState
from alertgate.credential import Credential
from alertgate.model import Incident, Notification, Severity, Target
from alertgate.notify.directory import Directory
from alertgate.notify.recipients import Recipient

SEVERITY = Severity.INFO
"""However severe the incident is, nobody is woken to hear that somebody has it."""


def others(
    directory: Directory,
    known: Mapping[Target, ContactState],
    by: str,
    contact: Target | None,
    now: datetime,
    *,
    sure: bool = False,
) -> list[Recipient]:
    """Return one contact of each person who was told, but for the person who has it.

    If a message's button was pressed, `contact` had it: its person hears by another contact, if they have one, and if
    nobody hears, by this one. Unless it is `sure` that a person answered, as in an app.
    """
    if sure and contact:
        answered = {person.name.casefold() for person in directory.people(contact)}
        heard_of = others(directory, known, by, None, now)
        return [each for each in heard_of if each.person.name.casefold() not in answered]
    told = {target for target, state in known.items() if state.may_believe_open}
    pressed = directory.people(contact) if contact else ()
    found: dict[Target, Recipient] = {}
    for person in directory.policy.people.values():
        if person not in pressed and person.name.casefold() == by.strip().casefold():
            continue
        reached_by = [target for target in map(directory.target, person.contacts) if target and target != contact]
        heard = [target for target in reached_by if target in told]
        for target in (heard or (reached_by if person in pressed else []))[:1]:
            found.setdefault(target, Recipient(target, person, person.name, now))
    if contact and pressed and not found:
        return [Recipient(contact, pressed[0], pressed[0].name, now)]
    return list(found.values())


def holder(notification: Notification) -> str:
    """Return what others are told about who used the link of a message: its person, or the masked address."""
    person = notification.person
    return mask(notification.address) if person is None or person == notification.address else person


def tells_who_pressed(notification: Notification, incident: Incident) -> bool:
    """Return whether a notification that somebody has an incident goes to the person whose message's button did it."""
    by_link = incident.acknowledged_with is Credential.LINK
    return by_link and incident.acknowledged_by == holder(notification)
