"""Acts on many incidents, whichever way they came: portion after portion, then what they made due."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, Self, TypeVar

from alertgate.group.portions import Did, finish
from alertgate.store import Connection
from alertgate.web.acts import log_act
from alertgate.web.dependencies import Gate


class Portion(Protocol):
    """What one transaction has done of an act."""

    @property
    def done(self) -> tuple[Did, ...]:
        """What it did to each incident."""

    @property
    def beyond(self) -> str | None:
        """Up to which incident it was done, if there are more."""

    def followed_by(self, later: Self) -> Self:
        """Return what became of both portions."""


_Portion = TypeVar("_Portion", bound=Portion)
Do = Callable[[Connection, str], _Portion | None]
"""Does the portion beyond an incident's id, in a transaction; None if there is nothing to act on."""


async def do_all(gate: Gate, do: Do[_Portion]) -> _Portion | None:
    """Do an act, in as many transactions as it has portions, and send what it made due.

    If one of them fails, what those before it did is told all the same.
    """
    whole = await _write(gate, do, "")
    if whole is None or whole.beyond is None:
        await _send(gate, whole.done if whole else ())
        return whole
    beyond: str | None = whole.beyond
    try:
        while beyond is not None:
            portion = await _write(gate, do, beyond)
            whole, beyond = (whole.followed_by(portion), portion.beyond) if portion else (whole, None)
    finally:
        await gate.store.write(partial(finish, done=whole.done, gatherer=gate.actions))
        await _send(gate, whole.done)
    return whole


async def _send(gate: Gate, done: Sequence[Did]) -> None:
    """Send what an act made due."""
    if any(applied.ended for _, applied in done):
        await gate.escalations.run()
    if any(applied.due or applied.ended for _, applied in done):
        gate.deliverer.wake()


async def _write(gate: Gate, do: Do[_Portion], beyond: str) -> _Portion | None:
    portion = await gate.store.write(lambda connection: do(connection, beyond))
    for action, applied in portion.done if portion else ():
        log_act(action, applied)
    return portion
