"""The life of an incident, whatever comes in whatever order: a state machine against an obvious model.

The machine records alerts and delivers notifications with the real recorder and store. The model looks at all that was
published, sorted by time: a door is open if the last that was said about it is an alarm.
"""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count, pairwise
from typing import NamedTuple

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
from sqlalchemy import bindparam, func, or_, select

from alertgate.accept.record import Recorder, Result
from alertgate.accept.rulings import Understood
from alertgate.credential import Credential
from alertgate.group.actions import Action, IncidentActions
from alertgate.model import (
    Alert,
    ChannelName,
    Incident,
    IncidentStatus,
    Kind,
    Notification,
    NotificationStatus,
    Resolution,
    Severity,
    Signal,
)
from alertgate.notify.claim import Claim, Claimer
from alertgate.notify.directory import Directory
from alertgate.notify.flood import FloodRules
from alertgate.notify.plan import CHANGES_AT_ONCE, URGENT_WITHIN
from alertgate.rules import GroupingRules
from alertgate.store import incidents, leases, upkeep
from alertgate.store.engine import Store
from alertgate.store.leases import Finish
from alertgate.store.tables import notifications
from alertgate.store.untold import IS_GIVEN_UP
from alertgate.uuid7 import uuid7
from tests.builders import examples, for_any, new_alert, one_life
from tests.fakes import START

RULES = GroupingRules(timedelta(minutes=5), timedelta(minutes=30))
CONTACTS = [(ChannelName.EMAIL, "ann@example.com"), (ChannelName.EMAIL, "ben@example.com")]
ADDRESSES = [address for _, address in CONTACTS]
KEY = "particle:d:e"
SECOND = timedelta(seconds=1)
RETRY = 20 * SECOND
LATER_RETRY = timedelta(minutes=15)
GIVE_UP = timedelta(hours=2)
CHANGES = (Kind.OPENING, Kind.REOPENING, Kind.RESOLUTION)
"""The kinds of which a contact gets at most CHANGES_AT_ONCE within GROUP_INTERVAL."""


_NEXT_DUE = select(func.min(notifications.c.due_at)).where(
    or_(notifications.c.status == NotificationStatus.PENDING, IS_GIVEN_UP),
    notifications.c.due_at > bindparam("now", type_=notifications.c.due_at.type),
)


class Message(NamedTuple):
    """What one contact was told."""

    at: datetime
    kind: Kind
    incident: Incident


@dataclass(frozen=True, order=True)
class Said:
    """What was published, in the order of its time, and then in the order in which it came."""

    at: datetime
    number: int
    is_alarm: bool


class Life(RuleBasedStateMachine):
    """One door, and two contacts whose mail server may be down."""

    store: Store
    """It is left as it was: each life is one transaction, which is rolled back."""

    def __init__(self) -> None:
        super().__init__()
        self.transaction = ExitStack()
        self.connection = self.transaction.enter_context(one_life(self.store))
        self.recorder = Recorder(RULES, Directory.of(CONTACTS), self.new_id)
        self.actions = IncidentActions(Directory.of(CONTACTS), RULES.interval, self.new_id)
        self.claimer = Claimer(
            FloodRules(0, RULES.interval), (), Directory.of(CONTACTS), owner="me", new_id=self.new_id
        )
        self.ids = count()
        self.now = START
        self.said: list[Said] = []
        self.alerts: list[Alert] = []
        self.told: dict[str, list[Message]] = {address: [] for address in ADDRESSES}
        self.extra: list[datetime] = []
        """When a budget began anew: a person ended the incident, something worse was told, or an outage ended."""
        self.since = START
        """When a person ended the incident, or silence did: alerts from before are out of this model."""
        self.down: set[str] = set()
        self.slow: set[str] = set()
        self.flying: list[tuple[Notification, Incident]] = []
        """What a slow server hasn't answered yet, with the incident as the message tells it."""

    @initialize(stamped=st.booleans())
    def begin(self, *, stamped: bool) -> None:
        """Decide whether all alerts have a time of publication, or none has."""
        self.stamped = stamped

    @rule(
        is_alarm=st.booleans(),
        delay=st.integers(0, 299),
        severity=st.sampled_from(Severity),
    )
    def publish(self, *, is_alarm: bool, delay: int, severity: Severity) -> None:
        """The door says something, and that may arrive late."""
        published_at = max(self.now - delay * SECOND, self.since) if self.stamped else None
        signal = Signal.FIRING if is_alarm else Signal.RESOLVED
        content = f"{is_alarm} {severity}" if self.stamped else None
        self.receive(new_alert(signal=signal, severity=severity, published_at=published_at, content=content))

    @precondition(lambda self: self.recent())
    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        """Particle delivers at least once."""
        self.receive(data.draw(st.sampled_from(self.recent())))

    def recent(self) -> list[Alert]:
        """Return the alerts that are no older than GROUP_INTERVAL and than what the model looks at."""
        after = max(self.now - RULES.interval, self.since - SECOND)
        return [alert for alert in self.alerts if alert.published_at and alert.published_at > after]

    def receive(self, alert: Alert) -> None:
        """Record an alert, and check what it may not do."""
        alert = replace(alert, id=self.new_id(self.now), received_at=self.now)
        before = self.last()
        [recorded] = self.recorder.record(self.connection, [Understood(alert)])
        after = self.last()
        if recorded.result is Result.DUPLICATE:
            assert any((a.content, a.published_at) == (alert.content, alert.published_at) for a in self.alerts)
            assert after == before
        else:
            self.alerts.append(alert)
            self.said.append(Said(alert.published_at or self.now, len(self.said), alert.signal is Signal.FIRING))
        if alert.signal is Signal.RESOLVED:
            assert not is_open(after) or is_open(before), "an all-clear opened an incident"
        if before and after and after.severity.rank > before.severity.rank:
            self.extra.append(self.now)
        self.deliver()

    @rule(seconds=st.sampled_from([0, 1, 5, 30, 61, 150, 301, 600, 1801, 7200]))
    def wait(self, seconds: int) -> None:
        """Time passes, and what becomes due is sent."""
        self.pass_time(seconds * SECOND)

    @precondition(lambda self: is_open(self.last()))
    @rule()
    def acknowledge(self) -> None:
        """Ann is on it."""
        self.actions.acknowledge(self.connection, Action(self.open_id(), "Ann", Credential.API_TOKEN, self.now))

    @precondition(lambda self: is_taken(self.last()))
    @rule()
    def hand_back(self) -> None:
        """Ann can't after all: everybody is told, beside the budget, that it is open."""
        self.extra.append(self.now)
        self.actions.hand_back(self.connection, Action(self.open_id(), "Ann", Credential.API_TOKEN, self.now))
        last = self.last()
        assert last
        assert last.status is IncidentStatus.OPEN
        self.deliver()

    @precondition(lambda self: is_open(self.last()))
    @rule()
    def end(self) -> None:
        """Ann says that it is over."""
        self.extra.append(self.now)
        self.actions.resolve(self.connection, Action(self.open_id(), "Ann", Credential.API_TOKEN, self.now))
        self.forget()
        self.deliver()

    @rule(address=st.sampled_from(ADDRESSES))
    def break_or_mend(self, address: str) -> None:
        """The mail server of a contact goes down, or is up again: then one message says all that was missed."""
        self.down ^= {address}
        if address not in self.down:
            self.resume()

    @rule(hours=st.sampled_from([1, 3, 5]))
    def be_away(self, hours: int) -> None:
        """The mail server is away for hours; what wasn't sent for two of them is given up on."""
        self.down = set(ADDRESSES)
        while self.flying:
            self.land(self.flying.pop())
        self.pass_time(timedelta(hours=hours))
        self.down.clear()
        self.resume()

    def resume(self) -> None:
        """Try what waits; each contact gets one message about the door at most."""
        before = {address: len(messages) for address, messages in self.told.items()}
        self.extra.append(self.now)
        upkeep.bring_forward(self.connection, ChannelName.EMAIL, self.now)
        self.deliver()
        assert all(len(messages) <= before[address] + 1 for address, messages in self.told.items())

    @rule(address=st.sampled_from(ADDRESSES))
    def slow_down_or_hurry(self, address: str) -> None:
        """The mail server of a contact answers late, or at once."""
        self.slow ^= {address}

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        """A slow server answers one of the messages, in any order."""
        self.land(self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1))))
        self.deliver()

    @invariant()
    def it_is_open_as_its_last_word_says(self) -> None:
        """The incident is open if the last that was published is an alarm, unless silence has ended it."""
        last = self.last()
        if last and last.resolution is Resolution.SILENCE:
            assert self.now - last.last_alert_at >= RULES.resolve_after
            return
        alarming = bool(self.said) and max(self.said).is_alarm
        assert is_open(last) == alarming, (last, self.said)

    @invariant()
    def nobody_gets_more_than_the_budget(self) -> None:
        """Three changes at once within GROUP_INTERVAL, then summaries that are far apart; updates too."""
        for messages in self.told.values():
            for message in messages:
                window = [m for m in messages if message.at - RULES.interval < m.at <= message.at]
                extra = [at for at in self.extra if message.at - 2 * RULES.interval < at <= message.at]
                changes = sum(m.kind in CHANGES for m in window)
                # A person's word is told beside the budget, and the incident after it has a budget of its own.
                assert changes <= CHANGES_AT_ONCE + (CHANGES_AT_ONCE + 1) * len(extra), window
            for kind, apart in ((Kind.CHANGES, URGENT_WITHIN), (Kind.UPDATE, RULES.interval)):
                times = [m.at for m in messages if m.kind is kind]
                assert all(later - earlier >= apart for earlier, later in pairwise(times)), times

    def teardown(self) -> None:
        """Check what must be true in the end, and undo everything."""
        try:
            self.check_that_everybody_knows()
        finally:
            self.connection.get_transaction().rollback()
            self.transaction.close()

    def check_that_everybody_knows(self) -> None:
        """After GROUP_INTERVAL everybody knows how it stands, and was told of an end once."""
        self.down.clear()
        self.slow.clear()
        while self.flying:
            self.land(self.flying.pop())
        self.resume()
        self.pass_time(RULES.interval + RETRY, sweep=False)
        last = self.last()
        for messages in self.told.values():
            for earlier, later in pairwise(messages):
                both = {is_open(each.incident) for each in (earlier, later)}
                if both == {False} and earlier.incident.id == later.incident.id:
                    assert later.incident.alert_count > earlier.incident.alert_count, "told twice that it is over"
            if last and last.status is IncidentStatus.OPEN:
                assert messages, "never told"
                assert is_open(messages[-1].incident), "told that it is over, and it is open"
            if last and last.resolution is Resolution.ALERT and messages:
                assert not is_open(messages[-1].incident), "never told that it is over"

    def pass_time(self, time: timedelta, *, sweep: bool = True) -> None:
        """Move the clock from one due time to the next."""
        end = self.now + time
        while (due := self.connection.execute(_NEXT_DUE, {"now": self.now}).scalar()) and due <= end:
            self.now = due
            self.deliver()
        self.now = end
        if sweep and incidents.resolve_quiet(self.connection, RULES, self.now):
            self.forget()

    def deliver(self) -> None:
        """Attempt all that is due, and give up on what waited for too long."""
        if (
            not self.flying
        ):  # nothing is under way for hours: its lease would end, and what waits for its answer would go
            upkeep.give_up(self.connection, self.now - GIVE_UP, self.now)
        claimed = self.claimer.claim(self.connection, Claim(ChannelName.EMAIL, 100, self.now)).messages
        for snapshot in (snapshot for message in claimed for snapshot in message.snapshots):
            sent = snapshot.notification, snapshot.incident
            if sent[0].address in self.slow:
                self.flying.append(sent)
            else:
                self.land(sent)

    def land(self, sent: tuple[Notification, Incident]) -> None:
        """Record the server's answer."""
        notification, incident = sent
        if notification.address in self.down:
            since = max(notification.retry_since, incident.last_alert_at)
            waits = NotificationStatus.PENDING if self.now - since < GIVE_UP else NotificationStatus.FAILED
            again = self.now + (RETRY if self.now - since < LATER_RETRY else LATER_RETRY)
            end = Finish(notification, waits, self.now, due_at=again, missed=True)
        else:
            end = Finish(notification, NotificationStatus.SENT, self.now, told=incident.status)
            self.told[notification.address].append(Message(self.now, notification.kind, incident))
        leases.finish(self.connection, [end])

    def forget(self) -> None:
        """Start the model anew: alerts that were published before are about something that a person has ended."""
        self.said.clear()
        self.since = self.now + SECOND
        self.now += SECOND

    def new_id(self, at: datetime) -> str:
        """Return an id, in order even within a microsecond, so that a failing life can be lived again."""
        return uuid7(at, next(self.ids).to_bytes(8, "big"))

    def last(self) -> Incident | None:
        """Return the newest incident."""
        return incidents.last(self.connection, [KEY]).get(KEY)

    def open_id(self) -> str:
        """Return the id of the open incident."""
        last = self.last()
        assert last
        return last.id


def is_open(incident: Incident | None) -> bool:
    """Return whether an incident isn't over."""
    return incident is not None and incident.status is not IncidentStatus.RESOLVED


def is_taken(incident: Incident | None) -> bool:
    """Return whether somebody has an incident."""
    return incident is not None and incident.status is IncidentStatus.ACKNOWLEDGED


def test_an_incident_lives_as_the_model_says(store):
    """Nothing that is open is called over, nobody misses an end, and nobody hears of each flap."""
    machine = type("Machine", (Life,), {"store": store})
    run_state_machine_as_test(machine, settings=settings(for_any, max_examples=examples(40), stateful_step_count=30))
