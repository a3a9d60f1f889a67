"""Builders of alerts, incidents and notifications, and the settings of property tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

from hypothesis import HealthCheck, settings
from sqlalchemy import Connection, text

from alertgate.ids import new_id
from alertgate.model import (
    Alert,
    AlertStatus,
    ChannelName,
    Incident,
    IncidentStatus,
    Kind,
    Notification,
    NotificationStatus,
    Severity,
    Signal,
    Source,
)
from alertgate.store.engine import Store
from tests.fakes import START

DOOR = "3f002b000000000000000000"

for_any = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Property tests check results, not the speed of the machine."""


def examples(usual: int) -> int:
    """Return how many examples a costly property searches: the profile's share of the usual number."""
    return max(1, usual * settings().max_examples // 100)


@contextmanager
def one_life(store: Store) -> Iterator[Connection]:
    """Open a transaction for the whole life of a state machine.

    It may rest for longer than the five seconds after which PostgreSQL ends those of the gate: on a busy machine.
    """
    with store.transaction() as connection:
        if store.dialect == "postgresql":
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        yield connection


_ALERT = Alert(
    id="alert-1",
    received_at=START,
    source=Source.PARTICLE,
    status=AlertStatus.ACCEPTED,
    signal=Signal.FIRING,
    event="alarm/motion",
    severity=Severity.WARNING,
    incident_key=f"particle:{DOOR}:alarm/motion",
    device=DOOR,
    data="motion in the hall",
)
_INCIDENT = Incident(
    id="incident-1",
    key=_ALERT.incident_key,
    status=IncidentStatus.OPEN,
    source=Source.PARTICLE,
    event="alarm/motion",
    device=DOOR,
    severity=Severity.WARNING,
    opened_at=START,
    last_alert_at=START,
    alert_count=1,
)
_NOTIFICATION = Notification(
    id="notification-1",
    incident_id=_INCIDENT.id,
    channel=ChannelName.EMAIL,
    address="me@example.com",
    kind=Kind.OPENING,
    status=NotificationStatus.SENDING,
    severity=Severity.WARNING,
    reason="nothing was said about this incident yet",
    created_at=START,
    retry_since=START,
    due_at=START,
    lease_owner="process-1",
    lease_until=START + timedelta(seconds=60),
)


def incompressible(length: int, seed: int = 1) -> str:
    """Return text of three bytes a character, in which a database finds nothing to compress; JSON makes six of each."""
    random = Random(seed)  # noqa: S311  (a test needs the same text each time)
    return "".join(chr(random.randrange(0x4E00, 0x9FFF)) for _ in range(length))


def alert(**changes: Any) -> Alert:
    """Return an alert of the front door's motion sensor, with changes."""
    return replace(_ALERT, **changes)


def incident(**changes: Any) -> Incident:
    """Return the open incident of that alert, with changes."""
    return replace(_INCIDENT, **changes)


def notification(**changes: Any) -> Notification:
    """Return a notification by email about that incident that is being sent, with changes."""
    return replace(_NOTIFICATION, **changes)


def new_incident(**changes: Any) -> Incident:
    """Return an open incident with an id of its own, with changes."""
    return incident(**{"id": new_id(START), "key": "particle:d:e", "event": "e", "device": "d", **changes})


def new_alert(**changes: Any) -> Alert:
    """Return an alert with that incident's key and an id of its own, with changes."""
    own = {"id": new_id(START), "incident_key": "particle:d:e", "event": "e", "device": "d", "data": None}
    return alert(**{**own, **changes})


def new_notification(about: Incident, **changes: Any) -> Notification:
    """Return a pending notification about an incident, with an id of its own and changes."""
    own = {"id": new_id(START), "incident_id": about.id, "severity": about.severity}
    waiting = {"status": NotificationStatus.PENDING, "lease_owner": None, "lease_until": None}
    return notification(**{**own, **waiting, **changes})
