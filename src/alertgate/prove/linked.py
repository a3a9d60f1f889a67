"""What the link of a message leads to: the incidents that the message was about, and who was told of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from alertgate.links import Links, fingerprint
from alertgate.model import Alert, Incident, IncidentStatus, Notification
from alertgate.silence import Silence
from alertgate.store import Connection, alerts, incidents, links, silences
from alertgate.store.links import ToldContact

KEPT = timedelta(days=30)
"""How long after the end a link says what became of it."""
SHOWN_ALERTS = 11


@dataclass(frozen=True, slots=True)
class Linked:
    """A notification whose link was presented, and all incidents of its message, in the order of their opening."""

    notification: Notification
    incidents: tuple[Incident, ...]
    silences: tuple[Silence, ...] = ()
    """Those that people began by link and that lasted after the first of the incidents was opened."""
    read_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """What there is to show: `alerts` are the newest of an only incident, newest first, and empty for several."""

    linked: Linked
    alerts: tuple[Alert, ...]
    told: tuple[ToldContact, ...]
    silences: tuple[Silence, ...] = ()
    """Those that aren't over; with an only incident, those that lasted after it was opened."""


def find(connection: Connection, made: Links, token: str, now: datetime) -> Linked | None:
    """Return what a token leads to, or None."""
    found = notification_of(connection, made, token)
    if found is None:
        return None
    members = links.carried_with(connection, found)
    about = incidents.by_id(connection, {each.incident_id for each in members})
    ordered = tuple(sorted(about.values(), key=lambda incident: incident.id))
    if is_long_over(ordered, now):
        return None
    since = min(incident.opened_at for incident in ordered)
    return Linked(found, ordered, tuple(silences.by_link(connection, since)), now)


def notification_of(connection: Connection, made: Links, token: str) -> Notification | None:
    """Return the notification of a token, or None. Whatever is wrong with it, the same is done to find that out."""
    found = links.find(connection, fingerprint(token))
    return found if made.believes(token, found.id if found else "") else None


def is_long_over(about: Iterable[Incident], now: datetime) -> bool:
    """Tell whether all incidents ended so long ago that their link leads nowhere."""
    return all(
        each.status is IncidentStatus.RESOLVED and each.resolved_at is not None and now - each.resolved_at > KEPT
        for each in about
    )


def story(connection: Connection, linked: Linked, now: datetime) -> Story:
    """Read what there is to show."""
    ids = [incident.id for incident in linked.incidents]
    latest = alerts.latest(connection, ids[0], SHOWN_ALERTS) if len(ids) == 1 else []
    since = linked.incidents[0].opened_at if len(ids) == 1 else now
    silenced = silences.over_after(connection, min(since, now))
    return Story(linked, tuple(latest), tuple(links.told(connection, ids)), tuple(silenced))
