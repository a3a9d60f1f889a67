"""Which states of the policy's file people are told of."""

from alertgate.accept.policy_trouble import CAUSES
from alertgate.policy.keeper import TROUBLES


def test_all_that_needs_a_person_is_told():
    """What /health shows, a person hears."""
    assert set(CAUSES) == set(TROUBLES)
    assert len(set(CAUSES.values())) == len(CAUSES)
