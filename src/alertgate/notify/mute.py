"""Silences catch what becomes due, whenever it was planned: it is held until they end, and never cancelled.

What is planned while an incident is silenced is held from the start. This is for all that was planned before: a silence
that is new or begins only now, a retry, a contact's delay, a hold that ends. The news of a silence isn't held by it.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from alertgate.contact_state import Due
from alertgate.model import Incident, Kind
from alertgate.policy.matchers import Subject
from alertgate.policy.silences import Silences
from alertgate.store import Connection, holds, incidents, silences

log = structlog.stdlib.get_logger("alertgate.silences")


def in_force(connection: Connection, now: datetime) -> Silences:
    """Return the silences by which is decided what may be said now."""
    return Silences(silences.over_after(connection, now))


def is_silenced(
    connection: Connection, incident: Incident, device_name: Callable[[str | None], str | None], now: datetime
) -> bool:
    """Return whether a silence holds what would be said of an incident now."""
    subject = Subject.of(incident, device_name(incident.device))
    return in_force(connection, now).judge(subject, now).until is not None


def without_silenced(
    connection: Connection,
    due: Sequence[Due],
    known: Silences,
    device_name: Callable[[str | None], str | None],
    now: datetime,
) -> list[Due]:
    """Return what of this may be sent now; hold the rest. What was given up on waits as it is."""
    if not (known and due):
        return list(due)
    about = holds.incidents_of(connection, [each.id for each in due])
    by_id = incidents.by_id(connection, set(about.values()))
    until: dict[datetime, list[str]] = defaultdict(list)
    going = []
    for each in due:
        incident = by_id[about[each.id]]
        judged = known.judge(Subject.of(incident, device_name(incident.device)), now)
        if judged.until and each.kind is not Kind.SILENCE:
            until[judged.until].append(each.id)
        else:
            going.append(each)
    for end, ids in until.items():
        if held := holds.silence(connection, ids, end):
            log.info("notifications.silenced", detail="a silence holds them", number=held, until=str(end))
    return going
