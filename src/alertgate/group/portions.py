"""One act on many incidents: in portions, each in a transaction of its own, and told to each contact as one message.

Others write in between, so that alerts are accepted meanwhile. What a portion tells waits for the other ones; if the
process ends before that, it goes by itself a minute later.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol

from alertgate.group.actions import Action, Applied
from alertgate.store import Connection

PORTION = 50
"""How many incidents are changed in one transaction: a quarter of a second on a small machine."""

Did = tuple[Action, Applied]
Doer = Callable[[Connection, Action], Applied | None]
"""Does one thing to one incident, in a transaction."""


class Gatherer(Protocol):
    """Has what one act tells a contact about several incidents go as one message."""

    def wait_for_rest(self, connection: Connection, incident_ids: Collection[str], now: datetime) -> None:
        """Have what was made due now about these incidents wait for the other portions."""

    def go_together(self, connection: Connection, incident_ids: Collection[str], now: datetime) -> None:
        """Have what was made due now about these incidents go to each contact as one message, also what waits."""


def do_portion(
    connection: Connection, do: Doer, actions: Sequence[Action], gatherer: Gatherer, *, is_whole: bool
) -> tuple[Did, ...]:
    """Do the actions of one portion, all of one time. Unless it `is_whole`, call `finish` after the last one."""
    done = tuple((action, applied) for action in actions if (applied := do(connection, action)))
    if not is_whole and done:
        gatherer.wait_for_rest(connection, _ids(done), done[0][0].now)
    elif len(done) > 1:
        gatherer.go_together(connection, _ids(done), done[0][0].now)
    return done


def finish(connection: Connection, done: Sequence[Did], gatherer: Gatherer) -> None:
    """Send what all portions of an act have told, as one message to each contact."""
    if done:
        gatherer.go_together(connection, _ids(done), done[0][0].now)


def _ids(done: Sequence[Did]) -> list[str]:
    return [action.incident_id for action, _ in done]
