"""Which connections the server's watcher closes."""

import asyncio
from dataclasses import dataclass, field

from alertgate.web.server import WAIT_TIMEOUT, WaitingConnections


@dataclass
class Cycle:
    """A request, and whether it was answered."""

    response_complete: bool = False


class Transport(asyncio.Transport):
    """A transport that knows whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@dataclass(eq=False)
class Connection:
    """A connection as uvicorn shows it."""

    cycle: Cycle | None = None
    transport: Transport = field(default_factory=Transport)


def closed(connections: list[Connection]) -> list[bool]:
    """Tell which were closed."""
    return [connection.transport.closed for connection in connections]


def test_a_connection_without_a_request_is_closed_in_time():
    """One that never asked, and one whose last request was answered; not one whose request is in progress."""
    connections = [Connection(), Connection(Cycle(response_complete=True)), Connection(Cycle())]
    watcher = WaitingConnections(most=10)
    watcher.check(connections, 100)
    watcher.check(connections, 100 + WAIT_TIMEOUT - 0.1)
    assert closed(connections) == [False, False, False]
    watcher.check(connections, 100 + WAIT_TIMEOUT)
    assert closed(connections) == [True, True, False]


def test_another_request_begins_the_time_anew():
    """However many there were between two looks."""
    connection = Connection(Cycle(response_complete=True))
    watcher = WaitingConnections(most=10)
    watcher.check([connection], 100)
    connection.cycle = Cycle(response_complete=True)
    watcher.check([connection], 100 + WAIT_TIMEOUT)
    assert not connection.transport.closed
    watcher.check([connection], 100 + 2 * WAIT_TIMEOUT)
    assert connection.transport.closed


def test_of_too_many_those_that_waited_longest_go():
    """Nobody who asks is closed for them."""
    watcher = WaitingConnections(most=2)
    connections = [Connection(Cycle()), Connection()]
    for now in range(3):
        watcher.check(connections, now)
        connections.append(Connection())
    watcher.check(connections, 3)
    assert closed(connections) == [False, True, True, False, False]
