"""The legal changes of state of incidents and notifications. Pure."""

from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType

from alertgate.model import IncidentStatus, Notification, NotificationStatus

NOT_BY_ITSELF = datetime(9999, 1, 1, tzinfo=UTC)
"""When what failed because its service refuses us is due, until something else arrives at its contact: each try may
cost money, and nobody can be asked whether it would arrive."""

TRANSITIONS: MappingProxyType[StrEnum, frozenset[StrEnum]] = MappingProxyType(
    {
        IncidentStatus.OPEN: frozenset({IncidentStatus.ACKNOWLEDGED, IncidentStatus.RESOLVED}),
        IncidentStatus.ACKNOWLEDGED: frozenset({IncidentStatus.OPEN, IncidentStatus.RESOLVED}),
        # Within GROUP_INTERVAL of its all-clear; an acknowledgement of somebody who knows that it flaps stays.
        IncidentStatus.RESOLVED: frozenset({IncidentStatus.OPEN, IncidentStatus.ACKNOWLEDGED}),
        NotificationStatus.PENDING: frozenset(
            {NotificationStatus.SENDING, NotificationStatus.CANCELLED, NotificationStatus.FAILED}
        ),
        NotificationStatus.SENDING: frozenset(
            {
                NotificationStatus.SENT,
                NotificationStatus.PENDING,
                NotificationStatus.FAILED,
                NotificationStatus.CANCELLED,
            }
        ),
        # Retried by a person; sent after an outage of its channel; or told by a later message to the same contact.
        NotificationStatus.FAILED: frozenset(
            {NotificationStatus.PENDING, NotificationStatus.SENDING, NotificationStatus.CANCELLED}
        ),
        # Its service says later that it didn't arrive.
        NotificationStatus.SENT: frozenset(
            {NotificationStatus.PENDING, NotificationStatus.FAILED, NotificationStatus.CANCELLED}
        ),
        NotificationStatus.CANCELLED: frozenset(),
    }
)
"""Every legal change of state; anything else is a defect."""


def states_before(after: StrEnum) -> list[StrEnum]:
    """Return the states that have a legal transition to `after`."""
    return [before for before, nexts in TRANSITIONS.items() if after in nexts]


def waits_for_another(failed: Notification) -> bool:
    """Return whether a failed notification is sent by itself only once another message to its contact has arrived."""
    return failed.missed_since is not None and failed.due_at == NOT_BY_ITSELF
