"""Render an alert's trail as text: what happened when, and the current state. Pure."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from zoneinfo import ZoneInfo

from alertgate.characters import cut, escaped
from alertgate.credential import in_words as with_credential
from alertgate.credential import signed
from alertgate.local_time import clock_time, zone_name
from alertgate.model import (
    ASIDE,
    Alert,
    AlertStatus,
    ChannelName,
    Hold,
    Incident,
    Notification,
    NotificationStatus,
    Resolution,
    Severity,
    Source,
)
from alertgate.policy.silences import in_words
from alertgate.proof import Proof
from alertgate.prove.history import IncidentTrail, Told, Trail
from alertgate.prove.told_events import Event, name_of, span, told_events
from alertgate.silence import Silence
from alertgate.states import waits_for_another

LONGEST_QUOTE = 200
"""Characters of the alert's content."""


def tell(trail: Trail, name: str | None, zone: ZoneInfo, now: datetime) -> str:
    """Return the timeline of an alert, one line per event, with times in `zone`. `name` is its device's name, or None.

    The last line is the state at `now`. Control characters are escaped.
    """
    lines = [
        *_heading(trail, name),
        *_timeline(events_of(trail, zone, now), zone),
        "",
        _current_state(trail, zone, now),
    ]
    return "\n".join(escaped(line) for line in lines)


def events_of(trail: Trail, zone: ZoneInfo, now: datetime) -> list[Event]:
    """Return what happened to an alert, oldest first. Texts are as devices and servers wrote them."""
    events = [*_alert_events(trail), *_incident_events(trail, zone), *_silence_events(trail.silences, zone, now)]
    events += [event for told in trail.told for event in told_events(told)]
    return sorted(events, key=attrgetter("at"))  # stable: events at the same time stay in causal order


def tell_incident(trail: IncidentTrail, name: str | None, zone: ZoneInfo, now: datetime) -> str:
    """Return the timeline of an incident, as `tell` does for an alert: its latest alerts, and whoever was told."""
    incident, newest = trail.incident, trail.latest[0]
    of_newest = Trail(newest, incident, trail.told, trail.escalation)
    events = events_of_incident(trail, zone, now)
    lines = [*_incident_heading(trail, name), *_timeline(events, zone), "", _current_state(of_newest, zone, now)]
    return "\n".join(escaped(line) for line in lines)


def events_of_incident(trail: IncidentTrail, zone: ZoneInfo, now: datetime) -> list[Event]:
    """Return what happened to an incident, oldest first, as far as the trail has it; texts as in `events_of`."""
    incident = trail.incident
    events = [Event(incident.opened_at, "the incident was opened")]
    events += [event for alert in reversed(trail.latest) for event in _of_alert(alert)]
    events += [*_escalation_events(trail), *_ends(incident, zone)]
    events += [*_silence_events(trail.silences, zone, now)]
    events += [event for told in trail.told for event in told_events(told)]
    return sorted(events, key=attrgetter("at"))


def _incident_heading(trail: IncidentTrail, name: str | None) -> Iterator[str]:
    incident = trail.incident
    yield _what(incident.severity, incident.event, incident.device, name)
    left_out = incident.alert_count - len(trail.latest)
    yield f"incident {incident.id}" + (f"; {left_out:,} older alerts aren't shown" if left_out > 0 else "")


def _of_alert(alert: Alert) -> Iterator[Event]:
    content = _content(alert)
    said = f": {content}" if content else ""
    yield Event(alert.received_at, f"alert {alert.id} received{said}", alert.id)
    if alert.reason:
        yield Event(alert.received_at, f"grouped: {alert.reason}")


def _what(severity: Severity, event: str, device: str | None, name: str | None) -> str:
    who = f"{name} ({device})" if name else device
    return f"[{severity.upper()}] {event}" + (f" from {who}" if who else "")


def _heading(trail: Trail, name: str | None) -> Iterator[str]:
    alert = trail.alert
    yield _what(alert.severity, alert.event, alert.device, name)
    yield f"alert {alert.id}" + (f", incident {alert.incident_id}" if alert.incident_id else "")
    if content := _content(alert):
        yield f"content: {content}"


def _content(alert: Alert) -> str:
    data = alert.data if alert.data not in (None, "") else (alert.raw or b"").decode(errors="backslashreplace")
    content = alert.message or data
    text = " ".join((content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)).split())
    return text if len(text) <= LONGEST_QUOTE else f"{cut(text, LONGEST_QUOTE)}..."


def _timeline(events: list[Event], zone: ZoneInfo) -> Iterator[str]:
    """Yield a heading for each day, and a line for each event."""
    local = [event._replace(at=event.at.astimezone(zone)) for event in events]
    for day, of_day in groupby(local, key=lambda event: f"{event.at:%Y-%m-%d} ({zone_name(event.at)})"):
        yield ""
        yield day
        yield from (f"{event.at:%H:%M:%S}.{event.at.microsecond // 1000:03}  {event.text}" for event in of_day)


def _alert_events(trail: Trail) -> Iterator[Event]:
    alert = trail.alert
    if alert.published_at:
        yield Event(alert.published_at, "published, according to the sender")
    request = f" (request {alert.request_id})" if alert.request_id else ""
    # Particle's webhook has one way in.
    how = with_credential(alert.credential) if alert.source is Source.GENERIC else ""
    if alert.source in (Source.ALERTGATE, Source.WATCH):
        yield Event(alert.received_at, "reported by alertgate itself")
    else:
        yield Event(alert.received_at, f"received by the {alert.source} webhook{how}{_delay(alert)}{request}")
    if alert.status is AlertStatus.QUARANTINED:
        yield Event(alert.received_at, f"quarantined, because it can't be read: {'; '.join(alert.errors)}")
    if alert.status in ASIDE:
        yield Event(alert.received_at, alert.reason or alert.status)
    elif alert.reason:
        yield Event(alert.received_at, f"grouped: {alert.reason}")


def _delay(alert: Alert) -> str:
    if alert.published_at is None:
        return ""
    delay = alert.received_at - alert.published_at
    if delay < timedelta(0):
        return f", {span(-delay)} before its own time of publication"
    return f", {span(delay)} after it was published"


def _incident_events(trail: Trail, zone: ZoneInfo) -> Iterator[Event]:
    incident = trail.incident
    if incident is None:
        return
    if incident.opened_at < trail.alert.received_at:
        yield Event(incident.opened_at, "the incident was opened by an earlier alert")
    yield from _escalation_events(trail)
    yield from _ends(incident, zone)


def _escalation_events(trail: Trail | IncidentTrail) -> Iterator[Event]:
    if run := trail.escalation:
        yield Event(run.begun_at, f"escalation {run.escalation} began: {run.route}")


def _ends(incident: Incident, zone: ZoneInfo) -> Iterator[Event]:
    if incident.acknowledged_at:
        snoozed_until = incident.snoozed_until
        until = f" until {snoozed_until.astimezone(zone):%Y-%m-%d %H:%M}" if snoozed_until else ""
        did = "snoozed" if until else "acknowledged"
        who = signed(incident.acknowledged_by or "", incident.acknowledged_with)
        yield Event(incident.acknowledged_at, f"the incident was {did} by {who}{until}")
    if incident.handed_back_at:
        who = signed(incident.handed_back_by or "", incident.handed_back_with)
        yield Event(incident.handed_back_at, f"the incident was handed back by {who}: nobody had it any more")
    if incident.resolved_at:
        person = signed(incident.resolved_by or "", incident.resolved_with)
        is_person = incident.resolution is Resolution.PERSON
        how = f" by {person}" if is_person else f"{_resolution(incident)}{with_credential(incident.resolved_with)}"
        yield Event(incident.resolved_at, f"the incident was resolved{how}")


def _silence_events(silences: Sequence[Silence], zone: ZoneInfo, now: datetime) -> Iterator[Event]:
    """Yield when silences began and ended, as far as that is past."""
    for silence in silences:
        how = with_credential(silence.credential)
        said = f"{in_words(silence, silence.ends_at, now, zone)}, asked for{how}: {silence.id}"
        if silence.begins_at <= now:
            yield Event(silence.begins_at, said)
        if silence.removed_at:
            by = signed(silence.removed_by or "", silence.removed_with)
            yield Event(silence.removed_at, f"the silence {silence.id} was ended by {by}")
        elif silence.ends_at <= now:
            yield Event(silence.ends_at, f"the silence {silence.id} came to its end")


def _current_state(trail: Trail, zone: ZoneInfo, now: datetime) -> str:
    """Return the state at `now` in one line."""
    prefix = f"now ({_clock(now, zone)}): "
    if trail.incident is None:
        return f"{prefix}it belongs to no incident, and nobody is notified."
    told: dict[tuple[str, str], list[Told]] = {}
    for one in trail.told:
        told.setdefault((one.notification.channel, one.notification.address), []).append(one)
    contacts = [_contact_state(each, trail.alert, zone) for each in told.values()]
    states = [*(contacts or ["nobody is notified yet" if _next(trail, zone) else "nobody is notified"])]
    return f"{prefix}{_incident(trail.incident)}; {'; '.join([*states, *_next(trail, zone)])}."


def _next(trail: Trail, zone: ZoneInfo) -> list[str]:
    """Return what the escalation does next."""
    run = trail.escalation
    if run is None or run.next_at is None:
        return []
    local = run.next_at.astimezone(zone)
    return [f"escalation {run.escalation} (step {run.step}) is decided again at {local:%Y-%m-%d %H:%M:%S}"]


def _incident(incident: Incident) -> str:
    by = {"acknowledged": f" by {incident.acknowledged_by}", "resolved": _resolution(incident)}
    alerts = "1 alert" if incident.alert_count == 1 else f"{incident.alert_count} alerts"
    return f"the incident ({alerts}) is {incident.status}{by.get(incident.status, '')}"


def _resolution(incident: Incident) -> str:
    match incident.resolution:
        case Resolution.SILENCE:
            return " because alerts stopped"
        case Resolution.ALERT:
            return f" by alert {incident.resolved_by}"
        case Resolution.PERSON:
            return f" by {incident.resolved_by}"
        case None:
            return ""


_BY_PROGRESS = (
    NotificationStatus.SENT,
    NotificationStatus.SENDING,
    NotificationStatus.PENDING,
    NotificationStatus.FAILED,
    NotificationStatus.CANCELLED,
)
"""The statuses, from the most to the least certain that somebody knows."""


def _by_progress(notification: Notification) -> tuple[int, bool]:
    """Return a key that sorts what got furthest first, and of failures the outstanding one."""
    return _BY_PROGRESS.index(notification.status), not notification.is_outstanding


def _contact_state(told: list[Told], alert: Alert, zone: ZoneInfo) -> str:
    """Return the state of one contact: that of the notification that can include the alert and got furthest."""
    candidates = [one for one in told if _can_include(alert, one)]
    if not candidates:
        return f"{name_of(told[-1].notification)} got no notification after this alert"
    best = min((one.notification for one in candidates), key=_by_progress)
    who, finished = name_of(best), best.finished_at or best.created_at
    match best.status:
        case NotificationStatus.SENT:
            proved = "" if best.proof in (None, Proof.SENT) else f", and {best.proof}"
            took = span(finished - alert.received_at)
            did = "only written" if best.channel is ChannelName.OUTBOX else "sent"
            return f"{who} was {did} at {_clock(finished, zone)}, {took} after receipt{proved}"
        case NotificationStatus.SENDING:
            return f"{who} is being sent"
        case NotificationStatus.PENDING:
            return f"{who} waits until {_clock(best.due_at, zone)}{_HELD_BY.get(best.hold, '') if best.hold else ''}"
        case NotificationStatus.FAILED:
            return f"{who} FAILED at {_clock(finished, zone)}{_what_now(best, zone)}"
        case NotificationStatus.CANCELLED:
            return f"{who} was cancelled: {best.reason}"


def _what_now(failed: Notification, zone: ZoneInfo) -> str:
    """Return what was done about a failure, or what can be."""
    if failed.dismissed_at:
        return f", and was dismissed at {_clock(failed.dismissed_at, zone)} by {failed.dismissed_by}"
    if failed.missed_since and not waits_for_another(failed):
        return f", is sent once its channel works: run `alertgate dismiss {failed.id}` if that isn't needed"
    return f": run `alertgate retry {failed.id}` to retry it, or `alertgate dismiss {failed.id}`"


_HELD_BY = {Hold.QUIET_HOURS: " (quiet hours)", Hold.OUTSIDE_HOURS: " (outside hours)", Hold.SILENCED: " (silenced)"}


def _can_include(alert: Alert, told: Told) -> bool:
    """Tell whether the alert was stored before the notification was rendered, which happens at each attempt."""
    if told.notification.status is NotificationStatus.SENT and told.attempts:
        return told.attempts[-1].started_at >= alert.received_at
    return told.notification.finished_at is None or told.notification.finished_at >= alert.received_at


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return clock_time(at.astimezone(zone), "%H:%M:%S")
