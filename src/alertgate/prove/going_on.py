"""What is going on: the incidents that aren't over, with what there is to say of each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alertgate.model import Alert, Incident, IncidentStatus, Severity, Source, worst
from alertgate.policy.matchers import Subject
from alertgate.policy.silences import Silences
from alertgate.silence import Silence
from alertgate.store import Connection, alerts, escalations, incidents, open_incidents, silences
from alertgate.store.escalations import StoredRun
from alertgate.store.open_incidents import Brief, Telling

MOST_COUNTED = 10_000
"""Incidents; where there are more, that is said."""
MOST_COMPARED = 10_000
"""How often a kind of incident is compared with a silence; beyond that, what isn't looked at counts as not silenced."""


@dataclass(frozen=True, slots=True)
class GoingOn:
    """Incidents, the worst first, as one transaction has read them."""

    incidents: tuple[Incident, ...]
    alerts: Mapping[str, Alert]
    """The newest alert of each, by its id."""
    told: Mapping[str, Sequence[Telling]]
    """How far each contact was told, by the incident's id."""
    runs: Mapping[str, StoredRun]
    """How far the escalation of each is, by the incident's id; some have none."""
    silences: tuple[Silence, ...]
    """Those that aren't over."""


@dataclass(frozen=True, slots=True)
class Open:
    """All incidents that aren't over: the worst of them, and how many there are."""

    shown: GoingOn
    number: int
    """Up to MOST_COUNTED."""
    untaken: int
    """How many of them nobody has, and no silence is known to hold."""
    worst: Severity | None
    """Of those."""
    silenced: int
    """How many nobody has, and a silence is known to hold."""


def read_open(
    connection: Connection, now: datetime, most: int, device_name: Callable[[str | None], str | None]
) -> Open:
    """Read the worst of the incidents that aren't over. What is silenced takes no place from what isn't."""
    known = tuple(silences.over_after(connection, now))
    found = open_incidents.worst(connection, MOST_COUNTED)
    silenced = _silenced(found, [each for each in known if each.lasts(now)], now, device_name)
    speaking_first = sorted(found, key=lambda each: each.id in silenced)
    untaken = [each for each in found if each.status is IncidentStatus.OPEN]
    speaking = [each.severity for each in untaken if each.id not in silenced]
    shown = incidents.by_id(connection, [each.id for each in speaking_first[:most]])
    return Open(
        _read(connection, [shown[each.id] for each in found if each.id in shown], known),
        len(found),
        len(speaking),
        worst(*speaking) if speaking else None,
        len(untaken) - len(speaking),
    )


def _silenced(
    found: Sequence[Brief], lasting: Sequence[Silence], now: datetime, device_name: Callable[[str | None], str | None]
) -> set[str]:
    """Return the ids of those that a silence is known to hold, the worst looked at first."""
    by_device = any(each.device or each.source for each in lasting)
    judge, held, kinds = Silences(lasting), set[str](), dict[tuple[str, Severity, Source, str | None], bool]()
    for each in found if lasting else ():
        device = each.device if by_device else None
        kind = each.event, each.severity, each.source, device
        if kind not in kinds:
            if len(kinds) * len(lasting) >= MOST_COMPARED:
                break
            kinds[kind] = judge.judge(Subject(*kind, device_name(device)), now).until is not None
        if kinds[kind]:
            held.add(each.id)
    return held


def read_one(connection: Connection, incident_id: str, now: datetime) -> GoingOn | None:
    """Read one incident, over or not; None if there is none of this id."""
    found = incidents.get(connection, incident_id)
    return _read(connection, [found], tuple(silences.over_after(connection, now))) if found else None


def _read(connection: Connection, about: list[Incident], known: tuple[Silence, ...]) -> GoingOn:
    ids = [incident.id for incident in about]
    told: dict[str, list[Telling]] = {}
    for each in open_incidents.told(connection, ids):
        told.setdefault(each.incident_id, []).append(each)
    return GoingOn(
        tuple(about),
        alerts.by_id(connection, [each.last_alert_id for each in about if each.last_alert_id]),
        told,
        _runs(connection, ids),
        known,
    )


def _runs(connection: Connection, ids: list[str]) -> dict[str, StoredRun]:
    """Return escalations with when the first notification was sent, as their next turn will know it."""
    runs = escalations.of_incidents(connection, ids)
    sent_at = escalations.first_sent(connection, [id_ for id_, run in runs.items() if run.first_sent_at is None])
    return {id_: replace(run, first_sent_at=run.first_sent_at or sent_at.get(id_)) for id_, run in runs.items()}
