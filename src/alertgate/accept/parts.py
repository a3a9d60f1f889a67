"""How many parts of one device and event have incidents of their own. Pure.

Parts are told apart by what looks like a name. Where every value does, each reading would open an incident; so the
parts beyond MOST_PARTS in a day share one.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum

from alertgate.model import Incident, IncidentStatus
from alertgate.rules import GroupingRules

MOST_PARTS = 32
WITHIN = timedelta(hours=24)


class PartReason(StrEnum):
    """Whether a part has an incident of its own, and why."""

    KNOWN = "known"  # it has had one within a day, or one that is open or may be reopened
    FEW = "few"  # fewer than MOST_PARTS parts of its device and event had one within a day
    SHARED = "shared"  # so many had one that new parts share another


def place(key: str, last: Incident | None, parts: Collection[str], now: datetime, rules: GroupingRules) -> PartReason:
    """Decide whether a firing alert of a part counts under the part's own key.

    `last` is the newest incident with that key, and `parts` are the keys under which incidents of parts of the same
    device and event were opened within a day.
    """
    if is_known(last, now, rules) or key in parts:
        return PartReason.KNOWN
    return PartReason.FEW if len(parts) < MOST_PARTS else PartReason.SHARED


def is_known(last: Incident | None, now: datetime, rules: GroupingRules) -> bool:
    """Return whether a part's own incident is open, recent, or may be reopened."""
    if last is None:
        return False
    if last.status is not IncidentStatus.RESOLVED or now - last.opened_at < WITHIN:
        return True
    return last.resolved_at is not None and now - last.resolved_at <= rules.interval


SHARES = (
    f"its device named {MOST_PARTS} other parts of this event within a day, so it shares an incident with further ones"
)
"""PartReason.SHARED as a sentence; the others need none."""
