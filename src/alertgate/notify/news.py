"""Who hears that somebody has acknowledged an incident: the others who were told of it, once each. Pure."""

from collections.abc import Mapping
from datetime import datetime

from alertgate.contact_state import ContactState
from alertgate.model import Severity, Target
from alertgate.notify.directory import Directory
from alertgate.notify.recipients import Recipient

SEVERITY = Severity.INFO
"""However severe the incident is, nobody is woken to hear that somebody has it."""


def others(
    directory: Directory, known: Mapping[Target, ContactState], by: str, contact: Target | None, now: datetime
) -> list[Recipient]:
    """Return one contact of each person who was told, but for the person who has it.

    If a message's button was pressed, `contact` had it: its person hears by another contact, if they have one, because
    a mail scanner may have pressed it.
    """
    told = {target for target, state in known.items() if state.told_at and not state.may_believe_over}
    pressed = directory.people(contact) if contact else ()
    found: dict[Target, Recipient] = {}
    for person in directory.policy.people.values():
        if person not in pressed and person.name.casefold() == by.strip().casefold():
            continue
        reached_by = [target for target in map(directory.target, person.contacts) if target and target != contact]
        heard = [target for target in reached_by if target in told]
        for target in (heard or (reached_by if person in pressed else []))[:1]:
            found.setdefault(target, Recipient(target, person, person.name, now))
    return list(found.values())
