"""Store alerts, their incidents and their notifications in one commit.

This is the I/O around the pure decisions: read the current state, let `group` and `notify.plan` decide about each
alert, write the results.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from alertgate.accept.device_register import DeviceRegister
from alertgate.accept.hints import Occasion, doubtful_all_clear, shared_part
from alertgate.accept.keys import parts_prefix, shared_key
from alertgate.accept.parts import MOST_PARTS, SHARES, WITHIN, PartReason, is_known, place
from alertgate.accept.planning import AlertPlanner
from alertgate.accept.repeats import REPEATS, WITH_TIME, find_repeat
from alertgate.accept.rulings import Understood
from alertgate.accept.volume import bytes_beside, bytes_of
from alertgate.group import decide as grouping
from alertgate.group.decide import Decision, GroupReason, Known, decide
from alertgate.model import ASIDE, Alert, AlertStatus, Incident, IncidentStatus, Resolution, Signal
from alertgate.notify.batch import REMEMBERED, NotificationBatch
from alertgate.notify.directory import Directory
from alertgate.notify.escalator import Escalator
from alertgate.notify.plan import is_due
from alertgate.notify.runs import Runs
from alertgate.rules import GroupingRules
from alertgate.seen import Seen
from alertgate.store import Connection, escalations, follow
from alertgate.store import alerts as alert_rows
from alertgate.store import incidents as incident_rows
from alertgate.store import notifications as notification_rows


class Result(StrEnum):
    """The result of recording an alert; also a metric label."""

    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"
    IGNORED = "ignored"
    VITALS = "vitals"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The result for one alert; `alert_id` is the id of the earlier alert if this one is a duplicate."""

    result: Result
    alert_id: str
    incident_id: str | None
    due: int = 0
    """How many notifications it made due."""
    reason: str | None = None
    """What it did to its incident, and who is notified when, as a sentence."""
    hint: Alert | None = None
    """What alertgate said of itself because of it."""
    beside: int = 0
    """About how many bytes are stored beside the alert: its incident, notifications, and a hint."""


@dataclass(slots=True)
class AlertBatch:
    """What one transaction has read, and what it will write."""

    last: dict[str, Incident]
    """The newest incidents, open or not, by key."""
    notifications: NotificationBatch
    runs: Runs
    same_id: dict[str, list[Seen]]
    """What the batch's alerts may repeat by their ids, by repeat key."""
    newest: dict[str, Seen]
    """The last alerts, by incident key; not where a person or silence has ended the incident since."""
    all_clears: dict[str, list[Seen]]
    """The latest all-clears that belong to no incident, by incident key: at least the last received and published."""
    parts: dict[str, set[str]]
    """The keys of parts that had an incident within a day, where the batch has new parts; by the key of the whole."""
    opened: dict[str, Incident] = field(default_factory=dict)
    joined: dict[str, Incident] = field(default_factory=dict)
    changed: dict[str, Incident] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)

    def put(self, decision: Decision) -> None:
        """Add the incidents that a decision changed."""
        if decision.ended:
            self._replace(decision.ended)
        if decision.incident is None:
            return
        if decision.reason is GroupReason.JOINED:
            self._join(decision.incident)
        elif decision.incident.alert_count == 1:
            self.opened[decision.incident.id] = decision.incident
        else:
            self._replace(decision.incident)
        self.last[decision.incident.key] = decision.incident

    def put_alert(self, alert: Alert) -> None:
        """Add an alert as it will be stored; the next ones of the batch see it."""
        self.alerts.append(alert)
        seen = self.newest[alert.incident_key] = Seen.of(alert)
        if alert.repeat_key:
            self.same_id.setdefault(alert.repeat_key, []).append(seen)
        if alert.incident_id is None and alert.signal is Signal.RESOLVED:
            self.all_clears.setdefault(alert.incident_key, []).append(seen)

    def place(self, understood: Understood, rules: GroupingRules) -> PartReason:
        """Decide whether a new part has an incident of its own; count it if it has."""
        alert, parts = understood.alert, self.parts.get(understood.whole or "")
        if parts is None or alert.signal is Signal.RESOLVED:
            return PartReason.KNOWN
        reason = place(alert.incident_key, self.last.get(alert.incident_key), parts, alert.received_at, rules)
        if reason is PartReason.FEW:
            parts.add(alert.incident_key)
        return reason

    def known(self, alert: Alert, rules: GroupingRules, whole: str | None) -> Known:
        """Return what is known about the key of an alert; `whole` is the key of its device and event."""
        last = self.last.get(alert.incident_key)
        told_lately = alert.received_at - rules.resolve_after
        return Known(
            last,
            telling=last is not None
            and (self.runs.is_running(last.id) or self.notifications.is_telling(last, told_lately)),
            all_clears=self.all_clears.get(alert.incident_key, ()),
            shared=self.last.get(shared_key(whole)) if whole else None,
        )

    def _join(self, incident: Incident) -> None:
        """Add an incident that only gained an alert, which is cheaper to write than other changes."""
        for others in (self.opened, self.changed):
            if incident.id in others:
                others[incident.id] = incident
                return
        self.joined[incident.id] = incident

    def _replace(self, incident: Incident) -> None:
        if incident.id in self.opened:
            self.opened[incident.id] = incident
        else:
            self.joined.pop(incident.id, None)
            self.changed[incident.id] = incident

    def write(self, connection: Connection) -> None:
        """Write the batch to the store."""
        incident_rows.join(connection, list(self.joined.values()))
        incident_rows.save(connection, list(self.changed.values()))
        incident_rows.add(connection, list(self.opened.values()))
        self.runs.write(connection)
        alert_rows.add(connection, self.alerts)
        self.notifications.write(connection)
        again = [
            id_ for id_, each in self.changed.items() if each.acknowledged_at and each.status is IncidentStatus.OPEN
        ]
        if again:
            follow.show_open_again(connection, again, max(alert.received_at for alert in self.alerts))


class Recorder:
    """Records alerts, and plans notifications to people of the directory.

    `new_id` returns an id for a time, and `device_name` the name of a device's id, if it has one.
    """

    def __init__(
        self,
        rules: GroupingRules,
        directory: Directory,
        new_id: Callable[[datetime], str],
        device_name: Callable[[str | None], str | None] = lambda _: None,
    ) -> None:
        self._rules = rules
        self._new_id = new_id
        self._device_name = device_name
        self._escalator = Escalator(directory, device_name)
        self._planner = AlertPlanner(self._escalator, rules.interval)
        self.devices = DeviceRegister()

    def record(self, connection: Connection, understood: Sequence[Understood]) -> list[Recorded]:
        """Store alerts in the open transaction; `Store.write_batch` calls it."""
        batch = self.read(connection, understood)
        results = [self.add(batch, each) for each in understood]
        batch.write(connection)
        told = zip(understood, results, strict=True)
        self.devices.record(connection, [e.sign for e, done in told if e.sign and done.result is not Result.DUPLICATE])
        return results

    def read(self, connection: Connection, understood: Sequence[Understood]) -> AlertBatch:
        """Read what is stored about the keys and ids of these alerts."""
        alerts = [each.alert for each in understood]
        earliest = min(alert.received_at for alert in alerts)
        self._escalator.look(connection, earliest)
        lately = earliest - self._rules.interval
        keys = {alert.incident_key for alert in alerts}
        last = incident_rows.last(connection, keys)
        new_parts = _new_parts(understood, last, self._rules)
        parts = _read_parts(connection, new_parts, earliest - WITHIN)
        if further := _further_keys(understood, new_parts, last, parts):
            last |= incident_rows.last(connection, further)
        states = notification_rows.contact_states(connection, [each.id for each in last.values()], lately)
        all_clears = alert_rows.all_clears(connection, keys, lately)
        ending = {alert.incident_key for alert in alerts if alert.signal is Signal.RESOLVED}
        believing_open = notification_rows.believing_open(connection, ending, earliest - REMEMBERED)
        return AlertBatch(
            last,
            NotificationBatch(states, believing_open, self._new_id),
            Runs(escalations.of_incidents(connection, [each.id for each in last.values()])),
            same_id=alert_rows.with_same_id(connection, alerts, earliest - WITH_TIME),
            newest=_newest(connection, last.values(), all_clears),
            all_clears=all_clears,
            parts=parts,
        )

    def add(self, batch: AlertBatch, understood: Understood) -> Recorded:
        """Decide about one alert, and add the results to the batch, with what alertgate says because of it."""
        alert, whole = understood.alert, understood.whole
        if alert.status in ASIDE:
            batch.alerts.append(alert)
            return Recorded(Result(alert.status), alert.id, None, reason=alert.reason)
        place_reason = batch.place(understood, self._rules)
        if place_reason is PartReason.SHARED and whole:
            reason = "; ".join(filter(None, (alert.reason, SHARES)))
            alert = replace(alert, incident_key=shared_key(whole), reason=reason)
        same_id = batch.same_id.get(alert.repeat_key or "", ())
        before = batch.last.get(alert.incident_key)
        newest = batch.newest.get(alert.incident_key)
        repeat_reason, stored = find_repeat(alert, same_id, newest, before, self._rules)
        if stored:
            return Recorded(Result.DUPLICATE, stored.id, stored.incident_id, reason=REPEATS[repeat_reason])
        now = alert.received_at
        known = batch.known(alert, self._rules, whole)
        decision = decide(known, alert, self._rules, new_id=self._new_id(now))
        decision = self._planner.judged(batch.runs, decision, before, now)
        batch.put(decision)
        planned = self._planner.plan(batch.notifications, batch.runs, decision, before, now)
        sentences = [
            alert.reason,
            REPEATS.get(repeat_reason),
            grouping.sentence(decision, self._rules),
            *(sentence for _, sentence in planned),
        ]
        reason = "; ".join(dict.fromkeys(filter(None, sentences)))
        incident_id = decision.incident.id if decision.incident else None
        batch.put_alert(replace(alert, incident_id=incident_id, reason=reason))
        result = Result.QUARANTINED if alert.status is AlertStatus.QUARANTINED else Result.ACCEPTED
        due = sum(is_due(choice, now) for choice, _ in planned)
        beside = bytes_beside(reason, decision.incident, [choice for choice, _ in planned])
        recorded = Recorded(result, alert.id, incident_id, due, reason, beside=beside)
        occasion = shared_part(understood, place_reason) or doubtful_all_clear(understood, known)
        return self._add_hint(batch, occasion, recorded, now) if occasion else recorded

    def _add_hint(self, batch: AlertBatch, occasion: Occasion, recorded: Recorded, now: datetime) -> Recorded:
        """Add a hint, unless one is stored already; return the result of the alert that caused it with the hint."""
        if occasion.key in batch.last:
            return recorded
        hint = occasion.alert(self._new_id(now), now, self._device_name(occasion.understood.alert.device))
        told = self.add(batch, Understood(hint))
        hint = replace(hint, incident_id=told.incident_id)
        beside = recorded.beside + bytes_of(hint) + told.beside
        return replace(recorded, due=recorded.due + told.due, hint=hint, beside=beside)


def _new_parts(
    understood: Sequence[Understood], last: Mapping[str, Incident], rules: GroupingRules
) -> dict[str, list[Alert]]:
    """Return the firing alerts whose part has no incident, by the key of the whole."""
    new: dict[str, list[Alert]] = {}
    for each in understood:
        alert = each.alert
        is_firing = alert.signal is Signal.FIRING
        if each.whole and is_firing and not is_known(last.get(alert.incident_key), alert.received_at, rules):
            new.setdefault(each.whole, []).append(alert)
    return new


def _read_parts(
    connection: Connection, new_parts: Mapping[str, Sequence[Alert]], since: datetime
) -> dict[str, set[str]]:
    """Return the keys of the parts that had an incident since then, by the key of the whole."""
    return {
        whole: incident_rows.keys_since(connection, new[0].device, parts_prefix(whole), since, MOST_PARTS)
        for whole, new in new_parts.items()
    }


def _further_keys(
    understood: Sequence[Understood],
    new_parts: Mapping[str, Sequence[Alert]],
    last: Mapping[str, Incident],
    parts: Mapping[str, Collection[str]],
) -> set[str]:
    """Return the keys, beside those of the alerts, whose incidents they may change or depend on."""
    keys = set[str]()
    for each in understood:
        incident = last.get(each.alert.incident_key)
        occasion = doubtful_all_clear(each, Known(incident))
        if each.alert.signal is Signal.RESOLVED:
            is_open = incident is not None and incident.status is not IncidentStatus.RESOLVED
            keys |= {shared_key(each.whole)} if each.whole and not is_open else set()
        elif each.whole and len(parts.get(each.whole, ())) + len(new_parts.get(each.whole, ())) > MOST_PARTS:
            keys.add(shared_key(each.whole))
            occasion = shared_part(each, PartReason.SHARED)
        keys |= {occasion.key} if occasion else set()
    return keys


def _newest(
    connection: Connection, last: Collection[Incident], all_clears: Mapping[str, Sequence[Seen]]
) -> dict[str, Seen]:
    """Return the newest alert of each incident key, unless its incident has changed since without an alert."""
    by_id = alert_rows.seen(connection, [each.last_alert_id for each in last if each.last_alert_id])
    newest = {
        each.key: by_id[each.last_alert_id]
        for each in last
        if each.last_alert_id in by_id and each.resolution in (None, Resolution.ALERT)
    }
    for key, unheeded in all_clears.items():
        newest[key] = max(*unheeded, newest.get(key, unheeded[0]))  # by their ids, and so by their times
    return newest
