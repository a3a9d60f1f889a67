"""Render a message for apps, chats and programs: a title, a plain text of some lines, and what programs read. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlencode

from alertgate.marks import digest as short_digest
from alertgate.marks import mark
from alertgate.model import Incident, IncidentStatus, Json, worst
from alertgate.notify.channels.base import Answer, Brief
from alertgate.notify.context import DigestContext, DigestItem, MessageContext
from alertgate.notify.render import content, wording
from alertgate.notify.render.digest import Group
from alertgate.notify.render.text import shorten

VERSION = 1
"""Of what programs read; a change that they could stumble over makes it 2."""
LONGEST = 900
"""Characters of the text: every service takes as much, and a phone's lock screen shows less."""
ACTS = (("acknowledge", "I'm on it"), ("snooze", "Snooze 1 h"))
"""What can be answered at once, with the labels of buttons."""


def text(context: MessageContext) -> str:
    """Return what happened beyond the title, each thing on a line of its own, what matters most first."""
    lead = wording.lead(context)
    details = [
        count if (count := wording.short_count(context)) and count not in lead else None,
        wording.earlier_in_short(context),
        wording.how_late(context),
    ]
    lines = [
        shorten(content.essence(context.latest), 300),
        lead,
        wording.when(context),
        ", ".join(filter(None, details)),
    ]
    return shorten_lines([line for line in lines if line], LONGEST)


def spoken(context: MessageContext) -> str:
    """Return what a call says after the title: nothing that the title has said, and the time to the minute."""
    lines = [
        shorten(wording.rest(context), 300),
        wording.lead(context, above=False),
        f"At {wording.short_time(context)}",
        wording.earlier_in_short(context),
        wording.how_late(context),
    ]
    return shorten_lines([line for line in lines if line], LONGEST)


def shorten_lines(lines: list[str], longest: int) -> str:
    """Return as many of the lines as fit, the first one cut if it alone doesn't."""
    found = shorten(lines[0], longest) if lines else ""
    for line in lines[1:]:
        if len(found) + 1 + len(line) > longest:
            break
        found += f"\n{line}"
    return found


def brief(context: MessageContext) -> Brief:
    """Return what a channel needs to know of a message about one incident."""
    incident, notification = context.incident, context.notification
    asks = incident.status is IncidentStatus.OPEN and not context.is_quiet
    return Brief(
        notification_id=notification.id,
        tag=context.tag,
        severity=incident.severity,
        asks=asks,
        over=context.resolved,
        link=context.link,
        answers=answers(incident) if asks and context.link else (),
        repeat_every=context.escalation.repeat_every if context.escalation else None,
        repeat_for=_reminds_for(context),
        acts=ACTS if asks else (),
        shown=mark(incident),
        facts=_facts(notification.id, str(notification.kind), [_incident(incident, context.device_name)], context.link),
    )


def _reminds_for(context: MessageContext) -> timedelta | None:
    """Return for how long its escalation goes on to remind; None if it never does."""
    escalation = context.escalation
    if escalation is None or escalation.repeat_every is None:
        return None
    ends_at = (context.first_sent_at or context.now) + escalation.stop_after
    return max(timedelta(0), ends_at - context.now)


def answers(incident: Incident) -> tuple[Answer, ...]:
    """Return the buttons that answer at once, as long as the incident stands as it is shown now."""
    group = short_digest(f"{incident.source} {incident.event}")

    def form(act: str) -> str:
        return urlencode({"act": act, "group": group, "seen": mark(incident)})

    return tuple(Answer(label, act, form(act)) for act, label in ACTS)


def digest_brief(context: DigestContext, found: Sequence[Group], tag: str) -> Brief:
    """Return what a channel needs to know of a digest. It has no button: one could answer for what it doesn't name."""
    facts = [_incident(item.incident, item.device_name, item) for item in context.items]
    over = all(group.over for group in found)
    going_on = [group.severity for group in found if not group.over] or [group.severity for group in found]
    return Brief(
        notification_id=context.notification_id,
        tag=tag,
        severity=worst(*going_on),
        over=over,
        link=context.link,
        facts=_facts(context.digest_id, "digest", facts, context.link),
    )


def _facts(message_id: str, kind: str, incidents: list[Json], link: str | None) -> dict[str, Json]:
    return {"version": VERSION, "id": message_id, "kind": kind, "incidents": incidents, "link": link}


def _incident(incident: Incident, device_name: str | None, item: DigestItem | None = None) -> Json:
    return {
        "id": incident.id,
        "status": str(incident.status),
        "severity": str(incident.severity),
        "source": str(incident.source),
        "event": incident.event,
        "device": incident.device,
        "device_name": device_name,
        "opened_at": _time(incident.opened_at),
        "last_alert_at": _time(incident.last_alert_at),
        "alerts": item.alerts if item else incident.alert_count,
        "acknowledged_by": incident.acknowledged_by,
        "acknowledged_at": _time(incident.acknowledged_at),
        "handed_back_by": incident.handed_back_by,
        "handed_back_at": _time(incident.handed_back_at),
        "resolved_at": _time(incident.resolved_at),
        "resolution": str(incident.resolution) if incident.resolution else None,
    }


def _time(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None
