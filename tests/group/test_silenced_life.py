"""Silences that come, overlap and go, whatever fires meanwhile: a state machine against an obvious model.

The machine records alerts, takes turns of escalations, releases what is held and claims messages with the real parts
and store. The model has the silences as people asked for them, and what each contact was told last.
"""

from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from alertgate.accept.record import Recorder
from alertgate.accept.rulings import Understood
from alertgate.credential import Credential
from alertgate.group.actions import Action, IncidentActions
from alertgate.group.silencing import Silencer, SilenceResult, Wanted
from alertgate.model import (
    ChannelName,
    Hold,
    Incident,
    IncidentStatus,
    NotificationStatus,
    Resolution,
    Severity,
    Signal,
)
from alertgate.notify.claim import Claim, Claimer
from alertgate.notify.directory import Directory
from alertgate.notify.escalator import Escalator
from alertgate.notify.flood import FloodRules
from alertgate.notify.holds import Releaser
from alertgate.notify.turns import TurnTaker
from alertgate.policy.policy import Policy
from alertgate.rules import GroupingRules
from alertgate.store import incidents, leases
from alertgate.store.engine import Store
from alertgate.store.leases import Finish
from alertgate.store.tables import escalations as escalation_table
from alertgate.store.tables import incidents as incident_table
from alertgate.store.tables import notifications as notification_table
from alertgate.uuid7 import uuid7
from tests.builders import examples, for_any, new_alert, one_life
from tests.fakes import START
from tests.policies import escalation, person, policy, step

RULES = GroupingRules(timedelta(minutes=5), timedelta(minutes=30))
EVERYBODY = policy([person("anna"), person("ben")])
STEPS = policy([person("anna"), person("ben")], [escalation(step("anna"), step("ben", after="10m"))])
FIRST = "anna@example.org"
EVENTS = ("a", "b")
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
_n, _e = notification_table.c, escalation_table.c


class Message(NamedTuple):
    """What one contact was told about one thing; `held`: a silence, or what followed it, had held that."""

    at: datetime
    incident: Incident
    status: IncidentStatus
    held: bool


@dataclass
class Asked:
    """A silence as somebody asked for it."""

    id: str
    glob: str
    begins_at: datetime
    ends_at: datetime
    unless: Severity | None

    def holds(self, incident: Incident, at: datetime) -> bool:
        """Return whether nobody may be told of an incident at a time."""
        excepted = self.unless is not None and incident.severity.rank >= self.unless.rank
        return self.glob in ("*", incident.event) and not excepted and self.begins_at <= at < self.ends_at


@dataclass
class Told:
    """What one contact was told about each event."""

    by_event: dict[str, list[Message]] = field(default_factory=lambda: defaultdict(list))


class SilencedLife(RuleBasedStateMachine):
    """Two things that fire, and two people; nothing fails."""

    store: Store
    """It is left as it was: each life is one transaction, which is rolled back."""
    policy: Policy

    def __init__(self) -> None:
        super().__init__()
        self.transaction = ExitStack()
        self.connection = self.transaction.enter_context(one_life(self.store))
        directory = Directory(lambda: self.policy, {ChannelName.EMAIL})
        escalator = Escalator(directory)
        self.recorder = Recorder(RULES, directory, self.new_id)
        self.actions = IncidentActions(directory, RULES.interval, self.new_id)
        self.turns = TurnTaker(escalator, RULES.interval, self.new_id)
        self.releaser = Releaser(escalator, RULES.interval, self.new_id)
        self.claimer = Claimer(FloodRules(0, RULES.interval), (), directory, owner="me", new_id=self.new_id)
        self.silencer = Silencer(self.new_id)
        self.ids = count()
        self.now = START
        self.done_at = START - SECOND
        self.asked: list[Asked] = []
        self.told: dict[str, Told] = defaultdict(Told)
        self.known: set[str] = set()
        """The incidents of which somebody was told, or that somebody acknowledged."""

    @initialize(
        before=st.sampled_from([(), (True,), (True, True), (True, False)]),
        lasts=st.sampled_from([12, 40, 300]),
    )
    def begin(self, before: tuple[bool, ...], lasts: int) -> None:
        """Begin with a silence, and with what people know before it."""
        for is_alarm in before:
            self.publish("a", Signal.FIRING if is_alarm else Signal.RESOLVED, Severity.WARNING)
        self.silence("*", 0, lasts, None)

    @rule(event=st.sampled_from(EVENTS), severity=st.sampled_from([Severity.WARNING, Severity.CRITICAL]))
    def fire(self, event: str, severity: Severity) -> None:
        """Something happens."""
        self.publish(event, Signal.FIRING, severity)

    @rule(event=st.sampled_from(EVENTS))
    def clear(self, event: str) -> None:
        """It is over."""
        self.publish(event, Signal.RESOLVED, Severity.WARNING)

    def publish(self, event: str, signal: Signal, severity: Severity) -> None:
        """Record an alert. One that ends an incident for lack of alerts, too, ends none of which nobody was told."""
        alert = new_alert(
            id=self.new_id(self.now),
            incident_key=event,
            event=event,
            signal=signal,
            severity=severity,
            received_at=self.now,
        )
        self.recorder.record(self.connection, [Understood(alert)])
        self.go_on()

    @rule(
        glob=st.sampled_from([*EVENTS, "*"]),
        begins=st.sampled_from([0, 0, 7, 45]),
        lasts=st.sampled_from([1, 12, 40, 300]),
        unless=st.sampled_from([None, None, Severity.CRITICAL]),
    )
    def silence(self, glob: str, begins: int, lasts: int, unless: Severity | None) -> None:
        """Somebody asks for quiet, now or later."""
        begins_at = self.now + begins * MINUTE
        wanted = Wanted(
            "Anna",
            Credential.API_TOKEN,
            begins_at=begins_at,
            lasting=lasts * MINUTE,
            event=glob,
            unless=unless,
        )
        done = self.silencer.begin(self.connection, wanted, self.now)
        assert done.silence
        self.asked.append(Asked(done.silence.id, glob, begins_at, begins_at + lasts * MINUTE, unless))
        self.go_on()

    @precondition(lambda self: any(each.ends_at > self.now for each in self.asked))
    @rule(data=st.data())
    def end_silence(self, data: st.DataObject) -> None:
        """Somebody ends one before its end, or before its beginning."""
        one = data.draw(st.sampled_from([each for each in self.asked if each.ends_at > self.now]))
        done = self.silencer.end(self.connection, one.id, "Ben", Credential.COMMAND_LINE, self.now)
        assert done
        assert done.result is SilenceResult.ENDED
        one.ends_at = self.now
        self.go_on()

    @precondition(lambda self: self.open_incidents())
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        """Ben is on it."""
        one = data.draw(st.sampled_from(self.open_incidents()))
        self.actions.acknowledge(self.connection, Action(one.id, "ben", Credential.API_TOKEN, self.now))
        self.known.add(one.id)
        self.go_on()

    @precondition(lambda self: self.taken_incidents())
    @rule(data=st.data())
    def hand_back(self, data: st.DataObject) -> None:
        """Ben can't after all."""
        one = data.draw(st.sampled_from(self.taken_incidents()))
        self.actions.hand_back(self.connection, Action(one.id, "ben", Credential.API_TOKEN, self.now))
        self.go_on()

    @rule(minutes=st.sampled_from([1, 4, 11, 35, 90, 400]))
    def wait(self, minutes: int) -> None:
        """Time passes, and what becomes due is done; then what is quiet ends."""
        self.pass_time(minutes * MINUTE)
        incidents.resolve_quiet(self.connection, RULES, self.now)

    @invariant()
    def only_what_is_silenced_is_held(self) -> None:
        """Each notification that waits for a silence's end has one to wait for: now, or when it would have been due."""
        waiting = select(_n.incident_id).where(
            _n.status == NotificationStatus.PENDING, _n.hold == Hold.SILENCED, _n.due_at > self.now
        )
        about = incidents.by_id(self.connection, set(self.connection.execute(waiting).scalars()))
        ends = [each.ends_at for each in self.asked if each.ends_at > self.now]
        assert [one.event for one in about.values() if not any(self.is_silenced(one, e - SECOND) for e in ends)] == []

    @invariant()
    def nothing_ends_for_lack_of_alerts_that_nobody_knows(self) -> None:
        """Somebody was told of it before."""
        quiet = select(incident_table.c.id).where(incident_table.c.resolution == Resolution.SILENCE)
        assert set(self.connection.execute(quiet).scalars()) <= self.known

    def teardown(self) -> None:
        """Check what must be true in the end, and undo everything."""
        try:
            self.check_that_people_know()
        finally:
            self.connection.get_transaction().rollback()
            self.transaction.close()

    def check_that_people_know(self) -> None:
        """Some time after the last silence the first person's last word is how things stand."""
        end = max([self.now, *(each.ends_at for each in self.asked)]) + timedelta(minutes=20)
        self.pass_time(end - self.now)
        last = incidents.last(self.connection, set(EVENTS))
        for event, incident in last.items():
            for address, told in self.told.items():
                messages = told.by_event[event]
                if messages and incident.resolution in (Resolution.ALERT, Resolution.PERSON):
                    assert messages[-1].status is IncidentStatus.RESOLVED, (address, "never told that it is over")
            if incident.status is IncidentStatus.OPEN:
                messages = self.told[FIRST].by_event[event]
                assert messages, "never told"
                assert messages[-1].status is not IncidentStatus.RESOLVED, "told that it is over, and it is open"
                assert messages[-1].incident.severity is incident.severity, "never told how bad it is"

    def pass_time(self, time: timedelta) -> None:
        """Move the clock from one due time to the next."""
        end = self.now + time
        while (due := self.next_due()) and due <= end:
            self.now = max(self.now, due)
            self.go_on()
        self.now = max(self.now, end)

    def next_due(self) -> datetime | None:
        """Return when something is due next that wasn't when all that was due was done."""
        waits = select(func.min(_n.due_at)).where(_n.status == NotificationStatus.PENDING, _n.due_at > self.done_at)
        turns = select(func.min(_e.next_at)).where(_e.next_at > self.done_at)
        found = [self.connection.execute(query).scalar() for query in (waits, turns)]
        return min(filter(None, found), default=None)

    def go_on(self) -> None:
        """Do what is due as the service does, and check what is said; each thing takes a second."""
        self.turns.take(self.connection, self.now, 100)
        self.releaser.release(self.connection, self.now, 100)
        self.releaser.send(self.connection, self.now)
        claimed = self.claimer.claim(self.connection, Claim(ChannelName.EMAIL, 100, self.now)).messages
        released = [each.notifications[0].address for each in claimed if self.is_released(each.notifications)]
        assert len(released) == len(set(released)), "two messages at the end of a silence"
        for snapshot in (snapshot for message in claimed for snapshot in message.snapshots):
            notification, incident = snapshot.notification, snapshot.incident
            assert not self.is_silenced(incident, self.now), "told while it is silenced"
            messages = self.told[notification.address].by_event[incident.event]
            held = notification.released_at is not None
            if held and incident.status is IncidentStatus.RESOLVED:
                assert messages, "told of the end of what nobody was told of"
                assert messages[-1].status is not IncidentStatus.RESOLVED, "told twice that it is over"
            messages.append(Message(self.now, incident, incident.status, held))
            self.known.add(incident.id)
            end = Finish(notification, NotificationStatus.SENT, self.now, told=incident.status)
            leases.finish(self.connection, [end])
        self.done_at = self.now
        self.now += SECOND

    def is_released(self, members: tuple) -> bool:
        """Return whether a message tells what a silence held until now."""
        return any(each.released_at == self.now for each in members)

    def is_silenced(self, incident: Incident, at: datetime) -> bool:
        """Return whether the model says that nobody may be told of an incident."""
        return any(each.holds(incident, at) for each in self.asked)

    def open_incidents(self) -> list[Incident]:
        """Return the incidents that nobody has acknowledged."""
        return self.incidents_that_are(IncidentStatus.OPEN)

    def taken_incidents(self) -> list[Incident]:
        """Return the incidents that somebody has."""
        return self.incidents_that_are(IncidentStatus.ACKNOWLEDGED)

    def incidents_that_are(self, status: IncidentStatus) -> list[Incident]:
        """Return the last incidents of each event with this status."""
        last = incidents.last(self.connection, set(EVENTS)).values()
        return [each for each in sorted(last, key=lambda each: each.id) if each.status is status]

    def new_id(self, at: datetime) -> str:
        """Return an id, in order even within a microsecond, so that a failing life can be lived again."""
        return uuid7(at, next(self.ids).to_bytes(8, "big"))


@pytest.mark.parametrize("rules", [EVERYBODY, STEPS], ids=["everybody", "steps"])
def test_silences_hold_and_lose_nothing(store, rules):
    """Nobody is told of what is silenced, nobody misses how it stands in the end, and nobody hears what isn't news."""
    machine = type("Machine", (SilencedLife,), {"store": store, "policy": rules})
    run_state_machine_as_test(machine, settings=settings(for_any, max_examples=examples(40), stateful_step_count=30))
