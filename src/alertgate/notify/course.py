"""How far an incident's escalation has come, as messages say it. Pure."""

from dataclasses import dataclass

from alertgate.model import Kind

SAYS_COURSE = frozenset({Kind.HANDOFF, Kind.REMINDER, Kind.UNANSWERED})
"""The kinds of messages that say it."""


@dataclass(frozen=True, slots=True)
class Course:
    """Who was told of an incident so far, and how often they were reminded."""

    reached: tuple[str, ...] = ()
    """The people to whom something was sent, in the order in which they were told."""
    unreached: tuple[str, ...] = ()
    """Those to whom nothing could be sent yet."""
    reminders: int = 0

    def without(self, person: str | None) -> "Course":
        """Return it for a message to a person, who needn't hear their own name."""
        others = tuple(name for name in self.reached if name != person)
        return Course(others, tuple(name for name in self.unreached if name != person), self.reminders)


NO_COURSE = Course()


def listed(names: tuple[str, ...]) -> str:
    """Return names as a sentence has them."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def ordinal(number: int) -> str:
    """Return a number as `1st`, `2nd`, `3rd`, `4th`."""
    is_teen = number // 10 % 10 == 1
    return f"{number}{'th' if is_teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
