"""Outages of any length, whatever happens meanwhile: a state machine against what people may get and must hear.

The machine records alerts of several doors, and delivers with the real recorder, claimer and store. The channel works,
or is away for everybody; the process may be killed at any time.
"""

from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import false, or_, select

from alertgate.accept.record import Recorder
from alertgate.accept.rulings import Understood
from alertgate.credential import Credential
from alertgate.group.actions import Action, IncidentActions
from alertgate.model import (
    BEGINNINGS,
    ChannelName,
    Incident,
    IncidentStatus,
    Kind,
    NotificationStatus,
    Severity,
    Signal,
)
from alertgate.notify.claim import Claim, Claimer
from alertgate.notify.context import Outgoing
from alertgate.notify.directory import Directory
from alertgate.notify.flood import GATHER, FloodRules
from alertgate.notify.missed import MISSED_AFTER
from alertgate.rules import GroupingRules
from alertgate.store import incidents, leases, upkeep
from alertgate.store.engine import Store
from alertgate.store.leases import Finish
from alertgate.store.tables import notifications
from alertgate.uuid7 import uuid7
from tests.builders import examples, for_any, new_alert, one_life
from tests.fakes import START

EMAIL = ChannelName.EMAIL
RULES = GroupingRules(timedelta(minutes=5), timedelta(minutes=30))
ADDRESSES = ["ann@example.com", "ben@example.com"]
DOORS = ["front", "back", "barn", "gate"]
PROBE = timedelta(minutes=15)
GIVE_UP = timedelta(hours=2)


class Said(NamedTuple):
    """What one contact was told about one incident."""

    address: str
    incident: Incident


class Outages(RuleBasedStateMachine):
    """Four doors and two contacts, whose channel may be away."""

    store: Store
    """It is left as it was: each life is one transaction, which is rolled back."""
    flood_limit: int

    def __init__(self) -> None:
        super().__init__()
        self.transaction = ExitStack()
        self.connection = self.transaction.enter_context(one_life(self.store))
        self.ids = count()
        targets = [(EMAIL, address) for address in ADDRESSES]
        directory, flood_rules = Directory.of(targets), FloodRules(self.flood_limit, RULES.interval)
        self.recorder = Recorder(RULES, directory, self.new_id)
        self.actions = IncidentActions(directory, RULES.interval, self.new_id)
        self.claimer = Claimer(flood_rules, (), directory, owner="me", new_id=self.new_id)
        self.now = START
        self.paused_at: datetime | None = None
        self.probe_at = START
        self.away = False
        self.said: list[Said] = []
        self.digest_at: dict[str, datetime] = {}
        """When a digest to a contact was last tried: what is fresh then waits for an interval, outage or not."""

    @initialize()
    def begin(self) -> None:
        """One door is open already, and both know it."""
        self.publish("front", Severity.WARNING, is_alarm=True)

    @rule(door=st.sampled_from(DOORS), severity=st.sampled_from(Severity), is_alarm=st.booleans())
    def publish(self, door: str, severity: Severity, *, is_alarm: bool) -> None:
        """A door says something."""
        self.now += timedelta(seconds=1)
        signal = Signal.FIRING if is_alarm else Signal.RESOLVED
        alert = new_alert(signal=signal, severity=severity, incident_key=f"particle:{door}:e", device=door)
        alert = replace(alert, id=self.new_id(self.now), received_at=self.now)
        self.recorder.record(self.connection, [Understood(alert)])
        self.round()

    @rule(door=st.sampled_from(DOORS))
    def acknowledge(self, door: str) -> None:
        """Ann is on it."""
        key = f"particle:{door}:e"
        found = incidents.last(self.connection, [key]).get(key)
        if found and found.status is IncidentStatus.OPEN:
            self.actions.acknowledge(self.connection, Action(found.id, "Ann", Credential.API_TOKEN, self.now))

    @rule()
    def go_away(self) -> None:
        """The mail server goes away."""
        self.away = True

    @rule(minutes=st.sampled_from([1, 6, 31, 150, 400]))
    def wait(self, minutes: int) -> None:
        """Time passes, and what becomes due is tried."""
        for step in [1] * min(minutes, 6) + [15] * (max(minutes - 6, 0) // 15):
            self.now += timedelta(minutes=step)
            self.round()
        incidents.resolve_quiet(self.connection, RULES, self.now)

    @rule()
    def be_killed(self) -> None:
        """The process dies while it sends, and another one begins, which doesn't know of the outage."""
        self.claim()
        leases.release_all(self.connection, self.now)
        self.paused_at = None

    @rule()
    def come_back(self) -> None:
        """The mail server works again: each contact gets one message, and what begins to be critical just now."""
        if not self.away:
            return
        self.now += timedelta(minutes=2)
        self.round()  # so that all that waits was tried
        self.away = False
        self.now = max(self.now, self.probe_at)
        missed = {each: self.waiting(each, only_due=True) for each in ADDRESSES}
        flooded = {each for each, at in self.digest_at.items() if self.now - at < RULES.interval}
        messages = self.round()
        self.now += GATHER
        messages += self.round()
        for address in ADDRESSES:
            got = [each for each in messages if each.first.address == address]
            fresh = [each for each in got if not each.is_digest and is_critical_beginning(each, self.now)]
            assert len(got) - len(fresh) <= 1, [each.notifications for each in got]
            told = {n.incident_id for each in got for n in each.notifications}
            assert told == missed[address] or (address in flooded and told <= missed[address])

    def waiting(self, address: str, *, only_due: bool = False) -> set[str]:
        """Return the incidents that a contact is to hear of: each door's last, unless acknowledged or told since."""
        n, unsaid = notifications.c, (NotificationStatus.PENDING, NotificationStatus.FAILED)
        query = select(n.incident_id, n.created_at, n.kind).where(
            n.address == address, n.status.in_(unsaid), n.superseded_by.is_(None)
        )
        if only_due:  # a probe takes along what waits for a retry
            query = query.where(or_(n.due_at <= self.now, n.attempts > 0 if self.paused_at else false()))
        planned = {row[0]: row for row in self.connection.execute(query.order_by(n.created_at))}
        found = incidents.by_id(self.connection, planned)
        last = incidents.last(self.connection, {each.key for each in found.values()})
        return {
            each.id
            for each in found.values()
            if last[each.key].id == each.id
            and each.status is not IncidentStatus.ACKNOWLEDGED
            and not (each.acknowledged_at and self.is_known(planned[each.id], each.acknowledged_at))
        }

    @staticmethod
    def is_known(planned: Any, acknowledged_at: datetime) -> bool:
        """Return whether an acknowledgement came after what it makes needless: it doesn't make an end so."""
        return bool(planned.kind is not Kind.RESOLUTION and acknowledged_at > planned.created_at)

    def claim(self, *, probe: bool = False) -> tuple[Outgoing, ...]:
        """Claim what is due, or a probe."""
        return self.claimer.claim(self.connection, Claim(EMAIL, 1 if probe else 100, self.now, probe)).messages

    def round(self) -> list[Outgoing]:
        """Do what the delivery loop does at one time; return what was sent."""
        if self.paused_at:
            upkeep.note_missed(self.connection, EMAIL, self.paused_at, self.now)
        upkeep.give_up(self.connection, self.now - GIVE_UP, self.now)
        sent: list[Outgoing] = []
        while self.paused_at is None or self.now >= self.probe_at:
            messages = self.claim(probe=self.paused_at is not None)
            if not messages:
                break
            self.digest_at |= {each.first.address: self.now for each in messages if each.first.digest_id}
            self.finish(messages)
            if self.away:
                self.paused_at, self.probe_at = self.paused_at or self.now, self.now + PROBE
                break
            sent += messages
            if self.paused_at:
                self.paused_at = None
                upkeep.bring_forward(self.connection, EMAIL, self.now)
        return sent

    def finish(self, messages: tuple[Outgoing, ...]) -> None:
        """Record the server's answers, or that there is none."""
        for snapshot in (each for message in messages for each in message.snapshots):
            notification, incident = snapshot.notification, snapshot.incident
            if self.away:
                since = max(notification.retry_since, incident.last_alert_at)
                waits = NotificationStatus.PENDING if self.now - since < GIVE_UP else NotificationStatus.FAILED
                end = Finish(notification, waits, self.now, self.now + PROBE, missed=True)
            else:
                end = Finish(notification, NotificationStatus.SENT, self.now, told=incident.status)
                self.said.append(Said(notification.address, incident))
            assert leases.finish(self.connection, [end]) == [True]

    @invariant()
    def nothing_is_told_twice(self) -> None:
        """Each message about an incident has news: another state, severity or alert."""
        assert [said for said, times in Counter(self.said).items() if times > 1] == []

    @invariant()
    def nobody_is_told_that_an_open_door_is_closed(self) -> None:
        """The last word about a door isn't that it is over while it is open and nothing waits to say so."""
        for address in ADDRESSES:
            last_said = {each.incident.key: each.incident for each in self.said if each.address == address}
            for key, said in last_said.items():
                last = incidents.last(self.connection, [key])[key]
                if said.status is IncidentStatus.RESOLVED and last.status is IncidentStatus.OPEN:
                    assert last.id in self.waiting(address)

    def teardown(self) -> None:
        """Check that nothing waits for ever, and undo everything."""
        try:
            self.come_back()
            for _ in range(20):
                self.now += timedelta(minutes=1)
                self.round()
            # An update may wait for an hour.
            assert [self.waiting(address, only_due=True) for address in ADDRESSES] == [set(), set()]
        finally:
            self.connection.get_transaction().rollback()
            self.transaction.close()

    def new_id(self, at: datetime) -> str:
        """Return an id, in order even within a microsecond, so that a failing life can be lived again."""
        return uuid7(at, next(self.ids).to_bytes(8, "big"))


def is_critical_beginning(message: Outgoing, now: datetime) -> bool:
    """Return whether a message tells of the beginning of something critical that nobody had to wait for."""
    first = message.first
    fresh = first.missed_since is None or first.missed_since + MISSED_AFTER > now
    return fresh and first.severity is Severity.CRITICAL and first.kind in BEGINNINGS


def test_people_get_one_message_after_an_outage_and_hear_of_everything(store):
    """However long it was, however often the process died, and whatever the doors and people did meanwhile."""
    for flood_limit in (0, 5):
        machine = type("Machine", (Outages,), {"store": store, "flood_limit": flood_limit})
        run_state_machine_as_test(
            machine, settings=settings(for_any, max_examples=examples(20), stateful_step_count=30)
        )
