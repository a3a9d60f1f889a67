"""Which policy is in force: at start, after SIGHUP, with a bad file, without one, and on several replicas."""

import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest
import structlog

from alertgate.errors import ConfigError, PolicyInvalid
from alertgate.model import ChannelName
from alertgate.notify.directory import Directory
from alertgate.policy.keeper import PolicyKeeper, PolicyReason, choose, forget
from alertgate.policy.load import FileState, PolicyFile, digest
from alertgate.policy.surroundings import Surroundings
from alertgate.store import policies
from alertgate.store.engine import Store
from alertgate.store.policies import StoredPolicy
from tests.fakes import START, FakeClock

ONE = '[[events]]\nevent = "one"\n'
TWO = '[[events]]\nevent = "two"\n'
BAD = '[[events]]\nevent = "three"\nkey = "data ="\n'
HUGE = f"x = {'9' * 5_000}"
PROBLEM = "events[1].key can't be read at character 6: Unknown token '='; to compare, write =="


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The policy's file, which isn't there yet."""
    return tmp_path / "alertgate.toml"


def started(store: Store, path: Path, *, named: bool = False) -> PolicyKeeper:
    """Return the keeper of a process that has started."""
    one = PolicyKeeper(store, FakeClock(), path, Surroundings, named=named)
    one.start()
    return one


def in_force(one: PolicyKeeper) -> tuple[list[str], PolicyReason]:
    """Return the events of the rules in force, and why these are."""
    return [rule.event for rule in one.current.policy.events], one.current.reason


@pytest.mark.parametrize(
    ("state", "stored", "named", "reason"),
    [
        (FileState.READ, None, False, PolicyReason.FILE),
        (FileState.READ, ONE, True, PolicyReason.FILE),
        (FileState.INVALID, None, False, PolicyReason.FILE_INVALID),
        (FileState.INVALID, ONE, False, PolicyReason.FILE_INVALID),
        (FileState.MISSING, None, False, PolicyReason.NO_FILE),
        (FileState.MISSING, "", False, PolicyReason.NO_FILE),
        (FileState.MISSING, ONE, False, PolicyReason.FILE_MISSING),
        (FileState.MISSING, None, True, PolicyReason.FILE_MISSING),
        (FileState.MISSING, "", True, PolicyReason.FILE_MISSING),
    ],
)
def test_the_table_of_decisions(state, stored, named, reason):
    """A file that can be read decides; one that can't is trouble, and so is one that vanished or is named."""
    last = None if stored is None else StoredPolicy(stored, digest(stored), START)
    assert choose(PolicyFile(Path("a.toml"), state), last, named=named) is reason


def test_without_a_file_there_is_no_policy(store: Store, path: Path):
    """As before there were policies: nothing is stored, and nothing is wrong."""
    one = started(store, path)
    assert in_force(one) == ([], PolicyReason.NO_FILE)
    assert (one.current.name, one.trouble, store.read_now(policies.get)) == (None, None, None)


def test_a_good_file_is_in_force_and_kept(store: Store, path: Path):
    """The store has its text, and its name is the beginning of its SHA-256."""
    path.write_text(ONE)
    one = started(store, path)
    assert in_force(one) == (["one"], PolicyReason.FILE)
    assert (one.current.name, one.trouble) == (digest(ONE)[:12], None)
    assert store.read_now(policies.get) == StoredPolicy(ONE, digest(ONE), START)


@pytest.mark.parametrize(("content", "problem"), [(BAD, PROBLEM), (None, "is missing: restore it, or name another")])
def test_the_first_start_needs_a_file_that_can_be_used(store: Store, path: Path, content, problem):
    """Nothing was ever in force, and somebody is watching: the start is refused."""
    if content:
        path.write_text(content)
    with pytest.raises(PolicyInvalid) as refused:
        started(store, path, named=True)
    [found] = refused.value.problems
    assert problem in found


@pytest.mark.parametrize(
    ("content", "reason", "problem"),
    [
        (BAD, PolicyReason.FILE_INVALID, "is invalid (the log names each problem)"),
        (HUGE, PolicyReason.FILE_INVALID, "is invalid (the log names each problem)"),
        (None, PolicyReason.FILE_MISSING, "is missing"),
    ],
)
def test_a_later_start_keeps_the_last_good_policy(store: Store, path: Path, content, reason, problem):
    """A bad or vanished file doesn't turn the rules off, and is told."""
    path.write_text(ONE)
    started(store, path)
    path.unlink()
    if content:
        path.write_text(content)
    with structlog.testing.capture_logs() as logged:
        one = started(store, path)
    assert in_force(one) == (["one"], reason)
    trouble = f"the policy file {path} {problem}; the last good policy ({digest(ONE)[:12]}) stays in force"
    assert one.trouble == trouble
    [line] = logged
    assert (line["event"], line["log_level"], line["detail"]) == ("policy.kept", "error", trouble)
    problems = {
        BAD: PROBLEM,
        HUGE: "line 1 has a number of more than 1,000 digits: shorten it",
        None: f"{path} is missing: restore it, or name another file in POLICY_FILE",
    }
    assert line["problems"] == [problems[content]]


async def test_a_reload_reads_the_file_again(store: Store, path):
    """A good file replaces the policy, a bad one changes nothing, and a good one after it ends the trouble."""
    path.write_text(ONE)
    one = started(store, path)
    path.write_text(TWO)
    await one.reload()
    assert in_force(one) == (["two"], PolicyReason.FILE)
    path.write_text(BAD)
    await one.reload()
    assert in_force(one) == (["two"], PolicyReason.FILE_INVALID)
    assert one.trouble
    path.write_text(TWO)
    await one.reload()
    assert (in_force(one), one.trouble) == ((["two"], PolicyReason.FILE), None)


async def test_a_first_bad_file_at_a_reload_is_told(store: Store, path):
    """The service runs without a policy, and goes on so."""
    one = started(store, path)
    path.write_text(BAD)
    await one.reload()
    assert in_force(one) == ([], PolicyReason.FILE_INVALID)
    assert one.trouble == f"the policy file {path} is invalid (the log names each problem); no policy is in force"


async def test_a_policy_that_cannot_be_stored_is_not_in_force(store: Store, path):
    """Otherwise it would be gone at the next start, and other replicas would never have it."""
    path.write_text(ONE)
    one = started(store, path)
    path.write_text(TWO)
    store.writer.stop()
    await one.reload()
    assert in_force(one) == (["one"], PolicyReason.STORE_FAILED)
    assert one.trouble
    assert "can't be stored (send SIGHUP again once the database works)" in one.trouble


class StoppingClock(FakeClock):
    """Fails once it is stopped, as nothing should."""

    stopped = False

    def now(self) -> datetime:
        """Return the time, or raise."""
        if self.stopped:
            raise RuntimeError("stopped")
        return super().now()


async def test_a_defect_at_a_reload_is_told(store: Store, path):
    """Whatever happens, the last good policy stays in force, and whoever sent the signal can see that."""
    path.write_text(ONE)
    clock = StoppingClock()
    one = PolicyKeeper(store, clock, path, Surroundings, named=False)
    one.start()
    path.write_text(TWO)
    clock.stopped = True
    with structlog.testing.capture_logs() as logged:
        await one.reload()
    assert in_force(one) == (["one"], PolicyReason.FAILED)
    assert [line["event"] for line in logged] == ["policy.failed", "policy.kept"]
    assert one.trouble
    assert "couldn't be read again, because alertgate itself failed (the log says how); the last good" in one.trouble
    clock.stopped = False
    await one.reload()
    assert (in_force(one), one.trouble) == ((["two"], PolicyReason.FILE), None)


async def test_a_reload_reads_the_secrets_of_contacts_again(store: Store, path):
    """Whose address was added to `.env` is told from the reload on; that a secret can't be read is logged."""
    found: dict[str, str] = {}

    def read() -> Mapping[str, str]:
        if "CONTACT_BAD" in found:
            raise ConfigError(["CONTACT_BAD can't be read"])
        return dict(found)

    path.write_text('[people.partner]\ncontacts = ["email:$CONTACT_PARTNER"]\n')
    one = PolicyKeeper(store, FakeClock(), path, lambda: Surroundings(secrets=read()), named=False)
    with structlog.testing.capture_logs() as logged:
        one.start()
        directory = Directory(lambda: one.current.policy, [ChannelName.EMAIL], lambda: one.secrets)
        assert directory.targets == ()
        found["CONTACT_PARTNER"] = "partner@example.org"
        await one.reload()
    assert [line["event"] for line in logged] == ["policy.loaded", "policy.unreachable", "policy.loaded"]
    assert directory.targets == ((ChannelName.EMAIL, "partner@example.org"),)
    found["CONTACT_PARTNER"] = "p@example.net"
    path.unlink()
    await one.reload()
    assert (one.current.reason, directory.targets) == (
        PolicyReason.FILE_MISSING,
        ((ChannelName.EMAIL, "p@example.net"),),
    )
    found["CONTACT_BAD"] = "x"
    with structlog.testing.capture_logs() as logged:
        await one.reload()
    [kept] = [line for line in logged if line["event"] == "policy.secrets_kept"]
    assert kept["problems"] == ["CONTACT_BAD can't be read"]
    assert directory.targets == ((ChannelName.EMAIL, "p@example.net"),)


async def test_a_large_policy_does_not_stop_the_event_loop(store: Store, path, tmp_path):
    """A file is read and judged in a thread, by the replicas that follow as well; webhooks go on being answered."""
    threads: set[threading.Thread] = set()
    around = Surroundings(channels={ChannelName.EMAIL: lambda _: threads.add(threading.current_thread())})
    keepers = [
        PolicyKeeper(store, FakeClock(), each, lambda: around, named=False) for each in (path, tmp_path / "other.toml")
    ]
    for each in keepers:
        each.start()
    path.write_text(PEOPLE)
    await keepers[0].reload()
    await keepers[1].follow()
    assert [list(each.current.policy.people) for each in keepers] == [["owner"]] * 2
    assert threads
    assert threading.main_thread() not in threads


async def test_replicas_follow_the_one_that_reads_its_file(store: Store, path, tmp_path):
    """One without a file of its own too, and at its start."""
    path.write_text(ONE)
    one = started(store, path)
    other = started(store, tmp_path / "elsewhere.toml")
    assert in_force(other) == (["one"], PolicyReason.FILE_MISSING)
    path.write_text(TWO)
    await one.reload()
    assert in_force(other)[0] == ["one"]
    await other.follow()
    assert in_force(other) == (["two"], PolicyReason.FOLLOWED)
    assert (other.current.name, other.trouble) == (digest(TWO)[:12], None)
    with structlog.testing.capture_logs() as logged:
        await other.follow()
        await one.follow()
    assert (logged, in_force(one)) == ([], (["two"], PolicyReason.FILE))


async def test_a_policy_is_forgotten_on_purpose(store: Store, path):
    """Running services drop it, a start without a file is clean again, and a file brings it back."""
    path.write_text(ONE)
    one = started(store, path)
    with store.transaction() as connection:
        forgotten = forget(connection, START)
    assert forgotten == StoredPolicy(ONE, digest(ONE), START)
    await one.follow()
    assert (in_force(one), one.current.name) == (([], PolicyReason.FOLLOWED), None)
    with store.transaction() as connection:
        assert forget(connection, START) is None
    assert in_force(started(store, path)) == (["one"], PolicyReason.FILE)
    with store.transaction() as connection:
        forget(connection, START)
    path.unlink()
    again = started(store, path)
    assert (in_force(again), again.trouble) == (([], PolicyReason.NO_FILE), None)


async def test_a_stored_policy_of_another_version_is_told_once(store: Store, path):
    """The one before stays in force; without one there is none."""
    path.write_text(ONE)
    one = started(store, path)
    with store.transaction() as connection:
        policies.save(connection, StoredPolicy("[sirens.door]", digest("[sirens.door]"), START))
    with structlog.testing.capture_logs() as logged:
        await one.follow()
        await one.follow()
    assert [line["event"] for line in logged] == ["policy.kept"]
    assert in_force(one) == (["one"], PolicyReason.STORED_INVALID)
    path.unlink()
    other = started(store, path)
    assert in_force(other) == ([], PolicyReason.STORED_INVALID)
    assert other.trouble == (
        f"the policy file {path} isn't used, because the stored policy is from another version of alertgate; "
        "no policy is in force, and no device is watched"
    )
    assert (one.current.policy.stands_in, other.current.policy.stands_in) == (False, True)
    with store.transaction() as connection:
        forget(connection, START)
    await other.follow()
    assert (in_force(other), other.current.policy.stands_in) == (([], PolicyReason.FOLLOWED), False)


def test_a_channel_that_is_set_up_no_more_costs_no_other_contact(store: Store, path: Path):
    """Its token was taken out, or its secret isn't mounted: everybody else is told as before, and somebody hears."""

    def check(_address: str) -> None:
        pass

    channels = {ChannelName.EMAIL: check, ChannelName.PUSHOVER: check}
    around = Surroundings(channels=channels)
    path.write_text('[people.owner]\ncontacts = ["pushover:u", "email:owner@example.org"]\n')
    PolicyKeeper(store, FakeClock(), path, lambda: around, named=False).start()
    without = Surroundings(channels=channels, missing={ChannelName.PUSHOVER: "set PUSHOVER_TOKEN"})
    again = PolicyKeeper(store, FakeClock(), path, lambda: without, named=False)
    again.start()
    assert (list(again.current.policy.people), again.current.reason) == (["owner"], PolicyReason.FILE_INVALID)
    assert again.unreachable == [
        ("people.owner.contacts[1]", "is pushover, and nobody is told by it yet: set PUSHOVER_TOKEN")
    ]


PEOPLE = '[people.owner]\ncontacts = ["email:owner@example.org"]\n'


async def test_people_survive_a_file_that_vanishes(store: Store, path):
    """A redeploy without the file doesn't tell everybody else, or nobody; only `forget` does, on purpose."""
    recipients = [(ChannelName.EMAIL, "a@example.org"), (ChannelName.EMAIL, "b@example.org")]
    around = Surroundings(recipients=recipients)

    def keeper() -> PolicyKeeper:
        one = PolicyKeeper(store, FakeClock(), path, lambda: around, named=False)
        one.start()
        return one

    assert list(keeper().current.policy.people) == ["a@example.org", "b@example.org"]
    path.write_text(PEOPLE)
    assert list(keeper().current.policy.people) == ["owner"]
    path.unlink()
    one = keeper()
    assert (list(one.current.policy.people), one.current.reason) == (["owner"], PolicyReason.FILE_MISSING)
    path.write_text("[people.owner]\n")
    await one.reload()
    assert (list(one.current.policy.people), one.current.reason) == (["owner"], PolicyReason.FILE_INVALID)
    with store.transaction() as connection:
        forget(connection, START)
    await one.follow()
    assert list(one.current.policy.people) == ["a@example.org", "b@example.org"]


def test_doubts_are_logged(store: Store, path: Path):
    """What `alertgate check` warns about stands in the log of a start."""
    path.write_text(f"{ONE}resolved = 'data[?a == \"b\"] == `[]`'\n")
    with structlog.testing.capture_logs() as logged:
        started(store, path)
    assert [(line["event"], line.get("key")) for line in logged] == [
        ("policy.loaded", None),
        ("policy.doubtful", "events[1].resolved"),
    ]


async def test_addresses_are_read_again_with_the_file(store: Store, path):
    """At a reload, and where another process has read a new one; what can't be read leaves those that were."""
    path.write_text('[people.owner]\ncontacts = ["email:$CONTACT_OWNER"]\n')
    read: dict[str, str] = {}

    def look_around() -> Surroundings:
        if "CONTACT_BAD" in read:
            raise ConfigError(["it can't be read"])
        return Surroundings(secrets=dict(read))

    one, other = (PolicyKeeper(store, FakeClock(), path, look_around, named=False) for _ in range(2))
    one.start()
    other.start()
    assert [key for key, _ in one.unreachable] == ["people.owner.contacts[1]"]
    read["CONTACT_OWNER"] = "owner@example.org"
    path.write_text(path.read_text() + "[[routes]]\nescalation = 'everyone'\n")
    await one.reload()
    await other.follow()
    assert (one.unreachable, other.unreachable) == ([], [])
    read["CONTACT_BAD"] = "x"
    await one.reload()
    assert one.secrets == {"CONTACT_OWNER": "owner@example.org"}
