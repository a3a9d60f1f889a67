"""Take the watch's turn within transactions: read the devices that are due, decide, store and record.

What is told is recorded in the transaction that stores that it is told: a crash neither loses nor doubles an incident.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from alertgate.accept import device_health, device_silence, device_watch, device_wide
from alertgate.accept.device_reports import DeviceReporter
from alertgate.accept.device_watch import Expectations, Listening, Looked, look
from alertgate.accept.device_wide import LOOK, TOGETHER, Fleet, Overdue, Wide, WideReason
from alertgate.accept.device_words import Rest
from alertgate.device import Device, DeviceState, Downtime
from alertgate.model import Alert
from alertgate.store import Connection
from alertgate.store import device_watch as rows
from alertgate.store import incidents as incident_rows
from alertgate.store.device_watch import Watching

AT_ONCE = 500
"""How many devices one transaction decides about: requests wait for it."""
LEASE = timedelta(seconds=30)
RENEW = timedelta(seconds=10)
"""How old it may be, when the watch ran last, before that is written again."""
SKEW = timedelta(minutes=1)
"""A lease that ends later than this after its length was stamped by a clock that was wrong, and doesn't count."""
KEPT = timedelta(days=400)
"""How long downtimes are kept; nothing is expected less often than that."""

log = structlog.stdlib.get_logger("alertgate.watch")


@dataclass(slots=True)
class Told:
    """What one turn told."""

    alerts: list[Alert] = field(default_factory=list)
    due: int = 0
    """How many notifications it made due."""


def is_others(watching: Watching, owner: str, now: datetime) -> bool:
    """Return whether another replica watches now."""
    until = watching.lease_until
    return watching.owner not in (None, owner) and until is not None and now < until <= now + LEASE + SKEW


class Turn:
    """Decides by what is expected. `owner` is this replica; `interval` is GROUP_INTERVAL."""

    def __init__(
        self, reporter: DeviceReporter, owner: str, interval: timedelta, new_id: Callable[[datetime], str]
    ) -> None:
        self._reporter = reporter
        self._owner = owner
        self._interval = interval
        self._new_id = new_id

    def needed(self, connection: Connection, now: datetime) -> bool:
        """Return whether anything is to be done: most looks find nothing, and write nothing."""
        watching = rows.watching(connection)
        if is_others(watching, self._owner, now):
            return False
        ran_at, wide = watching.ran_at, Wide.of(watching.wide)
        if watching.owner != self._owner or ran_at is None or not timedelta(0) <= now - ran_at < RENEW:
            return True
        return wide is not None or rows.is_due(connection, now)

    def is_mine(self, connection: Connection, now: datetime) -> bool:
        """Return whether this replica watches, or may."""
        return not is_others(rows.watching(connection), self._owner, now)

    def begin(self, connection: Connection, listening: Listening, now: datetime) -> Told | None:
        """Take or renew the lease, and see what the time since the last turn was; None if another replica watches."""
        watching = rows.watching(connection)
        if is_others(watching, self._owner, now):
            return None
        passed = device_watch.passed(watching.ran_at, listening, now)
        wide = watching.wide
        if passed.set_back:
            rows.set_back(connection, passed.set_back, now)
            found = Wide.of(wide)
            wide = found.moved(-passed.set_back).as_json() if found else None
            log.warning("watch.set_back", detail="deadlines of devices moved with the clock", by=str(passed.set_back))
        alerts = []
        if passed.downtime:
            self._missed(connection, *passed.downtime)
            alerts = [self._reporter.away(connection, *passed.downtime, now)] if passed.is_told else []
        rows.save_watching(connection, Watching(self._owner, now + LEASE, now, wide))
        return self._record(connection, alerts)

    def stand_still(self, connection: Connection, listening: Listening, now: datetime) -> Told:
        """Note that events are accepted, so that no deadline moves, and leave the watch to another replica.

        For as long as this one can't know what is expected of devices, and once it stops.
        """
        told = self.begin(connection, listening, now)
        if told is None:
            return Told()
        self.release(connection)
        return told

    def release(self, connection: Connection) -> None:
        """Leave the watch to whoever begins next, if this replica has it."""
        watching = rows.watching(connection)
        if watching.owner == self._owner:
            rows.save_watching(connection, replace(watching, owner=None, lease_until=None))

    def _missed(self, connection: Connection, began_at: datetime, ended_at: datetime) -> None:
        rows.add_downtime(connection, Downtime(self._new_id(ended_at), began_at, ended_at))
        rows.forget_downtimes(connection, ended_at - KEPT)
        log.warning(
            "watch.missed",
            detail="no process ran, the store couldn't be written, or the clock was set forward: deadlines of devices "
            "move by this time, and what they sent then is lost unless it is sent again",
            since=began_at.isoformat(),
            until=ended_at.isoformat(),
            seconds=round((ended_at - began_at).total_seconds()),
        )

    def look(
        self, connection: Connection, expectations: Expectations, after: str, now: datetime
    ) -> tuple[Told, str | None]:
        """Decide about some devices that are due; return the id after which to go on, or None if these were all."""
        due = rows.due(connection, now, after, AT_ONCE)
        told = self._look_at(connection, expectations, due, now)
        return told, due[-1].id if len(due) == AT_ONCE else None

    def _look_at(
        self, connection: Connection, expectations: Expectations, devices: Sequence[Device], now: datetime
    ) -> Told:
        downtimes = rows.known_downtimes(connection)
        looked = [look(each, self._wanted(expectations, each), downtimes, now) for each in devices]
        rows.save(connection, [each.device for each in looked if each.device != each.before])
        if heard := [each for each in looked if each.was_heard]:
            self._heard_again(connection, [device_watch.was_overdue(each, downtimes) for each in heard], now)
        alerts = [alert for each in looked for alert in self._reporter.changes(connection, each, now)]
        return self._record(connection, alerts)

    def _wanted(self, expectations: Expectations, device: Device) -> device_watch.Wanted:
        return expectations.of(device.id, self._reporter.name(device), was_heard=device.was_heard)

    def _heard_again(self, connection: Connection, were: Sequence[Overdue | None], now: datetime) -> None:
        """Note that a device of the wide silence was heard, if one lasts; that another one was late says nothing."""
        watching = rows.watching(connection)
        wide = Wide.of(watching.wide)
        if wide and (again := [each for each in were if each and wide.covers(each)]):
            rows.save_watching(connection, replace(watching, wide=wide.heard(now, again).as_json()))

    def _record(self, connection: Connection, alerts: list[Alert]) -> Told:
        recorded = self._reporter.record(connection, alerts)
        return Told(alerts, sum(each.due for each in recorded))

    def tell(self, connection: Connection, expectations: Expectations, now: datetime) -> Told:
        """Decide which silences are told, each by itself or together."""
        watching = rows.watching(connection)
        wide, untold = Wide.of(watching.wide), rows.untold(connection, now)
        if not untold and (wide is None or self._lasts(connection, wide, now)):
            return Told()
        told_since = min(now - TOGETHER, wide.since) if wide else now - TOGETHER
        devices = {each.id: each for each in rows.overdue(connection, told_since)}
        if heard := [each for each in devices.values() if device_silence.is_heard_again(each)]:
            return self._tell_after(connection, expectations, heard, now)
        downtimes = rows.known_downtimes(connection)
        found = [device_watch.overdue(each, self._wanted(expectations, each), downtimes) for each in devices.values()]
        overdue = [each for each in found if each]
        if wide:
            overdue = self._whether_reached(connection, wide, overdue, {each.id: each for each in untold})
        fleet = self._fleet(connection, overdue, wide, now)
        decision = device_wide.decide(fleet, wide, now, self._interval, self._new_id(now))
        after, silent = decision.wide, rows.count_silent(connection)
        if decision.outage:
            rows.add_downtime(connection, decision.outage)
        if decision.reason is WideReason.ANEW:
            rows.look_again(connection, list(devices), now)
        alerts = self._alone(connection, expectations, [devices[each.id] for each in decision.alone], now)
        if after and decision.to:
            members, to = ([devices[each.id] for each in some] for some in (decision.together, decision.to))
            said = self._reporter.wide(after, members, to, fleet.watched, now, again=wide is not None)
            before = wide.told if wide else {}
            after = replace(after, told={**before, **{each: said[each].incident_key for each in said}})
            alerts += said.values()
        if wide and after is None:
            rest = _rest(wide, fleet, decision.alone, silent)
            alerts += self._reporter.wide_over(connection, wide, rest, now)
        if after != wide:
            rows.save_watching(connection, replace(watching, wide=after.as_json() if after else None))
        self._cover(connection, (devices[each.id] for each in decision.covered), now)
        return self._record(connection, alerts)

    def _tell_after(
        self, connection: Connection, expectations: Expectations, heard: Sequence[Device], now: datetime
    ) -> Told:
        """Do the same once devices were looked at that were heard after the look of this turn: they aren't silent."""
        looked = self._look_at(connection, expectations, heard, now)
        told = self.tell(connection, expectations, now)
        return Told([*looked.alerts, *told.alerts], looked.due + told.due)

    def _lasts(self, connection: Connection, wide: Wide, now: datetime) -> bool:
        """Return whether a wide silence goes on, where there is nothing new to tell."""
        if wide.is_total or wide.may_end(rows.watched_heard(connection), now, self._interval):
            return False
        return rows.has_overdue(connection)

    def _fleet(self, connection: Connection, overdue: Sequence[Overdue], wide: Wide | None, now: datetime) -> Fleet:
        return Fleet(
            overdue,
            rows.count_watched(connection),
            rows.last_heard(connection),
            rows.watched_heard(connection),
            rows.late_soon(connection, now, now + LOOK),
            rows.count_unheard(connection, wide.quiet_since) if wide else 0,
        )

    def _whether_reached(
        self, connection: Connection, wide: Wide, overdue: Sequence[Overdue], untold: Mapping[str, Device]
    ) -> list[Overdue]:
        """Return them with whether an incident of the wide silence tells their people, as it does of all but `untold`.

        One that a person resolved tells of those that it began with, and of those that were silent by then; one of the
        wide silence before, of those that were silent before this one.
        """
        incidents = incident_rows.last(connection, list(wide.told.values()))

        def is_reached(each: Overdue) -> bool:
            if (device := untold.get(each.id)) is None:
                return True
            key = wide.told.get(self._reporter.escalation(device))
            incident = incidents.get(key or "")
            if incident is None:
                # Retention deleted it, or the version before stored no key: it told of those who were late by then.
                return (key is not None or not wide.told) and each.late_at <= wide.at
            if device.state_at is None:
                return False
            # One that ended within GROUP_INTERVAL is open again, and tells of this silence since then.
            if (incident.changed_at or incident.opened_at) < wide.at:
                return device.state_at < wide.at
            return incident.resolved_at is None or each.late_at <= wide.at or device.state_at <= incident.resolved_at

        return [replace(each, is_reached=is_reached(each)) for each in overdue]

    def _alone(
        self, connection: Connection, expectations: Expectations, devices: Sequence[Device], now: datetime
    ) -> list[Alert]:
        told = [replace(each, told_at=now, due_at=_next(each, now)) for each in devices]
        rows.save(connection, told)
        return [self._reporter.silence(each, self._wanted(expectations, each), now) for each in told]

    def _cover(self, connection: Connection, devices: Iterable[Device], now: datetime) -> None:
        """Decide no more about who is silent with the others, until something comes from it."""
        times = [(each, _next(each, now)) for each in devices]
        changed = [(each, at) for each, at in times if at != each.due_at and (at is None or at > now)]
        rows.save(connection, [replace(each, due_at=at) for each, at in changed])

    def expect(
        self, connection: Connection, expectations: Expectations, changed: Collection[str], now: datetime
    ) -> Told:
        """Decide about devices of which something else is expected than before; those never heard of are added."""
        new = [Device(each, state=DeviceState.UNKNOWN, watched_since=now, due_at=now) for each in expectations.awaited]
        rows.add(connection, new)
        return self._look_at(connection, expectations, rows.by_id(connection, changed), now)

    def unlike(
        self, connection: Connection, expectations: Expectations, after: str, now: datetime
    ) -> tuple[list[str], str | None]:
        """Return which of some devices aren't looked at when they should be, and the id after which to go on."""
        downtimes = rows.known_downtimes(connection)
        devices = rows.page(connection, after, AT_ONCE * 4)
        looked = (look(each, self._wanted(expectations, each), downtimes, now) for each in devices)
        changed = [each.device.id for each in looked if _differs(each)]
        return changed, devices[-1].id if devices else None


def _rest(wide: Wide, fleet: Fleet, alone: Sequence[Overdue], silent: int) -> Rest:
    """Return what becomes of those that still say nothing. `alone` are told now; `silent` are so in all."""
    before = silent - sum(each.is_untold for each in fleet.overdue)
    if wide.is_total:
        return Rest(len(alone), max(fleet.unheard - before - len(alone), 0), before)
    told = {each.id for each in fleet.overdue if each.told_at or not each.may_tell} | {each.id for each in alone}
    return Rest(len(alone), sum(each.id not in told and wide.covers(each) for each in fleet.overdue), before)


def _next(device: Device, now: datetime) -> datetime | None:
    return min(device_health.looks_again_at(device, now), default=None)


def _differs(looked: Looked) -> bool:
    """Return whether the store says something else of a device than what counts now; to be looked at early is none."""
    before, after = looked.before, looked.device
    if looked.health or looked.over or before.state is not after.state:
        return True
    if (before.watched_since is None) is not (after.watched_since is None):
        return True
    if after.due_at is None:
        return False
    return before.due_at is None or before.due_at > after.due_at
