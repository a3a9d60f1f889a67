"""The sentences of alertgate's hints about how it understands an event, in one table. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from alertgate.own_events import Hint

TITLES: Mapping[Hint, str] = MappingProxyType(
    {Hint.ALL_CLEAR: "alarm or all-clear?", Hint.PARTS: "too many parts"},
)
"""For a subject."""
LEAD = "alertgate may take an event for something else than it is."
ONCE = "This is said once for this event and device."
PASTE = "put these lines into alertgate.toml, before all other [[events]], and send SIGHUP"


def about(event: str, device: str, name: str | None) -> str:
    """Return which event of which device a hint is about; `device` may be a source, or empty."""
    return f"{event} from {name or device}" if name or device else event


def all_clear_message(word: str, rule: str) -> str:
    """Return what a word was taken for, and what to do; the first line is short enough for a text message."""
    return (
        f'"{word}" was taken for an all-clear, so nobody was told.\n'
        f"Nothing was ever open that it could end: it may be an alarm. {ONCE}\n"
        f"What to do: nothing, if it is an all-clear. If it is an alarm, {PASTE}:\n\n{rule}"
    )


def parts_message(most: int, part: str, rule: str | None, deciding: str | None) -> str:
    """Return what happens to further parts, and what to do. `part` is the latest.

    `rule` makes them one part; None if `deciding`, the name of a rule, has told them apart.
    """
    remedy = (
        f"let the `key` of {deciding} name a part, not a reading."
        if rule is None
        else f"nothing, if these are parts. If they are readings, {PASTE}:\n\n{rule}"
    )
    return (
        f"More than {most} parts within a day: new ones share one incident. The latest is {part}.\n"
        f"An all-clear of such a part ends nothing: the incident may be open for another. It ends when no more alerts "
        f"come, or a person ends it. {ONCE}\n"
        f"What to do: {remedy}"
    )
