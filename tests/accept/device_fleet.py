"""A fleet whose devices speak as a test says, and the watch of it on a real store; time passes at once."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine
from sqlalchemy import func, select

from alertgate.accept.device_reports import DeviceReporter
from alertgate.accept.device_turn import LEASE, Turn
from alertgate.accept.device_watch_job import DeviceWatch
from alertgate.accept.device_wide import Wide
from alertgate.accept.record import Recorder
from alertgate.config import Settings
from alertgate.device import Device, DeviceState, VitalsHour
from alertgate.ids import Ids
from alertgate.metrics import LabelValues, Metrics
from alertgate.model import Alert, ChannelName, Incident, IncidentStatus, Resolution, Source
from alertgate.notify.directory import Directory
from alertgate.policy.devices import DeviceRule
from alertgate.policy.people import recipients
from alertgate.policy.policy import Policy
from alertgate.rules import GroupingRules, SeverityRules
from alertgate.settings_load import load
from alertgate.store import alerts, escalations, incidents, rows
from alertgate.store import device_watch as watch_rows
from alertgate.store.device_tables import devices
from alertgate.store.device_watch import Watching
from alertgate.store.engine import Store
from alertgate.store.pages import Wanted
from tests.conftest import PARTICLE, copy_template
from tests.fakes import FakeClock

RULES = GroupingRules(interval=timedelta(minutes=5), resolve_after=timedelta(minutes=30))
TARGETS = [(ChannelName.EMAIL, "me@example.com")]
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def device_id(number: int) -> str:
    """Return the id of a device."""
    return f"{number:024x}"


def rule(number: int, **expected: Any) -> DeviceRule:
    """Return what is expected of one device, by its id."""
    return DeviceRule(device_id(number), **expected)


def due_after(before: Device | None, after: Device, now: datetime) -> datetime | None:
    """Return when the watch has to look at a device after something came from it, as accepting that says."""
    if before is None:
        return now
    is_back = after.last_seen_at != before.last_seen_at and before.state is not DeviceState.FINE
    news = ("offline_at", "battery", "outages", "resets")
    has_news = any(getattr(after, name) != getattr(before, name) for name in news)
    return now if has_news or is_back else after.due_at


@dataclass
class Fleet:
    """Devices, what the policy says of them, and one replica that watches them."""

    store: Store
    clock: FakeClock
    policy: Policy = field(default_factory=lambda: Policy(people=recipients(TARGETS, Policy().readers_zone)))
    owner: str = "replica-1"
    names: Mapping[str, str] = field(default_factory=dict)
    """As DEVICES has them."""
    severities: tuple = ()
    through: Any = None
    """The store as the watch sees it, if that is another one."""
    woken: int = 0

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start the process (again)."""
        ids = Ids(None)
        directory = Directory(lambda: self.policy, {ChannelName.EMAIL})
        recorder = self.recorder = Recorder(RULES, directory, ids, self._name)
        severities = SeverityRules(self.severities, Settings.model_fields["default_severity"].default)
        reporter = DeviceReporter(recorder, directory, ids, severities, self._name)
        turn = Turn(reporter, self.owner, RULES.interval, ids)
        metrics = Metrics("1", self.clock, LabelValues([], ["accepted"], [], [], [], []))
        store = self.through or self.store
        self.watch = DeviceWatch(store, turn, directory, self.clock, metrics=metrics, wake=self._wake, names=self.names)

    def _name(self, device: str | None) -> str | None:
        return self.names.get(device or "")

    def _wake(self) -> None:
        self.woken += 1

    def expect(self, *rules: DeviceRule) -> None:
        """Load a policy with these rules."""
        self.policy = replace(self.policy, devices=rules)

    async def look(self) -> None:
        """Let the watch look."""
        await self.watch.run()

    def hear(self, *numbers: int, at: datetime | None = None, **also: Any) -> None:
        """Store a sign of life of devices, as accepting one does."""
        at = at or self.clock.now()
        self._store({device_id(number): {"last_seen_at": at, "offline_at": None, **also} for number in numbers}, at)

    def note(self, number: int, **also: Any) -> None:
        """Store something of a device that is no sign of life."""
        self._store({device_id(number): also}, self.clock.now())

    def goes_offline(self, number: int) -> None:
        """Store that the cloud noticed that a device is away."""
        [found] = self.devices([device_id(number)]) or [Device(device_id(number))]
        at = self.clock.now()
        self.note(number, offline_at=at, outages=(*found.outages, at.isoformat()))

    def _store(self, changes: Mapping[str, Mapping[str, Any]], now: datetime) -> None:
        known = {each.id: each for each in self.devices(list(changes))}
        changed = []
        for each, values in changes.items():
            before = known.get(each)
            after = replace(before or Device(each), **values)
            changed.append(replace(after, due_at=due_after(before, after, now)))
        columns = [name for name in Device.__dataclass_fields__ if name not in ("id", "vitals", "gaps")]
        with self.store.transaction() as connection:
            rows.update_rows(connection, devices, changed, columns)

    def remember(self, hours: Sequence[VitalsHour]) -> None:
        """Store what devices said of themselves by the hour."""
        from alertgate.store.device_tables import vitals  # noqa: PLC0415  (the field above has its name)

        with self.store.transaction() as connection:
            rows.insert_rows(connection, vitals, hours)

    def devices(self, ids: Sequence[str]) -> list[Device]:
        """Return devices as they are stored."""
        return self.store.read_now(lambda connection: watch_rows.by_id(connection, ids))

    def state(self, number: int) -> DeviceState:
        """Return how a device stands."""
        [found] = self.devices([device_id(number)])
        return found.state

    def idle(self, until: datetime) -> None:
        """Let time pass in which the watch runs and finds nothing to do: it renews its lease, and no more."""
        self.clock.time = until
        with self.store.transaction() as connection:
            found = watch_rows.watching(connection)
            watch_rows.save_watching(connection, replace(found, ran_at=until, lease_until=until + LEASE))

    async def passes(self, time: timedelta) -> None:
        """Let time pass, and let the watch decide about each device when it is due."""
        until = self.clock.now() + time
        await self.look()
        while (at := self.next_at()) and at <= until:
            self.idle(max(at, self.clock.now() + timedelta(seconds=1)))
            await self.look()
        self.idle(until)
        await self.look()

    def next_at(self) -> datetime | None:
        """Return when the watch has something to decide next."""

        def find(connection: Any) -> datetime | None:
            due = connection.execute(select(func.min(devices.c.due_at))).scalar()
            wide = Wide.of(watch_rows.watching(connection).wide)
            ends = wide.settles_at(RULES.interval) if wide else None
            return min((at for at in (due, ends) if at), default=None)

        return self.store.read_now(find)

    def watching(self) -> Watching:
        """Return who watches."""
        return self.store.read_now(watch_rows.watching)

    def missed(self) -> list[timedelta]:
        """Return for how long nobody could be heard, each time."""
        found = self.store.read_now(watch_rows.known_downtimes)
        return [each.ended_at - each.began_at for each in found]

    def incidents(self) -> list[Incident]:
        """Return the watch's incidents, oldest first."""
        return self.store.read_now(lambda c: incidents.page(c, Wanted(source=Source.WATCH), None, 1000))[::-1]

    def escalation(self, incident: Incident) -> str:
        """Return the escalation that an incident went to."""
        run = self.store.read_now(lambda connection: escalations.get(connection, incident.id))
        assert run
        return run.escalation

    def resolve(self, incident: Incident) -> None:
        """Store that a person resolved an incident."""
        over = {"status": IncidentStatus.RESOLVED, "resolved_at": self.clock.now(), "resolution": Resolution.PERSON}
        with self.store.transaction() as connection:
            incidents.save(connection, [replace(incident, **over)])

    def open(self) -> list[tuple[str, str | None]]:
        """Return event and device of the incidents that aren't over."""
        found = (each for each in self.incidents() if each.status is not IncidentStatus.RESOLVED)
        return sorted((each.event, each.device) for each in found)

    def said(self, source: Source = Source.WATCH) -> list[Alert]:
        """Return what the watch said of devices, or of alertgate itself, oldest first."""
        return self.store.read_now(lambda c: list(alerts.page(c, Wanted(source=source), None, 1000)))[::-1]


class FleetLife(RuleBasedStateMachine):
    """The life of a fleet on a store of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.directory = TemporaryDirectory()
        made = load(None, particle_webhook_secret=PARTICLE, data_dir=Path(self.directory.name))
        copy_template(made)
        self.store = Store(made)
        self.store.open(exclusive=True)
        self.fleet = Fleet(self.store, FakeClock())

    def teardown(self) -> None:
        """Close the store."""
        self.store.close()
        self.loop.close()
        self.directory.cleanup()
