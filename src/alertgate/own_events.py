"""Events of alertgate's own alerts that other modules than `prove/troubles.py` must know."""

from enum import StrEnum


class Hint(StrEnum):
    """What alertgate says once about how it understands an event; the value is the event of its own alert."""

    ALL_CLEAR = "alertgate/all-clear"  # a word that may mean an alarm was taken for an all-clear, and nothing was open
    PARTS = "alertgate/parts"  # an event names so many parts of a device that new ones share an incident


HINTS = frozenset(Hint)
CHANNEL_EVENT = "alertgate/channel"
"""The event of alertgate's own alert that a channel is paused; the channel is its device."""
FAILED_EVENT = "alertgate/failed"
"""The event of its own alert that notifications have failed."""
AUDIT_EVENT = "alertgate/audit"
"""The event of its own alert that the auditor has found something."""
ABOUT_DELIVERY = frozenset({CHANNEL_EVENT, FAILED_EVENT, AUDIT_EVENT})
"""Events of own alerts that a channel which is away causes. By that channel they can't arrive while they are true."""
CREDENTIALS_EVENT = "alertgate/credentials"
"""The event of its own alert that a sender's credential is wrong."""
AWAY_EVENT = "alertgate/away"
"""The event of its own alert that it couldn't accept any for a while, because it didn't run."""
UNWATCHED = HINTS | {CREDENTIALS_EVENT, AWAY_EVENT}
"""Events of own alerts of which nobody says that they are over: their incidents end in silence."""


class WatchEvent(StrEnum):
    """What the watch of the devices says; the value is the event of its alerts."""

    SILENT = "device/silent"  # one says nothing, though it should
    FLAPPING = "device/flapping"  # one goes away again and again
    BATTERY = "device/battery"  # its battery is low
    RESETS = "device/resets"  # brown-outs or its watchdog reset it again and again
    NO_WEBHOOKS = "gate/no-webhooks"  # many say nothing at once
