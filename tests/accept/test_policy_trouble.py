"""Which states of the policy's file people are told of."""

from pathlib import Path

from alertgate.accept import policy_trouble
from alertgate.accept.policy_trouble import CAUSES
from alertgate.policy.keeper import TROUBLES, PolicyKeeper
from alertgate.policy.surroundings import Surroundings
from alertgate.store import policies
from alertgate.store.engine import Store
from alertgate.store.policies import StoredPolicy
from tests.accept.test_own import all_alerts, own_alerts
from tests.fakes import START, FakeClock


def test_all_that_needs_a_person_is_told():
    """What /health shows, a person hears."""
    assert set(CAUSES) == set(TROUBLES)
    assert len(set(CAUSES.values())) == len(CAUSES)


async def test_without_any_policy_that_can_be_read_it_is_said_what_that_means_for_devices(store: Store, tmp_path: Path):
    """After a roll-back: nothing that was in force stays so, and nobody watches them."""
    with store.transaction() as connection:
        policies.save(connection, StoredPolicy("[sirens.door]", "of another version", START))
    keeper = PolicyKeeper(store, FakeClock(), tmp_path / "alertgate.toml", Surroundings, named=True)
    keeper.start()
    own = own_alerts(store, FakeClock())
    policy_trouble.note(keeper, own)
    await own.run()
    [said] = all_alerts(store)
    first, means, what_to_do = (said.message or "").splitlines()
    assert first == "Policy file not used since 14:03: this version can't read the stored policy."
    assert "Devices aren't watched: no silence is told, and none is over" in means
    assert "alertgate check" in what_to_do
