"""The API's answers, as JSON."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from fastapi import Response

from alertgate.model import Alert, Attempt, Incident, Notification
from alertgate.notify.test_send import TestSend
from alertgate.policy.people import shown_address
from alertgate.prove.history import IncidentTrail, Told, Trail
from alertgate.silence import Silence
from alertgate.store.escalations import StoredRun

LARGEST_PAGE = 1024 * 1024
"""Bytes of alerts at which a page ends."""


class AsciiJson(Response):
    """JSON in ASCII: a device's text may hold lone surrogates, which JSON can escape and UTF-8 can't say."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Write the JSON, unless it is written already."""
        return content if isinstance(content, bytes) else encoded(content)


def show_trail(trail: Trail, now: datetime) -> AsciiJson:
    """Return an alert's trail as the API's answer."""
    incident = _facts(trail.incident) if trail.incident else None
    shown = {"alert": encoded(_alert(trail.alert)), "incident": encoded(incident), **_beside(trail, now)}
    return AsciiJson(_object(**shown))


def show_incident_trail(trail: IncidentTrail, now: datetime) -> AsciiJson:
    """Return an incident's trail as the API's answer."""
    latest = _list(encoded(_alert(alert)) for alert in trail.latest)
    return AsciiJson(_object(incident=encoded(_facts(trail.incident)), alerts=latest, **_beside(trail, now)))


def _beside(trail: Trail | IncidentTrail, now: datetime) -> dict[str, bytes]:
    return {
        "notifications": _list(map(encoded, _told(trail.told))),
        "escalation": encoded(_escalation(trail.escalation)),
        "silences": _list(encoded(silence_view(each, now)) for each in trail.silences),
    }


def silence_view(silence: Silence, now: datetime) -> dict[str, Any]:
    """Return a silence as the API's answers have it."""
    return {**_facts(silence), "state": silence.state(now)}


@dataclass(frozen=True, slots=True)
class AlertPage:
    """A page of alerts, each as JSON. `last` is the id of its last one; None if no page follows."""

    items: list[bytes]
    last: str | None


def fill_page(found: Iterable[Alert], limit: int) -> AlertPage:
    """Take alerts for a page until it has `limit` of them or LARGEST_PAGE bytes; it has one in any case.

    To be called in another thread, with more than `limit` if there are more.
    """
    items: list[bytes] = []
    size, last = 0, ""
    for alert in found:
        if len(items) == limit or size >= LARGEST_PAGE:
            return AlertPage(items, last)
        items.append(encoded(_alert(alert)))
        size, last = size + len(items[-1]), alert.id
    return AlertPage(items, None)


def show_alerts(page: AlertPage, next_cursor: str | None) -> AsciiJson:
    """Return a page of alerts as the API's answer."""
    return AsciiJson(_object(items=_list(page.items), next=encoded(next_cursor)))


def show_incidents(page: Iterable[Incident], next_cursor: str | None) -> AsciiJson:
    """Return a page of incidents as the API's answer."""
    return AsciiJson({"items": [_facts(incident) for incident in page], "next": next_cursor})


def incident_views(incidents: Iterable[Incident]) -> list[dict[str, Any]]:
    """Return incidents as a part of an answer."""
    return [_facts(incident) for incident in incidents]


def show_incident(incident: Incident) -> AsciiJson:
    """Return an incident as the API's answer."""
    return AsciiJson(_facts(incident))


def show_notification(told: Told) -> AsciiJson:
    """Return a notification with its attempts as the API's answer."""
    return AsciiJson(_told([told])[0])


def show_notifications(page: Iterable[Notification], last: Mapping[str, Attempt], next_cursor: str | None) -> AsciiJson:
    """Return a page of notifications as the API's answer, each with its last attempt."""
    return AsciiJson({"items": [_listed(one, last.get(one.id)) for one in page], "next": next_cursor})


def _listed(notification: Notification, last: Attempt | None) -> dict[str, Any]:
    facts = {name: value for name, value in _notification(notification).items() if name != "attempts"}
    return {**facts, "last_attempt": _attempt(last) if last else None}


def show_test_send(outcomes: Iterable[TestSend]) -> AsciiJson:
    """Return the outcomes of test messages as the API's answer."""
    items = [
        {
            "channel": one.channel,
            "address": shown_address(one.channel, one.address),
            "sent": one.sent,
            "reply": one.text,
            "proof": one.proof,
        }
        for one in outcomes
    ]
    return AsciiJson({"ok": all(item["sent"] for item in items), "items": items})


def _told(told: Iterable[Told]) -> list[dict[str, Any]]:
    return [
        {**_notification(one.notification), "attempts": [_attempt(attempt) for attempt in one.attempts]} for one in told
    ]


_INNER = frozenset({"receipt", "shown", "follow_at", "follow_owner"})
"""What is between alertgate and a channel's service: whoever knows a receipt could end its alarm."""


def _notification(notification: Notification) -> dict[str, Any]:
    shown = shown_address(notification.channel, notification.address)
    address, facts = notification.address, _facts(notification)
    # A recipient of the settings is a person whose name is the address.
    return {name: shown if value == address else value for name, value in facts.items() if name not in _INNER}


def _escalation(run: StoredRun | None) -> dict[str, Any] | None:
    if run is None:
        return None
    return {name: value for name, value in _facts(run).items() if name not in {"incident_id", "wait"}}


def _alert(alert: Alert) -> dict[str, Any]:
    raw = alert.raw.decode(errors="backslashreplace") if alert.raw is not None else None
    return {**_facts(alert), "raw": raw}


def _facts(row: Alert | Incident | Notification | Attempt | StoredRun | Silence) -> dict[str, Any]:
    """Return a row's fields by name: `dataclasses.asdict` would copy all that an alert's data holds, piece by piece."""
    return {field.name: getattr(row, field.name) for field in fields(row)}


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {name: value for name, value in _facts(attempt).items() if name != "notification_id"}


def encoded(content: Any) -> bytes:
    """Return content as JSON.

    One call doesn't let other threads run: what may be large is encoded in another thread, and in pieces.
    """
    return json.dumps(content, default=_plain, separators=(",", ":")).encode("ascii")


def _list(items: Iterable[bytes]) -> bytes:
    return b"[%b]" % b",".join(items)


def _object(**values: bytes) -> bytes:
    return b"{%b}" % b",".join(b'"%b":%b' % (name.encode(), value) for name, value in values.items())


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
