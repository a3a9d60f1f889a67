"""What becomes of an answer to a message, whichever way it came."""

from enum import StrEnum
from types import MappingProxyType


class Verdict(StrEnum):
    """What became of an act, and why."""

    DONE = "done"
    ALREADY = "already"  # somebody did it before; the first person stays on record
    OVER = "over"  # there is nothing left to do it to
    QUIET = "quiet"  # it ended because no more alerts came, and nobody has said that it is over
    REFUSED = "refused"  # it can't be done now; what was asked to do it says why
    CHANGED = "changed"  # it became worse, or open again, after the page or the message was made: it is asked again


WORDS = MappingProxyType(
    {
        Verdict.DONE: "You have it. Nobody is told any more, unless it gets worse or begins again.",
        Verdict.ALREADY: "Nothing was changed: somebody has it already.",
        Verdict.OVER: "Nothing was changed: it is over already.",
        Verdict.QUIET: "Nothing was changed: no more alerts came, so it ended. Nobody has said that it is over.",
        Verdict.REFUSED: "Nothing was done: that can't be done now.",
        Verdict.CHANGED: "It changed after this message: look at the newest one, and answer that.",
    }
)
"""What somebody hears who answered *I'm on it* in an app, a chat or a call."""
