"""Tell people what the auditor finds, if it finds it for a while. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from alertgate.model import Severity, worst
from alertgate.prove.audit import Audit, AuditFinding
from alertgate.prove.troubles import Cause

AFTER = timedelta(minutes=1)
"""How long a finding must last: a restart of the database is over by then."""
MOST_NAMED = 3

CAUSES: Mapping[AuditFinding, Cause] = MappingProxyType(
    {
        AuditFinding.OVERDUE: Cause.AUDIT_OVERDUE,
        AuditFinding.LEASE_EXPIRED: Cause.AUDIT_LEASES,
        AuditFinding.NOBODY_TOLD: Cause.AUDIT_NOBODY_TOLD,
        AuditFinding.UNWATCHED: Cause.AUDIT_UNWATCHED,
        AuditFinding.UNREADABLE: Cause.AUDIT_UNREADABLE,
    }
)


def found_since(before: Mapping[AuditFinding, datetime], audit: Audit) -> dict[AuditFinding, datetime]:
    """Return since when each present finding has been found by every audit."""
    return {finding: min(before.get(finding, audit.at), audit.at) for finding, ids in audit.found.items() if ids}


def lasting(since: Mapping[AuditFinding, datetime], audit: Audit) -> list[AuditFinding]:
    """Return the findings that have lasted long enough."""
    return [finding for finding, first in since.items() if audit.at - first >= AFTER]


def about(finding: AuditFinding) -> str:
    """Return what an incident is about, such as `nobody told`."""
    return finding.replace("_", " ")


class Concern(NamedTuple):
    """What a finding means for people."""

    severity: Severity
    detail: str


UNREADABLE = Concern(Severity.WARNING, "")
"""Nothing can be told before it is over. The database's error stays in the log: it may name hosts and users."""


UNWATCHED = Concern(Severity.CRITICAL, "")
"""Any of them may be dead, and nobody would hear of it."""


def weigh(severities: Mapping[str, Severity]) -> Concern | None:
    """Return how bad a finding is, as bad as the worst that it holds up; None if it is about own incidents alone.

    `severities` are those of the notifications or incidents that were found, by their ids, without own ones.
    """
    if not severities:
        return None
    ids = sorted(severities)
    more = "" if len(ids) <= MOST_NAMED else ", …"
    return Concern(worst(*severities.values()), f"{len(ids)} ({', '.join(ids[:MOST_NAMED])}{more})")
