"""alertgate's own alerts are recorded like any other, whatever the store does, and by however many processes."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from alertgate.accept.own import OwnAlerts
from alertgate.accept.own_report import Reporter
from alertgate.accept.record import Recorder
from alertgate.errors import StoreUnavailable
from alertgate.ids import Ids
from alertgate.metric_labels import LabelValues
from alertgate.metrics import Metrics
from alertgate.model import Alert, ChannelName, Incident, IncidentStatus, Resolution, Severity, Signal, Source
from alertgate.notify.directory import Directory
from alertgate.prove.troubles import Cause, Trouble, read_tally
from alertgate.rules import GroupingRules
from alertgate.settings_load import load
from alertgate.store import alerts, incidents
from alertgate.store.engine import Store
from alertgate.store.pages import Wanted
from tests.builders import examples, for_any
from tests.conftest import PARTICLE, copy_template
from tests.fakes import START, FakeClock

RULES = GroupingRules(interval=timedelta(minutes=5), resolve_after=timedelta(minutes=30))
TARGETS = [(ChannelName.EMAIL, "me@example.com")]
IDS = Ids(None)
EVENT = Trouble.REFUSED


class Away:
    """A store that can be away, and that can be busy while something else happens."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.away = False
        self.writes = self.reads = 0
        self.meanwhile: Callable[[], None] = lambda: None

    async def read(self, act):
        self.reads += 1
        self._check()
        return await self.store.read(act)

    async def write(self, act):
        self.writes += 1
        self._check()
        self.meanwhile()
        return await self.store.write(act)

    def _check(self) -> None:
        if self.away:
            raise StoreUnavailable("The database can't be used: the test says so.")


def own_alerts(store, clock: FakeClock, woken: list | None = None) -> OwnAlerts:
    """Return the own alerts of one process."""
    empty = LabelValues(channels=[], results=["accepted"], reasons=[], findings=[], guards=[], budgets=[])
    reporter = Reporter(Recorder(RULES, Directory.of(TARGETS), IDS), IDS, lambda: ZoneInfo("UTC"))
    made = [] if woken is None else woken
    metrics = Metrics("1", clock, empty)
    return OwnAlerts(store, reporter, clock, metrics, RULES.interval, wake=lambda: made.append(1))


def refuse(own: OwnAlerts, *, times: int = 1, severity: Severity = Severity.WARNING, sender: str = "192.0.2.7") -> None:
    """Refuse alerts at the generic webhook."""
    for _ in range(times):
        own.raise_(EVENT, "generic webhook", cause=Cause.ADDRESS_LIMIT, severity=severity, sender=sender)


def all_incidents(store: Store) -> list[Incident]:
    """Return the own incidents, newest first."""
    return store.read_now(lambda c: incidents.page(c, Wanted(source=Source.ALERTGATE), None, 200))


def all_alerts(store: Store) -> list[Alert]:
    """Return the own alerts, oldest first."""
    return store.read_now(lambda c: list(alerts.page(c, Wanted(source=Source.ALERTGATE), None, 200)))[::-1]


def counts(found: list[Alert]) -> list[int]:
    """Return how many refusals each alert reports."""
    tallies = [read_tally(alert.data) for alert in found]
    return [tally.count if tally else 0 for tally in tallies]


async def test_a_storm_is_one_incident_and_few_writes(store: Store):
    """What is raised between two runs is one report, and one more is written only when it goes on or is over."""
    clock, woken = FakeClock(), []
    watched = Away(store)
    own = own_alerts(watched, clock, woken)
    for _ in range(100):
        refuse(own, times=50)
        await own.run()
        clock.move(seconds=1)
    assert (watched.writes, woken) == (1, [1])
    [incident] = all_incidents(store)
    assert (incident.event, incident.device, incident.severity) == (EVENT, "generic webhook", Severity.WARNING)
    assert counts(all_alerts(store)) == [50]
    for _ in range(200):
        refuse(own, times=50)
        await own.run()
        clock.move(seconds=1)
    assert counts(all_alerts(store)) == [50, 241 * 50], "once more, 240 s after the first report"
    clock.move(seconds=300)
    await own.run()
    [incident] = all_incidents(store)
    assert (incident.status, incident.resolution) == (IncidentStatus.RESOLVED, Resolution.ALERT)
    assert counts(all_alerts(store))[-1] == 300 * 50
    assert own.degraded() == []


async def test_a_worse_refusal_is_reported_at_once(store: Store):
    """The incident becomes as severe as the worst alert that was refused; a milder one waits."""
    clock = FakeClock()
    own = own_alerts(store, clock)
    for severity in (Severity.INFO, Severity.INFO, Severity.CRITICAL, Severity.WARNING):
        refuse(own, severity=severity)
        await own.run()
        clock.move(seconds=1)
    [incident] = all_incidents(store)
    assert (incident.severity, incident.alert_count) == (Severity.CRITICAL, 2)
    assert counts(all_alerts(store)) == [1, 3]


async def test_what_happens_while_the_store_is_away_is_told_afterwards(store: Store):
    """Counts wait in memory; a failed report raises no trouble of its own, and is logged once."""
    clock = FakeClock()
    away = Away(store)
    own = own_alerts(away, clock)
    away.away = True
    with structlog.testing.capture_logs() as lines:
        for _ in range(5):
            refuse(own, times=3)
            await own.run()
            clock.move(seconds=11)
    assert [line["event"] for line in lines] == ["trouble.waits"]
    assert own.degraded() == [
        "alerts refused (generic webhook): since 2026-11-23 14:03 UTC; its incident says why and what to do"
    ]
    away.away = False
    clock.move(hours=2)
    await own.run()
    assert counts(all_alerts(store)) == [15]
    assert all_incidents(store)[0].status is IncidentStatus.OPEN, "it is told before it is over"
    clock.move(minutes=5)
    await own.run()
    assert all_incidents(store)[0].status is IncidentStatus.RESOLVED
    assert counts(all_alerts(store)) == [15, 15]


async def test_a_stop_reports_what_is_unsaid_and_the_next_start_says_when_it_is_over(store: Store):
    """The total goes on after a restart; nobody has to close the incident by hand."""
    clock = FakeClock()
    first = own_alerts(store, clock)
    refuse(first)
    await first.run()
    refuse(first, times=4)
    await first.close()
    assert counts(all_alerts(store)) == [1, 5]
    second = own_alerts(store, clock)
    await second.run()
    assert len(second.degraded()) == 1
    clock.move(seconds=599)
    await second.run()
    assert all_incidents(store)[0].status is IncidentStatus.OPEN
    clock.move(seconds=16)
    await second.run()
    assert (all_incidents(store)[0].status, second.degraded()) == (IncidentStatus.RESOLVED, [])
    assert counts(all_alerts(store)) == [1, 5, 5]


async def test_a_stop_without_a_store_logs_what_nobody_was_told(store: Store):
    """It neither fails nor hangs."""
    clock = FakeClock()
    away = Away(store)
    own = own_alerts(away, clock)
    away.away = True
    refuse(own, times=7)
    with structlog.testing.capture_logs() as lines:
        await own.close()
    [line] = [line for line in lines if line["event"] == "trouble.unsaid"]
    assert (line["log_level"], line["counts"]) == ("error", {"alerts refused (generic webhook)": 7})


async def test_two_processes_report_to_one_incident(store: Store):
    """The second one's refusals join the first one's, with the sum of both, and it is over once for both."""
    clock = FakeClock()
    one, two = own_alerts(store, clock), own_alerts(store, clock)
    refuse(one, times=2)
    refuse(two, times=3, sender="192.0.2.8")
    await asyncio.gather(one.run(), two.run())
    assert len(all_incidents(store)) == len(all_alerts(store)) == 1
    clock.move(seconds=200)
    refuse(two)
    await two.run()
    clock.move(seconds=50)
    await asyncio.gather(one.run(), two.run())
    assert counts(all_alerts(store))[-1] >= 4
    clock.move(seconds=300)
    await asyncio.gather(one.run(), two.run())
    clock.move(seconds=15)
    await asyncio.gather(one.run(), two.run())
    [incident] = all_incidents(store)
    assert incident.status is IncidentStatus.RESOLVED
    assert one.degraded() == two.degraded() == []


async def test_a_trouble_can_be_cleared(store: Store):
    """It is over at once, and its next occurrence opens a new incident."""
    clock = FakeClock()
    own = own_alerts(store, clock)
    refuse(own)
    await own.run()
    own.clear(EVENT, "generic webhook")
    await own.run()
    assert [alert.signal for alert in all_alerts(store)] == [Signal.FIRING, Signal.RESOLVED]
    clock.move(hours=1)
    refuse(own)
    await own.run()
    assert all_incidents(store)[0].status is IncidentStatus.OPEN


POLICY = Trouble.POLICY


async def test_a_trouble_that_lasts_is_told_once_and_is_over_when_it_is_cleared(store: Store):
    """However long it lasts, and however often it is noted; meanwhile nothing is written, and little is read."""
    clock = FakeClock()
    watched = Away(store)
    own, other = own_alerts(watched, clock), own_alerts(store, clock)
    for _ in range(100):
        own.lasts(POLICY, "policy", Cause.POLICY_INVALID, Severity.WARNING)
        await own.run()
        await other.run()
        clock.move(minutes=10)
    [incident] = all_incidents(store)
    assert (watched.writes, incident.status, incident.alert_count) == (1, IncidentStatus.OPEN, 1)
    assert (own.degraded(), other.degraded()) == ([], []), "the part of the gate that has it says more"
    own.lasts(POLICY, "policy", None, Severity.WARNING)
    await own.run()
    assert [alert.signal for alert in all_alerts(store)] == [Signal.FIRING, Signal.RESOLVED]
    [first_line, *_] = (all_alerts(store)[1].message or "").splitlines()
    assert first_line == "Policy file not used from 2026-11-23 14:03 to 06:43: invalid."


async def test_a_trouble_that_lasts_is_read_seldom(store: Store):
    """As seldom as without any trouble."""
    clock = FakeClock()
    watched = Away(store)
    own = own_alerts(watched, clock)
    own.lasts(POLICY, "policy", Cause.POLICY_INVALID, Severity.WARNING)
    await own.run()
    reads = watched.reads
    for _ in range(30):
        clock.move(seconds=1)
        await own.run()
    assert watched.reads - reads == 2


async def test_another_cause_of_a_trouble_that_lasts_is_said_in_time(store: Store):
    """The same incident, with the latest cause alone."""
    clock = FakeClock()
    own = own_alerts(store, clock)
    own.lasts(POLICY, "policy", Cause.POLICY_MISSING, Severity.WARNING)
    await own.run()
    clock.move(minutes=1)
    own.lasts(POLICY, "policy", Cause.POLICY_INVALID, Severity.WARNING)
    await own.run()
    assert len(all_alerts(store)) == 1
    clock.move(minutes=4)
    await own.run()
    said = [(alert.message or "").splitlines()[0] for alert in all_alerts(store)]
    assert said == ["Policy file not used since 14:03: missing.", "Policy file not used since 14:03: invalid."]


async def test_a_restart_and_a_second_process_say_nothing_new_of_what_lasts(store: Store):
    """What the incident's last report said isn't said again, however long ago that was."""
    clock = FakeClock()
    for _ in range(3):
        own = own_alerts(store, clock)
        own.lasts(POLICY, "policy", Cause.POLICY_INVALID, Severity.WARNING)
        await own.run()
        await own.close()
        clock.move(hours=24)
    [incident] = all_incidents(store)
    assert (incident.status, incident.alert_count) == (IncidentStatus.OPEN, 1)


@pytest.mark.parametrize("after", [timedelta(seconds=1), timedelta(days=30)])
async def test_what_lasted_when_a_process_ended_is_cleared_by_the_next(store: Store, after):
    """Its first word counts: neither is it abandoned, nor does it stay open."""
    clock = FakeClock()
    first = own_alerts(store, clock)
    first.lasts(POLICY, "policy", Cause.POLICY_INVALID, Severity.WARNING)
    await first.run()
    await first.close()
    clock.time += after
    second = own_alerts(store, clock)
    await second.run()
    assert all_incidents(store)[0].status is IncidentStatus.OPEN
    second.lasts(POLICY, "policy", None, Severity.WARNING)
    await second.run()
    assert all_incidents(store)[0].status is IncidentStatus.RESOLVED


async def test_what_another_replica_raises_after_this_one_started_is_not_over_by_its_first_word(store: Store):
    """It has read how things stood before they failed; its next word counts, once it has seen them as well."""
    clock = FakeClock()
    one, two = own_alerts(store, clock), own_alerts(store, clock)
    one.lasts(POLICY, "policy", Cause.POLICY_INVALID, Severity.WARNING)
    await one.run()
    two.lasts(POLICY, "policy", None, Severity.WARNING)
    await two.run()
    assert [alert.signal for alert in all_alerts(store)] == [Signal.FIRING]
    for own in (one, two):
        own.lasts(POLICY, "policy", Cause.POLICY_INVALID, Severity.WARNING)
        await own.run()
    two.lasts(POLICY, "policy", None, Severity.WARNING)
    await two.run()
    assert [alert.signal for alert in all_alerts(store)] == [Signal.FIRING, Signal.RESOLVED]


async def test_a_person_who_ends_what_lasts_hears_of_its_next_change(store: Store):
    """Not of the same again."""
    clock = FakeClock()
    own = own_alerts(store, clock)
    for _ in range(5):
        own.lasts(POLICY, "policy", Cause.POLICY_INVALID, Severity.WARNING)
        await own.run()
        resolve(store, clock)
        clock.move(minutes=10)
    assert len(all_incidents(store)) == 1
    own.lasts(POLICY, "policy", Cause.POLICY_MISSING, Severity.WARNING)
    await own.run()
    assert [each.status for each in all_incidents(store)] == [IncidentStatus.OPEN, IncidentStatus.RESOLVED]


CHANNEL, LOGIN = Trouble.CHANNEL, Cause.CHANNEL_LOGIN


def statuses(store: Store) -> list[IncidentStatus]:
    """Return the states of the own incidents, newest first."""
    return [each.status for each in all_incidents(store)]


async def test_what_one_process_sees_is_not_ended_by_another(store: Store):
    """While one confirms it, nobody is told again; it is over five minutes after the last of them saw its end."""
    clock = FakeClock()
    processes = one, two = [own_alerts(store, clock), own_alerts(store, clock)]
    for minute in range(60):
        one.lasts(CHANNEL, "email", LOGIN if minute < 40 else None, Severity.WARNING)
        two.lasts(CHANNEL, "email", LOGIN if 10 <= minute < 50 else None, Severity.WARNING)
        for process in processes:
            await process.run()
        assert statuses(store) == [IncidentStatus.OPEN if minute < 55 else IncidentStatus.RESOLVED]
        clock.move(minutes=1)
    assert [alert.signal for alert in all_alerts(store)] == [Signal.FIRING, Signal.RESOLVED]
    [first_line, *_] = (all_alerts(store)[1].message or "").splitlines()
    assert first_line == "Channel email paused from 14:03 to 14:53: its server refuses the login."


async def test_what_gets_worse_is_said_at_once_by_whoever_sees_it(store: Store):
    """A milder view of another process is no news, nor is the same again."""
    clock = FakeClock()
    one, two = own_alerts(store, clock), own_alerts(store, clock)
    for severities in ((Severity.INFO, Severity.INFO), (Severity.INFO, Severity.CRITICAL), (Severity.WARNING,) * 2):
        for process, severity in zip((one, two), severities, strict=True):
            process.lasts(CHANNEL, "email", LOGIN, severity)
            await process.run()
        clock.move(seconds=20)
    clock.move(minutes=4)
    for process in (one, two):
        await process.run()
    assert [alert.severity for alert in all_alerts(store)] == [Severity.INFO, Severity.CRITICAL]


async def test_what_a_dead_process_saw_is_ended_by_the_next(store: Store):
    """After ten minutes without a word, by one that never saw it."""
    clock = FakeClock()
    dead, living = own_alerts(store, clock), own_alerts(store, clock)
    dead.lasts(CHANNEL, "email", LOGIN, Severity.WARNING)
    await dead.run()
    for _ in range(11):
        assert statuses(store) == [IncidentStatus.OPEN]
        living.lasts(CHANNEL, "email", None, Severity.INFO)
        await living.run()
        clock.move(minutes=1)
    assert statuses(store) == [IncidentStatus.RESOLVED]


async def test_what_lasts_here_ends_after_it_is_over_here(store: Store):
    """A channel that is paused again within five minutes is the same pause; later it is another one."""
    clock = FakeClock()
    own = own_alerts(store, clock)
    for cause in (LOGIN, None, LOGIN, None):
        own.lasts(CHANNEL, "email", cause, Severity.WARNING)
        await own.run()
        clock.move(minutes=4)
    clock.move(minutes=1)
    await own.run()
    assert statuses(store) == [IncidentStatus.RESOLVED]
    clock.move(minutes=10)
    own.lasts(CHANNEL, "email", LOGIN, Severity.WARNING)
    await own.run()
    assert statuses(store) == [IncidentStatus.OPEN, IncidentStatus.RESOLVED]


async def test_what_ends_together_is_written_together(store: Store):
    """Between two ends one channel would tell that the other one is paused."""
    clock = FakeClock()
    watched = Away(store)
    own = own_alerts(watched, clock)
    for cause in (LOGIN, None):
        for channel in ("email", "sms"):
            own.lasts(CHANNEL, channel, cause, Severity.WARNING)
        await own.run()
        clock.move(minutes=5)
    before = watched.writes
    await own.run()
    assert (statuses(store), watched.writes - before) == ([IncidentStatus.RESOLVED] * 2, 1)


async def test_a_trouble_of_strangers_is_said_once_a_day(store: Store):
    """Whichever process sees it, and after a restart; in between nothing is written, and nothing is pending."""
    clock = FakeClock()
    watched = Away(store)
    own = own_alerts(watched, clock)
    for hour in range(50):
        if hour % 7 == 0:
            own = own_alerts(watched, clock)
        own.raise_(Trouble.CREDENTIALS, "particle webhook", cause=Cause.CREDENTIAL_WRONG, severity=Severity.WARNING)
        await own.run()
        await own.run()
        assert len(all_incidents(store)) == 1 + hour // 24
        resolve(store, clock)
        clock.move(hours=1)
    assert [alert.signal for alert in all_alerts(store)] == [Signal.FIRING] * 3


async def test_a_detail_is_said_with_the_latest_cause(store: Store):
    """It stays one line, and the API has it."""
    clock = FakeClock()
    own = own_alerts(store, clock)
    own.lasts(CHANNEL, "email", LOGIN, Severity.WARNING, detail="535 no\r\nWhat to do: x", since=START)
    await own.run()
    [alert] = all_alerts(store)
    assert (alert.message or "").splitlines()[1] == "The last answer was: 535 no What to do: x"
    assert alert.data["detail"] == "535 no What to do: x"


async def test_what_occurs_while_the_end_is_written_is_a_new_incident(store: Store):
    """A refusal in that moment isn't lost: the next run reports it."""
    clock = FakeClock()
    busy = Away(store)
    own = own_alerts(busy, clock)
    refuse(own)
    await own.run()
    clock.move(minutes=5)
    busy.meanwhile = lambda: refuse(own, times=2)
    await own.run()
    busy.meanwhile = lambda: None
    assert [alert.signal for alert in all_alerts(store)] == [Signal.FIRING, Signal.RESOLVED]
    await own.run()
    assert counts(all_alerts(store)) == [1, 1, 2]
    assert all_incidents(store)[0].status is IncidentStatus.OPEN


async def test_a_person_who_resolves_it_hears_of_it_again_only_if_it_occurs_again(store: Store):
    """What occurred before is stored with the end, and opens nothing."""
    clock = FakeClock()
    own = own_alerts(store, clock)
    refuse(own)
    await own.run()
    refuse(own, times=2)
    await own.run()
    resolve(store, clock)
    for _ in range(4):
        clock.move(seconds=100)
        await own.run()
    assert len(all_incidents(store)) == 1
    assert [(alert.signal, alert.incident_id is None) for alert in all_alerts(store)] == [
        (Signal.FIRING, False),
        (Signal.RESOLVED, True),
    ]
    refuse(own)
    await own.run()
    assert len(all_incidents(store)) == 2


def resolve(store: Store, clock: FakeClock) -> None:
    """Resolve the open own incident, as a person does."""
    over = {"status": IncidentStatus.RESOLVED, "resolved_at": clock.now(), "resolution": Resolution.PERSON}
    with store.transaction() as connection:
        incidents.save(connection, [replace(each, **over) for each in incidents.own_unresolved(connection)])


@pytest.mark.parametrize("sender", ["evil\r\nBcc: a@b\n\nWhat to do: nothing", "\u202egnp.exe\x00\x1b[31m", "x" * 9999])
async def test_a_senders_name_cannot_change_the_message(store: Store, sender):
    """Line breaks, control characters and length are taken from it."""
    clock = FakeClock()
    own = own_alerts(store, clock)
    refuse(own, sender=sender)
    await own.run()
    [alert] = all_alerts(store)
    lines = (alert.message or "").splitlines()
    assert [line.split(" ")[0] for line in lines] == ["1", "Nobody", "What"]
    assert all(line.isprintable() or "\ufffd" in line for line in lines)
    assert len(lines[0]) < 120


ACTIONS = st.one_of(
    st.tuples(st.sampled_from(["raise", "run"]), st.sampled_from([0, 1])),
    st.tuples(st.just("wait"), st.sampled_from([1, 20, 100, 160, 300])),
    st.tuples(st.just("person"), st.none()),
)


@settings(for_any, max_examples=examples(60))
@given(st.lists(ACTIONS, max_size=30))
def test_whatever_happens_every_refusal_is_told_and_counted_once(actions):
    """Two processes and a person, in any order: after a refusal and a run an incident is open; in the end none is."""
    with fresh_store() as store:
        asyncio.run(_play(store, actions))


async def _play(store: Store, actions: list) -> None:
    clock = FakeClock()
    processes = [own_alerts(store, clock), own_alerts(store, clock)]
    raised, fresh = 0, {0: False, 1: False}
    for action, value in actions:
        if action == "raise":
            refuse(processes[value])
            raised, fresh[value] = raised + 1, True
        elif action == "run":
            await processes[value].run()
            if fresh[value]:
                assert store.read_now(incidents.own_unresolved), "nobody was told of a refusal"
            fresh[value] = False
        elif action == "wait":
            clock.move(seconds=value)
            # A refusal that is long past may be told together with its end, by the process that runs next.
            fresh = {number: each and value < 300 for number, each in fresh.items()}
        else:
            resolve(store, clock)
    for _ in range(8):
        for process in processes:
            await process.run()
        clock.move(seconds=160)
    assert store.read_now(incidents.own_unresolved) == []
    assert [process.degraded() for process in processes] == [[], []]
    assert sum(counts(_last_of_each_episode(all_alerts(store)))) == raised


def _last_of_each_episode(stored: list[Alert]) -> list[Alert]:
    """Return the alerts with the final counts: an episode ends with its all-clear, and its incident may reopen."""
    ends, last = Counter[str](), {}
    for alert in stored:
        key = alert.incident_id or alert.id
        last[key, ends[key]] = alert
        ends[key] += alert.signal is Signal.RESOLVED
    return list(last.values())


@contextmanager
def fresh_store():
    """Open an empty SQLite store."""
    with tempfile.TemporaryDirectory(prefix="own-") as directory:
        made = load(None, particle_webhook_secret=PARTICLE, data_dir=Path(directory))
        copy_template(made)
        store = Store(made)
        store.open(exclusive=True)
        try:
            yield store
        finally:
            store.close()
