"""What is going on: the incidents that aren't over, with what there is to say of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alertgate.model import Alert, Incident
from alertgate.silence import Silence
from alertgate.store import Connection, escalations, incidents, open_incidents, silences
from alertgate.store.escalations import StoredRun
from alertgate.store.open_incidents import Telling

MOST_COUNTED = 10_000
"""Incidents; where there are more, that is said."""


@dataclass(frozen=True, slots=True)
class GoingOn:
    """Incidents, the worst first, as one transaction has read them."""

    incidents: tuple[Incident, ...]
    number: int
    """How many aren't over, up to MOST_COUNTED."""
    untaken: int
    """How many of them nobody has, up to as many."""
    alerts: Mapping[str, Alert]
    """The newest alert of each, by its id."""
    told: Mapping[str, Sequence[Telling]]
    """How far each contact was told, by the incident's id."""
    runs: Mapping[str, StoredRun]
    """How far the escalation of each is, by the incident's id; some have none."""
    silences: tuple[Silence, ...]
    """Those that aren't over."""


def read_open(connection: Connection, now: datetime, most: int) -> GoingOn:
    """Read the worst of the incidents that aren't over."""
    return _read(connection, open_incidents.worst(connection, most), now)


def read_one(connection: Connection, incident_id: str, now: datetime) -> GoingOn | None:
    """Read one incident, over or not; None if there is none of this id."""
    found = incidents.get(connection, incident_id)
    return _read(connection, [found], now) if found else None


def _read(connection: Connection, about: list[Incident], now: datetime) -> GoingOn:
    ids = [incident.id for incident in about]
    told: dict[str, list[Telling]] = {}
    for each in open_incidents.told(connection, ids):
        told.setdefault(each.incident_id, []).append(each)
    return GoingOn(
        tuple(about),
        open_incidents.number(connection, MOST_COUNTED),
        open_incidents.number_untaken(connection, MOST_COUNTED),
        open_incidents.alerts_of(connection, [each.last_alert_id for each in about if each.last_alert_id]),
        told,
        _runs(connection, ids),
        tuple(silences.over_after(connection, now)),
    )


def _runs(connection: Connection, ids: list[str]) -> dict[str, StoredRun]:
    """Return escalations with when the first notification was sent, as their next turn will know it."""
    runs = escalations.of_incidents(connection, ids)
    sent_at = escalations.first_sent(connection, [id_ for id_, run in runs.items() if run.first_sent_at is None])
    return {id_: replace(run, first_sent_at=run.first_sent_at or sent_at.get(id_)) for id_, run in runs.items()}
