"""Tell people that the policy's file can't be used."""

from collections.abc import Mapping
from types import MappingProxyType

from alertgate.accept.own import OwnAlerts
from alertgate.model import Severity
from alertgate.policy.keeper import PolicyKeeper, PolicyReason
from alertgate.prove.troubles import Cause, Trouble

ABOUT = "policy"

CAUSES: Mapping[PolicyReason, Cause] = MappingProxyType(
    {
        PolicyReason.FILE_MISSING: Cause.POLICY_MISSING,
        PolicyReason.FILE_INVALID: Cause.POLICY_INVALID,
        PolicyReason.STORE_FAILED: Cause.POLICY_UNSTORED,
        PolicyReason.STORED_INVALID: Cause.POLICY_FOREIGN,
        PolicyReason.FAILED: Cause.POLICY_FAILED,
    }
)
"""The reasons that need a person."""


def note(policies: PolicyKeeper, own_alerts: OwnAlerts) -> None:
    """Note whether the policy's file can be used; only changes count."""
    current = policies.current
    cause = Cause.POLICY_UNREAD if current.policy.stands_in else CAUSES.get(current.reason)
    own_alerts.lasts(Trouble.POLICY, ABOUT, cause, Severity.WARNING)
