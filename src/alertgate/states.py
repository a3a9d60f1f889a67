"""The legal changes of state of incidents and notifications. Pure."""

from enum import StrEnum
from types import MappingProxyType

from alertgate.model import IncidentStatus, NotificationStatus

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
